"""Rounding and format(): where the last digit of a real shows."""

from __future__ import annotations

import re

from buttress.mover.translate.terms import (
    Term,
    Untranslatable,
    double,
    literal,
    number,
    string,
    text,
)


def exact(value: Term) -> str:
    """A real as `numeric` with all its binary digits, as far as rounding can need them.

    PostgreSQL's own cast keeps 15 digits: it would round 2.675 (which is 2.67499999…) up.
    """
    if value.kind == "integer":
        return f"{value.sql}::numeric"
    sql = double(value)
    return (
        f"(trunc({sql})::numeric + (({sql} - trunc({sql})) * 4611686018427387904::float8)::bigint"
        f"::numeric / 4611686018427387904)"
    )


def rounded_term(arguments: list[Term]) -> Term:
    """`round(x)` and `round(x, digits)`."""
    value = number(arguments[0])
    digits = arguments[1].value if len(arguments) == 2 else 0
    if not isinstance(digits, int):
        raise Untranslatable("round() to a number of digits that is no constant")
    if value.kind == "null":
        return literal(None)
    if value.kind == "integer":
        return Term(f"{value.sql}::float8", "real")
    if digits <= 0:
        sql = double(value)
        return Term(f"trunc({sql} + sign({sql}) * 0.5)", "real")
    return Term(f"round({exact(value)}, {min(digits, 30)})::float8", "real")


_CONVERSION = re.compile(r"%(?:%|(0?)(\d*)(?:\.(\d+))?([dsif]))")


def formatted(arguments: list[Term]) -> Term:
    """`format(…)`: %d, %s and %f with simple widths."""
    pattern = arguments[0].value
    if not isinstance(pattern, str):
        raise Untranslatable("format() with a format that is no constant")
    parts, at, values = [], 0, iter(arguments[1:])
    for match in _CONVERSION.finditer(pattern):
        parts.append(string(pattern[at : match.start()]))
        at = match.end()
        if match[0] == "%%":
            parts.append("'%'")
        else:
            value = next(values, None)
            if value is None:
                raise Untranslatable("format() with too few values")
            parts.append(_conversion(value, match))
    parts.append(string(pattern[at:]))
    if "%" in _CONVERSION.sub("", pattern):
        raise Untranslatable(f"format() with {pattern!r}")
    parts = [part for part in parts if part != "''"] or ["''"]
    return Term(f"({' || '.join(parts)})", "text")


def _conversion(value: Term, match: re.Match[str]) -> str:
    """One conversion of format()."""
    zero, width, digits, letter = match[1], match[2], match[3], match[4]
    if letter == "s" and not width and digits is None:
        return f"coalesce({text(value).sql}, '')"
    found = number(value)
    if letter in "di" and digits is None and found.kind in ("integer", "null"):
        shown = f"coalesce({found.sql}, 0)"
        if not width:
            return f"{shown}::text"
        if not zero:
            return f"lpad({shown}::text, greatest({width}, length({shown}::text)), ' ')"
        sign, plus = f"CASE WHEN {shown} < 0 THEN '-' ELSE '' END", f"abs({shown})::text"
        room = f"greatest({width} - ({shown} < 0)::int, length({plus}))"
        return f"{sign} || lpad({plus}, {room}, '0')"
    if letter == "f" and not width:
        rounded = f"round({exact(found)}, {digits or 6})"
        return f"coalesce({rounded}, round(0::numeric, {digits or 6}))::text"
    raise Untranslatable(f"format() with the conversion {match[0]}")

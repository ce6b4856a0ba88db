"""Arithmetic, bits, concatenation and CAST."""

from __future__ import annotations

from dataclasses import replace

from buttress.mover.translate import json as translate_json
from buttress.mover.translate.terms import (
    Kind,
    Term,
    Untranslatable,
    affinity_of,
    double,
    integer,
    literal,
    number,
    numeric_value,
    plain,
    text,
)


def arithmetic(operator: str, left: Term, right: Term) -> Term:
    """`+ - * / %` in 64-bit integers or double precision, as SQLite would choose."""
    left, right = number(left), number(right)
    if left.kind == "null" or right.kind == "null":
        return literal(None)
    if operator == "/":
        return _divided(left, right)
    if operator == "%":
        return _remainder(left, right)
    first, second, kind = _promoted(left, right)
    return Term(f"({first} {operator} {second})", kind)


def _promoted(left: Term, right: Term) -> tuple[str, str, Kind]:
    """Both sides in the type SQLite computes with."""
    kinds = {left.kind, right.kind}
    if kinds == {"integer"}:
        widened = f"{left.sql}::bigint" if left.small and right.small else left.sql
        return widened, right.sql, "integer"
    if "real" not in kinds:
        return left.sql, right.sql, "number"
    if any(term.kind == "real" and not term.constant for term in (left, right)):
        return left.sql, right.sql, "real"
    return double(left) if left.kind == "real" else left.sql, double(right), "real"


def _divided(left: Term, right: Term) -> Term:
    known = right.constant and right.value != 0
    if left.kind == right.kind == "integer":
        first, _, _ = _promoted(left, right)
        by = right.sql if known else f"nullif({right.sql}, 0)"
        return Term(f"({first} / {by})", "integer")
    if "real" in (left.kind, right.kind):
        first, second, _ = _promoted(left, right)
        return Term(f"({first} / {second if known else f'nullif({second}, 0)'})", "real")
    if left.real_or_zero:
        by = right.sql if known else f"nullif({right.sql}, 0)"
        return Term(f"({left.sql}::float8 / {by})", "number", real_or_zero=True)
    wholes = [_whole(term) for term in (left, right)]
    by = right.sql if known else f"nullif({right.sql}, 0)"
    return Term(
        f"(CASE WHEN {' AND '.join(whole for whole in wholes if whole)} "
        f"THEN div({left.sql}, {by}) ELSE {left.sql}::float8 / {by}::float8 END)",
        "number",
    )


def _whole(term: Term) -> str:
    """Whether SQLite holds the number as an integer; empty when it always does."""
    if term.kind == "integer":
        return ""
    if term.rule.startswith("decimal"):
        return f"{term.sql} = trunc({term.sql})"
    if term.rule == "numeric":
        return f"scale({term.sql}) = 0"
    raise Untranslatable("divides a number that is integer in some rows and real in others")


def _remainder(left: Term, right: Term) -> Term:
    if "number" in (left.kind, right.kind):
        raise Untranslatable("takes the remainder of a number that may be integer or real")
    sides = [
        term.sql if term.kind == "integer" else f"trunc({double(term)})::bigint"
        for term in (left, right)
    ]
    if left.small and right.small:
        sides[0] = f"{sides[0]}::bigint"
    if not right.constant or right.value == 0:
        sides[1] = f"nullif({sides[1]}, 0)"
    found = f"({sides[0]} % {sides[1]})"
    if left.kind == right.kind == "integer":
        return Term(found, "integer")
    return Term(f"{found}::float8", "real")


def bitwise(operator: str, left: Term, right: Term) -> Term:
    """`& | << >> ~` of 64-bit integers."""
    left, right = number(left), number(right)
    if left.kind == "null" or right.kind == "null":
        return literal(None)
    if left.kind != "integer" or right.kind != "integer":
        raise Untranslatable("computes with the bits of a number that is no integer")
    first = f"{left.sql}::bigint" if left.small else left.sql
    second = f"{right.sql}::bigint" if right.small else right.sql
    if operator == "~":
        return Term(f"(~ {second})", "integer")
    if operator in ("<<", ">>"):
        if not isinstance(right.value, int) or not 0 <= right.value < 64:
            raise Untranslatable("shifts bits by a number that is no constant")
        second = right.sql
    return Term(f"({first} {operator} {second})", "integer")


def negative(value: Term) -> Term:
    """Unary minus."""
    if isinstance(value.value, int | float) and value.kind in ("integer", "real"):
        return literal(-value.value)
    found = number(value)
    if found.kind == "null":
        return literal(None)
    return Term(f"(- {found.sql})", found.kind, small=found.small)


def concatenated(left: Term, right: Term) -> Term:
    """`||`"""
    if left.kind == "null" or right.kind == "null":
        return literal(None)
    first, second = text(left), text(right)
    return Term(f"({first.sql} || {second.sql})", "text")


_INTEGER_PREFIX = r"'^\s*([+-]?\d+)'"
_REAL_PREFIX = r"'^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)'"


def cast_to(value: Term, declared: str) -> Term:
    """CAST, by the affinity of the type's name."""
    affinity = affinity_of(declared)
    found = replace(_cast(value, affinity), affinity=affinity, collation=value.collation)
    return replace(found, explicit=value.explicit, stored=False)


def _cast(value: Term, affinity: str) -> Term:
    if value.kind == "json":
        if affinity in ("integer", "real"):
            return translate_json.cast(value, affinity, _prefix("{0}", affinity))
        raise Untranslatable("casts a JSON value whose type depends on the row")
    if value.kind == "null":
        return literal(None)
    if affinity == "text":
        return _cast_text(value)
    found = integer(plain(value))
    if affinity == "":
        if found.kind == "blob":
            return found
        return Term(f"convert_to({text(found).sql}, 'UTF8')", "blob")
    if found.kind == "blob":
        found = Term(f"convert_from({found.sql}, 'UTF8')", "text")
    if affinity == "numeric":
        return _cast_numeric(found)
    if found.kind == "text":
        if found.digits:
            name = "bigint" if affinity == "integer" else "float8"
            return Term(f"{found.sql}::{name}", "integer" if affinity == "integer" else "real")
        return Term(_prefix(found.sql, affinity), "integer" if affinity == "integer" else "real")
    if affinity == "real":
        return Term(double(found), "real")
    if found.kind == "integer":
        return found
    return Term(f"trunc({found.sql})::bigint", "integer")


def _cast_text(value: Term) -> Term:
    if value.kind == "blob":
        return Term(f"convert_from({value.sql}, 'UTF8')", "text")
    if value.rule == "uuid(blob)":
        raise Untranslatable("casts the bytes of a UUID to text")
    return text(value)


def _cast_numeric(found: Term) -> Term:
    if isinstance(found.value, str):
        constant = numeric_value(found.value)
        if constant is not None:
            return literal(constant)
    if found.kind in ("integer", "real", "number"):
        return found
    if found.digits:
        return Term(f"{found.sql}::bigint", "integer")
    raise Untranslatable(f"casts a {found.kind} to NUMERIC")


def _prefix(sql: str, affinity: str) -> str:
    """The number a text starts with, 0 when it starts with none."""
    pattern, name = (
        (_INTEGER_PREFIX, "bigint") if affinity == "integer" else (_REAL_PREFIX, "float8")
    )
    return (
        f"coalesce(substring({sql} from {pattern})::{name}, CASE WHEN {sql} IS NOT NULL THEN 0 END)"
    )

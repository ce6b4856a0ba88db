"""How a value crosses: the rules from SQLite's five storage classes to PostgreSQL's types.

A rule is exact for a value when decoding what it encoded gives the same value again, storage class
included (1, 1.0 and '1' are three values). `types` picks for each column the most native rule that
is exact for all its values; `copy` encodes with `Rule.encode`; `verify` never calls it, but reads
the target through `Rule.decode_sql` (and `decode` where one SQL type cannot say it) and compares
with the source.

Rules are what `crossing` says; those for dates and times are in `moments`.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from decimal import Decimal, localcontext

from buttress.mover.crossing import (
    CLASSES,
    Rule,
    SqliteValue,
    Unholdable,
    integer,
    real,
    require,
    same,
)
from buttress.mover.moments import moment_rules

__all__ = [
    "CLASSES",
    "Rule",
    "SqliteValue",
    "Unholdable",
    "cell_text",
    "row_key",
    "rule",
    "same",
    "timestamp_rules",
]


def _text(value: SqliteValue) -> str:
    require(value, str, "text")
    assert isinstance(value, str)
    if "\0" in value:
        raise Unholdable("text with U+0000, which PostgreSQL's text cannot hold")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unholdable("text that is not valid Unicode") from None
    return value


def _blob(value: SqliteValue) -> bytes:
    require(value, bytes, "blobs")
    assert isinstance(value, bytes)
    return value


def _boolean(value: SqliteValue) -> bool:
    if type(value) is not int or value not in (0, 1):
        raise Unholdable("a value other than the integers 0 and 1 in a column of booleans")
    return value == 1


def _json(value: SqliteValue) -> str:
    text = _text(value)
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Unholdable("text that is not JSON in a column of JSON") from None
    return text


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _numeric(value: SqliteValue) -> Decimal:
    """Integers without, reals always with a fraction: `numeric` keeps the scale, so 1 and 1.0
    differ.
    """
    if type(value) is int:
        return Decimal(value)
    if type(value) is not float:
        raise Unholdable(f"{CLASSES[type(value)]} in a column of numbers")
    if value == 0 and math.copysign(1.0, value) < 0:
        raise Unholdable("−0.0, whose sign PostgreSQL's numeric does not keep")
    if math.isinf(value):
        return Decimal(value)
    plain = format(Decimal(repr(value)), "f")
    return Decimal(plain if "." in plain else plain + ".0")


def _numeric_back(text: str, _: str) -> SqliteValue:
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _decimal(precision: int, scale: int) -> Rule:
    """`numeric(p,s)` for a column of NUMERIC affinity, where SQLite itself keeps 2.00 as the
    integer 2.
    """

    def encode(value: SqliteValue) -> Decimal:
        exact = _numeric(value)
        if not exact.is_finite():
            raise Unholdable("an infinity in a column of decimals")
        with localcontext(prec=_DIGITS):
            rounded = round(exact, scale)
        if rounded != exact or abs(rounded) >= Decimal(10) ** (precision - scale):
            raise Unholdable(f"a number that does not fit numeric({precision},{scale})")
        if not same(_decimal_back(str(rounded), ""), value):
            raise Unholdable("a real without fraction in a column of decimals")
        return rounded

    name = f"numeric({precision},{scale})"
    return Rule(
        f"decimal({precision}, {scale})", name, "numeric", encode, "{c}::text", "", _decimal_back
    )


def _decimal_back(text: str, _: str) -> SqliteValue:
    number = Decimal(text)
    whole = number == number.to_integral_value()
    if whole and -(2**63) <= number < 2**63:
        return int(number)
    return float(number)


def _mixed(value: SqliteValue) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes):
        return value.hex()
    return repr(value)


def _mixed_back(text: str, kind: str) -> SqliteValue:
    if kind == "integer":
        return int(text)
    if kind == "real":
        return float(text)
    if kind == "blob":
        return bytes.fromhex(text)
    return text


def _uuid_text(value: SqliteValue) -> uuid.UUID:
    found = _uuid_of(value if isinstance(value, str) else "")
    if str(found) != value:
        raise Unholdable("a value that is no lower-case UUID")
    return found


def _uuid_hex(value: SqliteValue) -> uuid.UUID:
    found = _uuid_of(value if isinstance(value, str) else "")
    if found.hex != value:
        raise Unholdable("a value that is no UUID of 32 lower-case hexadecimal digits")
    return found


def _uuid_blob(value: SqliteValue) -> uuid.UUID:
    if not isinstance(value, bytes) or len(value) != 16:
        raise Unholdable("a value that is no UUID of 16 bytes")
    return uuid.UUID(bytes=value)


def _uuid_of(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Unholdable("a value that is no UUID") from None


_SIMPLE = [
    Rule("integer", "bigint", "int8", integer, "{c}", "integer", direct=True),
    Rule("real", "double precision", "float8", real, "{c}", "real", direct=True),
    Rule("text", 'text COLLATE "C"', "text", _text, "{c}", "text", direct=True),
    Rule("blob", "bytea", "bytea", _blob, "{c}", "blob", direct=True),
    Rule("boolean", "boolean", "bool", _boolean, "{c}::int::bigint", "integer"),
    Rule("json", "json", "json", _json, "{c}::text", "text"),
    Rule("numeric", "numeric", "numeric", _numeric, "{c}::text", "", _numeric_back),
    Rule("mixed", 'text COLLATE "C"', "text", _mixed, "{c}", "", _mixed_back),
    *moment_rules(),
    Rule("uuid", "uuid", "uuid", _uuid_text, "{c}::text", "text"),
    Rule("uuid(hex)", "uuid", "uuid", _uuid_hex, "replace({c}::text, '-', '')", "text"),
    Rule("uuid(blob)", "uuid", "uuid", _uuid_blob, "uuid_send({c})", "blob"),
]

_RULES = {rule.name: rule for rule in _SIMPLE}

_DIGITS = 1100
"""More than the digits of any SQLite number written out."""
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")


def rule(name: str) -> Rule:
    """The rule of that name; raises KeyError for a name no rule has."""
    match = _DECIMAL.fullmatch(name)
    if match:
        return _decimal(int(match[1]), int(match[2]))
    return _RULES[name]


def timestamp_rules() -> list[Rule]:
    """All shapes of text moments, the plainest first."""
    return [found for name, found in _RULES.items() if name.startswith("timestamp(")]


def cell_text(value: SqliteValue) -> list[str]:
    """One cell as `[class, text]`, the form `buttress_quarantine.row_values` keeps.

    Integers in decimal, reals in Python's shortest form, blobs as hexadecimal bytes. Text that JSON
    cannot carry is not for this function: its raw bytes are kept as `["text:hex", …]`.
    """
    if isinstance(value, bytes):
        return ["blob", value.hex()]
    if isinstance(value, str):
        return ["text", value]
    if value is None:
        return ["null", ""]
    return [CLASSES[type(value)], repr(value)]


def row_key(rules: list[str], values: list[SqliteValue]) -> str:
    """The readable, unique name of a row: a JSON array of its key's values, or of all its values.

    Cells of rule `mixed` stand in their target text: that is what makes the row findable there.
    """
    parts: list[object] = []
    for name, value in zip(rules, values, strict=True):
        if name == "mixed" and value is not None:
            parts.append(_mixed(value))
        elif isinstance(value, bytes):
            parts.append({"blob": value.hex()})
        elif isinstance(value, float):
            parts.append({"real": repr(value)})
        else:
            parts.append(value)
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))

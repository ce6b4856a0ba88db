"""How a value crosses: the rules from SQLite's five storage classes to PostgreSQL's types.

A rule is exact for a value when decoding what it encoded gives the same value again, storage class
included (1, 1.0 and '1' are three values). `types` picks for each column the most native rule that
is exact for all its values; `copy` encodes with `Rule.encode`; `verify` never calls it, but reads
the target through `Rule.decode_sql` (and `decode` where one SQL type cannot say it) and compares
with the source.

Python stands in for SQLite's classes as usual: None, int, float, str, bytes.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext

SqliteValue = None | int | float | str | bytes

CLASSES: dict[type, str] = {
    int: "integer",
    float: "real",
    str: "text",
    bytes: "blob",
    type(None): "null",
}


class Unholdable(ValueError):
    """The rule's PostgreSQL type cannot hold this value exactly; the message says why."""


@dataclass(frozen=True)
class Rule:
    """One way for values of a column to cross.

    Parameters
    ----------
    name
        As written in a plan, arguments included.
    type
        The PostgreSQL type; a plan may name another one that PostgreSQL casts to losslessly.
    wire
        The PostgreSQL type name binary COPY sends, e.g. `int8`.
    encode
        Non-NULL SQLite value to the Python value psycopg dumps; raises `Unholdable`.
    decode_sql
        Expression over `{c}` (a quoted column) whose value in the target is the SQLite value again.
    decoded
        Storage class of `decode_sql`'s result when it is always the same one; empty when `decode`
        is needed to tell.
    decode
        Target text and, for `mixed`, the cell's storage class, to the SQLite value.
    direct
        True when encode is the identity for the one class in `decoded`: rows go to COPY as read.
    """

    name: str
    type: str
    wire: str
    encode: Callable[[SqliteValue], object]
    decode_sql: str
    decoded: str = ""
    decode: Callable[[str, str], SqliteValue] | None = None
    direct: bool = False

    def holds(self, value: SqliteValue) -> bool:
        """Whether the value can cross exactly."""
        if value is None:
            return True
        try:
            self.encode(value)
        except Unholdable:
            return False
        return True


def same(left: SqliteValue, right: SqliteValue) -> bool:
    """Equality as the proof means it: same storage class, same bits (0.0 is not −0.0)."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float) and isinstance(right, float):
        return struct.pack(">d", left) == struct.pack(">d", right)
    return left == right


def _require(value: SqliteValue, kind: type, what: str) -> None:
    if type(value) is not kind:
        raise Unholdable(f"{CLASSES[type(value)]} in a column of {what}")


def _integer(value: SqliteValue) -> int:
    _require(value, int, "integers")
    assert isinstance(value, int)
    return value


def _real(value: SqliteValue) -> float:
    _require(value, float, "reals")
    assert isinstance(value, float)
    return value


def _text(value: SqliteValue) -> str:
    _require(value, str, "text")
    assert isinstance(value, str)
    if "\0" in value:
        raise Unholdable("text with U+0000, which PostgreSQL's text cannot hold")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unholdable("text that is not valid Unicode") from None
    return value


def _blob(value: SqliteValue) -> bytes:
    _require(value, bytes, "blobs")
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


_UTC = dt.UTC
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)([ T])(\d\d):(\d\d):(\d\d)(?:\.(\d{3}|\d{6}))?(Z|\+00:00)?", re.ASCII
)


def _timestamp(separator: str, digits: str, zone: str) -> Rule:
    """Text moments of one uniform shape.

    `separator` is `space` or `T`; `digits` is `0`, `3`, `6` or `auto` (six digits, left out when
    they are all zero, as Python writes them); `zone` is empty, `Z` or `+00:00`.
    """
    mark = {"space": " ", "T": "T"}[separator]
    zoned = bool(zone)

    def render(moment: dt.datetime) -> str:
        text = moment.strftime(f"%Y-%m-%d{mark}%H:%M:%S").rjust(19, "0")
        if digits == "3":
            text += f".{moment.microsecond // 1000:03}"
        elif digits == "6" or (digits == "auto" and moment.microsecond):
            text += f".{moment.microsecond:06}"
        return text + zone

    def encode(value: SqliteValue) -> dt.datetime:
        match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise Unholdable("a value that is no date and time of the column's shape")
        try:
            year, month, day, hour, minute, second = (int(match[i]) for i in (1, 2, 3, 5, 6, 7))
            micros = int((match[8] or "0").ljust(6, "0"))
            zone_found = _UTC if zoned else None
            moment = dt.datetime(year, month, day, hour, minute, second, micros, zone_found)
        except ValueError:
            raise Unholdable("a date that does not exist") from None
        if render(moment) != value:
            raise Unholdable("a value that is no date and time of the column's shape")
        return moment

    at = "({c} AT TIME ZONE 'UTC')" if zoned else "{c}"
    day, clock = f"to_char({at}, 'YYYY-MM-DD')", f"to_char({at}, 'HH24:MI:SS')"
    fraction = {
        "0": "''",
        "3": f"'.' || to_char({at}, 'MS')",
        "6": f"'.' || to_char({at}, 'US')",
        "auto": f"coalesce('.' || nullif(to_char({at}, 'US'), '000000'), '')",
    }[digits]
    arguments = ", ".join(part for part in (separator, digits, zone) if part)
    return Rule(
        f"timestamp({arguments})",
        "timestamp with time zone" if zoned else "timestamp without time zone",
        "timestamptz" if zoned else "timestamp",
        encode,
        f"({day} || '{mark}' || {clock} || {fraction} || '{zone}')",
        "text",
    )


def _date(value: SqliteValue) -> dt.date:
    try:
        day = dt.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        day = None
    if day is None or day.isoformat() != value:
        raise Unholdable("a value that is no date (YYYY-MM-DD)")
    return day


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=_UTC)


def _epoch(per_second: int) -> Callable[[SqliteValue], dt.datetime]:
    def encode(value: SqliteValue) -> dt.datetime:
        number = _integer(value)
        try:
            return _EPOCH + dt.timedelta(microseconds=number * (1_000_000 // per_second))
        except OverflowError:
            raise Unholdable("a moment outside the years 1 to 9999") from None

    return encode


def _julian(value: SqliteValue) -> dt.datetime:
    day = _real(value)
    try:
        moment = _EPOCH + dt.timedelta(microseconds=round((day - 2440587.5) * 86_400_000_000))
    except (OverflowError, ValueError):
        raise Unholdable("a Julian day outside the years 1 to 9999") from None
    elapsed = (moment - _EPOCH) // dt.timedelta(microseconds=1)
    if not same(float(Decimal(elapsed) / 86_400_000_000 + Decimal("2440587.5")), day):
        raise Unholdable("a Julian day finer than a microsecond")
    return moment


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
    Rule("integer", "bigint", "int8", _integer, "{c}", "integer", direct=True),
    Rule("real", "double precision", "float8", _real, "{c}", "real", direct=True),
    Rule("text", 'text COLLATE "C"', "text", _text, "{c}", "text", direct=True),
    Rule("blob", "bytea", "bytea", _blob, "{c}", "blob", direct=True),
    Rule("boolean", "boolean", "bool", _boolean, "{c}::int::bigint", "integer"),
    Rule("json", "json", "json", _json, "{c}::text", "text"),
    Rule("numeric", "numeric", "numeric", _numeric, "{c}::text", "", _numeric_back),
    Rule("mixed", 'text COLLATE "C"', "text", _mixed, "{c}", "", _mixed_back),
    Rule("date", "date", "date", _date, "to_char({c}, 'YYYY-MM-DD')", "text"),
    Rule(
        "unix seconds",
        "timestamp with time zone",
        "timestamptz",
        _epoch(1),
        "extract(epoch from {c})::bigint",
        "integer",
    ),
    Rule(
        "unix milliseconds",
        "timestamp with time zone",
        "timestamptz",
        _epoch(1000),
        "(extract(epoch from {c}) * 1000)::bigint",
        "integer",
    ),
    Rule(
        "julian day",
        "timestamp with time zone",
        "timestamptz",
        _julian,
        "(extract(epoch from {c})::numeric(48,24) / 86400 + 2440587.5)::float8",
        "real",
    ),
    Rule("uuid", "uuid", "uuid", _uuid_text, "{c}::text", "text"),
    Rule("uuid(hex)", "uuid", "uuid", _uuid_hex, "replace({c}::text, '-', '')", "text"),
    Rule("uuid(blob)", "uuid", "uuid", _uuid_blob, "uuid_send({c})", "blob"),
]

_RULES = {rule.name: rule for rule in _SIMPLE}
for _separator in ("space", "T"):
    for _digits in ("0", "3", "6", "auto"):
        for _zone in ("", "Z", "+00:00"):
            _rule = _timestamp(_separator, _digits, _zone)
            _RULES[_rule.name] = _rule

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

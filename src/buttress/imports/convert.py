"""One Python value to what a column stores, with a reason when it cannot."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import msgspec

from buttress.imports.target import Column, Kind

Convert = Callable[[Any], Any]

_INTEGER = re.compile(r"[+-]?[0-9]+")
_SIZES = {"int2": 2**15, "int4": 2**31, "int8": 2**63}
_TRUE = {"true", "t", "yes", "y", "on", "1"}
_FALSE = {"false", "f", "no", "n", "off", "0"}
_LARGEST_FLOAT4 = 3.4028235677973366e38
_WIDE = Context(prec=1000)


class Unfit(ValueError):
    """A value the column does not hold; the message says why."""


def is_missing(value: object, kind: Kind) -> bool:
    """Whether a value means NULL: None, pandas' NaT and NA, NaN where the column is no float,
    an empty text where it is no text."""
    if value is None or type(value).__name__ in ("NaTType", "NAType"):
        return True
    if isinstance(value, float):
        return kind not in ("float4", "float8") and math.isnan(value)
    return value == "" if isinstance(value, str) and kind not in ("text", "other") else False


def converter(column: Column) -> Convert:
    """What takes one value of the column, never a missing one; it raises ValueError."""
    kind = column.kind
    if kind in _SIZES:
        return lambda value: _integer(value, _SIZES[kind], column.type_name)
    if kind == "text":
        return lambda value: _text(value, column.length)
    if kind == "numeric":
        return lambda value: _numeric(value, column)
    if kind == "float4":
        return _float4
    return _CONVERTERS[kind]


def shown(value: object) -> str:
    """A value in a reason, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _integer(value: Any, limit: int, type_name: str) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        value = int(value) if len(value) < 40 else limit
    elif isinstance(value, float | Decimal) and value == value // 1:
        value = int(value)
    elif isinstance(value, bool) or not hasattr(value, "__index__"):
        raise Unfit(f"{shown(value)} is no integer")
    number = int(value)
    if not -limit <= number < limit:
        raise Unfit(f"{shown(value)} is out of the range of {type_name}")
    return number


def _float(value: Any) -> float:
    if isinstance(value, bool | bytes):
        raise Unfit(f"{shown(value)} is no number")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise Unfit(f"{shown(value)} is no number") from None
    if isinstance(value, str) and "_" in value:
        raise Unfit(f"{shown(value)} is no number")
    return number


def _float4(value: Any) -> float:
    number = _float(value)
    if math.isfinite(number) and abs(number) >= _LARGEST_FLOAT4:
        raise Unfit(f"{shown(value)} is out of the range of real")
    return number


def _numeric(value: Any, column: Column) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise Unfit(f"{shown(value)} is no number")
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise Unfit(f"{shown(value)} is no number") from None
    if not number.is_finite() or (isinstance(value, str) and "_" in value):
        raise Unfit(f"{shown(value)} is no number")
    if column.precision is None or column.scale is None:
        if max(number.adjusted(), 0) - min(int(number.as_tuple().exponent), 0) >= 76:
            raise Unfit(f"{shown(value)} has more than 76 digits")
        return number
    number = number.quantize(Decimal(1).scaleb(-column.scale), ROUND_HALF_UP, _WIDE)
    if number and number.adjusted() >= column.precision - column.scale:
        raise Unfit(f"{shown(value)} is out of the range of {column.type_name}")
    return number


def _text(value: Any, length: int | None) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unfit(f"{shown(value)} is no text")
    text = str(value)
    if "\0" in text:
        raise Unfit("text with U+0000, which PostgreSQL does not hold")
    if not _is_unicode(text):
        raise Unfit("text with half a surrogate pair")
    if length is not None and len(text) > length:
        raise Unfit(f"{len(text)} characters, and the column holds {length}")
    return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bool(value: Any) -> bool:
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    elif isinstance(value, bool) or (hasattr(value, "__index__") and int(value) in (0, 1)):
        return bool(value)
    raise Unfit(f"{shown(value)} is neither true nor false")


def _date(value: Any) -> dt.date:
    moment = _parsed(dt.datetime.fromisoformat, value) if isinstance(value, str) else value
    if isinstance(moment, dt.datetime):
        if moment.tzinfo is not None or moment.time() != dt.time():
            raise Unfit(f"{shown(value)} has a time of day")
        return moment.date()
    if isinstance(moment, dt.date):
        return moment
    raise Unfit(f"{shown(value)} is no date")


def _moment(value: Any) -> dt.datetime:
    moment = _parsed(dt.datetime.fromisoformat, value) if isinstance(value, str) else value
    if isinstance(moment, dt.date) and not isinstance(moment, dt.datetime):
        moment = dt.datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 — naive on purpose
    if not isinstance(moment, dt.datetime):
        raise Unfit(f"{shown(value)} is no date and time")
    return moment


def _naive(value: Any) -> dt.datetime:
    moment = _moment(value)
    if moment.tzinfo is not None:
        raise Unfit(f"{shown(value)} has a time zone, and the column has none")
    return moment


def _aware(value: Any) -> dt.datetime:
    moment = _moment(value)
    if moment.tzinfo is None:
        raise Unfit(f"{shown(value)} has no time zone")
    try:
        return moment.astimezone(dt.UTC)
    except OverflowError:
        raise Unfit(f"{shown(value)} is outside the years 1 to 9999") from None


def _time(value: Any) -> dt.time:
    moment = _parsed(dt.time.fromisoformat, value) if isinstance(value, str) else value
    if not isinstance(moment, dt.time) or moment.tzinfo is not None:
        raise Unfit(f"{shown(value)} is no time of day")
    return moment


def _uuid(value: Any) -> bytes:
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, bytes) and len(value) == 16:
        return value
    if isinstance(value, str):
        identifier: UUID = _parsed(UUID, value)
        return identifier.bytes
    raise Unfit(f"{shown(value)} is no UUID")


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise Unfit(f"{shown(value)} is no bytes")
    return bytes(value)


def _json(value: Any) -> str:
    """A text is taken for JSON already; anything else is written as JSON."""
    try:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, TypeError, UnicodeError):
        raise Unfit(f"{shown(value)} is no JSON") from None
    if "\0" in text:
        raise Unfit("text with U+0000, which PostgreSQL does not hold")
    return text


def _other(value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit(f"{shown(value)} is no text in PostgreSQL's form")
    return _text(value, None)


def _parsed(parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text.strip())
    except ValueError:
        raise Unfit(f"{shown(text)} cannot be read") from None


_CONVERTERS: dict[Kind, Convert] = {
    "float8": _float,
    "bool": _bool,
    "date": _date,
    "timestamp": _naive,
    "timestamptz": _aware,
    "time": _time,
    "uuid": _uuid,
    "bytes": _bytes,
    "json": _json,
    "other": _other,
}

"""Values as text: what CSV and Excel show, and what other formats have no type for."""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec


def as_text(value: Any) -> str:
    """A value as text that reads back to it.

    Moments with a time zone are in UTC with a Z, durations are seconds, bytes are base64, lists and
    mappings are JSON.
    """
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    for kind, write in _WRITERS.items():
        if isinstance(value, kind):
            return write(value)
    return str(value)


def utc(moment: dt.datetime) -> str:
    """ISO 8601; with a Z where the moment has a time zone."""
    if moment.tzinfo is None:
        return moment.isoformat()
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat() + "Z"


def as_json(value: Any) -> str:
    """A document as JSON text; NaN and infinities, which JSON has not, are null."""
    return msgspec.json.encode(plain(value), enc_hook=as_text).decode()


def plain(value: Any) -> Any:
    """A value of what JSON has, decimals left as they are."""
    if isinstance(value, dt.datetime):
        return utc(value)
    if isinstance(value, dict):
        return {as_text(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


def _float(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: str,
    bool: lambda value: "true" if value else "false",
    int: int.__repr__,
    float: _float,
    Decimal: lambda value: format(value, "f"),
    dt.datetime: utc,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    dt.timedelta: lambda value: str(value.total_seconds()),
    bytes: _base64,
    bytearray: _base64,
    memoryview: _base64,
    Enum: lambda value: as_text(value.value),
    dict: as_json,
    list: as_json,
    tuple: as_json,
}

"""Keys from typed arguments: equal arguments of equal type, and nothing else, share a value.

`1`, `"1"`, `True` and `1.0` are four different keys, and so are two datetimes that mean the same
instant in different zones: a function may tell them apart.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Hashable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgspec

from buttress.errors import BadInput

PLAIN = frozenset({int, str, bool, type(None), bytes, UUID})
"""Types whose values are equal exactly when a function cannot tell them apart."""


def frozen(value: Any) -> Hashable:
    """A value that is equal for equal arguments only; raises BadInput for what has no value."""
    kind = type(value)
    if kind in PLAIN:
        return (kind.__name__, value)
    if isinstance(value, Enum):
        return (_name(kind), value.name)
    read = READERS.get(kind)
    if read is not None:
        return (kind.__name__, read(value))
    if isinstance(value, PurePath):
        return ("path", str(value))
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return (_name(kind), tuple(frozen(part) for part in value))
    if dataclasses.is_dataclass(kind):
        fields = dataclasses.fields(kind)
        return (_name(kind), tuple(frozen(getattr(value, field.name)) for field in fields))
    if isinstance(value, msgspec.Struct):
        return (_name(kind), tuple(frozen(getattr(value, name)) for name in kind.__struct_fields__))
    raise BadInput(
        f"a {kind.__name__} cannot be part of a cache key",
        hint="Pass numbers, text, dates, UUIDs, enums, tuples, frozensets or dataclasses of them.",
    )


def _float(value: float) -> Hashable:
    return struct.pack(">d", value)  # tells 0.0 from -0.0, and NaN equals itself


def _moment(value: datetime) -> Hashable:
    return (value.isoformat(), str(value.tzinfo), value.fold)


READERS: dict[type, Callable[[Any], Hashable]] = {
    float: _float,
    Decimal: str,
    datetime: _moment,
    date: date.isoformat,
    time: lambda value: (value.isoformat(), str(value.tzinfo), value.fold),
    timedelta: lambda value: (value.days, value.seconds, value.microseconds),
    tuple: lambda value: tuple(frozen(part) for part in value),
    list: lambda value: tuple(frozen(part) for part in value),
    frozenset: lambda value: frozenset(frozen(part) for part in value),
    set: lambda value: frozenset(frozen(part) for part in value),
    dict: lambda value: tuple((frozen(k), frozen(v)) for k, v in value.items()),
}


def digest(key: Hashable) -> str:
    """A short name of a key that is the same in every process."""
    return blake2b(_bytes(key), digest_size=16).hexdigest()


def _bytes(key: Any) -> bytes:
    """A key spelled out; lengths keep neighbours apart."""
    match key:
        case tuple():
            parts = [_bytes(part) for part in key]
            name = b"t"
        case frozenset():
            parts = sorted(_bytes(part) for part in key)
            name = b"s"
        case type():
            return b"y" + key.__name__.encode()
        case bytes():
            return b"b" + key
        case _:
            return type(key).__name__.encode() + b":" + str(key).encode(errors="surrogatepass")
    return name + b"".join(b"%d:" % len(part) + part for part in parts)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"

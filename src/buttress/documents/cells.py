"""Days and times in msgpack: it has none, and as texts they could not be told from texts."""

from __future__ import annotations

import datetime as dt

from msgspec.msgpack import Ext

from buttress.documents.parts import CellValue

_DATETIME, _DATE, _TIME, _DURATION = 1, 2, 3, 4


def as_extension(value: dt.date | dt.time | dt.timedelta) -> Ext:
    """What a moment or a duration is sent as."""
    if isinstance(value, dt.timedelta):
        text = str(value // dt.timedelta(microseconds=1))
        return Ext(_DURATION, text.encode())
    code = (
        _DATETIME
        if isinstance(value, dt.datetime)
        else _DATE
        if isinstance(value, dt.date)
        else _TIME
    )
    return Ext(code, value.isoformat().encode())


def of_extension(code: int, data: memoryview) -> CellValue:
    """What `as_extension` sent; raises ValueError for anything else."""
    text = bytes(data).decode()
    match code:
        case 1:
            return dt.datetime.fromisoformat(text)
        case 2:
            return dt.date.fromisoformat(text)
        case 3:
            return dt.time.fromisoformat(text)
        case 4:
            return dt.timedelta(microseconds=int(text))
        case _:
            raise ValueError(f"no value is sent as {code}")

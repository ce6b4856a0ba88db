"""Dates and times: text of one shape, unix seconds and milliseconds, Julian days.

SQLite has no type for them; PostgreSQL's hold a column's values when every one has the same shape.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal

from buttress.mover.crossing import Rule, SqliteValue, Unholdable, integer, real, same

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
        number = integer(value)
        try:
            return _EPOCH + dt.timedelta(microseconds=number * (1_000_000 // per_second))
        except OverflowError:
            raise Unholdable("a moment outside the years 1 to 9999") from None

    return encode


def _julian(value: SqliteValue) -> dt.datetime:
    day = real(value)
    try:
        moment = _EPOCH + dt.timedelta(microseconds=round((day - 2440587.5) * 86_400_000_000))
    except (OverflowError, ValueError):
        raise Unholdable("a Julian day outside the years 1 to 9999") from None
    elapsed = (moment - _EPOCH) // dt.timedelta(microseconds=1)
    if not same(float(Decimal(elapsed) / 86_400_000_000 + Decimal("2440587.5")), day):
        raise Unholdable("a Julian day finer than a microsecond")
    return moment


def moment_rules() -> list[Rule]:
    """All rules for dates and times; the plainest shapes of text first."""
    return [
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
        *(
            _timestamp(separator, digits, zone)
            for separator in ("space", "T")
            for digits in ("0", "3", "6", "auto")
            for zone in ("", "Z", "+00:00")
        ),
    ]

"""Numbers, moments and foreign text as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from buttress.mover.page import visible


def count(number: int) -> str:
    """`1,234,567`."""
    return f"{number:,}"


def size(number: int) -> str:
    """`0 B`, `12 kB`, `3.4 MB`."""
    amount, units = float(number), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    whole = units[0] == "B" or amount >= 10
    return f"{amount:.{0 if whole else 1}f} {units[0]}"


def moment(at: datetime, timezone: str | None = None) -> str:
    """`22 Nov 2026, 16:05` in the reader's time zone, UTC and said so when it is unknown."""
    zone = zone_of(timezone)
    local = at.astimezone(zone or UTC)
    return f"{local.day} {local:%b %Y, %H:%M}{'' if zone else ' UTC'}"


def day(at: datetime, timezone: str | None = None) -> str:
    """`22 Nov, 16:05`, where the year is plain: on axes and in figures."""
    local = at.astimezone(zone_of(timezone) or UTC)
    return f"{local.day} {local:%b, %H:%M}"


WEEKDAYS = ("Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays")


def schedule(cron: str) -> str:
    """`every day at 04:30` for the usual ones; what is not usual stays as cron writes it."""
    fields = cron.split()
    if len(fields) != 5 or fields[2:4] != ["*", "*"] or not fields[0].isdigit():
        return cron
    minute, hour, weekday = fields[0], fields[1], fields[4]
    if hour == "*" and weekday == "*":
        return f"every hour at minute {int(minute)}"
    if not hour.isdigit():
        return cron
    at = f"at {int(hour):02}:{int(minute):02}"
    if weekday == "*":
        return f"every day {at}"
    if weekday == "1-5":
        return f"Mondays to Fridays {at}"
    return f"{WEEKDAYS[int(weekday) % 7]} {at}" if weekday.isdigit() else cron


def zone_of(timezone: str | None) -> ZoneInfo | None:
    """The zone of that name, None when it is unknown."""
    try:
        return ZoneInfo(timezone) if timezone else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def file_name(path: str) -> str:
    """The last part of a path, whichever system wrote it."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def plain(text: str) -> str:
    """Text from elsewhere, which Markdown then shows as it is."""
    marks = "\\`*_{}[]()#+-.!|~$:<>&"
    return "".join(f"\\{letter}" if letter in marks else letter for letter in visible(text))

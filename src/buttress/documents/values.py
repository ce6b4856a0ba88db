"""Numbers and days as tables print them: European or American, negative in parentheses."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

NOTHING = frozenset({"", "-", "--", "–", "—", "n/a", "n.a.", "na", "nd", "n.d.", "n/d"})
"""How tables print that there is no value."""

_AROUND = re.compile(r"[\s\u00a0\u202f\u2009']|€|\$|£|%|\b(?:eur|usd|gbp|brl)\b", re.IGNORECASE)
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*|[.,]\d+")
_DAY = re.compile(r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})")


@dataclass(frozen=True)
class Style:
    """How one table prints: its decimal sign, and whether a date begins with the month."""

    decimal: str = "."
    month_first: bool = False


class Unreadable(ValueError):
    """A text is not what its column has; the message says what was expected."""


def style_of(texts: Iterable[str], days: Iterable[str] = ()) -> Style:
    """What the numbers and days of one table tell together about how they are printed."""
    votes = {".": 0, ",": 0}
    doubtful = {".": 0, ",": 0}
    for text in texts:
        bare = _bare(text)[0]
        dots, commas = bare.count("."), bare.count(",")
        if dots and commas:
            votes["." if bare.rfind(".") > bare.rfind(",") else ","] += 1
        elif dots + commas > 1:
            votes["," if dots else "."] += 1
        elif dots + commas == 1:
            sign = "." if dots else ","
            if len(bare) - bare.index(sign) == 4 and not bare.startswith("0"):
                doubtful[sign] += 1
            else:
                votes[sign] += 1
    if votes["."] == votes[","]:
        # 1,234 and 1.234 alone are thousands, so the other sign is the decimal one.
        return Style("," if doubtful["."] > doubtful[","] else ".", _month_first(days))
    return Style("." if votes["."] > votes[","] else ",", _month_first(days))


def _month_first(days: Iterable[str]) -> bool:
    for day in days:
        match = _DAY.fullmatch(day.strip())
        if match and len(match[1]) < 3:
            if int(match[1]) > 12:
                return False
            if int(match[2]) > 12:
                return True
    return False


def _bare(text: str) -> tuple[str, bool]:
    """A number without signs and currencies, and whether it is negative."""
    text = _AROUND.sub("", text.strip()).replace("\u2212", "-").replace("–", "-")
    if text.startswith("(") and text.endswith(")"):
        inner = text[1:-1]
        return inner.strip("+-"), not inner.startswith("-")
    negative = text.startswith("-") or text.endswith("-")
    return text.strip("+-"), negative


def number(text: str, style: Style) -> Decimal | None:
    """A number as printed; None for a dash and its like; raises `Unreadable`."""
    if text.strip().casefold() in NOTHING:
        return None
    bare, negative = _bare(text)
    if not _DIGITS.fullmatch(bare) or not bare.isascii():
        raise Unreadable("it is no number")
    thousands = "," if style.decimal == "." else "."
    whole, sign, fraction = bare.partition(style.decimal)
    groups = whole.split(thousands)
    if thousands in fraction or style.decimal in fraction:
        raise Unreadable("it has two decimal signs")
    if len(groups) > 1 and (len(groups[0]) > 3 or any(len(one) != 3 for one in groups[1:])):
        raise Unreadable("its thousands are not grouped by three")
    value = Decimal("".join(groups) + (f".{fraction}" if sign else ""))
    return -value if negative and value else value


def integer(text: str, style: Style) -> int | None:
    """A whole number; raises `Unreadable` for a fraction."""
    value = number(text, style)
    if value is None:
        return None
    if value != value.to_integral_value():
        raise Unreadable("it is no whole number")
    return int(value)


def day(text: str, style: Style) -> dt.date | None:
    """A day in figures; raises `Unreadable`."""
    text = text.strip()
    if text.casefold() in NOTHING:
        return None
    match = _DAY.fullmatch(text)
    if not match:
        raise Unreadable("it is no date in figures")
    first, second, third = (int(part) for part in match.groups())
    if len(match[1]) == 4:
        parts = (first, second, third)
    else:
        year = third + 2000 if len(match[3]) < 3 else third
        parts = (year, first, second) if style.month_first else (year, second, first)
    try:
        return dt.date(*parts)
    except ValueError:
        raise Unreadable("there is no such day") from None


def text_of(text: str, style: Style) -> str | None:
    """The text itself; None for an empty one."""
    return text or None


READERS: dict[str, Any] = {"text": text_of, "number": number, "integer": integer, "date": day}

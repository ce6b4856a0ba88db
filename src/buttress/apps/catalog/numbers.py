"""Numbers as people write them: 1.234,56 and 1,234.56, with units and currencies.

A number with one separator before three digits can be read in two ways: "1,250" is 1250 or 1.25.
`readings` gives both, the decimal first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

MOST_DIGITS = 30
"""Longer runs of digits are no quantities."""

SPACED = r"\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\d)(?:[.,]\d{1,6}(?!\d))?"
PLAIN = r"\d+(?:[.,'’]\d+)*"
NUMBER = re.compile(rf"(?<![\d.,'’])(?:{SPACED}|{PLAIN})")
TOKEN = re.compile(rf"(?<![\d.,'’]){PLAIN}")
SPACED_TOKEN = re.compile(rf"(?<![\d.,'’]){SPACED}")
GROUP = 3


def readings(written: str) -> tuple[Decimal, ...]:
    """What a number can mean, the decimal reading first; nothing for dates, versions and the like.

    >>> readings("1.234,56"), readings("1,250"), readings("12.05.2026")
    ((Decimal('1234.56'),), (Decimal('1.250'), Decimal('1250')), ())
    """
    plain = re.sub(r"[ \u00a0\u202f'’]", "", written)
    digits = re.sub(r"[.,]", "", plain)
    if not digits.isascii() or not digits.isdigit() or len(digits) > MOST_DIGITS:
        return ()
    marks = [mark for mark in plain if mark in ".,"]
    if not marks:
        return (Decimal(plain),)
    last = marks[-1]
    whole, _, part = plain.rpartition(last)
    if len(set(marks)) == 2:
        good = marks.count(last) == 1 and _grouped(whole, marks[0])
        return (Decimal(f"{_bare(whole)}.{part}"),) if good else ()
    if len(marks) > 1:
        return (Decimal(digits),) if _grouped(plain, last) else ()
    found = [Decimal(f"{whole}.{part}")]
    if len(part) == GROUP and whole != "0" and _grouped(plain, last) and plain == written:
        found.append(Decimal(digits))
    return tuple(found)


def numbers_in(text: str) -> Iterator[Decimal]:
    """Every number of a text in every way it can be read."""
    for pattern in (TOKEN, SPACED_TOKEN):
        for match in pattern.finditer(text):
            yield from readings(match[0])


def _grouped(digits: str, mark: str) -> bool:
    first, *others = digits.split(mark)
    return 1 <= len(first) <= GROUP and all(len(part) == GROUP for part in others)


def _bare(digits: str) -> str:
    return re.sub(r"[.,]", "", digits)

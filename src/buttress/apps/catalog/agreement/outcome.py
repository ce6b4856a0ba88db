"""What a statistic says: a number with its interval, or why no number can be given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LEVEL = 0.95


class Reason(StrEnum):
    """Why a statistic cannot be said."""

    TOO_FEW = "too few"
    ONE_RATER = "one rater"
    ALL_EQUAL = "all equal"
    NOT_A_NUMBER = "not a number"
    OFF_SCALE = "off scale"
    NEVER_DIFFERED = "never differed"
    UNSTABLE = "unstable"


@dataclass(frozen=True, slots=True)
class Unsaid:
    """No number, and why: `because` is a clause to be read after "cannot be said, because"."""

    reason: Reason
    because: str
    n: int = 0

    def __str__(self) -> str:
        return f"cannot be said, because {self.because}"


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, meant to hold the true value in a share of `level` of all samples."""

    low: float
    high: float
    level: float = LEVEL

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic of `n` observations and the interval around it, or why there is no interval."""

    value: float
    interval: Interval | Unsaid
    n: int


def too_few(n: int, needed: int, what: str = "pairs") -> Unsaid:
    """`n` of what are needed `needed` of."""
    there = f"is 1 {what.removesuffix('s')}" if n == 1 else f"are {n} {what}"
    return Unsaid(Reason.TOO_FEW, f"there {there} and it takes {needed}", n)

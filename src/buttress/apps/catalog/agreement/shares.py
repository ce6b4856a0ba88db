"""Shares of a whole, with Wilson's score interval.

Wilson (1927), Journal of the American Statistical Association 22:209-212: stays within 0 and 1 and
is right for few observations, where the usual interval is not.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from buttress.apps.catalog.agreement.outcome import LEVEL, Estimate, Interval, Unsaid, too_few


def share(part: int, whole: int, *, what: str = "pairs", level: float = LEVEL) -> Estimate | Unsaid:
    """`part` of `whole` as a share between 0 and 1; cannot be said of an empty whole."""
    if whole < 1:
        return too_few(whole, 1, what)
    if not 0 <= part <= whole:
        raise ValueError(f"{part} is no part of {whole}")
    z = NormalDist().inv_cdf((1 + level) / 2)
    value = part / whole
    centre = value + z * z / (2 * whole)
    spread = z * math.sqrt(value * (1 - value) / whole + z * z / (4 * whole * whole))
    scale = 1 + z * z / whole
    low, high = max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
    return Estimate(value, Interval(min(low, value), max(high, value), level), whole)


def coverage(rated: int, evaluated: int, *, level: float = LEVEL) -> Estimate | Unsaid:
    """The share of evaluated things that people rated as well."""
    return share(rated, evaluated, what="evaluations", level=level)

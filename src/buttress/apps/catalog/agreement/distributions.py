"""Quantiles of Student's t and Fisher's F, so that the app does without scipy.

Both rest on the regularised incomplete beta function, by its continued fraction (modified Lentz;
NIST Digital Library of Mathematical Functions, 8.17.22). Agreement with scipy is tested to 1e-8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

TINY = 1e-300
STEPS = 5_000


def incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b) of a, b > 0 and 0 <= x <= 1."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, _away(1 - (a + b) * x / (a + 1))
    d = 1 / d
    total = d
    for m in range(1, STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away(1 + term * d)
            c = _away(1 + term / c)
            total *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return total


def _away(value: float) -> float:
    """Keep a divisor away from nought."""
    return value if abs(value) > TINY else TINY


def f_cdf(x: float, between: float, within: float) -> float:
    """P(F <= x) with `between` and `within` degrees of freedom, whole or not."""
    if x <= 0:
        return 0.0
    return incomplete_beta(between / 2, within / 2, between * x / (between * x + within))


def f_quantile(share: float, between: float, within: float) -> float:
    """The x below which a share (0 < share < 1) of an F distribution lies."""
    high = 1.0
    while f_cdf(high, between, within) < share and high < 1e300:
        high *= 2
    return _bisect(lambda x: f_cdf(x, between, within), share, 0.0, high)


def t_quantile(share: float, freedom: float) -> float:
    """The t below which a share (0 < share < 1) lies; the normal's from 1e7 degrees of freedom."""
    if freedom >= 1e7:
        return NormalDist().inv_cdf(share)
    if share == 0.5:
        return 0.0
    # t² of `freedom` degrees is F of (1, freedom).
    size = math.sqrt(f_quantile(abs(2 * share - 1), 1, freedom))
    return math.copysign(size, share - 0.5)


def binomial_cdf(successes: int, trials: int, chance: float) -> float:
    """P(X <= successes) of so many trials."""
    if successes >= trials:
        return 1.0
    return incomplete_beta(trials - successes, successes + 1, 1 - chance)


def _bisect(rises: Callable[[float], float], to: float, low: float, high: float) -> float:
    for _ in range(400):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if rises(middle) < to else (low, middle)
    return (low + high) / 2

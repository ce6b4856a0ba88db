"""Scores that agree: intraclass correlation, limits of agreement, correlations and mean error."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from buttress.apps.catalog.agreement.distributions import f_quantile, t_quantile
from buttress.apps.catalog.agreement.kappa import never_differed
from buttress.apps.catalog.agreement.outcome import (
    LEVEL,
    Estimate,
    Interval,
    Reason,
    Unsaid,
    too_few,
)
from buttress.apps.catalog.agreement.pairs import (
    MANY,
    RESAMPLES,
    SEED,
    Counts,
    Floats,
    Pairs,
    middle,
)


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """How far the machine's scores lie above people's: on average, and for 95 % of the things."""

    bias: Estimate
    lower: Estimate
    upper: Estimate
    deviation: float
    n: int


def icc(pairs: Pairs, *, level: float = LEVEL) -> Estimate | Unsaid:
    """ICC(2,1) of the machine and people as two raters; see `icc_of_ratings`."""
    if unsaid := pairs.unsaid(2):
        return unsaid
    ratings = np.stack([pairs.machine, pairs.human], axis=1)
    return _icc(ratings, pairs.counts, level)


def icc_of_ratings(ratings: ArrayLike, *, level: float = LEVEL) -> Estimate | Unsaid:
    """ICC(2,1) of things (rows) rated by raters (columns): two-way random, single, absolute.

    Shrout and Fleiss (1979), Psychological Bulletin 86:420-428, with their F interval.
    """
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        return Unsaid(Reason.ONE_RATER, "it takes two raters", table.shape[0] if table.ndim else 0)
    if table.shape[0] < 2:
        return too_few(table.shape[0], 2, "rated things")
    if not np.isfinite(table).all():
        return Unsaid(Reason.NOT_A_NUMBER, "a score is not a number", table.shape[0])
    return _icc(table, np.ones(table.shape[0], dtype=np.int64), level)


def _icc(ratings: Floats, counts: Counts, level: float) -> Estimate | Unsaid:
    n, raters = int(counts.sum()), ratings.shape[1]
    grand = float(np.average(ratings.mean(axis=1), weights=counts))
    centred = ratings - grand
    total = float((counts[:, None] * centred**2).sum())
    if math.isclose(total, 0.0, abs_tol=1e-12 * max(1.0, grand * grand) * n):
        return Unsaid(Reason.ALL_EQUAL, "everything got one and the same score", n)
    of_things = raters * float((counts * centred.mean(axis=1) ** 2).sum())
    of_raters = n * float((np.average(centred, axis=0, weights=counts) ** 2).sum())
    things = of_things / (n - 1)
    rater = of_raters / (raters - 1)
    rest = max(0.0, total - of_things - of_raters) / ((n - 1) * (raters - 1))
    if rest <= 1e-12 * total:
        rest = 0.0
    if rest == 0 and rater <= 1e-12 * total:
        return Estimate(1.0, never_differed(n), n)
    whole = things + (raters - 1) * rest + raters * (rater - rest) / n
    if whole <= 1e-12 * total:
        return Unsaid(Reason.UNSTABLE, "the raters' variances cancel out", n)
    value = (things - rest) / whole
    return Estimate(value, _icc_interval(value, things, rater, rest, n, raters, level), n)


def _icc_interval(
    value: float, things: float, rater: float, rest: float, n: int, raters: int, level: float
) -> Interval | Unsaid:
    if value >= 1:
        return never_differed(n)
    a = raters * value / (n * (1 - value))
    b = 1 + raters * value * (n - 1) / (n * (1 - value))
    parts = (a * rater) ** 2 / (raters - 1) + (b * rest) ** 2 / ((n - 1) * (raters - 1))
    if parts == 0:
        return Unsaid(Reason.UNSTABLE, "the raters' variances cancel out", n)
    freedom = (a * rater + b * rest) ** 2 / parts
    if freedom < 1e-6:
        return Unsaid(Reason.UNSTABLE, "the raters' variances cancel out", n)
    share = (1 + level) / 2
    below, above = f_quantile(share, n - 1, freedom), f_quantile(share, freedom, n - 1)
    noise = raters * rater + (raters * n - raters - n) * rest
    low = n * (things - below * rest) / (below * noise + n * things)
    high = n * (above * things - rest) / (noise + n * above * things)
    return Interval(max(-1.0, low), min(1.0, high), level)


def bland_altman(pairs: Pairs, *, level: float = LEVEL) -> BlandAltman | Unsaid:
    """Bias and 95 % limits of agreement, each with its interval.

    Bland and Altman (1986), Lancet 327:307-310; the variance of the limits after their (1999),
    Statistical Methods in Medical Research 8:135-160.
    """
    if unsaid := pairs.unsaid(2):
        return unsaid
    n = pairs.n
    bias = float(np.average(pairs.difference, weights=pairs.counts))
    deviation = _deviation(pairs.difference, pairs.counts)
    wide = 1.959963984540054
    t = t_quantile((1 + level) / 2, n - 1)
    of_bias = t * deviation / math.sqrt(n)
    of_limit = t * deviation * math.sqrt(1 / n + wide**2 / (2 * (n - 1)))

    def around(value: float, spread: float) -> Estimate:
        if deviation == 0:
            same = Unsaid(Reason.ALL_EQUAL, "the two differ by the same everywhere", n)
            return Estimate(value, same, n)
        return Estimate(value, Interval(value - spread, value + spread, level), n)

    return BlandAltman(
        bias=around(bias, of_bias),
        lower=around(bias - wide * deviation, of_limit),
        upper=around(bias + wide * deviation, of_limit),
        deviation=deviation,
        n=n,
    )


def pearson(pairs: Pairs, *, level: float = LEVEL) -> Estimate | Unsaid:
    """Linear correlation, with Fisher's z interval (Fisher 1921, Metron 1:3-32)."""
    return pairs.unsaid(2) or _correlation(
        pairs.machine, pairs.human, pairs.counts, lambda r: 1.0, level
    )


def spearman(pairs: Pairs, *, level: float = LEVEL) -> Estimate | Unsaid:
    """Rank correlation, ties sharing their mean rank.

    Interval on Fisher's z with the variance of Bonett and Wright (2000), Psychometrika 65:23-28.
    """
    return pairs.unsaid(2) or _correlation(
        _ranks(pairs.machine, pairs.counts),
        _ranks(pairs.human, pairs.counts),
        pairs.counts,
        lambda r: 1 + r * r / 2,
        level,
    )


def mae(
    pairs: Pairs, *, seed: int = SEED, times: int = RESAMPLES, level: float = LEVEL
) -> Estimate | Unsaid:
    """How far the two lie apart on average, in points of the scale; bootstrap interval."""
    if unsaid := pairs.unsaid(1):
        return unsaid
    return mean(np.abs(pairs.difference), pairs.counts, seed=seed, times=times, level=level)


def mean(
    values: Floats,
    counts: Counts,
    *,
    seed: int = SEED,
    times: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """The mean of counted values with its bootstrap interval."""
    n = int(counts.sum())
    value = float(np.average(values, weights=counts))
    if n < 2:
        return Estimate(value, too_few(n, 2), n)
    drawn = means(values, counts, seed=seed, times=times)
    return Estimate(value, middle(drawn, n, level=level), n)


def means(values: Floats, counts: Counts, *, seed: int, times: int = RESAMPLES) -> Floats:
    """The bootstrap distribution of the mean of counted values; above 2,000 its normal limit."""
    n = int(counts.sum())
    if n > MANY:
        spread = _deviation(values, counts) / math.sqrt(n)
        average = float(np.average(values, weights=counts))
        return np.random.default_rng(seed).normal(average, spread, times)
    # Thousands of different pairs differ by a few hundred values: those are what is drawn.
    kinds, where = np.unique(values, return_inverse=True)
    sums = np.bincount(where.ravel(), weights=counts).astype(np.int64)
    return Pairs(kinds, kinds, sums).resampled(
        lambda rows: rows @ kinds / n, seed=seed, times=times
    )


def _correlation(
    left: Floats, right: Floats, counts: Counts, variance: Callable[[float], float], level: float
) -> Estimate | Unsaid:
    n = int(counts.sum())
    x = left - np.average(left, weights=counts)
    y = right - np.average(right, weights=counts)
    of_x, of_y = float((counts * x * x).sum()), float((counts * y * y).sum())
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        return Unsaid(Reason.ALL_EQUAL, "one of the two gave everything the same score", n)
    value = max(-1.0, min(1.0, float((counts * x * y).sum()) / math.sqrt(of_x * of_y)))
    if n < 4:
        return Estimate(value, too_few(n, 4), n)
    if abs(value) > 1 - 1e-12:
        return Estimate(value, Unsaid(Reason.NEVER_DIFFERED, "the pairs lie on one line", n), n)
    spread = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance(value) / (n - 3))
    z = math.atanh(value)
    return Estimate(value, Interval(math.tanh(z - spread), math.tanh(z + spread), level), n)


def _ranks(values: Floats, counts: Counts) -> Floats:
    """Mean ranks of counted values, ties sharing theirs."""
    _, where = np.unique(values, return_inverse=True)
    where = where.ravel()
    of_kind = np.bincount(where, weights=counts)
    before = np.cumsum(of_kind) - of_kind
    return np.asarray((before + (of_kind + 1) / 2)[where], dtype=np.float64)


def _deviation(values: Floats, counts: Counts) -> float:
    n = int(counts.sum())
    average = np.average(values, weights=counts)
    return math.sqrt(float((counts * (values - average) ** 2).sum()) / (n - 1))

"""Two runs over the same items: which one scored higher, by how much, and is it more than luck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from buttress.apps.catalog.agreement.distributions import binomial_cdf
from buttress.apps.catalog.agreement.outcome import LEVEL, Estimate, Unsaid
from buttress.apps.catalog.agreement.pairs import RESAMPLES, SEED, Pairs
from buttress.apps.catalog.agreement.scores import mean
from buttress.apps.catalog.agreement.shares import share


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second run beside the first, item by item.

    `difference` is the mean of second minus first; `chance` the two-sided p of the sign test, how
    often luck alone would part the items that differ so unevenly; 1 where none differs.
    """

    items: int
    first: float
    second: float
    difference: Estimate
    better: Estimate
    worse: Estimate
    chance: float


def compare(
    first: ArrayLike,
    second: ArrayLike,
    *,
    seed: int = SEED,
    times: int = RESAMPLES,
    level: float = LEVEL,
) -> Comparison | Unsaid:
    """Compare the scores of two runs; both lists hold the same items in the same order.

    Sign test after Dixon and Mood (1946), Journal of the American Statistical Association 41:557.
    """
    pairs = Pairs.of(second, first)
    if unsaid := pairs.unsaid(2):
        return unsaid
    n, apart = pairs.n, pairs.difference
    better = int(pairs.counts[apart > 0].sum())
    worse = int(pairs.counts[apart < 0].sum())
    of_better, of_worse = share(better, n, level=level), share(worse, n, level=level)
    assert not isinstance(of_better, Unsaid)
    assert not isinstance(of_worse, Unsaid)
    return Comparison(
        items=n,
        first=float(np.average(pairs.human, weights=pairs.counts)),
        second=float(np.average(pairs.machine, weights=pairs.counts)),
        difference=mean(apart, pairs.counts, seed=seed, times=times, level=level),
        better=of_better,
        worse=of_worse,
        chance=_sign_test(better, worse),
    )


def _sign_test(more: int, less: int) -> float:
    if more == less:
        return 1.0
    return min(1.0, 2 * binomial_cdf(min(more, less), more + less, 0.5))

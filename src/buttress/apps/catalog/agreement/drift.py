"""Whether agreement moved: the change of a statistic from an earlier window to a later one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from buttress.apps.catalog.agreement.kappa import GRADES, kappa, kappas
from buttress.apps.catalog.agreement.outcome import LEVEL, Estimate, Unsaid
from buttress.apps.catalog.agreement.pairs import RESAMPLES, SEED, Floats, Pairs, middle
from buttress.apps.catalog.agreement.scores import means

Statistic = Literal["bias", "mae", "kappa"]


@dataclass(frozen=True, slots=True)
class Drift:
    """A statistic in two windows; `change` is later minus earlier: moved if 0 lies outside."""

    statistic: Statistic
    earlier: float
    later: float
    change: Estimate

    @property
    def moved(self) -> bool:
        interval = self.change.interval
        return not isinstance(interval, Unsaid) and 0 not in interval


def drift(
    earlier: Pairs,
    later: Pairs,
    statistic: Statistic = "bias",
    *,
    grades: tuple[int, ...] = GRADES,
    seed: int = SEED,
    times: int = RESAMPLES,
    level: float = LEVEL,
) -> Drift | Unsaid:
    """The change of the bias, the mean error or the quadratic kappa between two windows.

    The windows share no thing, so each is resampled by itself.
    """
    values: list[float] = []
    drawn: list[Floats] = []
    for index, window in enumerate((earlier, later)):
        said = _window(window, statistic, grades, seed + index, times)
        if isinstance(said, Unsaid):
            return said
        values.append(said[0])
        drawn.append(said[1])
    n = earlier.n + later.n
    interval = middle(drawn[1] - drawn[0], n, level=level)
    change = Estimate(values[1] - values[0], interval, n)
    return Drift(statistic, values[0], values[1], change)


def _window(
    pairs: Pairs, statistic: Statistic, grades: tuple[int, ...], seed: int, times: int
) -> tuple[float, Floats] | Unsaid:
    if unsaid := pairs.unsaid(2):
        return unsaid
    if statistic == "kappa":
        value = kappa(pairs, "quadratic", grades=grades, seed=seed, times=1)
        drawn = kappas(pairs, "quadratic", grades=grades, seed=seed, times=times)
        if isinstance(value, Unsaid):
            return value
        return drawn if isinstance(drawn, Unsaid) else (value.value, drawn)
    apart = pairs.difference if statistic == "bias" else np.abs(pairs.difference)
    average = float(np.average(apart, weights=pairs.counts))
    return average, means(apart, pairs.counts, seed=seed, times=times)

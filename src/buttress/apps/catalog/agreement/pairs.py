"""Two scores of the same things, each different pair held once with how often it occurs.

A bootstrap of n pairs draws n of them with replacement; how often each different pair is drawn is
multinomial. So counts are drawn at once: 100,000 pairs on a scale of five grades cost as much as
25, and counts grouped by a database serve as well as the pairs themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from buttress.apps.catalog.agreement.outcome import LEVEL, Interval, Reason, Unsaid, too_few

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

RESAMPLES = 2_000
SEED = 20_261_123
# Counts drawn at a time: bounds the memory of a bootstrap to some 30 MB.
AT_ONCE = 2_000_000
# Of so many observations the resamples' means are spread as the normal of the standard error, and
# drawing from it takes no time.
MANY = 2_000


@dataclass(frozen=True, eq=False, slots=True)
class Pairs:
    """What the machine and people gave: `counts[i]` times `machine[i]` beside `human[i]`."""

    machine: Floats
    human: Floats
    counts: Counts

    @classmethod
    def of(
        cls, machine: ArrayLike, human: ArrayLike, counts: Sequence[int] | Counts | None = None
    ) -> Pairs:
        """Pairs from two equally long lists; `counts`: how often each occurred, once unless given.

        Raises ValueError where the lengths differ or a count is below nought.
        """
        left = np.asarray(machine, dtype=np.float64).ravel()
        right = np.asarray(human, dtype=np.float64).ravel()
        times = (
            np.ones(left.size, dtype=np.int64)
            if counts is None
            else np.asarray(counts, dtype=np.int64).ravel()
        )
        if not left.size == right.size == times.size:
            raise ValueError(f"{left.size} scores beside {right.size}, counted {times.size} times")
        if (times < 0).any():
            raise ValueError("a pair cannot occur less than never")
        kept = times > 0
        both, where = np.unique(
            np.stack([left[kept], right[kept]], axis=1), axis=0, return_inverse=True
        )
        sums = np.bincount(where.ravel(), weights=times[kept], minlength=len(both))
        return cls(both[:, 0], both[:, 1], sums.astype(np.int64))

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def difference(self) -> Floats:
        """Machine minus human, of each different pair; equal ones are equal to the last bit."""
        return np.round(self.machine - self.human, 9)

    def grades(self) -> Pairs:
        """The same on whole grades, halves upwards."""
        return Pairs.of(np.floor(self.machine + 0.5), np.floor(self.human + 0.5), self.counts)

    def unsaid(self, at_least: int) -> Unsaid | None:
        """Why nothing can be computed of these, if so."""
        if self.n < at_least:
            return too_few(self.n, at_least)
        if not (np.isfinite(self.machine).all() and np.isfinite(self.human).all()):
            return Unsaid(Reason.NOT_A_NUMBER, "a score is not a number", self.n)
        return None

    def resampled(
        self, statistic: Callable[[Counts], Floats], *, seed: int = SEED, times: int = RESAMPLES
    ) -> Floats:
        """The statistic of so many resamples; it gets rows of counts and gives a value a row."""
        return resampled(self.counts, statistic, seed=seed, times=times)


def resampled(
    counts: Counts, statistic: Callable[[Counts], Floats], *, seed: int, times: int = RESAMPLES
) -> Floats:
    """The bootstrap distribution of a statistic of counts, the same for the same seed."""
    draw = np.random.default_rng(seed)
    n, rows = int(counts.sum()), max(1, AT_ONCE // max(counts.size, 1))
    shares = counts / n
    blocks = [
        statistic(draw.multinomial(n, shares, size=min(rows, times - start)))
        for start in range(0, times, rows)
    ]
    return np.concatenate(blocks)


def middle(values: Floats, n: int, *, level: float = LEVEL) -> Interval | Unsaid:
    """The percentile interval of a bootstrap distribution; undefined resamples are left out."""
    defined = values[np.isfinite(values)]
    if defined.size < 0.9 * values.size:
        return Unsaid(Reason.UNSTABLE, "too many resamples of so few pairs say nothing", n)
    if np.ptp(defined) == 0:
        return Unsaid(Reason.ALL_EQUAL, "every observation is the same, so none tells of others", n)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)

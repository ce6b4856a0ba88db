"""Grades that agree: the confusion matrix, Cohen's kappa plain and weighted, and plain shares.

Kappa after Cohen (1960), Educational and Psychological Measurement 20:37-46; weights after Cohen
(1968), Psychological Bulletin 70:213-220: disagreement counts as distance (linear) or its square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from buttress.apps.catalog.agreement.outcome import (
    LEVEL,
    Estimate,
    Interval,
    Reason,
    Unsaid,
)
from buttress.apps.catalog.agreement.pairs import (
    RESAMPLES,
    SEED,
    Counts,
    Floats,
    Pairs,
    middle,
    resampled,
)
from buttress.apps.catalog.agreement.shares import share

Weights = Literal["none", "linear", "quadratic"]
GRADES = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Confusion:
    """`counts[h][m]` things got `grades[h]` from people and `grades[m]` from the machine."""

    grades: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]

    def at(self, *, human: int, machine: int) -> int:
        """How many got this grade from people and that one from the machine."""
        return self.counts[self.grades.index(human)][self.grades.index(machine)]

    @property
    def n(self) -> int:
        return sum(map(sum, self.counts))


def confusion(pairs: Pairs, grades: tuple[int, ...] = GRADES) -> Confusion | Unsaid:
    """The matrix of whole grades; scores between two grades go to the nearer, halves upwards."""
    if unsaid := pairs.unsaid(1):
        return unsaid
    whole = pairs.grades()
    if outside := set(np.unique([whole.machine, whole.human]).tolist()) - set(grades):
        return Unsaid(Reason.OFF_SCALE, f"{min(outside):g} is not on the scale", pairs.n)
    table = np.zeros((len(grades), len(grades)), dtype=np.int64)
    place = {float(grade): index for index, grade in enumerate(grades)}
    for machine, human, count in zip(whole.machine, whole.human, whole.counts, strict=True):
        table[place[float(human)], place[float(machine)]] += count
    return Confusion(grades, tuple(tuple(row) for row in table.tolist()))


def kappa(
    pairs: Pairs,
    weights: Weights = "none",
    *,
    grades: tuple[int, ...] = GRADES,
    seed: int = SEED,
    times: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate | Unsaid:
    """Agreement beyond chance: 1 is perfect, 0 what chance gives; percentile bootstrap interval."""
    table = confusion(pairs, grades)
    if isinstance(table, Unsaid):
        return table
    if unsaid := pairs.unsaid(2):
        return unsaid
    counts = np.array(table.counts, dtype=np.int64).ravel()
    costs = _costs(grades, weights)
    value = float(_kappas(counts[None, :], costs)[0])
    if not np.isfinite(value):
        return Unsaid(Reason.ALL_EQUAL, "everything got one and the same grade", pairs.n)
    if value == 1:
        return Estimate(value, never_differed(pairs.n), pairs.n)
    return Estimate(value, _interval(counts, costs, seed, times, level), pairs.n)


def kappas(
    pairs: Pairs, weights: Weights, *, grades: tuple[int, ...], seed: int, times: int
) -> Floats | Unsaid:
    """The bootstrap distribution of kappa, for differences between two sets of pairs."""
    table = confusion(pairs, grades)
    if isinstance(table, Unsaid):
        return table
    costs = _costs(grades, weights)
    counts = np.array(table.counts, dtype=np.int64).ravel()
    return resampled(counts, lambda rows: _kappas(rows, costs), seed=seed, times=times)


def within(
    pairs: Pairs, distance: int, *, grades: tuple[int, ...] = GRADES, level: float = LEVEL
) -> Estimate | Unsaid:
    """The share of pairs at most so many grades apart (0: exact), with Wilson's interval."""
    table = confusion(pairs, grades)
    if isinstance(table, Unsaid):
        return table
    steps = np.abs(np.subtract.outer(grades, grades))
    near = int(np.array(table.counts)[steps <= distance].sum())
    return share(near, table.n, level=level)


def majority(pairs: Pairs, *, grades: tuple[int, ...] = GRADES) -> Estimate | Unsaid:
    """The exact share that always giving people's commonest grade would reach."""
    table = confusion(pairs, grades)
    if isinstance(table, Unsaid):
        return table
    return share(max(sum(row) for row in table.counts), table.n)


def never_differed(n: int) -> Unsaid:
    """Why there is no interval around perfect agreement."""
    return Unsaid(
        Reason.NEVER_DIFFERED, "the two never differed, so nothing tells how far they might", n
    )


def _interval(
    counts: Counts, costs: Floats, seed: int, times: int, level: float
) -> Interval | Unsaid:
    values = resampled(counts, lambda rows: _kappas(rows, costs), seed=seed, times=times)
    return middle(values, int(counts.sum()), level=level)


def _costs(grades: tuple[int, ...], weights: Weights) -> Floats:
    apart = np.abs(np.subtract.outer(grades, grades)).astype(np.float64)
    if weights == "none":
        return np.asarray(apart > 0, dtype=np.float64)
    return apart if weights == "linear" else apart**2


def _kappas(rows: Counts, costs: Floats) -> Floats:
    """Kappa of each row of flattened matrices; NaN where chance leaves nothing to disagree on."""
    size = costs.shape[0]
    tables = rows.reshape(-1, size, size).astype(np.float64)
    n = tables.sum(axis=(1, 2))
    observed = (tables * costs).sum(axis=(1, 2)) / n
    expected = np.einsum("ri,ij,rj->r", tables.sum(axis=2), costs, tables.sum(axis=1)) / n**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - observed / expected, np.nan)

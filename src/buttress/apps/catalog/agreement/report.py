"""All that is said about the agreement of the machine with people, as a whole and by group."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from buttress.apps.catalog.agreement.kappa import (
    GRADES,
    Confusion,
    confusion,
    kappa,
    majority,
    within,
)
from buttress.apps.catalog.agreement.outcome import Estimate, Unsaid
from buttress.apps.catalog.agreement.pairs import SEED, Counts, Pairs
from buttress.apps.catalog.agreement.scores import (
    BlandAltman,
    bland_altman,
    icc,
    mae,
    pearson,
    spearman,
)
from buttress.apps.catalog.agreement.shares import coverage

Said = Estimate | Unsaid
Group = TypeVar("Group", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the machine's scores agree with people's; each figure, or why it cannot be said."""

    n: int
    coverage: Said
    kappa: Said
    kappa_linear: Said
    kappa_quadratic: Said
    icc: Said
    pearson: Said
    spearman: Said
    mae: Said
    exact: Said
    within_one: Said
    majority: Said
    bland_altman: BlandAltman | Unsaid
    confusion: Confusion | Unsaid


def agreement(
    pairs: Pairs,
    *,
    evaluated: int | None = None,
    grades: tuple[int, ...] = GRADES,
    seed: int = SEED,
) -> Agreement:
    """All figures of these pairs; `evaluated` counts all the machine scored, rated or not."""
    # Thousands of different pairs of scores are at most 25 of grades.
    whole = pairs if pairs.unsaid(1) else pairs.grades()
    return Agreement(
        n=pairs.n,
        coverage=coverage(pairs.n, pairs.n if evaluated is None else evaluated),
        kappa=kappa(whole, "none", grades=grades, seed=seed),
        kappa_linear=kappa(whole, "linear", grades=grades, seed=seed),
        kappa_quadratic=kappa(whole, "quadratic", grades=grades, seed=seed),
        icc=icc(pairs),
        pearson=pearson(pairs),
        spearman=spearman(pairs),
        mae=mae(pairs, seed=seed),
        exact=within(whole, 0, grades=grades),
        within_one=within(whole, 1, grades=grades),
        majority=majority(whole, grades=grades),
        bland_altman=bland_altman(pairs),
        confusion=confusion(whole, grades),
    )


def agreement_by(
    groups: Sequence[Group],
    machine: ArrayLike,
    human: ArrayLike,
    counts: Sequence[int] | Counts | None = None,
    *,
    evaluated: Mapping[Group, int] | None = None,
    grades: tuple[int, ...] = GRADES,
    seed: int = SEED,
) -> dict[Group, Agreement]:
    """The same for each group (a product type, a model, a person), in order of first appearance.

    `evaluated` tells of each group how many things the machine scored, rated by people or not.
    """
    left, right = np.asarray(machine, dtype=np.float64), np.asarray(human, dtype=np.float64)
    times = np.ones(len(groups), dtype=np.int64) if counts is None else np.asarray(counts)
    if not len(groups) == left.size == right.size == times.size:
        raise ValueError(f"{len(groups)} groups of {left.size} and {right.size} scores")
    places: dict[Group, list[int]] = {}
    for index, group in enumerate(groups):
        places.setdefault(group, []).append(index)
    return {
        group: agreement(
            Pairs.of(left[at], right[at], times[at]),
            evaluated=None if evaluated is None else evaluated.get(group),
            grades=grades,
            seed=seed,
        )
        for group, at in places.items()
    }

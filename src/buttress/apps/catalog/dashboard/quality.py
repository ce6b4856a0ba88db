"""The fourth tab: how scores are distributed, how metrics go together, what is criticised."""

from __future__ import annotations

from math import sqrt

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session

from buttress.apps.catalog.dashboard.executive import OfType, types
from buttress.apps.catalog.dashboard.window import Window
from buttress.apps.catalog.models import DAILY, ISSUES, SCORES, Evaluation, Issue
from buttress.apps.catalog.models.evaluations import METRICS, QUARTERS
from buttress.cache import cached

STEP = 0.25
"""Width of a bar of the histograms."""


class Bar(msgspec.Struct, frozen=True):
    """How many evaluations have a score from `score` up to the next bar."""

    metric: str
    score: float
    evaluations: int


class Together(msgspec.Struct, frozen=True):
    """Pearson's correlation of two metrics; None where one of them does not vary."""

    one: str
    other: str
    correlation: float | None


class Criticism(msgspec.Struct, frozen=True):
    """How often a rule took points."""

    metric: str
    rule: str
    times: int
    points: float


class Quality(msgspec.Struct, frozen=True):
    """The fourth tab."""

    bars: list[Bar]
    together: list[Together]
    criticisms: list[Criticism]
    types: list[OfType]


@cached("catalog quality", tags=[Evaluation, Issue])
def quality(session: Session, window: Window) -> Quality:
    """The figures of the fourth tab."""
    return Quality(
        bars(session, window),
        together(session, window),
        criticisms(session, window),
        types(session, window),
    )


def bars(session: Session, window: Window) -> list[Bar]:
    """The histogram of each metric; a score counts for the nearest quarter of a point."""
    places = [(metric, quarter) for metric in METRICS for quarter in QUARTERS]
    sums = ", ".join(f"sum({metric}_{quarter}_count)" for metric, quarter in places)
    found = session.execute(
        text(f"SELECT {sums} FROM {SCORES.parts} WHERE {window.where}"), window.parameters
    ).one()
    return [
        Bar(metric, quarter * STEP, int(times))
        for (metric, quarter), times in zip(places, found, strict=True)
        if times
    ]


def together(session: Session, window: Window) -> list[Together]:
    """How the metrics correlate, from sums of products the roll-up keeps."""
    pairs = [(METRICS[0], METRICS[1]), (METRICS[0], METRICS[2]), (METRICS[1], METRICS[2])]
    names = [*METRICS, *(f"{one}_squared" for one in METRICS), *(f"{a}_{b}" for a, b in pairs)]
    row = session.execute(
        text(
            f"SELECT sum(rows) AS n, {', '.join(f'sum({name}_sum) AS {name}' for name in names)} "
            f"FROM {DAILY.parts} WHERE {window.where}"
        ),
        window.parameters,
    ).one()
    told = {name: float(value or 0) for name, value in row._mapping.items()}
    return [Together(one, other, _correlation(told, one, other)) for one, other in pairs]


def criticisms(session: Session, window: Window, limit: int = 15) -> list[Criticism]:
    """The rules that took points most often."""
    narrowed = msgspec.structs.replace(window, model=None)
    found = session.execute(
        text(
            f"SELECT metric, rule, sum(rows), sum(points_sum) FROM {ISSUES.parts} "
            f"WHERE {narrowed.where} GROUP BY metric, rule HAVING sum(rows) > 0 "
            f"ORDER BY 3 DESC, metric, rule LIMIT {limit:d}"
        ),
        narrowed.parameters,
    )
    return [
        Criticism(metric, rule, int(times), float(points)) for metric, rule, times, points in found
    ]


def _correlation(told: dict[str, float], one: str, other: str) -> float | None:
    n = told["n"]
    if n < 2:
        return None
    spread = [n * told[f"{name}_squared"] - told[name] ** 2 for name in (one, other)]
    # Sums are exact decimals; what is left of equal values is rounding.
    if min(spread) < 1e-9 * n * n:
        return None
    return (n * told[f"{one}_{other}"] - told[one] * told[other]) / sqrt(spread[0] * spread[1])

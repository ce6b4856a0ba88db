"""The third tab: which model, at which temperature, for which type of product."""

from __future__ import annotations

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session

from buttress.apps.catalog.dashboard.executive import MEANS, Means
from buttress.apps.catalog.dashboard.window import DAYS, Window
from buttress.apps.catalog.models import DAILY, EXTRACTIONS, Evaluation, Extraction
from buttress.cache import cached
from buttress.db.rollups import percentiles_by

FIVE = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Whiskers, box and median of a box plot."""


class OfModel(msgspec.Struct, frozen=True):
    """One model: means, the five numbers of its box, seconds and cost of an extraction."""

    model: str
    means: Means
    box: list[float] | None
    seconds: float | None
    cost_usd: float | None


class Cell(msgspec.Struct, frozen=True):
    """A model and a type, or a model and a temperature."""

    model: str
    other: str
    evaluations: int
    overall: float


class Performance(msgspec.Struct, frozen=True):
    """The third tab."""

    models: list[OfModel]
    by_type: list[Cell]
    by_temperature: list[Cell]


@cached("catalog performance", tags=[Evaluation, Extraction])
def performance(session: Session, window: Window) -> Performance:
    """The figures of the third tab."""
    return Performance(
        models=models(session, window),
        by_type=cells(session, window, "product_type"),
        by_temperature=cells(session, window, "temperature"),
    )


def models(session: Session, window: Window) -> list[OfModel]:
    """Each model, the best first."""
    found = session.execute(
        text(
            f"SELECT model, {MEANS} FROM {DAILY.parts} WHERE {window.where} "
            "GROUP BY model HAVING sum(rows) > 0 ORDER BY overall DESC, model"
        ),
        window.parameters,
    ).all()
    cost, boxed = spent(session, window), boxes(session, window)
    return [
        OfModel(
            row.model,
            Means.of(row),
            boxed.get(row.model),
            *cost.get(row.model, (None, None)),
        )
        for row in found
    ]


def boxes(session: Session, window: Window) -> dict[str, list[float]]:
    """The five numbers of each model's scores; empty where the backend keeps no histogram."""
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        return {}
    found = percentiles_by(connection, DAILY, FIVE, "model", window.where, window.parameters)
    return {model: [one for one in five if one is not None] for model, five in found.items()}


def spent(session: Session, window: Window) -> dict[str, tuple[float | None, float | None]]:
    """Mean seconds and mean cost in USD of an extraction, by model."""
    found = session.execute(
        text(
            "SELECT model, sum(seconds_sum) * 1.0 / nullif(sum(seconds_count), 0), "
            "sum(cost_usd_sum) * 1.0 / nullif(sum(cost_usd_count), 0) "
            f"FROM {EXTRACTIONS.parts} WHERE {DAYS} GROUP BY model HAVING sum(rows) > 0"
        ),
        window.parameters,
    )
    return {
        model: (None if seconds is None else float(seconds), None if usd is None else float(usd))
        for model, seconds, usd in found
    }


def cells(session: Session, window: Window, other: str) -> list[Cell]:
    """The mean of each model by another dimension of the roll-up."""
    found = session.execute(
        text(
            f"SELECT model, {other}, sum(rows), sum(overall_sum) * 1.0 / sum(overall_count) "
            f"FROM {DAILY.parts} WHERE {window.where} "
            f"GROUP BY model, {other} HAVING sum(rows) > 0 ORDER BY model, {other}"
        ),
        window.parameters,
    )
    return [Cell(model, str(value), int(rows), float(mean)) for model, value, rows, mean in found]

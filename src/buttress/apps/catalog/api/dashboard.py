"""The figures of the dashboard, as it shows them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Query

from buttress.api import SessionDep
from buttress.apps.catalog import app
from buttress.apps.catalog.dashboard import Window, agreeing
from buttress.apps.catalog.dashboard.executive import executive as executive_figures
from buttress.apps.catalog.dashboard.people import activities
from buttress.apps.catalog.dashboard.performance import performance as performance_figures
from buttress.apps.catalog.dashboard.quality import quality as quality_figures
from buttress.apps.catalog.products import ProductType

DAYS = 30
ModelName = Annotated[str | None, Query(max_length=120)]
Days = Annotated[int, Query(ge=1, le=3660)]


async def window(
    days: Days = DAYS,
    until: date | None = None,
    type: ProductType | None = None,
    model: ModelName = None,
) -> Window:
    """Days until today, or until another day, of a type or a model."""
    return Window.last(
        days,
        until or datetime.now(UTC).date(),
        product_type=None if type is None else str(type),
        model=model,
    )


Asked = Annotated[Window, Depends(window)]


@app.api.get("/dashboard/executive")
def executive(session: SessionDep, asked: Asked) -> dict[str, Any]:
    """How much, how good, better or worse than before, what needs attention."""
    return _told(executive_figures(session, asked))


@app.api.get("/dashboard/agreement")
def agreement(
    session: SessionDep, asked: Asked, metric: agreeing.Metric = "overall"
) -> dict[str, Any]:
    """How far the scores agree with people's, with intervals, and where they do not."""
    return _told(
        {
            "agreement": agreeing.overall_agreement(session, asked, metric),
            "moved": agreeing.moved(session, asked, metric),
            "between_people": agreeing.between_people(session, asked, metric),
            "discrepancies": agreeing.discrepancies(session, asked, metric),
        }
    )


@app.api.get("/dashboard/agreement/{group}")
def agreement_by(
    group: agreeing.Group, session: SessionDep, asked: Asked, metric: agreeing.Metric = "overall"
) -> dict[str, Any]:
    """The same for each type, model or person."""
    return _told(agreeing.by_group(session, asked, group, metric))


@app.api.get("/dashboard/performance")
def performance(session: SessionDep, asked: Asked) -> dict[str, Any]:
    """Which model, at which temperature, for which type."""
    return _told(performance_figures(session, asked))


@app.api.get("/dashboard/quality")
def quality(session: SessionDep, asked: Asked) -> dict[str, Any]:
    """Distributions, correlations, and what is criticised most."""
    return _told(quality_figures(session, asked))


@app.api.get("/dashboard/people")
def people(session: SessionDep, asked: Asked) -> dict[str, Any]:
    """Who did what, and when."""
    return _told(activities(session, asked))


def _told(figures: Any) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(figures, str_keys=True)
    return told

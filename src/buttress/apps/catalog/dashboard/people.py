"""Who does what: products, evaluations, feedback, corrections, by person and by time."""

from __future__ import annotations

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session

from buttress.apps.catalog.dashboard.window import MOMENTS, Window
from buttress.apps.catalog.models import Correction, Evaluation, Feedback, Product
from buttress.cache import cached


class Activity(msgspec.Struct, frozen=True):
    """One person's work in the window; `overall` is the mean score of what they had extracted."""

    person: str
    products: int
    evaluations: int
    overall: float | None
    ratings: int
    corrections: int


class Hour(msgspec.Struct, frozen=True):
    """How much was done on a weekday (1 is Monday) in an hour, in UTC."""

    weekday: int
    hour: int
    actions: int


class Activities(msgspec.Struct, frozen=True):
    """Who did what, and when."""

    people: list[Activity]
    hours: list[Hour]


@cached("catalog people", tags=[Evaluation, Product, Feedback, Correction])
def activities(session: Session, window: Window) -> Activities:
    """Everybody who did something, the busiest first."""
    people = session.execute(text(PEOPLE), window.parameters)
    hours = session.execute(text(HOURS), window.parameters)
    return Activities(
        people=[
            Activity(
                row.person,
                int(row.products),
                int(row.evaluations),
                None if row.overall is None else float(row.overall),
                int(row.ratings),
                int(row.corrections),
            )
            for row in people
        ],
        hours=[Hour(int(day), int(hour), int(count)) for day, hour, count in hours],
    )


PEOPLE = f"""
    WITH done AS (
        SELECT created_by_name AS person, count(*) AS products, 0 AS evaluations, 0 AS points,
            0 AS ratings, 0 AS corrections
        FROM catalog_product WHERE {MOMENTS} GROUP BY 1
        UNION ALL
        SELECT person_name, 0, sum(rows), sum(overall_sum), 0, 0
        FROM catalog_evaluations_by_person WHERE day BETWEEN :since AND :until GROUP BY 1
        UNION ALL
        SELECT person_name, 0, 0, 0, count(*), 0
        FROM catalog_feedback WHERE {MOMENTS} GROUP BY 1
        UNION ALL
        SELECT person_name, 0, 0, 0, 0, count(*)
        FROM catalog_correction WHERE {MOMENTS} GROUP BY 1
    )
    SELECT person, sum(products) AS products, sum(evaluations) AS evaluations,
        sum(points) / nullif(sum(evaluations), 0) AS overall,
        sum(ratings) AS ratings, sum(corrections) AS corrections
    FROM done WHERE person <> '' GROUP BY person
    ORDER BY sum(products) + sum(ratings) + sum(corrections) DESC, person
"""
HOURS = f"""
    SELECT extract(isodow FROM at), extract(hour FROM at), count(*)
    FROM (
        SELECT created_at AT TIME ZONE 'UTC' AS at FROM catalog_product WHERE {MOMENTS}
        UNION ALL
        SELECT created_at AT TIME ZONE 'UTC' FROM catalog_feedback WHERE {MOMENTS}
        UNION ALL
        SELECT created_at AT TIME ZONE 'UTC' FROM catalog_correction WHERE {MOMENTS}
    ) AS actions
    GROUP BY 1, 2 ORDER BY 1, 2
"""

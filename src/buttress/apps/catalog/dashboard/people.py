"""Who does what: products, evaluations, feedback, corrections, by person and by time."""

from __future__ import annotations

from collections import Counter
from datetime import date

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session

from buttress.apps.catalog.dashboard.window import DAYS, MOMENTS, Window
from buttress.apps.catalog.models import (
    BY_PERSON,
    PRODUCTS,
    PRODUCTS_BY_HOUR,
    Correction,
    Evaluation,
    Feedback,
    Product,
)
from buttress.apps.catalog.models.products import HOUR
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
        hours=hours(session, window),
    )


def hours(session: Session, window: Window) -> list[Hour]:
    """When people made products, rated and corrected, from Monday on."""
    found: Counter[tuple[int, int]] = Counter()
    for day, hour, count in session.execute(text(HOURS), window.parameters):
        known = day if isinstance(day, date) else date.fromisoformat(day)
        found[known.isoweekday(), int(hour)] += int(count)
    return [Hour(weekday, hour, count) for (weekday, hour), count in sorted(found.items())]


# People rate and correct by hand: their rows are few enough to be counted.
PEOPLE = f"""
    WITH done AS (
        SELECT person_name AS person, sum(rows) AS products, 0 AS evaluations, 0 AS points,
            0 AS ratings, 0 AS corrections
        FROM {PRODUCTS.parts} WHERE {DAYS} GROUP BY 1
        UNION ALL
        SELECT person_name, 0, sum(rows), sum(overall_sum), 0, 0
        FROM {BY_PERSON.parts} WHERE {DAYS} GROUP BY 1
        UNION ALL
        SELECT person_name, 0, 0, 0, count(*), 0
        FROM catalog_feedback WHERE {MOMENTS} GROUP BY 1
        UNION ALL
        SELECT person_name, 0, 0, 0, 0, count(*)
        FROM catalog_correction WHERE {MOMENTS} GROUP BY 1
    )
    SELECT person, sum(products) AS products, sum(evaluations) AS evaluations,
        sum(points) * 1.0 / nullif(sum(evaluations), 0) AS overall,
        sum(ratings) AS ratings, sum(corrections) AS corrections
    FROM done WHERE person <> '' GROUP BY person
    HAVING sum(products) + sum(evaluations) + sum(ratings) + sum(corrections) > 0
    ORDER BY sum(products) + sum(ratings) + sum(corrections) DESC, person
"""
HOURS = f"""
    SELECT day, hour, sum(times) FROM (
        SELECT day, hour, sum(rows) AS times FROM {PRODUCTS_BY_HOUR.parts} WHERE {DAYS}
        GROUP BY 1, 2
        UNION ALL
        SELECT date(created_at), {HOUR}, count(*) FROM catalog_feedback
        WHERE {MOMENTS} GROUP BY 1, 2
        UNION ALL
        SELECT date(created_at), {HOUR}, count(*) FROM catalog_correction
        WHERE {MOMENTS} GROUP BY 1, 2
    ) AS done GROUP BY 1, 2 HAVING sum(times) > 0
"""

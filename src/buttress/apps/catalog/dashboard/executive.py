"""The first tab: how much, how good, better or worse than before, and what needs attention."""

from __future__ import annotations

from datetime import date

import msgspec
from sqlalchemy import Row, func, select, text
from sqlalchemy.orm import Session

from buttress.apps.catalog.dashboard.window import Window
from buttress.apps.catalog.models import (
    DAILY,
    PRODUCTS,
    Evaluation,
    Feedback,
    Product,
    Request,
)
from buttress.cache import cached

# Times one: SQLite divides whole numbers without the rest.
MEANS = """coalesce(sum(rows), 0) AS evaluations,
    sum(overall_sum) * 1.0 / nullif(sum(overall_count), 0) AS overall,
    sum(structure_sum) * 1.0 / nullif(sum(structure_count), 0) AS structure,
    sum(content_sum) * 1.0 / nullif(sum(content_count), 0) AS content,
    sum(translation_sum) * 1.0 / nullif(sum(translation_count), 0) AS translation,
    sum(good_sum) * 1.0 / nullif(sum(rows), 0) AS good,
    sum(poor_sum) * 1.0 / nullif(sum(rows), 0) AS poor,
    sum(issue_count_sum) * 1.0 / nullif(sum(rows), 0) AS issues"""
FALL = 0.3
"""How far a mean may fall between two windows before somebody is told."""
POOR = 0.2
"""The share of poor evaluations somebody is told about."""
ENOUGH = 20
"""Fewer evaluations say nothing about a trend."""


class Means(msgspec.Struct, frozen=True):
    """Figures of some evaluations; scores from 1 to 5, shares from 0 to 1, None without any."""

    evaluations: int
    overall: float | None
    structure: float | None
    content: float | None
    translation: float | None
    good: float | None
    """The share with 4 and more."""
    poor: float | None
    """The share below 3."""
    issues: float | None
    """Points of criticism for each evaluation."""

    @classmethod
    def of(cls, row: Row[tuple[object, ...]]) -> Means:
        """From the columns of `MEANS`."""
        told = row._mapping
        return cls(
            int(told["evaluations"]),
            **{
                name: None if told[name] is None else float(told[name])
                for name in cls.__struct_fields__[1:]
            },
        )


class Day(msgspec.Struct, frozen=True):
    """One day of the trend."""

    day: date
    evaluations: int
    overall: float


class OfType(msgspec.Struct, frozen=True):
    """One type of product."""

    product_type: str
    means: Means


class Alert(msgspec.Struct, frozen=True):
    """What needs attention: what, and what to do."""

    what: str
    cure: str


class Executive(msgspec.Struct, frozen=True):
    """The first tab."""

    now: Means
    before: Means
    trend: list[Day]
    types: list[OfType]
    alerts: list[Alert]


@cached("catalog executive", tags=[Evaluation, Request, Product, Feedback])
def executive(session: Session, window: Window) -> Executive:
    """The figures of the first tab."""
    now, before = means(session, window), means(session, window.before)
    by_type = types(session, window)
    return Executive(
        now, before, trend(session, window), by_type, alerts(session, now, before, by_type)
    )


def means(session: Session, window: Window) -> Means:
    """The means of a window."""
    row = session.execute(
        text(f"SELECT {MEANS} FROM {DAILY.parts} WHERE {window.where}"),
        window.parameters,
    ).one()
    return Means.of(row)


def last_day(session: Session) -> date | None:
    """The newest day that has evaluations, whatever the window."""
    day = session.scalar(
        text(
            f"SELECT day FROM {DAILY.parts} GROUP BY day HAVING sum(rows) > 0 "
            "ORDER BY day DESC LIMIT 1"
        )
    )
    return date.fromisoformat(day) if isinstance(day, str) else day


def trend(session: Session, window: Window) -> list[Day]:
    """The mean of each day that had evaluations."""
    found = session.execute(
        text(
            "SELECT day, sum(rows), sum(overall_sum) * 1.0 / sum(overall_count) "
            f"FROM {DAILY.parts} WHERE {window.where} "
            "GROUP BY day HAVING sum(rows) > 0 ORDER BY day"
        ),
        window.parameters,
    )
    return [
        Day(day if isinstance(day, date) else date.fromisoformat(day), int(rows), float(mean))
        for day, rows, mean in found
    ]


def types(session: Session, window: Window) -> list[OfType]:
    """The means of each type of product, the most frequent first."""
    found = session.execute(
        text(
            f"SELECT product_type, {MEANS} FROM {DAILY.parts} WHERE {window.where} "
            "GROUP BY product_type HAVING sum(rows) > 0 ORDER BY sum(rows) DESC, product_type"
        ),
        window.parameters,
    )
    return [OfType(row.product_type, Means.of(row)) for row in found]


def alerts(session: Session, now: Means, before: Means, by_type: list[OfType]) -> list[Alert]:
    """What a lead should look at, the gravest first."""
    found = []
    for metric in ("overall", "structure", "content", "translation"):
        new, old = getattr(now, metric), getattr(before, metric)
        if min(now.evaluations, before.evaluations) >= ENOUGH and old - new > FALL:
            found.append(
                Alert(
                    f"{metric.capitalize()} fell from {old:.2f} to {new:.2f}",
                    "Performance shows which model, Quality which rule.",
                )
            )
    if now.poor is not None and now.evaluations >= ENOUGH and now.poor > POOR:
        found.append(
            Alert(f"{now.poor:.0%} of the evaluations are poor", "Investigation lists the worst.")
        )
    found += [
        Alert(
            f"{one.product_type}: mean of {one.means.overall:.2f}",
            "Look at its prompt, or at the documents it is read from.",
        )
        for one in by_type
        if one.means.overall is not None and one.means.overall < 3
    ]
    failed = session.scalar(select(func.count()).where(Request.state == "failed")) or 0
    if failed:
        what = "extraction" if failed == 1 else "extractions"
        found.append(Alert(f"{failed:,} {what} failed", "Batches tells why; retry them there."))
    unreviewed = int(session.scalar(text(f"SELECT sum(waiting_sum) FROM {PRODUCTS.parts}")) or 0)
    if unreviewed:
        wait = "product waits" if unreviewed == 1 else "products wait"
        found.append(Alert(f"{unreviewed:,} doubtful {wait} for a review", "Open Review."))
    if now.evaluations >= ENOUGH and not session.scalar(select(Feedback.id).limit(1)):
        found.append(
            Alert(
                "Nobody has rated an evaluation",
                "Without ratings nobody knows whether the scores can be trusted: open Review.",
            )
        )
    return found

"""The second tab: how far the scores agree with people's, and where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from buttress.apps.catalog.agreement import (
    Agreement,
    Drift,
    Pairs,
    Unsaid,
    agreement,
    agreement_by,
    coverage,
    drift,
    icc_of_ratings,
)
from buttress.apps.catalog.agreement.outcome import Estimate
from buttress.apps.catalog.dashboard.window import Window
from buttress.apps.catalog.models import Evaluation, Feedback
from buttress.errors import BadInput

Metric = Literal["overall", "structure", "content", "translation"]
Group = Literal["product_type", "model", "person_name"]


class Discrepancy(msgspec.Struct, frozen=True):
    """One case in which a person and the machine differ."""

    evaluation_id: int
    product_id: int
    name: str
    product_type: str
    model: str
    person: str
    machine: float
    human: float
    note: str


def counted(
    session: Session, window: Window, metric: Metric, group: Group | None = None
) -> Sequence[tuple[str, float, float, int]]:
    """Each different pair of scores with how often it occurs: by group, machine's, person's, times.

    Figures of a hundred thousand pairs need no more than these few hundred rows.
    """
    of_machine, of_human = _columns(metric)
    by: ColumnElement[str] = func.coalesce(_group(group), "") if group else func.coalesce("", "")
    chosen = (
        select(by, of_machine, of_human, func.count())
        .join(Feedback, Feedback.evaluation_id == Evaluation.id)
        .group_by(by, of_machine, of_human)
        .order_by(by)
    )
    found = session.execute(_within(chosen, window))
    return [(str(name), float(ours), float(theirs), n) for name, ours, theirs, n in found]


def overall_agreement(session: Session, window: Window, metric: Metric = "overall") -> Agreement:
    """All figures of the window, with coverage."""
    found = counted(session, window, metric)
    pairs = Pairs.of(
        [row[1] for row in found], [row[2] for row in found], [row[3] for row in found]
    )
    evaluated = session.scalar(_within(select(func.count(Evaluation.id)), window)) or 0
    rated = session.scalar(
        _within(
            select(func.count(Evaluation.id.distinct())).join(
                Feedback, Feedback.evaluation_id == Evaluation.id
            ),
            window,
        )
    )
    # Of two ratings of one evaluation the second covers nothing new.
    return replace(agreement(pairs), coverage=coverage(rated or 0, evaluated))


def by_group(
    session: Session, window: Window, group: Group, metric: Metric = "overall"
) -> dict[str, Agreement]:
    """The figures for each type, model or person."""
    found = counted(session, window, metric, group)
    names, machine, human, counts = zip(*found, strict=True) if found else ((), (), (), ())
    return agreement_by(names, machine, human, counts)


def moved(session: Session, window: Window, metric: Metric = "overall") -> Drift | Unsaid:
    """How the agreement changed against the window before."""

    def pairs(of: Window) -> Pairs:
        found = counted(session, of, metric)
        return Pairs.of(
            [row[1] for row in found], [row[2] for row in found], [row[3] for row in found]
        )

    return drift(pairs(window.before), pairs(window))


def between_people(
    session: Session, window: Window, metric: Metric = "overall"
) -> Estimate | Unsaid:
    """How far two people agree who rated the same: the most a machine can be asked for."""
    one, other = aliased(Feedback), aliased(Feedback)
    column = str(metric)
    chosen = (
        select(getattr(one, column), getattr(other, column))
        .join(other, (other.evaluation_id == one.evaluation_id) & (other.id > one.id))
        .join(Evaluation, Evaluation.id == one.evaluation_id)
    )
    found = session.execute(_within(chosen, window)).all()
    return icc_of_ratings([[float(left), float(right)] for left, right in found])


def discrepancies(
    session: Session,
    window: Window,
    metric: Metric = "overall",
    *,
    machine: int | None = None,
    human: int | None = None,
    limit: int = 50,
) -> list[Discrepancy]:
    """Cases in which they differ most, or those of one cell of the confusion matrix."""
    ours, theirs = _columns(metric)
    chosen = select(
        Evaluation.id, Evaluation.product_id, Evaluation.name, Evaluation.product_type,
        Evaluation.model, Feedback.person_name, ours, theirs, Feedback.notes,
    ).join(Feedback, Feedback.evaluation_id == Evaluation.id)  # fmt: skip
    if machine is not None:
        chosen = chosen.where(func.round(ours) == machine)
    if human is not None:
        chosen = chosen.where(func.round(theirs) == human)
    apart = func.abs(ours - theirs)
    found = session.execute(
        _within(chosen, window).order_by(apart.desc(), Evaluation.id.desc()).limit(limit)
    )
    return [
        Discrepancy(id, product, name, kind, model, person, float(left), float(right), _told(notes))
        for id, product, name, kind, model, person, left, right, notes in found
    ]


def _told(notes: dict[str, str]) -> str:
    return " · ".join(f"{metric}: {note}" for metric, note in notes.items() if note)


def _columns(metric: Metric) -> tuple[ColumnElement[Decimal], ColumnElement[Decimal]]:
    if metric not in ("overall", "structure", "content", "translation"):
        raise BadInput(f"there is no metric {metric!r}")
    return getattr(Evaluation, metric), getattr(Feedback, metric)


def _group(group: Group) -> InstrumentedAttribute[str]:
    columns = {
        "product_type": Evaluation.product_type,
        "model": Evaluation.model,
        "person_name": Feedback.person_name,
    }
    if group not in columns:
        raise BadInput(f"agreement is not told by {group!r}", hint=f"One of {', '.join(columns)}.")
    return columns[group]


def _within(chosen: Select, window: Window) -> Select:  # type: ignore[type-arg]
    first = _midnight(window.since)
    last = _midnight(window.until + timedelta(days=1))
    chosen = chosen.where(Evaluation.created_at >= first, Evaluation.created_at < last)
    if window.product_type is not None:
        chosen = chosen.where(Evaluation.product_type == window.product_type)
    if window.model is not None:
        chosen = chosen.where(Evaluation.model == window.model)
    return chosen


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)

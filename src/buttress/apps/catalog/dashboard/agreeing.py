"""The second tab: how far the scores agree with people's, and where they do not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, Select, func, select, text
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
    icc,
)
from buttress.apps.catalog.agreement.outcome import Estimate
from buttress.apps.catalog.dashboard.window import Window
from buttress.apps.catalog.models import DAILY, Evaluation, Feedback
from buttress.cache import cached
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


@cached("catalog agreement", tags=[Evaluation, Feedback])
def counted(
    session: Session, window: Window, metric: Metric, group: Group | None = None
) -> list[tuple[str, float, float, int]]:
    """Each different pair of scores with how often it occurs: by group, machine's, person's, times.

    Figures of a hundred thousand pairs need no more than these few hundred rows.
    """
    of_machine, of_human = _columns(metric)
    by: ColumnElement[str] = func.coalesce(_group(group), "") if group else func.coalesce("", "")
    chosen = (
        select(by, of_machine, of_human, func.count())
        .group_by(by, of_machine, of_human)
        .order_by(by)
    )
    found = session.execute(_within(chosen, window))
    return [(str(name), float(ours), float(theirs), n) for name, ours, theirs, n in found]


def overall_agreement(session: Session, window: Window, metric: Metric = "overall") -> Agreement:
    """All figures of the window, with coverage."""
    found = counted(session, window, metric)
    return _agreement(tuple(found), *rated(session, window))


@cached("catalog coverage", tags=[Evaluation, Feedback])
def rated(session: Session, window: Window) -> tuple[int, int]:
    """How many evaluations somebody has rated, of how many."""
    covered = session.scalar(
        # Of two ratings of one evaluation the second covers nothing new.
        _within(select(func.count(Feedback.evaluation_id.distinct())), window)
    )
    evaluated = session.scalar(
        text(f"SELECT coalesce(sum(rows), 0) FROM {DAILY.parts} WHERE {window.where}"),
        window.parameters,
    )
    return int(covered or 0), int(evaluated or 0)


def by_group(
    session: Session, window: Window, group: Group, metric: Metric = "overall"
) -> dict[str, Agreement]:
    """The figures for each type, model or person."""
    return _by_group(tuple(counted(session, window, metric, group)))


def moved(session: Session, window: Window, metric: Metric = "overall") -> Drift | Unsaid:
    """How far the machine moved away from people's scores against the window before."""
    return _drift(
        tuple(counted(session, window.before, metric)), tuple(counted(session, window, metric))
    )


def between_people(
    session: Session, window: Window, metric: Metric = "overall"
) -> Estimate | Unsaid:
    """How far two people agree who rated the same: the most a machine can be asked for."""
    found = rated_twice(session, window, metric)
    one, other, times = zip(*found, strict=True) if found else ((), (), ())
    return icc(Pairs.of(one, other, times))


@cached("catalog double ratings", tags=[Evaluation, Feedback])
def rated_twice(session: Session, window: Window, metric: Metric) -> list[tuple[float, float, int]]:
    """Each different pair of two people's scores of the same, with how often it occurs."""
    other = aliased(Feedback)
    _, left = _columns(metric)
    right = getattr(other, metric)
    chosen = (
        select(left, right, func.count())
        .join(other, (other.evaluation_id == Feedback.evaluation_id) & (other.id > Feedback.id))
        .group_by(left, right)
    )
    found = session.execute(_within(chosen, window))
    return [(float(ours), float(theirs), times) for ours, theirs, times in found]


Counted = tuple[tuple[str, float, float, int], ...]


# Pure functions of what was counted: computed once for the same numbers.
@lru_cache(maxsize=64)
def _agreement(found: Counted, covered: int, evaluated: int) -> Agreement:
    return replace(agreement(_pairs(found)), coverage=coverage(covered, evaluated))


@lru_cache(maxsize=64)
def _by_group(found: Counted) -> dict[str, Agreement]:
    names, machine, human, counts = zip(*found, strict=True) if found else ((), (), (), ())
    return agreement_by(names, machine, human, counts)


@lru_cache(maxsize=64)
def _drift(earlier: Counted, later: Counted) -> Drift | Unsaid:
    return drift(_pairs(earlier), _pairs(later))


def forget() -> None:
    """Forget what was computed, so that it can be measured."""
    for kept in (_agreement, _by_group, _drift):
        kept.cache_clear()


def _pairs(found: Counted) -> Pairs:
    return Pairs.of([row[1] for row in found], [row[2] for row in found], [row[3] for row in found])


@cached("catalog discrepancies", tags=[Evaluation, Feedback])
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
    chosen = _within(select(Feedback.id), window)
    if machine is not None:
        chosen = chosen.where(func.round(ours) == machine)
    if human is not None:
        chosen = chosen.where(func.round(theirs) == human)
    order = (func.abs(ours - theirs).desc(), Feedback.evaluation_id.desc(), Feedback.id)
    # Names are asked for when it is known whose.
    farthest = chosen.order_by(*order).limit(limit).subquery()
    found = session.execute(
        select(
            Evaluation.id, Evaluation.product_id, Evaluation.name, Evaluation.product_type,
            Evaluation.model, Feedback.person_name, ours, theirs, Feedback.notes,
        )
        .join(Feedback, Feedback.evaluation_id == Evaluation.id)
        .join(farthest, farthest.c.id == Feedback.id)
        .order_by(*order)
    )  # fmt: skip
    return [
        Discrepancy(id, product, name, kind, model, person, float(left), float(right), _told(notes))
        for id, product, name, kind, model, person, left, right, notes in found
    ]


def _told(notes: dict[str, str]) -> str:
    return " · ".join(f"{metric}: {note}" for metric, note in notes.items() if note)


def _columns(metric: Metric) -> tuple[ColumnElement[Decimal], ColumnElement[Decimal]]:
    if metric not in ("overall", "structure", "content", "translation"):
        raise BadInput(f"there is no metric {metric!r}")
    return getattr(Feedback, f"machine_{metric}"), getattr(Feedback, metric)


def _group(group: Group) -> InstrumentedAttribute[str]:
    columns = {
        "product_type": Feedback.product_type,
        "model": Feedback.model,
        "person_name": Feedback.person_name,
    }
    if group not in columns:
        raise BadInput(f"agreement is not told by {group!r}", hint=f"One of {', '.join(columns)}.")
    return columns[group]


def _within(chosen: Select, window: Window) -> Select:  # type: ignore[type-arg]
    chosen = chosen.where(Feedback.evaluated_at >= window.first, Feedback.evaluated_at < window.end)
    if window.product_type is not None:
        chosen = chosen.where(Feedback.product_type == window.product_type)
    if window.model is not None:
        chosen = chosen.where(Feedback.model == window.model)
    return chosen

"""Evaluations one by one: found by what they are, each with all that led to it, and as files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session, selectinload, undefer

from buttress.apps.catalog.dashboard import Window
from buttress.apps.catalog.models import Evaluation, Extraction, Feedback, MaterialText, Product
from buttress.apps.catalog.service.products import BADGES, Badge
from buttress.errors import NotFound
from buttress.exports import Format, export_chunks

Order = Literal["newest", "worst", "best"]
ORDERS: dict[Order, tuple[ColumnElement[Any], ...]] = {
    "newest": (Evaluation.created_at.desc(), Evaluation.id.desc()),
    "worst": (Evaluation.overall.asc(), Evaluation.id.asc()),
    "best": (Evaluation.overall.desc(), Evaluation.id.desc()),
}


@dataclass(frozen=True)
class Wanted:
    """Which evaluations; what is None does not matter."""

    window: Window
    text: str | None = None
    """In name or brand."""
    badge: Badge | None = None
    person: str | None = None
    """Who had it extracted."""
    rated: bool | None = None
    """Whether somebody has rated it."""


@dataclass(frozen=True)
class Record:
    """An evaluation with all that led to it and all that was said of it."""

    evaluation: Evaluation
    product: Product
    extraction: Extraction
    sources: Sequence[dict[str, Any]]
    """What it was read from: id, kind, name, and the passages with their places."""
    feedback: Sequence[Feedback]


@dataclass(frozen=True)
class Said:
    """What one person said, and of what."""

    feedback: Feedback
    evaluation: Evaluation


def listed(
    session: Session,
    wanted: Wanted,
    *,
    order: Order = "newest",
    offset: int = 0,
    limit: int = 50,
) -> Sequence[Evaluation]:
    """Evaluations in that order, without the first `offset`."""
    chosen = _narrowed(select(Evaluation), wanted).order_by(*ORDERS[order])
    return session.scalars(chosen.offset(offset).limit(limit)).all()


def record(session: Session, id: int) -> Record:
    """Everything about one evaluation; raises `NotFound`."""
    evaluation = session.scalars(
        select(Evaluation)
        .where(Evaluation.id == id)
        .options(selectinload(Evaluation.issues), undefer(Evaluation.judged))
    ).first()
    if evaluation is None:
        raise NotFound(f"there is no evaluation {id}", hint="It may have been deleted.")
    product = session.get_one(Product, evaluation.product_id)
    extraction = session.get_one(
        Extraction, evaluation.extraction_id, options=[undefer(Extraction.content)]
    )
    sources = session.scalar(
        select(MaterialText.sources).where(MaterialText.extraction_id == extraction.id)
    )
    feedback = session.scalars(
        select(Feedback).where(Feedback.evaluation_id == id).order_by(Feedback.id)
    ).all()
    return Record(evaluation, product, extraction, sources or [], feedback)


def said(session: Session, window: Window, *, offset: int = 0, limit: int = 50) -> Sequence[Said]:
    """What people said in the window, the newest first, without the first `offset`."""
    found = session.execute(
        select(Feedback, Evaluation)
        .join(Evaluation, Evaluation.id == Feedback.evaluation_id)
        .where(Feedback.created_at >= window.first, Feedback.created_at < window.end)
        .order_by(Feedback.created_at.desc(), Feedback.id.desc())
        .offset(offset)
        .limit(limit)
    )
    return [Said(feedback, evaluation) for feedback, evaluation in found]


def export(session: Session, format: Format, wanted: Wanted) -> Iterator[bytes]:
    """Those evaluations, the oldest first, in pieces of a file, one row each.

    The session stays open until the last piece.
    """
    columns = [
        column
        for column in Evaluation.__table__.columns
        if column.key not in ("judged", "created_by")
    ]
    chosen = _narrowed(select(*columns), wanted)
    return export_chunks(session, chosen.order_by(Evaluation.created_at, Evaluation.id), format)


def _narrowed(chosen: Select[Any], wanted: Wanted) -> Select[Any]:
    window = wanted.window
    conditions: list[ColumnElement[bool]] = [
        Evaluation.created_at >= window.first,
        Evaluation.created_at < window.end,
    ]
    if window.product_type is not None:
        conditions.append(Evaluation.product_type == window.product_type)
    if window.model is not None:
        conditions.append(Evaluation.model == window.model)
    if wanted.text:
        conditions.append(
            or_(
                Evaluation.name.icontains(wanted.text, autoescape=True),
                Evaluation.brand.icontains(wanted.text, autoescape=True),
            )
        )
    if wanted.badge in BADGES:
        least = BADGES[wanted.badge]
        above = min((one for one in BADGES.values() if one > least), default=None)
        conditions.append(Evaluation.overall >= least)
        if above is not None:
            conditions.append(Evaluation.overall < above)
    if wanted.person is not None:
        conditions.append(Evaluation.created_by_name == wanted.person)
    if wanted.rated is not None:
        there = select(Feedback.id).where(Feedback.evaluation_id == Evaluation.id).exists()
        conditions.append(there if wanted.rated else ~there)
    return chosen.where(*conditions)

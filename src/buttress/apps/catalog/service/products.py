"""Products as they stand: lists, one product with all that is known of it, and corrections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Select, or_, select, text
from sqlalchemy.orm import Session, selectinload, undefer

from buttress.access import current
from buttress.apps.catalog.models import (
    BY_PERSON,
    DAILY,
    Correction,
    Evaluation,
    Extraction,
    Feedback,
    MaterialText,
    Product,
)
from buttress.apps.catalog.products import Product as Content
from buttress.apps.catalog.products import ProductType, read_field, with_field
from buttress.errors import BadInput, Conflict, NotFound

Badge = Literal["excellent", "good", "fair", "poor", "not evaluated"]
BADGES: dict[Badge, float] = {"excellent": 4.5, "good": 4.0, "fair": 3.0, "poor": 0.0}
"""The least overall score of each."""
Order = Literal["newest", "oldest", "best", "worst"]
ORDERS: dict[Order, tuple[ColumnElement[Any], ...]] = {
    "newest": (Product.created_at.desc(), Product.id.desc()),
    "oldest": (Product.created_at.asc(), Product.id.asc()),
    "best": (Product.overall.desc().nulls_last(), Product.id.desc()),
    "worst": (Product.overall.asc().nulls_last(), Product.id.asc()),
}


@dataclass(frozen=True)
class Filter:
    """Which products; what is None does not matter."""

    product_type: ProductType | None = None
    text: str | None = None
    """In name or brand."""
    badge: Badge | None = None
    model: str | None = None
    reviewed: bool | None = None
    created_by_name: str | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Whole:
    """A product with everything that is known of it."""

    product: Product
    evaluation: Evaluation | None
    corrections: Sequence[Correction]
    feedback: Sequence[Feedback]
    sources: Sequence[dict[str, Any]]
    """What it was read from: id, kind, name, and the passages with their places."""
    extractions: Sequence[Extraction]
    """All of them, the newest first, which has its origins."""

    @property
    def extraction(self) -> Extraction:
        """The newest."""
        return self.extractions[0]


@dataclass(frozen=True)
class Choices:
    """What products can be narrowed to."""

    models: Sequence[str]
    people: Sequence[str]


def choices(session: Session) -> Choices:
    """Who has extracted and who had it done, out of roll-ups that stay small."""

    def told(column: str, parts: str) -> list[str]:
        query = (
            f"SELECT {column} FROM {parts} WHERE {column} <> '' "
            f"GROUP BY {column} HAVING sum(rows) > 0 ORDER BY 1"
        )
        return list(session.scalars(text(query)))

    return Choices(told("model", DAILY.parts), told("person_name", BY_PERSON.parts))


def badge_of(overall: float | None) -> Badge:
    """How a score is called."""
    if overall is None:
        return "not evaluated"
    return next(badge for badge, least in BADGES.items() if overall >= least)


def listed(
    session: Session,
    wanted: Filter | None = None,
    *,
    order: Order = "newest",
    offset: int = 0,
    limit: int = 50,
) -> Sequence[Product]:
    """Products in that order, without the first `offset`."""
    chosen = filtered(select(Product), wanted or Filter()).limit(limit).offset(offset)
    return session.scalars(chosen.order_by(*ORDERS[order])).all()


def filtered(chosen: Select[Any], wanted: Filter) -> Select[Any]:
    """The statement with the filter's conditions."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.product_type is not None:
        conditions.append(Product.product_type == str(wanted.product_type))
    if wanted.text:
        conditions.append(
            or_(
                Product.name.icontains(wanted.text, autoescape=True),
                Product.brand.icontains(wanted.text, autoescape=True),
            )
        )
    if wanted.badge == "not evaluated":
        conditions.append(Product.overall.is_(None))
    elif wanted.badge is not None:
        least = BADGES[wanted.badge]
        conditions.append(Product.overall >= least)
        above = min((one for one in BADGES.values() if one > least), default=None)
        if above is not None:
            conditions.append(Product.overall < above)
    if wanted.model is not None:
        conditions.append(
            select(Extraction.id)
            .where(Extraction.id == Product.extraction_id, Extraction.model == wanted.model)
            .exists()
        )
    if wanted.reviewed is not None:
        reviewed = Product.reviewed_at.is_not(None)
        conditions.append(reviewed if wanted.reviewed else ~reviewed)
    if wanted.created_by_name is not None:
        conditions.append(Product.created_by_name == wanted.created_by_name)
    if wanted.since is not None:
        conditions.append(Product.created_at >= wanted.since)
    return chosen.where(*conditions)


def product_of(session: Session, id: int, *, lock: bool = False) -> Product:
    """The product of that number with its content; raises `NotFound`."""
    chosen = (
        select(Product)
        .where(Product.id == id)
        .options(undefer(Product.content), undefer(Product.origins))
    )
    product = session.scalars(chosen.with_for_update() if lock else chosen).first()
    if product is None:
        raise NotFound(f"there is no product {id}", hint="It may have been deleted.")
    return product


def whole(session: Session, id: int) -> Whole:
    """A product with everything that is known of it; raises `NotFound`."""
    product = product_of(session, id)
    extractions = session.scalars(
        select(Extraction).where(Extraction.product_id == id).order_by(Extraction.id.desc())
    ).all()
    if not extractions:
        raise NotFound(f"product {id} was never extracted")
    newest = extractions[0]
    session.refresh(newest, ["origins"])  # where values were read that were corrected since
    evaluation = session.scalars(
        select(Evaluation)
        .where(Evaluation.extraction_id == newest.id)
        .order_by(Evaluation.id.desc())
        .limit(1)
        .options(selectinload(Evaluation.issues), undefer(Evaluation.judged))
    ).first()
    feedback = select(Feedback).order_by(Feedback.id)
    return Whole(
        product=product,
        evaluation=evaluation,
        corrections=session.scalars(
            select(Correction).where(Correction.product_id == id).order_by(Correction.id)
        ).all(),
        feedback=session.scalars(feedback.where(Feedback.evaluation_id == evaluation.id)).all()
        if evaluation
        else [],
        sources=session.scalar(
            select(MaterialText.sources).where(MaterialText.extraction_id == newest.id)
        )
        or [],
        extractions=extractions,
    )


@dataclass(frozen=True)
class Seen:
    """The value of a field that somebody who corrects it has before them."""

    value: Any


class ChangedMeanwhile(Conflict):
    """A field is not any more what they saw who correct it; `value` is what it is, `person` who
    corrected it."""

    def __init__(self, value: Any, person: str | None) -> None:
        super().__init__(
            f"this field was changed meanwhile by {person or 'somebody'}",
            hint="Read the product again, and decide which value is right.",
        )
        self.value = value
        self.person = person


def correct(
    session: Session, product_id: int, path: str, value: Any, *, seen: Seen | None = None
) -> Product:
    """Change one field of a product, and keep both values.

    Parameters
    ----------
    path
        As in its JSON: `catalogA.TitleEN`, `catalogB.Subtypes.0.EAN`.
    seen
        The correction counts only while the field still has this value.

    Raises
    ------
    NotFound
        There is no such product or field.
    BadInput
        The field cannot have that value.
    ChangedMeanwhile
        Somebody else has corrected it, or it was extracted anew.
    """
    product = product_of(session, product_id, lock=True)
    if product.extraction_id is None:
        raise NotFound(f"product {product_id} was never extracted")
    content = Content.model_validate(product.content)
    before = read_field(content, path)
    if seen is not None and before != seen.value:
        origin = product.origins.get(path, {})
        corrected = origin.get("how") == "corrected"
        raise ChangedMeanwhile(before, origin.get("remark") if corrected else None)
    try:
        changed = with_field(content, path, value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadInput(f"{path} cannot be that: {first['msg']}") from error
    after = read_field(changed, path)
    if after == before:
        return product
    identity = current()
    name = identity.name if identity else ""
    session.add(
        Correction(
            product_id=product.id,
            extraction_id=product.extraction_id,
            path=path,
            before={"value": before},
            after={"value": after},
            person=identity.person if identity else None,
            person_name=name,
        )
    )
    product.content = changed.model_dump(mode="json", by_alias=True)
    product.origins = {**product.origins, path: {"how": "corrected", "remark": name}}
    describe(product, changed)
    product.updated_at = datetime.now(UTC)
    session.flush()
    return product


def describe(product: Product, content: Content) -> None:
    """Let lists show what the content says."""
    product.brand, product.name = brand_and_name(content)


def brand_and_name(content: Content) -> tuple[str, str]:
    """What lists show of a content."""
    variants = content.catalog_b.variants
    described = variants[0].item_description_en if variants else ""
    return content.catalog_a.brand, content.catalog_a.title_en or described


def delete(session: Session, product_id: int) -> None:
    """Delete a product with its extractions, evaluations and feedback; raises `NotFound`."""
    session.delete(product_of(session, product_id, lock=True))

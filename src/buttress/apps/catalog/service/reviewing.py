"""Reviewing: what is to be looked at first, by whom, and what people say of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.orm import Session

from buttress.access import Identity, current
from buttress.apps.catalog.models import Claim, Evaluation, Feedback, Product
from buttress.apps.catalog.models.evaluations import METRICS
from buttress.apps.catalog.schemas import Ratings
from buttress.apps.catalog.settings import CatalogSettings
from buttress.errors import Conflict, NotFound, NotSignedIn


def queue(session: Session, *, second: bool = False, limit: int = 50) -> Sequence[Product]:
    """Products nobody has reviewed and nobody else reviews now, the most doubtful first.

    With `second` those that one other person has rated: a second rating tells how far people agree
    with each other, which is the most a machine can be asked for.
    """
    chosen = select(Product).where(_free(), _waits(second))
    return session.scalars(chosen.order_by(Product.doubt.desc(), Product.id).limit(limit)).all()


def claim(session: Session, product_id: int) -> Claim:
    """Review a product now: others are told meanwhile, and take another.

    Raises `Conflict` while somebody else reviews it, `NotFound`.
    """
    product = session.get(Product, product_id, with_for_update=True)
    if product is None:
        raise NotFound(f"there is no product {product_id}")
    return _claimed(session, product)


def claim_next(
    session: Session, *, second: bool = False, other_than: int | None = None
) -> Product | None:
    """Claim the first product of the queue; of two people who ask at once each gets another.

    With `other_than` the first one behind that product, which is skipped.
    """
    chosen = (
        select(Product)
        .where(_free(), _waits(second))
        .order_by(Product.doubt.desc(), Product.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    skipped = None if other_than is None else session.get(Product, other_than)
    if skipped is not None:
        behind = and_(Product.doubt == skipped.doubt, Product.id > skipped.id)
        chosen = chosen.where(or_(Product.doubt < skipped.doubt, behind))
    product = session.scalars(chosen).first()
    if product is not None:
        _claimed(session, product)
    return product


def release(session: Session, product_id: int) -> None:
    """Give a claimed product back; nothing happens when it was not claimed by who asks."""
    session.execute(
        delete(Claim).where(Claim.product_id == product_id, Claim.person == reviewer().person)
    )


def rate(session: Session, evaluation_id: int, ratings: Ratings) -> Feedback:
    """Say what one thinks of an evaluated extraction; a second time it replaces the first.

    The product counts as reviewed from then on, and is no longer claimed.
    """
    person = reviewer()
    evaluation = session.get(Evaluation, evaluation_id)
    if evaluation is None:
        raise NotFound(f"there is no evaluation {evaluation_id}")
    product = session.get(Product, evaluation.product_id, with_for_update=True)
    assert product is not None  # a foreign key says so
    feedback = session.scalars(
        select(Feedback).where(
            Feedback.evaluation_id == evaluation_id, Feedback.person == person.person
        )
    ).first()
    if feedback is None:
        feedback = Feedback.of(evaluation, person=person.person)
        session.add(feedback)
    feedback.person_name = person.name
    for metric in METRICS:
        setattr(feedback, metric, getattr(ratings, metric))
    feedback.notes = {str(metric): note for metric, note in ratings.notes.items()}
    feedback.overall = weighed(ratings)
    feedback.created_at = datetime.now(UTC)
    product.reviewed_at = datetime.now(UTC)
    # A second opinion is worth most where the first one contradicts the machine.
    product.doubt = abs(feedback.overall - evaluation.overall)
    release(session, product.id)
    session.flush()
    return feedback


def weighed(ratings: Ratings) -> Decimal:
    """The overall score of ratings, by the weights of the settings."""
    settings = CatalogSettings()
    return round(
        ratings.structure * settings.structure_weight
        + ratings.content * settings.content_weight
        + ratings.translation * settings.translation_weight,
        2,
    )


def reviewer() -> Identity:
    """Who is acting; raises `NotSignedIn`: a review is always somebody's."""
    identity = current()
    if identity is None:
        raise NotSignedIn("a review needs a person", hint="Sign in, then do it again.")
    return identity


def _waits(second: bool) -> ColumnElement[bool]:
    if not second:
        return and_(Product.reviewed_at.is_(None), Product.evaluation_id.is_not(None))
    rated = select(Feedback.id).where(Feedback.evaluation_id == Product.evaluation_id)
    own = rated.where(Feedback.person == reviewer().person)
    return and_(Product.reviewed_at.is_not(None), rated.exists(), ~own.exists())


def _free() -> ColumnElement[bool]:
    identity = current()
    held = select(Claim.product_id).where(
        Claim.product_id == Product.id, Claim.until > datetime.now(UTC)
    )
    return ~(held if identity is None else held.where(Claim.person != identity.person)).exists()


def _claimed(session: Session, product: Product) -> Claim:
    person, now = reviewer(), datetime.now(UTC)
    held = session.get(Claim, product.id, with_for_update=True)
    if held is not None and held.person != person.person and held.until > now:
        raise Conflict(
            f"this product is in review by {held.person_name}",
            hint=f"Take another one; this is free again at {held.until:%H:%M} UTC at the latest.",
        )
    if held is None:
        held = Claim(product_id=product.id)
        session.add(held)
    held.person, held.person_name = person.person, person.name
    held.until = now + timedelta(minutes=CatalogSettings().claim_minutes)
    session.flush()
    return held

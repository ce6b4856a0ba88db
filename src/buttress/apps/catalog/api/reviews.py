"""Reviews: the queue, claims, ratings."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict

from buttress.api import SessionDep
from buttress.apps.catalog import app
from buttress.apps.catalog.api.documents import Id
from buttress.apps.catalog.api.products import ProductOut
from buttress.apps.catalog.schemas import Ratings
from buttress.apps.catalog.service import reviewing
from buttress.errors import NotFound


class ClaimOut(BaseModel):
    """Who reviews a product, and until when."""

    model_config = ConfigDict(from_attributes=True)

    product_id: int
    person_name: str
    until: datetime


class FeedbackOut(BaseModel):
    """What somebody said of an evaluation."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    evaluation_id: int
    person_name: str
    structure: int
    content: int
    translation: int
    overall: Decimal
    notes: dict[str, Any]


@app.api.get("/reviews", needs="data.review")
def queue(session: SessionDep, second: bool = False) -> list[ProductOut]:
    """What waits for a review, the most doubtful first; `second` for second opinions."""
    return [ProductOut.model_validate(one) for one in reviewing.queue(session, second=second)]


@app.api.post("/reviews/next", status=200, needs="data.review")
def claim_next(session: SessionDep, second: bool = False) -> ProductOut:
    """Claim the first product of the queue."""
    product = reviewing.claim_next(session, second=second)
    if product is None:
        raise NotFound("nothing waits for a review", hint="Extract products first.")
    return ProductOut.model_validate(product)


@app.api.post("/products/{product_id}/claim", status=200, needs="data.review")
def claim(product_id: Id, session: SessionDep) -> ClaimOut:
    """Claim a product for a review."""
    return ClaimOut.model_validate(reviewing.claim(session, product_id))


@app.api.delete("/products/{product_id}/claim", needs="data.review")
def release(product_id: Id, session: SessionDep) -> None:
    """Give a claimed product back."""
    reviewing.release(session, product_id)


@app.api.post("/evaluations/{evaluation_id}/feedback", needs="data.review")
def rate(evaluation_id: Id, ratings: Ratings, session: SessionDep) -> FeedbackOut:
    """Say what one thinks of it: 1 to 5 for each metric, with notes."""
    return FeedbackOut.model_validate(reviewing.rate(session, evaluation_id, ratings))

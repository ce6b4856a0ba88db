"""Products: found, looked at with their sources and scores, corrected."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from buttress.api import SessionDep
from buttress.api.paging import Asked, Filter, Listing, at_least, below, containing, equal
from buttress.api.types import Page, Text
from buttress.apps.catalog import app
from buttress.apps.catalog.api.documents import Id
from buttress.apps.catalog.models import Product
from buttress.apps.catalog.products import ProductType
from buttress.apps.catalog.service import adopting, products


class ProductOut(BaseModel):
    """A product in a list; scores from 1 to 5."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    product_type: str
    brand: str
    name: str
    overall: Decimal | None
    evaluation_id: int | None
    created_by_name: str
    created_at: datetime
    reviewed_at: datetime | None


class IssueOut(BaseModel):
    """Why points were lost."""

    model_config = ConfigDict(from_attributes=True)

    metric: str
    rule: str
    field: str
    message: str
    points: Decimal
    found: str | None
    expected: str | None


class EvaluationOut(BaseModel):
    """The scores of an extraction, and why points were lost; `judged` is what a model said."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    structure: Decimal
    content: Decimal
    translation: Decimal
    overall: Decimal
    issues: list[IssueOut]
    rules_version: int
    judge: str | None
    rubric_version: int | None
    judged: dict[str, Any] | None
    created_at: datetime


class ExtractionOut(BaseModel):
    """One extraction of a product."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    scope: str
    model: str
    temperature: Decimal
    prompts: dict[str, Any]
    notes: list[Any]
    seconds: float
    cost_usd: Decimal | None
    created_at: datetime


class CorrectionOut(BaseModel):
    """A field a person changed."""

    path: str
    before: JsonValue
    after: JsonValue
    person_name: str
    created_at: datetime


class WholeProduct(ProductOut):
    """A product with all that is known of it; `origins` tell by field where a value came from."""

    content: dict[str, Any]
    origins: dict[str, Any]
    evaluation: EvaluationOut | None
    extractions: list[ExtractionOut]
    corrections: list[CorrectionOut]
    sources: list[Any]


class NewValue(BaseModel):
    """A field by its path in the JSON, `catalogB.Subtypes.0.EAN`, and what it is to be.

    With `seen`, what it was when you looked, it is corrected only while it still is that.
    """

    path: Annotated[Text, Field(min_length=1, max_length=200)]
    value: JsonValue
    seen: JsonValue = None


PRODUCTS = Listing(
    ProductOut,
    Product.id,
    sort={"created_at": Product.created_at, "updated_at": Product.updated_at, "name": Product.name},
    filters={
        "type": equal(Product.product_type, ProductType),
        "brand": containing(Product.brand),
        "name": containing(Product.name),
        "overall_from": at_least(Product.overall),
        "overall_below": below(Product.overall),
        "reviewed": Filter(
            bool,
            lambda value: (
                Product.reviewed_at.is_not(None) if value else Product.reviewed_at.is_(None)
            ),
        ),
        "created_from": at_least(Product.created_at),
    },
    first="-created_at",
)


@app.api.get("/products")
def all_products(
    session: SessionDep, asked: Annotated[Asked, Depends(PRODUCTS)]
) -> Page[ProductOut]:
    """Products, the newest first."""
    return PRODUCTS.page(session, asked)


@app.api.get("/products/{product_id}")
def product(product_id: Id, session: SessionDep) -> WholeProduct:
    """One product with its content, where each value came from, scores, history."""
    found = products.whole(session, product_id)
    return WholeProduct(
        **ProductOut.model_validate(found.product).model_dump(),
        content=found.product.content,
        origins=found.product.origins,
        evaluation=None
        if found.evaluation is None
        else EvaluationOut.model_validate(found.evaluation),
        extractions=[ExtractionOut.model_validate(one) for one in found.extractions],
        corrections=[
            CorrectionOut(
                path=one.path,
                before=one.before["value"],
                after=one.after["value"],
                person_name=one.person_name,
                created_at=one.created_at,
            )
            for one in found.corrections
        ],
        sources=list(found.sources),
    )


@app.api.patch("/products/{product_id}")
def correct(product_id: Id, new: NewValue, session: SessionDep) -> ProductOut:
    """Correct one field; both values are kept."""
    # Whoever saw that it was empty says so.
    seen = products.Seen(new.seen) if "seen" in new.model_fields_set else None
    changed = products.correct(session, product_id, new.path, new.value, seen=seen)
    return ProductOut.model_validate(changed)


@app.api.delete("/products/{product_id}")
def delete(product_id: Id, session: SessionDep) -> None:
    """Delete a product with its history."""
    products.delete(session, product_id)


class AdoptedOut(BaseModel):
    """What was taken over from an older tool; `left` names rows that were not, and why."""

    model_config = ConfigDict(from_attributes=True)

    products: int
    evaluations: int
    feedback: int
    already: int
    left: list[str]


@app.api.post("/adoption", status=200, needs="data.import")
def adopt(session: SessionDep) -> AdoptedOut:
    """Make products of an older tool's tables that `buttress move` has brought in."""
    return AdoptedOut.model_validate(adopting.adopt(session))

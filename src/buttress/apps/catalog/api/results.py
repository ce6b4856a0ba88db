"""Results out: as a file, or sent to where the deployment delivers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from buttress.api import SessionDep
from buttress.api.paging import Asked, Listing, equal
from buttress.api.session import RuntimeDep
from buttress.api.types import Page
from buttress.apps.catalog import app, jobs
from buttress.apps.catalog.api.documents import Id
from buttress.apps.catalog.models import Delivery
from buttress.apps.catalog.products import ProductType
from buttress.apps.catalog.service import delivering, exporting
from buttress.apps.catalog.service.products import Filter
from buttress.exports import MEDIA_TYPES, Format
from buttress.files import content_disposition


class NewDelivery(BaseModel):
    """Products to be sent somewhere."""

    target: Literal["folder", "dropbox", "webhook"]
    format: Format = "json"
    products: list[Annotated[int, Field(ge=1, lt=2**63)]] = Field(min_length=1, max_length=5000)


class DeliveryOut(BaseModel):
    """Products that were, or are to be, sent somewhere."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    target: str
    format: str
    state: str
    place: str | None
    problem: str | None
    cure: str | None
    created_at: datetime
    sent_at: datetime | None


DELIVERIES = Listing(
    DeliveryOut,
    Delivery.id,
    sort={"created_at": Delivery.created_at},
    filters={"state": equal(Delivery.state), "target": equal(Delivery.target)},
    first="-created_at",
)


@app.api.get("/export", needs="data.export", media_type="application/octet-stream")
def export(
    session: SessionDep,
    format: Format = "json",
    type: ProductType | None = None,
    reviewed: bool | None = None,
) -> Response:
    """All products, or those of a type, as a file."""
    wanted = Filter(product_type=type, reviewed=reviewed)
    content = b"".join(exporting.export(session, format, wanted))
    headers = {"Content-Disposition": content_disposition(f"catalog.{format}")}
    return Response(content, media_type=MEDIA_TYPES[format], headers=headers)


@app.api.get("/deliveries")
def deliveries(
    session: SessionDep, asked: Annotated[Asked, Depends(DELIVERIES)]
) -> Page[DeliveryOut]:
    """Deliveries, the newest first."""
    return DELIVERIES.page(session, asked)


@app.api.post("/deliveries", status=202, needs="data.export")
def deliver(new: NewDelivery, session: SessionDep, runtime: RuntimeDep) -> DeliveryOut:
    """Send products to where the deployment delivers, in the background."""
    delivery = delivering.plan(session, new.target, new.format, new.products)
    runtime.jobs.enqueue(jobs.deliver, delivery.id, session=session)
    return DeliveryOut.model_validate(delivery)


@app.api.post("/deliveries/{delivery_id}/retry", status=202, needs="data.export")
def deliver_again(delivery_id: Id, session: SessionDep, runtime: RuntimeDep) -> DeliveryOut:
    """Send again what failed."""
    return DeliveryOut.model_validate(jobs.deliver_again(session, runtime.jobs, delivery_id))

"""Batches: drafts are filled, carried out, watched, and tried again where they failed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from buttress.api import SessionDep
from buttress.api.paging import Asked, Listing, containing, equal
from buttress.api.session import RuntimeDep
from buttress.api.types import Page, Text
from buttress.apps.catalog import app, jobs
from buttress.apps.catalog.api.documents import Id
from buttress.apps.catalog.models import Batch, Request
from buttress.apps.catalog.schemas import Again, ManyPages, ManyRows, NewRequest
from buttress.apps.catalog.service import batches, drafts

State = Literal["draft", "waiting", "working", "done", "failed"]


class ProgressOut(BaseModel):
    """How many requests are in which state."""

    model_config = ConfigDict(from_attributes=True)

    draft: int
    waiting: int
    working: int
    done: int
    failed: int
    total: int
    ended: bool


class BatchOut(BaseModel):
    """A batch; a draft until `executed_at`."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    created_at: datetime
    executed_at: datetime | None
    job_id: str | None


class BatchProgress(BatchOut):
    """A batch and how far it is."""

    progress: ProgressOut


class PartOut(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(from_attributes=True)

    source_id: int
    chosen: dict[str, Any]


class RequestOut(BaseModel):
    """A product to be extracted; `problem` and `cure` when it failed, `product_id` when done."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    position: int
    product_type: str
    model: str
    temperature: Decimal
    prompt_id: int | None
    hint: str
    scope: str
    state: State
    attempts: int
    product_id: int | None
    problem: str | None
    cure: str | None
    sources: list[PartOut]


class Named(BaseModel):
    """What people call it."""

    name: Annotated[Text, Field(min_length=1, max_length=200)]


class Reprocessing(Again, Named):
    """Products to be extracted anew, in a batch of that name, which is begun at once."""


class Added(BaseModel):
    """The requests that were added."""

    requests: list[int]


BATCHES = Listing(
    BatchOut,
    Batch.id,
    sort={"created_at": Batch.created_at, "name": Batch.name},
    filters={"name": containing(Batch.name)},
    first="-created_at",
)
REQUESTS = Listing(
    RequestOut,
    Request.id,
    sort={"position": Request.position},
    filters={"state": equal(Request.state, State)},
    first="position",
)


@app.api.get("/batches")
def all_batches(session: SessionDep, asked: Annotated[Asked, Depends(BATCHES)]) -> Page[BatchOut]:
    """Batches, the newest first."""
    return BATCHES.page(session, asked)


@app.api.post("/batches")
def draft(new: Named, session: SessionDep) -> BatchOut:
    """Begin a draft."""
    return BatchOut.model_validate(drafts.draft(session, new.name))


@app.api.get("/batches/{batch_id}")
def batch(batch_id: Id, session: SessionDep) -> BatchProgress:
    """One batch and how far it is."""
    found = batches.batch_of(session, batch_id)
    progress = batches.progress(session, [batch_id])[batch_id]
    return BatchProgress(
        **BatchOut.model_validate(found).model_dump(), progress=ProgressOut.model_validate(progress)
    )


@app.api.get("/batches/{batch_id}/requests")
def requests(
    batch_id: Id, session: SessionDep, asked: Annotated[Asked, Depends(REQUESTS)]
) -> Page[RequestOut]:
    """The products of a batch, in their order."""
    batches.batch_of(session, batch_id)
    return REQUESTS.page(session, asked, select(Request).where(Request.batch_id == batch_id))


@app.api.post("/batches/{batch_id}/requests")
def add(batch_id: Id, new: NewRequest, session: SessionDep) -> RequestOut:
    """Add a product to a draft."""
    return RequestOut.model_validate(drafts.add(session, batch_id, new))


@app.api.post("/batches/{batch_id}/rows")
def add_rows(batch_id: Id, new: ManyRows, session: SessionDep) -> Added:
    """Add rows of a sheet to a draft, each a product."""
    return Added(requests=[one.id for one in drafts.add_rows(session, batch_id, new)])


@app.api.post("/batches/{batch_id}/pages")
def add_pages(batch_id: Id, new: ManyPages, session: SessionDep) -> Added:
    """Add pages of the web to a draft, each a product."""
    return Added(requests=[one.id for one in drafts.add_pages(session, batch_id, new)])


@app.api.delete("/requests/{request_id}")
def remove(request_id: Id, session: SessionDep) -> None:
    """Take a product out of a draft."""
    drafts.remove(session, request_id)


@app.api.post("/batches/{batch_id}/execution", status=202, needs="jobs.run")
def execute(batch_id: Id, session: SessionDep, runtime: RuntimeDep) -> BatchOut:
    """Carry out a draft, in the background."""
    return BatchOut.model_validate(jobs.execute(session, runtime.jobs, batch_id))


@app.api.post("/batches/{batch_id}/retry", status=202, needs="jobs.run")
def retry(batch_id: Id, session: SessionDep, runtime: RuntimeDep) -> BatchOut:
    """Try again what failed, and nothing else."""
    return BatchOut.model_validate(jobs.retry(session, runtime.jobs, batch_id))


@app.api.post("/reprocessing", status=202, needs="jobs.run")
def reprocess(wanted: Reprocessing, session: SessionDep, runtime: RuntimeDep) -> BatchOut:
    """Extract products anew, or choose their customs codes anew, in the background."""
    made = drafts.again(session, wanted.name, wanted)
    return BatchOut.model_validate(jobs.execute(session, runtime.jobs, made.id))

"""Documents: uploaded files are taken in, looked at and chosen from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Response
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from buttress.access import require
from buttress.api import SessionDep
from buttress.api.paging import Asked, Listing, containing, equal
from buttress.api.session import RuntimeDep
from buttress.api.types import Page, Text
from buttress.apps.catalog import app
from buttress.apps.catalog.models import Source
from buttress.apps.catalog.service import sources
from buttress.exports.cells import plain
from buttress.files import for_owner

Id = Annotated[int, InPath(ge=1, lt=2**63)]
"""The number of something, in a path."""


class DocumentOut(BaseModel):
    """A document; `outline` has what can be chosen: `pages`, or `sheets` with a proposed header."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: Literal["pdf", "sheet", "web"]
    name: str
    url: str | None
    outline: dict[str, Any]
    notes: list[Any]
    created_at: datetime


class NewDocument(BaseModel):
    """A file that was uploaded to /api/v1/files."""

    file_id: UUID


class Rows(BaseModel):
    """Rows of a sheet, from the first one asked for; `total` counts all."""

    rows: list[list[Any]]
    total: int


DOCUMENTS = Listing(
    DocumentOut,
    Source.id,
    sort={"created_at": Source.created_at, "name": Source.name},
    filters={"kind": equal(Source.kind), "name": containing(Source.name)},
    first="-created_at",
)


@app.api.get("/documents")
def documents(
    session: SessionDep, asked: Annotated[Asked, Depends(DOCUMENTS)]
) -> Page[DocumentOut]:
    """Documents, the newest first."""
    return DOCUMENTS.page(session, asked)


@app.api.post("/documents", needs="data.import")
def take_document(new: NewDocument, session: SessionDep, runtime: RuntimeDep) -> DocumentOut:
    """Take in one of one's own files: a PDF, XLSX, XLS, ODS, CSV or TSV."""
    file = for_owner(session, new.file_id, require("data.import").person)
    # An upload of its own, so that deleting the first one takes nothing from the catalog.
    taken = sources.take(session, runtime.files, runtime.files.blocks(file), file.name)
    return DocumentOut.model_validate(taken)


@app.api.get("/documents/{document_id}")
def document(document_id: Id, session: SessionDep) -> DocumentOut:
    """One document."""
    return DocumentOut.model_validate(sources.source_of(session, document_id))


@app.api.get("/documents/{document_id}/pages/{page}", media_type="image/png")
def page_image(document_id: Id, page: Id, session: SessionDep, runtime: RuntimeDep) -> Response:
    """A page of a PDF as an image."""
    image = sources.page_image(session, runtime.files, document_id, page, scale=1.0)
    return Response(image, media_type="image/png")


@app.api.get("/documents/{document_id}/sheets/{sheet}")
def sheet_rows(
    document_id: Id,
    sheet: Text,
    session: SessionDep,
    runtime: RuntimeDep,
    start: Annotated[int, Field(ge=1, lt=2**31)] = 1,
    limit: Annotated[int, Field(ge=1, le=1000)] = 100,
) -> Rows:
    """Rows of a sheet from row `start`, counted from 1."""
    rows = sources.sheet_rows(session, runtime.files, document_id, sheet)
    chosen = rows[start - 1 : start - 1 + limit]
    return Rows(rows=[[plain(cell) for cell in row] for row in chosen], total=len(rows))

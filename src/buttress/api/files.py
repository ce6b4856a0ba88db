"""Files under `/api/v1/files`: each person's own, always to be saved, never shown as our pages."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from buttress.access import require
from buttress.api.etags import among
from buttress.api.paging import Asked, Listing, containing, equal
from buttress.api.permission import needs
from buttress.api.route import Claim, StrictRoute, claims_itself
from buttress.api.session import SessionDep
from buttress.api.types import Page, Text
from buttress.errors import Conflict
from buttress.files import File, Files, content_disposition, for_owner
from buttress.runtime import Runtime

MEMORY_BYTES = 1 << 20
BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

router = APIRouter(tags=["Files"], route_class=StrictRoute)


class FileOut(BaseModel):
    """An upload."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    media_type: str
    bytes: int
    sha256: str
    app: str
    created_at: datetime


FILES = Listing(
    FileOut,
    File.id,
    sort={"created_at": File.created_at, "name": File.name, "bytes": File.bytes},
    filters={
        "name": containing(File.name),
        "media_type": equal(File.media_type),
        "app": equal(File.app),
    },
    first="-created_at",
)


@router.get("/files", dependencies=[needs("files.read")])
def own_files(session: SessionDep, asked: Annotated[Asked, Depends(FILES)]) -> Page[FileOut]:
    """One's own files, the newest first."""
    own = select(File).where(File.owner == require("files.read").person)
    return FILES.page(session, asked, own)


@router.post(
    "/files",
    status_code=201,
    dependencies=[needs("files.write"), Depends(claims_itself)],
    openapi_extra={"requestBody": {"required": True, "content": BINARY}},
)
async def upload(request: Request, name: Text) -> FileOut:
    """Keep a file; the body is its content, as it is."""
    runtime: Runtime = request.app.state.runtime
    owner = require("files.write").person
    claim: Claim | None = request.state.claim
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as spooled:
        async for block in request.stream():
            digest.update(block)
            spooled.write(block)
        spooled.seek(0)

        def put() -> FileOut:
            with runtime.session() as session:
                if claim:
                    claim.begin(session, digest.digest())
                file = runtime.files.put(session, spooled, name=name, app="api", owner=owner)
                made = FileOut.model_validate(file)
                if claim:
                    claim.keep(Response(made.model_dump_json(), 201, media_type="application/json"))
                return made

        return await anyio.to_thread.run_sync(put)


@router.get(
    "/files/{file_id}",
    dependencies=[needs("files.read")],
    response_model=None,
    response_class=StreamingResponse,
    responses={200: {"content": BINARY}, 206: {"content": BINARY}, 304: {}, 416: {}},
)
def download(file_id: UUID, request: Request, session: SessionDep) -> Response:
    """The content of one of one's own files."""
    runtime: Runtime = request.app.state.runtime
    file = for_owner(session, file_id, require("files.read").person)
    return file_response(runtime.files, file, request)


@router.delete("/files/{file_id}", status_code=204, dependencies=[needs("files.write")])
def delete_file(file_id: UUID, request: Request, session: SessionDep) -> None:
    """Delete one of one's own files; those of an app are deleted there."""
    runtime: Runtime = request.app.state.runtime
    file = for_owner(session, file_id, require("files.write").person)
    if file.app != "api":
        raise Conflict(f"{file.name} belongs to {file.app}", hint="Delete there what needs it.")
    runtime.files.delete(session, file)


_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def file_response(files: Files, file: File, request: Request) -> Response:
    """The content of a file its caller may have, or the part that was asked for.

    304 when the browser has it already, 416 for a part it has not.
    """
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": content_disposition(file.name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
        # A shared cache would give it to others; the browser asks each time whether it still may.
        "Cache-Control": "private, no-cache",
    }
    if among(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    start, end, status = 0, file.bytes, 200
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if asked and request.headers.get("if-range", etag) == etag:
        start, end = _part(asked, file.bytes)
        status = 206
        if start >= end:
            headers["Content-Range"] = f"bytes */{file.bytes}"
            return Response(status_code=416, headers=headers)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.bytes}"
    headers["Content-Length"] = str(end - start)
    blocks = files.blocks(file) if status == 200 else _between(files.blocks(file), start, end)
    return StreamingResponse(blocks, status, media_type=file.media_type, headers=headers)


def _part(asked: re.Match[str], size: int) -> tuple[int, int]:
    """From where to before where; the same twice for a part that is not there."""
    first, last = asked[1], asked[2]
    if first:
        return int(first), min(int(last) + 1, size) if last else size
    return (max(size - int(last), 0), size) if last and int(last) else (size, size)


def _between(blocks: Iterator[bytes], start: int, end: int) -> Iterator[bytes]:
    at = 0
    for block in blocks:
        part = block[max(start - at, 0) : end - at]
        if part:
            yield part
        at += len(block)
        if at >= end:
            return

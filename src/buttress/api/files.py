"""A file as an answer: always to be saved, never shown as part of our own pages.

Not mounted here: who is asking is known to whoever mounts it. With a session open and the person
known, a route is two lines:

    file = for_owner(session, id, person.id)
    return file_response(runtime.files, file, request)
"""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from buttress.files import File, Files, content_disposition


def file_response(files: Files, file: File, request: Request) -> Response:
    """The content of a file its caller may have; 304 when the browser has it already."""
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Content-Disposition": content_disposition(file.name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
        # A shared cache would give it to others; the browser asks each time whether it still may.
        "Cache-Control": "private, no-cache",
    }
    if _has(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(file.bytes)
    return StreamingResponse(files.blocks(file), media_type=file.media_type, headers=headers)


def _has(header: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return etag in tags or "*" in tags

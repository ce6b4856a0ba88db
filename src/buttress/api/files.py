"""A file as an answer: always to be saved, never shown as part of our own pages.

Not mounted here: who is asking is known to whoever mounts it. With a session open and the person
known, a route is two lines:

    file = for_owner(session, id, person.id)
    return file_response(runtime.files, file, request)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from buttress.files import File, Files, content_disposition

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
    if _has(request.headers.get("if-none-match", ""), etag):
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


def _has(header: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return etag in tags or "*" in tags

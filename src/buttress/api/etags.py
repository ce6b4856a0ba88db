"""What has not changed is not sent again, and what changed meanwhile is not overwritten."""

from __future__ import annotations

import hashlib

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from buttress.errors import Conflict


class Changed(Conflict):
    """It is not any more what the request was made for."""

    http_status = 412


def etag_of(body: bytes) -> str:
    """The tag of an answer."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def among(header: str, etag: str) -> bool:
    """Whether a tag is one of those in If-None-Match or If-Match."""
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return etag in tags or "*" in tags


def refuse_changed(request: Request, now: BaseModel) -> None:
    """Raise Changed when the request was made for something else than what is there now."""
    wanted = request.headers.get("if-match")
    if wanted is not None and not among(wanted, etag_of(now.model_dump_json().encode())):
        raise Changed("it was changed meanwhile", hint="Read it again, then change that.")


class TellUnchanged:
    """The middleware: JSON that was read has an ETag, and 304 answers who has it already."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or leave alone what reads nothing."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        start: Message | None = None

        async def tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and taggable(message):
                start = message  # it waits for the body, which decides what it says
                return
            if start is None:
                await send(message)
                return
            begun, start = start, None
            if not message.get("more_body", False):
                etag = etag_of(message.get("body", b""))
                headers = MutableHeaders(scope=begun)
                headers["etag"] = etag
                headers.setdefault("cache-control", "private, no-cache")
                if known and among(known, etag):
                    del headers["content-length"]
                    begun = {**begun, "status": 304}
                    message = {"type": "http.response.body", "body": b""}
            await send(begun)
            await send(message)

        await self.app(scope, receive, tagged)


def taggable(start: Message) -> bool:
    """Whether an answer is one of ours that has no tag yet."""
    headers = Headers(scope=start)
    return (
        start["status"] == 200
        and headers.get("content-type", "").startswith("application/json")
        and "etag" not in headers
        and "no-store" not in headers.get("cache-control", "")
    )

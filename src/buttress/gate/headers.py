"""What every answer says to browsers about what they may do with it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from buttress.gate.origin import Arrival

INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)
YEAR_SECONDS = 31_536_000


@cache
def script_hashes() -> Sequence[str]:
    """Of the scripts that stand in the workspace's page itself; they come with Streamlit."""
    page = Path(streamlit.__file__).with_name("static") / "index.html"
    return [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in INLINE_SCRIPT.findall(page.read_text(encoding="utf-8"))
    ]


@cache
def content_policy() -> str:
    """What pages may load and run: only ours, and no script written into a page."""
    return "; ".join(
        [
            "default-src 'self'",
            # The workspace's diagrams are WebAssembly.
            " ".join(["script-src 'self' 'wasm-unsafe-eval'", *script_hashes()]),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "frame-src 'none'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def adding(send: Send, arrival: Arrival) -> Send:
    """The same `send`, with the headers on the answer."""

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("content-security-policy", content_policy())
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "same-origin"
            headers["cross-origin-opener-policy"] = "same-origin"
            headers["permissions-policy"] = "camera=(), geolocation=(), payment=(), usb=()"
            headers["x-request-id"] = arrival.origin.request_id
            if arrival.secure:
                headers["strict-transport-security"] = f"max-age={YEAR_SECONDS}"
            if "server" in headers:
                del headers["server"]
        await send(message)

    return with_headers

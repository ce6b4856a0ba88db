"""Tells health how long answers took, and which were errors of ours."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from buttress.health.responses import Responses

NOT_COUNTED = ("/health", "/metrics")
"""Probes: they would make any process look fast."""


class TimeResponses:
    """The middleware: seconds until an answer begins."""

    def __init__(self, app: ASGIApp, responses: Responses) -> None:
        self.app = app
        self.responses = responses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time one request, or leave alone what is none."""
        if scope["type"] != "http" or scope["path"].startswith(NOT_COUNTED):
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.responses.add(time.perf_counter() - began, error=message["status"] >= 500)
            await send(message)

        await self.app(scope, receive, timed)

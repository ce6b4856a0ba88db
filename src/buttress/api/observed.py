"""Every request and WebSocket, as operators see it: its id, its figures, its span.

This stands around the gate, so that what the gate refuses is counted too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from buttress import telemetry
from buttress.telemetry.metrics import Counts, Times, of_process

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

REQUEST_ID = "x-request-id"
GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
FIRST_PARTS = ("_stcore", "api", "health", "media", "metrics", "sign-in", "sign-out", "static")
SEEN = "buttress.seen"
GONE = "499"
"""The status of a request whose browser left before there was one, as nginx has it."""


class Observed:
    """The middleware around everything."""

    def __init__(self, inside: ASGIApp) -> None:
        self.inside = inside
        self.requests = Counts(of_process.REQUESTS)
        self.seconds = Times(of_process.REQUEST_SECONDS)
        self.in_flight = Counts(of_process.IN_FLIGHT)
        self.sockets = Counts(of_process.SOCKETS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and take note."""
        if scope["type"] == "lifespan":
            telemetry.collectors.append(self)
            try:
                await self.inside(scope, receive, send)
            finally:
                telemetry.collectors.remove(self)
            return
        scope = dict(scope)
        request_id = settled_id(scope)
        with telemetry.working_for(request_id=request_id):
            if scope["type"] == "websocket":
                await self._socket(scope, receive, send, request_id)
            else:
                await self._request(scope, receive, send)

    def collect(self) -> Iterator[Metric]:
        """The families of metrics."""
        for counted in (self.requests, self.seconds, self.in_flight, self.sockets):
            yield from counted.collect()

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        status = GONE

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "other"
        seen: list[Scope] = []
        scope[SEEN] = seen
        parent = header(scope, b"traceparent")
        self.in_flight.add()
        try:
            with telemetry.span(method, "server", {"http.request.method": method}, parent=parent):
                try:
                    await self.inside(scope, receive, noting)
                except BaseException:
                    status = "500" if status == GONE else status
                    raise
                finally:
                    route = route_of(seen[0] if seen else scope)
                    telemetry.annotate(
                        {"http.route": route, "http.response.status_code": int(status)},
                        name=f"{method} {route}",
                    )
        finally:
            self.in_flight.add(by=-1)
            self.requests.add(method, route, status)
            self.seconds.add(time.perf_counter() - began, method, route)

    async def _socket(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        accepted = False

        async def noting(message: Message) -> None:
            nonlocal accepted
            if message["type"] == "websocket.accept":
                accepted = True
                self.sockets.add()
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            await self.inside(scope, receive, noting)
        finally:
            if accepted:
                self.sockets.add(by=-1)


class NoteRoute:
    """The middleware inside the gate: the router writes the route into the scope it is given."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let `Observed` see that scope."""
        seen = scope.get(SEEN)
        if seen is not None:
            seen.append(scope)
        await self.app(scope, receive, send)


def settled_id(scope: Scope) -> str:
    """The request's id: that of the caller if it is one, else a new one, and so for all inside."""
    given = header(scope, REQUEST_ID.encode())
    request_id = given if GIVEN_ID.fullmatch(given) else uuid4().hex
    others = [pair for pair in scope["headers"] if pair[0] != REQUEST_ID.encode()]
    scope["headers"] = [*others, (REQUEST_ID.encode(), request_id.encode())]
    return request_id


def header(scope: Scope, name: bytes) -> str:
    """The first header of that name; empty without one."""
    found = (value for key, value in scope["headers"] if key == name)
    return next(found, b"").decode("latin-1")


def route_of(scope: Scope) -> str:
    """The pattern of the route that answered, or the part of the deployment that was asked: never
    what anybody cared to ask for."""
    pattern = getattr(scope.get("route"), "path_format", None)
    if pattern is not None:
        return f"{scope.get('root_path', '')}{pattern}"
    first = scope["path"].lstrip("/").partition("/")[0]
    return f"/{first}" if first in FIRST_PARTS else "workspace"

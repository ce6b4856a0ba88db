"""Tells the query monitor which route a statement was sent for."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from buttress import telemetry


class RoutePlace(telemetry.Place):
    """A route, named by its pattern once it has been found: `route GET /api/tickets/{id}`."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self.seen = {}
        self._scope = scope

    def __getattr__(self, attribute: str) -> str:
        # Asked for a name that is not there yet. What no route answers is not told by its path,
        # of which there are as many as anybody cares to ask for.
        if attribute != "name":
            raise AttributeError(attribute)
        route = self._scope.get("route")
        pattern = getattr(route, "path_format", None)
        if pattern is None:
            return f"route {self._scope['method']} elsewhere"
        self.name = f"route {self._scope['method']} {self._scope.get('root_path', '')}{pattern}"
        return self.name


class TellPlace:
    """The middleware: every HTTP request is a place of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or leave alone what is none."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        token = telemetry.place.set(RoutePlace(scope))
        try:
            await self.app(scope, receive, send)
        finally:
            telemetry.place.reset(token)

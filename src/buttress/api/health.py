"""The six health endpoints on FastAPI; `/health/live` touches nothing.

Outside of Buttress's own API:

    app = FastAPI()
    app.include_router(router(runtime))
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from buttress.access import current
from buttress.health import PATHS
from buttress.runtime import Runtime


def router(runtime: Runtime) -> APIRouter:
    """The routes, for an open runtime."""
    routes = APIRouter(tags=["health"])

    async def answer(request: Request) -> Response:
        path = request.url.path.removeprefix(str(request.scope.get("root_path", "")))
        # The prefix of a router that includes this one is not ours.
        path = path[path.rfind("/health") :] if "/health" in path else path
        reply = await runtime.health.async_answer(
            path.rstrip("/"), permitted=is_permitted(runtime, request)
        )
        return Response(reply.body, reply.status, reply.headers)

    for path in (*PATHS, "/health/{rest:path}"):
        routes.add_api_route(
            path, answer, methods=["GET", "HEAD"], include_in_schema=False, response_model=None
        )
    return routes


def is_permitted(runtime: Runtime, request: Request) -> bool:
    """Whether whoever asks may see details."""
    identity, headers = current(), request.headers
    if identity is not None and identity.may("health.read"):
        return True
    return runtime.health.permits(
        authorization=headers.get("authorization", ""),
        client=request.client.host if request.client else "",
        host=headers.get("host", ""),
        forwarded="x-forwarded-for" in headers or "forwarded" in headers,
    )

"""The API of a deployment: health at the root, every app's routes under `/api/v1/<app>`."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
from fastapi import APIRouter, FastAPI, Response

from buttress.api import audit, credentials, files, health, jobs, metrics, operations, people, usage
from buttress.api.etags import TellUnchanged
from buttress.api.observed import NoteRoute
from buttress.api.permission import needs
from buttress.api.place import TellPlace
from buttress.api.problems import PROBLEM_TYPE, Problem, explain_problems
from buttress.api.reference import add_reference
from buttress.api.responses import TimeResponses
from buttress.api.route import StrictRoute
from buttress.app import App
from buttress.errors import NotFound
from buttress.runtime import Runtime

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description, "content": {PROBLEM_TYPE: {}}}
    for status, description in {
        400: "The body cannot be read",
        401: "Nobody is signed in",
        403: "The person or the token may not do this",
        404: "What was named does not exist",
        408: "The body did not arrive in time",
        409: "Its state does not allow it",
        412: "It was changed meanwhile",
        413: "The body is too large",
        422: "The request does not fit",
        429: "Too many requests",
        503: "A server does not answer now",
    }.items()
}

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_api(runtime: Runtime, *, lifespan: Lifespan | None = None) -> FastAPI:
    """The ASGI application of an open runtime.

    `lifespan` is that of an application mounted beside the API: it runs as long as the API does.
    """

    @asynccontextmanager
    async def whole_life(root: FastAPI) -> AsyncIterator[None]:
        async with (lifespan or nothing)(root):
            # Routes run in threads: more of them than connections would only wait for each other.
            pool = runtime.settings.pool
            limiter = anyio.to_thread.current_default_thread_limiter()
            limiter.total_tokens = pool.size + pool.overflow
            threading.Thread(target=runtime.health.prepare, daemon=True).start()
            yield

    root = FastAPI(lifespan=whole_life, docs_url=None, redoc_url=None, openapi_url=None)
    root.state.runtime = runtime
    explain_problems(root)
    root.include_router(health.router(runtime))
    root.include_router(metrics.router)
    root.add_middleware(TellPlace)
    root.add_middleware(NoteRoute)
    root.add_middleware(TimeResponses, responses=runtime.health.responses)

    # An application of its own: what it does not know is answered as a problem, not by a page.
    api = FastAPI(title="Buttress", version="1", docs_url=None, redoc_url=None, responses=PROBLEMS)
    api.state.runtime = runtime
    explain_problems(api)
    add_reference(api, path="/docs")
    api.add_middleware(TellUnchanged)
    for room in (people, credentials, audit, files, jobs, usage, operations):
        api.include_router(room.router)
    for app in runtime.apps:
        api.include_router(app_router(app))
    root.mount("/api/v1", api)
    root.add_api_route("/api{rest:path}", elsewhere, methods=METHODS, include_in_schema=False)
    return root


async def elsewhere(rest: str) -> None:
    """There is one version of the API, and it says so."""
    raise NotFound(
        f"there is no /api{rest}", hint="All routes begin with /api/v1; see /api/v1/docs."
    )


@asynccontextmanager
async def nothing(_: FastAPI) -> AsyncIterator[None]:
    """The lifespan of nothing."""
    yield


def app_router(app: App) -> APIRouter:
    """The routes an app recorded, under its name."""
    router = APIRouter(prefix=f"/{app.name}", tags=[app.title], route_class=StrictRoute)
    for route in app.routes:
        router.add_api_route(
            route.path,
            route.endpoint,
            methods=[route.method],
            status_code=route.status,
            summary=route.summary,
            dependencies=[needs(route.needs)],
            **answers_with(route.media_type),
        )
    return router


def answers_with(media_type: str | None) -> dict[str, Any]:
    """How a route is told that answers with bytes."""
    if media_type is None:
        return {}
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {
        "response_model": None,
        "response_class": Response,
        "responses": {200: {"content": content}},
    }

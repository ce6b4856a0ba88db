"""The API of a deployment: health at the root, every app's routes under `/api/<app>`."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
from fastapi import APIRouter, Depends, FastAPI

from buttress.api import health, metrics
from buttress.api.permission import needing
from buttress.api.place import TellPlace
from buttress.api.problems import explain_problems
from buttress.api.responses import TimeResponses
from buttress.app import App
from buttress.runtime import Runtime

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
    root.add_middleware(TimeResponses, responses=runtime.health.responses)

    # An application of its own: what it does not know is answered as a problem, not by a page.
    api = FastAPI(title="Buttress", version="1", docs_url="/docs", redoc_url=None)
    api.state.runtime = runtime
    explain_problems(api)
    for app in runtime.apps:
        api.include_router(app_router(app))
    root.mount("/api", api)
    return root


@asynccontextmanager
async def nothing(_: FastAPI) -> AsyncIterator[None]:
    """The lifespan of nothing."""
    yield


def app_router(app: App) -> APIRouter:
    """The routes an app recorded, under its name."""
    router = APIRouter(prefix=f"/{app.name}", tags=[app.title])
    for route in app.routes:
        router.add_api_route(
            route.path,
            route.endpoint,
            methods=[route.method],
            status_code=route.status,
            summary=route.summary,
            dependencies=[Depends(needing(route.needs))],
        )
    return router

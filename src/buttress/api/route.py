"""The class of all our routes: refuses what nobody can store, and does what is sent twice once."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from fastapi import Request, Response
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session

from buttress.access import current, repeats
from buttress.access.repeats import Answered
from buttress.api.session import going_on, request_session
from buttress.api.storable import refuse_unstorable
from buttress.errors import BadInput
from buttress.runtime import Runtime

HEADER = "idempotency-key"
LONGEST_KEY = 200
KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "yours for this request: sent again within a day, it is not done twice",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
}

Handle = Callable[[Request], Coroutine[Any, Any, Response]]


class Again(Exception):  # no error: it leaves the route with the answer that is kept
    """The request was answered before."""

    def __init__(self, answered: Answered) -> None:
        super().__init__()
        self.answered = answered


class Claim:
    """A key that a request brought, and the transaction it counts in."""

    def __init__(self, request: Request, key: str) -> None:
        identity = current()
        assert identity is not None
        query = f"?{request.url.query}" if request.url.query else ""
        self.person = identity.person
        self.key = key
        self.line = f"{request.method} {request.url.path}{query}"
        self.digest = b""
        self.around: Session | None = None
        """The request's own transaction, in which the work begins with the claim."""
        self.session: Session | None = None

    def begin(self, session: Session, digest: bytes | None = None) -> None:
        """Claim it in this transaction; raises `Again` when it was answered."""
        found = repeats.begin(
            session, self.person, self.key, self.line, self.digest if digest is None else digest
        )
        if found is not None:
            raise Again(found)
        self.session = session

    def keep(self, response: Response) -> None:
        """Keep the answer in the same transaction; not one that browsers must not keep either."""
        if self.session is None:
            return
        secret = response.headers.get("cache-control") == "no-store"
        repeats.keep(
            self.session, self.person, self.key, status=response.status_code,
            media_type=response.headers.get("content-type"),
            body=None if secret else bytes(response.body),
        )  # fmt: skip
        self.session = None


_claim: ContextVar[Claim | None] = ContextVar("buttress_claim", default=None)
"""Of the request that is answered."""


class StrictRoute(APIRoute):
    """A route of the API.

    What a POST with an `Idempotency-Key` did and answered is one transaction where the route takes
    `SessionDep`. Where it takes none the answer is kept after the work: what was killed between the
    two is done again.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            extra = dict(options.get("openapi_extra") or {})
            extra["parameters"] = [*extra.get("parameters", []), KEY_PARAMETER]
            options["openapi_extra"] = extra
        super().__init__(path, self._working(endpoint), **options)

    def _working(self, endpoint: Callable[..., Any]) -> Callable[..., Any]:
        """The endpoint as a coroutine that claims the key first; what is none works in a thread.

        Handing over to a thread and back takes as long as a small query, so that claim, work and
        the validation of what comes of it, which may ask the database, are one hand-over.
        """
        if getattr(endpoint, "claims_first", False):
            return endpoint  # a router that includes another makes its routes anew

        def work(*args: Any, **options: Any) -> Any:
            claimed()
            return self._valid(endpoint(*args, **options))

        @functools.wraps(endpoint)
        async def working(*args: Any, **options: Any) -> Any:
            if not inspect.iscoroutinefunction(endpoint):
                return await run_in_threadpool(work, *args, **options)
            if _claim.get() is not None:
                await run_in_threadpool(claimed)
            return await endpoint(*args, **options)

        working.claims_first = True  # type: ignore[attr-defined]
        return working

    def _valid(self, answer: Any) -> Any:
        """The answer as the route's model, at which FastAPI looks again without asking anybody."""
        if self.response_field is None or isinstance(answer, Response):
            return answer
        value, errors = self.response_field.validate(answer, {}, loc=("response",))
        return answer if errors else value  # FastAPI tells what is wrong with it

    def get_route_handler(self) -> Handle:
        """What answers a request."""
        handle = super().get_route_handler()
        reads_body = self.body_field is not None
        own_session = not takes_session(self.dependant)

        async def strict(request: Request) -> Response:
            body = await request.body() if reads_body else b""
            refuse_unstorable(request, body)
            claim = claim_of(request)
            request.state.claim = claim
            if claim is None:
                return await handle(request)
            claim.digest = hashlib.sha256(body).digest()
            token = _claim.set(claim)
            try:
                if not own_session:
                    return await kept(claim, handle, request)
                runtime: Runtime = request.app.state.runtime
                async with (
                    holding(runtime),
                    contextmanager_in_threadpool(runtime.session()) as session,
                ):
                    await run_in_threadpool(claim.begin, session)
                    return await kept(claim, handle, request)
            except Again as again:
                return Response(
                    again.answered.body,
                    again.answered.status,
                    media_type=again.answered.media_type,
                    headers={"idempotency-replayed": "true"},
                )
            finally:
                _claim.reset(token)

        return strict


def claimed() -> None:
    """Begin the transaction of a request that brought a key with its claim."""
    claim = _claim.get()
    if claim is not None and claim.around is not None:
        claim.begin(claim.around)


_holding: RunVar[CapacityLimiter] = RunVar("buttress_holding")


def holding(runtime: Runtime) -> CapacityLimiter:
    """Who may hold a connection for a claim while the work takes another: half of the pool's, so
    that they never wait for each other."""
    limiter = _holding.get(None)
    if limiter is None:
        pool = runtime.settings.pool
        limiter = CapacityLimiter(max((pool.size + pool.overflow) // 2, 1))
        _holding.set(limiter)
    return limiter


async def kept(claim: Claim, handle: Handle, request: Request) -> Response:
    """The answer, kept before the transaction is committed."""
    response = await handle(request)
    await to_thread.run_sync(claim.keep, response, limiter=going_on())
    return response


def claim_of(request: Request) -> Claim | None:
    """The key a request brings, None for one without; raises BadInput for what cannot be one."""
    key = request.headers.get(HEADER)
    if key is None or request.method != "POST" or current() is None:
        return None
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise BadInput(
            "the Idempotency-Key cannot be one",
            hint=f"Send 1 to {LONGEST_KEY} printable ASCII characters, such as a UUID.",
        )
    return Claim(request, key)


async def claims_itself() -> None:
    """Depended on by a route that reads its body as it arrives, and claims the key thereafter."""


def takes_session(dependant: Dependant) -> bool:
    """Whether a route does its work in the transaction of its request, or sees to it itself."""
    return dependant.call in (request_session, claims_itself) or any(
        map(takes_session, dependant.dependencies)
    )

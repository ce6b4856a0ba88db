"""The transaction of a request: committed before the answer is sent, rolled back on any error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from anyio import CancelScope, CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.orm import Session

from buttress.runtime import Runtime

ENDING_AT_ONCE = 40
_ending: RunVar[CapacityLimiter] = RunVar("buttress_ending")
"""Threads that end transactions. Those that routes run in may all wait for a connection, which
only a transaction that ends gives back."""


async def request_session(request: Request) -> AsyncIterator[Session]:
    """One session as role `app` for one request, in which a key that it brought is claimed.

    It is opened here, where nothing is asked of the server yet: what a route calls in its thread
    knows then that a transaction is open around it, the cache above all.
    """
    runtime: Runtime = request.app.state.runtime
    opened = runtime.session()
    session = opened.__enter__()
    try:
        claim = getattr(request.state, "claim", None)
        if claim is not None:
            await run_in_threadpool(claim.begin, session)
        yield session
    except BaseException as error:
        with CancelScope(shield=True):  # a request that is given up gives back its connection too
            await to_thread.run_sync(
                opened.__exit__, type(error), error, error.__traceback__, limiter=ending()
            )
        raise
    await to_thread.run_sync(opened.__exit__, None, None, None, limiter=ending())


def ending() -> CapacityLimiter:
    """The running loop's threads that end transactions."""
    limiter = _ending.get(None)
    if limiter is None:
        limiter = CapacityLimiter(ENDING_AT_ONCE)
        _ending.set(limiter)
    return limiter


# The default scope ends after the answer is sent: a failed commit would be answered with 200.
SessionDep = Annotated[Session, Depends(request_session, scope="function")]


async def open_runtime(request: Request) -> Runtime:
    """The deployment that answers."""
    runtime: Runtime = request.app.state.runtime
    return runtime


RuntimeDep = Annotated[Runtime, Depends(open_runtime)]

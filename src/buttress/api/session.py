"""The transaction of a request: committed before the answer is sent, rolled back on any error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Annotated

from anyio import CancelScope, CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from fastapi import Depends, Request
from sqlalchemy.orm import Session

from buttress.db.transactions import noted
from buttress.runtime import Runtime

GOING_ON_AT_ONCE = 40
_going_on: RunVar[CapacityLimiter] = RunVar("buttress_going_on")
"""Threads that go on with a transaction. Those in which one begins may all wait for a connection,
which only a transaction that ends gives back."""


async def request_session(request: Request) -> AsyncIterator[Session]:
    """One session as role `app` for one request.

    It is opened here, where nothing is asked of the server yet: what a route calls in its thread
    knows then that a transaction is open around it, the cache above all. A key that the request
    brought is claimed in the thread of the work, which is the first to need a connection.
    """
    runtime: Runtime = request.app.state.runtime
    opened = runtime.session()
    session = opened.__enter__()
    claim = getattr(request.state, "claim", None)
    if claim is not None:
        claim.around = session
    with noted(session):  # here too: what ends it in a thread leaves a copy of this context
        try:
            yield session
        except BaseException as error:
            await _ended(opened, error)
            raise
        await _ended(opened)


async def _ended(
    opened: AbstractContextManager[Session], error: BaseException | None = None
) -> None:
    """Commit, or roll back: a request that is given up meanwhile gives back its connection too."""
    with CancelScope(shield=True):
        await to_thread.run_sync(
            opened.__exit__,
            type(error) if error else None,
            error,
            error.__traceback__ if error else None,
            limiter=going_on(),
        )


def going_on() -> CapacityLimiter:
    """The running loop's threads that go on with a transaction which has begun elsewhere."""
    limiter = _going_on.get(None)
    if limiter is None:
        limiter = CapacityLimiter(GOING_ON_AT_ONCE)
        _going_on.set(limiter)
    return limiter


# The default scope ends after the answer is sent: a failed commit would be answered with 200.
SessionDep = Annotated[Session, Depends(request_session, scope="function")]


async def open_runtime(request: Request) -> Runtime:
    """The deployment that answers."""
    runtime: Runtime = request.app.state.runtime
    return runtime


RuntimeDep = Annotated[Runtime, Depends(open_runtime)]

"""Doing a whole unit of work again when the database undid it or went away half-way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, TypeVar

import stamina
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from buttress.errors import ConnectionLost, TransactionUndone

Result = TypeVar("Result")

PAUSES: dict[str, Any] = {
    "attempts": 5,
    "timeout": None,
    "wait_initial": 0.01,
    "wait_max": 1.0,
    "wait_jitter": 0.01,
}
"""Seconds, growing from the first to the longest; a restart is waited for by the pool itself."""


def run(
    open_session: Callable[[], AbstractContextManager[Session]],
    work: Callable[[Session], Result],
    *,
    twice_is_fine: bool,
) -> Result:
    """What `work(session)` returns, after its transaction was committed.

    It is called again, with a new session, when the connection broke or another transaction got in
    its way. Lost in the COMMIT, it may be done already: then only if doing it twice is fine.
    """

    def once() -> Result:
        with open_session() as session:
            return work(session)

    return stamina.RetryingCaller(**PAUSES).on(_may_be_done_again(twice_is_fine))(once)


async def run_async(
    open_session: Callable[[], AbstractAsyncContextManager[AsyncSession]],
    work: Callable[[AsyncSession], Awaitable[Result]],
    *,
    twice_is_fine: bool,
) -> Result:
    """The same for a coroutine function."""

    async def once() -> Result:
        async with open_session() as session:
            return await work(session)

    return await stamina.AsyncRetryingCaller(**PAUSES).on(_may_be_done_again(twice_is_fine))(once)


def _may_be_done_again(twice_is_fine: bool) -> Callable[[Exception], bool]:
    def may(error: Exception) -> bool:
        if isinstance(error, ConnectionLost):
            return twice_is_fine or not error.commit_unknown
        return isinstance(error, TransactionUndone)

    return may

"""Which transactions the running thread or task has open: what a cache must not mix with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

Transaction = Session | AsyncSession | Connection

_open: ContextVar[tuple[Transaction, ...]] = ContextVar("open_transactions", default=())

open_transactions = _open.get
"""The sessions and connections opened here, outermost first; no argument."""


@contextmanager
def noted(transaction: Transaction) -> Iterator[None]:
    """Count this transaction among the open ones meanwhile."""
    _open.set((*_open.get(), transaction))
    try:
        yield
    finally:
        # Frameworks may leave in another context than they entered: a token would be refused.
        _open.set(tuple(other for other in _open.get() if other is not transaction))


@contextmanager
def noted_alone() -> Iterator[None]:
    """Count none of the transactions open around as open meanwhile."""
    token = _open.set(())
    try:
        yield
    finally:
        _open.reset(token)

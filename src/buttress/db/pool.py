"""Pools that know who waits and say what to do when they are exhausted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, QueuePool

from buttress.errors import Unavailable


class BoundedPool(QueuePool):
    """SQLAlchemy's queue pool; raises `Unavailable` when no connection becomes free in time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # One entry per caller: adding and discarding are atomic, counting up and down is not.
        self._waiting: set[object] = set()

    @property
    def waiting(self) -> int:
        """Callers that wait for a connection to become free or to be opened."""
        return len(self._waiting)

    @property
    def limit(self) -> int:
        """Connections it may hold open at once."""
        return self.size() + self._max_overflow

    def _do_get(self) -> ConnectionPoolEntry:
        caller = object()
        self._waiting.add(caller)
        try:
            return super()._do_get()
        except PoolTimeout as error:
            raise Unavailable(
                f"no connection became free within {self._timeout} seconds: "
                f"all {self.limit} of the pool are in use",
                hint="Look for code that keeps a session open while it waits for something else, "
                "or raise BUTTRESS_POOL__SIZE or BUTTRESS_POOL__OVERFLOW.",
            ) from error
        finally:
            self._waiting.discard(caller)


class AsyncBoundedPool(BoundedPool, AsyncAdaptedQueuePool):
    """The same for an async engine: callers wait without blocking the event loop."""


@dataclass(frozen=True)
class PoolStats:
    """How a process uses its connections at this moment."""

    size: int
    """Connections kept open, as configured."""
    checked_out: int
    idle: int
    overflow: int
    """Connections open beyond `size`."""
    waiting: int
    """Callers waiting for one."""
    limit: int
    """Connections that may be open at once."""

    @property
    def usage(self) -> float:
        """Share of the limit in use, from 0 to 1."""
        return self.checked_out / self.limit


def pool_stats(pools: Iterable[BoundedPool], *, size: int, limit: int) -> PoolStats:
    """Add up pools of one configuration; `size` and `limit` are those of a pool not yet opened."""
    opened = list(pools)
    return PoolStats(
        size=size * max(len(opened), 1),
        checked_out=sum(pool.checkedout() for pool in opened),
        idle=sum(pool.checkedin() for pool in opened),
        overflow=sum(max(pool.overflow(), 0) for pool in opened),
        waiting=sum(pool.waiting for pool in opened),
        limit=limit * max(len(opened), 1),
    )

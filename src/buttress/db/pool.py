"""A bounded pool: callers are served in the order they came, by the connection used last."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.pool import ConnectionPoolEntry, Pool
from sqlalchemy.pool.base import _AsyncConnDialect, _ConnectionRecord

from buttress.db.pool_waiters import AsyncWaiter, PoolCounts, Waiter
from buttress.errors import Unavailable

OPENED_AT_ONCE = 4
SURPLUS_SECONDS = 10.0
"""How long a connection beyond the size stays open after its last use."""


class BoundedPool(Pool):
    """At most `pool_size + max_overflow` connections, of which `pool_size` stay open for long.

    SQLAlchemy's queue pool lets a newcomer take a connection somebody waits for, and a connection
    that could not be opened leaves its place to nobody. Here what becomes free goes to whoever
    waits longest. A connection for which `is_dead` holds is replaced. A few are opened at a time:
    when a server comes back, fifty at once would keep it from the work they are opened for.

    Takes the options of `QueuePool`; raises `Unavailable` when nothing becomes free within
    `timeout` seconds.
    """

    _waiter_class: Callable[[], Waiter] = Waiter

    def __init__(
        self,
        creator: Any,
        pool_size: int = 5,
        max_overflow: int = 10,
        timeout: float = 30.0,
        counts: PoolCounts | None = None,
        is_dead: Callable[[ConnectionPoolEntry], bool] = lambda entry: False,
        **options: Any,
    ) -> None:
        super().__init__(creator, **options)
        self._size = pool_size
        self._max_overflow = max_overflow
        self._timeout = timeout
        # The garbage collector may return a forgotten connection while this thread holds the lock.
        self._lock = threading.RLock()
        # With the moment each was returned; the one used last is the last.
        self._idle: list[tuple[float, ConnectionPoolEntry]] = []
        self._queue: deque[Waiter] = deque()
        self._places = 0
        self._opening = 0
        self._disposed = False
        self._is_dead = is_dead
        self.counts = counts or PoolCounts()

    @property
    def waiting(self) -> int:
        """Callers that wait for a connection to become free."""
        return len(self._queue)

    @property
    def limit(self) -> int:
        """Connections it may hold open at once."""
        return self._size + self._max_overflow

    def size(self) -> int:
        """Connections kept open."""
        return self._size

    def timeout(self) -> float:
        """Seconds a caller waits at most."""
        return self._timeout

    def checkedin(self) -> int:
        """Connections nobody uses."""
        return len(self._idle)

    def checkedout(self) -> int:
        """Connections in use, those being opened included."""
        return self._places - len(self._idle)

    def overflow(self) -> int:
        """Connections open beyond `size`; negative when fewer are open."""
        return self._places - self._size

    def status(self) -> str:
        """One line for SQLAlchemy's log."""
        return (
            f"{self.checkedout()} of {self.limit} connections in use, {self.checkedin()} idle, "
            f"{self.waiting} callers waiting"
        )

    def _do_get(self) -> ConnectionPoolEntry:
        entry = self._take()
        while entry.dbapi_connection is not None and self._is_dead(entry):
            entry.invalidate()
            self._do_return_conn(entry)
            entry = self._take()
        if entry.dbapi_connection is None:
            self._open(entry)
        return entry

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        surplus = record
        with self._lock:
            if record.dbapi_connection is not None and not self._disposed:
                self._idle.append((time.monotonic(), record))
                self._serve()
                found = self._surplus()
                if found is None:
                    return
                surplus = found
            self._places -= 1
            self._serve()
        surplus.close()

    def _surplus(self) -> ConnectionPoolEntry | None:
        """The connection longest unused, taken out, when there are more than needed lately.

        Closed at once, those of a busy minute would be opened again and again.
        """
        if len(self._idle) <= self._size:
            return None
        returned_at, _ = self._idle[0]
        if time.monotonic() - returned_at < SURPLUS_SECONDS:
            return None
        return self._idle.pop(0)[1]

    def _take(self) -> ConnectionPoolEntry:
        """An idle connection, or an empty entry to open one in; waits for either."""
        with self._lock:
            if self._idle:  # nobody waits then
                return self._idle.pop()[1]
            waiter = self._waiter_class()
            self._queue.append(waiter)
            self._serve()
        if waiter.entry is None:
            self._wait(waiter)
        if waiter.entry is None:
            raise self._exhausted()
        return waiter.entry

    def _serve(self) -> None:
        """Give what is free to those who wait longest; called with the lock held."""
        while self._queue:
            if self._idle:
                _, entry = self._idle.pop()
            elif self._places < self.limit and self._opening < OPENED_AT_ONCE:
                self._places += 1
                self._opening += 1
                entry = _ConnectionRecord(self, connect=False)
            else:
                return
            self._queue.popleft().serve(entry)

    def _open(self, entry: ConnectionPoolEntry) -> None:
        assert isinstance(entry, _ConnectionRecord)
        try:
            entry.get_connection()
        finally:
            with self._lock:
                self._opening -= 1
                if entry.dbapi_connection is None:
                    self._places -= 1
                self._serve()

    def _wait(self, waiter: Waiter) -> None:
        try:
            waiter.wait(self._timeout)
        except BaseException:
            self._leave(waiter)
            if waiter.entry is not None:
                self._give_back(waiter.entry)
            raise
        finally:
            self.counts.add_wait(waiter.seconds())
        self._leave(waiter)

    def _leave(self, waiter: Waiter) -> None:
        with self._lock:
            if waiter in self._queue:
                self._queue.remove(waiter)

    def _give_back(self, entry: ConnectionPoolEntry) -> None:
        with self._lock:
            if entry.dbapi_connection is None:
                self._opening -= 1
            self._do_return_conn(entry)

    def _exhausted(self) -> Unavailable:
        if self._places < self.limit:
            return Unavailable(
                f"no connection could be opened within {self._timeout} seconds",
                hint="The server answers too slowly, or not at all: see its log.",
            )
        return Unavailable(
            f"no connection became free within {self._timeout} seconds: "
            f"all {self.limit} of the pool are in use",
            hint="Look for code that keeps a session open while it waits for something else, "
            "or raise BUTTRESS_POOL__SIZE or BUTTRESS_POOL__OVERFLOW.",
        )

    def recreate(self) -> BoundedPool:
        """An empty pool like this one; SQLAlchemy puts it into this one's place."""
        return self.__class__(
            self._creator,
            pool_size=self._size,
            max_overflow=self._max_overflow,
            timeout=self._timeout,
            counts=self.counts,
            is_dead=self._is_dead,
            recycle=self._recycle,
            pre_ping=self._pre_ping,
            echo=self.echo,
            logging_name=self._orig_logging_name,
            reset_on_return=self._reset_on_return,
            _dispatch=self.dispatch,
            dialect=self._dialect,
        )

    def dispose(self) -> None:
        """Close what is idle; what is in use is closed when it is returned."""
        with self._lock:
            self._disposed = True
            closing, self._idle = self._idle, []
            self._places -= len(closing)
        for _, record in closing:
            record.close()


class AsyncBoundedPool(BoundedPool):
    """The same for an async engine: callers wait without blocking the event loop."""

    _is_asyncio = True
    _dialect = _AsyncConnDialect()
    _waiter_class = AsyncWaiter


@dataclass(frozen=True)
class PoolStats:
    """How a process uses its connections at this moment, and how long its callers waited lately."""

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
    waited: int = 0
    """Callers that had to wait within the last five minutes."""
    longest_wait_seconds: float = 0.0
    """The longest of these waits."""
    p99_wait_seconds: float = 0.0
    """99 of 100 of these waits were no longer."""
    opened: int = 0
    """Connections opened since the start."""
    found_dead: int = 0
    """Connections the server had closed, noticed before or while they were used."""

    @property
    def usage(self) -> float:
        """Share of the limit in use, from 0 to 1."""
        return self.checked_out / self.limit


def pool_stats(
    pools: Iterable[BoundedPool],
    *,
    size: int,
    limit: int,
    counts: PoolCounts,
) -> PoolStats:
    """Add up pools of one configuration; `size` and `limit` are those of a pool not yet opened."""
    open_pools = list(pools)
    lately = counts.waits_lately()
    return PoolStats(
        size=size * max(len(open_pools), 1),
        checked_out=sum(pool.checkedout() for pool in open_pools),
        idle=sum(pool.checkedin() for pool in open_pools),
        overflow=sum(max(pool.overflow(), 0) for pool in open_pools),
        waiting=sum(pool.waiting for pool in open_pools),
        limit=limit * max(len(open_pools), 1),
        waited=len(lately),
        longest_wait_seconds=lately[-1] if lately else 0.0,
        p99_wait_seconds=lately[math.ceil(len(lately) * 0.99) - 1] if lately else 0.0,
        opened=counts.opened,
        found_dead=counts.found_dead,
    )

"""Callers in the queue of a pool: threads and tasks, and counts of what they met."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque

from sqlalchemy import Engine, event
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import await_

WINDOW_SECONDS = 300.0
KEPT_WAITS = 10_000


class Waiter:
    """A thread that waits for its turn; `entry` is what it was handed, None until then."""

    def __init__(self) -> None:
        self.entry: ConnectionPoolEntry | None = None
        self._began = time.monotonic()
        # A bare lock wakes a thread with less work than an Event or a Condition.
        self._turn = threading.Lock()
        self._turn.acquire()

    def wait(self, seconds: float) -> None:
        """Return when served or when the time is over."""
        self._turn.acquire(timeout=seconds)

    def serve(self, entry: ConnectionPoolEntry) -> None:
        """Hand over; called once, by any thread."""
        self.entry = entry
        self._turn.release()

    def seconds(self) -> float:
        """How long ago it began to wait."""
        return time.monotonic() - self._began


class AsyncWaiter(Waiter):
    """A task that waits for its turn, without blocking its event loop."""

    def __init__(self) -> None:
        self.entry = None
        self._began = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._served: asyncio.Future[None] = self._loop.create_future()

    def wait(self, seconds: float) -> None:
        """Return when served or when the time is over; raises CancelledError with its task."""
        await_(asyncio.wait([self._served], timeout=seconds))

    def serve(self, entry: ConnectionPoolEntry) -> None:
        """Hand over; the garbage collector of another thread may be the one who does."""
        self.entry = entry
        if threading.get_ident() == self._thread:
            self._wake()
        else:
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self._served.done():
            self._served.set_result(None)


class PoolCounts:
    """What the pools of one database went through since the start."""

    def __init__(self) -> None:
        self.opened = 0
        self.found_dead = 0
        # Without a lock, which a forked child could inherit held.
        self._opened, self._found_dead = itertools.count(1), itertools.count(1)
        self._waits: deque[tuple[float, float]] = deque(maxlen=KEPT_WAITS)

    def listen(self, engine: Engine) -> None:
        """Count what happens to the connections of this engine."""

        def opened(*_: object) -> None:
            self.opened = next(self._opened)

        def found_dead(*_: object) -> None:
            self.found_dead = next(self._found_dead)

        event.listen(engine, "connect", opened)
        event.listen(engine, "invalidate", found_dead)

    def add_wait(self, seconds: float) -> None:
        """Note one wait that has just ended."""
        self._waits.append((time.monotonic(), seconds))

    def waits_lately(self) -> list[float]:
        """The waits of the last five minutes in seconds, the longest last; 10,000 at most."""
        since = time.monotonic() - WINDOW_SECONDS
        # A copy: other threads append meanwhile.
        return sorted(seconds for ended, seconds in self._waits.copy() if ended >= since)

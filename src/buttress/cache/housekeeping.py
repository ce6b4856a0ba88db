"""What a cache does from time to time: look at the triggers, prove the watch, prune, sample."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from buttress.cache.stats import SAMPLE_SECONDS
from buttress.errors import ButtressError

if TYPE_CHECKING:
    from buttress.cache.cache import Cache

log = logging.getLogger(__name__)

KEPT_SECONDS = 600
"""How long changes stay in the log; a process silent for longer forgets all it has."""
LOOK_SECONDS = 30
PRUNE_SECONDS = 60


class Housekeeping:
    """A thread beside an open cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._hurry = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._looked = self._pruned = 0.0
        self._marks: deque[tuple[float, int]] = deque()
        self.opened = time.monotonic()

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(
            target=self._run, name="buttress-cache-housekeeping", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._stopping = True
        self._hurry.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def hurry(self) -> None:
        """Look again now: the connection is gone."""
        self._looked = 0.0
        self._hurry.set()

    def look(self) -> None:
        """Check the triggers and prove the WAL watch; what goes wrong is told by `explain`."""
        self._looked = time.monotonic()
        try:
            self._cache.verify()
            self._cache.prove()
        except (ButtressError, SQLAlchemyError) as error:
            log.info("cache not verified", extra={"reason": str(error).splitlines()[0]})
            if not self._cache.barrier.number:
                self._cache.off = "the database has not answered yet"

    def prune(self) -> int:
        """Remove changes older than ten minutes from the log; how many there were."""
        before = self._mark()
        self._pruned = time.monotonic()
        if before is None:
            return 0
        with self._cache.own.connection() as connection:
            return int(
                connection.scalar(
                    text("SELECT buttress_cache_prune(CAST(:before AS xid8))"),
                    {"before": str(before)},
                )
                or 0
            )

    def _run(self) -> None:
        while not self._stopping:
            if self._hurry.wait(SAMPLE_SECONDS):
                self._hurry.clear()
                if not self._stopping:
                    time.sleep(0.2)  # a server that restarts is not back at once
            if not self._stopping:
                try:
                    self._tick()
                except Exception:  # without this thread nobody would notice a lost trigger
                    log.exception("housekeeping failed")

    def _tick(self) -> None:
        cache = self._cache
        cache.history.sample(list(cache._counters.values()))
        now = time.monotonic()
        proven = cache.wal.proven or bool(cache.wal.refused)
        if now - self._looked >= LOOK_SECONDS or cache.off or not proven:
            self.look()
        if cache.off or cache.backend != "postgresql":
            return
        try:
            if now - self._pruned >= PRUNE_SECONDS:
                self.prune()
        except (ButtressError, SQLAlchemyError) as error:
            log.info("change log not pruned", extra={"reason": str(error).splitlines()[0]})

    def _mark(self) -> int | None:
        """Note where the transactions stand; the mark of ten minutes ago, None before that."""
        reading = self._cache.barrier.ask()
        assert reading.snapshot is not None
        now = time.monotonic()
        self._marks.append((now, reading.snapshot.xmin))
        before = None
        while self._marks and self._marks[0][0] <= now - KEPT_SECONDS:
            before = self._marks.popleft()[1]
        return before

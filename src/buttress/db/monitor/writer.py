"""The thread that writes the roll-ups of this process, on a connection of its own."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import closing

from sqlalchemy.exc import SQLAlchemyError

from buttress.db.database import Database
from buttress.db.monitor import rollups
from buttress.db.monitor.monitor import Monitor
from buttress.db.monitor.slot import merged
from buttress.db.url import DatabaseURL
from buttress.errors import ButtressError
from buttress.settings import PoolSettings, TimeoutSettings

log = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
COMPACT_EVERY_SECONDS = 3600.0
# The second holds the lock while the first makes old roll-ups coarser.
POOL = PoolSettings.model_validate({"size": 1, "overflow": 1, "timeout_seconds": 2.0})
TIMEOUTS = TimeoutSettings.model_validate(
    {"connect_seconds": 2.0, "statement_seconds": 5.0, "lock_seconds": 1.0, "start_seconds": 0.0}
)


class Writer:
    """Writes what a monitor counted every few seconds; what fails is tried again the next time.

    The database being away costs the roll-ups of that time beyond the last five minutes, and
    nothing else. A forked child writes nothing.
    """

    def __init__(self, monitor: Monitor, url: DatabaseURL, *, every_seconds: float) -> None:
        self.monitor = monitor
        self.every_seconds = every_seconds
        self.process = f"{socket.gethostname()}:{os.getpid()}:{int(time.time())}"
        self.database = Database(
            url, pool=POOL, timeouts=TIMEOUTS, application_name="buttress monitor"
        )
        self._stop = threading.Event()
        self._finished = 0.0
        self._compacted = 0.0
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="buttress monitor", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write once more and end; takes a few seconds at most."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10.0)

    def flush(self) -> None:
        """Write what the current five minutes, and the last if they have just ended, hold.

        Raises `ButtressError` or `SQLAlchemyError` when the database does not take it.
        """
        now = time.time()
        current = now - now % rollups.STEP_SECONDS
        written = []
        for start in (current - rollups.STEP_SECONDS, current):
            if start >= self._finished:
                end = start + rollups.STEP_SECONDS
                found = [
                    slot for slot in self.monitor.slots(start, end) if start <= slot.start < end
                ]
                whole = merged(found, start=start, seconds=rollups.STEP_SECONDS)
                if whole.tallies or start == current:
                    whole.pools = [self.monitor.pool()]
                    written.append(whole)
        with self.database.connection() as connection:
            for whole in written:
                rollups.write(connection, self.process, whole)
        self._finished = current

    def compact(self) -> None:
        """Make old roll-ups coarser, unless another process is at it."""
        with (
            self.database.lock("query roll-ups", wait_seconds=0),
            self.database.connection() as connection,
        ):
            rollups.compact(connection)

    def _run(self) -> None:
        with closing(self.database):
            while not self._stop.wait(self.every_seconds):
                self._try()
            if self._finished:  # what ran for a moment only leaves nothing behind
                self._try()

    def _try(self) -> None:
        try:
            self.flush()
            if time.monotonic() - self._compacted > COMPACT_EVERY_SECONDS:
                self._compacted = time.monotonic()
                self.compact()
            self._failing = False
        except (ButtressError, SQLAlchemyError) as error:
            if not self._failing:
                log.info("query roll-ups are not written", extra={"reason": type(error).__name__})
            self._failing = True
        # A thread that ends would leave the roll-ups without anybody noticing.
        except Exception:
            log.exception("query roll-ups failed")

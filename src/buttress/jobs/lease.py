"""Heartbeats of workers, and whose jobs have lost their worker."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import delete, select

from buttress.db.database import Database
from buttress.errors import ButtressError, Unavailable
from buttress.jobs.clock import DatabaseClock
from buttress.jobs.tables import Tables
from buttress.settings import PoolSettings, TimeoutSettings

log = logging.getLogger(__name__)

BEAT_SECONDS = 0.5
LEASE_SECONDS = 3.0
"""A worker that has not been heard of for so long is taken for dead."""
FORGET_SECONDS = 86_400.0

# Whoever must be heard every few seconds waits for no caller of the pool, and for a database that
# does not answer shorter than the lease.
POOL = PoolSettings.model_validate({"size": 1, "overflow": 1, "timeout_seconds": 1.0})
TIMEOUTS = TimeoutSettings.model_validate(
    {
        "connect_seconds": 1.0,
        "statement_seconds": 1.0,
        "lock_seconds": 0.5,
        "restart_seconds": 0.0,
        "start_seconds": 0.0,
    }
)


class Lease:
    """The claim of one process that it is alive, and its watch over the others.

    On a connection of its own to `database`: an exhausted pool does not make a worker look dead.

    `recover` is called with the executor id of each dead process that still has running jobs; it
    may be called for the same one by several peers, and again while it has any. `recover_dropped`
    is called with the ids of the jobs this process took longer than a lease ago, running or not.
    """

    def __init__(
        self,
        database: Database,
        tables: Tables,
        executor: str,
        recover: Callable[[str], None],
        recover_dropped: Callable[[Sequence[str]], None],
        clock: DatabaseClock,
    ) -> None:
        self.database = Database(
            database.url, pool=POOL, timeouts=TIMEOUTS, application_name="buttress worker"
        )
        self.tables = tables
        self.executor = executor
        self.recover = recover
        self.recover_dropped = recover_dropped
        self.clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="buttress-jobs-lease", daemon=True)
        self._steady_since = time.monotonic()

    def start(self) -> None:
        """Write the first heartbeat, before any job is taken; then go on in a thread."""
        self._beat()
        self._thread.start()

    def stop(self) -> None:
        """Give the lease back: whatever is still running here may be taken over at once."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        lease = self.tables.lease
        # Without a database it cannot be given back, and runs out.
        try:
            with suppress(Unavailable), self.database.connection() as connection:
                connection.execute(delete(lease).where(lease.c.executor == self.executor))
        finally:
            self.database.close()

    def dead(self) -> list[str]:
        """Executors with running jobs and no valid lease."""
        work, lease = self.tables.work, self.tables.lease
        alive = select(lease.c.executor).where(lease.c.beat_at > self.tables.now() - LEASE_SECONDS)
        with self.database.connection(read_only=True) as connection:
            found = connection.scalars(
                select(work.c.executor_id)
                .where(work.c.status == "PENDING", work.c.executor_id.not_in(alive))
                .distinct()
            )
            return [executor for executor in found if executor != self.executor]

    def taken(self) -> list[str]:
        """Jobs that this process took longer than a lease ago and has not finished."""
        work = self.tables.work
        long_ago = self.tables.now_ms() - round(LEASE_SECONDS * 1000)
        mine = select(work.c.workflow_uuid).where(
            work.c.status == "PENDING",
            work.c.executor_id == self.executor,
            work.c.updated_at < long_ago,
        )
        with self.database.connection(read_only=True) as connection:
            return list(connection.scalars(mine))

    def _watch(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(BEAT_SECONDS):
            try:
                self._beat()
                now = time.monotonic()
                # After a pause of ours or of the database, the others' beats are old as well: they
                # are given the time of a lease to be heard again.
                if now - last > LEASE_SECONDS / 2:
                    self._steady_since = now
                last = now
                if now - self._steady_since >= LEASE_SECONDS:
                    self._take_over()
            # A worker outlives every restart of its database, whatever error that gives.
            except Exception as error:  # noqa: BLE001
                message = error.message if isinstance(error, ButtressError) else ""
                log.warning(
                    "heartbeat failed", extra={"kind": type(error).__name__, "reason": message}
                )

    def _take_over(self) -> None:
        for executor in self.dead():
            self.recover(executor)
            log.info("jobs of a dead worker taken over", extra={"executor": executor})
        if taken := self.taken():
            self.recover_dropped(taken)

    def _beat(self) -> None:
        lease = self.tables.lease
        now = self.tables.now()
        mine = {
            "executor": self.executor, "host": socket.gethostname(), "process": os.getpid(),
        }  # fmt: skip
        with self.database.connection() as connection:
            beat = lease.update().where(lease.c.executor == self.executor).values(beat_at=now)
            at = connection.scalar(beat.returning(lease.c.beat_at))
            if at is None:
                insert = lease.insert().values(**mine, beat_at=now)
                at = connection.scalar(insert.returning(lease.c.beat_at))
                connection.execute(delete(lease).where(lease.c.beat_at < now - FORGET_SECONDS))
        if at is not None:
            self.clock.set(at)

"""A worker in a thread of a process that has something else to do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from buttress.errors import ButtressError
from buttress.jobs.jobs import Jobs
from buttress.jobs.tables import install

if TYPE_CHECKING:
    from buttress.db.database import Database

log = logging.getLogger(__name__)


@contextmanager
def working(
    jobs: Jobs, *, concurrency: int, owner: Database | None = None, wait_seconds: float = 0.0
) -> Iterator[None]:
    """Jobs are done meanwhile. Importing the engine takes seconds, so it happens in the thread.

    Parameters
    ----------
    jobs
        The jobs.
    concurrency
        How many of a queue at a time.
    owner
        The database as its owner, if this process makes the tables.
    wait_seconds
        What must not be disturbed by that import is given so long.
    """
    stop = threading.Event()

    def work() -> None:
        if not stop.wait(wait_seconds):
            work_until(jobs, stop, concurrency, owner)

    thread = threading.Thread(target=work, name="buttress-worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)


def work_until(
    jobs: Jobs, stop: threading.Event, concurrency: int, owner: Database | None = None
) -> None:
    """Do jobs until told to stop."""
    try:
        if owner is not None:
            install(owner)
        from buttress.jobs.worker import Worker

        if stop.is_set():
            return
        with Worker(jobs, concurrency=concurrency):
            stop.wait()
    except ButtressError as error:  # a web process serves its pages without a worker too
        log.error(  # noqa: TRY400  # the cure is in the hint, not in a traceback
            "worker not started", extra={"reason": error.message, "hint": error.hint}
        )

"""A worker in a thread of a process that has something else to do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from buttress.errors import ButtressError
from buttress.jobs.jobs import Jobs

log = logging.getLogger(__name__)


@contextmanager
def working(jobs: Jobs, *, concurrency: int) -> Iterator[None]:
    """Jobs are done meanwhile. Importing the engine takes seconds, so it happens in the thread."""
    stop = threading.Event()
    thread = threading.Thread(
        target=work_until, args=(jobs, stop, concurrency), name="buttress-worker", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)


def work_until(jobs: Jobs, stop: threading.Event, concurrency: int, *, drain: int = 0) -> None:
    """Do jobs until told to stop, then wait up to `drain` seconds for those under way."""
    try:
        from buttress.jobs.worker import Worker

        if stop.is_set():
            return
        with Worker(jobs, concurrency=concurrency, drain_seconds=drain):
            stop.wait()
    except ButtressError as error:  # a web process serves its pages without a worker too
        log.error(  # noqa: TRY400  # the cure is in the hint, not in a traceback
            "worker not started", extra={"reason": error.message, "hint": error.hint}
        )

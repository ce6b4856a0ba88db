"""Queues: where jobs wait, and how many of each may be done at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from buttress.errors import ConfigurationError

if TYPE_CHECKING:
    from buttress.jobs.declaration import Job

DEFAULT_QUEUE = "default"
UNUSED_POLL_SECONDS = 2.0
QUEUE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Queue:
    """Where jobs wait for a worker, and what they may take of it together.

    Without limits a worker does as many of them at a time as its own concurrency says.
    """

    name: str
    concurrency: int | None = None
    """How many of its jobs are done at a time, on all hosts together."""
    worker_concurrency: int | None = None
    """How many of its jobs one worker does at a time."""
    rate: tuple[int, float] | None = None
    """So many of its jobs begin in so many seconds, on all hosts together: `(100, 60)`."""
    poll_seconds: float = 0.1
    """How often a worker with room looks for jobs in it: each look costs two short queries."""

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ConfigurationError(
                f"queue {self.name!r}: {problem}", hint="Leave out what has no limit."
            )

    def _problem(self) -> str:
        if not QUEUE_NAME.fullmatch(self.name):
            return "a name consists of letters, digits, dots, dashes and underscores"
        everywhere, each = self.concurrency, self.worker_concurrency
        if any(limit is not None and limit < 1 for limit in (everywhere, each)):
            return "a concurrency is at least 1"
        if everywhere and each and each > everywhere:
            return "one worker may not do more at a time than all together"
        if self.rate is not None and (self.rate[0] < 1 or self.rate[1] <= 0):
            return "a rate is a number of jobs of at least 1 and a number of seconds above 0"
        if self.poll_seconds <= 0:
            return "it is looked into after more than 0 seconds"
        return ""

    @property
    def limits(self) -> str:
        """`5 at a time, 2 per worker, 100 in 60 s`."""
        said = []
        if self.concurrency is not None:
            said.append(f"{self.concurrency} at a time")
        if self.worker_concurrency is not None:
            said.append(f"{self.worker_concurrency} per worker")
        if self.rate is not None:
            said.append(f"{self.rate[0]} in {self.rate[1]:g} s")
        return ", ".join(said) or "no limits"


@dataclass(frozen=True)
class QueueStatus:
    """One queue as it stands."""

    queue: Queue
    waiting: int
    """Jobs that wait in it, those that must not begin yet included."""
    running: int
    paused: bool


def declared_queues(
    jobs: Iterable[Job[Any, Any]], queues: Iterable[Queue] = ()
) -> dict[str, Queue]:
    """All queues by name: those declared, those that jobs name, and the default one.

    Raises
    ------
    ConfigurationError
        Two declarations of one name differ.
    """
    jobs = list(jobs)
    found: dict[str, Queue] = {}
    for queue in [*queues, *(job.queue for job in jobs if isinstance(job.queue, Queue))]:
        if found.setdefault(queue.name, queue) != queue:
            raise ConfigurationError(
                f"queue {queue.name} is declared twice, once as {found[queue.name].limits} and "
                f"once as {queue.limits}",
                hint="Declare it in one place and give its name everywhere else.",
            )
    for name in (job.queue_name for job in jobs):
        found.setdefault(name, Queue(name))
    found.setdefault(DEFAULT_QUEUE, Queue(DEFAULT_QUEUE, poll_seconds=UNUSED_POLL_SECONDS))
    return dict(sorted(found.items()))

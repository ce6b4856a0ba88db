"""A worker: takes jobs from the queues and does them, beside any number of others."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID, uuid4, uuid5

from buttress import telemetry
from buttress.errors import Conflict, NotFound, Unavailable
from buttress.jobs.clock import DatabaseClock
from buttress.jobs.declaration import Job, Step, running, step_count
from buttress.jobs.engine import Execution
from buttress.jobs.for_whom import Kept, acting
from buttress.jobs.jobs import Jobs
from buttress.jobs.lease import Lease
from buttress.jobs.schedules import apply_schedules, is_second_time
from buttress.jobs.status import Progress, attributes_of

log = logging.getLogger(__name__)

CONCURRENCY = 10
TELL_SECONDS = 0.25
CHILDREN = UUID("5f0c3d0e-6a55-4b57-9d57-0d8b5ac2d6b1")
"""Of ids that follow from the parent's."""

_one_worker = threading.Lock()


class Worker:
    """Does jobs while it is open.

        with Worker(runtime.jobs):
            ...

    Raises
    ------
    Conflict
        There is a worker in this process already.
    ConfigurationError
        The tables of jobs have not been made, or two queues of one name differ.
    """

    def __init__(
        self, jobs: Jobs, *, concurrency: int = CONCURRENCY, drain_seconds: int = 0
    ) -> None:
        self.jobs = jobs
        self.concurrency = concurrency
        self.drain_seconds = drain_seconds
        self.executor = uuid4().hex

    def __enter__(self) -> Self:
        if not _one_worker.acquire(blocking=False):
            raise Conflict(
                "a worker runs in this process already", hint="Start another process for another."
            )
        with ExitStack() as exits:
            exits.callback(_one_worker.release)
            self._open(exits)
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.jobs.execution = None
        self._exits.close()

    def _open(self, exits: ExitStack) -> None:
        tables = self.jobs.tables
        queues = self.jobs.queues_declared()
        self._known: Mapping[str, Job[Any, Any]] = {job.name: job for job in self.jobs.declared()}
        clock = DatabaseClock()
        self._execution = Execution(
            self.jobs.database,
            self.executor,
            self._work,
            self._work_at,
            threads=self.concurrency,
            clock=clock,
        )
        lease = Lease(
            self.jobs.database,
            tables,
            self.executor,
            self._execution.recover,
            self._execution.recover_dropped,
            clock,
        )
        exits.callback(lease.stop)
        exits.callback(self._execution.close, self.drain_seconds)
        lease.start()
        # The engine reads them as it begins, and then every five seconds: one that is no longer
        # declared would begin jobs meanwhile.
        apply_schedules(self.jobs.client, list(self._known.values()))
        self._execution.launch(queues.values(), self.jobs.client)
        self.jobs.execution = self._execution
        log.info("worker started", extra={"executor": self.executor, "jobs": len(self._known)})

    def _work(
        self, job_id: str, name: str, args: list[Any], kwargs: dict[str, Any], kept: Kept | None
    ) -> Any:
        job = self._known.get(name)
        if job is None:
            raise NotFound(
                f"no installed app has a job {name!r}",
                hint=f"Install the app that has it, then `buttress jobs retry {job_id}`.",
            )
        run = RunningJob(job_id, self.jobs, self._execution)
        with (
            telemetry.working_for(app=name.partition(".")[0]),
            telemetry.doing_job(job_id, name, attributes_of(self.jobs, job_id)),
            acting(self.jobs.people, kept),
            running(run),
        ):
            try:
                return job.function(*args, **kwargs)
            finally:
                with suppress(Unavailable):  # it must not hide what the job raised
                    run.tell()

    def _work_at(self, job_id: str, name: str, at: dt.datetime) -> Any:
        job = self._known.get(name)
        if job is not None and is_second_time(job, at):
            return None
        return self._work(job_id, name, [], {}, {"system": f"schedule of {name}"})


@dataclass
class RunningJob:
    """The job a thread works on."""

    id: str
    jobs: Jobs
    execution: Execution
    _in_transaction: bool = False
    _steps: int = 0
    _children: int = 0
    _told: Progress | None = None
    """The last word that has not been written yet."""
    _written: Progress | None = None
    _written_at: float = 0.0

    def step(self, step: Step[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do one step, or return what it returned when it was done before."""
        self._steps += 1
        self._in_transaction = step.transaction
        try:
            return self.execution.step(step, args, kwargs)
        finally:
            self._in_transaction = False
            self.tell()

    def child_id(self) -> str:
        """The id of the next job it makes: the same ones in the same order when it runs again."""
        in_step = step_count()
        if in_step is None:
            self._children += 1
            place = str(self._children)
        else:
            place = f"{self._steps}.{next(in_step)}"
        return uuid5(CHILDREN, f"{self.id}/{place}").hex

    def progress(self, done: int, total: int | None, note: str) -> None:
        """Write down how far it is; of a transaction when it has ended.

        Many words in short time are not all written: the last one is, at the end of the step.
        """
        self._told = Progress(done, total, note)
        # SQLite's one write lock is the transaction's.
        if not self._in_transaction and (self._is_news() or done == total):
            self.tell()

    def tell(self) -> None:
        """Write the last word, if it has not been."""
        if self._told is not None:
            self._written, self._told = self._told, None
            self._written_at = time.monotonic()
            self.jobs.write_progress(self.id, self._written)

    def _is_news(self) -> bool:
        before, now = self._written, self._told
        noted = before is None or now is None or before.note != now.note
        return noted or time.monotonic() - self._written_at >= TELL_SECONDS

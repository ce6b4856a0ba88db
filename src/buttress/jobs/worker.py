"""A worker: takes jobs from the queues and does them, beside any number of others."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

from buttress.errors import Conflict, NotFound
from buttress.jobs.declaration import DEFAULT_QUEUE, Job, Step, running
from buttress.jobs.engine import Execution
from buttress.jobs.jobs import Jobs, Progress
from buttress.jobs.lease import Lease
from buttress.jobs.schedules import apply_schedules, is_second_time

log = logging.getLogger(__name__)

CONCURRENCY = 10

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
        The tables of jobs have not been made.
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
        self._known: Mapping[str, Job[Any, Any]] = {job.name: job for job in self.jobs.declared()}
        self._execution = Execution(
            self.jobs.database,
            self.executor,
            self._work,
            self._work_at,
            threads=self.concurrency,
        )
        lease = Lease(self.jobs.database, tables, self.executor, self._execution.recover)
        exits.callback(lease.stop)
        exits.callback(self._execution.close, self.drain_seconds)
        lease.start()
        queues = {DEFAULT_QUEUE, *(job.queue for job in self._known.values())}
        self._execution.launch(
            {name: {"worker_concurrency": self.concurrency} for name in sorted(queues)}
        )
        apply_schedules(self.jobs.client, list(self._known.values()))
        self.jobs.execution = self._execution
        log.info("worker started", extra={"executor": self.executor, "jobs": len(self._known)})

    def _work(self, job_id: str, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        job = self._known.get(name)
        if job is None:
            raise NotFound(
                f"no installed app has a job {name!r}",
                hint=f"Install the app that has it, then `buttress jobs retry {job_id}`.",
            )
        with running(RunningJob(job_id, self.jobs, self._execution)):
            return job.function(*args, **kwargs)

    def _work_at(self, job_id: str, name: str, at: dt.datetime) -> Any:
        job = self._known.get(name)
        if job is not None and is_second_time(job, at):
            return None
        return self._work(job_id, name, [], {})


@dataclass
class RunningJob:
    """The job a thread works on."""

    id: str
    jobs: Jobs
    execution: Execution
    _in_transaction: bool = False
    _told: list[Progress] = field(default_factory=list)

    def step(self, step: Step[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do one step, or return what it returned when it was done before."""
        self._in_transaction = step.transaction
        try:
            return self.execution.step(step, args, kwargs)
        finally:
            self._in_transaction = False
            for progress in self._told[-1:]:
                self.jobs.write_progress(self.id, progress)
            self._told.clear()

    def progress(self, done: int, total: int | None, note: str) -> None:
        """Write down how far it is; of a transaction when it has ended."""
        progress = Progress(done, total, note)
        if self._in_transaction:
            self._told.append(progress)  # SQLite's one write lock is the transaction's
        else:
            self.jobs.write_progress(self.id, progress)

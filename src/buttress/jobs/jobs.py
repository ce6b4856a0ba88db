"""What callers do with jobs: enqueue and start them, follow them, stop them, have them go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from buttress.errors import Unavailable
from buttress.jobs import control, making, status
from buttress.jobs.declaration import Job
from buttress.jobs.for_whom import People, Scopes
from buttress.jobs.making import FIRST_PRIORITY, PRIORITY, Order
from buttress.jobs.queues import Queue, QueueStatus, declared_queues
from buttress.jobs.status import ENDED, JobStatus, Progress, State, StepStatus
from buttress.jobs.tables import Tables, require_installed

if TYPE_CHECKING:
    from dbos import DBOSClient

    from buttress.db.database import Database
    from buttress.jobs.engine import Execution

MARKS_KEPT = 20
"""How many of a job's words about its progress are kept."""


@dataclass(frozen=True)
class Ticket:
    """One job somebody asked for."""

    id: str
    jobs: Jobs
    future: Future[Any] | None = None
    """Where it runs in this process."""

    def status(self) -> JobStatus:
        """How it stands now; raises `NotFound`."""
        return self.jobs.show(self.id)

    def result(self, *, timeout_seconds: float = 60.0) -> Any:
        """What it returned.

        Raises
        ------
        Unavailable
            It has not ended within the time; it goes on.
        ButtressError
            What the job raised: its own type where that is known here, else `JobFailed`.
        """
        if self.future is not None:
            wait_for([self.future], timeout_seconds)
            if self.future.done() and not self.future.cancelled() and not self.future.exception():
                return self.future.result()  # it is kept before the future has it
        return self.jobs.result(self.id, timeout_seconds=timeout_seconds)


class Jobs:
    """The jobs of a deployment. Nothing is opened before the first use."""

    def __init__(
        self,
        database: Database,
        declared: Callable[[], Sequence[Job[Any, Any]]],
        queues: Callable[[], Sequence[Queue]] = tuple,
        *,
        people: People | None = None,
    ) -> None:
        self.database = database
        self.people: People = people or Scopes()
        self.declared = declared
        self._queues = queues
        self.execution: Execution | None = None
        """What does jobs in this process, while a worker runs in it."""
        self._opening = threading.Lock()
        self._client: tuple[DBOSClient, Callable[[], None]] | None = None
        self._tables: Tables | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        with self._opening:
            client, self._client = self._client, None
        if client is not None:
            client[1]()

    @property
    def tables(self) -> Tables:
        """The tables of jobs; raises `ConfigurationError` when the owner has not made them."""
        if self._tables is None:
            self._tables = require_installed(self.database)
        return self._tables

    @property
    def client(self) -> DBOSClient:
        """The engine's client."""
        self.tables  # noqa: B018  # tells who has to make them, before the engine complains
        with self._opening:
            if self._client is None:
                from buttress.jobs.engine import open_client

                self._client = open_client(self.database)
            return self._client[0]

    def queues_declared(self) -> dict[str, Queue]:
        """The queues of the declared jobs by name; raises `ConfigurationError` when two differ."""
        return declared_queues(self.declared(), self._queues())

    def enqueue(
        self,
        job: Job[Any, Any],
        *args: Any,
        key: str | None = None,
        queue: Queue | str | None = None,
        priority: int = PRIORITY,
        delay_seconds: float = 0.0,
        session: Session | None = None,
        **kwargs: Any,
    ) -> Ticket:
        """Have a job done by whichever worker is free, for whoever acts here.

        Called inside a job it makes a child of that job, once however often that job is begun.

        Parameters
        ----------
        key
            While a job of this name and key waits or runs, that one is returned and no second made.
        queue
            Another declared queue than the job's own.
        priority
            1 comes first, 1,000,000 last.
        delay_seconds
            How long it must not begin.
        session
            An open transaction of the same database: the job exists if and only if it commits.

        Raises
        ------
        BadInput
            An argument cannot be stored, the priority or delay makes no sense, or no job here has
            such a queue.
        Conflict
            With a session: another transaction just made a job of that key.
        Unavailable
            The database does not answer; there is no job.
        """
        order = Order(job, list(args), kwargs, queue, key, priority, delay_seconds)
        return Ticket(making.enqueue(self, order, session), self)

    def start(self, job: Job[Any, Any], *args: Any, **kwargs: Any) -> Ticket:
        """Begin a job now, for somebody who waits: in this process if a worker runs in it.

        Otherwise it goes to the front of its queue. It is as durable as an enqueued one; limits of
        the queue do not apply to it, so that a job may start another and wait for it.
        """
        if self.execution is None:
            return self.enqueue(job, *args, priority=FIRST_PRIORITY, **kwargs)
        made, future = making.start(self, self.execution, Order(job, list(args), kwargs))
        return Ticket(made, self, future)

    def find(
        self,
        *,
        state: State | None = None,
        queue: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[JobStatus]:
        """Jobs, newest first; `queue` finds those that wait or run in it, and that ended there."""
        return status.find(self, state=state, queue=queue, limit=limit, offset=offset)

    def show(self, job_id: str) -> JobStatus:
        """One job; raises `NotFound`."""
        return status.show(self, job_id)

    def steps(self, job_id: str) -> list[StepStatus]:
        """The finished steps of a job, in its order."""
        return status.steps(self, job_id)

    def arguments(self, job_id: str) -> tuple[list[Any], dict[str, Any]]:
        """What a job was given: values of your users."""
        return status.arguments(self, job_id)

    def history(self, job_id: str) -> list[Progress]:
        """What a job said of its progress last, oldest first."""
        return status.history(self, job_id)

    def children(self, job_id: str) -> list[JobStatus]:
        """The jobs a job made, oldest first."""
        return status.children(self, [job_id])

    def queues(self) -> list[QueueStatus]:
        """All queues, with what waits and runs in them."""
        return status.queues(self)

    def result(self, job_id: str, *, timeout_seconds: float = 60.0) -> Any:
        """What a job returned, see `Ticket.result`."""
        give_up = time.monotonic() + timeout_seconds
        pause = 0.005
        while (state := status.state_of(self, job_id)) not in ENDED:
            if time.monotonic() >= give_up:
                raise Unavailable(
                    f"job {job_id} ({self.show(job_id).name}) is {state} after {timeout_seconds} "
                    "seconds",
                    hint="It goes on; ask again later. If it only waits, is a worker running?",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)
        return status.outcome(self, job_id)

    def cancel(self, job_id: str, *, children: bool = False) -> list[str]:
        """Stop a job: it does not begin, or does not begin another step; the ids of all stopped.

        With `children` also the jobs it made, and those they made, that have not ended.

        Raises
        ------
        NotFound
            There is no such job.
        Conflict
            It has ended.
        """
        return control.cancel(self, job_id, children=children)

    def pause(self, job_id: str) -> None:
        """Have a job wait: it does not begin, or does not begin another step, until it is resumed.

        It keeps its key. A transaction that is under way is undone and done again later.

        Raises
        ------
        NotFound
            There is no such job.
        Conflict
            It has ended, or is paused.
        """
        control.pause(self, job_id)

    def resume(self, job_id: str) -> None:
        """Let a paused job go on after its last finished step, with the whole of its time limit.

        Raises
        ------
        NotFound
            There is no such job.
        Conflict
            It is not paused.
        """
        control.resume(self, job_id)

    def retry(self, job_id: str, *, from_step: int | None = None) -> None:
        """Do a job that failed, was cancelled or was given up again; finished steps stay done.

        With `from_step` that step and all after it are done again, their effects too.

        Raises
        ------
        NotFound
            There is no such job.
        Conflict
            It has not ended, or it succeeded.
        BadInput
            It has no such step.
        """
        control.retry(self, job_id, from_step=from_step)

    def pause_queue(self, name: str) -> None:
        """Let no job of a queue begin, on no host; those that run go on. Raises `NotFound`."""
        control.pause_queue(self, name)

    def resume_queue(self, name: str) -> None:
        """Let jobs of a queue begin again; raises `Conflict` when it is not paused."""
        control.resume_queue(self, name)

    def prune(self, *, days: float) -> int:
        """Delete jobs that ended more than so many days ago; how many that were."""
        return control.prune(self, days=days)

    def write_progress(self, job_id: str, progress: Progress) -> None:
        """Keep how far a job is."""
        mark = self.tables.mark
        number = select(func.coalesce(func.max(mark.c.number), 0) + 1).where(mark.c.job == job_id)

        def write(session: Session) -> None:
            new = session.scalar(number) or 1
            session.execute(
                mark.insert().values(
                    job=job_id, number=new, done=progress.done, total=progress.total,
                    note=progress.note, at=self.tables.now(),
                )
            )  # fmt: skip
            session.execute(
                delete(mark).where(mark.c.job == job_id, mark.c.number <= new - MARKS_KEPT)
            )

        self.database.retry(write, idempotent=True)

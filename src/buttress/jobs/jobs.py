"""What callers do with jobs: enqueue, follow, cancel, retry."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from buttress.errors import BadInput, Conflict, NotFound, Unavailable
from buttress.jobs import values
from buttress.jobs.declaration import Job
from buttress.jobs.errors import JobFailed
from buttress.jobs.tables import Tables, require_installed

if TYPE_CHECKING:
    from dbos import DBOSClient, WorkflowStatus

    from buttress.db.database import Database
    from buttress.jobs.engine import Execution

State = Literal["waiting", "delayed", "running", "done", "failed", "cancelled", "given up"]
STATES: dict[str, State] = {
    "ENQUEUED": "waiting",
    "DELAYED": "delayed",
    "PENDING": "running",
    "SUCCESS": "done",
    "ERROR": "failed",
    "CANCELLED": "cancelled",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "given up",
}
ENDED: set[State] = {"done", "failed", "cancelled", "given up"}
PRUNED_AT_ONCE = 500
FIRST_PRIORITY, PRIORITY, LAST_PRIORITY = 1, 100, 1_000_000


@dataclass(frozen=True)
class Progress:
    """How far a job says it is."""

    done: int
    total: int | None
    note: str


@dataclass(frozen=True)
class JobStatus:
    """One job as it stands."""

    id: str
    name: str
    state: State
    queue: str | None
    created_at: dt.datetime
    ended_at: dt.datetime | None
    attempts: int
    error: str | None
    progress: Progress | None


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
        return self.jobs.result(self.id, timeout_seconds=timeout_seconds)


class Jobs:
    """The jobs of a deployment. Nothing is opened before the first use."""

    def __init__(self, database: Database, declared: Callable[[], Sequence[Job[Any, Any]]]) -> None:
        self.database = database
        self.declared = declared
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

    def enqueue(
        self,
        job: Job[Any, Any],
        *args: Any,
        key: str | None = None,
        queue: str | None = None,
        priority: int = PRIORITY,
        delay_seconds: float = 0.0,
        session: Session | None = None,
        **kwargs: Any,
    ) -> Ticket:
        """Have a job done by whichever worker is free.

        Parameters
        ----------
        key
            While a job of this name and key waits or runs, that one is returned and no second made.
        queue
            Another queue than the job's own.
        priority
            1 comes first, 1,000,000 last.
        delay_seconds
            How long it must not begin.
        session
            An open transaction of the same database: the job exists if and only if it commits.

        Raises
        ------
        BadInput
            An argument cannot be stored, or the priority or delay makes no sense.
        Conflict
            With a session: another transaction just made a job of that key.
        """
        if not FIRST_PRIORITY <= priority <= LAST_PRIORITY or delay_seconds < 0:
            raise BadInput(
                f"priority {priority} or delay {delay_seconds} is out of range",
                hint="Priorities go from 1 to 1,000,000; a delay is not negative.",
            )
        arguments = [job.name, list(args), kwargs]
        values.encode(arguments)
        client = self.client
        from buttress.jobs.engine import VERSION, WORKFLOW, translated

        options: dict[str, Any] = {
            "workflow_name": WORKFLOW,
            "queue_name": queue or job.queue,
            "workflow_id": uuid4().hex,
            "app_version": VERSION,
            "priority": priority,
            "attributes": {"job": job.name},
        }
        if delay_seconds:
            options["delay_seconds"] = delay_seconds
        if job.timeout_seconds is not None:
            options["workflow_timeout"] = job.timeout_seconds
        if key is not None:
            options["deduplication_id"] = f"{job.name}:{key}"
        with translated(self.database.url.label):
            if session is None:
                if key is not None:
                    options["duplication_policy"] = "return-existing"
                return Ticket(client.enqueue(options, *arguments).get_workflow_id(), self)  # type: ignore[arg-type]
            there = self._holder(session, options)
            if there is not None:
                return Ticket(there, self)
            handle: Any = client.enqueue_in_transaction(session, options, *arguments)  # type: ignore[arg-type]
            return Ticket(handle.get_workflow_id(), self)

    def start(self, job: Job[Any, Any], *args: Any, **kwargs: Any) -> Ticket:
        """Begin a job now, for somebody who waits: in this process if a worker runs in it.

        Otherwise it goes to the front of its queue. It is as durable as an enqueued one; limits of
        the queue do not apply to it.
        """
        if self.execution is None:
            return self.enqueue(job, *args, priority=FIRST_PRIORITY, **kwargs)
        values.encode([list(args), kwargs])
        from buttress.jobs.engine import translated

        with translated(self.database.url.label):
            handle = self.execution.start(job.name, list(args), kwargs, job.timeout_seconds)
            return Ticket(handle.get_workflow_id(), self, getattr(handle, "future", None))

    def find(
        self, *, state: State | None = None, limit: int = 100, offset: int = 0
    ) -> list[JobStatus]:
        """Jobs, newest first."""
        given = [name for name, own in STATES.items() if own == state] or None
        return self._statuses(status=given, limit=limit, offset=offset, sort_desc=True)

    def show(self, job_id: str) -> JobStatus:
        """One job; raises `NotFound`."""
        found = self._statuses(workflow_ids=[job_id])
        if not found:
            raise NotFound(f"there is no job {job_id}", hint="See `buttress jobs list`.")
        return found[0]

    def result(self, job_id: str, *, timeout_seconds: float = 60.0) -> Any:
        """What a job returned, see `Ticket.result`."""
        give_up = time.monotonic() + timeout_seconds
        pause = 0.005
        while (status := self.show(job_id)).state not in ENDED:
            if time.monotonic() >= give_up:
                raise Unavailable(
                    f"job {job_id} ({status.name}) is {status.state} after {timeout_seconds} "
                    "seconds",
                    hint="It goes on; ask again later. If it only waits, is a worker running?",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)
        return self._outcome(status)

    def cancel(self, job_id: str) -> None:
        """Stop a job: it does not begin, or does not begin another step.

        Raises
        ------
        NotFound
            There is no such job.
        Conflict
            It has ended.
        """
        from buttress.jobs.engine import translated

        status = self.show(job_id)
        if status.state in ENDED:
            raise Conflict(f"job {job_id} is {status.state}", hint="There is nothing to cancel.")
        with translated(self.database.url.label):
            self.client.cancel_workflow(job_id)

    def retry(self, job_id: str) -> None:
        """Do a job that failed, was cancelled or was given up again; finished steps stay done.

        Raises
        ------
        NotFound
            There is no such job.
        Conflict
            It has not ended, or it succeeded.
        """
        from buttress.jobs.engine import translated

        status = self.show(job_id)
        if status.state not in ENDED or status.state == "done":
            raise Conflict(
                f"job {job_id} is {status.state}", hint="Only what did not succeed can be retried."
            )
        with translated(self.database.url.label):
            if status.state == "failed":
                failed = [
                    step["function_id"]
                    for step in self.client.list_workflow_steps(job_id)
                    if step["error"] is not None
                ]
                done = len(self.client.list_workflow_steps(job_id))
                start = min(failed) if failed else done + 1
                self.client.rewind_workflow(job_id, start_step=start, queue_name=status.queue)
            else:
                self.client.resume_workflow(job_id, queue_name=status.queue)

    def prune(self, *, days: float) -> int:
        """Delete jobs that ended more than so many days ago; how many that were."""
        from buttress.jobs.engine import translated

        before = (dt.datetime.now(dt.UTC) - dt.timedelta(days=days)).isoformat()
        ended = [name for name, own in STATES.items() if own in ENDED]
        deleted = 0
        with translated(self.database.url.label):
            while found := self.client.list_workflows(
                status=ended, completed_before=before, limit=PRUNED_AT_ONCE,
                load_input=False, load_output=False,
            ):  # fmt: skip
                ids = [status.workflow_id for status in found]
                self.client.delete_workflows(ids)
                with self.database.connection() as connection:
                    progress = self.tables.progress
                    connection.execute(delete(progress).where(progress.c.job.in_(ids)))
                deleted += len(ids)
        return deleted

    def write_progress(self, job_id: str, progress: Progress) -> None:
        """Keep how far a job is."""
        table = self.tables.progress

        def write(session: Session) -> None:
            session.execute(delete(table).where(table.c.job == job_id))
            session.execute(
                table.insert().values(
                    job=job_id, done=progress.done, total=progress.total, note=progress.note,
                    at=self.tables.now(),
                )
            )  # fmt: skip

        self.database.retry(write, idempotent=True)

    def _holder(self, session: Session, options: dict[str, Any]) -> str | None:
        work = self.tables.work
        if "deduplication_id" not in options:
            return None
        found: str | None = session.scalar(
            select(work.c.workflow_uuid).where(
                work.c.queue_name == options["queue_name"],
                work.c.deduplication_id == options["deduplication_id"],
            )
        )
        return found

    def _statuses(self, **which: Any) -> list[JobStatus]:
        from buttress.jobs.engine import translated

        with translated(self.database.url.label):
            found = self.client.list_workflows(load_input=False, load_output=False, **which)
            failed = [status.workflow_id for status in found if status.status == "ERROR"]
            errors = {
                status.workflow_id: status.error
                for status in (
                    self.client.list_workflows(workflow_ids=failed, load_input=False)
                    if failed
                    else []
                )
            }
        progress = self._progress([status.workflow_id for status in found])
        return [
            _status(status, errors.get(status.workflow_id), progress.get(status.workflow_id))
            for status in found
        ]

    def _progress(self, job_ids: Sequence[str]) -> dict[str, Progress]:
        table = self.tables.progress
        with self.database.connection(read_only=True) as connection:
            rows = connection.execute(select(table).where(table.c.job.in_(job_ids)))
            return {row.job: Progress(row.done, row.total, row.note) for row in rows}

    def _outcome(self, status: JobStatus) -> Any:
        from buttress.jobs.engine import translated

        with translated(self.database.url.label):
            (found,) = self.client.list_workflows(workflow_ids=[status.id], load_input=False)
        if found.error is not None:
            raise found.error
        if status.state == "done":
            return found.output
        raise JobFailed(
            f"job {status.id} ({status.name}) was {status.state}",
            hint=f"`buttress jobs retry {status.id}` does it again.",
        )


def _status(
    status: WorkflowStatus, error: Exception | None, progress: Progress | None
) -> JobStatus:
    attributes = status.attributes or {}
    name = attributes.get("job") or (status.schedule_name or status.name)
    return JobStatus(
        id=status.workflow_id,
        name=str(name),
        state=STATES[status.status],
        queue=status.queue_name,
        created_at=_moment(status.created_at or 0),
        ended_at=_moment(status.completed_at) if status.completed_at else None,
        attempts=status.recovery_attempts or 0,
        error=f"{type(error).__name__}: {error}" if error else None,
        progress=progress,
    )


def _moment(milliseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)

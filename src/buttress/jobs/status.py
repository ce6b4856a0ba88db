"""How jobs stand: what is read of them, for people and programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import func, select

from buttress.errors import BadInput, NotFound
from buttress.jobs.errors import JobFailed
from buttress.jobs.queues import DEFAULT_QUEUE, Queue, QueueStatus

if TYPE_CHECKING:
    from dbos import WorkflowStatus

    from buttress.jobs.jobs import Jobs

State = Literal[
    "waiting", "delayed", "running", "paused", "done", "failed", "cancelled", "given up"
]
STATES: dict[str, State] = {
    "ENQUEUED": "waiting",
    "DELAYED": "delayed",
    "PENDING": "running",
    "SUCCESS": "done",
    "ERROR": "failed",
    "CANCELLED": "cancelled",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "given up",
}
"""What the engine calls them; a paused job is one it holds for cancelled, and we do not."""
ENDED: set[State] = {"done", "failed", "cancelled", "given up"}
ASKED_AT_ONCE = 500


@dataclass(frozen=True)
class Progress:
    """How far a job says it is."""

    done: int
    total: int | None
    note: str
    at: dt.datetime | None = None


@dataclass(frozen=True)
class JobStatus:
    """One job as it stands."""

    id: str
    name: str
    state: State
    queue: str | None
    """Where it waits or came from; None when it was started past the queues."""
    created_at: dt.datetime
    begun_at: dt.datetime | None
    """When it was begun the last time."""
    ended_at: dt.datetime | None
    attempts: int
    error: str | None
    progress: Progress | None
    parent: str | None
    """The job that made this one."""
    whom: str | None = None
    """The name of the person it is for, or `system`; None for nobody."""

    @property
    def refused(self) -> bool:
        """Whether it was not done because whom it is for may not do it, or nothing any more."""
        return self.state == "failed" and (self.error or "").startswith("Forbidden: ")


@dataclass(frozen=True)
class StepStatus:
    """One finished step of a job."""

    number: int
    name: str
    begun_at: dt.datetime | None
    ended_at: dt.datetime | None
    error: str | None

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        if self.begun_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.begun_at).total_seconds()


def find(
    jobs: Jobs, *, state: State | None, queue: str | None, limit: int, offset: int
) -> list[JobStatus]:
    """Jobs, newest first."""
    which: dict[str, Any] = {"sort_desc": True}
    if queue is not None:
        which["queue_name"] = queue
    if state == "paused":
        paused = _paused(jobs)
        return (
            _read(jobs, **which, workflow_ids=paused, limit=limit, offset=offset) if paused else []
        )
    if state is not None:
        which["status"] = [name for name, own in STATES.items() if own == state]
    if state == "cancelled":
        # The engine counts paused ones among them: enough is read to leave those out.
        surplus = len(_paused(jobs))
        found = _read(jobs, **which, limit=offset + limit + surplus)
        return [job for job in found if job.state == state][offset : offset + limit]
    return _read(jobs, **which, limit=limit, offset=offset)


def show(jobs: Jobs, job_id: str) -> JobStatus:
    """One job; raises `NotFound`."""
    found = _read(jobs, workflow_ids=[job_id])
    if not found:
        raise NotFound(f"there is no job {job_id}", hint="See `buttress jobs list`.")
    return found[0]


def state_of(jobs: Jobs, job_id: str) -> State:
    """The state of one job, at the cost of one short query; raises `NotFound`."""
    work, paused = jobs.tables.work, jobs.tables.paused
    held = select(paused.c.job).where(paused.c.job == job_id).exists()
    query = select(work.c.status, held).where(work.c.workflow_uuid == job_id)
    with jobs.database.connection(read_only=True) as connection:
        found = connection.execute(query).one_or_none()
    if found is None:
        raise NotFound(f"there is no job {job_id}", hint="See `buttress jobs list`.")
    state, is_paused = found
    return "paused" if is_paused else STATES[state]


def attributes_of(jobs: Jobs, job_id: str) -> dict[str, Any]:
    """What is kept with a job beside its arguments, at the cost of one short query."""
    work = jobs.tables.work
    query = select(work.c.attributes).where(work.c.workflow_uuid == job_id)
    with jobs.database.connection(read_only=True) as connection:
        return connection.scalar(query) or {}


def outcome(jobs: Jobs, job_id: str) -> Any:
    """What a job that ended returned, or raises what it raised."""
    from buttress.jobs.engine import translated

    with translated(jobs.database.url.label):
        (found,) = jobs.client.list_workflows(workflow_ids=[job_id], load_input=False)
    if found.error is not None:
        raise found.error
    if found.status == "SUCCESS":
        return found.output
    raise JobFailed(
        f"job {job_id} ({name_of(found)}) was {STATES[found.status]}",
        hint=f"`buttress jobs retry {job_id}` does it again.",
    )


def full_id(jobs: Jobs, beginning: str) -> str:
    """The id of the only job whose id begins so; raises `NotFound` or `BadInput`."""
    found = _read(jobs, workflow_id_prefix=beginning, limit=2) if beginning else []
    if not found:
        raise NotFound(f"there is no job {beginning}", hint="See `buttress jobs list`.")
    if len(found) > 1 and beginning not in {job.id for job in found}:
        raise BadInput(f"several jobs begin with {beginning}", hint="Give more of the id.")
    return beginning if len(found) > 1 else found[0].id


def steps(jobs: Jobs, job_id: str) -> list[StepStatus]:
    """What a job has finished, in its order."""
    from buttress.jobs.engine import translated

    with translated(jobs.database.url.label):
        found = jobs.client.list_workflow_steps(job_id, load_output=True)
    return [
        StepStatus(
            step["function_id"],
            step["function_name"],
            _moment(step["started_at_epoch_ms"]),
            _moment(step["completed_at_epoch_ms"]),
            _told(step["error"]),
        )
        for step in found
    ]


def arguments(jobs: Jobs, job_id: str) -> tuple[list[Any], dict[str, Any]]:
    """What a job was given."""
    from buttress.jobs.engine import translated

    with translated(jobs.database.url.label):
        found = jobs.client.list_workflows(workflow_ids=[job_id], load_output=False)
    if not found:
        raise NotFound(f"there is no job {job_id}", hint="See `buttress jobs list`.")
    given: Any = found[0].input["args"] if found[0].input else ()
    # A scheduled one is given its time and its name by the engine, and passes neither on.
    if len(given) not in (3, 4):
        return [], {}
    _, args, kwargs = given[:3]
    return list(args), dict(kwargs)


def history(jobs: Jobs, job_id: str) -> list[Progress]:
    """What a job said of its progress, oldest first; the older ones of many are gone."""
    mark = jobs.tables.mark
    with jobs.database.connection(read_only=True) as connection:
        rows = connection.execute(
            select(mark).where(mark.c.job == job_id).order_by(mark.c.number)
        ).all()
    return [_progress(row) for row in rows]


def children(jobs: Jobs, job_ids: Sequence[str]) -> list[JobStatus]:
    """The jobs these made, oldest first."""
    child = jobs.tables.child
    with jobs.database.connection(read_only=True) as connection:
        found = list(connection.scalars(select(child.c.job).where(child.c.parent.in_(job_ids))))
    return _read(jobs, workflow_ids=found) if found else []


def queues(jobs: Jobs) -> list[QueueStatus]:
    """All queues: those declared here, and those where jobs wait or run."""
    work, paused = jobs.tables.work, jobs.tables.paused_queue
    with jobs.database.connection(read_only=True) as connection:
        counted = connection.execute(
            select(work.c.queue_name, work.c.status, func.count())
            .where(work.c.status.in_(["ENQUEUED", "DELAYED", "PENDING"]))
            .where(work.c.queue_name.is_not(None))
            .group_by(work.c.queue_name, work.c.status)
        ).all()
        held = set(connection.scalars(select(paused.c.queue)))
    known = jobs.queues_declared()
    waiting: dict[str, int] = {}
    running: dict[str, int] = {}
    for name, status, times in counted:
        into = running if status == "PENDING" else waiting
        into[name] = into.get(name, 0) + times
    return [
        QueueStatus(
            known.get(name) or Queue(name), waiting.get(name, 0), running.get(name, 0), name in held
        )
        for name in sorted({*known, *waiting, *running, *held})
        if not name.startswith("_")  # the engine's own
    ]


def _read(jobs: Jobs, **which: Any) -> list[JobStatus]:
    from buttress.jobs.engine import translated

    with translated(jobs.database.url.label):
        found = jobs.client.list_workflows(load_input=False, load_output=False, **which)
        failed = [status.workflow_id for status in found if status.status == "ERROR"]
        errors = {
            status.workflow_id: status.error
            for status in (
                jobs.client.list_workflows(workflow_ids=failed, load_input=False) if failed else []
            )
        }
    ids = [status.workflow_id for status in found]
    said, parents, paused = _newest_marks(jobs, ids), _parents(jobs, ids), set(_paused(jobs, ids))
    return [
        JobStatus(
            id=status.workflow_id,
            name=name_of(status),
            state="paused" if status.workflow_id in paused else STATES[status.status],
            queue=status.queue_name or (status.attributes or {}).get("queue"),
            created_at=_moment(status.created_at) or dt.datetime.fromtimestamp(0, dt.UTC),
            begun_at=_moment(status.dequeued_at),
            ended_at=_moment(status.completed_at),
            attempts=status.recovery_attempts or 0,
            error=_told(errors.get(status.workflow_id)),
            progress=said.get(status.workflow_id),
            parent=parents.get(status.workflow_id),
            whom="system" if status.schedule_name else (status.attributes or {}).get("for"),
        )
        for status in found
    ]


def name_of(status: WorkflowStatus) -> str:
    """The name of the job behind a workflow of the engine."""
    return str((status.attributes or {}).get("job") or status.schedule_name or status.name)


def queue_of(jobs: Jobs, status: JobStatus) -> str:
    """Where a job belongs, whatever it went through."""
    if status.queue is not None:
        return status.queue
    declared = {job.name: job.queue_name for job in jobs.declared()}
    return declared.get(status.name, DEFAULT_QUEUE)


def _newest_marks(jobs: Jobs, job_ids: Sequence[str]) -> dict[str, Progress]:
    mark = jobs.tables.mark
    newest = select(mark.c.job, func.max(mark.c.number).label("number"))
    found = {}
    with jobs.database.connection(read_only=True) as connection:
        for some in _parts(job_ids):
            last = newest.where(mark.c.job.in_(some)).group_by(mark.c.job).subquery()
            rows = connection.execute(
                select(mark).join(
                    last, (mark.c.job == last.c.job) & (mark.c.number == last.c.number)
                )
            )
            found.update({row.job: _progress(row) for row in rows})
    return found


def _parents(jobs: Jobs, job_ids: Sequence[str]) -> dict[str, str]:
    child = jobs.tables.child
    found: dict[str, str] = {}
    with jobs.database.connection(read_only=True) as connection:
        for some in _parts(job_ids):
            rows = connection.execute(select(child).where(child.c.job.in_(some)))
            found.update({row.job: row.parent for row in rows})
    return found


def _paused(jobs: Jobs, job_ids: Sequence[str] | None = None) -> list[str]:
    paused = jobs.tables.paused
    with jobs.database.connection(read_only=True) as connection:
        if job_ids is None:
            return list(connection.scalars(select(paused.c.job)))
        return [
            job
            for some in _parts(job_ids)
            for job in connection.scalars(select(paused.c.job).where(paused.c.job.in_(some)))
        ]


def _parts(job_ids: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(job_ids), ASKED_AT_ONCE):
        yield job_ids[start : start + ASKED_AT_ONCE]


def _progress(row: Any) -> Progress:
    return Progress(row.done, row.total, row.note, dt.datetime.fromtimestamp(row.at, dt.UTC))


def _told(error: BaseException | None) -> str | None:
    return f"{type(error).__name__}: {error}" if error else None


def _moment(milliseconds: int | None) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC) if milliseconds else None

"""How a job comes to exist: in a queue or at once, alone or as the child of another."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from buttress.errors import BadInput, Conflict
from buttress.jobs import values
from buttress.jobs.declaration import Job, current_run
from buttress.jobs.for_whom import Kept, keep, told
from buttress.jobs.queues import Queue
from buttress.telemetry import handed_on

if TYPE_CHECKING:
    from dbos import DBOSClient

    from buttress.jobs.engine import Execution
    from buttress.jobs.jobs import Jobs

FIRST_PRIORITY, PRIORITY, LAST_PRIORITY = 1, 100, 1_000_000


@dataclass(frozen=True)
class Order:
    """What is to be done, and how soon."""

    job: Job[Any, Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    queue: Queue | str | None = None
    """Another than the job's own."""
    key: str | None = None
    priority: int = PRIORITY
    delay_seconds: float = 0.0

    def arguments(self, kept: Kept | None) -> list[Any]:
        """What the engine is given; raises `BadInput` when it cannot be stored."""
        given = [self.job.name, list(self.args), dict(self.kwargs)]
        if kept is not None:
            given.append(dict(kept))
        values.encode(given)
        return given


def enqueue(jobs: Jobs, order: Order, session: Session | None) -> str:
    """Put a job into its queue; its id, or that of the one which has its key."""
    if not FIRST_PRIORITY <= order.priority <= LAST_PRIORITY or order.delay_seconds < 0:
        raise BadInput(
            f"priority {order.priority} or delay {order.delay_seconds} is out of range",
            hint="Priorities go from 1 to 1,000,000; a delay is not negative.",
        )
    job = order.job
    queue = job.queue_name if order.queue is None else _known(jobs, order.queue)
    kept = keep(jobs.people)
    arguments = order.arguments(kept)
    client = jobs.client
    from buttress.jobs.engine import VERSION, WORKFLOW, translated

    parent = current_run()
    options: dict[str, Any] = {
        "workflow_name": WORKFLOW,
        "queue_name": queue,
        "workflow_id": parent.child_id() if parent else uuid4().hex,
        "app_version": VERSION,
        "priority": order.priority,
        "attributes": {"job": job.name, "queue": queue, "for": told(kept), **handed_on()},
    }
    if order.delay_seconds:
        options["delay_seconds"] = order.delay_seconds
        _set_clock(jobs)
    if job.timeout_seconds is not None:
        options["workflow_timeout"] = job.timeout_seconds
    if order.key is not None:
        options["deduplication_id"] = f"{job.name}:{order.key}"
    with translated(jobs.database.url.label):
        if session is None:
            if order.key is not None:
                options["duplication_policy"] = "return-existing"
            handle: Any = client.enqueue(options, *arguments)  # type: ignore[arg-type]
        else:
            there = _holder(jobs, session, options)
            if there is not None:
                return there
            handle = _enqueue_in(session, client, options, arguments, order.key)
    made: str = handle.get_workflow_id()
    if parent and made == options["workflow_id"]:
        _keep_parent(jobs, made, parent.id, session)
    return made


def _enqueue_in(
    session: Session,
    client: DBOSClient,
    options: dict[str, Any],
    arguments: list[Any],
    key: str | None,
) -> Any:
    try:
        return client.enqueue_in_transaction(session, options, *arguments)  # type: ignore[arg-type]
    except Conflict as error:
        if "dedup" not in error.message:
            raise
        # Committed since we looked who has the key.
        raise Conflict(
            f"another job of key {key!r} was enqueued at the same moment",
            hint="Do the transaction again: it finds that job and returns its id.",
        ) from error


def start(jobs: Jobs, execution: Execution, order: Order) -> tuple[str, Future[Any] | None]:
    """Begin a job in this process; its id, and where it runs."""
    kept, handed = keep(jobs.people), handed_on()
    arguments = order.arguments(kept)
    from buttress.jobs.engine import translated

    parent = current_run()
    made = parent.child_id() if parent else uuid4().hex
    with translated(jobs.database.url.label):
        # Outside of the engine's context: the child is ours to number and to remember.
        handle = contextvars.Context().run(
            execution.start,
            made,
            arguments,
            order.job.timeout_seconds,
            {"job": order.job.name, "for": told(kept), **handed},
        )
    if parent:
        _keep_parent(jobs, made, parent.id, None)
    return made, getattr(handle, "future", None)


def _known(jobs: Jobs, queue: Queue | str) -> str:
    name = queue if isinstance(queue, str) else queue.name
    known = jobs.queues_declared()
    if name not in known:
        raise BadInput(
            f"no worker would look into queue {name!r}",
            hint=f"Declare it with app.queue({name!r}), or use one of {', '.join(known)}.",
        )
    return name


def _set_clock(jobs: Jobs) -> None:
    """A delay is added to what the database's clock shows, whatever this host's does."""
    from buttress.jobs.engine import ENQUEUE_CLOCK

    with jobs.database.connection(read_only=True) as connection:
        ENQUEUE_CLOCK.set(connection.scalars(select(jobs.tables.now())).one())


def _keep_parent(jobs: Jobs, job_id: str, parent: str, session: Session | None) -> None:
    child = jobs.tables.child
    there = select(child.c.job).where(child.c.job == job_id).exists()
    row = child.insert().from_select(
        ["job", "parent"], select(literal(job_id), literal(parent)).where(~there)
    )
    if session is not None:
        session.execute(row)
    else:
        jobs.database.retry(lambda own: own.execute(row), idempotent=True)


def _holder(jobs: Jobs, session: Session, options: dict[str, Any]) -> str | None:
    """The job that has the key, as far as this transaction sees."""
    work = jobs.tables.work
    if "deduplication_id" not in options:
        return None
    found: str | None = session.scalar(
        select(work.c.workflow_uuid).where(
            work.c.queue_name == options["queue_name"],
            work.c.deduplication_id == options["deduplication_id"],
        )
    )
    return found

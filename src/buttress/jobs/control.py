"""What can be done to a job that exists: cancel, pause, resume, retry, prune."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, delete, func, select, update

from buttress.errors import BadInput, Conflict, NotFound
from buttress.jobs import status as reading
from buttress.jobs.status import ENDED, STATES, JobStatus, queue_of

if TYPE_CHECKING:
    from buttress.jobs.jobs import Jobs

PRUNED_AT_ONCE = 500
UNENDED = ["ENQUEUED", "DELAYED", "PENDING"]


def cancel(jobs: Jobs, job_id: str, *, children: bool) -> list[str]:
    """Stop a job, and what it made; the ids of all that were stopped."""
    status = reading.show(jobs, job_id)
    if status.state in ENDED and not children:
        raise Conflict(f"job {job_id} is {status.state}", hint="There is nothing to cancel.")
    stopped: list[str] = []
    generation = [status]
    while generation:
        # The parents first, so that none makes another child after it was looked at.
        for job in generation:
            if job.state not in ENDED:
                _cancel(jobs, job)
                stopped.append(job.id)
        generation = reading.children(jobs, [job.id for job in generation]) if children else []
    return stopped


def _cancel(jobs: Jobs, status: JobStatus) -> None:
    from buttress.jobs.engine import translated

    if status.state == "paused" and _cancel_paused(jobs, status.id):
        return
    with translated(jobs.database.url.label):
        jobs.client.cancel_workflow(status.id)


def _cancel_paused(jobs: Jobs, job_id: str) -> bool:
    """Give up the place and the key a paused job holds; False when it is paused no more."""
    work, now = jobs.tables.work, jobs.tables.now_ms()
    with jobs.database.connection() as connection:
        if not _unmark(jobs, connection, job_id):
            return False
        connection.execute(
            update(work)
            .where(work.c.workflow_uuid == job_id, work.c.status == "CANCELLED")
            .values(queue_name=None, deduplication_id=None, updated_at=now, completed_at=now)
        )
    return True


def pause(jobs: Jobs, job_id: str) -> None:
    """Have a job wait until it is resumed.

    The engine is told it was cancelled, which ends its claim to commit anything; place, key and
    finished steps stay, and a row of ours says that it is to go on. Both in one transaction: of
    a pause and an end at the same moment one wins.
    """
    tables = jobs.tables
    work = tables.work
    with jobs.database.connection() as connection:
        held = connection.execute(
            update(work)
            .where(work.c.workflow_uuid == job_id, work.c.status.in_(UNENDED))
            .values(
                status="CANCELLED",
                owner_xid=None,
                started_at_epoch_ms=None,
                workflow_deadline_epoch_ms=None,
                updated_at=tables.now_ms(),
            )
        )
        if held.rowcount:
            connection.execute(tables.paused.insert().values(job=job_id, at=tables.now()))
            return
    state = reading.show(jobs, job_id).state
    raise Conflict(f"job {job_id} is {state}", hint="Only what has not ended can be paused.")


def resume(jobs: Jobs, job_id: str) -> None:
    """Let a paused job go on after its last finished step."""
    status = reading.show(jobs, job_id)
    work, now = jobs.tables.work, jobs.tables.now_ms()
    with jobs.database.connection() as connection:
        if not _unmark(jobs, connection, job_id):
            raise Conflict(f"job {job_id} is {status.state}", hint="It is not paused.")
        connection.execute(
            update(work)
            .where(work.c.workflow_uuid == job_id, work.c.status == "CANCELLED")
            .values(
                status=case((work.c.delay_until_epoch_ms > now, "DELAYED"), else_="ENQUEUED"),
                queue_name=func.coalesce(work.c.queue_name, queue_of(jobs, status)),
                recovery_attempts=0,
                updated_at=now,
            )
        )


def retry(jobs: Jobs, job_id: str, *, from_step: int | None) -> None:
    """Do a job that did not succeed again, after its last finished step or from one on."""
    from buttress.jobs.engine import translated

    status = reading.show(jobs, job_id)
    if status.state not in ENDED or status.state == "done":
        hint = "Only what did not succeed can be retried."
        if status.state == "paused":
            hint = f"`buttress jobs resume {job_id}` lets it go on."
        raise Conflict(f"job {job_id} is {status.state}", hint=hint)
    queue = queue_of(jobs, status)
    done = reading.steps(jobs, job_id)
    last = max((step.number for step in done), default=0)
    if from_step is not None and not 1 <= from_step <= last + 1:
        raise BadInput(
            f"job {job_id} has finished {last} steps, there is no step {from_step} to begin with",
            hint=f"`buttress jobs show {job_id}` lists them.",
        )
    with translated(jobs.database.url.label):
        if from_step is None and status.state != "failed":
            jobs.client.resume_workflow(job_id, queue_name=queue)
            return
        # An error in an earlier step was handled by the job: what came after it is done.
        failed_last = any(step.number == last and step.error for step in done)
        start = from_step or (last if failed_last else last + 1)
        _forget_transactions(jobs, job_id, start)
        jobs.client.rewind_workflow(job_id, start_step=start, queue_name=queue)


def _forget_transactions(jobs: Jobs, job_id: str, start: int) -> None:
    """Steps of a client without data sources leave what those recorded."""
    done = jobs.tables.transaction
    with jobs.database.connection() as connection:
        connection.execute(
            delete(done).where(done.c.workflow_id == job_id, done.c.step_id >= start)
        )


def prune(jobs: Jobs, *, days: float) -> int:
    """Delete jobs that ended more than so many days ago; how many that were."""
    from buttress.jobs.engine import translated

    with jobs.database.connection(read_only=True) as connection:
        now = connection.scalars(select(jobs.tables.now())).one()
    before = dt.datetime.fromtimestamp(now - days * 86_400, dt.UTC).isoformat()
    ended = [name for name, own in STATES.items() if own in ENDED]
    deleted = 0
    with translated(jobs.database.url.label):
        while found := jobs.client.list_workflows(
            status=ended, completed_before=before, limit=PRUNED_AT_ONCE,
            load_input=False, load_output=False,
        ):  # fmt: skip
            ids = [status.workflow_id for status in found]
            jobs.client.delete_workflows(ids)
            with jobs.database.connection() as connection:
                for table in (jobs.tables.mark, jobs.tables.child, jobs.tables.paused):
                    connection.execute(delete(table).where(table.c.job.in_(ids)))
            deleted += len(ids)
    return deleted


def pause_queue(jobs: Jobs, name: str) -> None:
    """Let no job of a queue begin; those that run go on."""
    table = jobs.tables.paused_queue
    if name not in {found.queue.name for found in reading.queues(jobs)}:
        raise NotFound(f"there is no queue {name!r}", hint="See `buttress jobs queues`.")
    with jobs.database.connection() as connection:
        connection.execute(delete(table).where(table.c.queue == name))
        connection.execute(table.insert().values(queue=name, at=jobs.tables.now()))


def resume_queue(jobs: Jobs, name: str) -> None:
    """Let jobs of a queue begin again."""
    table = jobs.tables.paused_queue
    with jobs.database.connection() as connection:
        found = connection.execute(delete(table).where(table.c.queue == name)).rowcount
    if not found:
        raise Conflict(f"queue {name} is not paused", hint="See `buttress jobs queues`.")


def _unmark(jobs: Jobs, connection: Any, job_id: str) -> bool:
    """Whether the job was paused; of several callers one gets True."""
    paused = jobs.tables.paused
    return bool(connection.execute(delete(paused).where(paused.c.job == job_id)).rowcount)

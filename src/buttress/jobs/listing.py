"""Jobs page by page: a page begins where the last job of the one before stood."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, select, tuple_

from buttress.jobs.status import STATES, JobStatus, State, _read

if TYPE_CHECKING:
    from buttress.jobs.jobs import Jobs

Position = tuple[int, str]
"""When a job was made, in milliseconds since 1970, and its id."""


def page(
    jobs: Jobs,
    *,
    state: State | None = None,
    queue: str | None = None,
    after: Position | None = None,
    limit: int = 100,
) -> list[JobStatus]:
    """Jobs, the newest first, older than `after`."""
    work = Table(
        "workflow_status",
        MetaData(schema=jobs.tables.schema),
        Column("workflow_uuid", Text),
        Column("status", Text),
        Column("queue_name", Text),
        Column("created_at", BigInteger),
    )
    paused = jobs.tables.paused
    held = select(paused.c.job).where(paused.c.job == work.c.workflow_uuid).exists()
    chosen = select(work.c.workflow_uuid)
    if queue is not None:
        chosen = chosen.where(work.c.queue_name == queue)
    if state == "paused":
        chosen = chosen.where(held)
    elif state is not None:
        # The engine holds paused ones for cancelled.
        names = [name for name, own in STATES.items() if own == state]
        chosen = chosen.where(work.c.status.in_(names), ~held)
    place = tuple_(work.c.created_at, work.c.workflow_uuid)
    if after is not None:
        chosen = chosen.where(place < after)
    newest = (work.c.created_at.desc(), work.c.workflow_uuid.desc())
    with jobs.database.connection(read_only=True) as connection:
        ids = list(connection.scalars(chosen.order_by(*newest).limit(limit)))
    found = {job.id: job for job in (_read(jobs, workflow_ids=ids) if ids else [])}
    return [found[job_id] for job_id in ids if job_id in found]


def position(job: JobStatus) -> Position:
    """Where the next page begins."""
    return round(
        (job.created_at - dt.datetime.fromtimestamp(0, dt.UTC)).total_seconds() * 1000
    ), job.id

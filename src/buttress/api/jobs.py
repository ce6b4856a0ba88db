"""Background work under `/api/v1`; what begins it is a route of the app whose work it is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from buttress.api.paging import USUAL, WHOLE, Cursor, Limit, read_cursor, write_cursor
from buttress.api.permission import needs
from buttress.api.route import StrictRoute
from buttress.api.session import RuntimeDep
from buttress.api.types import Page, Text
from buttress.errors import ConfigurationError, Conflict
from buttress.jobs import Jobs, listing
from buttress.jobs.status import JobStatus, State

router = APIRouter(tags=["Jobs"], route_class=StrictRoute)


class Told(BaseModel):
    """Read from what the jobs tell."""

    model_config = ConfigDict(from_attributes=True)


class ProgressOut(Told):
    """How far a job says it is."""

    done: int
    total: int | None
    note: str
    at: datetime | None


class JobOut(Told):
    """One job as it stands."""

    id: str
    name: str
    state: State
    queue: str | None
    created_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    attempts: int
    error: str | None
    progress: ProgressOut | None
    parent: str | None


class StepOut(Told):
    """One finished step."""

    number: int
    name: str
    begun_at: datetime | None
    ended_at: datetime | None
    error: str | None


class JobDetails(JobOut):
    """One job with what it did, said and made."""

    steps: list[StepOut]
    history: list[ProgressOut]
    children: list[str]


class QueueOut(BaseModel):
    """One queue with what waits and runs in it."""

    name: str
    waiting: int
    running: int
    paused: bool


class Stopped(BaseModel):
    """The jobs that were stopped."""

    ids: list[str]


def installed_jobs(runtime: RuntimeDep) -> Jobs:
    """The jobs; raises Conflict where their tables are not made yet."""
    try:
        runtime.jobs.tables  # noqa: B018  # asked for, they tell whether they are there
    except ConfigurationError as error:
        raise Conflict("there are no jobs here yet", hint=error.hint) from error
    return runtime.jobs


JobsDep = Annotated[Jobs, Depends(installed_jobs)]


@router.get("/jobs", dependencies=[needs("jobs.read")])
def list_jobs(
    jobs: JobsDep,
    state: State | None = None,
    queue: Text | None = None,
    limit: Limit = USUAL,
    cursor: Cursor = None,
) -> Page[JobOut]:
    """Jobs, the newest first."""
    request = f"jobs {state} {queue}"
    after = read_cursor(cursor, request, (int, str)) if cursor is not None else None
    found = listing.page(
        jobs, state=state, queue=queue, after=(after[0], after[1]) if after else None,
        limit=limit + 1,
    )  # fmt: skip
    items = [JobOut.model_validate(job) for job in found[:limit]]
    more = write_cursor(request, listing.position(found[limit - 1])) if found[limit:] else None
    return Page(items=items, next=more)


@router.get("/jobs/{job_id}", dependencies=[needs("jobs.read")])
def show_job(job_id: Text, jobs: JobsDep) -> JobDetails:
    """One job: how far it is, its finished steps, what it said last, the jobs it made."""
    job: JobStatus = jobs.show(job_id)
    return JobDetails(
        **JobOut.model_validate(job).model_dump(),
        steps=[StepOut.model_validate(step) for step in jobs.steps(job_id)],
        history=[ProgressOut.model_validate(said) for said in jobs.history(job_id)],
        children=[child.id for child in jobs.children(job_id)],
    )


@router.post("/jobs/{job_id}/cancel", status_code=200, dependencies=[needs("jobs.control")])
def cancel_job(job_id: Text, jobs: JobsDep, children: bool = False) -> Stopped:
    """Stop a job, and with `children` what it made: it begins no other step."""
    return Stopped(ids=jobs.cancel(job_id, children=children))


@router.post("/jobs/{job_id}/pause", status_code=204, dependencies=[needs("jobs.control")])
def pause_job(job_id: Text, jobs: JobsDep) -> None:
    """Have a job wait until it is resumed."""
    jobs.pause(job_id)


@router.post("/jobs/{job_id}/resume", status_code=204, dependencies=[needs("jobs.control")])
def resume_job(job_id: Text, jobs: JobsDep) -> None:
    """Let a paused job go on."""
    jobs.resume(job_id)


@router.post("/jobs/{job_id}/retry", status_code=204, dependencies=[needs("jobs.control")])
def retry_job(job_id: Text, jobs: JobsDep, from_step: WHOLE | None = None) -> None:
    """Do a job that did not succeed again; finished steps before `from_step` stay done."""
    jobs.retry(job_id, from_step=from_step)


@router.get("/queues", dependencies=[needs("jobs.read")])
def list_queues(jobs: JobsDep) -> list[QueueOut]:
    """All queues, with what waits and runs in them."""
    return [
        QueueOut(name=one.queue.name, waiting=one.waiting, running=one.running, paused=one.paused)
        for one in jobs.queues()
    ]


@router.post("/queues/{name}/pause", status_code=204, dependencies=[needs("jobs.control")])
def pause_queue(name: Text, jobs: JobsDep) -> None:
    """Let no job of a queue begin; those that run go on."""
    jobs.pause_queue(name)


@router.post("/queues/{name}/resume", status_code=204, dependencies=[needs("jobs.control")])
def resume_queue(name: Text, jobs: JobsDep) -> None:
    """Let jobs of a queue begin again."""
    jobs.resume_queue(name)

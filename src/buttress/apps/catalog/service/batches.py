"""Batches: requests carried out together, watched, tried again where they failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, selectinload

from buttress.apps.catalog.models import Batch, Request, RequestSource
from buttress.errors import BadInput, Conflict, NotFound
from buttress.jobs import Jobs

SETTLED_AT_ONCE = 1000


@dataclass(frozen=True)
class Progress:
    """How many requests of a batch are in which state."""

    draft: int = 0
    waiting: int = 0
    working: int = 0
    done: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.draft + self.waiting + self.working + self.done + self.failed

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return not self.draft and not self.waiting and not self.working and self.total > 0


@dataclass(frozen=True)
class Cause:
    """Why some requests failed, what to do about that, and how many they are."""

    problem: str
    cure: str
    requests: int


def batch_of(session: Session, id: int, *, lock: bool = False) -> Batch:
    """The batch of that number; raises `NotFound`."""
    batch = session.get(Batch, id, with_for_update=lock)
    if batch is None:
        raise NotFound(f"there is no batch {id}", hint="It may have been deleted.")
    return batch


def request_of(session: Session, id: int, *, lock: bool = False) -> Request:
    """The request of that number; raises `NotFound`."""
    request = session.get(Request, id, with_for_update=lock)
    if request is None:
        raise NotFound(f"there is no request {id}", hint="It may have been deleted.")
    return request


def expect_draft(batch: Batch) -> None:
    """Raises `Conflict` for a batch that was begun."""
    if batch.executed_at is not None:
        raise Conflict(
            f"batch {batch.id} has been begun", hint="Make another one for more products."
        )


def newest(session: Session, *, offset: int = 0, limit: int = 50) -> Sequence[Batch]:
    """Batches, the newest first, without the first `offset`."""
    return session.scalars(
        select(Batch).order_by(Batch.id.desc()).limit(limit).offset(offset)
    ).all()


def requests(
    session: Session,
    batch_id: int,
    *,
    state: str | None = None,
    offset: int = 0,
    limit: int = 100,
) -> Sequence[Request]:
    """Requests of a batch in their order, without the first `offset`."""
    chosen = (
        select(Request)
        .where(Request.batch_id == batch_id)
        .order_by(Request.position)
        .limit(limit)
        .offset(offset)
        .options(selectinload(Request.sources).selectinload(RequestSource.source))
    )
    if state is not None:
        chosen = chosen.where(Request.state == state)
    return session.scalars(chosen).all()


def progress(session: Session, batch_ids: Sequence[int]) -> dict[int, Progress]:
    """How far each batch is."""
    counted = session.execute(
        select(Request.batch_id, Request.state, func.count())
        .where(Request.batch_id.in_(batch_ids))
        .group_by(Request.batch_id, Request.state)
    )
    states: dict[int, dict[str, int]] = {id: {} for id in batch_ids}
    for batch_id, state, number in counted:
        states[batch_id][state] = number
    return {id: Progress(**found) for id, found in states.items()}


def made(session: Session, batch_id: int) -> Sequence[int]:
    """The products of a batch."""
    chosen = select(Request.product_id).where(
        Request.batch_id == batch_id, Request.product_id.is_not(None), Request.state == "done"
    )
    return [id for id in session.scalars(chosen.order_by(Request.position)) if id is not None]


def causes(session: Session, batch_id: int, *, limit: int = 10) -> list[Cause]:
    """Why requests of a batch failed, the most frequent causes first."""
    number = func.count()
    chosen = (
        select(Request.problem, Request.cure, number)
        .where(Request.batch_id == batch_id, Request.state == "failed")
        .group_by(Request.problem, Request.cure)
        .order_by(number.desc(), Request.problem)
        .limit(limit)
    )
    return [
        Cause(problem or "it failed", cure or "", requests)
        for problem, cure, requests in session.execute(chosen)
    ]


def begin(session: Session, batch_id: int) -> list[int]:
    """Make a draft wait to be carried out; gives the requests to be enqueued.

    Raises `Conflict` when it was begun already, `BadInput` when it is empty.
    """
    batch = batch_of(session, batch_id, lock=True)
    expect_draft(batch)
    found = _wait(session, batch_id, "draft")
    if not found:
        raise BadInput("the batch is empty", hint="Add a product to it first.")
    batch.executed_at = func.now()
    return found


def retry_failed(session: Session, batch_id: int) -> list[int]:
    """Make what failed wait again; gives the requests to be enqueued, raises `Conflict` if none."""
    batch_of(session, batch_id, lock=True)
    found = _wait(session, batch_id, "failed")
    if not found:
        raise Conflict(f"nothing in batch {batch_id} has failed")
    return found


def settle(session: Session, jobs: Jobs) -> int:
    """Fail requests whose job has ended without them: cancelled, given up, or refused because the
    person may no longer do it. Gives how many; `retry_failed` does them again."""
    open_requests = session.execute(
        select(Request.id, func.coalesce(Request.job_id, Batch.job_id))
        .join(Batch)
        .where(Request.state.in_(("waiting", "working")))
        .limit(SETTLED_AT_ONCE)
    ).all()
    lost = 0
    for id, job_id in open_requests:
        try:
            status = jobs.show(job_id) if job_id else None
        except NotFound:
            status = None
        if status is not None and (status.ended_at is None or status.state == "done"):
            continue  # a job that is done has written its state, or is just about to
        request = request_of(session, id, lock=True)
        if request.state in ("waiting", "working") and request.job_id in (None, job_id):
            request.state, request.ended_at = "failed", datetime.now(UTC)
            request.problem = (
                "its job is gone"
                if status is None
                else status.error or f"its job was {status.state}"
            )
            request.cure = "Retry what failed."
            lost += 1
    return lost


def _wait(session: Session, batch_id: int, state: str) -> list[int]:
    changed = session.scalars(
        update(Request)
        .where(Request.batch_id == batch_id, Request.state == state)
        .values(
            state="waiting", job_id=None, problem=None, cure=None, started_at=None, ended_at=None
        )
        .returning(Request.id)
        .execution_options(synchronize_session=False)
    )
    return sorted(changed)

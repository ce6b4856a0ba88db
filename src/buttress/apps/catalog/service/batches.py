"""Batches: requests put together as drafts, carried out together, tried again where they failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, selectinload

from buttress.apps.catalog.models import Batch, Product, Request, RequestSource
from buttress.apps.catalog.models.prompts import Prompt
from buttress.apps.catalog.schemas import Again, Chosen, Engine, ManyPages, ManyRows, NewRequest
from buttress.apps.catalog.service.sources import expect_page, person, source_of
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


def draft(session: Session, name: str) -> Batch:
    """A new, empty batch; raises `BadInput` without a name."""
    if not name.strip():
        raise BadInput("a batch needs a name", hint="Say what it is, like 'autumn price list'.")
    batch = Batch(name=name.strip(), created_by=person())
    session.add(batch)
    session.flush()
    return batch


def open_draft(session: Session) -> Batch | None:
    """The newest draft of who is acting, None when all of theirs were begun."""
    own = select(Batch).where(Batch.created_by == person(), Batch.executed_at.is_(None))
    return session.scalars(own.order_by(Batch.id.desc()).limit(1)).first()


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


def add(session: Session, batch_id: int, new: NewRequest) -> Request:
    """One more product for a draft.

    Raises `Conflict` when the batch was begun, `NotFound` for a document or prompt that is not
    there, `BadInput` when there is nothing to read from or a part that a document does not have.
    """
    if not new.sources and not new.hint.strip():
        raise BadInput("nothing to read from", hint="Choose a document, or describe the product.")
    for chosen in new.sources:
        _check(session, chosen)
    return _add(session, batch_id, [(new.product_type, new, new.sources, new.hint)])[0]


def add_rows(session: Session, batch_id: int, new: ManyRows) -> list[Request]:
    """Rows of a sheet, each a product; raises as `add`."""
    parts = [
        Chosen(source_id=new.source_id, sheet=new.sheet, header=new.header, row=row)
        for row in new.rows
    ]
    _check(session, parts[0])
    last = max(new.rows)
    if last > _rows(session, parts[0]) or min(new.rows) <= new.header:
        raise BadInput(
            f"not every row lies below row {new.header} and within the sheet",
            hint="Rows count from 1; the header names the columns and is no product.",
        )
    return _add(session, batch_id, [(new.product_type, new, [part], new.hint) for part in parts])


def add_pages(session: Session, batch_id: int, new: ManyPages) -> list[Request]:
    """Pages of the web, each a product, fetched when the batch is carried out; raises as `add`."""
    pages = [expect_page(session, url) for url in dict.fromkeys(map(str.strip, new.urls))]
    return _add(
        session,
        batch_id,
        [(new.product_type, new, [Chosen(source_id=page.id)], new.hint) for page in pages],
    )


def again(session: Session, name: str, wanted: Again) -> Batch:
    """A draft that extracts products anew, from the sources of their newest extraction.

    Raises `NotFound` for a product that is not there or has no extraction.
    """
    batch = draft(session, name)
    for position, product_id in enumerate(dict.fromkeys(wanted.products)):
        product = session.get(Product, product_id)
        before = session.scalars(
            select(Request)
            .where(Request.product_id == product_id, Request.state == "done")
            .order_by(Request.id.desc())
            .limit(1)
            .options(selectinload(Request.sources))
        ).first()
        if product is None or before is None:
            raise NotFound(
                f"there is no product {product_id} that can be extracted anew",
                hint="Extract it from its documents.",
            )
        session.add(
            Request(
                batch_id=batch.id,
                position=position,
                product_type=product.product_type,
                scope=wanted.scope,
                product_id=product_id,
                hint=before.hint,
                sources=[
                    RequestSource(position=one.position, source_id=one.source_id, chosen=one.chosen)
                    for one in before.sources
                ],
                **_engine(session, wanted),
            )
        )
    session.flush()
    return batch


def remove(session: Session, request_id: int) -> None:
    """Take a request out of a draft; raises `NotFound`, or `Conflict` when it was begun."""
    request = request_of(session, request_id, lock=True)
    _draft(batch_of(session, request.batch_id, lock=True))
    session.delete(request)


def begin(session: Session, batch_id: int) -> list[int]:
    """Make a draft wait to be carried out; gives the requests to be enqueued.

    Raises `Conflict` when it was begun already, `BadInput` when it is empty.
    """
    batch = batch_of(session, batch_id, lock=True)
    _draft(batch)
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


def _draft(batch: Batch) -> Batch:
    if batch.executed_at is not None:
        raise Conflict(
            f"batch {batch.id} has been begun", hint="Make another one for more products."
        )
    return batch


def _engine(session: Session, engine: Engine) -> dict[str, object]:
    if engine.prompt_id is not None and session.get(Prompt, engine.prompt_id) is None:
        raise NotFound(f"there is no prompt {engine.prompt_id}")
    return {
        "model": engine.model,
        "temperature": engine.temperature,
        "prompt_id": engine.prompt_id,
    }


def _add(
    session: Session,
    batch_id: int,
    wanted: Sequence[tuple[str, Engine, Sequence[Chosen], str]],
) -> list[Request]:
    _draft(batch_of(session, batch_id, lock=True))
    last = session.scalar(select(func.max(Request.position)).where(Request.batch_id == batch_id))
    first = 0 if last is None else last + 1
    engine = _engine(session, wanted[0][1])
    made = [
        Request(
            batch_id=batch_id,
            position=first + place,
            product_type=str(product_type),
            hint=hint.strip(),
            sources=list(_parts(chosen)),
            **engine,
        )
        for place, (product_type, _, chosen, hint) in enumerate(wanted)
    ]
    session.add_all(made)
    session.flush()
    return made


def _parts(chosen: Sequence[Chosen]) -> Iterator[RequestSource]:
    for position, one in enumerate(chosen):
        part = one.model_dump(exclude={"source_id"}, exclude_none=True)
        yield RequestSource(position=position, source_id=one.source_id, chosen=part)


def _check(session: Session, chosen: Chosen) -> None:
    """Raise unless the document has that part."""
    source = source_of(session, chosen.source_id)
    if source.kind == "pdf":
        there = int(source.outline["pages"])
        beyond = [page for page in chosen.pages or [] if page > there]
        if beyond or chosen.sheet is not None:
            raise BadInput(f"{source.name} has {there} pages and no page {beyond or 'of a sheet'}")
    if source.kind == "sheet" and (chosen.row is None or chosen.row > _rows(session, chosen)):
        raise BadInput(
            f"{source.name} has no row {chosen.row} in sheet {chosen.sheet!r}",
            hint="Choose a sheet and one of its rows; each row is a product.",
        )


def _rows(session: Session, chosen: Chosen) -> int:
    source = source_of(session, chosen.source_id)
    for sheet in source.outline.get("sheets", []):
        if sheet["name"] == chosen.sheet:
            return int(sheet["rows"])
    return 0

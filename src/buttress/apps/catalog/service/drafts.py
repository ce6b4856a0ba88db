"""Drafts: batches that are put together, product by product, before they are carried out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from buttress.apps.catalog.models import Batch, Product, Request, RequestSource
from buttress.apps.catalog.models.prompts import Prompt
from buttress.apps.catalog.schemas import Again, Chosen, Engine, ManyPages, ManyRows, NewRequest
from buttress.apps.catalog.service.batches import batch_of, expect_draft, request_of
from buttress.apps.catalog.service.sources import expect_page, person, source_of
from buttress.errors import BadInput, NotFound


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
    expect_draft(batch_of(session, request.batch_id, lock=True))
    session.delete(request)


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
    expect_draft(batch_of(session, batch_id, lock=True))
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

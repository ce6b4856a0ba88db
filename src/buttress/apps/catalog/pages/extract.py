"""The page where products begin: documents and addresses, who extracts, now or as a draft."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from sqlalchemy.orm import Session

from buttress.access import require
from buttress.apps.catalog import app, jobs
from buttress.apps.catalog.models import Batch, Request
from buttress.apps.catalog.pages.addresses import addresses
from buttress.apps.catalog.pages.documents import (
    Part,
    SheetPart,
    add_page,
    chosen_documents,
    parts_of,
    upload,
)
from buttress.apps.catalog.pages.engine import Entered, choose_engine, choose_type
from buttress.apps.catalog.pages.following import follow
from buttress.apps.catalog.pages.ways import given, number_in_address, way
from buttress.apps.catalog.products import ProductType
from buttress.apps.catalog.schemas import Chosen, ManyPages, ManyRows, NewRequest
from buttress.apps.catalog.service import batches, drafts
from buttress.errors import BadInput
from buttress.mover.page import plural
from buttress.ui.current import current_runtime, page_session
from buttress.ui.problems import explained
from buttress.ui.text import plain

WAYS = ("Documents", "Web addresses")
Wanted = NewRequest | ManyRows | ManyPages


@app.page("Extract", icon="document_scanner", needs="data.import")
def extract() -> None:
    """From documents to a product, or to a draft of many."""
    require("data.import")
    st.title("Extract")
    request = number_in_address("request")
    if request is not None:
        follow(request)
        return
    st.caption(
        "Upload what a supplier sent, or name web pages. Each value of the product will show the "
        "place it was read from."
    )
    draft_offer()
    chosen = st.segmented_control(
        "Read from", WAYS, default=WAYS[0], required=True, key="catalog-way"
    )
    if chosen == WAYS[0]:
        from_documents()
    else:
        from_addresses()


def draft_offer() -> None:
    """The draft one has left, with what can be done with it."""
    with page_session() as session:
        draft = drafts.open_draft(session)
        if draft is None:
            return
        number = batches.progress(session, [draft.id])[draft.id].total
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**Your draft {plain(draft.name)}** has {plural(number, 'product')}.", width="content"
        )
        st.page_link(
            way("batches"), label="Open it", icon=":material/edit_note:",
            query_params={"batch": str(draft.id)},
        )  # fmt: skip
        if number and st.button("Extract all of it", icon=":material/play_arrow:"):
            with explained():
                with page_session() as session:
                    jobs.execute(session, current_runtime().jobs, draft.id)
                st.switch_page(way("batches"), query_params={"batch": str(draft.id)})


def from_documents() -> None:
    """Documents of one product, or rows of a sheet that are many."""
    upload()
    found = chosen_documents()
    add_page()
    parts = parts_of(found)
    product_type, engine, hint = settings()
    name = found[0].name if found else "a description"
    buttons(name, lambda: wanted_of(parts, product_type, engine, hint))


def from_addresses() -> None:
    """Pages of the web, each a product."""
    found = addresses()
    product_type, engine, hint = settings()

    def wanted() -> Wanted:
        if not found:
            raise BadInput("no address was given", hint="Type one, like https://shop.example/oil.")
        return given(ManyPages, product_type=product_type, urls=found, hint=hint, **engine.values)

    buttons(found[0].partition("://")[2][:60] if found else "web pages", wanted)


def settings() -> tuple[ProductType, Entered, str]:
    """The type, who extracts, and what a person adds."""
    st.subheader("What is it, and who extracts?")
    left, right = st.columns(2, gap="medium")
    with left:
        product_type = choose_type("catalog-extract")
        hint = st.text_area(
            "Hint",
            key="catalog-hint",
            placeholder="What the documents do not tell, like: Brand: Oakleaf",
            help="Counts as one more source. Written as `Label: value` the rules read it too.",
            max_chars=10_000,
            persist_state="session",
        )
    with right:
        engine = choose_engine("catalog-extract", product_type)
    return product_type, engine, hint or ""


def wanted_of(parts: list[Part], product_type: ProductType, engine: Entered, hint: str) -> Wanted:
    """What is asked for; raises `BadInput` where nothing, or not the right part, was chosen."""
    common = {"product_type": product_type, "hint": hint, **engine.values}
    if len(parts) == 1 and isinstance(parts[0], SheetPart):
        part = parts[0]
        if not part.rows:
            raise BadInput("no row is chosen", hint="Choose rows of the sheet, or all of them.")
        return given(
            ManyRows, source_id=part.source_id, sheet=part.sheet, header=part.header,
            rows=part.rows, **common,
        )  # fmt: skip
    return given(NewRequest, sources=[chosen_part(part) for part in parts], **common)


def chosen_part(part: Part) -> Chosen:
    """One of several parts of a product; raises `BadInput` for an empty one."""
    if isinstance(part, SheetPart):
        if len(part.rows) != 1:
            raise BadInput(
                "several documents make one product, and of the sheet no row is chosen",
                hint="Choose its row, or extract the sheet alone, where each row is a product.",
            )
        return Chosen(
            source_id=part.source_id, sheet=part.sheet, header=part.header, row=part.rows[0]
        )
    return part


def buttons(name: str, wanted: Callable[[], Wanted]) -> None:
    """Now, or with others later."""
    with st.container(horizontal=True):
        now = st.button("Extract now", type="primary", icon=":material/bolt:")
        later = st.button("Add to draft", icon=":material/playlist_add:")
    if not now and not later:
        return
    with explained():
        asked = wanted()
        if now:
            extract_now(name, asked)
        else:
            add_to_draft(name, asked)


def extract_now(name: str, wanted: Wanted) -> None:
    """A batch of its own; one product is followed here, many on the page of batches."""
    with page_session() as session:
        batch = drafts.draft(session, name)
        added = add(session, batch, wanted)
        jobs.execute(session, current_runtime().jobs, batch.id)
        batch_id, requests = batch.id, [one.id for one in added]
    if len(requests) == 1:
        st.query_params["request"] = str(requests[0])
        st.rerun()
    st.switch_page(way("batches"), query_params={"batch": str(batch_id)})


def add_to_draft(name: str, wanted: Wanted) -> None:
    """Into the draft that is open, or a new one."""
    with page_session() as session:
        draft = drafts.open_draft(session) or drafts.draft(session, name)
        added = len(add(session, draft, wanted))
        title = draft.name
    st.toast(f"{plural(added, 'product')} added to the draft {plain(title)}.")
    st.rerun()


def add(session: Session, batch: Batch, wanted: Wanted) -> list[Request]:
    """One product, or as many as there are rows or pages."""
    match wanted:
        case ManyRows():
            return drafts.add_rows(session, batch.id, wanted)
        case ManyPages():
            return drafts.add_pages(session, batch.id, wanted)
        case _:
            return [drafts.add(session, batch.id, wanted)]

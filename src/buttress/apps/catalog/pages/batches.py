"""The page of batches: drafts, what runs, what failed and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st
from sqlalchemy.orm import Session

from buttress.apps.catalog import app, jobs
from buttress.apps.catalog.models import Batch, Request
from buttress.apps.catalog.pages.looks import (
    REQUESTS,
    empty,
    model_title,
    type_title,
)
from buttress.apps.catalog.pages.reprocessing import SCOPES, reprocess
from buttress.apps.catalog.pages.ways import number_in_address, way
from buttress.apps.catalog.service import batches as service
from buttress.apps.catalog.service import drafts
from buttress.apps.catalog.service.batches import Progress
from buttress.jobs import Jobs
from buttress.mover.page import duration, plural
from buttress.ui.current import current_runtime, page_session, signed_in
from buttress.ui.operations.lists import Pager, choose, states
from buttress.ui.operations.live import still
from buttress.ui.problems import explained
from buttress.ui.text import count, moment, plain

EVERY = "2s"
LISTED = 20
ROWS = 50


@app.page("Batches", icon="stacks")
def batches() -> None:
    """All batches, or the one that the address names."""
    batch_id = number_in_address("batch")
    if batch_id is not None:
        st.page_link(way("batches"), label="All batches", icon=":material/arrow_back:")
        one_batch(batch_id)
        return
    st.title("Batches")
    st.caption("Products that are extracted together. They go on when the workspace is restarted.")
    everything()


@st.fragment(run_every=EVERY)
def everything() -> None:
    """The newest batches, each with how far it is."""
    still("apps.read")
    pager = Pager("catalog-batches", None, rows=LISTED)
    with page_session() as session:
        found = service.newest(session, offset=pager.offset, limit=pager.limit)
        progress = service.progress(session, [one.id for one in found])
    if not found:
        empty(
            "There is no batch yet.",
            "On the page Extract choose documents and press Add to draft, as often as you like; "
            "the draft is extracted here, all at once.",
        )
        return
    for one in found[: pager.rows]:
        with st.container(border=True, gap="small"):
            st.page_link(
                way("batches"), label=f"**{plain(one.name)}**", icon=":material/stacks:",
                query_params={"batch": str(one.id)},
            )  # fmt: skip
            bar(one, progress[one.id])
            st.caption(f"batch {one.id} · {when(one)}")
    pager.show(len(found))


def when(batch: Batch) -> str:
    """Since when it runs, or is a draft."""
    if batch.executed_at is None:
        return f"a draft since {moment(batch.created_at, st.context.timezone)}"
    return f"begun {moment(batch.executed_at, st.context.timezone)}"


def bar(batch: Batch, progress: Progress) -> None:
    """How far it is."""
    if batch.executed_at is None:
        st.caption(f"{plural(progress.total, 'product')}, not begun")
        return
    ended = progress.done + progress.failed
    failed = f", {count(progress.failed)} failed" if progress.failed else ""
    working = f", {count(progress.working)} being worked on" if progress.working else ""
    st.progress(
        ended / max(progress.total, 1),
        text=f"{count(progress.done)} of {count(progress.total)} done{failed}{working}",
    )


@st.fragment(run_every=EVERY)
def one_batch(batch_id: int) -> None:
    """A batch: its products with their states, why some failed, and what can be done."""
    identity = still("apps.read")
    with page_session() as session:
        batch = service.batch_of(session, batch_id)
        progress = service.progress(session, [batch_id])[batch_id]
    st.title(plain(batch.name))
    st.caption(f"batch {batch.id} · {when(batch)}")
    bar(batch, progress)
    if identity.may("jobs.run"):
        controls(batch, progress)
    failures(batch_id, progress)
    listed(batch, progress)


def controls(batch: Batch, progress: Progress) -> None:
    """Begin it, try again what failed, extract it anew."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if batch.executed_at is None:
            if st.button(
                "Extract all of it", type="primary", icon=":material/play_arrow:",
                disabled=not progress.total,
            ):  # fmt: skip
                begun(batch, jobs.execute)
            st.page_link(way("extract"), label="Add more to it", icon=":material/playlist_add:")
            return
        if progress.failed and st.button(
            f"Try the {plural(progress.failed, 'failed one')} again", icon=":material/replay:"
        ):
            begun(batch, jobs.retry)
        if progress.ended and progress.done:
            with page_session() as session:
                made = service.made(session, batch.id)
            reprocess(made, key=f"batch-{batch.id}")


def begun(batch: Batch, how: Callable[[Session, Jobs, int], Batch]) -> None:
    """Have it done."""
    with explained():
        with page_session() as session:
            how(session, current_runtime().jobs, batch.id)
        st.rerun()


def failures(batch_id: int, progress: Progress) -> None:
    """What failed, by its cause, with the cure."""
    if not progress.failed:
        return
    with page_session() as session:
        causes = service.causes(session, batch_id)
    for cause in causes:
        st.error(
            plain(cause.cure),
            title=plain(f"{cause.problem[:1].upper()}{cause.problem[1:]}.")
            + f" ({plural(cause.requests, 'product')})",
        )


def listed(batch: Batch, progress: Progress) -> None:
    """Its products, a page at a time."""
    there = [state for state in REQUESTS if getattr(progress, state)]
    if not there:
        empty("The draft is empty.", "Add products to it on the page Extract.")
        return
    state = None
    if len(there) > 1:
        state = st.segmented_control(
            "State",
            there,
            format_func=lambda one: f"{REQUESTS[one][0]} ({count(getattr(progress, one))})",
            key=f"catalog-state-{batch.id}",
        )
    pager = Pager(f"catalog-batch-{batch.id}", state, rows=ROWS)
    with page_session() as session:
        found = service.requests(
            session, batch.id, state=state, offset=pager.offset, limit=pager.limit
        )
    shown = found[: pager.rows]
    chosen = choose(
        [line(one) for one in shown],
        [one.id for one in shown],
        f"catalog-batch-{batch.id}",
        alt="The products of this batch",
        columns={"State": states(REQUESTS.values())},
    )
    pager.show(len(found))
    picked = [one for one in shown if one.id in chosen]
    act(batch, picked)


def line(request: Request) -> dict[str, object]:
    """One product to be extracted, in columns."""
    return {
        "Number": request.position + 1,
        "State": [REQUESTS[request.state][0]],
        "From": ", ".join(part_text(one.source.name, one.chosen) for one in request.sources)
        or "a description",
        "Type": type_title(request.product_type),
        "Extracted by": model_title(request.model),
        "What": SCOPES[request.scope],
        "Took": took(request),
        "Why it failed": request.problem or "",
        "What to do": request.cure or "",
    }


def part_text(name: str, chosen: dict[str, object]) -> str:
    """`oak.pdf, pages 1, 3` or `prices.xlsx, Prices row 7`."""
    pages = chosen.get("pages")
    if isinstance(pages, list):
        return f"{name}, {'page' if len(pages) == 1 else 'pages'} " + ", ".join(map(str, pages))
    if chosen.get("row"):
        return f"{name}, {chosen['sheet']} row {chosen['row']}"
    return name


def took(request: Request) -> str:
    """How long it has been worked on."""
    if request.started_at is None:
        return ""
    return duration(((request.ended_at or datetime.now(UTC)) - request.started_at).total_seconds())


def act(batch: Batch, picked: list[Request]) -> None:
    """What can be done with the chosen ones."""
    if not picked:
        several = ", or several to extract them anew" if signed_in().may("jobs.run") else ""
        st.caption(f"Choose one to open its product{several}.")
        return
    made = [one.product_id for one in picked if one.product_id is not None]
    identity = signed_in()
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(picked) == 1 and made:
            st.page_link(
                way("products"), label="Open the product", icon=":material/open_in_full:",
                query_params={"product": str(made[0])},
            )  # fmt: skip
        if batch.executed_at is None and identity.may("data.import"):
            if st.button("Take out of the draft", icon=":material/delete:"):
                with explained():
                    with page_session() as session:
                        for one in picked:
                            drafts.remove(session, one.id)
                    st.rerun()
        elif made and identity.may("jobs.run"):
            reprocess(made, key=f"chosen-{batch.id}")

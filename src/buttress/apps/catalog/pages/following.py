"""One product on its way: how far it is, and then the product or why there is none."""

from __future__ import annotations

import streamlit as st

from buttress.apps.catalog import jobs
from buttress.apps.catalog.models import Request
from buttress.apps.catalog.pages.ways import way
from buttress.apps.catalog.service import batches
from buttress.errors import NotFound
from buttress.ui.current import current_runtime, page_session
from buttress.ui.operations.live import still
from buttress.ui.problems import explained
from buttress.ui.text import plain


def follow(request_id: int) -> None:
    """Show how far a request is; goes to the product once there is one."""
    with page_session() as session:
        request = batches.request_of(session, request_id)
    if request.state == "done" and request.product_id is not None:
        st.switch_page(way("products"), query_params={"product": str(request.product_id)})
    if request.state == "failed":
        failed(request)
        return
    under_way(request_id)
    st.caption(
        "You may leave this page: it goes on, and the product will be in the list of products."
    )


@st.fragment(run_every="1s")
def under_way(request_id: int) -> None:
    """How far it is. The page around it decides what comes next: a fragment that is late must not
    take somebody to another page who is there already."""
    still("data.import")
    with page_session() as session:
        request = batches.request_of(session, request_id)
    if request.state in ("done", "failed"):
        st.rerun()
    done, words = said_by_job(request)
    st.progress(min(max(done, 0.0), 1.0), text=words)


def failed(request: Request) -> None:
    """Why there is no product, and what to do."""
    st.error(plain(request.cure or ""), title=plain(capital(request.problem or "It failed")))
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Try again", icon=":material/replay:"):
            with explained():
                with page_session() as session:
                    jobs.retry(session, current_runtime().jobs, request.batch_id)
                st.rerun()
        if st.button("Begin anew", icon=":material/arrow_back:"):
            del st.query_params["request"]
            st.rerun()


def said_by_job(request: Request) -> tuple[float, str]:
    """The share that is done, and the job's own words."""
    waiting = (0.0, "waiting for a worker")
    if request.job_id is None or request.state == "waiting":
        return waiting
    try:
        job = current_runtime().jobs.show(request.job_id)
    except NotFound:
        return waiting
    if job.progress is None:
        return (0.0, "begun")
    return (job.progress.done / (job.progress.total or 1), plain(job.progress.note or "working"))


def capital(sentence: str) -> str:
    """`sentence` as one, with its full stop."""
    return f"{sentence[:1].upper()}{sentence[1:]}."

"""The home page: is everything there, what needs attention, and what was done last?"""

from __future__ import annotations

import streamlit as st

from buttress import health
from buttress.mover.history import list_moves
from buttress.mover.page import duration
from buttress.runtime import Runtime
from buttress.ui import moves
from buttress.ui.current import current_runtime, signed_in
from buttress.ui.empty import no_apps, nothing_moved
from buttress.ui.operations import jobs
from buttress.ui.operations.attention import attention
from buttress.ui.operations.looks import JOBS, badge
from buttress.ui.text import count, moment, plain
from buttress.ui.verdict import move_card

EVERY = "10s"
RECENT = 5


def show() -> None:
    """The page."""
    st.title("Home")
    status()
    identity = signed_in()
    if identity.may("health.read"):
        st.subheader("What needs attention")
        attention()
    if identity.may("jobs.read"):
        st.subheader("Recent work")
        recent_work()
    if identity.may("moves.read"):
        st.subheader("Latest move")
        latest_move()
    st.subheader("Apps")
    apps()


@st.fragment(run_every=EVERY)
def status() -> None:
    """The servers, asked again every few seconds."""
    runtime = current_runtime()
    database, cache = health.database(runtime), health.cache(runtime)
    with st.grid(4, min_column_width=190, border=True):
        server("Database", database, "Connection lost. Retrying")
        server("Cache", cache, "Slower without it")
        pool(runtime)
        with st.container(gap="xsmall"):
            st.metric("Apps", count(len(runtime.apps)))
            st.caption(f"{runtime.settings.environment} on port {runtime.settings.port}")


def server(label: str, finding: health.Finding, otherwise: str) -> None:
    """One server: its version, whether it answers, and how fast."""
    with st.container(gap="xsmall"):
        if finding.status == "pass":
            st.metric(label, finding.detail)
            st.badge(
                f"answered in {duration(finding.milliseconds / 1000)}",
                icon=":material/check_circle:",
                color="green",
            )
        else:
            st.metric(label, "No answer")
            failed = finding.status == "fail"
            st.badge(otherwise, icon=":material/sync_problem:", color="red" if failed else "orange")


def pool(runtime: Runtime) -> None:
    """How many of the connections this process may open are in use."""
    stats = runtime.database.pool_stats()
    with st.container(gap="xsmall"):
        st.metric("Connections in use", f"{stats.checked_out} of {stats.limit}")
        st.caption(f"{stats.checked_out + stats.idle} open, {stats.waiting} waiting")


def latest_move() -> None:
    """The verdict of the latest move, or how to make the first one."""
    with current_runtime().database.session(read_only=True) as session:
        past = list_moves(session)
    if not past:
        nothing_moved()
        return
    move_card(past[0], moves.page())
    if len(past) > 1:
        st.page_link(moves.page(), label=f"All {count(len(past))} moves", icon=":material/list:")


def recent_work() -> None:
    """The jobs that were made last."""
    found = current_runtime().jobs.find(limit=RECENT)
    if not found:
        st.caption("No background work yet. Apps declare it with `@app.job`.")
        return
    with st.container(border=True, gap="xsmall"):
        for job in found:
            with st.container(horizontal=True, vertical_alignment="center"):
                badge(JOBS[job.state])
                st.page_link(jobs.page(), label=plain(job.name), query_params={"id": job.id})
                st.caption(moment(job.created_at, st.context.timezone), width="content")
    st.page_link(jobs.page(), label="All jobs", icon=":material/list:")


def apps() -> None:
    """The apps of this deployment, or how to write the first one."""
    installed = current_runtime().apps
    if not installed:
        no_apps()
        return
    with st.grid(3, min_column_width=260, border=True):
        for app in installed:
            with st.container(gap="xsmall"):
                st.markdown(f"**{app.title}**")
                st.caption(app.summary or app.name)

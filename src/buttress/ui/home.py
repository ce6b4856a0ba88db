"""The home page: is everything there, what needs attention, and what was done last?"""

from __future__ import annotations

import streamlit as st

from buttress import health
from buttress.access import Identity
from buttress.app import App
from buttress.mover.history import list_moves
from buttress.mover.page import duration, plural
from buttress.runtime import Runtime
from buttress.ui import moves
from buttress.ui.connection import label, release
from buttress.ui.current import current_runtime, signed_in
from buttress.ui.empty import no_apps, nothing_moved
from buttress.ui.operations import jobs
from buttress.ui.operations.attention import attention
from buttress.ui.operations.live import still
from buttress.ui.operations.looks import JOBS, badge
from buttress.ui.text import count, moment, plain
from buttress.ui.verdict import move_card

EVERY = "10s"
WORK_EVERY = "5s"
RECENT = 5


def show() -> None:
    """The page."""
    identity = signed_in()
    st.title("Home")
    status()
    if identity.may("health.read"):
        st.subheader("What needs attention")
        attention()
    st.subheader("Apps")
    apps(identity)
    if identity.may("jobs.read"):
        st.subheader("Recent work")
        recent_work()
    if identity.may("moves.read"):
        st.subheader("Latest move")
        latest_move()


@st.fragment(run_every=EVERY)
def status() -> None:
    """The servers, asked again every few seconds."""
    runtime = current_runtime()
    database, cache = health.database(runtime), health.cache(runtime)
    with st.grid(4, min_column_width=190, border=True):
        server("Database", database, f"{label()} lost. Retrying…")
        server("Cache", cache, "Slower without it")
        with st.container(gap="xsmall"):
            worker(runtime)
        with st.container(gap="xsmall"):
            st.metric("Version", f"Buttress {release()}")
            st.caption(f"{runtime.settings.environment} · {plural(len(runtime.apps), 'app')}")


def server(name: str, finding: health.Finding, otherwise: str) -> None:
    """One server: its version, whether it answers, and how fast."""
    with st.container(gap="xsmall"):
        if finding.status == "pass":
            st.metric(name, finding.detail)
            st.badge(
                f"answered in {duration(finding.milliseconds / 1000)}",
                icon=":material/check_circle:",
                color="green",
            )
        else:
            st.metric(name, "No answer")
            failed = finding.status == "fail"
            st.badge(otherwise, icon=":material/sync_problem:", color="red" if failed else "orange")


def worker(runtime: Runtime) -> None:
    """Whether somebody does the background work, and what there is of it."""
    watch = runtime.health
    (found,) = watch.ask(*(one for one in watch.measures if one.check.name == "jobs"))
    workers = found.figures.get("workers")
    if not isinstance(workers, int):  # the database has no answer
        st.metric("Worker", "Not known")
        return
    st.metric("Worker", plural(workers, "worker") if workers else "None")
    if workers:
        st.badge(
            f"{found.figures['running']} running, {found.figures['waiting']} waiting",
            icon=":material/check_circle:",
            color="green",
        )
    else:
        st.badge("Start `buttress worker`", icon=":material/warning:", color="orange")


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


@st.fragment(run_every=WORK_EVERY)
def recent_work() -> None:
    """The jobs that were made last, as they go on."""
    still("jobs.read")
    found = current_runtime().jobs.find(limit=RECENT)
    if not found:
        st.caption("No background work yet. Apps declare it with `@app.job`.")
        return
    with st.container(border=True, gap="xsmall"):
        for job in found:
            with st.container(horizontal=True, vertical_alignment="center"):
                with st.container(width=110):
                    badge(JOBS[job.state])
                st.page_link(
                    jobs.page(), label=plain(job.name), icon=None, query_params={"id": job.id}
                )
                st.caption(f"{moment(job.created_at, st.context.timezone)}{jobs.how_far(job)}")
    st.page_link(jobs.page(), label="All jobs", icon=":material/list:")


def apps(identity: Identity) -> None:
    """The apps of this deployment, each with the way in; or how to write the first one."""
    installed = current_runtime().apps
    if not installed:
        no_apps()
        return
    with st.grid(3, min_column_width=260, border=True):
        for app in installed:
            with st.container(gap="xsmall"):
                way_in(app, identity)


def way_in(app: App, identity: Identity) -> None:
    """An app and its first page."""
    st.markdown(f"**{plain(app.title)}**")
    st.caption(app.summary or app.name)
    first = next((page for page in app.pages if identity.may(page.needs)), None)
    if first is not None:
        page = st.Page(first.render, title=first.title, url_path=first.path)
        st.page_link(page, label=f"Open {first.title}", icon=":material/arrow_forward:")

"""The page of background work: what runs, waits and ended; or the one job the address names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import get_args

import streamlit as st
from streamlit.navigation.page import Page

from buttress.access import audit, require
from buttress.errors import NotFound
from buttress.jobs import JobStatus
from buttress.jobs.status import State
from buttress.mover.page import duration
from buttress.ui.current import current_runtime
from buttress.ui.empty import no_jobs
from buttress.ui.operations.lists import Pager, back, states
from buttress.ui.operations.live import still
from buttress.ui.operations.looks import JOBS, OPEN, badge
from buttress.ui.operations.pressed import doing
from buttress.ui.text import count, moment, plain, schedule

EVERY = "3s"
ALL = "all"
RUNNING_SHOWN = 10
CONTROLS: dict[str, tuple[str, tuple[State, ...]]] = {
    "Pause": (":material/pause:", ("waiting", "delayed", "running")),
    "Resume": (":material/play_arrow:", ("paused",)),
    "Retry": (":material/replay:", ("failed", "cancelled", "given up")),
    "Cancel": (":material/cancel:", ("waiting", "delayed", "running", "paused")),
}
"""What can be done to a job, and in which states."""
SAID = {
    "Pause": "is paused",
    "Resume": "goes on",
    "Retry": "is tried again",
    "Cancel": "is cancelled",
}


def page() -> Page:
    """Where it is in the navigation."""
    return st.Page(show, title="Jobs", icon=":material/work_history:", url_path="jobs")


def show() -> None:
    """The page."""
    require("jobs.read")
    job_id = st.query_params.get("id")
    if job_id:
        back("All jobs")
        one_job(job_id)
        return
    st.title("Jobs")
    running()
    everything()
    queues()
    schedules()


@st.fragment(run_every=EVERY)
def running() -> None:
    """What is under way, and how far it says it is."""
    still("jobs.read")
    for job in current_runtime().jobs.find(state="running", limit=RUNNING_SHOWN):
        bar(job)


def bar(job: JobStatus) -> None:
    """A job's own word on its progress."""
    said = job.progress
    if said is None or not said.total:
        note = f": {plain(said.note)}" if said and said.note else ""
        st.caption(f"{plain(job.name)} runs{note}")
        return
    text = f"{plain(job.name)}: {count(said.done)} of {count(said.total)} {plain(said.note)}"
    st.progress(min(max(said.done / said.total, 0.0), 1.0), text=text)


def how_far(job: JobStatus) -> str:
    """` · 17 of 40 rows read` while it runs, nothing otherwise."""
    said = job.progress
    if job.state != "running" or said is None:
        return ""
    of = f" of {count(said.total)}" if said.total else ""
    return f" · {count(said.done)}{of} {plain(said.note)}"


def everything() -> None:
    """The list, by state and queue, a page at a time."""
    jobs = current_runtime().jobs
    with st.container(horizontal=True, vertical_alignment="bottom"):
        state = st.selectbox("State", [ALL, *get_args(State)], width=160)
        queue = st.selectbox("Queue", [ALL, *jobs.queues_declared()], width=220)
    listed(None if state == ALL else state, None if queue == ALL else queue)


@st.fragment(run_every=EVERY)
def listed(state: State | None, queue: str | None) -> None:
    """Jobs on lines, the newest first; choosing one opens it."""
    still("jobs.read")
    # A choice is a row of what was shown when it was made; meanwhile others may have come.
    before: list[str] = st.session_state.get("jobs-shown", [])
    pager = Pager("jobs", (state, queue))
    found = current_runtime().jobs.find(
        state=state, queue=queue, limit=pager.limit, offset=pager.offset
    )
    shown = found[: pager.rows]
    st.session_state["jobs-shown"] = [job.id for job in shown]
    if not found:
        no_jobs(filtered=bool(state or queue or pager.offset))
        return
    event = st.dataframe(
        [line(job) for job in shown],
        hide_index=True,
        key="list-jobs",
        on_select="rerun",
        selection_mode="single-row",
        alt="Jobs, the newest first",
        column_config=COLUMNS,
    )
    st.caption("Choose a job to see its steps and what can be done.")
    pager.show(len(found))
    chosen = [row for row in event.selection.rows if row < len(before)]
    if chosen:
        st.query_params["id"] = before[chosen[0]]
        st.rerun()


COLUMNS = {
    "State": states(JOBS.values()),
    "Progress": st.column_config.ProgressColumn(format="%d %%", min_value=0, max_value=100),
}


def line(job: JobStatus) -> dict[str, object]:
    """One job in columns."""
    said = job.progress
    return {
        "Job": job.name,
        "State": [JOBS[job.state][0]],
        "Progress": percent(job),
        "Says": job.error or (said.note if said else ""),
        "Created": moment(job.created_at, st.context.timezone),
        "Took": took(job),
        "Queue": job.queue or "",
        "Begun": job.attempts,
    }


def percent(job: JobStatus) -> int | None:
    """How far it says it is; a job that is done has no part left, whatever it said last."""
    said = job.progress
    if said is None or not said.total:
        return None
    return 100 if job.state == "done" else min(max(100 * said.done // said.total, 0), 100)


def took(job: JobStatus) -> str:
    """How long it has been worked on since it was begun the last time."""
    if job.begun_at is None or job.state in ("waiting", "delayed", "paused"):
        return ""
    return duration(((job.ended_at or datetime.now(UTC)) - job.begun_at).total_seconds())


@st.fragment(run_every=EVERY)
def one_job(job_id: str) -> None:
    """A job: how it stands, what can be done, its steps, and its family."""
    identity = still("jobs.read")
    jobs = current_runtime().jobs
    job = jobs.show(job_id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(plain(job.name), width="content")
        badge(JOBS[job.state])
    st.caption(
        f"{job.id} · created {moment(job.created_at, st.context.timezone)} · "
        f"{plain(job.queue or 'started past the queues')}"
    )
    if identity.may("jobs.control"):
        controls(job)
    if job.state == "running" or job.progress:
        bar(job)
    if job.error:
        st.error(plain(job.error), title="It failed.")
    with st.grid(3, min_column_width=150, border=True):
        st.metric("Took", took(job) or "not begun")
        st.metric("Begun", begun(job.attempts))
        st.metric("Ended", moment(job.ended_at, st.context.timezone) if job.ended_at else "not yet")
    steps(job)
    family(job)


def controls(job: JobStatus) -> None:
    """What can be done to it in its state."""
    jobs = current_runtime().jobs
    does: dict[str, Callable[[str], object]] = {
        "Pause": jobs.pause,
        "Resume": jobs.resume,
        "Retry": jobs.retry,
        "Cancel": lambda job_id: jobs.cancel(job_id, children=True),
    }
    with st.container(horizontal=True):
        for label, (icon, states) in CONTROLS.items():
            if job.state in states and st.button(label, icon=icon, key=f"{label}-{job.id}"):
                with doing(f"{plain(job.name)} {SAID[label]}.") as session:
                    does[label](job.id)
                    audit.record(session, f"job.{label.lower()}", job.id)


def begun(attempts: int) -> str:
    """How often it was begun."""
    return {0: "not yet", 1: "once"}.get(attempts, f"{count(attempts)} times")


def steps(job: JobStatus) -> None:
    """The steps that ended, with their errors."""
    done = current_runtime().jobs.steps(job.id)
    if not done:
        st.caption("No step of it has ended yet.")
        return
    st.subheader("Steps")
    rows = [
        {
            "Number": step.number,
            "Step": step.name,
            "Took": "" if step.seconds is None else duration(step.seconds),
            "Error": step.error or "",
        }
        for step in done
    ]
    st.dataframe(rows, hide_index=True, alt="The steps that ended")


def family(job: JobStatus) -> None:
    """The job that made it, and those it made."""
    jobs = current_runtime().jobs
    relatives: list[tuple[str, JobStatus]] = []
    if job.parent:
        try:
            relatives.append(("Made by", jobs.show(job.parent)))
        except NotFound:
            st.caption("The job that made it was deleted.")
    relatives += [("Made", child) for child in jobs.children(job.id)]
    for how, other in relatives:
        st.page_link(
            page(),
            label=f"{how} {plain(other.name)}, {other.state}",
            icon=JOBS[other.state][1],
            query_params={"id": other.id},
        )


def queues() -> None:
    """The queues, and for whoever may: hold one, let it go on."""
    st.subheader("Queues")
    jobs = current_runtime().jobs
    found = jobs.queues()
    rows = [
        {
            "Queue": one.queue.name,
            "State": [JOBS["paused"][0] if one.paused else OPEN[0]],
            "Waiting": one.waiting,
            "Running": one.running,
            "Limits": one.queue.limits,
        }
        for one in found
    ]
    columns = {"State": states([JOBS["paused"], OPEN])}
    alt = "Queues, with what waits and runs in them"
    st.dataframe(rows, hide_index=True, alt=alt, column_config=columns)
    if not require("jobs.read").may("jobs.control") or not found:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Hold a queue, or let it go on", [one.queue.name for one in found], width=260
        )
        paused = next(one.paused for one in found if one.queue.name == name)
        label = "Let it go on" if paused else "Hold it"
        icon = ":material/play_arrow:" if paused else ":material/pause:"
        if st.button(label, icon=icon, help="What runs goes on; nothing else begins."):
            with doing(f"{plain(name)} {'goes on' if paused else 'is held'}.") as session:
                (jobs.resume_queue if paused else jobs.pause_queue)(name)
                audit.record(session, "queue.resume" if paused else "queue.pause", name)


def schedules() -> None:
    """The jobs that begin by themselves."""
    rows = [
        {
            "Job": job.name,
            "Begins": schedule(job.schedule),
            "Time zone": job.time_zone,
            "As cron writes it": job.schedule,
        }
        for job in current_runtime().jobs.declared()
        if job.schedule
    ]
    if rows:
        st.subheader("Schedules")
        st.caption("Each fires once for all hosts.")
        st.dataframe(rows, hide_index=True, alt="Jobs that begin by themselves")

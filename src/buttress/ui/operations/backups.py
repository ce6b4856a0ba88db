"""The page of backups: which there are, which are proven, what they take, and how to restore."""

from __future__ import annotations

from datetime import datetime

import streamlit as st
from streamlit.navigation.page import Page

from buttress.access import audit, require
from buttress.backup import Backup, Backups
from buttress.mover.page import duration
from buttress.ui.current import current_runtime, page_session
from buttress.ui.empty import no_backups
from buttress.ui.operations import jobs
from buttress.ui.operations.charts import sizes_of_backups
from buttress.ui.operations.lists import Pager, states
from buttress.ui.operations.live import still
from buttress.ui.operations.looks import BACKUPS, JOBS, badge
from buttress.ui.text import count, day, moment, plain, size

MAKE, PROVE = "buttress.backup", "buttress.drill"
"""Jobs of `buttress.housekeeping`."""
ASKED, SEEN = "backup-job", "backup-job-seen"
"""The job this visitor asked for, and the one whose end the page has shown."""
EVERY = "2s"
CHARTED = 60
HEIGHT = 240


def page() -> Page:
    """Where it is in the navigation."""
    return st.Page(show, title="Backups", icon=":material/backup:", url_path="backups")


def show() -> None:
    """The page."""
    identity = require("backups.read")
    st.title("Backups")
    shelf = current_runtime().backup
    found = shelf.all()
    if identity.may("backups.make"):
        buttons()
    for name in shelf.damaged():
        st.error("Its manifest cannot be read. Restore another one.", title=f"{name} is damaged.")
    for name in shelf.newer():
        st.warning(
            "Its chunks stay. Restore it with the Buttress that made it, or a newer one.",
            title=f"{name} was made by a newer Buttress.",
        )
    if not found:
        no_backups()
        return
    figures(shelf, found)
    if len(found) > 1:
        shown = list(reversed(found[:CHARTED]))
        chart = sizes_of_backups(shown, [when(one) for one in shown])
        st.echarts_chart(chart, height=HEIGHT, alt="What each backup added to the store")
    listing(found)
    how_to_restore(found[0])


def buttons() -> None:
    """Have a backup made, or the newest one proven, as a job."""
    identity = require("backups.make")
    with st.container(horizontal=True):
        if st.button("Back up now", icon=":material/backup:", type="primary"):
            ask_for(MAKE, f"asked for by {identity.name}")
        if st.button(
            "Prove again",
            icon=":material/verified:",
            help="Restores the newest one into a scratch database and compares every table.",
        ):
            ask_for(PROVE)
    asked = st.session_state.get(ASKED)
    if asked:
        follow(asked)


def ask_for(name: str, *args: str) -> None:
    """Enqueue the job of that name; asked for twice, it is done once."""
    (job,) = [job for job in current_runtime().jobs.declared() if job.name == name]
    ticket = current_runtime().jobs.enqueue(job, *args, key="by hand")
    with page_session() as session:
        audit.record(session, f"{name.removeprefix('buttress.')}.enqueue", ticket.id)
    st.session_state[ASKED] = ticket.id


@st.fragment(run_every=EVERY)
def follow(job_id: str) -> None:
    """How far it is; the page anew once it has ended."""
    still("backups.read")
    job = current_runtime().jobs.show(job_id)
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(JOBS[job.state])
        st.page_link(jobs.page(), label=plain(job.name), query_params={"id": job.id})
        st.caption(f"{plain(job.error or '')}{jobs.how_far(job)}")
    if job.ended_at is not None and st.session_state.get(SEEN) != job_id:
        st.session_state[SEEN] = job_id
        st.rerun()


def figures(shelf: Backups, found: list[Backup]) -> None:
    """What people ask first."""
    newest = next((one for one in found if one.verified), None)
    with st.grid(4, min_column_width=170, border=True):
        st.metric("Backups", count(len(found)))
        st.metric("Proven by a restore", count(sum(one.verified for one in found)))
        st.metric("In the store", size(shelf.stored_bytes()))
        st.metric("Last proven", when(newest) if newest else "never")
    st.caption(f"In {plain(shelf.store.label)}")


def listing(found: list[Backup]) -> None:
    """Every backup on a line, a page of them at a time."""
    pager = Pager("backups", None)
    there = found[pager.offset : pager.offset + pager.limit]
    shown = there[: pager.rows]
    rows = [
        {
            "Made": moment(made(one), st.context.timezone),
            "State": [BACKUPS[state(one)][0]],
            "Why": one.manifest.reason,
            "New": size(one.manifest.new_bytes),
            "If alone": size(one.manifest.stored_bytes),
            "Rows": one.manifest.content.rows,
            "Took": duration(one.manifest.seconds),
            "Kept": "for ever" if one.pinned else "by retention",
            "Id": one.id,
        }
        for one in shown
    ]
    st.dataframe(
        rows,
        hide_index=True,
        alt="Backups, the newest first",
        column_config={
            "State": states(BACKUPS.values()),
            "Rows": st.column_config.NumberColumn(format="localized"),
        },
    )
    pager.show(len(there))
    for one in found:
        if one.drill and one.drill.differences:
            st.error(
                plain("; ".join(one.drill.differences[:3])),
                title=f"A restore of {one.id} is not what was backed up.",
            )


def state(backup: Backup) -> str:
    """Whether a restore of it was compared with what was backed up."""
    if backup.verified:
        return "verified"
    return "differs" if backup.drill and backup.drill.differences else "not proven"


def how_to_restore(newest: Backup) -> None:
    """What to type: nobody replaces a database by a click."""
    st.subheader("Restore")
    st.markdown(
        "A restore goes into a new database, is compared with the backup, and then takes the place "
        "of the live one, which is kept. First see that it would work:"
    )
    st.code(
        f"buttress backup restore {newest.id} --dry-run\nbuttress backup restore {newest.id}",
        language="bash",
        wrap_lines=True,
    )
    st.caption(
        "One table beside the live ones: `--table NAME`. See docs/howto/back-up-and-restore.md."
    )


def made(backup: Backup) -> datetime:
    """When it was."""
    return datetime.fromisoformat(backup.manifest.started_at)


def when(backup: Backup) -> str:
    """`22 Nov, 16:05`, in the reader's time zone."""
    return day(made(backup), st.context.timezone)

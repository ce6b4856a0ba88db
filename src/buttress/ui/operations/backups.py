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
from buttress.ui.text import count, moment, plain, size, zone_of

MAKE, PROVE = "buttress.backup", "buttress.drill"
"""Jobs of `buttress.housekeeping`."""
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
    if not found:
        no_backups()
        return
    figures(shelf, found)
    if len(found) > 1:
        shown = list(reversed(found[:CHARTED]))
        chart = sizes_of_backups(shown, [day(one) for one in shown])
        st.echarts_chart(chart, height=HEIGHT, alt="What each backup added, in megabytes")
    listing(found)
    how_to_restore(found[0])


def buttons() -> None:
    """Have a backup made, or the newest one proven, as a job."""
    declared = {job.name: job for job in current_runtime().jobs.declared()}
    with st.container(horizontal=True):
        for label, name, icon, otherwise in (
            (
                "Back up now",
                MAKE,
                ":material/backup:",
                "There is no job for it without BUTTRESS_BACKUP__SCHEDULE; run `buttress backup`.",
            ),
            (
                "Prove again",
                PROVE,
                ":material/verified:",
                "Each backup is proven as it is made; `buttress backup verify` does it again.",
            ),
        ):
            job = declared.get(name)
            if st.button(label, icon=icon, disabled=job is None, help=None if job else otherwise):
                assert job is not None
                # Pressed twice, it is done once.
                ticket = current_runtime().jobs.enqueue(job, key="by hand")
                with page_session() as session:
                    action = f"{name.removeprefix('buttress.')}.enqueue"
                    audit.record(session, action, ticket.id)
                st.session_state["backup-job"] = ticket.id
    asked = st.session_state.get("backup-job")
    if asked:
        st.page_link(
            jobs.page(),
            label="It waits for a worker. Follow it",
            icon=":material/arrow_forward:",
            query_params={"id": asked},
        )


def figures(shelf: Backups, found: list[Backup]) -> None:
    """What people ask first."""
    newest = next((one for one in found if one.verified), None)
    with st.grid(4, min_column_width=170, border=True):
        st.metric("Backups", count(len(found)))
        st.metric("Proven by a restore", count(sum(one.verified for one in found)))
        st.metric("In the store", size(shelf.stored_bytes()))
        st.metric("Last proven", day(newest) if newest else "never")
    st.caption(f"In {plain(shelf.store.label)}")


def listing(found: list[Backup]) -> None:
    """Every backup on a line."""
    rows = [
        {
            "Made": moment(made(one), st.context.timezone),
            "State": state(one),
            "Why": one.manifest.reason,
            "New": size(one.manifest.new_bytes),
            "If alone": size(one.manifest.stored_bytes),
            "Rows": one.manifest.content.rows,
            "Took": duration(one.manifest.seconds),
            "Kept for ever": one.pinned,
            "Id": one.id,
        }
        for one in found
    ]
    st.dataframe(
        rows,
        hide_index=True,
        alt="Backups, the newest first",
        column_config={"Rows": st.column_config.NumberColumn(format="localized")},
    )
    for one in found:
        if one.drill and one.drill.differences:
            st.error(
                plain("; ".join(one.drill.differences[:3])),
                title=f"A restore of {one.id} is not what was backed up.",
            )


def state(backup: Backup) -> str:
    """Whether a restore of it was compared with what was backed up, in words."""
    if backup.verified:
        return "✓ Verified"
    return "✗ Differs" if backup.drill and backup.drill.differences else "Not proven"


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


def day(backup: Backup) -> str:
    """`22 Nov 16:05`, in the reader's time zone."""
    local = made(backup).astimezone(zone_of(st.context.timezone))
    return f"{local.day} {local:%b %H:%M}"

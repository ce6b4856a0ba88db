"""The page of the audit log: who did what, and whether anybody has changed the log."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from buttress.access import audit, require
from buttress.access.tables import AuditEntry
from buttress.ui.current import page_session
from buttress.ui.text import count, moment

PAGE_ROWS = 50
PLACE = "audit-before"
"""What was asked for, and the number of the entry before which the page begins."""
KINDS = "An action as it stands in the table, or `person.*` for all of that kind."


def page() -> st.Page:
    """Where it is in the navigation."""
    return st.Page(show, title="Audit log", icon=":material/history:", url_path="audit")


def show() -> None:
    """The page."""
    require("audit.read")
    st.title("Audit log")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        actor = st.text_input("Who", placeholder="everybody", width=240).strip() or None
        action = st.text_input("What", placeholder="everything", help=KINDS, width=240).strip()
        verify = st.button("Verify the chain", icon=":material/verified:")
    if verify:
        verified()
    filters = (actor, action or None)
    # Another filter begins at the newest again.
    of, before = st.session_state.get(PLACE, (filters, None))
    if of != filters:
        before = None
    with page_session() as session:
        total = audit.count(session)
        found = audit.entries(
            session, actor=actor, action=filters[1], before=before, limit=PAGE_ROWS + 1
        )
    if not found:
        st.info("No entry is like that. Leave a field empty to see more.")
        return
    which = "of those that are like that, the newest first" if any(filters) else "the newest first"
    st.caption(f"{count(total)} entries in all; {which}")
    table(found[:PAGE_ROWS])
    if before is None and len(found) <= PAGE_ROWS:
        return
    with st.container(horizontal=True):
        if st.button("Newest", disabled=before is None):
            st.session_state.pop(PLACE)
            st.rerun()
        if st.button("Older", disabled=len(found) <= PAGE_ROWS):
            st.session_state[PLACE] = (filters, found[PAGE_ROWS - 1].number)
            st.rerun()


def table(found: Sequence[AuditEntry]) -> None:
    """Entries on lines."""
    st.dataframe(
        [
            {
                "Number": entry.number,
                "At": moment(entry.at, st.context.timezone),
                "Who": entry.actor or "the system",
                "What": entry.action,
                "On": entry.object,
                "Outcome": entry.outcome,
                "Details": ", ".join(f"{k}: {v}" for k, v in sorted(entry.details.items())),
                "Address": entry.address,
                "Request": entry.request_id,
            }
            for entry in found
        ],
        hide_index=True,
        alt="Entries of the audit log, the newest first",
        column_config={
            "Number": st.column_config.NumberColumn(width=70),
            "Request": st.column_config.TextColumn(width=90),
        },
    )


def verified() -> None:
    """Recompute every digest, and say what was found."""
    with st.spinner("Recomputing every digest"), page_session() as session:
        result = audit.verify(session)
    if result.broken_at is None:
        st.success(f"All {count(result.entries)} entries are as they were written.")
        st.caption("Keep the last digest elsewhere; it shows later that none was removed:")
        st.code(result.head, language=None)
    else:
        st.error(
            "Somebody has changed the log, or removed an entry. Compare with a backup.",
            title=f"Entry {result.broken_at} is not what was written.",
        )

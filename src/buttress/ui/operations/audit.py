"""The page of the audit log: who did what, and whether anybody has changed the log."""

from __future__ import annotations

import streamlit as st

from buttress.access import audit, require
from buttress.ui.current import page_session
from buttress.ui.text import count, moment

PAGE_ROWS = 50


def show() -> None:
    """The page."""
    require("audit.read")
    st.title("Audit log")
    who, what = st.columns(2)
    actor = who.text_input("Who", placeholder="everybody").strip() or None
    action = what.text_input("What", placeholder="everything; person.* for all of that kind")
    before = st.session_state.get("audit-before")
    with page_session() as session:
        total = audit.count(session)
        found = audit.entries(
            session, actor=actor, action=action.strip() or None, before=before, limit=PAGE_ROWS + 1
        )
    st.caption(f"{count(total)} entries; the newest first")
    if found:
        st.dataframe(
            [
                {
                    "Number": entry.number,
                    "At": moment(entry.at, st.context.timezone),
                    "Who": entry.actor,
                    "What": entry.action,
                    "On": entry.object,
                    "Outcome": entry.outcome,
                    "Address": entry.address,
                    "Details": ", ".join(f"{k}: {v}" for k, v in sorted(entry.details.items())),
                    "Request": entry.request_id,
                }
                for entry in found[:PAGE_ROWS]
            ],
            hide_index=True,
        )
    else:
        st.info("No entry is like that. Leave a field empty to see more.")
    newer, older, verify = st.columns(3)
    if newer.button("Newest", disabled=before is None, width="stretch"):
        st.session_state.pop("audit-before")
        st.rerun()
    if older.button("Older", disabled=len(found) <= PAGE_ROWS, width="stretch"):
        st.session_state["audit-before"] = found[PAGE_ROWS - 1].number
        st.rerun()
    if verify.button("Verify the chain", icon=":material/verified:", width="stretch"):
        verified()


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

"""Results out: products as files, or sent to where the deployment delivers."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from buttress.access import audit
from buttress.apps.catalog import jobs
from buttress.apps.catalog.pages.looks import DELIVERIES
from buttress.apps.catalog.service import delivering, exporting
from buttress.apps.catalog.settings import CatalogSettings
from buttress.exports import MEDIA_TYPES, Format, format_of
from buttress.mover.page import plural
from buttress.ui.current import current_runtime, page_session, signed_in
from buttress.ui.operations.lists import states
from buttress.ui.problems import explained
from buttress.ui.text import moment

FORMATS: dict[Format, str] = {
    "json": "JSON", "csv": "CSV", "xlsx": "Excel", "parquet": "Parquet", "jsonl": "JSON lines",
}  # fmt: skip
TARGETS = {"folder": "The folder of results", "dropbox": "Dropbox", "webhook": "The webhook"}
LISTED = 10


def export_and_deliver(products: Sequence[int], key: str) -> None:
    """Download those products, or send them somewhere; nothing for who may not."""
    if not signed_in().may("data.export"):
        return
    with st.popover("Export", icon=":material/download:"):
        format: Format = st.selectbox(
            "Format", list(FORMATS), format_func=lambda one: FORMATS[one], key=f"format-{key}"
        )
        st.download_button(
            "Download",
            lambda: content(products, format),
            file_name=f"catalog.{format}",
            mime=MEDIA_TYPES[format],
            key=f"download-{key}",
            icon=":material/download:",
            on_click="ignore",
        )
        targets = delivering.targets(CatalogSettings())
        if not targets:
            st.caption(
                "To send them somewhere an admin sets BUTTRESS_CATALOG__FOLDER, "
                "BUTTRESS_CATALOG__DROPBOX_TOKEN or BUTTRESS_CATALOG__WEBHOOK_URL."
            )
            return
        target = st.selectbox(
            "Send to", targets, format_func=lambda one: TARGETS[one], key=f"target-{key}"
        )
        if st.button("Send", key=f"send-{key}", icon=":material/send:"):
            with explained():
                with page_session() as session:
                    planned = delivering.plan(session, target, format, products)
                    current_runtime().jobs.enqueue(jobs.deliver, planned.id, session=session)
                st.toast("They are being sent; the list of deliveries says when they are there.")


def content(products: Sequence[int], format: Format) -> bytes:
    """The file, made when it is asked for."""
    with page_session() as session:
        audit.record(session, "catalog.export", f"{plural(len(products), 'product')} as {format}")
        return b"".join(exporting.export(session, format, products))


def deliveries() -> None:
    """What was sent lately, and what became of it."""
    with page_session() as session:
        found = delivering.newest(session, limit=LISTED)
    if not found:
        return
    with st.expander("Deliveries", icon=":material/send:"):
        st.dataframe(
            [
                {
                    "Sent to": TARGETS.get(one.target, one.target),
                    "State": [DELIVERIES[one.state][0]],
                    "Products": len(one.products),
                    "Format": FORMATS[format_of(delivering.name_of(one))],
                    "Where or why": one.place or f"{one.problem or ''} {one.cure or ''}".strip(),
                    "Asked for": moment(one.created_at, st.context.timezone),
                }
                for one in found
            ],
            hide_index=True,
            alt="Deliveries, the newest first",
            column_config={"State": states(DELIVERIES.values())},
        )
        failed = [one.id for one in found if one.state == "failed"]
        if not failed or not signed_in().may("data.export"):
            return
        if st.button("Send again what failed", icon=":material/replay:"):
            with explained():
                with page_session() as session:
                    for delivery_id in failed:
                        jobs.deliver_again(session, current_runtime().jobs, delivery_id)
                st.rerun()

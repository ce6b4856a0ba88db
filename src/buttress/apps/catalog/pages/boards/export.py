"""The sixth tab: evaluations as a file, and the report of the window."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from buttress.access import audit
from buttress.apps.catalog.dashboard import Window
from buttress.apps.catalog.dashboard.executive import means
from buttress.apps.catalog.pages.boards.investigation import wanted
from buttress.apps.catalog.service import evaluations, report
from buttress.apps.catalog.service.evaluations import Wanted
from buttress.exports import MEDIA_TYPES, Format
from buttress.mover.page import plural
from buttress.ui.current import page_session, signed_in

FORMATS: dict[Format, str] = {
    "csv": "CSV", "json": "JSON", "xlsx": "Excel", "parquet": "Parquet",
}  # fmt: skip


def show(window: Window) -> None:
    """The tab."""
    if not signed_in().may("data.export"):
        st.info("Your role may look but not export: ask an admin.", icon=":material/lock:")
        return
    name = f"{window.since:%Y-%m-%d}-{window.until:%Y-%m-%d}"
    st.subheader("Report")
    st.caption("Figures, trend, types, agreement, models and criticisms of the chosen window.")
    with st.container(horizontal=True):
        download("One HTML file", lambda: html(window), f"catalog-{name}.html", "text/html")
        download("PDF", lambda: pdf(window), f"catalog-{name}.pdf", "application/pdf")
    st.subheader("Evaluations")
    asked = wanted(window, "catalog-export")
    with page_session() as session:
        there = means(session, window).evaluations
    st.caption(
        f"{plural(there, 'evaluation')} in the window, one row each; a narrower choice has fewer."
    )
    with st.container(horizontal=True):
        for format, title in FORMATS.items():
            download(
                title,
                lambda format=format: rows(asked, format),  # type: ignore[misc]
                f"evaluations-{name}.{format}",
                MEDIA_TYPES[format],
            )


def download(title: str, make: Callable[[], bytes], name: str, mime: str) -> None:
    """A button whose file is made when it is asked for."""
    st.download_button(
        title, make, file_name=name, mime=mime, icon=":material/download:", on_click="ignore",
        key=f"catalog-download-{name}",
    )  # fmt: skip


def rows(asked: Wanted, format: Format) -> bytes:
    """The evaluations as a file."""
    with page_session() as session:
        audit.record(session, "catalog.export", f"evaluations as {format}")
        return b"".join(evaluations.export(session, format, asked))


def html(window: Window) -> bytes:
    """The report as HTML."""
    with page_session() as session:
        audit.record(session, "catalog.export", "report as html")
        return report.as_html(report.gather(session, window)).encode()


def pdf(window: Window) -> bytes:
    """The report as PDF."""
    with page_session() as session:
        audit.record(session, "catalog.export", "report as pdf")
        return report.as_pdf(report.gather(session, window))

"""The report of one move, for reading."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec
import streamlit as st

from buttress.mover.page import duration, plural, render, size, visible
from buttress.mover.plan import NotCarried, Table
from buttress.mover.report import MoveReport
from buttress.ui.charts import rows_per_table, time_per_phase
from buttress.ui.text import count, file_name, moment, plain
from buttress.ui.verdict import banner

Rows = list[dict[str, object]]


def show_report(report: MoveReport) -> None:
    """The whole page of one move."""
    st.title(plain(file_name(report.source)))
    st.caption(plain(origin(report)))
    banner(report)
    figures(report)
    sections = tabs(report)
    opened = st.tabs(list(sections), key="section", on_change="rerun", bind="query-params")
    for tab, content in zip(opened, sections.values(), strict=True):
        if tab.open:
            with tab:
                content(report)
    downloads(report)


def origin(report: MoveReport) -> str:
    """Where it came from, where it went, and when."""
    parts = [f"{report.target or 'PostgreSQL'}, schema {report.schema}"]
    if report.started_at:
        at = datetime.fromisoformat(report.started_at)
        parts.append(moment(at, st.context.timezone))
    if report.source_bytes:
        parts.append(size(report.source_bytes))
    return " · ".join(parts)


def figures(report: MoveReport) -> None:
    """The numbers people ask for first."""
    with st.grid(5, min_column_width=150, border=True):
        st.metric("Rows proven", count(report.rows_proven))
        st.metric("In quarantine", count(report.rows_quarantined))
        st.metric("Tables", count(len(report.proof.tables)))
        st.metric("Not carried", count(len(report.not_carried)))
        st.metric("Time", duration(sum(report.seconds.values())))


def tabs(report: MoveReport) -> dict[str, Callable[[MoveReport], None]]:
    """The sections that have something to say, what went wrong first."""
    sections: dict[str, Callable[[MoveReport], None]] = {}
    if report.verdict == "mismatch":
        sections["Differences"] = differences
    sections["Tables"] = tables
    if report.rows_quarantined:
        sections["Quarantine"] = quarantine
    sections["Not carried"] = not_carried
    if report.orphans or report.unreadable or report.plan.notes:
        sections["Findings"] = findings
    sections["Types"] = types
    sections["Timing"] = timing
    return sections


def differences(report: MoveReport) -> None:
    """The rows the proof found unequal."""
    found: Rows = [
        {
            "Table": item.table,
            "Row": item.row,
            "Column": item.column or "whole row",
            "Source": item.source,
            "Target": item.target,
        }
        for table in report.proof.tables
        for item in table.differences
    ]
    listing(found)
    for sequence in report.proof.sequences:
        st.markdown(f"- {plain(sequence)}")


def tables(report: MoveReport) -> None:
    """Rows of every table, as a picture and as numbers."""
    proofs = report.proof.tables
    if not proofs:
        st.info("There was no table to move.")
        return
    chart, height = rows_per_table(proofs)
    st.echarts_chart(chart, height=height, alt="Rows proven and in quarantine for each table")
    listing(
        [
            {
                "Table": proof.table,
                "Rows": proof.rows,
                "Proven": proof.proven,
                "Quarantine": proof.quarantined,
                "Compared": proof.method,
                "Seconds": round(proof.seconds, 2),
            }
            for proof in proofs
        ]
    )
    left_out = [table for table in report.plan.tables if table.skip]
    for table in left_out:
        st.markdown(f"- **{plain(table.name)}** was left out: {plain(table.skip)}")


def quarantine(report: MoveReport) -> None:
    """The rows PostgreSQL cannot hold exactly, and how to look at them."""
    st.markdown(
        "These rows are not in their tables. Each is kept whole, with the raw bytes of the value"
        " that stands in its way:"
    )
    listing(
        [
            {"Table": row.table, "Row": row.row, "Column": row.column, "Reason": row.reason}
            for row in report.quarantined
        ]
    )
    if report.rows_quarantined > len(report.quarantined):
        st.caption(
            f"The first {count(len(report.quarantined))} of {count(report.rows_quarantined)}."
        )
    st.code(f'SELECT * FROM "{report.schema}".buttress_quarantine ORDER BY id;', language="sql")


def not_carried(report: MoveReport) -> None:
    """Objects of the source that have no counterpart, each with its text."""
    if not report.not_carried:
        st.success("Every key, index, constraint, default, view and trigger has its counterpart.")
        return
    for item in report.not_carried:
        not_carried_card(item)


def not_carried_card(item: NotCarried) -> None:
    """One such object."""
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(item.name)}**")
            st.badge(item.kind, color="gray")
            if item.table and item.table != item.name:
                st.caption(f"of {plain(item.table)}")
        st.markdown(plain(item.reason))
        if item.source:
            st.code(visible(item.source), language="sql", wrap_lines=True)


def findings(report: MoveReport) -> None:
    """What the source itself got wrong, kept as it was."""
    for orphans in report.orphans:
        with st.container(border=True, gap="xsmall"):
            st.markdown(
                f"**{plain(orphans.table)}**: {plural(orphans.rows, 'row')} without the row that"
                f" {plain(orphans.foreign_key)} points at. Moved as found: the foreign key is NOT"
                " VALID until this is mended, and holds for every row written from now on."
            )
            if orphans.examples:
                st.caption(plain(", ".join(orphans.examples)))
    for damage in report.unreadable:
        rows = f"rows {damage.first_rowid} to {damage.last_rowid} cannot be read"
        st.warning(plain(damage.detail), title=f"{visible(damage.table)}: {rows}")
    for note in report.plan.notes:
        st.markdown(f"- {plain(note)}")


def types(report: MoveReport) -> None:
    """The type of every column and why it was chosen."""
    moved = report.plan.moving
    if not moved:
        st.info("There was no table to move.")
        return
    name = st.selectbox("Table", [table.name for table in moved], key="types-of", width=320)
    listing(columns_of(report.plan.table(name)), height="content")


def columns_of(table: Table) -> Rows:
    """The columns of one table."""
    return [
        {
            "Column": column.name,
            "Declared": column.declared or "nothing",
            "PostgreSQL": column.type,
            "Why": column.why,
            "Values seen": ", ".join(f"{count(n)} {kind}" for kind, n in column.seen.items() if n),
        }
        for column in table.columns
    ]


def timing(report: MoveReport) -> None:
    """Where the time went."""
    if not report.seconds:
        st.info("No phase was timed.")
        return
    chart, height = time_per_phase(report.seconds)
    st.echarts_chart(chart, height=height, alt="Seconds each phase of the move took")


def downloads(report: MoveReport) -> None:
    """The report to keep, for machines and for people."""
    with st.container(horizontal=True):
        st.download_button(
            "report.json",
            msgspec.json.format(msgspec.json.encode(report), indent=2),
            file_name=f"{report.id}.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "report.html",
            lambda: render(report),
            file_name=f"{report.id}.html",
            mime="text/html",
            icon=":material/download:",
            on_click="ignore",
        )


def listing(rows: Rows, *, height: Literal["auto", "content"] = "auto") -> None:
    """A table that is read, not edited; whole numbers get their thousands apart."""
    first = rows[0] if rows else {}
    formats = {
        name: st.column_config.NumberColumn(format="localized")
        for name, value in first.items()
        if isinstance(value, int)
    }
    shown = [
        {name: visible(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in rows
    ]
    st.dataframe(shown, hide_index=True, height=height, column_config=formats)

"""The page of queries: what they take, which are slow, and which repeat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import streamlit as st

from buttress.db.monitor import summary
from buttress.db.monitor.facts import Facts, of_deployment, of_process
from buttress.db.monitor.report import duration, milliseconds
from buttress.db.monitor.summary import Line
from buttress.ui.charts import course_of_time
from buttress.ui.current import current_runtime
from buttress.ui.text import count, plain, zone_of

WINDOWS = {"15 minutes": 900.0, "1 hour": 3600.0, "6 hours": 21_600.0, "1 day": 86_400.0}
HERE, EVERYWHERE = "This process", "All processes"
GROUPS = {
    "Statements": summary.statements,
    "Lines of code": summary.callers,
    "Routes, pages, jobs": summary.places,
    "Kinds": summary.kinds,
    "Timed work": summary.work,
}
SHOWN = 50
HEIGHT = 260


def page() -> st.Page:
    """Where it is in the navigation."""
    return st.Page(show, title="Queries", icon=":material/speed:", url_path="queries")


def show() -> None:
    """The page."""
    st.title("Queries")
    with st.container(horizontal=True):
        window = st.segmented_control("Window", list(WINDOWS), default="1 hour") or "1 hour"
        where = st.segmented_control("Of", [HERE, EVERYWHERE], default=HERE)
    runtime = current_runtime()
    seconds = WINDOWS[window]
    if where == EVERYWHERE:
        facts = of_deployment(runtime.database, seconds)
    else:
        facts = of_process(runtime.monitor, seconds)
    st.caption(f"Of {facts.source}. No values are kept, only types and sizes of parameters.")
    figures(facts)
    course(facts)
    for warning in summary.warnings(facts.slot, facts.pool):
        st.warning(plain(warning), icon=":material/warning:")
    repeated(facts)
    slow(facts)
    group = st.segmented_control("By", list(GROUPS), default="Statements")
    table(GROUPS[group or "Statements"](facts.slot))


def figures(facts: Facts) -> None:
    """The figures of all statements together."""
    every, pool = summary.whole(facts.slot), facts.pool
    with st.grid(4, min_column_width=170, border=True):
        st.metric("Statements", count(every.count))
        st.metric("Success", f"{every.success:.2%}")
        st.metric("p95", milliseconds(every.p95), help=f"p50 {milliseconds(every.p50)}")
        st.metric("Connections in use", f"{pool.checked_out} of {pool.limit}")


def course(facts: Facts) -> None:
    """How many statements there were when, and how long they took."""
    steps = summary.course(facts.steps)
    if len(steps) > 1:
        chart = course_of_time(steps, zone_of(st.context.timezone) or UTC)
        st.echarts_chart(chart, height=HEIGHT, alt="Statements, their p50 and p95 over time")


def repeated(facts: Facts) -> None:
    """Statements that one line sent again and again."""
    found = sorted(facts.slot.repeated.values(), key=lambda one: -one.most)
    if not found:
        return
    st.subheader("Repeated within one request or session")
    st.caption("One query that fetches all rows at once would do the work of many (N+1).")
    rows = [
        {
            "Times": one.most,
            "Line": one.series.caller,
            "Where": one.series.place,
            "Statement": one.series.statement.text,
        }
        for one in found
    ]
    st.dataframe(rows, hide_index=True)


def slow(facts: Facts) -> None:
    """Statements above the threshold, the latest first."""
    found = sorted(facts.slot.slow, key=lambda one: -one.at)[:SHOWN]
    if not found:
        return
    st.subheader("Recent slow statements")
    rows = [
        {
            "Took": milliseconds(one.nanoseconds / 1e6),
            "Ago": duration(facts.at - one.at),
            "Line": one.series.caller,
            "Where": one.series.place,
            "Statement": one.series.statement.text,
            "Parameters": one.parameters,
            "Error": one.error,
        }
        for one in found
    ]
    st.dataframe(rows, hide_index=True)


def table(lines: Sequence[Line]) -> None:
    """Figures in columns, what took most time first."""
    if not lines:
        st.caption("Nothing was recorded in this window.")
        return
    number = st.column_config.NumberColumn
    rows: list[dict[str, Any]] = [
        {
            "Name": line.name,
            "Count": line.count,
            "Errors": line.errors,
            "Total ms": round(line.total, 1),
            "Average ms": line.average,
            "p50 ms": line.p50,
            "p95 ms": line.p95,
            "p99 ms": line.p99,
            "Line": ", ".join(line.callers[:2]),
        }
        for line in lines[:SHOWN]
    ]
    columns: dict[str, Any] = {
        name: number(format="%.2f", width=85) for name in rows[0] if name.endswith("ms")
    }
    columns["Name"] = st.column_config.TextColumn(width=300)
    columns["Count"] = number(format="localized", width=70)
    columns["Errors"] = number(format="localized", width=60)
    columns["Total ms"] = number(format="localized", width=85)
    st.dataframe(rows, hide_index=True, alt="What took most time, first", column_config=columns)

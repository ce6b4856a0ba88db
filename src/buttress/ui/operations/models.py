"""The page of language models: what calls took, by day, model, app, person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import streamlit as st
from streamlit.navigation.page import Page

from buttress.access import require
from buttress.exports import MEDIA_TYPES, Format, export_chunks
from buttress.llm import UsageRow
from buttress.llm.usage import Group
from buttress.ui.current import current_runtime
from buttress.ui.empty import no_calls
from buttress.ui.operations.charts import per_day
from buttress.ui.text import count

DAYS = {"7 days": 7, "30 days": 30, "90 days": 90}
GROUPS: dict[str, Group] = {
    "Model": "model",
    "App": "app",
    "Person": "person",
    "Purpose": "purpose",
    "Outcome": "outcome",
}
MEASURES = {"Cost": "USD", "Tokens": "tokens", "Calls": "calls"}
NOBODY = "none"
FILES: dict[str, Format] = {"Download as CSV": "csv", "As Excel": "xlsx", "As Parquet": "parquet"}
HEIGHT = 280


def page() -> Page:
    """Where it is in the navigation."""
    return st.Page(show, title="Model usage", icon=":material/neurology:", url_path="models")


def show() -> None:
    """The page."""
    require("models.usage")
    st.title("Model usage")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        window = st.segmented_control("Window", list(DAYS), default="30 days") or "30 days"
        by = st.segmented_control("By", list(GROUPS), default="Model") or "Model"
        measure = st.segmented_control("Chart", list(MEASURES), default="Cost") or "Cost"
    until = datetime.now(UTC) + timedelta(seconds=1)
    since = until - timedelta(days=DAYS[window])
    rows = current_runtime().llm.usage(since, until, ("day", GROUPS[by]))
    if not rows:
        no_calls()
        return
    figures(rows)
    chart(rows, GROUPS[by], measure)
    table(rows, by)


def figures(rows: Sequence[UsageRow]) -> None:
    """All of it together."""
    calls = sum(row.calls for row in rows)
    unpriced = sum(row.unpriced for row in rows)
    with st.grid(4, min_column_width=170, border=True):
        st.metric("Cost", f"{sum(row.cost for row in rows):,.4f} USD")
        st.metric("Calls", count(calls))
        st.metric("Failed", count(sum(row.failed for row in rows)))
        st.metric("Tokens", count(sum(row.input_tokens + row.output_tokens for row in rows)))
    if unpriced:
        st.caption(
            f"{count(unpriced)} of {count(calls)} calls have no known price and are not in the "
            "cost; BUTTRESS_LLM__PRICES sets one."
        )


def chart(rows: Sequence[UsageRow], group: Group, measure: str) -> None:
    """A bar for each day of UTC, also for those without a call between two with one."""
    values: dict[str, dict[date, float]] = defaultdict(dict)
    for row in rows:
        assert row.day is not None
        values[name_of(row, group)][row.day] = measured(row, measure)
    told = [row.day for row in rows if row.day is not None]
    days = [min(told) + timedelta(days=n) for n in range((max(told) - min(told)).days + 1)]
    st.echarts_chart(
        per_day(days, values, MEASURES[measure]), height=HEIGHT, alt=f"{measure} of each day"
    )


def measured(row: UsageRow, measure: str) -> float:
    """What the chart shows of it."""
    if measure == "Cost":
        return float(row.cost)
    return row.calls if measure == "Calls" else row.input_tokens + row.output_tokens


def name_of(row: UsageRow, group: Group) -> str:
    """What it is grouped by beside the day."""
    return str(getattr(row, group) or NOBODY)


def table(rows: Sequence[UsageRow], by: str) -> None:
    """A row for each day and group, the newest first, and the same as a file."""
    shown = [
        {
            "Day": row.day,
            by: name_of(row, GROUPS[by]),
            "Calls": row.calls,
            "Failed": row.failed,
            "From cache": row.cached,
            "Tokens in": row.input_tokens,
            "Tokens out": row.output_tokens,
            "Cost, USD": float(row.cost),
            "No price": row.unpriced,
            "Mean, s": row.mean_latency_seconds,
        }
        for row in reversed(rows)
    ]
    number = st.column_config.NumberColumn
    st.dataframe(
        shown,
        hide_index=True,
        alt="Calls of models by day",
        column_config={
            "Day": st.column_config.DateColumn(format="D MMM YYYY"),
            "Tokens in": number(format="localized"),
            "Tokens out": number(format="localized"),
            "Calls": number(format="localized"),
            "Cost, USD": number(format="%.4f"),
            "Mean, s": number(format="%.2f"),
        },
    )
    with st.container(horizontal=True):
        for name, kind in FILES.items():
            st.download_button(
                name,
                partial(written, shown, kind),
                file_name=f"model-usage.{kind}",
                mime=MEDIA_TYPES[kind],
                icon=":material/download:",
                on_click="ignore",
            )


def written(rows: list[dict[str, Any]], kind: Format) -> bytes:
    """The table as a file."""
    return b"".join(export_chunks(None, rows, kind))

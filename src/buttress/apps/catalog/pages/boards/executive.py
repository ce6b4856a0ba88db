"""The first tab: how much, how good, better or worse than before, what needs attention."""

from __future__ import annotations

import streamlit as st

from buttress.apps.catalog.dashboard import Window
from buttress.apps.catalog.dashboard.executive import Executive, Means
from buttress.apps.catalog.dashboard.executive import executive as figures_of
from buttress.apps.catalog.pages.boards import charts
from buttress.apps.catalog.pages.looks import type_title
from buttress.ui.current import page_session
from buttress.ui.text import count, plain

TREND_PIXELS, RING_PIXELS = 300, 300


def show(window: Window) -> None:
    """The tab."""
    with page_session() as session:
        found = figures_of(session, window)
    figures(found.now, found.before)
    attention(found)
    wide, narrow = st.columns([2, 1])
    with wide:
        st.subheader("Trend")
        chart = charts.trend(
            [f"{one.day:%d %b}" for one in found.trend],
            [one.overall for one in found.trend],
            [one.evaluations for one in found.trend],
        )
        st.echarts_chart(chart, height=TREND_PIXELS, alt="Mean score and evaluations by day")
    with narrow:
        st.subheader("Types")
        parts = {type_title(one.product_type): one.means.evaluations for one in found.types}
        st.echarts_chart(
            charts.shares(parts, "evaluations"), height=RING_PIXELS, alt="Evaluations by type"
        )


def figures(now: Means, before: Means) -> None:
    """The figures, with what changed against the window before."""
    with st.grid(4, min_column_width=150, border=True):
        st.metric(
            "Evaluations", count(now.evaluations),
            delta=now.evaluations - before.evaluations if before.evaluations else None,
            delta_color="off", help="Against as many days before",
        )  # fmt: skip
        for label, name, shape in (
            ("Overall score", "overall", "{:.2f}"),
            ("Good", "good", "{:.0%}"),
            ("Poor", "poor", "{:.0%}"),
            ("Structure", "structure", "{:.2f}"),
            ("Content", "content", "{:.2f}"),
            ("Translation", "translation", "{:.2f}"),
            ("Criticisms each", "issues", "{:.2f}"),
        ):
            value, was = getattr(now, name), getattr(before, name)
            less_is_better = name in ("poor", "issues")
            st.metric(
                label,
                "none" if value is None else shape.format(value),
                delta=changed(value, was, share="%" in shape),
                delta_color="inverse" if less_is_better else "normal",
                help=HELP.get(name),
            )


HELP = {
    "overall": "The three metrics, weighed, from 1 to 5",
    "good": "With a score of 4 and more",
    "poor": "With a score below 3",
    "issues": "Reasons for which points were lost, for each evaluation",
}


def changed(value: float | None, was: float | None, *, share: bool) -> str | None:
    """`+0.12`, or `-3 points` of a share; nothing where there was nothing before."""
    if value is None or was is None:
        return None
    apart = value - was
    if abs(apart) < (0.0005 if share else 0.005):
        return None
    return f"{apart * 100:+.1f} points" if share else f"{apart:+.2f}"


def attention(found: Executive) -> None:
    """What needs attention, and what to do about it."""
    if not found.alerts:
        st.success("Nothing needs attention.", icon=":material/verified:")
    for one in found.alerts:
        st.warning(f"**{plain(one.what)}.** {plain(one.cure)}", icon=":material/warning:")

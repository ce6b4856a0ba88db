"""The fourth tab: how scores are distributed, how metrics go together, what is criticised."""

from __future__ import annotations

import streamlit as st

from buttress.apps.catalog.dashboard import Window
from buttress.apps.catalog.dashboard.quality import STEP, Criticism, Quality
from buttress.apps.catalog.dashboard.quality import quality as figures_of
from buttress.apps.catalog.models.evaluations import METRICS
from buttress.apps.catalog.pages.boards import charts
from buttress.apps.catalog.pages.looks import type_title
from buttress.ui.current import page_session

CHART_PIXELS = 300


def show(window: Window) -> None:
    """The tab."""
    with page_session() as session:
        found = figures_of(session, window)
    st.subheader("Distribution")
    distribution(found)
    left, right = st.columns(2)
    with left:
        together(found)
    with right:
        types(found)
    criticisms(found.criticisms)
    if window.model is not None:
        st.caption("Criticisms are counted over all models.")


def distribution(found: Quality) -> None:
    """Histograms of the three metrics."""
    steps = [1 + STEP * number for number in range(round(4 / STEP) + 1)]
    counts = {(bar.metric, bar.score): bar.evaluations for bar in found.bars}
    chart = charts.histogram(
        [f"{step:g}" for step in steps],
        {metric.capitalize(): [counts.get((metric, step), 0) for step in steps]
         for metric in METRICS},
    )  # fmt: skip
    st.echarts_chart(chart, height=CHART_PIXELS, alt="How often each score was given, by metric")


def together(found: Quality) -> None:
    """How the metrics correlate."""
    st.subheader("Correlation")
    known = {frozenset((one.one, one.other)): one.correlation for one in found.together}
    cells = [
        (column, row, 1 if one == other else rounded(known.get(frozenset((one, other)))))
        for row, one in enumerate(METRICS)
        for column, other in enumerate(METRICS)
    ]
    names = [metric.capitalize() for metric in METRICS]
    chart, height = charts.heat(
        names, names, [cell for cell in cells if cell[2] is not None],
        span=(-1, 1), colours=charts.AGAINST_TO_WITH, shape=".2f",
    )  # fmt: skip
    st.echarts_chart(chart, height=height, alt="Correlation of the metrics")
    st.caption(
        "Pearson's r, from -1 to 1. Metrics that always move together measure the same."
        if all(value is not None for value in known.values())
        else "Empty where a metric does not vary: then nothing can be said."
    )


def types(found: Quality) -> None:
    """The three metrics of each type."""
    st.subheader("By type")
    series = {
        metric.capitalize(): [rounded(getattr(one.means, metric)) for one in found.types]
        for metric in METRICS
    }
    chart, height = charts.bars(
        [type_title(one.product_type) for one in found.types], series, charts.SCORES
    )
    st.echarts_chart(chart, height=height, alt="Mean of each metric by type")


def criticisms(found: list[Criticism]) -> None:
    """The rules that took points most often."""
    st.subheader("Criticisms")
    if not found:
        st.success("No rule took a point in this window.", icon=":material/verified:")
        return
    chart, height = charts.bars(
        [f"{one.rule} ({one.metric})" for one in found],
        {"Times": [one.times for one in found]},
        {"type": "value", "name": "times", "minInterval": 1, "splitNumber": 4},
        margin=190,
    )
    st.echarts_chart(chart, height=height, alt="How often each rule took points")
    number = st.column_config.NumberColumn
    with st.expander("As a table", icon=":material/table:"):
        st.dataframe(
            [
                {"Rule": one.rule, "Metric": one.metric, "Times": one.times,
                 "Points taken": round(one.points, 2),
                 "Each time": round(one.points / max(one.times, 1), 2)}
                for one in found
            ],
            hide_index=True,
            alt="Rules that took points, the most frequent first",
            column_config={"Times": number(format="localized"),
                           "Points taken": number(format="localized")},
        )  # fmt: skip


def rounded(value: float | None) -> float | None:
    """To two decimals."""
    return None if value is None else round(value, 2)

"""The third tab: which model, at which temperature, for which type of product."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import streamlit as st

from buttress.apps.catalog.dashboard import Window
from buttress.apps.catalog.dashboard.performance import Cell, OfModel, Performance
from buttress.apps.catalog.dashboard.performance import performance as figures_of
from buttress.apps.catalog.models.evaluations import METRICS
from buttress.apps.catalog.pages.boards import charts
from buttress.apps.catalog.pages.looks import model_title, type_title
from buttress.ui.current import page_session
from buttress.ui.text import count, plain

ON_THE_RADAR = 4
CHART_PIXELS = 320
ENOUGH = 20
"""Fewer evaluations make no model the best."""


def show(window: Window) -> None:
    """The tab."""
    with page_session() as session:
        found = figures_of(session, window)
    st.markdown("\n".join(f"- {sentence}" for sentence in insights(found.models)))
    left, right = st.columns(2)
    with left:
        st.subheader("Mean score")
        names = [model_title(one.model) for one in found.models]
        means = [rounded(one.means.overall) for one in found.models]
        chart, height = charts.bars(names, {"Overall score": means}, charts.SCORES)
        st.echarts_chart(chart, height=height, alt="Mean overall score of each model")
    with right:
        spread(found.models)
    table(found.models)
    left, right = st.columns(2)
    with left:
        around(found.models)
    with right:
        temperatures(found.models, found.by_temperature)
    by_type(found)
    providers(found.models)


def spread(models: Sequence[OfModel]) -> None:
    """How far the scores of each model lie apart."""
    st.subheader("Spread")
    boxed = [(model_title(one.model), one.box) for one in models if one.box]
    if not boxed:
        st.caption("SQLite keeps no histogram of the scores: use PostgreSQL to see their spread.")
        return
    chart, height = charts.boxes([name for name, _ in boxed], [box for _, box in boxed])
    st.echarts_chart(chart, height=height, alt="Distribution of scores of each model")
    st.caption("Whiskers from 5 % to 95 % of the scores, the box from a quarter to three.")


def insights(models: Sequence[OfModel]) -> list[str]:
    """What the figures say, in sentences of Markdown."""
    known = [one for one in models if one.means.evaluations >= ENOUGH and one.means.overall]
    if len(known) < 2:
        return []
    best, worst = known[0], known[-1]
    apart = (best.means.overall or 0) - (worst.means.overall or 0)
    told = [
        f"**{name_of(best)}** scores best with {best.means.overall:.2f}, {apart:.2f} above "
        f"{name_of(worst)}."
    ]
    priced = [one for one in known if one.cost_usd is not None]
    if priced:
        cheapest = min(priced, key=lambda one: one.cost_usd or 0)
        told.append(
            f"**{name_of(cheapest)}** costs least, {cheapest.cost_usd:.4f} USD an extraction."
        )
    timed = [one for one in known if one.seconds is not None]
    if timed:
        quickest = min(timed, key=lambda one: one.seconds or 0)
        told.append(f"**{name_of(quickest)}** is quickest, {quickest.seconds:.1f} s on average.")
    return told


def name_of(one: OfModel) -> str:
    """The model's name, as text."""
    return plain(model_title(one.model))


def table(models: Sequence[OfModel]) -> None:
    """All figures of each model."""
    number = st.column_config.NumberColumn
    rows = [
        {
            "Model": model_title(one.model),
            "Evaluations": one.means.evaluations,
            **{
                metric.capitalize(): rounded(getattr(one.means, metric))
                for metric in ("overall", *METRICS)
            },
            "Good, %": rounded(None if one.means.good is None else one.means.good * 100),
            "Poor, %": rounded(None if one.means.poor is None else one.means.poor * 100),
            "Seconds": rounded(one.seconds),
            "Cost, USD": one.cost_usd,
        }
        for one in models
    ]
    columns = {name: number(format="%.2f", width=75) for name in ("Overall", "Structure",
               "Content", "Translation", "Seconds")}  # fmt: skip
    columns |= {name: number(format="%.0f", width=70) for name in ("Good, %", "Poor, %")}
    columns |= {"Evaluations": number(format="localized", width=90)}
    columns |= {"Cost, USD": number(format="%.4f", width=75)}
    st.dataframe(rows, hide_index=True, alt="Figures of each model", column_config=columns)


def around(models: Sequence[OfModel]) -> None:
    """The three metrics of the models with most evaluations."""
    st.subheader("The three metrics")
    most = sorted(models, key=lambda one: -one.means.evaluations)[:ON_THE_RADAR]
    values = {
        model_title(one.model): [getattr(one.means, metric) or 0 for metric in METRICS]
        for one in most
    }
    chart = charts.radar([metric.capitalize() for metric in METRICS], values)
    st.echarts_chart(chart, height=CHART_PIXELS, alt="The three metrics of each model")
    if len(models) > ON_THE_RADAR:
        st.caption(f"The {ON_THE_RADAR} models with most evaluations, of {len(models)}.")


def temperatures(models: Sequence[OfModel], cells: Sequence[Cell]) -> None:
    """The score by temperature, the models in the colours of the radar."""
    st.subheader("Temperature")
    most = sorted(models, key=lambda one: -one.means.evaluations)
    series: dict[str, list[tuple[float, float]]] = {model_title(one.model): [] for one in most}
    for cell in cells:
        series[model_title(cell.model)].append((float(cell.other), round(cell.overall, 2)))
    warmest = max((float(cell.other) for cell in cells), default=1.0)
    chart = charts.lines(
        "temperature", {name: sorted(points) for name, points in series.items()},
        least=0, most=max(1.0, warmest),
    )  # fmt: skip
    st.echarts_chart(chart, height=CHART_PIXELS, alt="Mean score by temperature, for each model")


def by_type(found: Performance) -> None:
    """Which model for which type."""
    st.subheader("Model and type")
    models = [one.model for one in found.models]
    types = sorted({cell.other for cell in found.by_type})
    cells = [
        (types.index(cell.other), models.index(cell.model), round(cell.overall, 2))
        for cell in found.by_type
        if cell.model in models
    ]
    chart, height = charts.heat(
        [type_title(one) for one in types], [model_title(one) for one in models], cells,
        span=(1, 5), colours=charts.POOR_TO_GOOD, shape=".2f",
    )  # fmt: skip
    st.echarts_chart(chart, height=height, alt="Mean score of each model for each type")


def providers(models: Sequence[OfModel]) -> None:
    """The same by who offers the models."""
    groups: defaultdict[str, list[OfModel]] = defaultdict(list)
    for one in models:
        groups[one.model.partition(":")[0]].append(one)
    if len(groups) < 2:
        return
    st.subheader("Providers")
    told = {
        model_title(name): (sum(one.means.evaluations for one in found), weighed(found))
        for name, found in groups.items()
    }
    ordered = sorted(told, key=lambda name: -told[name][1])
    chart, height = charts.bars(
        ordered, {"Overall score": [round(told[name][1], 2) for name in ordered]}, charts.SCORES
    )
    st.echarts_chart(chart, height=height, alt="Mean overall score of each provider")
    st.caption(" · ".join(f"{plain(name)}: {count(told[name][0])}" for name in ordered))


def weighed(models: Sequence[OfModel]) -> float:
    """The mean over all evaluations of some models."""
    times = sum(one.means.evaluations for one in models)
    return sum((one.means.overall or 0) * one.means.evaluations for one in models) / max(times, 1)


def rounded(value: float | None) -> float | None:
    """To two decimals."""
    return None if value is None else round(value, 2)

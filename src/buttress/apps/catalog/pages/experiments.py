"""The page of experiments: reviewed products frozen, extracted again with other settings."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from buttress.apps.catalog import app, jobs
from buttress.apps.catalog.agreement.outcome import Estimate, Interval, Unsaid
from buttress.apps.catalog.models import Dataset
from buttress.apps.catalog.pages.engine import choose_engine
from buttress.apps.catalog.pages.looks import TYPES, empty, model_title, type_title
from buttress.apps.catalog.products import ProductType
from buttress.apps.catalog.service import experiments as service
from buttress.apps.catalog.service import products
from buttress.apps.catalog.service.experiments import Outcome
from buttress.apps.catalog.service.products import Filter
from buttress.errors import BadInput
from buttress.mover.page import plural
from buttress.ui.current import current_runtime, page_session
from buttress.ui.operations.live import still
from buttress.ui.problems import explained
from buttress.ui.text import moment, plain

MOST_REVIEWED = 500
METRICS = ("overall", "structure", "content", "translation")


@app.page("Experiments", icon="science", needs="data.review")
def experiments() -> None:
    """Datasets, and what other models and prompts make of them."""
    st.title("Experiments")
    st.caption(
        "Freeze products that people have reviewed, then let another model or prompt extract them "
        "again: the difference is measured on the same products."
    )
    with page_session() as session:
        datasets = service.datasets(session)
        reviewed = products.listed(session, Filter(reviewed=True), limit=1)
    with st.expander("Freeze a dataset", expanded=not datasets, icon=":material/ac_unit:"):
        freeze(there_are_reviewed=bool(reviewed))
    if not datasets:
        return
    titles = {one.id: f"{one.name} ({plural(items, 'product')})" for one, items in datasets}
    dataset_id = st.selectbox("Dataset", list(titles), format_func=lambda id: titles[id])
    dataset = next(one for one, _ in datasets if one.id == dataset_id)
    st.caption(about(dataset))
    with st.expander("Try other settings with it", icon=":material/play_arrow:"):
        run(dataset_id)
    outcomes(dataset_id)
    compare(dataset_id)


def about(dataset: Dataset) -> str:
    """When it was frozen, and why."""
    frozen = f"frozen {moment(dataset.created_at, st.context.timezone)}"
    return f"{frozen} · {plain(dataset.note)}" if dataset.note else frozen


def freeze(*, there_are_reviewed: bool) -> None:
    """Reviewed products become a dataset."""
    if not there_are_reviewed:
        empty(
            "No product was reviewed yet.",
            "Rate some on the page Review: others are measured by what people leave of them.",
        )
        return
    product_type = st.selectbox(
        "Reviewed products of type",
        [None, *TYPES],
        format_func=lambda one: type_title(one) if one else "All types",
    )
    wanted = Filter(reviewed=True, product_type=ProductType(product_type) if product_type else None)
    with page_session() as session:
        found = products.listed(session, wanted, limit=MOST_REVIEWED)
    names = {one.id: f"{one.name or 'product'} ({one.id})" for one in found}
    chosen = st.multiselect(
        "Products",
        list(names),
        default=list(names),
        format_func=lambda id: names[id],
        key=f"freeze-{product_type}-{len(names)}",
        help=f"The newest {MOST_REVIEWED} that were reviewed.",
    )
    with st.form("freeze", border=False, clear_on_submit=True):
        name = st.text_input("Name of the dataset", max_chars=200, placeholder="creams, November")
        note = st.text_input("Note", max_chars=500)
        if st.form_submit_button(f"Freeze {plural(len(chosen), 'product')}"):
            with explained():
                with page_session() as session:
                    service.freeze(session, name, chosen, note)
                st.rerun()


def run(dataset_id: int) -> None:
    """Another model, temperature or prompt."""
    name = st.text_input(
        "Name of the experiment", max_chars=200, placeholder="shorter prompt", key="experiment-name"
    )
    types = [str(one) for one in ProductType]
    prompt_for = st.selectbox(
        "Version of the prompt for", [None, *types],
        format_func=lambda one: type_title(one) if one else "Every type: those in use",
    )  # fmt: skip
    engine = choose_engine("experiment", ProductType(prompt_for) if prompt_for else None)
    if st.button("Run it", type="primary", icon=":material/play_arrow:"):
        with explained():
            with page_session() as session:
                planned = service.plan(session, dataset_id, name, engine.engine)
                ticket = current_runtime().jobs.enqueue(
                    jobs.experiment, planned.id, session=session
                )
                planned.job_id = ticket.id
            st.toast("It runs; its figures appear below.")
            st.rerun()


@st.fragment(run_every="3s")
def outcomes(dataset_id: int) -> None:
    """All experiments with a dataset beside each other."""
    still("data.review")
    with page_session() as session:
        found = service.outcomes(session, dataset_id)
    if not found:
        empty("Nothing was tried with it yet.", "Choose other settings above and run them.")
        return
    st.dataframe(
        [line(one) for one in found],
        hide_index=True,
        alt="Experiments with this dataset, the newest first",
        column_config={
            "Done": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
            "Fields as reviewed": st.column_config.NumberColumn(format="percent"),
        },
    )
    measured = [one for one in found if one.overall is not None]
    if measured:
        st.echarts_chart(chart(measured), height=90 + 46 * len(METRICS))


def line(one: Outcome) -> dict[str, object]:
    """One experiment in columns."""
    return {
        "Experiment": one.experiment.name,
        "Extracted by": model_title(one.experiment.model),
        "Temperature": float(one.experiment.temperature),
        "Done": (one.done + one.failed) / max(one.items, 1),
        "Failed": one.failed,
        "Overall": _rounded(one.overall),
        "95 % interval": spread(one.experiment.id, one.done),
        **{metric.capitalize(): _rounded(getattr(one, metric)) for metric in METRICS[1:]},
        "Fields as reviewed": one.same_fields,
        "Seconds": _rounded(one.seconds),
        "Cost, USD": one.cost_usd,
    }


# Drawing two thousand samples takes its time, and the table is shown anew every few seconds.
@st.cache_data(scope="session", max_entries=100, show_spinner=False)
def spread(experiment_id: int, done: int) -> str:
    """The interval of the mean overall score; `done` items have one, which tells it is stale."""
    with page_session() as session:
        told = service.overall_of(session, experiment_id)
    if told is None or not isinstance(told.interval, Interval):
        return ""
    return f"{told.interval.low:.2f} to {told.interval.high:.2f}"


def chart(found: Sequence[Outcome]) -> dict[str, object]:
    """Bars of the mean scores, a colour for each experiment."""
    return {
        "animation": False,
        "legend": {"top": 0, "left": 0, "type": "scroll"},
        "grid": {"left": 0, "right": 24, "top": 40, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}},
        "xAxis": {"type": "value", "min": 1, "max": 5, "splitNumber": 4},
        "yAxis": {
            "type": "category",
            "data": [metric.capitalize() for metric in reversed(METRICS)],
            "axisTick": {"show": False},
        },
        "series": [
            {
                "name": f"{one.experiment.name} ({one.experiment.id})",
                "type": "bar",
                "barMaxWidth": 14,
                "data": [_rounded(getattr(one, metric)) for metric in reversed(METRICS)],
            }
            for one in found[:6]
        ],
    }


def compare(dataset_id: int) -> None:
    """Two experiments, product by product, with intervals."""
    with page_session() as session:
        found = [one for one in service.outcomes(session, dataset_id) if one.done]
    if len(found) < 2:
        st.caption("Two experiments with this dataset can be compared product by product.")
        return
    st.subheader("Is the difference more than luck?")
    names = {one.experiment.id: f"{one.experiment.name} ({one.experiment.id})" for one in found}
    with st.container(horizontal=True):
        first = st.selectbox("First", list(names), 1, format_func=lambda id: names[id], width=260)
        second = st.selectbox("Second", list(names), 0, format_func=lambda id: names[id], width=260)
    with explained():
        if first == second:
            raise BadInput("these are the same experiment", hint="Choose another one.")
        with page_session() as session:
            told = service.compared(session, first, second)
        if isinstance(told, Unsaid):
            st.info(f"It {told}.")
            return
        with st.grid(4, min_column_width=150, border=True):
            st.metric("First", f"{told.first:.2f}")
            st.metric("Second", f"{told.second:.2f}", f"{told.difference.value:+.2f}")
            st.metric("Better", f"{told.better.value:.0%}", help=around(told.better, percent=True))
            st.metric("Worse", f"{told.worse.value:.0%}", help=around(told.worse, percent=True))
        st.markdown(
            f"Over {plural(told.items, 'product')} the second differs by "
            f"**{told.difference.value:+.2f}**, {around(told.difference)}. Luck alone would part "
            f"them so unevenly in {told.chance:.1%} of all trials."
        )


def around(estimate: Estimate, *, percent: bool = False) -> str:
    """`95 % interval from −0.10 to +0.32`, or why there is none."""
    if not isinstance(estimate.interval, Interval):
        return f"whose interval {estimate.interval}"
    spelled = "{:.0%}" if percent else "{:+.2f}"
    low, high = (spelled.format(one) for one in (estimate.interval.low, estimate.interval.high))
    return f"{estimate.interval.level:.0%} interval from {low} to {high}"


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 2)

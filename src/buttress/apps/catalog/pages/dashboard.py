"""The dashboard: six tabs over one window, each with its address; only the open one is computed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from buttress.apps.catalog import app
from buttress.apps.catalog.dashboard import Window
from buttress.apps.catalog.dashboard.executive import last_day, means
from buttress.apps.catalog.pages.boards import (
    agreement,
    executive,
    export,
    investigation,
    performance,
    quality,
)
from buttress.apps.catalog.pages.looks import TYPES, empty, model_title, type_title
from buttress.apps.catalog.pages.ways import way
from buttress.apps.catalog.service import products
from buttress.ui.current import page_session, signed_in

TABS: dict[str, Callable[[Window], None]] = {
    "Executive": executive.show,
    "Agreement": agreement.show,
    "Performance": performance.show,
    "Quality": quality.show,
    "Investigation": investigation.show,
    "Export": export.show,
}
SPANS = (7, 30, 90, 365)
USUAL = 30


@app.page("Dashboard", icon="monitoring")
def dashboard() -> None:
    """All of it."""
    st.title("Dashboard")
    window = chosen_window()
    if "evaluation" not in st.query_params and nothing(window):
        return
    spell_out("tab", list(TABS))
    tabs = st.tabs(list(TABS), key="tab", on_change="rerun", bind="query-params")
    for (_, show), tab in zip(TABS.items(), tabs, strict=True):
        if tab.open:
            with tab:
                show(window)


def chosen_window(*, of_people: bool = False) -> Window:
    """The days, the type and the model that the address names, or that are chosen here.

    What people do is counted by days alone.
    """
    with page_session() as session:
        models = products.choices(session).models
    with st.container(horizontal=True):
        days = st.segmented_control(
            "Days", SPANS, default=USUAL, key="days", bind="query-params", required=True
        )
        chosen = st.date_input(
            "Until", max_value="today", key="until", bind="query-params", format="YYYY-MM-DD",
            width=140,
        )  # fmt: skip
        until = chosen or datetime.now(UTC).date()
        if of_people:
            return Window.last(days or USUAL, until)
        product_type = st.selectbox(
            "Type", list(TYPES), index=None, format_func=type_title, placeholder="All types",
            key="type", bind="query-params", width=190,
        )  # fmt: skip
        model = st.selectbox(
            "Model", models, index=None, format_func=model_title, placeholder="All models",
            key="model", bind="query-params", width=230,
        )  # fmt: skip
    return Window.last(days or USUAL, until, product_type=product_type, model=model)


def spell_out(name: str, options: list[str]) -> None:
    """Let the address say `agreement` as well as `Agreement`."""
    written = st.query_params.get(name)
    meant = next((one for one in options if one.lower() == (written or "").lower()), None)
    if meant is not None and meant != written:
        st.query_params[name] = meant
        # What is bound to the address reads it when a run begins.
        st.rerun()


def nothing(window: Window) -> bool:
    """Whether there is nothing to show; then what to do about it is shown."""
    with page_session() as session:
        if means(session, window).evaluations:
            return False
        newest = last_day(session)
    if newest is not None:
        empty("No evaluation lies in this window.", "Choose more days, another type or model.")
        # Those of an older tool may all be of a year ago.
        if newest < window.since:
            st.button(
                f"Show the days until {newest.day} {newest:%b %Y}", icon=":material/history:",
                on_click=lambda: st.session_state.update(until=newest),
            )  # fmt: skip
        return True
    empty(
        "Nothing has been evaluated yet.",
        "Each extraction is evaluated by itself. Extract a product, and its scores are here.",
    )
    if signed_in().may("data.import"):
        st.page_link(way("extract"), label="Extract the first one", icon=":material/bolt:")
    return True

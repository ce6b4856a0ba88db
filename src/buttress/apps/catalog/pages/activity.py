"""People's activity: who made, rated and corrected how much, when, and what people said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from buttress.access import audit
from buttress.apps.catalog import app
from buttress.apps.catalog.dashboard import Window
from buttress.apps.catalog.dashboard.people import Activities, Activity, Hour, activities
from buttress.apps.catalog.models.evaluations import METRICS
from buttress.apps.catalog.pages.boards import charts
from buttress.apps.catalog.pages.dashboard import chosen_window
from buttress.apps.catalog.pages.looks import empty, type_title
from buttress.apps.catalog.pages.ways import way
from buttress.apps.catalog.service import evaluations
from buttress.apps.catalog.service.evaluations import Said
from buttress.exports import export_chunks
from buttress.ui.current import page_session, signed_in
from buttress.ui.operations.lists import Pager
from buttress.ui.text import count, moment, plain

BOARDS: dict[str, tuple[str, Callable[[Activity], float]]] = {
    "Products": ("products", lambda one: one.products),
    "Evaluations": ("evaluations", lambda one: one.evaluations),
    "Ratings": ("ratings", lambda one: one.ratings),
    "Corrections": ("corrections", lambda one: one.corrections),
}
LEADERS = 5
COMPARED = 4
ROWS = 10
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CHART_PIXELS = 320


@app.page("Activity", icon="groups")
def activity() -> None:
    """All of it."""
    st.title("Activity")
    st.caption("What people did in the chosen days. Times of the day are in UTC.")
    window = chosen_window(of_people=True)
    with page_session() as session:
        found = activities(session, window)
    if not found.people:
        empty(
            "Nobody did anything in these days.",
            "Products, ratings and corrections are counted here by who made them.",
        )
        return
    leaderboards(found.people)
    when(found.hours)
    profiles(found)
    feedback(window)


def leaderboards(people: Sequence[Activity]) -> None:
    """Who did most of each."""
    with st.grid(4, min_column_width=180):
        for title, (unit, of) in BOARDS.items():
            with st.container(border=True, gap="small"):
                st.markdown(f"**{title}**")
                best = sorted((one for one in people if of(one)), key=of, reverse=True)[:LEADERS]
                for place, one in enumerate(best, 1):
                    st.markdown(f"{place}\\. {plain(one.person)}: {count(int(of(one)))}")
                if not best:
                    st.caption(f"No {unit} in these days.")


def when(hours: Sequence[Hour]) -> None:
    """When people are at work."""
    st.subheader("When")
    cells = [(one.hour, one.weekday - 1, one.actions) for one in hours]
    chart, height = charts.heat(
        [f"{hour:02}" for hour in range(24)], DAYS, cells,
        span=(0, max((cell[2] for cell in cells), default=1)), colours=charts.NOT_AT_ALL_TO_MUCH,
        x="hour, UTC", key=True,
    )  # fmt: skip
    st.echarts_chart(chart, height=height, alt="Actions by weekday and hour, in UTC")


def profiles(found: Activities) -> None:
    """Everybody's figures, some beside each other, and all of them as a file."""
    st.subheader("People")
    rows = [
        {
            "Person": one.person, "Products": one.products, "Evaluations": one.evaluations,
            "Mean score": None if one.overall is None else round(one.overall, 2),
            "Ratings": one.ratings, "Corrections": one.corrections,
        }
        for one in found.people
    ]  # fmt: skip
    number = st.column_config.NumberColumn
    st.dataframe(
        rows, hide_index=True, alt="What everybody did",
        column_config={title: number(format="localized") for title in BOARDS},
    )  # fmt: skip
    if signed_in().may("data.export"):
        st.download_button(
            "As CSV", lambda: as_csv(rows), file_name="activity.csv", mime="text/csv",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
    compare(found.people)


def as_csv(rows: Sequence[Mapping[str, object]]) -> bytes:
    """The table as a file."""
    with page_session() as session:
        audit.record(session, "catalog.export", "activity as csv")
    return b"".join(export_chunks(None, rows, "csv"))


def compare(people: Sequence[Activity]) -> None:
    """Some people around the same corners, each figure as a share of the largest."""
    if len(people) < 2:
        return
    names = [one.person for one in people]
    picked = st.multiselect("Compare", names, default=names[:COMPARED], max_selections=6)
    chosen = [one for one in people if one.person in picked]
    most = {title: max(max(map(of, people)), 1) for title, (_, of) in BOARDS.items()}
    values = {
        one.person: [of(one) / most[title] * 100 for title, (_, of) in BOARDS.items()]
        for one in chosen
    }
    if values:
        chart = charts.radar(list(BOARDS), values, least=0, most=100)
        st.echarts_chart(chart, height=CHART_PIXELS, alt="Activity of people beside each other")
        st.caption("Per cent of whoever did most of it.")


def feedback(window: Window) -> None:
    """Products with what people said of them, the newest first."""
    st.subheader("Products with feedback")
    pager = Pager("catalog-feedback", window, rows=ROWS)
    with page_session() as session:
        found = evaluations.said(session, window, offset=pager.offset, limit=pager.limit)
    if not found:
        st.caption("Nobody has rated a product in these days; the page Review hands some out.")
    with st.grid(2, min_column_width=300):
        for one in found[: pager.rows]:
            said(one)
    pager.show(len(found))


def said(one: Said) -> None:
    """What one person said of one product."""
    given, evaluation = one.feedback, one.evaluation
    with st.container(border=True, gap="small"):
        st.page_link(
            way("products"), label=f"**{plain(evaluation.name or 'Without a name')}**",
            icon=":material/inventory_2:", query_params={"product": str(evaluation.product_id)},
        )  # fmt: skip
        marks = ", ".join(f"{metric} {getattr(given, metric)}" for metric in METRICS)
        st.markdown(
            f"{plain(given.person_name)}: **{given.overall:.2f}** ({marks}), the machine "
            f"**{evaluation.overall:.2f}** · {type_title(evaluation.product_type)} · "
            f"{moment(given.created_at, st.context.timezone)}"
        )
        for metric, note in given.notes.items():
            if note:
                st.caption(f"{metric}: {plain(str(note))}")

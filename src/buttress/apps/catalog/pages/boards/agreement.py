"""The second tab: how far the scores agree with people's, and where they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from buttress.apps.catalog.agreement import Agreement, BlandAltman, Confusion, Drift, Unsaid
from buttress.apps.catalog.agreement.outcome import Estimate
from buttress.apps.catalog.dashboard import Window, agreeing
from buttress.apps.catalog.dashboard.agreeing import Discrepancy, Group, Metric
from buttress.apps.catalog.pages.boards import charts
from buttress.apps.catalog.pages.looks import empty, model_title, type_title
from buttress.apps.catalog.pages.ways import way
from buttress.mover.page import plural
from buttress.ui.current import page_session, signed_in
from buttress.ui.text import count, plain

METRICS: tuple[Metric, ...] = ("overall", "structure", "content", "translation")
GROUPS: dict[Group, str] = {"product_type": "Type", "model": "Model", "person_name": "Person"}
CARDS = 6
CHART_PIXELS = 340
GRADE = {"min": 1, "max": 5, "interval": 1}
FIGURES: tuple[tuple[str, str, str], ...] = (
    ("Quadratic kappa", "kappa_quadratic", "Agreement beyond chance; far off counts more"),
    ("Linear kappa", "kappa_linear", "Agreement beyond chance; a distance of two counts twice"),
    ("Plain kappa", "kappa", "Agreement beyond chance on whole grades; near misses do not count"),
    ("ICC(2,1)", "icc", "How far machine and people could stand in for each other"),
    ("Spearman", "spearman", "Do they put products into the same order?"),
    ("Mean error", "mae", "Points of the scale they lie apart on average"),
    ("Same grade", "exact", "Share of pairs with the same whole grade"),
    ("Within one grade", "within_one", "Share of pairs at most one grade apart"),
    ("Majority", "majority", "What answering with people's commonest grade would get"),
    ("Coverage", "coverage", "Share of evaluations that somebody has rated"),
)
SHARES = {"exact", "within_one", "majority", "coverage"}
Pair = tuple[str, float, float, int]
"""A group, the scores of machine and people, and how often they met."""


def show(window: Window) -> None:
    """The tab."""
    metric: Metric = st.segmented_control(
        "Metric", METRICS, default="overall", format_func=str.capitalize, required=True
    )
    with page_session() as session:
        found = agreeing.overall_agreement(session, window, metric)
        pairs = agreeing.counted(session, window, metric)
        moved = agreeing.moved(session, window, metric)
        people = agreeing.between_people(session, window, metric)
    if not found.n:
        nobody()
        return
    figures(found)
    further(moved, people)
    close(pairs)
    left, right = st.columns(2)
    with left:
        scatter(pairs)
    with right:
        bland_altman(pairs, found.bland_altman)
    left, right = st.columns(2)
    with left:
        machine, human = matrix(found.confusion)
    with right:
        by_group(window, metric)
    cases(window, metric, machine, human)


def nobody() -> None:
    """What to do when nobody has rated anything."""
    empty(
        "Nobody has rated an evaluation in this window.",
        "Until people rate some, nobody knows whether the scores can be trusted. The page Review "
        "hands out the most doubtful products first; thirty ratings give a first picture.",
    )
    if signed_in().may("data.review"):
        st.page_link(way("review"), label="Rate some", icon=":material/rate_review:")


def figures(found: Agreement) -> None:
    """Each figure with its interval, or why there is none."""
    st.caption(
        f"{plural(found.n, 'pair')} of scores. "
        "The range below a figure holds the true value 95 times in 100."
    )
    with st.grid(5, min_column_width=140, border=True):
        for label, name, help in FIGURES:
            said = getattr(found, name)
            with st.container(gap="small"):
                if isinstance(said, Unsaid):
                    st.metric(label, "not said", help=help)
                    st.caption(f"It {said}.")
                else:
                    st.metric(label, number(said.value, name), help=help)
                    st.caption(interval(said, name))


def number(value: float, name: str) -> str:
    """`0.62`, or `62 %`."""
    return f"{value:.0%}" if name in SHARES else f"{value:.2f}"


def interval(said: Estimate, name: str = "") -> str:
    """`0.55 to 0.68`, or why not."""
    if isinstance(said.interval, Unsaid):
        return f"no interval: {said.interval.because}"
    return f"{number(said.interval.low, name)} to {number(said.interval.high, name)}"


def further(moved: Drift | Unsaid, people: Estimate | Unsaid) -> None:
    """What changed, and what people reach among themselves."""
    if isinstance(moved, Unsaid):
        told = f"Drift against the window before {moved}."
    else:
        told = (
            f"The machine lay {moved.earlier:+.2f} points from people in the window before and "
            f"lies {moved.later:+.2f} now: a change of {moved.change.value:+.2f} "
            f"({interval(moved.change)}), "
            + ("**which is more than chance.**" if moved.moved else "which chance explains.")
        )
    st.markdown(f":material/trending_flat: {told}")
    if isinstance(people, Unsaid):
        told = f"How far people agree among themselves {people}."
    else:
        told = (
            f"Two people who rated the same reach an ICC of {people.value:.2f} "
            f"({interval(people)}): more cannot be asked of a machine."
        )
    st.markdown(f":material/group: {told}")


def close(pairs: Sequence[Pair]) -> None:
    """How many are near, and how many far."""
    apart = [(abs(machine - human), times) for _, machine, human, times in pairs]
    whole = sum(times for _, times in apart)

    def part(times: int) -> str:
        return f"{count(times)} ({times / whole:.0%})"

    with st.grid(3, min_column_width=150, border=True):
        st.metric("Half a point apart at most", part(sum(n for gap, n in apart if gap <= 0.5)))
        st.metric("One point apart at most", part(sum(n for gap, n in apart if gap <= 1)))
        st.metric("More than 1.5 apart", part(sum(n for gap, n in apart if gap > 1.5)))


def scatter(pairs: Sequence[Pair]) -> None:
    """Machine against people."""
    st.subheader("Machine and people")
    points = merged(
        (round(machine * 4) / 4, round(human * 4) / 4, n) for _, machine, human, n in pairs
    )
    chart = charts.bubbles(
        points, x={"name": "people's score", **GRADE}, y={"name": "machine's score", **GRADE},
        unit="times", diagonal=True,
    )  # fmt: skip
    st.echarts_chart(chart, height=CHART_PIXELS, alt="Machine's scores against people's")
    st.caption("In steps of a quarter; the area tells how often. On the line both say the same.")


def bland_altman(pairs: Sequence[Pair], found: BlandAltman | Unsaid) -> None:
    """Their difference over their mean."""
    st.subheader("Difference (Bland-Altman)")
    if isinstance(found, Unsaid):
        st.caption(f"It {found}.")
        return
    points = merged(
        (round((machine + human) * 4) / 8, round((machine - human) * 4) / 4, times)
        for _, machine, human, times in pairs
    )
    levels = {"upper": found.upper.value, "bias": found.bias.value, "lower": found.lower.value}
    chart = charts.bubbles(
        points, x={"name": "mean of both", **GRADE},
        y={"name": "machine minus people", "min": -4, "max": 4, "interval": 2},
        unit="times", levels={name: round(level, 2) for name, level in levels.items()},
    )  # fmt: skip
    st.echarts_chart(chart, height=CHART_PIXELS, alt="Difference of scores over their mean")
    st.caption(
        f"The machine scores {found.bias.value:+.2f} ({interval(found.bias)}) against people; 95 % "
        f"of the differences lie from {found.lower.value:+.2f} to {found.upper.value:+.2f}."
    )


def merged(points: Iterable[tuple[float, float, int]]) -> list[list[float]]:
    """Points at the same place as one, counted together."""
    found: Counter[tuple[float, float]] = Counter()
    for x, y, times in points:
        found[x, y] += times
    return [[x, y, times] for (x, y), times in sorted(found.items())]


def matrix(found: Confusion | Unsaid) -> tuple[int | None, int | None]:
    """Whole grades against each other; the machine's and people's of the cell that is chosen."""
    st.subheader("Grades")
    if isinstance(found, Unsaid):
        st.caption(f"It {found}.")
        return None, None
    grades = list(found.grades)
    down = grades[::-1]
    cells = [
        (column, row, found.at(human=human, machine=machine))
        for row, human in enumerate(down)
        for column, machine in enumerate(grades)
    ]
    chart, height = charts.heat(
        [str(one) for one in grades], [str(one) for one in down], cells,
        span=(0, max(1, *(cell[2] for cell in cells))), colours=charts.NOT_AT_ALL_TO_MUCH,
        x="machine's grade", y="people's grade", key=False, shape=",",
    )  # fmt: skip
    event: Any = st.echarts_chart(
        chart, height=height, key="catalog-matrix", on_select="rerun",
        alt="How often each grade of people's met each of the machine's",
    )  # fmt: skip
    chosen = [place for one in event.selection.selected for place in one["data_indices"]]
    return picked(cells, chosen[0] if chosen else None, grades, down)


def picked(
    cells: Sequence[tuple[int, int, int]], chosen: int | None, grades: list[int], down: list[int]
) -> tuple[int | None, int | None]:
    """The cell that was clicked, or chosen by keyboard."""
    if chosen is not None and chosen < len(cells):
        column, row, _ = cells[chosen]
        return grades[column], down[row]
    with st.grid(2, min_column_width=130):
        machine = st.selectbox("Machine's grade", grades, index=None, placeholder="Any")
        human = st.selectbox("People's grade", grades, index=None, placeholder="Any")
    st.caption("Click a cell for its cases, or choose grades here.")
    return machine, human


def cases(window: Window, metric: Metric, machine: int | None, human: int | None) -> None:
    """Cards of the cases of a cell, or of those that differ most."""
    with page_session() as session:
        found = agreeing.discrepancies(
            session, window, metric, machine=machine, human=human, limit=CARDS
        )
    if machine is None and human is None:
        st.subheader("Where they differ most")
    else:
        st.subheader(f"Machine {machine or 'any'}, people {human or 'any'}")
    if not found:
        st.caption("There is no such case in this window.")
    with st.grid(3, min_column_width=240):
        for one in found:
            card(one)


def card(one: Discrepancy) -> None:
    """One case in which they differ."""
    with st.container(border=True, gap="small"):
        st.button(
            f"**{plain(one.name or f'evaluation {one.evaluation_id}')}**",
            key=f"case-{one.evaluation_id}-{one.person}", type="tertiary",
            icon=":material/search:", on_click=investigate, args=(one.evaluation_id,),
        )  # fmt: skip
        st.markdown(
            f"machine **{one.machine:.2f}**, {plain(one.person)} **{one.human:.2f}** · "
            f"{type_title(one.product_type)} · {plain(model_title(one.model))}"
        )
        if one.note:
            st.caption(f":material/chat: {plain(one.note)}")


def investigate(evaluation_id: int) -> None:
    """Go to the record of an evaluation."""
    st.session_state["tab"] = "Investigation"
    st.query_params["evaluation"] = str(evaluation_id)


def by_group(window: Window, metric: Metric) -> None:
    """The main figures for each type, model or person."""
    st.subheader("By type, model, person")
    group: Group = st.segmented_control(
        "By", list(GROUPS), default="product_type", format_func=lambda one: GROUPS[one],
        required=True, label_visibility="collapsed",
    )  # fmt: skip
    with page_session() as session:
        found = agreeing.by_group(session, window, group, metric)
    columns = {
        name: st.column_config.NumberColumn(format="%.2f", width=62)
        for name in ("Kappa", "ICC", "Error", "Bias")
    }
    st.dataframe(
        [{GROUPS[group]: titled(group, name), **line(one)} for name, one in found.items()],
        hide_index=True,
        alt=f"Agreement by {GROUPS[group].lower()}",
        column_config=columns,
    )
    st.caption("Kappa is the quadratic one, the error is in points, the bias machine minus people.")


def titled(group: Group, name: str) -> str:
    """As people call it."""
    return {"product_type": type_title, "model": model_title}.get(group, str)(name)


def line(one: Agreement) -> Mapping[str, object]:
    """The main figures of a group, in columns."""
    bias = one.bland_altman
    return {
        "Pairs": one.n,
        "Kappa": value(one.kappa_quadratic),
        "Interval": ""
        if isinstance(one.kappa_quadratic, Unsaid)
        else interval(one.kappa_quadratic),
        "ICC": value(one.icc),
        "Error": value(one.mae),
        "Bias": None if isinstance(bias, Unsaid) else bias.bias.value,
        "Why not": str(one.kappa_quadratic) if isinstance(one.kappa_quadratic, Unsaid) else "",
    }


def value(said: Estimate | Unsaid) -> float | None:
    """The number, if there is one."""
    return None if isinstance(said, Unsaid) else said.value

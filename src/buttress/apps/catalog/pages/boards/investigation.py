"""The fifth tab: evaluations found one by one, each with all that led to it."""

from __future__ import annotations

from typing import Any, get_args

import streamlit as st

from buttress.apps.catalog.dashboard import Window
from buttress.apps.catalog.models import Evaluation
from buttress.apps.catalog.models.evaluations import METRICS
from buttress.apps.catalog.pages.looks import (
    QUALITY,
    empty,
    engine,
    model_title,
    quality,
    type_title,
)
from buttress.apps.catalog.pages.reasons import reasons
from buttress.apps.catalog.pages.ways import number_in_address, way
from buttress.apps.catalog.service import evaluations, products
from buttress.apps.catalog.service.evaluations import Order, Record, Wanted
from buttress.apps.catalog.service.products import BADGES, badge_of
from buttress.mover.page import plural
from buttress.ui.current import page_session
from buttress.ui.operations.lists import Pager, choose, states
from buttress.ui.operations.looks import badge
from buttress.ui.text import moment, plain

ROWS = 25
ORDERS: dict[Order, str] = {"newest": "Newest", "worst": "Worst", "best": "Best"}
RATED = {"Rated by people": True, "Not rated": False}
SHOWN_PASSAGES = 40


def show(window: Window) -> None:
    """The list, or the one the address names."""
    chosen = number_in_address("evaluation")
    if chosen is not None:
        if st.button("All evaluations", icon=":material/arrow_back:"):
            del st.query_params["evaluation"]
            st.rerun()
        with page_session() as session:
            found = evaluations.record(session, chosen)
        one(found)
        return
    listed(window)


def wanted(window: Window, key: str) -> Wanted:
    """What people narrow it to."""
    with page_session() as session:
        people = products.choices(session).people
    with st.grid(4, min_column_width=150, gap="small"):
        text = st.text_input("Search", placeholder="Name or brand", key=f"{key}-search")
        level = st.selectbox(
            "Quality", list(BADGES), index=None, placeholder="Any quality", key=f"{key}-quality",
            format_func=lambda one: QUALITY[one][0],
        )  # fmt: skip
        person = st.selectbox(
            "Person", people, index=None, placeholder="Everybody", key=f"{key}-person"
        )
        rated = st.selectbox(
            "Feedback", list(RATED), index=None, placeholder="Any", key=f"{key}-rated"
        )
    return Wanted(
        window,
        text=(text or "").strip() or None,
        badge=level,
        person=person,
        rated=RATED[rated] if rated else None,
    )


def listed(window: Window) -> None:
    """Evaluations, a page at a time."""
    asked = wanted(window, "catalog-investigation")
    order: Order = st.segmented_control(
        "Order", get_args(Order), default="newest", format_func=lambda one: ORDERS[one],
        required=True,
    )  # fmt: skip
    pager = Pager("catalog-evaluations", (asked, order), rows=ROWS)
    with page_session() as session:
        found = evaluations.listed(
            session, asked, order=order, offset=pager.offset, limit=pager.limit
        )
    if not found:
        empty("No evaluation is like that.", "Empty a filter, or look at more days.")
        return
    rows = found[: pager.rows]
    chosen = choose(
        [line(row) for row in rows],
        [row.id for row in rows],
        "catalog-evaluations",
        several=False,
        alt="Evaluations",
        columns=COLUMNS,
    )
    pager.show(len(found))
    if chosen:
        st.query_params["evaluation"] = str(chosen[0])
        st.rerun()
    st.caption("Choose one to see its sources, its issues and what people said.")


def line(row: Evaluation) -> dict[str, Any]:
    """One evaluation in columns."""
    return {
        "Product": row.name or f"product {row.product_id}",
        "Brand": row.brand,
        "Quality": [QUALITY[badge_of(float(row.overall))][0]],
        "Overall": float(row.overall),
        **{metric.capitalize(): float(getattr(row, metric)) for metric in METRICS},
        "Issues": row.issue_count,
        "Type": type_title(row.product_type),
        "Model": model_title(row.model),
        "Person": row.created_by_name,
        "When": moment(row.created_at, st.context.timezone),
    }


COLUMNS: dict[str, Any] = {
    "Quality": states(QUALITY.values()),
    **{
        name: st.column_config.NumberColumn(format="%.2f", width=75)
        for name in ("Overall", "Structure", "Content", "Translation")
    },
    "Issues": st.column_config.NumberColumn(width=60),
}


def one(found: Record) -> None:
    """All of one evaluation."""
    evaluation = found.evaluation
    st.subheader(plain(evaluation.name or f"Evaluation {evaluation.id}"))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        quality(evaluation.overall)
        engine(evaluation.model)
        badge((type_title(evaluation.product_type), ":material/category:", "blue"))
        st.page_link(
            way("products"), label="Open the product", icon=":material/open_in_full:",
            query_params={"product": str(evaluation.product_id)},
        )  # fmt: skip
    when = moment(evaluation.created_at, st.context.timezone)
    by = f" by {plain(evaluation.created_by_name)}" if evaluation.created_by_name else ""
    st.caption(
        f"{plain(evaluation.brand)} · evaluation {evaluation.id} · {when}{by} · temperature "
        f"{evaluation.temperature:.1f} · {found.extraction.seconds:.1f} s"
        + (f" · {found.extraction.cost_usd:.4f} USD" if found.extraction.cost_usd else "")
    )
    with st.grid(4, min_column_width=130, border=True):
        st.metric("Overall", f"{evaluation.overall:.2f}")
        for metric in METRICS:
            st.metric(metric.capitalize(), f"{getattr(evaluation, metric):.2f}")
    reasons(evaluation)
    judged(evaluation)
    said(found)
    sources(found)
    with st.expander("The record as it was extracted", icon=":material/data_object:"):
        st.json(found.extraction.content, expanded=2)


def judged(evaluation: Evaluation) -> None:
    """What the judging model gave as its reasons."""
    if not evaluation.judged:
        st.caption(f"Evaluated by rules of version {evaluation.rules_version}, by no model.")
        return
    with st.expander(
        f"Judged by {plain(evaluation.judge or 'a model')}, rubric {evaluation.rubric_version}",
        icon=":material/gavel:",
    ):
        st.json(evaluation.judged)


def said(found: Record) -> None:
    """What people said."""
    if not found.feedback:
        st.caption("Nobody has rated it yet.")
        return
    st.markdown("**What people said**")
    for given in found.feedback:
        with st.container(border=True, gap="small"):
            marks = ", ".join(f"{metric} {getattr(given, metric)}" for metric in METRICS)
            st.markdown(f"**{plain(given.person_name)}**: {given.overall:.2f} ({marks})")
            for metric, note in given.notes.items():
                if note:
                    st.caption(f"{metric}: {plain(str(note))}")


def sources(found: Record) -> None:
    """What it was read from."""
    if not found.sources:
        st.caption("Its sources were not kept.")
        return
    st.markdown("**Sources**")
    for source in found.sources:
        name = plain(str(source.get("name", "source")))
        passages = source.get("passages") or []
        with st.expander(f"{name}, {plural(len(passages), 'passage')}", icon=":material/article:"):
            for passage in passages[:SHOWN_PASSAGES]:
                st.text(str(passage.get("text", "")))
            if len(passages) > SHOWN_PASSAGES:
                st.caption(f"{len(passages) - SHOWN_PASSAGES} more on the page of the product.")

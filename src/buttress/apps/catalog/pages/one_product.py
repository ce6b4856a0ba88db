"""One product: its content beside its sources, its evaluation, and its history."""

from __future__ import annotations

from typing import Any

import streamlit as st

from buttress.apps.catalog.pages.beside import Fields, sections
from buttress.apps.catalog.pages.delivering import export_and_deliver
from buttress.apps.catalog.pages.labels import title_of, value_text
from buttress.apps.catalog.pages.looks import (
    engine,
    model_title,
    quality,
    type_title,
)
from buttress.apps.catalog.pages.reasons import reasons
from buttress.apps.catalog.pages.reprocessing import SCOPES, reprocess
from buttress.apps.catalog.pages.ways import way
from buttress.apps.catalog.service import products
from buttress.apps.catalog.service.products import Whole
from buttress.ui.current import page_session, signed_in
from buttress.ui.operations.looks import badge
from buttress.ui.text import moment, plain

METRICS = {
    "structure": "Is it complete and well-formed?",
    "content": "Is it what the sources say?",
    "translation": "Is the Portuguese European, and does it say the same?",
}
TABS = ("Marketing", "Logistics", "Evaluation", "History")


def one_product(product_id: int) -> None:
    """All of a product."""
    with page_session() as session:
        found = products.whole(session, product_id)
    head(found)
    tabs = st.tabs(TABS, key="catalog-part", on_change="rerun", bind="query-params")
    for title, tab in zip(TABS, tabs, strict=True):
        if not tab.open:
            continue
        with tab:
            if title == "Evaluation":
                evaluation(found)
            elif title == "History":
                history(found)
            else:
                sections(Fields(found), title)


def head(found: Whole) -> None:
    """What it is, how good it is, who made it, and what can be done with it."""
    product = found.product
    st.title(plain(product.name or f"Product {product.id}"))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        quality(product.overall)
        engine(found.extraction.model)
        badge((type_title(product.product_type), ":material/category:", "blue"))
        if product.reviewed_at is not None:
            badge(("Reviewed", ":material/how_to_reg:", "green"))
    st.caption(about(found))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        identity = signed_in()
        if identity.may("data.review") and found.evaluation is not None:
            st.page_link(
                way("review"), label="Review it", icon=":material/rate_review:",
                query_params={"product": str(product.id)},
            )  # fmt: skip
        export_and_deliver([product.id], key="one")
        if identity.may("jobs.run"):
            reprocess([product.id], key="one")


def about(found: Whole) -> str:
    """`Oakleaf · product 7 · from oak.pdf · made 23 Nov 2026, 02:10 by ana`."""
    product = found.product
    names = ", ".join(source["name"] for source in found.sources)
    parts = [
        plain(product.brand),
        f"product {product.id}",
        f"from {plain(names)}" if names else "",
        f"made {moment(product.created_at, st.context.timezone)}"
        + (f" by {plain(product.created_by_name)}" if product.created_by_name else ""),
    ]
    return " · ".join(part for part in parts if part)


def evaluation(found: Whole) -> None:
    """The scores with the reasons for each point lost, and what people said."""
    one = found.evaluation
    if one is None:
        st.caption("It has not been evaluated.")
        return
    with st.grid(4, min_column_width=130, border=True):
        st.metric("Overall", f"{one.overall:.2f}", help="The three, weighed, from 1 to 5")
        for metric, question in METRICS.items():
            st.metric(metric.capitalize(), f"{getattr(one, metric):.2f}", help=question)
    judged = f", and {plain(one.judge)} with rubric {one.rubric_version}" if one.judge else ""
    st.caption(f"Evaluated by rules of version {one.rules_version}{judged}.")
    reasons(one)
    said(found)


def said(found: Whole) -> None:
    """What people said of it."""
    if not found.feedback:
        st.caption("Nobody has rated it yet.")
        return
    st.subheader("What people said")
    for one in found.feedback:
        with st.container(border=True, gap="small"):
            st.markdown(
                f"**{plain(one.person_name)}**, "
                + ", ".join(f"{metric} {getattr(one, metric)}" for metric in METRICS)
            )
            for metric, note in one.notes.items():
                if note:
                    st.caption(f"{metric}: {plain(note)}")
            st.caption(moment(one.created_at, st.context.timezone))


def history(found: Whole) -> None:
    """Its extractions, and what people changed."""
    st.subheader("Extractions")
    st.dataframe(
        [
            {
                "When": moment(one.created_at, st.context.timezone),
                "Extracted by": model_title(one.model),
                "What": SCOPES[one.scope],
                "Temperature": float(one.temperature),
                "Prompts": ", ".join(f"{name} {version}" for name, version in one.prompts.items()),
                "Seconds": round(one.seconds, 2),
                "Cost, USD": None if one.cost_usd is None else float(one.cost_usd),
            }
            for one in found.extractions
        ],
        hide_index=True,
        alt="Extractions, the newest first",
    )
    for note in found.extraction.notes:
        st.caption(f":material/info: {plain(str(note.get('text', '')))}")
    st.subheader("Corrections")
    if not found.corrections:
        st.caption("Nobody has corrected anything.")
    for change in reversed(found.corrections):
        with st.container(border=True, gap="small"):
            st.markdown(f"**{title_of(change.path)}**")
            st.markdown(
                f":red-background[{shown(change.path, change.before)}] → "
                f":green-background[{shown(change.path, change.after)}]"
            )
            when = moment(change.created_at, st.context.timezone)
            st.caption(f"{plain(change.person_name)}, {when}")


def shown(path: str, value: dict[str, Any]) -> str:
    """A value before or after a correction."""
    return plain(value_text(path, value.get("value")).replace("\n", " ")) or "empty"

"""The page of products: the list, narrowed and sorted on the server; or one, by its address."""

from __future__ import annotations

from typing import get_args

import streamlit as st

from buttress.apps.catalog import app
from buttress.apps.catalog.models import Product
from buttress.apps.catalog.pages import older_tool
from buttress.apps.catalog.pages.delivering import deliveries, export_and_deliver
from buttress.apps.catalog.pages.looks import (
    QUALITY,
    TYPES,
    empty,
    model_title,
    type_title,
)
from buttress.apps.catalog.pages.one_product import one_product
from buttress.apps.catalog.pages.reprocessing import reprocess
from buttress.apps.catalog.pages.ways import number_in_address, way
from buttress.apps.catalog.products import ProductType
from buttress.apps.catalog.service import products as service
from buttress.apps.catalog.service.products import Badge, Filter, Order, badge_of
from buttress.ui.current import page_session, signed_in
from buttress.ui.operations.lists import Pager, choose, states
from buttress.ui.text import count, moment

ORDERS: dict[Order, str] = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "best": "Best first",
    "worst": "Worst first",
}
REVIEWED = {"Reviewed": True, "Not reviewed": False}


@app.page("Products", icon="inventory_2")
def products() -> None:
    """All products, or the one that the address names."""
    product_id = number_in_address("product")
    if product_id is not None:
        st.page_link(way("products"), label="All products", icon=":material/arrow_back:")
        one_product(product_id)
        return
    st.title("Products")
    older_tool.offer()
    with page_session() as session:
        choices = service.choices(session)
    wanted, order = narrowed(choices)
    pager = Pager("catalog-products", (wanted, order))
    with page_session() as session:
        found = service.listed(session, wanted, order=order, offset=pager.offset, limit=pager.limit)
    if not found:
        nothing(wanted)
        deliveries()
        return
    shown = found[: pager.rows]
    chosen = choose(
        [line(product) for product in shown],
        [product.id for product in shown],
        "catalog-products",
        alt="Products",
        columns=COLUMNS,
    )
    pager.show(len(found))
    act(chosen)
    deliveries()


def narrowed(choices: service.Choices) -> tuple[Filter, Order]:
    """Which products, and in which order."""
    with st.grid(3, min_column_width=150, gap="small"):
        text = st.text_input(
            "Search", placeholder="Name or brand", key="catalog-search", bind="query-params"
        )
        product_type = st.selectbox(
            "Type", [None, *TYPES], format_func=lambda one: type_title(one) if one else "All types"
        )
        badge: Badge | None = st.selectbox(
            "Quality",
            [None, *get_args(Badge)],
            format_func=lambda one: QUALITY[one][0] if one else "Any quality",
        )
        model = st.selectbox(
            "Extracted by",
            [None, *choices.models],
            format_func=lambda one: model_title(one) if one else "Any model",
        )
        reviewed = st.selectbox("Review", ["All", *REVIEWED])
        person = st.selectbox(
            "Person", [None, *choices.people], format_func=lambda one: one or "Everybody"
        )
    order: Order = (
        st.segmented_control(
            "Order", list(ORDERS), default="newest", format_func=lambda one: ORDERS[one]
        )
        or "newest"
    )
    wanted = Filter(
        product_type=ProductType(product_type) if product_type else None,
        text=(text or "").strip() or None,
        badge=badge,
        model=model,
        reviewed=REVIEWED.get(reviewed),
        created_by_name=person,
    )
    return wanted, order


def nothing(wanted: Filter) -> None:
    """Why the list is empty, and what to do."""
    if wanted != Filter():
        empty("No product is like that.", "Empty a filter.")
        return
    empty(
        "There is no product yet.",
        "Upload a supplier's PDF or price list on the page Extract: each value of the product will "
        "show where it was read.",
    )
    if signed_in().may("data.import"):
        st.page_link(way("extract"), label="Extract the first one", icon=":material/bolt:")


COLUMNS = {
    "Quality": states(QUALITY.values()),
    "Score": st.column_config.NumberColumn(format="%.2f", width=70),
    "Reviewed": st.column_config.CheckboxColumn(width=90),
}


def line(product: Product) -> dict[str, object]:
    """One product in columns."""
    overall = None if product.overall is None else float(product.overall)
    return {
        "Product": product.name or f"product {product.id}",
        "Brand": product.brand,
        "Quality": [QUALITY[badge_of(overall)][0]],
        "Score": overall,
        "Type": type_title(product.product_type),
        "Reviewed": product.reviewed_at is not None,
        "Person": product.created_by_name,
        "Made": moment(product.created_at, st.context.timezone),
    }


def act(chosen: list[int]) -> None:
    """What can be done with the chosen ones."""
    if not chosen:
        may = signed_in().may("jobs.run")
        several = ", or several to export, deliver or extract them anew" if may else ""
        st.caption(f"Choose one to open it{several}.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{count(len(chosen))} chosen", width="content")
        if len(chosen) == 1 and st.button(
            "Open it", type="primary", icon=":material/open_in_full:"
        ):
            st.query_params["product"] = str(chosen[0])
            st.rerun()
        export_and_deliver(chosen, key="list")
        if signed_in().may("jobs.run"):
            reprocess(chosen, key="list")

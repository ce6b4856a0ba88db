"""Addresses of pages of the web, each a product: typed, or out of a column of a sheet."""

from __future__ import annotations

import streamlit as st

from buttress.apps.catalog.models import Source
from buttress.apps.catalog.pages.documents import (
    cell_text,
    column_names,
    sheet_and_header,
)
from buttress.apps.catalog.pages.pictures import sheet_rows
from buttress.apps.catalog.service import sources
from buttress.mover.page import plural
from buttress.ui.current import page_session
from buttress.ui.text import count

MOST = 100
SHOWN = 3


def addresses() -> list[str]:
    """What is to be fetched, each address once."""
    typed = st.text_area(
        "Web addresses",
        key="catalog-addresses",
        placeholder="https://shop.example/face-cream\nhttps://shop.example/body-oil",
        help=f"One on each line, up to {MOST}. Each page becomes a product.",
        height=140,
        persist_state="session",
    )
    found = [line.strip() for line in (typed or "").splitlines() if line.strip()]
    with page_session() as session:
        sheets = list(sources.newest(session, kind="sheet"))
    if sheets:
        with st.expander("Take them from a column of a sheet", icon=":material/table:"):
            found += from_column(sheets)
    found = list(dict.fromkeys(found))
    if len(found) > MOST:
        st.warning(
            f"{count(len(found))} addresses are too many at once: the first {MOST} are taken.",
            icon=":material/warning:",
        )
    if found:
        st.caption(
            f"To be fetched: {plural(min(len(found), MOST), 'page')}, one after the other with a "
            "pause between pages of the same host."
        )
    return found[:MOST]


def from_column(sheets: list[Source]) -> list[str]:
    """The addresses in one column of a sheet that was uploaded before."""
    there = {one.id: one for one in sheets}
    id = st.selectbox(
        "Sheet with addresses",
        list(there),
        index=None,
        format_func=lambda id: f"{there[id].name} ({id})",
        placeholder="Choose one that was uploaded before",
    )
    if id is None:
        return []
    sheet, header = sheet_and_header(there[id])
    table = sheet_rows(id, sheet["name"])
    names = column_names(table[header - 1] if header <= len(table) else [])
    below = table[header:]

    def has_addresses(place: int) -> bool:
        return any(cell_text(row[place]).startswith("http") for row in below if place < len(row))

    first = next((place for place in range(len(names)) if has_addresses(place)), 0)
    if not names:
        return []
    column = st.selectbox(
        "Column with addresses", range(len(names)), index=first, format_func=lambda one: names[one]
    )
    cells = (cell_text(row[column]).strip() for row in below if column < len(row))
    return [cell for cell in cells if cell.startswith(("http://", "https://"))]

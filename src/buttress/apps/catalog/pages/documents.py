"""Documents come in, and the parts of them a product is read from are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from buttress.apps.catalog.models import Source
from buttress.apps.catalog.pages.pictures import PREVIEW, page_picture, sheet_rows
from buttress.apps.catalog.schemas import Chosen
from buttress.apps.catalog.service import sources
from buttress.errors import ButtressError
from buttress.mover.page import plural
from buttress.ui.current import current_runtime, page_session
from buttress.ui.problems import explain, explained
from buttress.ui.text import count, plain

SUFFIXES = ["pdf", "xlsx", "xls", "ods", "csv", "tsv", "txt"]
TAKEN, CHOSEN = "catalog-taken", "catalog-documents"
KINDS = {"pdf": "PDF", "sheet": "sheet", "web": "web page"}
PICTURES = 9
"""Pages shown at a time."""
ALL_CHOSEN = 3
"""A PDF of that many pages or fewer is read whole unless told otherwise."""
LISTED = 100


@dataclass(frozen=True)
class SheetPart:
    """What was chosen of a sheet; rows count from 1, as spreadsheets do."""

    source_id: int
    sheet: str
    header: int
    rows: list[int]


Part = Chosen | SheetPart


def upload() -> None:
    """Take in what is dropped here, once; what is refused says why as long as it lies here."""
    files = st.file_uploader(
        "Upload PDF, Excel, ODS, CSV or TSV",
        type=SUFFIXES,
        accept_multiple_files=True,
        key="catalog-upload",
    )
    taken: dict[str, int | ButtressError] = st.session_state.setdefault(TAKEN, {})
    for file in files or ():
        if file.file_id not in taken:
            with st.spinner(f"Looking into {plain(file.name)}"):
                taken[file.file_id] = take(file)
            told = taken[file.file_id]
            if isinstance(told, int):
                choose(told)
        refused = taken[file.file_id]
        if isinstance(refused, ButtressError):
            st.caption(plain(file.name))
            explain(refused)


def take(file: Any) -> int | ButtressError:
    """The number of the document it has become, or why it was refused."""
    try:
        with page_session() as session:
            return sources.take(session, current_runtime().files, file, file.name).id
    except ButtressError as refused:
        return refused


def choose(source_id: int) -> None:
    """Read the next product from this document too."""
    chosen = st.session_state.get(CHOSEN, [])
    st.session_state[CHOSEN] = [*chosen, *([] if source_id in chosen else [source_id])]


def add_page() -> None:
    """A page of the web as one more source."""
    with (
        st.popover("Add a web page", icon=":material/link:"),
        st.form("catalog-page", clear_on_submit=True, border=False),
    ):
        url = st.text_input("Address of the page", placeholder="https://")
        if st.form_submit_button("Add it") and url:
            with explained():
                with page_session() as session:
                    found = sources.expect_page(session, url).id
                choose(found)
                st.rerun()


def chosen_documents() -> list[Source]:
    """The documents of one product, out of those that came in lately."""
    with page_session() as session:
        lately = sources.newest(session, limit=LISTED)
        there = {one.id: one for one in lately}
        for id in st.session_state.get(CHOSEN, []):
            if id not in there:
                there[id] = sources.source_of(session, id)
    if not there:
        return []
    picked = st.multiselect(
        "Documents of this product",
        list(there),
        format_func=lambda id: f"{there[id].name} ({KINDS[there[id].kind]} {id})",
        key=CHOSEN,
        placeholder="Choose one that was uploaded before, or upload one above",
        help="Several documents make one product together.",
        persist_state="session",
    )
    return [there[id] for id in picked]


def parts_of(found: Sequence[Source]) -> list[Part]:
    """What is to be read of each document."""
    alone = len(found) == 1
    parts: list[Part] = []
    for source in found:
        with st.container(border=True):
            st.markdown(f"**{plain(source.name)}**")
            for note in source.notes:
                st.caption(f":material/info: {plain(str(note))}")
            if source.kind == "pdf":
                parts.append(Chosen(source_id=source.id, pages=pages(source)))
            elif source.kind == "sheet":
                parts.append(rows(source, several=alone))
            else:
                st.caption("It is fetched when the product is extracted.")
                parts.append(Chosen(source_id=source.id))
    return parts


def pages(source: Source) -> list[int] | None:
    """Pages of a PDF, chosen by their pictures; None when none is."""
    total = int(source.outline["pages"])
    scanned = set(source.outline.get("scanned", ()))
    key = f"catalog-pages-{source.id}"
    if key not in st.session_state:
        st.session_state[key] = set(range(1, total + 1)) if total <= ALL_CHOSEN else {1}
    chosen: set[int] = st.session_state[key]
    with st.container(horizontal=True, vertical_alignment="center"):
        noun = "page is" if total == 1 else "pages are"
        st.caption(f"{count(len(chosen))} of {count(total)} {noun} read", width="content")
        for label, wanted in (("All pages", set(range(1, total + 1))), ("None", set())):
            if st.button(label, key=f"{key}-{label}", type="tertiary"):
                st.session_state[key] = wanted
                for page in range(1, total + 1):
                    st.session_state.pop(f"{key}-{page}", None)
                st.rerun()
        first = 1
        if total > PICTURES:
            first = st.selectbox(
                "Show pages",
                range(1, total + 1, PICTURES),
                format_func=lambda start: f"{start} to {min(start + PICTURES - 1, total)}",
                key=f"{key}-shown",
                width=150,
            )
    with st.grid(3, min_column_width=140, gap="small"):
        for page in range(first, min(first + PICTURES, total + 1)):
            with st.container(border=True, gap="small"):
                one_page(source, page, key, scanned=page in scanned)
    return sorted(chosen) or None


def one_page(source: Source, page: int, key: str, *, scanned: bool) -> None:
    """The picture of a page, and whether it is read."""
    chosen: set[int] = st.session_state[key]

    def changed() -> None:
        (chosen.add if st.session_state[f"{key}-{page}"] else chosen.discard)(page)

    st.checkbox(
        f"Page {page}" + (", a scan" if scanned else ""),
        value=page in chosen,
        key=f"{key}-{page}",
        on_change=changed,
    )
    with explained():
        st.image(
            page_picture(source.id, page, PREVIEW), width="stretch", alt=f"Page {page} of the PDF"
        )


def rows(source: Source, *, several: bool) -> SheetPart:
    """Rows of a sheet, with the row that names the columns."""
    sheet, header = sheet_and_header(source)
    table = sheet_rows(source.id, sheet["name"])
    names = column_names(table[header - 1] if header <= len(table) else [])
    below = table[header:]
    everything = several and st.toggle(
        f"All {plural(len(below), 'row')}", key=f"catalog-all-{source.id}-{sheet['name']}"
    )
    if everything:
        return SheetPart(source.id, sheet["name"], header, filled(below, header))
    shown = [
        {"Row": header + 1 + place, **dict(zip(names, map(cell_text, row), strict=False))}
        for place, row in enumerate(below)
    ]
    event: Any = st.dataframe(
        shown,
        hide_index=True,
        height=320,
        key=f"catalog-rows-{source.id}-{sheet['name']}-{header}",
        on_select="rerun",
        selection_mode="multi-row" if several else "single-row",
        alt="Rows of the sheet, to choose from",
    )
    picked = [header + 1 + place for place in event.selection.rows]
    st.caption(
        f"Chosen: {plural(len(picked), 'row')}; each becomes a product."
        if several
        else "Choose the row of this product."
    )
    return SheetPart(source.id, sheet["name"], header, picked)


def sheet_and_header(source: Source) -> tuple[dict[str, Any], int]:
    """Which sheet, and the row that names its columns: proposed with reasons, and changeable."""
    found = {sheet["name"]: sheet for sheet in source.outline["sheets"]}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Sheet",
            list(found),
            format_func=lambda name: f"{name} ({plural(found[name]['rows'], 'row')})",
            key=f"catalog-sheet-{source.id}",
            width=260,
        )
        sheet = found[name]
        header = st.number_input(
            "Row with the names of the columns",
            1,
            max(int(sheet["rows"]), 1),
            sheet["header"] or 1,
            key=f"catalog-header-{source.id}-{name}",
            width=240,
        )
    if sheet["header"] is None:
        st.caption("No row looks like names of columns: say which it is.")
    else:
        sure = f"{sheet['confidence']:.0%} sure"
        st.caption(
            f"Row {sheet['header']} is proposed ({sure}): " + plain("; ".join(sheet["why"])) + "."
        )
    return sheet, int(header)


def filled(below: Sequence[Sequence[Any]], header: int) -> list[int]:
    """The numbers of the rows that say something."""
    return [header + 1 + place for place, row in enumerate(below) if any(map(cell_text, row))]


def column_names(header: Sequence[Any]) -> list[str]:
    """What the columns are called, each differently."""
    names: list[str] = []
    for place, cell in enumerate(header, 1):
        name = cell_text(cell) or f"column {place}"
        names.append(f"{name} ({place})" if name in names or name == "Row" else name)
    return names


def cell_text(cell: Any) -> str:
    """A cell as text, "" for an empty one."""
    return "" if cell is None else str(cell)

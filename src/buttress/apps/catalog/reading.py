"""Sources of a material, made of what documents gave.

pdf_source("1", "oak.pdf", read_pdf(content), pages=[1, 2])
sheet_source("2", "prices.xlsx", sheet, header=proposal.row, rows=[7])
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from buttress.apps.catalog.extraction.structured import passages_of, variants_of
from buttress.apps.catalog.extraction.tables import rows_of_pdf
from buttress.apps.catalog.material import Passage, Place, Source
from buttress.documents.parts import CellValue, Line, PdfDocument, Sheet, WebPage

BLANKS = re.compile(r"[^\S\n]+")
GAP = 1.3
"""Heights of a line: words further apart than this stand in different columns."""


def pdf_source(
    id: str, name: str, document: PdfDocument, *, pages: Collection[int] | None = None
) -> Source:
    """The lines of a PDF, of some of its pages (from 1) where those are named."""
    chosen = [page for page in document.pages if pages is None or page.number in pages]
    passages = [
        Passage(spaced(line), Place(page=page.number, box=line.box))
        for page in chosen
        for line in page.lines
    ]
    return Source(id, "pdf", name, tuple(passages), tuple(rows_of_pdf(document, chosen)))


def sheet_source(
    id: str, name: str, sheet: Sheet, *, header: int | None, rows: Sequence[int] | None = None
) -> Source:
    """Rows of a sheet, each cell labelled by its column; `header` and `rows` count from 0.

    Without rows, all below the header. One row is a product; several are its variants. A sheet
    without header is read as labels beside values.
    """
    if header is None:
        return Source(id, "sheet", name, tuple(_pairs(sheet)))
    labels = [_text(cell) for cell in sheet.rows[header]]
    chosen = range(header + 1, len(sheet.rows)) if rows is None else rows
    found = [
        tuple(
            Passage(text, Place(cell=cell_name(sheet.name, number, column)), label)
            for column, (label, cell) in enumerate(zip(labels, sheet.rows[number], strict=False))
            if (text := _text(cell))
        )
        for number in chosen
        if header < number < len(sheet.rows)
    ]
    found = [row for row in found if row]
    passages = tuple(passage for row in found for passage in row)
    return Source(id, "sheet", name, passages, tuple(found) if len(found) > 1 else ())


def page_source(id: str, name: str, page: WebPage) -> Source:
    """What a web page marks up, its tables, and its text line by line."""
    passages: list[Passage] = []
    rows: list[tuple[Passage, ...]] = []
    for number, product in enumerate(page.products):
        place = f"{product.get('@source', 'json-ld')}/{number}"
        passages += passages_of(product, place)
        rows += variants_of(product, place)
    for number, table in enumerate(page.tables, 1):
        passages += _table_pairs(table, number)
    if page.title:
        passages.append(Passage(page.title, Place(selector="title")))
    passages += [
        Passage(" ".join(line.split()), Place(selector=f"line {number}"))
        for number, line in enumerate(page.text.splitlines(), 1)
        if line.strip()
    ]
    passages += [passage for row in rows for passage in row]
    return Source(id, "web", name, tuple(passages), tuple(rows))


def hint_source(id: str, text: str) -> Source:
    """What a person typed."""
    passages = (
        Passage(_collapsed(line), Place(selector=f"line {number}"))
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
    )
    return Source(id, "hint", "hint", tuple(passages))


def spaced(line: Line) -> str:
    """The words of a line, with a tab where two stand far apart."""
    if not line.words:
        return line.text
    parts = [line.words[0].text]
    for before, word in zip(line.words, line.words[1:], strict=False):
        wide = word.box.left - before.box.right > GAP * max(before.box.height, 1)
        parts += ["\t" if wide else " ", word.text]
    return "".join(parts)


def cell_name(sheet: str, row: int, column: int) -> str:
    """`Prices!B7` for row 6, column 1."""
    letters = ""
    number = column + 1
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return f"{sheet}!{letters}{row + 1}"


def _pairs(sheet: Sheet) -> Iterator[Passage]:
    for row, cells in enumerate(sheet.rows):
        told = [(column, text) for column, cell in enumerate(cells) if (text := _text(cell))]
        if len(told) == 2:
            (_, label), (column, text) = told
            yield Passage(text, Place(cell=cell_name(sheet.name, row, column)), label)
        else:
            for column, text in told:
                yield Passage(text, Place(cell=cell_name(sheet.name, row, column)))


def _table_pairs(table: list[list[str]], number: int) -> Iterator[Passage]:
    for row, cells in enumerate(table, 1):
        place = Place(selector=f"table {number} row {row}")
        told = [cell.strip() for cell in cells if cell.strip()]
        if len(told) == 2:
            yield Passage(told[1], place, told[0].rstrip(":"))
        elif told:
            yield Passage("\t".join(told), place)


def _text(cell: CellValue) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case float():
            number = Decimal(str(cell))
            return f"{number:f}" if number.is_finite() else ""
        case datetime() | date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell)
        case _:
            return _collapsed(str(cell))


def _collapsed(text: str) -> str:
    """One blank for several; lines of a cell stay lines."""
    return BLANKS.sub(" ", text).strip()

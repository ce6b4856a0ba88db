"""Tables of variants in documents, read by the columns they are expected to have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from buttress.apps.catalog.extraction.labelled import pairs_in
from buttress.apps.catalog.extraction.labels import read_label
from buttress.apps.catalog.material import Passage, Place, digit_runs
from buttress.documents import NoSuchTable, read_table
from buttress.documents.parts import Box, Column, Line, PageText, PdfDocument, TableRow, Word

FEWEST_COLUMNS = 2
MOST_TABLES = 5
GAP = 1.0
"""Heights of a line: columns of a table are further apart than this."""


def rows_of_pdf(document: PdfDocument, pages: Sequence[PageText]) -> Iterator[tuple[Passage, ...]]:
    """The rows of tables whose header names two columns or more of ours, cells labelled.

    Rows are told by their barcode where there is a column for it, else by the first column.
    """
    chosen = PdfDocument(tuple(pages), document.page_count)
    headers = dict.fromkeys(
        names for page in pages for line in page.lines if (names := header_of(line))
    )
    for names in list(headers)[:MOST_TABLES]:
        codes = [name for name in names if _is_barcode(name)]
        key = codes[0] if codes else names[0]
        columns = [Column(name, kind="text", required=name == key) for name in names]
        try:
            table = read_table(chosen, columns, key=key)
        except NoSuchTable:  # what looked like a header is none
            continue
        for row in table.rows:
            passages = _passages(row)
            if len(passages) >= FEWEST_COLUMNS and (not codes or _has_digits(passages, key)):
                yield passages


def header_of(line: Line) -> tuple[str, ...]:
    """The columns that a line names, none unless at least half its cells are labels of ours."""
    cells = [text for text, _ in cells_of(line)]
    if len(cells) < FEWEST_COLUMNS or pairs_in("\t".join(cells)) or len(set(cells)) < len(cells):
        return ()
    known = sum(read_label(text) is not None for text in cells)
    return tuple(cells) if known >= FEWEST_COLUMNS and known * 2 >= len(cells) else ()


def cells_of(line: Line) -> list[tuple[str, Box]]:
    """The texts of a line that stand apart, with their boxes."""
    groups: list[list[Word]] = []
    for word in line.words:
        before = groups[-1][-1] if groups else None
        if before is None or word.box.left - before.box.right > GAP * max(word.box.height, 1):
            groups.append([word])
        else:
            groups[-1].append(word)
    return [(" ".join(word.text for word in group), _around(group)) for group in groups]


def _passages(row: TableRow) -> tuple[Passage, ...]:
    return tuple(
        Passage(cell.text, Place(page=cell.place.page, box=cell.place.box), name)
        for name, cell in row.cells.items()
        if cell.place is not None and cell.text
    )


def _is_barcode(name: str) -> bool:
    label = read_label(name)
    return label is not None and label.field.name == "ean"


def _has_digits(passages: Sequence[Passage], key: str) -> bool:
    return any(one.label == key and any(digit_runs(one.text)) for one in passages)


def _around(words: Sequence[Word]) -> Box:
    return Box(
        min(word.box.left for word in words),
        min(word.box.top for word in words),
        max(word.box.right for word in words),
        max(word.box.bottom for word in words),
    )

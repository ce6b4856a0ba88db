"""Tables of a PDF file, read by the columns they are expected to have."""

from __future__ import annotations

import datetime as dt
import types
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from buttress.documents.bands import Bands
from buttress.documents.lines import around, lines_of
from buttress.documents.parts import (
    Column,
    Line,
    PageCoverage,
    PageText,
    PdfDocument,
    Place,
    Table,
    TableCell,
    TableRow,
    Word,
)
from buttress.documents.refusals import NoSuchTable
from buttress.documents.table_header import Header, HeaderFinder
from buttress.documents.table_rows import Row, RowFinder, Section
from buttress.documents.values import READERS, Style, Unreadable, style_of
from buttress.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import BaseModel


def read_table(
    document: PdfDocument, columns: Sequence[Column] | type[BaseModel], *, key: str
) -> Table:
    """Read the rows of a table that has these columns, over all pages of a document.

    The header is found by the columns' names and aliases, on one line or several, and again
    wherever it is repeated; columns that nobody expects are left out. A row is told by the
    column `key`, which every row must have. Lines of a wrapped cell join the nearer row. Numbers
    are `Decimal`, European or American as the whole table shows; those in parentheses are negative.

    Parameters
    ----------
    columns
        Or a contract (`columns_of` tells what becomes of its fields).
    key
        The name of the column that every row has.

    Raises
    ------
    NoSuchTable
        No page has a header with the required columns.
    """
    expected = list(columns) if not isinstance(columns, type) else columns_of(columns)
    if key not in {column.name for column in expected}:
        raise ConfigurationError(f"the key {key!r} is none of the columns")
    headers = Counter[int]()
    sections, unread = _sections(document, HeaderFinder(expected), headers)
    if not sections:
        wanted = ", ".join(column.name for column in expected if column.required)
        raise NoSuchTable(
            f"no page has a table with the columns {wanted}",
            cause="table",
            hint="Compare the column names in the document with the contract's aliases.",
        )
    style = _style(sections, expected)
    finder = RowFinder(expected, key)
    for section in sections:
        finder.find(section, style)
        unread += [(section.page, line) for line in section.unread]
    made = [(row.total, _row(row, section, expected, style))
            for section in sections for row in section.rows]  # fmt: skip
    unread.sort(key=lambda one: (one[0], one[1].box.top))
    return Table(
        columns=tuple(column.name for column in expected),
        rows=tuple(row for total, row in made if not total),
        totals=tuple(row for total, row in made if total),
        unread=tuple(Place(page, line.box, line.text) for page, line in unread),
        coverage=_coverage(document, sections, headers, unread),
        notes=tuple(_notes(document, sections)),
    )


def columns_of(model: type[BaseModel]) -> list[Column]:
    """The columns of a contract: a field's name, its title and alias, its kind.

    More names stand in the field's `json_schema_extra={"aliases": [...]}`. Fields that need not be
    given need not be in the header.
    """
    found = []
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        listed = extra.get("aliases", [])
        aliases = [one for one in (field.title, field.alias) if one]
        aliases += [str(one) for one in listed] if isinstance(listed, list) else []
        kind = _kind(field.annotation)
        found.append(Column(name, tuple(aliases), kind, required=field.is_required()))
    return found


def _kind(annotation: Any) -> Literal["text", "number", "integer", "date"]:
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = {_kind(one) for one in get_args(annotation) if one is not type(None)}
        return kinds.pop() if len(kinds) == 1 else "text"
    if annotation in (float, Decimal):
        return "number"
    if annotation is int:
        return "integer"
    return "date" if annotation is dt.date else "text"


def _sections(
    document: PdfDocument, finder: HeaderFinder, headers: Counter[int]
) -> tuple[list[Section], list[tuple[int, Line]]]:
    """The pages' lines by the header they follow, and the lines that follow none."""
    parts: list[tuple[PageText, Header, list[Line]]] = []
    unread: list[tuple[int, Line]] = []
    current: Header | None = None
    for page in document.pages:
        rest: list[Line] = []
        index = 0
        while index < len(page.lines):
            header = finder.at(page.lines, index)
            if header is None:
                rest.append(page.lines[index])
                index += 1
                continue
            _close(parts, unread, page, current, rest)
            rest, current = [], header
            headers[page.number] += header.lines
            index += header.lines
        _close(parts, unread, page, current, rest)
    bands = _bands(parts)
    return [
        Section(page.number, bands[header.layout], lines) for page, header, lines in parts
    ], unread


def _close(
    parts: list[tuple[PageText, Header, list[Line]]],
    unread: list[tuple[int, Line]],
    page: PageText,
    header: Header | None,
    lines: list[Line],
) -> None:
    if header is None:
        unread += [(page.number, line) for line in lines]
    elif lines:
        parts.append((page, header, lines))


def _bands(
    parts: Iterable[tuple[PageText, Header, list[Line]]],
) -> dict[object, Bands]:
    """One for each layout, from the lines of all pages that have it."""
    headers: dict[object, Header] = {}
    lines: dict[object, list[Line]] = {}
    for _, header, some in parts:
        headers.setdefault(header.layout, header)
        lines.setdefault(header.layout, []).extend(some)
    return {layout: Bands(header, lines[layout]) for layout, header in headers.items()}


def _style(sections: Iterable[Section], columns: Sequence[Column]) -> Style:
    kinds = {column.name: column.kind for column in columns}
    numbers: list[str] = []
    days: list[str] = []
    for section in sections:
        for line in section.lines:
            for name, words in section.split(line).items():
                if kinds[name] == "date":
                    days += [word.text for word in words]
                elif kinds[name] != "text":
                    numbers += [word.text for word in words if word.text[-1:] in "0123456789)%€-"]
    return style_of(numbers, days)


def _row(row: Row, section: Section, columns: Sequence[Column], style: Style) -> TableRow:
    words: dict[str, list[Word]] = {}
    for line in row.lines:
        for name, some in section.split(line).items():
            words.setdefault(name, []).extend(some)
    cells: Mapping[str, TableCell] = {
        column.name: _cell(words.get(column.name, []), column, section.page, style)
        for column in columns
    }
    return TableRow(section.page, cells)


def _cell(words: list[Word], column: Column, page: int, style: Style) -> TableCell:
    if not words:
        return TableCell("", None, None)
    # Lines of the cell, not of the page: cells beside it may be set at other heights.
    text = words[0].text if len(words) == 1 else " ".join(line.text for line in lines_of(words))
    place = Place(page, around(words), text)
    try:
        return TableCell(text, READERS[column.kind](text, style), place)
    except Unreadable as error:
        return TableCell(text, None, place, str(error))


def _coverage(
    document: PdfDocument,
    sections: Iterable[Section],
    headers: Counter[int],
    unread: Iterable[tuple[int, Line]],
) -> tuple[PageCoverage, ...]:
    rows, totals = Counter[int](), Counter[int]()
    for section in sections:
        for row in section.rows:
            (totals if row.total else rows)[section.page] += len(row.lines)
    left = Counter(page for page, _ in unread)
    return tuple(
        PageCoverage(
            page=page.number,
            lines=len(page.lines),
            header=headers[page.number],
            rows=rows[page.number],
            totals=totals[page.number],
            unread=left[page.number],
        )
        for page in document.pages
    )


def _notes(document: PdfDocument, sections: Iterable[Section]) -> Iterable[str]:
    yield from document.notes
    with_rows = {section.page for section in sections if section.rows}
    for page in document.pages:
        if page.number not in with_rows:
            yield f"Page {page.number} has no row of the table."

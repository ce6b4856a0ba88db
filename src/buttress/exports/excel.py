"""Excel workbooks, row by row: text cells are text whatever they start with."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from buttress.errors import BadInput
from buttress.exports.cells import as_text
from buttress.exports.rows import OpenRows

SHEET_ROWS = 1_048_576
CELL_CHARACTERS = 32_767
DIGITS = 15
"""What Excel keeps of a number; longer ones are written as text."""

LARGEST = 1e308

# Excel counts a 29 February 1900 that never was.
_FIRST_DAY = dt.date(1900, 3, 1)
_PIECE = 1 << 18


def excel_chunks(rows: OpenRows) -> Iterator[bytes]:
    """The file piece by piece; it is complete, in a temporary file, before the first piece.

    The first row of each sheet has the names; what does not fit a sheet continues on the next.
    Moments are in UTC. Integers and decimals of more than 15 digits, moments finer than a
    millisecond or before March 1900, NaN and infinities are text. Raises `BadInput` for a text
    longer than a cell holds.
    """
    with tempfile.TemporaryFile() as file:
        # Text in the sheet itself instead of a table of texts is what keeps memory bounded.
        book = xlsxwriter.Workbook(file, {"constant_memory": True, "in_memory": False})
        try:
            _write(book, rows)
        finally:
            book.close()
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece


class _Sheet(Worksheet):  # type: ignore[misc]
    """XlsxWriter would take text between <r> and </r> for markup of its own."""

    def _xml_rich_inline_string(self, string: str, attributes: Any) -> None:
        self._xml_inline_string(string, True, attributes)


class _Formats:
    def __init__(self, book: Any) -> None:
        self.name = book.add_format({"bold": True})
        self.date = book.add_format({"num_format": "yyyy-mm-dd"})
        self.moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        self.time = book.add_format({"num_format": "hh:mm:ss.000"})


def _write(book: Any, rows: OpenRows) -> None:
    formats = _Formats(book)
    sheet, place, number = _next_sheet(book, formats, rows.names), 1, 0
    for batch in rows.batches:
        for row in batch:
            if place == SHEET_ROWS:
                sheet, place = _next_sheet(book, formats, rows.names), 1
            number += 1
            for column, value in enumerate(row):
                if value is None:
                    continue
                try:
                    _write_cell(sheet, formats, place, column, value)
                except _TooLong as error:
                    raise BadInput(
                        f"row {number}, {rows.names[column]}: {error} characters, and an Excel "
                        f"cell holds {CELL_CHARACTERS}",
                        hint="Export to CSV, JSON or Parquet, or leave the column out.",
                    ) from None
            place += 1


class _TooLong(Exception):
    pass


def _next_sheet(book: Any, formats: _Formats, names: list[str]) -> Any:
    sheet = book.add_worksheet(worksheet_class=_Sheet)
    sheet.freeze_panes(1, 0)
    for column, name in enumerate(names):
        sheet.write_string(0, column, name, formats.name)
    return sheet


def _write_cell(sheet: Any, formats: _Formats, row: int, column: int, value: Any) -> None:
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float | Decimal) and _is_number(value):
        sheet.write_number(row, column, value)
    elif isinstance(value, dt.datetime) and _is_moment(value):
        moment = value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
        sheet.write_datetime(row, column, moment, formats.moment)
    elif isinstance(value, dt.time) and value.microsecond % 1000 == 0 and value.tzinfo is None:
        sheet.write_datetime(row, column, value, formats.time)
    elif isinstance(value, dt.date) and not isinstance(value, dt.datetime) and value >= _FIRST_DAY:
        sheet.write_datetime(row, column, value, formats.date)
    else:
        text = as_text(value)
        # Excel counts in UTF-16.
        length = len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
        if length > CELL_CHARACTERS:
            raise _TooLong(length)
        if text:
            sheet.write_string(row, column, text)
        else:
            sheet.write_blank(row, column, None)


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return bool(abs(value) < 10**DIGITS)
    if isinstance(value, float):
        return abs(value) < LARGEST  # never true of NaN
    digits: int = len(value.as_tuple().digits)
    return value.is_finite() and digits <= DIGITS and abs(value.adjusted()) < 300


def _is_moment(value: dt.datetime) -> bool:
    if value.microsecond % 1000:
        return False
    if value.tzinfo is not None:
        value = value.astimezone(dt.UTC)
    return value.date() >= _FIRST_DAY

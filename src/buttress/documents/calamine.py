"""What runs in the jail for a workbook: calamine, which may take all memory there."""

from __future__ import annotations

import datetime as dt
from typing import IO, Any

import msgspec
import python_calamine as calamine

from buttress.documents.cells import as_extension
from buttress.errors import Refused

CELLS = 2_000_000
MERGED = 10_000
MERGED_CELLS = 200_000
EXACT = float(2**53)
OLE = bytes.fromhex("d0cf11e0a1b11ae1")
"""What a container begins with (MS-CFB 2.2)."""
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
"""What a container names the .xlsx file that it has encrypted (MS-OFFCRYPTO 1.4.2)."""

Merged = list[tuple[int, int, int, int]]
_MOMENTS = (dt.datetime, dt.date, dt.time, dt.timedelta)


def read_sheets(file: IO[bytes]) -> bytes:
    """Name, rows, notes and merged cells of each sheet, in msgpack."""
    try:
        book = calamine.CalamineWorkbook.from_filelike(file)
        sheets = [
            sheet for sheet in book.sheets_metadata if sheet.typ == calamine.SheetTypeEnum.WorkSheet
        ]
        left = CELLS
        found = []
        for metadata in sheets:
            sheet = book.get_sheet_by_name(metadata.name)
            left -= _bounded(sheet, left)
            found.append(_read(sheet, metadata.visible))
    except calamine.PasswordError as error:
        raise _protected() from error
    except (calamine.CalamineError, calamine.XmlError, calamine.ZipError, OSError) as error:
        # calamine takes an encrypted .xlsx for no workbook at all.
        file.seek(0)
        if file.read(len(OLE)) == OLE and ENCRYPTED in file.read():
            raise _protected() from error
        raise Refused(
            "the file is a damaged workbook, or none",
            cause="damaged",
            hint="Open it in a spreadsheet program and save it anew as .xlsx.",
        ) from error
    if not found:
        raise Refused("the workbook has no sheets", cause="empty", hint="Save it anew.")
    return msgspec.msgpack.encode(found)


def _protected() -> Refused:
    return Refused(
        "the workbook is protected by a password",
        cause="password",
        hint="Save it without a password and upload it again.",
    )


def _bounded(sheet: calamine.CalamineSheet, left: int) -> int:
    """How many cells it has; raises `Refused` beyond what is read."""
    cells = (sheet.total_height + 1) * (sheet.total_width + 1)
    if cells > left:
        raise Refused(
            f"the workbook has more than the {CELLS:,} cells that are read",
            cause="size",
            hint="Split it, or delete what stands far below and right of its tables.",
        )
    return cells


def _read(
    sheet: calamine.CalamineSheet, visible: calamine.SheetVisibleEnum
) -> tuple[str, list[list[Any]], list[str], Merged]:
    notes = []
    if visible != calamine.SheetVisibleEnum.Visible:
        notes.append("The sheet is hidden in the file.")
    rows = [_row(row) for row in sheet.to_python(skip_empty_area=False)]
    merged = [(*first, *last) for first, last in (sheet.merged_cell_ranges or [])[:MERGED]]
    if _fill_down(rows, merged):
        notes.append("Cells merged over several rows have their value in each of them.")
    return sheet.name, rows, notes, merged


def _row(row: list[Any]) -> list[Any]:
    return [
        (cell.replace("\0", "") if "\0" in cell else cell or None)
        if (kind := type(cell)) is str
        else (int(cell) if cell.is_integer() and -EXACT < cell < EXACT else cell)
        if kind is float
        else as_extension(cell)
        if kind in _MOMENTS
        else cell
        for cell in row
    ]


def _fill_down(rows: list[list[Any]], merged: Merged) -> bool:
    """Give each cell of a column that was merged over rows the value it is shown with."""
    filled = 0
    for top, left, bottom, right in merged:
        if left != right or bottom <= top or top >= len(rows) or left >= len(rows[top]):
            continue
        value = rows[top][left]
        for row in rows[top + 1 : min(bottom + 1, top + MERGED_CELLS - filled)]:
            row[left] = value
            filled += 1
    return filled > 0

"""Workbooks and CSV files: every sheet's cells as what they are."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from buttress.documents.cells import of_extension
from buttress.documents.opening import as_document_error, opened, read_in_jail
from buttress.documents.parts import CellValue, Sheet, Workbook
from buttress.errors import Refused

WHAT = "the workbook"
ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def read_workbook(content: bytes | Path, *, name: str) -> Workbook:
    """The sheets of a workbook (.xlsx, .xlsb, .xls, .ods), or the one of a CSV or TSV file.

    Formulas give the value that was saved with them, None where none was. Whole numbers are
    `int`, days `date`, empty cells None. CSV has texts only: its encoding and delimiter are
    found, nothing is converted. The content decides what the file is, not its name.

    Raises
    ------
    DocumentError
        `NotThatKind`, `Protected`, `Damaged`, `Empty`, `Harmful` where an archive unpacks to far
        more than it is, `DocumentTooLarge` beyond two million cells.
    """
    with opened(content) as file:
        start = file.read(8)
        file.seek(0)
        if start.startswith(ZIP):
            _look_through(file)
        function = "calamine.read_sheets"
        args: tuple[str, ...] = ()
        if not start.startswith((ZIP, OLE)):
            function, args = "delimited.read_rows", (name,)
        found = read_in_jail(
            function, *args, file=file, into=list, what=WHAT, ext_hook=of_extension
        )
    return Workbook([_sheet(*one) for one in found])


def _sheet(
    name: str,
    rows: list[list[CellValue]],
    notes: list[str],
    merged: list[list[int]],
) -> Sheet:
    ranges = [(top, left, bottom, right) for top, left, bottom, right in merged]
    return Sheet(name, rows, notes, ranges)


def _look_through(file: IO[bytes]) -> None:
    # The room of files is imported where it is needed: it brings the database with it.
    from buttress.files.archives import check_archive

    try:
        check_archive(file)
    except Refused as error:
        raise as_document_error(error, WHAT) from error

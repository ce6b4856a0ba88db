"""CSV as RFC 4180 has it: UTF-8, commas, quotes where needed, lines ending with CR LF."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from numbers import Number
from typing import Any

from buttress.exports.cells import as_text
from buttress.exports.rows import OpenRows

FORMULA_STARTS = (*"=+-@", *"＝＋－＠", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula, or drops before it looks for one."""

NO_TEXT = (Number, dt.date, dt.time, dt.timedelta)
"""What is written as it is, whatever its sign: numbers and booleans, dates, times, durations."""


def csv_chunks(rows: OpenRows, *, defuse: bool, bom: bool) -> Iterator[bytes]:
    """The file piece by piece; the first line has the names.

    NULL is an empty field. What starts like a formula gets an apostrophe in front when `defuse` is
    set, base64 and documents too; numbers, negative ones too, and dates are written as they are.
    """

    def cell(value: Any) -> str:
        if value is None:
            return ""
        text = as_text(value)
        if defuse and text.startswith(FORMULA_STARTS) and not isinstance(value, NO_TEXT):
            return f"'{text}"
        return text

    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([cell(name) for name in rows.names])
    yield ("\ufeff" if bom else "").encode() + _taken(buffer)
    for batch in rows.batches:
        writer.writerows([cell(value) for value in row] for row in batch)
        yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()

"""Rows out of the database as files people open: CSV, Excel, Parquet, JSON.

export_rows(session, select(Campaign), Path("campaigns.xlsx"))

StreamingResponse(export_chunks(session, select(Campaign), "csv"), media_type=...)
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from sqlalchemy.orm import Session
from sqlalchemy.sql.base import Executable

from buttress.errors import BadInput
from buttress.exports.rows import OpenRows, open_rows

__all__ = ["MEDIA_TYPES", "Format", "Options", "export_chunks", "export_rows", "format_of"]

Format = Literal["csv", "xlsx", "parquet", "json", "jsonl"]

MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
}

NAMED_FORMATS = ("parquet", "json", "jsonl")
"""Formats whose readers find a column by its name alone."""


@dataclass(frozen=True)
class Options:
    """How a format is written.

    `defuse` puts an apostrophe before text cells of CSV that a spreadsheet would take for a
    formula; switch it off for files that only programs read. `bom` starts CSV with the mark by
    which Excel knows UTF-8. `decimals` says what decimals are in JSON.
    """

    defuse: bool = True
    bom: bool = False
    decimals: Literal["string", "number"] = "string"


def export_rows(
    session: Session | None,
    rows: Executable | Iterable[Any],
    target: str | os.PathLike[str] | BinaryIO,
    format: Format | None = None,
    options: Options | None = None,
) -> int:
    """Write rows to a path or an open binary file; gives the number of bytes written.

    `rows` is a select, run in the session's transaction, or mappings, objects, or an Arrow stream,
    for which the session may be None. A path gets its file when it is complete, in place of the one
    that was there; after an error nothing is left. The format is the path's suffix unless given.
    Raises `BadInput` for a value that the format cannot hold, and where JSON or Parquet would get
    two columns of one name.
    """
    if not isinstance(target, str | os.PathLike):
        if format is None:
            raise BadInput("a file without a name tells no format", hint='Say format="csv".')
        return sum(map(target.write, export_chunks(session, rows, format, options)))
    path = Path(target)
    chunks = export_chunks(session, rows, format or format_of(path.name), options)
    return _publish(path, chunks)


def export_chunks(
    session: Session | None,
    rows: Executable | Iterable[Any],
    format: Format,
    options: Options | None = None,
) -> Iterator[bytes]:
    """The same as pieces of a file, for streaming; the session must stay open until the last."""
    if format not in MEDIA_TYPES:
        raise BadInput(
            f"there is no export format {format!r}", hint=f"Choose one of {', '.join(MEDIA_TYPES)}."
        )
    options = options or Options()
    opened = open_rows(session, rows)
    if format in NAMED_FORMATS:
        _refuse_doubles(opened)
    # What writes the other formats takes memory too.
    match format:
        case "csv":
            from buttress.exports.delimited import csv_chunks

            return csv_chunks(opened, defuse=options.defuse, bom=options.bom)
        case "xlsx":
            from buttress.exports.excel import excel_chunks

            return excel_chunks(opened)
        case "parquet":
            from buttress.exports.parquet import parquet_chunks

            return parquet_chunks(opened)
        case "json" | "jsonl":
            from buttress.exports.json import json_chunks

            return json_chunks(opened, lines=format == "jsonl", decimals=options.decimals)


def format_of(name: str) -> Format:
    """The format that a file's name ends with; raises `BadInput` when it tells none."""
    suffix = Path(name).suffix.removeprefix(".").lower()
    for format in MEDIA_TYPES:
        if format == suffix:
            return format
    raise BadInput(
        f"the name {name!r} tells no format",
        hint=f"End it with one of .{', .'.join(MEDIA_TYPES)}, or say format=….",
    )


def _refuse_doubles(rows: OpenRows) -> None:
    for place, name in enumerate(rows.names):
        if name in rows.names[:place]:
            rows.close()
            raise BadInput(
                f"two columns have the name {name!r}, and one of them would be lost",
                hint="Give each column a name of its own, say with .label(…), or export to CSV.",
            )


def _publish(path: Path, chunks: Iterator[bytes]) -> int:
    """Write beside the path and rename, so that nobody ever sees half a file."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with beside.open("xb") as file:
            written = sum(map(file.write, chunks))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return written

"""The source row by row: cells whose Python type is their storage class.

The standard library's SQLite reads; where it is too old for the file or lacks a module, apsw does,
cell by cell as class and raw bytes, and the proof's method says so.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

from buttress.errors import BadInput
from buttress.mover.plan import Table, Unreadable
from buttress.mover.proof.cells import Batch, Row, column_of, key_positions, tag
from buttress.mover.proof.source import (
    BATCH_BYTES,
    Scan,
    Source,
    bounds,
    from_clause,
    key_order,
    quoted,
    rowid_name,
    uri,
)
from buttress.mover.source.snapshot import open_snapshot

_ROWS_AT_ONCE = 2_000
_MOST_RAW_COLUMNS = 990
"""Two result columns a cell must stay below the 2,000 that SQLite allows."""


def row_batches(source: Source, scan: Scan) -> Iterator[Batch]:
    """The rows that are not in quarantine; raises `BadInput` when the file cannot be read."""
    classes = source.classes
    for rows in _kept(source, scan):
        if not rows:
            continue
        made = [
            column_of(cells, kind)
            for cells, kind in zip(zip(*rows, strict=True), classes, strict=True)
        ]
        yield Batch([array for array, _ in made], [kind for _, kind in made])


def _kept(source: Source, scan: Scan) -> Iterator[list[Row]]:
    excluded, table = source.excluded, source.table
    names = [column.name for column in table.columns]
    with contextlib.closing(RowReader(source.snapshot, source.plan.encoding, table)) as reader:
        if excluded.rowids:
            for rows in _read(source, reader, [rowid_name(table), *names], scan):
                yield [row[1:] for row in rows if row[0] not in excluded.rowids]
        elif excluded.keys:
            places = key_positions(table)
            for rows in _read(source, reader, names, scan):
                keys = [tuple(tag(row[i]) for i in places) for row in rows]
                yield [row for row, key in zip(rows, keys, strict=True) if key not in excluded.keys]
        else:
            left = excluded.whole.copy()
            stored = [i for i, column in enumerate(table.columns) if not column.generated]
            for rows in _read(source, reader, names, scan):
                yield [row for row in rows if not _taken(left, row, stored)] if left else rows


def _taken(left: Counter[tuple[bytes | None, ...]], row: Row, stored: list[int]) -> bool:
    name = tuple(tag(row[i]) for i in stored)
    if left[name] <= 0:
        return False
    left[name] -= 1
    return True


def _read(source: Source, reader: RowReader, names: list[str], scan: Scan) -> Iterator[list[Row]]:
    table = source.table
    where, order = bounds(table, scan), key_order(table) if scan.ordered else ""
    many = max(1, min(_ROWS_AT_ONCE, BATCH_BYTES // source.heaviest))
    if not source.unreadable:
        yield from _gathered(reader.read(names, where, order, many), source.heaviest)
        return
    if not rowid_name(table):
        yield from _around_damage(reader, names, table)
        return
    for first, last in _stretches(source.unreadable):
        yield from _up_to_damage(reader, rowid_name(table), names, where, first, last)


def _up_to_damage(
    reader: RowReader, rowid: str, names: list[str], where: str, first: int | None, last: int | None
) -> Iterator[list[Row]]:
    """The rows of a stretch in the order of their rowids.

    SQLite only knows that the last one was the last after a look at the next page, which may be the
    damaged one: what is left then is read from the other end. What neither way finds will show as
    rows that only the target has.
    """
    cell = f"t.{quoted(rowid)}"
    start = first
    upper = [where] if where else []
    if last is not None:
        upper.append(f"{cell} <= {last}")
    try:
        # Not by `>` the last one lost: SQLite would look for that on its damaged page.
        lower = [] if start is None else [f"{cell} >= {start}"]
        for rows in reader.read(
            [rowid, *names], " AND ".join(upper + lower), f" ORDER BY {cell}", _ROWS_AT_ONCE // 20
        ):
            start = int(str(rows[-1][0])) + 1
            yield [row[1:] for row in rows]
    except BadInput:
        if last is None:
            raise
    else:
        return
    lower = [] if start is None else [f"{cell} >= {start}"]
    rest: list[Row] = []
    with contextlib.suppress(BadInput):
        for rows in reader.read(names, " AND ".join(upper + lower), f" ORDER BY {cell} DESC", 1):
            rest += rows
    yield rest[::-1]


def _gathered(batches: Iterator[list[Row]], heaviest: int) -> Iterator[list[Row]]:
    """Join the tiny batches that a few heavy rows force on a table of light ones."""
    if heaviest * 500 <= BATCH_BYTES:
        yield from batches
        return
    rows: list[Row] = []
    weight = 0
    for batch in batches:
        rows += batch
        weight += sum(
            len(cell) for row in batch for cell in row if isinstance(cell, bytes | bytearray)
        )
        if weight > BATCH_BYTES or len(rows) >= _ROWS_AT_ONCE:
            yield rows
            rows, weight = [], 0
    yield rows


def _around_damage(reader: RowReader, names: list[str], table: Table) -> Iterator[list[Row]]:
    """What can be read from both ends of a damaged table without rowid."""
    for direction in ("ASC", "DESC") if table.key else ("",):
        order = ", ".join(f"t.{quoted(name)} {direction}" for name in table.key)
        try:
            yield from reader.read(names, "", f" ORDER BY {order}" if order else "", 1)
        except BadInput:
            continue
        return


def _stretches(unreadable: Iterable[Unreadable]) -> Iterator[tuple[int | None, int | None]]:
    """The rowids between the unreadable ranges, both ends included."""
    start: int | None = None
    ranges = sorted(
        unreadable, key=lambda lost: -(2**63) if lost.first_rowid is None else lost.first_rowid
    )
    for lost in ranges:
        if lost.first_rowid is not None:
            yield start, lost.first_rowid - 1
        if lost.last_rowid is None:
            return
        start = max(start, lost.last_rowid + 1) if start is not None else lost.last_rowid + 1
    yield start, None


class RowReader:
    """Rows of one table as cells, by the standard library's SQLite where it can, else by apsw's."""

    def __init__(self, snapshot: Path, encoding: str, table: Table) -> None:
        self._encoding = encoding
        self._table = table
        self._connection: sqlite3.Connection | apsw.Connection
        connection = sqlite3.connect(uri(snapshot), uri=True, isolation_level=None)
        connection.text_factory = bytearray
        names = ", ".join(f"t.{quoted(column.name)}" for column in table.columns)
        try:
            connection.execute(f"SELECT {names} FROM {from_clause(table)} LIMIT 0")
        except sqlite3.Error:
            connection.close()
            self._connection = open_snapshot(snapshot)
            self.note = (
                f"read by SQLite {apsw.sqlite_lib_version()}, "
                f"as Python's {sqlite3.sqlite_version} cannot"
            )
            self._raw = True
        else:
            self._connection = connection
            self.note = ""
            # SQLite converts UTF-16 to UTF-8 and mends what is not valid: only the raw bytes tell.
            self._raw = encoding != "UTF-8" and len(table.columns) <= _MOST_RAW_COLUMNS

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def read(
        self,
        names: Sequence[str],
        where: str = "",
        order: str = "",
        many: int = 1,
        bindings: Sequence[object] = (),
    ) -> Iterator[list[Row]]:
        """Rows in lists of `many`; raises `BadInput` when the file cannot be read."""
        cells = [f"t.{quoted(name)}" for name in names]
        if self._raw:
            cells = [
                f"typeof({c}), CASE typeof({c}) WHEN 'text' THEN CAST({c} AS BLOB) ELSE {c} END"
                for c in cells
            ]
        statement = f"SELECT {', '.join(cells)} FROM {from_clause(self._table)}"
        if where:
            statement += f" WHERE {where}"
        cursor: Iterator[Any] | None = None
        failure: Exception | None = None
        while failure is None:
            rows: list[Row] = []
            try:
                cursor = cursor or self._connection.execute(statement + order, tuple(bindings))
                rows.extend(itertools.islice(cursor, many))
            except (sqlite3.Error, apsw.Error) as error:
                failure = error
            # Also what came before a damaged page.
            if rows:
                yield [self._cells(row) for row in rows] if self._raw else rows
            elif failure is None:
                return
        raise BadInput(
            f"table {self._table.name} of the source cannot be read: {failure}",
            hint="Check the file with PRAGMA integrity_check.",
        ) from failure

    def encoded(self, text: bytearray) -> bytes:
        """A text's bytes as they lie in the file."""
        if self._encoding == "UTF-8":
            return bytes(text)
        return bytes(text[1:]) if text[:1] == b"\xff" else text.decode().encode(self._encoding)

    def _cells(self, row: Sequence[object]) -> Row:
        return tuple(
            self._text(value or b"") if kind in (b"text", "text") else value  # type: ignore[misc,arg-type]
            for kind, value in zip(row[::2], row[1::2], strict=True)
        )

    def _text(self, raw: bytes) -> bytearray:
        try:
            return bytearray(raw.decode(self._encoding).encode())
        except UnicodeError:
            # Invalid text keeps its bytes; 0xFF, never found in UTF-8, marks those of UTF-16.
            return bytearray(raw if self._encoding == "UTF-8" else b"\xff" + raw)


def key_range(source: Source) -> tuple[int, int] | None:
    """Smallest and largest value of the first key column, when the table can be read by its ranges.

    Only rows that lie in the file in the key's order can.
    """
    table = source.table
    if rowid_name(table) and rowid_name(table).lower() != table.key[0].lower():
        return None
    key = f"t.{quoted(table.key[0])}"
    ends = [f"(SELECT {function}({key}) FROM {from_clause(table)})" for function in ("min", "max")]
    with contextlib.closing(sqlite3.connect(uri(source.snapshot), uri=True)) as connection:
        try:
            low, high = connection.execute(f"SELECT {', '.join(ends)}").fetchone()
        except sqlite3.Error:
            return None
    return (low, high) if isinstance(low, int) and isinstance(high, int) else None

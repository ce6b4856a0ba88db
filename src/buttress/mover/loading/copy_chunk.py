"""Copies one chunk: its rows, what quarantine keeps of it and the note that it is done, or nothing.

Most chunks go the fast way, as SQLite gives their rows. Whatever goes wrong there (a wrong storage
class, text that is not UTF-8, a damaged page, a refusal of the server) undoes the chunk, and it
goes the careful way: row by row, each to its table or, with the reason, to quarantine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apsw
import msgspec
import psycopg
from psycopg import sql

from buttress.mover.loading.cast import insert_cast, is_cast
from buttress.mover.loading.encode import SIGNATURE, TRAILER, Encoder, Refused
from buttress.mover.plan import Plan, Table, Unreadable
from buttress.mover.side_tables import (
    MixedCell,
    Refusal,
    key_of,
    key_places,
    write_cells,
    write_progress,
    write_quarantine,
)
from buttress.mover.source.read import (
    DAMAGE,
    Chunk,
    InvalidText,
    Row,
    Values,
    batches,
    careful_rows,
)
from buttress.mover.statements import answering, leave_transaction, reason_of
from buttress.mover.values import CLASSES

_BLOCK_BYTES = 100_000
"""Below the 128 kB from which the driver cuts blocks itself."""
_MOST_MIXED_CELLS = 5_000
_CAREFUL_ROWS = 1_000
_CAREFUL_BYTES = 4_000_000
_COLUMN_IN_CONTEXT = re.compile(r"^COPY .*, line \d+, column (.+?)(?:: .*)?$", re.MULTILINE)


class Copied(msgspec.Struct, kw_only=True):
    """What became of a chunk."""

    rows: int
    """Rows in the target's table."""
    quarantined: int
    unreadable: list[Unreadable]


def copy_chunk(
    snapshot: apsw.Connection,
    connection: psycopg.Connection,
    plan: Plan,
    chunk: Chunk,
    *,
    label: str = "the target",
) -> Copied:
    """Copy a chunk into the tables of the connection's search path, in one transaction.

    Rows, quarantine, minority cells and progress are committed together: whatever is killed, a
    chunk is there once or not at all. `label` names the server in errors.

    Raises
    ------
    Unavailable
        The server is gone or full; nothing of the chunk is there.
    """
    table = plan.table(chunk.table)
    with answering(label):
        leave_transaction(connection)
        if _goes_as_read(plan, table):
            try:
                with connection.transaction():
                    rows = _copy_as_read(snapshot, connection, table, chunk)
                    copied = Copied(rows=rows, quarantined=0, unreadable=[])
                    _note(connection, chunk, copied)
            except (*DAMAGE, ValueError, TypeError, OverflowError):
                pass
            except psycopg.Error as error:
                if not _refuses_a_row(error):
                    raise
            else:
                return copied
        with connection.transaction():
            copied = _Careful(snapshot, connection, plan, table).copy(chunk)
            _note(connection, chunk, copied)
        return copied


def _goes_as_read(plan: Plan, table: Table) -> bool:
    # SQLite turns UTF-16 into UTF-8 and mends what is not valid: only its bytes tell.
    exact = plan.encoding == "UTF-8"
    return exact and not table.impossible and not any(map(is_cast, table.stored))


def _note(connection: psycopg.Connection, chunk: Chunk, copied: Copied) -> None:
    write_progress(
        connection,
        chunk.table,
        chunk.number,
        rows=copied.rows,
        quarantined=copied.quarantined,
        unreadable=copied.unreadable,
    )


def _refuses_a_row(error: psycopg.Error) -> bool:
    """Bad data, a violated constraint or a limit: what one row can be the cause of."""
    return (error.sqlstate or "")[:2] in ("22", "23", "54")


def _place_of(connection: psycopg.Connection, table: Table) -> sql.Identifier:
    # Without its schema a table called pg_class would be PostgreSQL's own.
    row = connection.execute("SELECT current_schema()").fetchone()
    return sql.Identifier(str(row and row[0]), table.target)


def _copy_statement(place: sql.Identifier, table: Table) -> sql.Composed:
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        place,
        sql.SQL(", ").join(sql.Identifier(column.target) for column in table.stored),
    )


def _copy_as_read(
    snapshot: apsw.Connection, connection: psycopg.Connection, table: Table, chunk: Chunk
) -> int:
    encoder, mixed = Encoder(table), _Mixed(table)
    found = batches(snapshot, table, chunk, with_rowid=bool(mixed.columns and table.rowid))
    statement = _copy_statement(_place_of(connection, table), table)
    copied = 0
    while True:
        cells: list[MixedCell] = []
        with connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                copy.write(SIGNATURE)
                for rows in found:
                    encoder.add(mixed.note(rows, cells) if mixed.columns else rows)
                    if len(encoder.block) > _BLOCK_BYTES:
                        copy.write(encoder.take())
                    if len(cells) > _MOST_MIXED_CELLS:
                        break
                copy.write(encoder.take() + TRAILER)
            copied += cursor.rowcount
        if cells:
            write_cells(connection, cells)
        if len(cells) <= _MOST_MIXED_CELLS:
            return copied


class _Mixed:
    """The columns of a table whose cells have several storage classes."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._places = key_places(table) or list(range(len(table.stored)))
        self.columns = [
            (place, column.name, column.usual)
            for place, column in enumerate(table.stored)
            if column.rule == "mixed"
        ]

    def note(self, rows: Sequence[Values], cells: list[MixedCell]) -> list[Values]:
        """Add the minority cells of rows as read, and return the rows without their rowid."""
        if self._table.rowid:
            made = [Row(row[0], row[1:]) for row in rows]  # type: ignore[arg-type]
        else:
            made = [Row(None, row) for row in rows]
        for row in made:
            cells.extend(self.of(row))
        return [row.cells for row in made]  # type: ignore[misc]

    def of(self, row: Row) -> Iterator[MixedCell]:
        """The minority cells of one row."""
        key = ""
        for place, name, usual in self.columns:
            cell = row.cells[place]
            if cell is None or CLASSES[type(cell)] == usual:
                continue
            key = key or key_of(self._table, row, self._places)
            yield MixedCell(self._table.name, row.rowid, key, name, CLASSES[type(cell)])


@dataclass(frozen=True)
class _Ready:
    """A row that its rules hold, encoded."""

    row: Row
    encoded: bytearray


class _Careful:
    """Copies a chunk so that one bad row takes no other along."""

    def __init__(
        self, snapshot: apsw.Connection, connection: psycopg.Connection, plan: Plan, table: Table
    ) -> None:
        self._snapshot = snapshot
        self._connection = connection
        self._plan = plan
        self._table = table
        self._place = _place_of(connection, table)
        self._statement = _copy_statement(self._place, table)
        self._cast = any(map(is_cast, table.stored))
        self._mixed = _Mixed(table)
        self._copied = self._quarantined = 0
        self._refused: list[Refusal] = []

    def copy(self, chunk: Chunk) -> Copied:
        """Copy the chunk inside the caller's transaction."""
        lost: list[Unreadable] = []
        encoder = None if self._table.impossible else Encoder(self._table)
        ready: list[_Ready] = []
        rows = weight = 0
        for row in careful_rows(self._snapshot, self._plan, self._table, chunk, lost):
            if encoder is None:
                self._refuse(row, None, self._table.impossible)
            else:
                try:
                    ready.append(_Ready(row, encoder.one(row.cells)))
                except Refused as error:
                    self._refuse(row, error.place, error.reason)
            rows += 1
            weight += _weight(row)
            if rows >= _CAREFUL_ROWS or weight > _CAREFUL_BYTES:
                self._flush(ready)
                ready, rows, weight = [], 0, 0
        self._flush(ready)
        return Copied(rows=self._copied, quarantined=self._quarantined, unreadable=lost)

    def _flush(self, ready: Sequence[_Ready]) -> None:
        self._send(ready)
        if self._refused:
            write_quarantine(self._connection, self._plan, self._table, self._refused)
            self._refused = []

    def _send(self, ready: Sequence[_Ready]) -> None:
        """Insert the rows; those that the server refuses are found by halving."""
        if not ready:
            return
        try:
            with self._connection.transaction():
                changed = self._insert(ready)
        except psycopg.Error as error:
            if not _refuses_a_row(error):
                raise
            if len(ready) == 1:
                self._refuse(ready[0].row, self._offending(error), reason_of(error))
                return
            half = len(ready) // 2
            self._send(ready[:half])
            self._send(ready[half:])
            return
        cells: list[MixedCell] = []
        for number, one in enumerate(ready):
            if number not in changed:
                cells.extend(self._mixed.of(one.row))
                continue
            place = changed[number]
            type_name = self._table.stored[place].type
            self._refuse(one.row, place, f"a value that {type_name} does not keep as it is")
        if cells:
            write_cells(self._connection, cells)
        self._copied += len(ready) - len(changed)

    def _insert(self, ready: Sequence[_Ready]) -> dict[int, int]:
        if self._cast:
            rows = [one.encoded for one in ready]
            return insert_cast(self._connection, self._table, self._place, rows)
        with self._connection.cursor() as cursor, cursor.copy(self._statement) as copy:
            copy.write(b"".join([SIGNATURE, *(one.encoded for one in ready), TRAILER]))
        return {}

    def _refuse(self, row: Row, place: int | None, reason: str) -> None:
        self._refused.append(Refusal(row, place, reason))
        self._quarantined += 1

    def _offending(self, error: psycopg.Error) -> int | None:
        """The position of the column that the server's message is about, when it names one."""
        named = _COLUMN_IN_CONTEXT.search(error.diag.context or "")
        name = error.diag.column_name or (named[1] if named else None)
        targets = [column.target for column in self._table.stored]
        return targets.index(name) if name in targets else None


def _weight(row: Row) -> int:
    return sum(
        len(cell.raw if isinstance(cell, InvalidText) else cell)
        for cell in row.cells
        if isinstance(cell, str | bytes | InvalidText)
    )

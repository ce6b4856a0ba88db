"""Bringing the target to the source's state: the rows whose keys were noted, as they are now.

One batch is one transaction: delete what the target has under these keys, insert what the source
has, move the position on. Done twice it does the same, so a killed follower loses and doubles
nothing. Before the commit every row of the batch is read again and compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import apsw
import psycopg
from psycopg import sql

from buttress.errors import Conflict
from buttress.mover.live.changes import Change, changes, text_cell
from buttress.mover.plan import Column, Plan, Table
from buttress.mover.side_tables import (
    MixedCell,
    Refusal,
    key_of,
    key_places,
    write_cells,
    write_quarantine,
)
from buttress.mover.source.read import Cell, InvalidText, Row, codec, quote, raw_text
from buttress.mover.statements import raw, reason_of
from buttress.mover.values import CLASSES, SqliteValue, Unholdable, rule, same

BATCH_CHANGES = 5_000


class CutOverDone(Conflict):
    """The target is not followed any more: another process has cut over."""


@dataclass(frozen=True)
class Replayed:
    """What one batch did: rows brought up to date, and whether the source has no more notes."""

    rows: int
    caught_up: bool


@dataclass(frozen=True)
class _Now:
    """A noted row as the source has it in this read transaction; `row` is None when it is gone."""

    change: Change
    name: str
    row: Row | None


def replay(lite: apsw.Connection, connection: psycopg.Connection, plan: Plan) -> Replayed:
    """Apply and prove the next batch of changes.

    `lite` must be in one transaction, so that notes and rows are of one moment; `connection`'s
    search path is the schema.

    Raises
    ------
    CutOverDone
        The target is not followed any more.
    Conflict
        A row differs after it was applied.
    """
    with connection.transaction():
        position = position_of(connection)
        found, reached = changes(lite, plan, position, BATCH_CHANGES)
        todo = _now(lite, plan, found)
        for table, rows in todo:
            _apply(connection, plan, table, rows)
            _prove(connection, table, rows)
        connection.execute(
            "UPDATE buttress_follow SET position = %s, replayed_at = now()", (reached,)
        )
    return Replayed(len(found), len(found) < BATCH_CHANGES and reached - position < BATCH_CHANGES)


def position_of(connection: psycopg.Connection) -> int:
    """The newest note the target holds; locks the position until the transaction ends."""
    try:
        row = connection.execute(
            "SELECT position, cut_over_at FROM buttress_follow FOR UPDATE"
        ).fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    if row is None or row[1] is not None:
        raise CutOverDone(
            "the target is not followed any more: its cut-over is done",
            hint="Point the app to PostgreSQL; the old file refuses writes.",
        )
    return int(row[0])


def _now(
    lite: apsw.Connection, plan: Plan, found: Sequence[Change]
) -> list[tuple[Table, list[_Now]]]:
    by_table: dict[str, list[Change]] = {}
    for change in found:
        by_table.setdefault(change.table, []).append(change)
    result = []
    for name, noted in by_table.items():
        table = plan.table(name)
        places = key_places(table)
        # Two notes can name one row: SQLite compares keys by the column's collation.
        rows: dict[str, _Now] = {}
        for change in noted:
            key = _key_text(table, places, change.key)
            rows[key] = _Now(change, key, _read(lite, plan, table, change.key))
        result.append((table, list(rows.values())))
    return result


def _key_text(table: Table, places: Sequence[int], key: Sequence[Cell]) -> str:
    cells: list[Cell] = [None] * len(table.stored)
    for place, cell in zip(places, key, strict=True):
        cells[place] = cell
    return key_of(table, Row(None, tuple(cells)), places)


def _read(lite: apsw.Connection, plan: Plan, table: Table, key: Sequence[Cell]) -> Row | None:
    encoding = codec(plan.encoding)
    columns = [f"t.{table.rowid}" if table.rowid else "NULL"]
    for column in table.stored:
        name = f"t.{quote(column.name)}"
        columns += [f"typeof({name})", raw_text(name)]
    conditions, bindings = [], []
    for column_name, cell in zip(table.key, key, strict=True):
        text = isinstance(cell, str | InvalidText)
        value = "CAST(? AS TEXT) COLLATE BINARY" if text else "?"
        conditions.append(f"t.{quote(column_name)} IS {value}")
        bindings.append(_bytes(cell, encoding) if text else cell)
    found = lite.execute(
        f"SELECT {', '.join(columns)} FROM {quote(table.name)} AS t "
        f"WHERE {' AND '.join(conditions)}",
        bindings,
    ).fetchall()
    if not found:
        return None
    rowid, *pairs = found[0]
    cells = tuple(
        text_cell(value, encoding) if kind == "text" else value
        for kind, value in zip(pairs[::2], pairs[1::2], strict=True)
    )
    return Row(rowid if isinstance(rowid, int) else None, cells)


def _bytes(cell: Cell, encoding: str) -> bytes:
    return cell.raw if isinstance(cell, InvalidText) else str(cell).encode(encoding)


def _apply(connection: psycopg.Connection, plan: Plan, table: Table, rows: Sequence[_Now]) -> None:
    names = [now.name for now in rows]
    for side in ("buttress_quarantine", "buttress_cells"):
        connection.execute(
            sql.SQL("DELETE FROM {} WHERE table_name = %s AND row_key = ANY(%s)").format(
                sql.Identifier(side)
            ),
            (table.name, names),
        )
    where = sql.SQL(" AND ").join(
        sql.SQL("{} = %s").format(sql.Identifier(table.column(name).target)) for name in table.key
    )
    delete = sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(table.target), where)
    keys = [key for now in rows if (key := _encoded_key(table, now.change.key)) is not None]
    with connection.cursor() as cursor:
        cursor.executemany(delete, keys)
    placed: list[tuple[_Now, list[object]]] = []
    refused: list[Refusal] = []
    for now in rows:
        if now.row is None:
            continue
        values = _encode(table, now.row)
        if isinstance(values, list):
            placed.append((now, values))
        else:
            refused.append(Refusal(now.row, *values))
    refused += _insert(connection, table, placed)
    write_quarantine(connection, plan, table, refused)
    write_cells(connection, list(_classes(table, placed)))


def _encoded_key(table: Table, key: Sequence[Cell]) -> list[object] | None:
    """The key as the target has it; None when no target row can have it."""
    encoded = []
    for name, cell in zip(table.key, key, strict=True):
        if isinstance(cell, InvalidText):
            return None
        try:
            encoded.append(rule(table.column(name).rule).encode(cell))
        except Unholdable:
            return None
    return encoded


def _encode(table: Table, row: Row) -> list[object] | tuple[int, str]:
    """The values to insert, or the place and the reason of the first cell that cannot cross."""
    values: list[object] = []
    for place, (column, cell) in enumerate(zip(table.stored, row.cells, strict=True)):
        if isinstance(cell, InvalidText):
            return place, "text that is not valid Unicode"
        try:
            values.append(None if cell is None else rule(column.rule).encode(cell))
        except Unholdable as error:
            return place, str(error)
    return values


def _insert(
    connection: psycopg.Connection, table: Table, placed: list[tuple[_Now, list[object]]]
) -> list[Refusal]:
    """Insert all rows; those the server refuses leave `placed` and are returned for quarantine."""
    statement = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
        sql.Identifier(table.target),
        sql.SQL(", ").join(sql.Identifier(column.target) for column in table.stored),
        sql.SQL(", ").join(sql.SQL("%s") for _ in table.stored),
    )
    try:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(statement, [values for _, values in placed])
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded):
        pass  # one row or several were refused: find out which, one by one
    else:
        return []
    refused = []
    for entry in list(placed):
        now, values = entry
        assert now.row is not None
        try:
            with connection.transaction():
                connection.execute(statement, values)
        except (
            psycopg.DataError,
            psycopg.IntegrityError,
            psycopg.errors.ProgramLimitExceeded,
        ) as error:
            placed.remove(entry)
            refused.append(Refusal(now.row, None, reason_of(error)))
    return refused


def _classes(table: Table, placed: Iterable[tuple[_Now, list[object]]]) -> Iterable[MixedCell]:
    for now, _ in placed:
        assert now.row is not None
        for column, cell in zip(table.stored, now.row.cells, strict=True):
            if column.rule != "mixed" or cell is None or isinstance(cell, InvalidText):
                continue
            kind = CLASSES[type(cell)]
            if kind != column.usual:
                yield MixedCell(table.name, now.row.rowid, now.name, column.name, kind)


def _prove(connection: psycopg.Connection, table: Table, rows: Sequence[_Now]) -> None:
    """Read every row of the batch again and compare it with what the source had."""
    names = [now.name for now in rows]
    quarantined = {
        name
        for (name,) in connection.execute(
            "SELECT row_key FROM buttress_quarantine WHERE table_name = %s AND row_key = ANY(%s)",
            (table.name, names),
        )
    }
    classes: dict[tuple[str, str], str] = {
        (key, column): kind
        for key, column, kind in connection.execute(
            "SELECT row_key, column_name, storage_class FROM buttress_cells "
            "WHERE table_name = %s AND row_key = ANY(%s)",
            (table.name, names),
        )
    }
    select = sql.SQL("SELECT {} FROM {} AS t WHERE {}").format(
        sql.SQL(", ").join(map(_decoded, table.stored)),
        sql.Identifier(table.target),
        sql.SQL(" AND ").join(
            sql.SQL("t.{} = %s").format(sql.Identifier(table.column(name).target))
            for name in table.key
        ),
    )
    with connection.cursor() as cursor:
        for now in rows:
            key = _encoded_key(table, now.change.key)
            found = [] if key is None else cursor.execute(select, key).fetchall()
            expected = [] if now.row is None or now.name in quarantined else [now.row.cells]
            got = [
                tuple(
                    _back(column, value, classes.get((now.name, column.name), column.usual))
                    for column, value in zip(table.stored, row, strict=True)
                )
                for row in found
            ]
            alike = len(got) == len(expected) and all(
                same(a, b)
                for left, right in zip(got, expected, strict=True)
                for a, b in zip(left, right, strict=True)
                if not isinstance(b, InvalidText)
            )
            if not alike:
                raise Conflict(
                    f"row {now.name} of {table.name} differs after it was replayed",
                    hint="Something else writes to the target; keep the app away from it until the "
                    "cut-over, and move again.",
                )


def _decoded(column: Column) -> sql.Composable:
    cell = sql.SQL("t.{}").format(sql.Identifier(column.target)).as_string()
    return raw(rule(column.rule).decode_sql.format(c=cell))


def _back(column: Column, value: Any, kind: str) -> SqliteValue:
    decode = rule(column.rule).decode
    return value if value is None or decode is None else decode(value, kind)

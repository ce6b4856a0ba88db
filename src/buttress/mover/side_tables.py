"""The tables a move adds beside the user's: what they are, and how rows enter and leave them.

    buttress_quarantine   source rows that PostgreSQL cannot hold exactly, each with its reason
    buttress_cells        storage classes of the minority cells in columns of rule `mixed`
    buttress_progress     the chunks already copied; only while a move is being built
    buttress_moves        the finished move: its plan and its report

Writers find the tables through the connection's search path. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from buttress.mover.plan import Plan, Table, Unreadable
from buttress.mover.read import Cell, InvalidText, Row, codec
from buttress.mover.report import MoveReport, Quarantined
from buttress.mover.values import cell_text, row_key, rule

EXAMPLES = 1000
"""Rows of the quarantine that a report shows."""

_TABLES = {
    "buttress_quarantine": """
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        table_name text NOT NULL,
        row_id bigint,
        row_key text,
        column_name text,
        reason text NOT NULL,
        raw bytea,
        row_values jsonb NOT NULL,
        quarantined_at timestamptz NOT NULL DEFAULT now()""",
    "buttress_cells": """
        table_name text NOT NULL,
        row_id bigint,
        row_key text,
        column_name text NOT NULL,
        storage_class text NOT NULL""",
    "buttress_progress": """
        table_name text,
        chunk int,
        rows bigint NOT NULL,
        quarantined bigint NOT NULL,
        unreadable jsonb NOT NULL,
        PRIMARY KEY (table_name, chunk)""",
    "buttress_moves": """
        id text PRIMARY KEY,
        source text NOT NULL,
        finished_at timestamptz NOT NULL DEFAULT now(),
        plan jsonb NOT NULL,
        report jsonb NOT NULL""",
}


@dataclass(frozen=True)
class QuarantinedRow:
    """A row as `buttress_quarantine` keeps it; nothing of the source row is lost in it."""

    table: str
    row_id: int | None
    row_key: str | None
    column: str | None
    reason: str
    raw: bytes | None
    values: dict[str, list[str]]


@dataclass(frozen=True)
class MixedCell:
    """A row of `buttress_cells`."""

    table: str
    row_id: int | None
    row_key: str
    column: str
    storage_class: str


def create(connection: psycopg.Connection, schema: str) -> None:
    """Make those side tables that are not in that schema yet, empty."""
    for name, columns in _TABLES.items():
        connection.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(
                sql.Identifier(schema, name), sql.SQL(columns)
            )
        )


def kept(plan: Plan, table: Table, row: Row, column: int | None, reason: str) -> QuarantinedRow:
    """The form quarantine keeps of a row; `column` is the position of its first offending cell."""
    places = key_places(table)
    if not places and row.rowid is None:
        places = list(range(len(row.cells)))
    return QuarantinedRow(
        table=table.name,
        row_id=row.rowid,
        row_key=key_of(table, row, places) if places else None,
        column=None if column is None else table.stored[column].name,
        reason=reason,
        raw=None if column is None else _raw(row.cells[column], plan.encoding),
        values={
            stored.name: _cell(cell, plan.encoding)
            for stored, cell in zip(table.stored, row.cells, strict=True)
        },
    )


def key_places(table: Table) -> list[int]:
    """Positions of the key's columns among the stored ones; empty when the table has no key."""
    names = [column.name.lower() for column in table.stored]
    return [names.index(name.lower()) for name in table.key]


def key_of(table: Table, row: Row, places: Sequence[int]) -> str:
    """`values.row_key` of those stored columns, also of cells that only quarantine can hold."""
    rules: list[str] = []
    values: list[Any] = []
    columns = table.stored
    for place in places:
        cell, name = row.cells[place], columns[place].rule
        if isinstance(cell, InvalidText):
            rules.append("text")
            values.append({"text:hex": cell.raw.hex()})
        else:
            rules.append(name if name != "mixed" or rule(name).holds(cell) else "text")
            values.append(cell)
    return row_key(rules, values)


def write_quarantine(connection: psycopg.Connection, rows: Sequence[QuarantinedRow]) -> None:
    """Add rows to `buttress_quarantine`."""
    statement = (
        "COPY buttress_quarantine"
        " (table_name, row_id, row_key, column_name, reason, raw, row_values)"
        " FROM STDIN (FORMAT BINARY)"
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["text", "int8", "text", "text", "text", "bytea", "jsonb"])
        for row in rows:
            values = Jsonb(row.values, dumps=msgspec.json.encode)
            copy.write_row(
                (row.table, row.row_id, row.row_key, row.column, row.reason, row.raw, values)
            )


def write_cells(connection: psycopg.Connection, cells: Sequence[MixedCell]) -> None:
    """Add rows to `buttress_cells`."""
    statement = (
        "COPY buttress_cells (table_name, row_id, row_key, column_name, storage_class)"
        " FROM STDIN (FORMAT BINARY)"
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["text", "int8", "text", "text", "text"])
        for cell in cells:
            copy.write_row((cell.table, cell.row_id, cell.row_key, cell.column, cell.storage_class))


def write_progress(
    connection: psycopg.Connection,
    table: str,
    chunk: int,
    *,
    rows: int,
    quarantined: int,
    unreadable: Sequence[Unreadable],
) -> None:
    """Note that a chunk is copied; part of the chunk's own transaction."""
    connection.execute(
        "INSERT INTO buttress_progress (table_name, chunk, rows, quarantined, unreadable)"
        " VALUES (%s, %s, %s, %s, %s)",
        (table, chunk, rows, quarantined, Jsonb(list(unreadable), dumps=msgspec.json.encode)),
    )


def examples(connection: psycopg.Connection, schema: str) -> list[Quarantined]:
    """The first rows of the quarantine, as a report shows them."""
    rows = connection.execute(
        sql.SQL(
            "SELECT table_name, coalesce(left(row_key, 200), 'rowid ' || row_id), column_name,"
            " reason FROM {} ORDER BY table_name, row_id, id LIMIT {}"
        ).format(sql.Identifier(schema, "buttress_quarantine"), sql.Literal(EXAMPLES))
    )
    return [
        Quarantined(table=table, row=row, column=column or "", reason=reason)
        for table, row, column, reason in rows
    ]


def newest_move(connection: psycopg.Connection, schema: str) -> MoveReport | None:
    """The report of the last move into that schema; None when none is recorded."""
    moves = sql.Identifier(schema, "buttress_moves")
    found = connection.execute("SELECT to_regclass(%s)", (moves.as_string(),)).fetchone()
    if found is None or found[0] is None:
        return None
    row = connection.execute(
        sql.SQL("SELECT report::text FROM {} ORDER BY finished_at DESC LIMIT 1").format(moves)
    ).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=MoveReport)


def _cell(cell: Cell, encoding: str) -> list[str]:
    """One cell of `row_values`; text that jsonb cannot hold as its bytes in the source."""
    if isinstance(cell, InvalidText):
        return ["text:hex", cell.raw.hex()]
    if isinstance(cell, str) and "\0" in cell:
        return ["text:hex", cell.encode(codec(encoding)).hex()]
    return cell_text(cell)


def _raw(cell: Cell, encoding: str) -> bytes | None:
    """The bytes of a cell: text in the source's encoding, numbers in decimal, None for NULL."""
    if isinstance(cell, InvalidText):
        return cell.raw
    if isinstance(cell, str):
        return cell.encode(codec(encoding))
    if cell is None or isinstance(cell, bytes):
        return cell
    return repr(cell).encode()

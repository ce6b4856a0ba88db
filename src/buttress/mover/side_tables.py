"""The tables a move adds beside the user's: what they are, and how rows enter and leave them.

    buttress_quarantine   source rows that PostgreSQL cannot hold exactly, each with its reason
    buttress_cells        storage classes of the minority cells in columns of rule `mixed`
    buttress_progress     the chunks already copied; only while a move is being built
    buttress_moves        the finished move: its plan and its report

Writers find the tables through the connection's search path. Nothing here commits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from buttress.mover.loading.encode import SIGNATURE, TRAILER, binary_fields
from buttress.mover.plan import Plan, Table, Unreadable
from buttress.mover.report import MoveReport, Quarantined
from buttress.mover.source.read import Cell, InvalidText, Row, codec
from buttress.mover.values import cell_text, row_key, rule

EXAMPLES = 1000
"""Rows of the quarantine that a report shows."""

_PIECE = 60_000

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
class Refusal:
    """A source row that goes to quarantine; `place` is the position of its first offending cell."""

    row: Row
    place: int | None
    reason: str


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


def write_quarantine(
    connection: psycopg.Connection, plan: Plan, table: Table, refusals: Sequence[Refusal]
) -> None:
    """Add rows of one table to `buttress_quarantine`, each whole.

    A row may hold a few cells of many megabytes: what is written of them is never all in memory.
    """
    statement = (
        "COPY buttress_quarantine"
        " (table_name, row_id, row_key, column_name, reason, raw, row_values)"
        " FROM STDIN (FORMAT BINARY)"
    )
    names = [column.name for column in table.stored]
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(SIGNATURE)
        for refusal in refusals:
            row, place = refusal.row, refusal.place
            fields = binary_fields(
                ["text", "int8", "text", "text", "text"],
                (
                    table.name,
                    row.rowid,
                    _quarantine_key(table, row),
                    None if place is None else names[place],
                    refusal.reason,
                ),
            )
            raw = None if place is None else _raw(row.cells[place], plan.encoding)
            copy.write(struct.pack(">h", 7) + fields)
            copy.write(struct.pack(">i", -1 if raw is None else len(raw)))
            if raw:
                copy.write(raw)
            size = sum(map(len, _json(names, row, plan.encoding)))
            # Binary jsonb is a version, 1, and the text.
            copy.write(struct.pack(">ib", size + 1, 1))
            for piece in _json(names, row, plan.encoding):
                copy.write(piece)
        copy.write(TRAILER)


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


def _quarantine_key(table: Table, row: Row) -> str | None:
    """The row's key; the whole row when it has neither key nor rowid."""
    places = key_places(table)
    if not places and row.rowid is None:
        places = list(range(len(row.cells)))
    return key_of(table, row, places) if places else None


def _json(names: Sequence[str], row: Row, encoding: str) -> Iterator[bytes]:
    """`row_values` in pieces: an object of `values.cell_text` for each column.

    Text that jsonb cannot hold is `["text:hex", …]`, its bytes in the source.
    """
    mark = b"{"
    for name, cell in zip(names, row.cells, strict=True):
        yield mark + msgspec.json.encode(name) + b":["
        mark = b","
        if isinstance(cell, InvalidText):
            kind, content = "text:hex", _hex(cell.raw)
        elif isinstance(cell, str) and "\0" in cell:
            kind, content = "text:hex", _hex(cell.encode(codec(encoding)))
        elif isinstance(cell, bytes):
            kind, content = "blob", _hex(cell)
        elif isinstance(cell, str):
            kind, content = "text", _escaped(cell)
        else:
            kind, text = cell_text(cell)
            content = _escaped(text)
        yield b'"%s","' % kind.encode()
        yield from content
        yield b'"]'
    yield b"}"


def _hex(raw: bytes) -> Iterator[bytes]:
    for start in range(0, len(raw), _PIECE):
        yield raw[start : start + _PIECE].hex().encode()


def _escaped(text: str) -> Iterator[bytes]:
    for start in range(0, len(text), _PIECE):
        yield msgspec.json.encode(text[start : start + _PIECE])[1:-1]


def _raw(cell: Cell, encoding: str) -> bytes | None:
    """The bytes of a cell: text in the source's encoding, numbers in decimal, None for NULL."""
    if isinstance(cell, InvalidText):
        return cell.raw
    if isinstance(cell, str):
        return cell.encode(codec(encoding))
    if cell is None or isinstance(cell, bytes):
        return cell
    return repr(cell).encode()

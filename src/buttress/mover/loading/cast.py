"""Rows into columns whose type a person chose in the plan.

The rule's own type holds every value of the column; the chosen one is reached by PostgreSQL's cast,
and a row whose value comes out changed is not inserted.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import psycopg
from psycopg import sql

from buttress.mover.loading.encode import SIGNATURE, TRAILER
from buttress.mover.plan import Column, Table
from buttress.mover.statements import raw
from buttress.mover.values import rule

_COMPARED = {"integer": "bigint", "real": "float8", "text": "text", "blob": "bytea", "": "text"}


def is_cast(column: Column) -> bool:
    """Whether the plan gives the column another type than its rule's own."""
    return _plain(column.type).lower() != _plain(rule(column.rule).type).lower()


def insert_cast(
    connection: psycopg.Connection,
    table: Table,
    into: sql.Identifier,
    rows: Sequence[bytes | bytearray],
) -> dict[int, int]:
    """Insert rows in binary COPY format through casts, but none that a cast would change.

    Returns the position of each row left out, with that of its first changed column. Raises the
    server's error when it refuses a cast; the caller has to undo the transaction then.
    """
    columns = table.stored
    # In the staging schema: the right to make temporary tables may be missing.
    pid = connection.info.backend_pid
    between = sql.Identifier(f"buttress_cast_{pid}")
    cells = [sql.Identifier(f"c{place}") for place in range(len(columns))]
    definitions = sql.SQL(", ").join(
        sql.SQL("{} {}").format(cell, raw(rule(column.rule).type))
        for cell, column in zip(cells, columns, strict=True)
    )
    connection.execute(sql.SQL("CREATE TABLE {} (n int, {})").format(between, definitions))
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(between)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(SIGNATURE)
        for number, row in enumerate(rows):
            copy.write(struct.pack(">hii", len(columns) + 1, 4, number) + row[2:])
        copy.write(TRAILER)
    changes = sql.SQL(" ").join(
        sql.SQL("WHEN {} IS DISTINCT FROM {} THEN {}").format(
            _decoded(column, sql.SQL("{}::{}").format(cell, raw(_plain(column.type)))),
            _decoded(column, cell),
            sql.Literal(place),
        )
        for place, (cell, column) in enumerate(zip(cells, columns, strict=True))
        if is_cast(column)
    )
    found = connection.execute(
        sql.SQL(
            "SELECT * FROM (SELECT n, CASE {} END AS place FROM {}) AS c WHERE place >= 0"
        ).format(changes, between)
    ).fetchall()
    changed = {int(number): int(place) for number, place in found}
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} WHERE n <> ALL (%s) ORDER BY n").format(
            into,
            sql.SQL(", ").join(sql.Identifier(column.target) for column in columns),
            sql.SQL(", ").join(
                sql.SQL("{}::{}").format(cell, raw(_plain(column.type)))
                for cell, column in zip(cells, columns, strict=True)
            ),
            between,
        ),
        (list(changed),),
    )
    connection.execute(sql.SQL("DROP TABLE {}").format(between))
    return changed


def _decoded(column: Column, cell: sql.Composable) -> sql.Composed:
    """The column's value as text that differs whenever the SQLite value does."""
    crossing = rule(column.rule)
    expression = raw(crossing.decode_sql.format(c=f"({cell.as_string()})"))
    return sql.SQL("(({})::{})::text").format(expression, raw(_COMPARED[crossing.decoded]))


def _plain(type_name: str) -> str:
    """A type without its collation, as a cast takes it."""
    return type_name.partition(" COLLATE ")[0].strip()

"""The staging schema: made empty here, filled by `copy`, completed by `finish`, then switched.

Everything that is being built lies in one schema of its own: a move that stops anywhere leaves the target
as it was, and what was copied can be continued or thrown away whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import LiteralString, cast

import msgspec
import psycopg
from psycopg import sql

from buttress.errors import BadInput, Conflict
from buttress.mover import side_tables
from buttress.mover.copy import Copied
from buttress.mover.plan import Column, NotCarried, Plan, Table, Unreadable
from buttress.mover.switch import occupied, switch, switched
from buttress.mover.target import Target, answering, attempt, reason_of, staging_prefix

__all__ = ["discard", "done", "occupied", "prepare", "stale", "switch", "switched"]

TABLES_PER_TRANSACTION = 200
"""Every table made or dropped holds locks until the commit, and a server has room for a few thousand."""


def prepare(connection: psycopg.Connection, plan: Plan, target: Target) -> list[NotCarried]:
    """Make the staging schema with the plan's tables, empty and without keys, and the side tables.

    Columns get their type, NOT NULL, default and generation expression. What PostgreSQL refuses is taken
    out of `plan`, so that `copy`, `finish` and `verify` see what was really made, and returned: a refused
    default is left away, a refused generated column becomes an ordinary one filled from the source, a
    refused table becomes `impossible` and its rows go to quarantine.

    Raises
    ------
    BadInput
        A type or an expression in an edited plan is no PostgreSQL.
    Conflict
        An extension owns a relation of the final schema that a table of the plan is named after.
    """
    _leave_transaction(connection)
    _refuse_extension_names(connection, plan, target)
    discard(connection, target)
    refused: list[NotCarried] = []
    with answering(target.label):
        with connection.transaction():
            connection.execute(
                sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(target.staging))
            )
            side_tables.create(connection, target.staging)
        tables = [table for table in plan.moving if not table.impossible]
        for start in range(0, len(tables), TABLES_PER_TRANSACTION):
            with connection.transaction():
                for table in tables[start : start + TABLES_PER_TRANSACTION]:
                    refused += _create(connection, table, target)
    return refused


def done(connection: psycopg.Connection, target: Target) -> dict[tuple[str, int], Copied]:
    """The chunks that are already copied, by table and number, as `copy_chunk` recorded them."""
    query = sql.SQL("SELECT table_name, chunk, rows, quarantined, unreadable FROM {}").format(
        sql.Identifier(target.staging, "buttress_progress")
    )
    with answering(target.label):
        rows = connection.execute(query).fetchall()
    return {
        (table, chunk): Copied(
            rows=count,
            quarantined=quarantined,
            unreadable=msgspec.convert(unreadable or [], list[Unreadable]),
        )
        for table, chunk, count, quarantined, unreadable in rows
    }


def stale(connection: psycopg.Connection, schema: str) -> list[str]:
    """The staging schemas that unfinished moves into `schema` left behind."""
    rows = connection.execute(
        "SELECT n.nspname FROM pg_namespace n WHERE starts_with(n.nspname, %s) AND EXISTS "
        "(SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = 'buttress_progress') "
        "ORDER BY 1",
        (staging_prefix(schema),),
    ).fetchall()
    return [str(name) for (name,) in rows]


def discard(connection: psycopg.Connection, target: Target) -> None:
    """Drop the staging schema and all in it; nothing happens when there is none."""
    _leave_transaction(connection)
    with answering(target.label):
        tables = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relkind = 'r' AND c.relname <> 'buttress_progress'",
            (target.staging,),
        ).fetchall()
        connection.commit()
        # buttress_progress goes last: by it `stale` knows the schema if this is interrupted.
        for start in range(0, len(tables), TABLES_PER_TRANSACTION):
            names = [
                sql.Identifier(target.staging, str(name))
                for (name,) in tables[start : start + TABLES_PER_TRANSACTION]
            ]
            with connection.transaction():
                connection.execute(
                    sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(sql.SQL(", ").join(names))
                )
        with connection.transaction():
            connection.execute(
                sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(target.staging))
            )


def raw(text: str) -> sql.SQL:
    """SQL text from the plan, as it stands."""
    return sql.SQL(cast("LiteralString", text))


def _leave_transaction(connection: psycopg.Connection) -> None:
    """End what the caller read, so that the next `transaction()` commits and is no savepoint."""
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        connection.commit()


def _create(connection: psycopg.Connection, table: Table, target: Target) -> list[NotCarried]:
    def make() -> None:
        connection.execute(_create_table(table, table.columns))
        _evaluate_defaults(connection, table)

    error = attempt(connection, make, target.label)
    if error is None:
        return []
    refused = _without_refused(connection, table, target)
    if any(one.kind == "table" for one in refused):
        return refused
    error = attempt(
        connection, lambda: connection.execute(_create_table(table, table.columns)), target.label
    )
    return refused if error is None else [*refused, _impossible(table, error)]


def _without_refused(
    connection: psycopg.Connection, table: Table, target: Target
) -> list[NotCarried]:
    """Find what PostgreSQL refuses of the table, on a trial that is undone, and take it out."""
    refused: list[NotCarried] = []
    bare = [
        msgspec.structs.replace(column, default="", generated="") for column in table.columns
    ]
    with connection.transaction(force_rollback=True):
        error = attempt(
            connection, lambda: connection.execute(_create_table(table, bare)), target.label
        )
        if error is not None:
            return [_impossible(table, error)]
        for column in table.columns:
            if column.default:
                error = attempt(
                    connection, lambda: _try_default(connection, table, column), target.label
                )
                if error is not None:
                    refused.append(_refusal("default", table, column, column.default, error))
                    column.default = ""
            if column.generated:
                error = attempt(
                    connection, lambda: _try_generated(connection, table, column), target.label
                )
                if error is not None:
                    refused.append(
                        _refusal("generated column", table, column, column.generated, error)
                    )
                    column.generated = ""
    return refused

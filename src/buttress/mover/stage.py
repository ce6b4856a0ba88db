"""The staging schema: made empty here, filled by `copy`, completed by `finish`, then switched.

Everything that is being built lies in one schema of its own: a move that stops anywhere leaves the
target as it was, and what was copied can be continued or thrown away whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec
import psycopg
from psycopg import sql

from buttress.errors import BadInput, Conflict
from buttress.mover import side_tables
from buttress.mover.loading.copy import Copied
from buttress.mover.plan import Column, NotCarried, Plan, Table, Unreadable
from buttress.mover.statements import answering, attempt, leave_transaction, raw, reason_of
from buttress.mover.switch import occupied, switch, switched
from buttress.mover.target import Target, staging_prefix

__all__ = ["discard", "done", "occupied", "prepare", "stale", "switch", "switched"]

TABLES_PER_TRANSACTION = 200
"""Each table made or dropped holds locks until the commit; a server has room for a few thousand."""


def prepare(connection: psycopg.Connection, plan: Plan, target: Target) -> list[NotCarried]:
    """Make the staging schema with the plan's tables, empty and without keys, and the side tables.

    Columns get their type, NOT NULL, default and generation expression. What PostgreSQL refuses is
    taken out of `plan`, so that `copy`, `finish` and `verify` see what was really made, and
    returned: a refused default is left away, a refused generated column becomes an ordinary one
    filled from the source, a refused table becomes `impossible` and its rows go to quarantine.

    Raises
    ------
    BadInput
        A type or an expression in an edited plan is no PostgreSQL.
    Conflict
        An extension owns a relation of the final schema that a table of the plan is named after.
    """
    with answering(target.label):
        leave_transaction(connection)
    _refuse_extension_names(connection, plan, target)
    discard(connection, target)
    refused: list[NotCarried] = []
    with answering(target.label):
        with connection.transaction():
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(target.staging)))
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
    with answering(target.label):
        leave_transaction(connection)
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
    again = partial(connection.execute, _create_table(table, table.columns))
    error = attempt(connection, again, target.label)
    return refused if error is None else [*refused, _impossible(table, error)]


def _without_refused(
    connection: psycopg.Connection, table: Table, target: Target
) -> list[NotCarried]:
    """Find what PostgreSQL refuses of the table, on a trial that is undone, and take it out."""
    refused: list[NotCarried] = []
    bare = [msgspec.structs.replace(column, default="", generated="") for column in table.columns]
    with connection.transaction(force_rollback=True):
        make = partial(connection.execute, _create_table(table, bare))
        if (error := attempt(connection, make, target.label)) is not None:
            return [_impossible(table, error)]
        for column in table.columns:
            if column.default:
                trial = partial(_try_default, connection, table, column)
                if (error := attempt(connection, trial, target.label)) is not None:
                    refused.append(_refusal("default", table, column, column.default, error))
                    column.default = ""
            if column.generated:
                trial = partial(_try_generated, connection, table, column)
                if (error := attempt(connection, trial, target.label)) is not None:
                    refused.append(
                        _refusal("generated column", table, column, column.generated, error)
                    )
                    column.generated = ""
    return refused


def _try_default(connection: psycopg.Connection, table: Table, column: Column) -> None:
    connection.execute(
        sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}").format(
            sql.Identifier(table.target), sql.Identifier(column.target), raw(column.default)
        )
    )
    connection.execute(sql.SQL("SELECT {}").format(_default_value(column)))


def _try_generated(connection: psycopg.Connection, table: Table, column: Column) -> None:
    connection.execute(
        sql.SQL("ALTER TABLE {} DROP COLUMN {}, ADD COLUMN {}").format(
            sql.Identifier(table.target), sql.Identifier(column.target), _definition(table, column)
        )
    )


def _evaluate_defaults(connection: psycopg.Connection, table: Table) -> None:
    """A default is only worth keeping when it can be computed: PostgreSQL checks that at INSERT."""
    values = [_default_value(column) for column in table.columns if column.default]
    if values:
        connection.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(values)))


def _default_value(column: Column) -> sql.Composed:
    # A collation belongs to the column, not to a cast.
    plain = column.type.partition(" COLLATE ")[0]
    return sql.SQL("CAST(({}) AS {})").format(raw(column.default), raw(plain))


def _create_table(table: Table, columns: Sequence[Column]) -> sql.Composed:
    return sql.SQL("CREATE TABLE {} ({})").format(
        sql.Identifier(table.target),
        sql.SQL(", ").join(_definition(table, column) for column in columns),
    )


def _definition(table: Table, column: Column) -> sql.Composed:
    parts: list[sql.Composable] = [sql.Identifier(column.target), raw(column.type)]
    if column.generated:
        parts.append(sql.SQL("GENERATED ALWAYS AS ({}) STORED").format(raw(column.generated)))
    elif column.default:
        parts.append(sql.SQL("DEFAULT ({})").format(raw(column.default)))
    # A key's columns are NOT NULL from the start: `finish` need not read the table again to see it.
    if column.not_null or (table.key_is_primary and column.name in table.key):
        parts.append(sql.SQL("NOT NULL"))
    return sql.SQL(" ").join(parts)


def _refusal(
    kind: str, table: Table, column: Column, source: str, error: psycopg.Error
) -> NotCarried:
    return NotCarried(
        kind=kind, name=column.name, table=table.name, source=source, reason=reason_of(error)
    )


def _impossible(table: Table, error: psycopg.Error) -> NotCarried:
    reason = reason_of(error)
    if isinstance(error, psycopg.errors.UndefinedObject | psycopg.errors.SyntaxError):
        raise BadInput(
            f"PostgreSQL cannot make the table {table.name}: {reason}",
            hint="Correct the types of this table in the plan.",
        ) from error
    table.impossible = reason
    return NotCarried(kind="table", name=table.name, table=table.name, reason=reason)


def _refuse_extension_names(connection: psycopg.Connection, plan: Plan, target: Target) -> None:
    wanted = [table.target for table in plan.moving] + [view.target for view in plan.views]
    with answering(target.label):
        taken = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid "
            "AND d.deptype = 'e' WHERE n.nspname = %s AND c.relname = ANY(%s) ORDER BY 1",
            (target.schema, wanted),
        ).fetchall()
        connection.commit()
    if taken:
        names = ", ".join(str(name) for (name,) in taken)
        raise Conflict(
            f"an extension of {target.label} owns {names} in schema {target.schema}",
            hint="Name another schema with --schema.",
        )

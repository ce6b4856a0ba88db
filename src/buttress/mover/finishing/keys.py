"""Primary keys, unique constraints and indexes: built after the data, several at once."""

from __future__ import annotations

import re
from functools import partial

import psycopg
from psycopg import sql

from buttress.mover.finishing.crew import Task
from buttress.mover.plan import Index, NotCarried, Plan, Table
from buttress.mover.statements import attempt, raw, reason_of
from buttress.mover.target import Target


def index_tasks(
    connection: psycopg.Connection, plan: Plan, target: Target
) -> list[Task[NotCarried | None]]:
    """One task for each key and index that is not built yet.

    A primary key is built as a unique index first: that lets the other indexes of its table be
    built beside it. `attach_primary_key` makes it the key.
    """
    present = relations(connection, target.staging)
    tasks: list[Task[NotCarried | None]] = []
    for table in built(plan):
        named = {index.target for index in table.indexes}
        if table.key and table.key_target and not {table.key_target} & (present | named):
            tasks.append(
                Task(
                    f"key of {table.name}",
                    _weight(table, [table.column(name).target for name in table.key]),
                    partial(_build_key, table=table, target=target),
                )
            )
        for index in table.indexes:
            if index.target not in present:
                tasks.append(
                    Task(
                        f"index {index.name or index.target}",
                        _weight(table, re.findall(r'"((?:[^"]|"")+)"', index.sql)),
                        partial(_build_index, table=table, index=index, target=target),
                    )
                )
    return tasks


def attach_primary_key(
    connection: psycopg.Connection, table: Table, target: Target
) -> NotCarried | None:
    """Make the index that `index_tasks` built the primary key of its table."""
    statement = sql.SQL("ALTER TABLE {0} ADD CONSTRAINT {1} PRIMARY KEY USING INDEX {1}").format(
        sql.Identifier(table.target), sql.Identifier(table.key_target)
    )
    error = attempt(connection, partial(connection.execute, statement), target.label)
    return None if error is None else _key_refused(table, error)


def built(plan: Plan) -> list[Table]:
    """The tables that exist in the target."""
    return [table for table in plan.moving if not table.impossible]


def relations(connection: psycopg.Connection, schema: str) -> set[str]:
    """The names of all tables, indexes, views and sequences of a schema."""
    rows = connection.execute(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s",
        (schema,),
    ).fetchall()
    return {name for (name,) in rows}


def columns(table: Table, names: list[str]) -> sql.Composed:
    """The target's names of source columns, joined by commas."""
    return sql.SQL(", ").join(sql.Identifier(table.column(name).target) for name in names)


def _build_key(
    connection: psycopg.Connection, *, table: Table, target: Target
) -> NotCarried | None:
    statement = sql.SQL("CREATE UNIQUE INDEX {} ON {} ({})").format(
        sql.Identifier(table.key_target), sql.Identifier(table.target), columns(table, table.key)
    )
    error = attempt(connection, partial(connection.execute, statement), target.label)
    return None if error is None else _key_refused(table, error)


def _build_index(
    connection: psycopg.Connection, *, table: Table, index: Index, target: Target
) -> NotCarried | None:
    error = attempt(connection, partial(connection.execute, raw(index.sql)), target.label)
    if error is None:
        return None
    return NotCarried(
        kind="unique index" if index.unique else "index",
        name=index.name,
        table=table.name,
        source=index.source or index.sql,
        reason=reason_of(error),
    )


def _key_refused(table: Table, error: psycopg.Error) -> NotCarried:
    return NotCarried(
        kind="primary key",
        name=table.key_target,
        table=table.name,
        source=f"PRIMARY KEY ({', '.join(table.key)})",
        reason=reason_of(error),
    )


def _weight(table: Table, names: list[str]) -> int:
    """Roughly how long an index takes: comparing text costs about three times what numbers cost."""
    texts = sum(
        1 for column in table.columns if column.target in names and column.type.startswith("text")
    )
    return table.rows * (1 + 2 * texts)

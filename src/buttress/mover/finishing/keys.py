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

MANY_ROWS = 100_000
ENTRY_BYTES = 40
SORT_RUNS = 24
SORT_MEMORY = (8, 128)
"""Megabytes, least and most. A sort in runs that fit the processor's cache beats one in memory: on
3 million rows 8 MB took 4.4 to 6.0 seconds where 128 MB took 7.8 to 11.4. Too many runs would be
merged twice."""


def index_tasks(
    connection: psycopg.Connection, plan: Plan, target: Target, *, workers: int
) -> list[Task[NotCarried | None]]:
    """One task for each key and index that is not built yet, for a crew of so many workers.

    A primary key is built as a unique index first: that lets the other indexes of its table be
    built beside it. `attach_primary_key` makes it the key.
    """
    present = relations(connection, target.staging)
    tasks: list[Task[NotCarried | None]] = []
    wanted = sum(1 + len(table.indexes) for table in built(plan) if table.rows >= MANY_ROWS)
    # A helper of PostgreSQL's own pays only where a core would be idle.
    helpers = 0 if wanted >= workers else 1
    for table in built(plan):
        named = {index.target for index in table.indexes}
        if table.key and table.key_target and not {table.key_target} & (present | named):
            tasks.append(
                Task(
                    f"key of {table.name}",
                    _weight(table, [table.column(name).target for name in table.key]),
                    partial(_build_key, table=table, target=target, helpers=helpers),
                )
            )
        for index in table.indexes:
            if index.target not in present:
                tasks.append(
                    Task(
                        f"index {index.name or index.target}",
                        _weight(table, re.findall(r'"((?:[^"]|"")+)"', index.sql)),
                        partial(
                            _build_index, table=table, index=index, target=target, helpers=helpers
                        ),
                    )
                )
    return tasks


def _give_room(connection: psycopg.Connection, rows: int, helpers: int) -> None:
    """Set the memory and the helpers PostgreSQL may use for one index over so many rows."""
    least, most = SORT_MEMORY
    megabytes = min(max(rows * ENTRY_BYTES // SORT_RUNS // 1_000_000, least), most)
    connection.execute(
        "SELECT set_config('maintenance_work_mem', %s, false), "
        "set_config('max_parallel_maintenance_workers', %s, false)",
        (f"{megabytes}MB", str(helpers)),
    )


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
    connection: psycopg.Connection, *, table: Table, target: Target, helpers: int
) -> NotCarried | None:
    _give_room(connection, table.rows, helpers)
    statement = sql.SQL("CREATE UNIQUE INDEX {} ON {} ({})").format(
        sql.Identifier(table.key_target), sql.Identifier(table.target), columns(table, table.key)
    )
    error = attempt(connection, partial(connection.execute, statement), target.label)
    return None if error is None else _key_refused(table, error)


def _build_index(
    connection: psycopg.Connection, *, table: Table, index: Index, target: Target, helpers: int
) -> NotCarried | None:
    _give_room(connection, table.rows, helpers)
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

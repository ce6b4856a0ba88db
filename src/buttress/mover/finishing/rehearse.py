"""Fires a trigger once on a trial that is undone, to see whether its body runs at all.

PostgreSQL checks the body of a function only when it runs; a trigger that fails there would make
every write to its table fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from buttress.mover.statements import reason_of

SECONDS = 20
VIEW_ROWS = 1000
"""A view has no row of its own to change: all its rows are, if they are few."""

_INSERT, _DELETE, _UPDATE = 4, 8, 16
"""Bits of pg_trigger.tgtype."""


_SAMPLES = {"N": "1", "S": "", "B": "true", "D": "2000-01-01"}
"""A value of any type of that pg_type.typcategory."""
_OTHER_SAMPLES = {
    "bytea": "",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "json": "null",
    "jsonb": "null",
}


@dataclass(frozen=True)
class _Fired:
    """What a trigger listens to."""

    oid: int
    relation: sql.Identifier
    is_view: bool
    events: int
    columns: sql.Composed
    """All columns that a statement may set."""
    updated: list[str]
    """The columns of `UPDATE OF`, or all."""


def rehearse(connection: psycopg.Connection, trigger: int) -> str:
    """Fire the trigger of that oid by each statement it listens to; returns why it fails, or "".

    Rows and schema are as before afterwards; identity sequences may have moved on. A trigger that
    refuses the row on purpose (RAISE, a constraint) runs; one that fires itself without end does
    not. When no row can be made up to fire it with, nothing is known against it.

    The connection must be in a transaction.
    """
    fired = _fired(connection, trigger)
    with connection.transaction(force_rollback=True):
        connection.execute("SELECT set_config('statement_timeout', %s, true)", (f"{SECONDS}s",))
        if fired.is_view:
            ready = _few_rows(connection, fired)
        else:
            _drop_foreign_keys(connection, fired)
            ready = _make_sure_of_a_row(connection, fired)
        if ready:
            for event, fire in ((_INSERT, _insert), (_UPDATE, _update), (_DELETE, _delete)):
                if fired.events & event and (failure := _failure(connection, fired, fire)):
                    return failure
    return ""


def _failure(
    connection: psycopg.Connection,
    fired: _Fired,
    fire: Callable[[psycopg.Connection, _Fired], None],
) -> str:
    try:
        with connection.transaction(force_rollback=True):
            fire(connection, fired)
    except psycopg.errors.StatementTooComplex:
        return "it fires itself without end, which SQLite's triggers do not"
    except (
        psycopg.errors.RaiseException,
        psycopg.errors.IntegrityError,
        psycopg.errors.QueryCanceled,
    ):
        return ""
    except (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError) as error:
        return reason_of(error)
    return ""


def _insert(connection: psycopg.Connection, fired: _Fired) -> None:
    """Insert a row again that was taken away unnoticed: no key stands in the trigger's way."""
    names = {"relation": fired.relation, "columns": fired.columns}
    connection.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE buttress_sample ON COMMIT DROP AS "
            "SELECT {columns} FROM {relation} LIMIT 1"
        ).format(**names)
    )
    if not fired.is_view:
        connection.execute(sql.SQL("ALTER TABLE {relation} DISABLE TRIGGER USER").format(**names))
        _delete(connection, fired)
        connection.execute(sql.SQL("ALTER TABLE {relation} ENABLE TRIGGER USER").format(**names))
    connection.execute(
        sql.SQL(
            "INSERT INTO {relation} ({columns}) SELECT {columns} FROM pg_temp.buttress_sample"
        ).format(**names)
    )


def _update(connection: psycopg.Connection, fired: _Fired) -> None:
    unchanged = sql.SQL(", ").join(
        sql.SQL("{0} = {0}").format(sql.Identifier(name)) for name in fired.updated
    )
    connection.execute(
        sql.SQL("UPDATE {} SET {}").format(fired.relation, unchanged) + _one_row(fired)
    )


def _delete(connection: psycopg.Connection, fired: _Fired) -> None:
    connection.execute(sql.SQL("DELETE FROM {}").format(fired.relation) + _one_row(fired))


def _one_row(fired: _Fired) -> sql.Composable:
    if fired.is_view:
        return sql.SQL("")
    return sql.SQL(" WHERE ctid = (SELECT ctid FROM {} LIMIT 1)").format(fired.relation)


def _fired(connection: psycopg.Connection, trigger: int) -> _Fired:
    row = connection.execute(
        "SELECT c.oid, n.nspname, c.relname, c.relkind = 'v', t.tgtype, "
        "array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid "
        "AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum), "
        "array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid "
        "AND a.attnum = ANY(t.tgattr) AND a.attgenerated = '') "
        "FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE t.oid = %s",
        (trigger,),
    ).fetchone()
    assert row is not None
    oid, schema, name, is_view, events, columns, updated = row
    return _Fired(
        oid=oid,
        relation=sql.Identifier(schema, name),
        is_view=is_view,
        events=events,
        columns=sql.SQL(", ").join(sql.Identifier(column) for column in columns),
        updated=updated or columns,
    )


def _few_rows(connection: psycopg.Connection, fired: _Fired) -> bool:
    query = sql.SQL("SELECT FROM {} LIMIT {}").format(fired.relation, sql.Literal(VIEW_ROWS + 1))
    return len(connection.execute(query).fetchall()) <= VIEW_ROWS


def _drop_foreign_keys(connection: psycopg.Connection, fired: _Fired) -> None:
    """They would stop the statement before an AFTER trigger fires."""
    keys = connection.execute(
        "SELECT n.nspname, c.relname, k.conname FROM pg_constraint k "
        "JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE k.contype = 'f' AND %s IN (k.conrelid, k.confrelid)",
        (fired.oid,),
    ).fetchall()
    for schema, table, name in keys:
        connection.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                sql.Identifier(schema, table), sql.Identifier(name)
            )
        )


def _make_sure_of_a_row(connection: psycopg.Connection, fired: _Fired) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(fired.relation)
    if connection.execute(query).fetchone() == (True,):
        return True
    required = connection.execute(
        "SELECT a.attname, t.typcategory::text, t.typname FROM pg_attribute a "
        "JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = %s AND a.attnum > 0 "
        "AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND NOT a.attisdropped",
        (fired.oid,),
    ).fetchall()
    values = {
        name: _OTHER_SAMPLES.get(type_name, _SAMPLES.get(category, ""))
        for name, category, type_name in required
    }
    row = sql.SQL("({}) VALUES ({})").format(
        sql.SQL(", ").join(sql.Identifier(name) for name in values),
        sql.SQL(", ").join(sql.Literal(value) for value in values.values()),
    )
    try:
        with connection.transaction():
            connection.execute(
                sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(fired.relation)
            )
            connection.execute(
                sql.SQL("INSERT INTO {} ").format(fired.relation)
                + (row if values else sql.SQL("DEFAULT VALUES"))
            )
            connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(fired.relation))
    except (psycopg.errors.IntegrityError, psycopg.DataError):
        return False
    return True

"""The switch: what was built and proven becomes the target, in one transaction.

Killing this process or the server at any moment leaves either the old target with the staging
schema beside it, or the new one; the row in `buttress_moves`, written by the same transaction,
tells which.
"""

from __future__ import annotations

import random
import re
import time

import msgspec
import psycopg
from psycopg import sql

from buttress.errors import ConfigurationError, Conflict, Unavailable
from buttress.mover.plan import Plan
from buttress.mover.report import MoveReport
from buttress.mover.statements import answering, leave_transaction, raw, reason_of
from buttress.mover.target import Target

LOCK_TIMEOUT_SECONDS = 3
"""Longer than the second an autovacuum needs to make way."""
ATTEMPTS = 10

_NOT_OF_AN_EXTENSION = (
    "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass "
    "AND e.objid = c.oid AND e.deptype = 'e')"
)
_RELATIONS = (
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') "
    # A sequence that belongs to a column goes where its table goes.
    "AND NOT (c.relkind = 'S' AND EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid "
    "AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass "
    "AND d.deptype IN ('a', 'i'))) AND " + _NOT_OF_AN_EXTENSION
)


def occupied(connection: psycopg.Connection, schema: str) -> list[str]:
    """The relations `schema` already holds, without those of extensions and the record of moves."""
    rows = connection.execute(
        _RELATIONS + " AND c.relname <> 'buttress_moves' ORDER BY 1", (schema,)
    ).fetchall()
    return [str(name) for (name,) in rows]


def switched(connection: psycopg.Connection, schema: str, move_id: str) -> bool:
    """Whether the switch of that move was committed: the answer when the server died during it."""
    if not _exists(connection, schema, "buttress_moves"):
        return False
    query = sql.SQL("SELECT 1 FROM {} WHERE id = %s").format(
        sql.Identifier(schema, "buttress_moves")
    )
    return connection.execute(query, (move_id,)).fetchone() is not None


def switch(
    connection: psycopg.Connection,
    plan: Plan,
    target: Target,
    report: MoveReport,
    *,
    replace: bool,
    grant_to: str | None,
) -> None:
    """Make the staging schema the final one, and record the move in its `buttress_moves`.

    One transaction, committed to disk when this returns. Side tables that stayed empty go. With
    `replace` what the final schema held is kept in a schema beside it, and a note of the plan says
    so. `grant_to` may read and write the tables afterwards.

    Raises
    ------
    Conflict
        The final schema holds relations and `replace` is False.
    ConfigurationError
        The role `grant_to` does not exist, or this user does not own what is to be replaced.
    Unavailable
        The server is gone, or other sessions kept a table locked; nothing was changed, unless
        `switched` says otherwise.
    """
    with answering(target.label):
        leave_transaction(connection)
        for attempt in range(ATTEMPTS):
            time.sleep(attempt * random.uniform(0.1, 0.5))
            try:
                with connection.transaction():
                    _switch(connection, plan, target, report, replace=replace, grant_to=grant_to)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                continue
            except psycopg.errors.InsufficientPrivilege as error:
                raise ConfigurationError(
                    f"the switch on {target.label} was refused: {reason_of(error)}",
                    hint="Continue with --resume as the user who owns the schema and its tables.",
                ) from error
            return
    raise Unavailable(
        f"tables of schema {target.schema} of {target.label} stayed locked by other sessions",
        hint="End the sessions that use them, then continue with --resume.",
    )


def _switch(
    connection: psycopg.Connection,
    plan: Plan,
    target: Target,
    report: MoveReport,
    *,
    replace: bool,
    grant_to: str | None,
) -> None:
    connection.execute("SET LOCAL synchronous_commit = on")
    connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{LOCK_TIMEOUT_SECONDS}s",))
    staging, final = sql.Identifier(target.staging), sql.Identifier(target.schema)
    held = occupied(connection, target.schema)
    if held and not replace:
        raise Conflict(
            f"schema {target.schema} of {target.label} already holds {', '.join(held[:5])}",
            hint="Name another one with --schema, or use --replace to keep them in one beside it.",
        )
    kept = f"{target.schema.encode()[:30].decode(errors='ignore')}__before_{report.id}"[:63]
    note = f"what schema {target.schema} held before is kept in schema {kept}"
    if held and note not in plan.notes:
        plan.notes.append(note)
    _drop_empty_side_tables(connection, target)
    _bind_functions(connection, target)
    if grant_to is not None:
        _grant(connection, target, grant_to)
    exists = connection.execute(
        "SELECT 1 FROM pg_namespace WHERE nspname = %s", (target.schema,)
    ).fetchone()
    if exists is None:
        connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(staging, final))
    else:
        if held:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(kept)))
            _set_aside(connection, target, kept)
        if _exists(connection, target.schema, "buttress_moves"):
            _drop(connection, target, "buttress_moves")
        _move_all(connection, target.staging, target.schema)
        # Without CASCADE: a thing that was left in it by mistake must stop the switch.
        connection.execute(sql.SQL("DROP SCHEMA {}").format(staging))
    if grant_to is not None:
        connection.execute(
            sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(final, sql.Identifier(grant_to))
        )
    connection.execute(
        sql.SQL(
            "INSERT INTO {} (id, source, finished_at, plan, report) "
            "VALUES (%s, %s, clock_timestamp(), %s::jsonb, %s::jsonb)"
        ).format(sql.Identifier(target.schema, "buttress_moves")),
        (report.id, report.source, _json(plan), _json(report)),
    )


def _drop_empty_side_tables(connection: psycopg.Connection, target: Target) -> None:
    _drop(connection, target, "buttress_progress")
    for name in ("buttress_quarantine", "buttress_cells"):
        used = connection.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(target.staging, name))
        ).fetchone()
        if used == (False,):
            _drop(connection, target, name)


def _drop(connection: psycopg.Connection, target: Target, table: str) -> None:
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(target.staging, table)))


def _bind_functions(connection: psycopg.Connection, target: Target) -> None:
    """The bodies of trigger functions name tables without schema: fix where they look for them."""
    for signature in _routines(connection, target.staging):
        connection.execute(
            sql.SQL("ALTER ROUTINE {}.{} SET search_path = {}, pg_temp").format(
                sql.Identifier(target.staging), raw(signature), sql.Identifier(target.schema)
            )
        )


def _grant(connection: psycopg.Connection, target: Target, role: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    if known is None:
        raise ConfigurationError(
            f"there is no role {role} in {target.label}",
            hint="Create it, or leave the role to grant to out, then continue with --resume.",
        )
    for rights, kind in (
        ("SELECT, INSERT, UPDATE, DELETE", "TABLES"),
        ("USAGE, SELECT", "SEQUENCES"),
        ("EXECUTE", "ROUTINES"),
    ):
        connection.execute(
            sql.SQL("GRANT {} ON ALL {} IN SCHEMA {} TO {}").format(
                raw(rights), raw(kind), sql.Identifier(target.staging), sql.Identifier(role)
            )
        )


def _set_aside(connection: psycopg.Connection, target: Target, kept: str) -> None:
    """Move what the final schema holds out of the way: all relations, and what else would clash."""
    for name in occupied(connection, target.schema):
        _move_table(connection, target.schema, name, kept)
    coming = set(_routines(connection, target.staging))
    for signature in _routines(connection, target.schema):
        if signature in coming:
            _move_routine(connection, target.schema, signature, kept)
    names = connection.execute(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.reltype <> 0",
        (target.staging,),
    ).fetchall()
    for name in set(_types(connection, target.schema)) & {str(name) for (name,) in names}:
        _move_type(connection, target.schema, name, kept)


def _move_all(connection: psycopg.Connection, old: str, new: str) -> None:
    relations = connection.execute(_RELATIONS, (old,)).fetchall()
    for (name,) in relations:
        _move_table(connection, old, str(name), new)
    for signature in _routines(connection, old):
        _move_routine(connection, old, signature, new)
    for name in _types(connection, old):
        _move_type(connection, old, name, new)


def _move_table(connection: psycopg.Connection, old: str, name: str, new: str) -> None:
    # ALTER TABLE takes views and sequences too; indexes, constraints and owned sequences follow.
    connection.execute(
        sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(
            sql.Identifier(old, name), sql.Identifier(new)
        )
    )


def _move_routine(connection: psycopg.Connection, old: str, signature: str, new: str) -> None:
    connection.execute(
        sql.SQL("ALTER ROUTINE {}.{} SET SCHEMA {}").format(
            sql.Identifier(old), raw(signature), sql.Identifier(new)
        )
    )


def _move_type(connection: psycopg.Connection, old: str, name: str, new: str) -> None:
    connection.execute(
        sql.SQL("ALTER TYPE {} SET SCHEMA {}").format(
            sql.Identifier(old, name), sql.Identifier(new)
        )
    )


def _routines(connection: psycopg.Connection, schema: str) -> list[str]:
    """Name and argument types, as SQL."""
    rows = connection.execute(
        "SELECT format('%%I(%%s)', p.proname, pg_get_function_identity_arguments(p.oid)) "
        "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = %s "
        "AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass "
        "AND e.objid = p.oid AND e.deptype = 'e') ORDER BY 1",
        (schema,),
    ).fetchall()
    return [str(signature) for (signature,) in rows]


def _types(connection: psycopg.Connection, schema: str) -> list[str]:
    """Types of their own: no table's row type, no array, nothing an extension owns."""
    rows = connection.execute(
        "SELECT t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
        "LEFT JOIN pg_class c ON c.oid = t.typrelid WHERE n.nspname = %s "
        "AND (t.typtype IN ('d', 'e', 'r') OR c.relkind = 'c') "
        "AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass "
        "AND e.objid = t.oid AND e.deptype = 'e') ORDER BY 1",
        (schema,),
    ).fetchall()
    return [str(name) for (name,) in rows]


def _exists(connection: psycopg.Connection, schema: str, table: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s",
        (schema, table),
    ).fetchone()
    return row is not None


def _json(value: Plan | MoveReport) -> str:
    """JSON that jsonb takes: U+0000, which no PostgreSQL text can hold, becomes U+FFFD."""
    text = msgspec.json.encode(value).decode()
    return re.sub(r"(?<!\\)((?:\\\\)*)\\u0000", r"\1\\ufffd", text)

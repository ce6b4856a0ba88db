"""CHECK constraints and foreign keys: added NOT VALID, then validated, kept NOT VALID when
violated.

A constraint that rows violate still holds for every row written from now on, as it did in the
source.
"""

from __future__ import annotations

import re
from contextlib import closing
from functools import partial
from pathlib import Path

import apsw
import psycopg
from psycopg import sql

from buttress.mover.finishing.keys import built, columns
from buttress.mover.plan import Check, ForeignKey, NotCarried, Plan, Table
from buttress.mover.report import Orphans
from buttress.mover.source.snapshot import open_snapshot
from buttress.mover.statements import attempt, raw, reason_of
from buttress.mover.target import Target

EXAMPLES = 20
ACTIONS = {"NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"}


def constraints(connection: psycopg.Connection, schema: str) -> dict[tuple[str, str], bool]:
    """The constraints of a schema by table and name, and whether each is validated."""
    rows = connection.execute(
        "SELECT r.relname, c.conname, c.convalidated FROM pg_constraint c "
        "JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace "
        "WHERE n.nspname = %s",
        (schema,),
    ).fetchall()
    return {(table, name): validated for table, name, validated in rows}


def add_constraints(connection: psycopg.Connection, plan: Plan, target: Target) -> list[NotCarried]:
    """Add every CHECK and foreign key that is not there yet, NOT VALID; returns what is refused."""
    present = constraints(connection, target.staging)
    refused: list[NotCarried] = []
    for table in built(plan):
        for check in table.checks:
            if (table.target, check.target) not in present:
                condition = sql.SQL("CHECK ({})").format(raw(check.sql))
                error = _add(connection, table, check.target, condition, target)
                if error:
                    refused.append(_check_refused(table, check, error))
        for key in table.foreign_keys:
            if (table.target, key.target) not in present:
                error = _add_foreign_key(connection, plan, table, key, target)
                if error:
                    refused.append(_key_refused(table, key, error))
    return refused


def validate_checks(
    connection: psycopg.Connection, table: Table, target: Target, snapshot: Path
) -> list[NotCarried]:
    """Validate the table's CHECKs.

    One that rows violate stays NOT VALID when they violate it in the source too. When the source
    sees no violation the translation is wrong, and when it cannot be computed it would refuse good
    rows: such a CHECK is dropped.
    """
    present = constraints(connection, target.staging)
    refused: list[NotCarried] = []
    for check in table.checks:
        if present.get((table.target, check.target)) is not False:
            continue
        error = _validate(connection, table, check.target, target)
        if error is None:
            continue
        reason = reason_of(error)
        if isinstance(error, psycopg.errors.CheckViolation):
            count = _violations(connection, table, check)
            there = _violations_in_source(snapshot, table, check)
            if there != 0:
                reason = f"kept NOT VALID: {count} rows violate it"
                refused.append(_check_refused(table, check, reason))
                continue
            reason = f"its translation refuses {count} rows that SQLite's check allows: {check.sql}"
        _drop(connection, table, check.target)
        refused.append(_check_refused(table, check, reason))
    return refused


def validate_foreign_keys(
    connection: psycopg.Connection, plan: Plan, table: Table, target: Target
) -> tuple[list[Orphans], list[NotCarried]]:
    """Validate the table's foreign keys; one with orphans stays NOT VALID and they are listed."""
    present = constraints(connection, target.staging)
    orphans: list[Orphans] = []
    refused: list[NotCarried] = []
    for key in table.foreign_keys:
        if present.get((table.target, key.target)) is not False:
            continue
        error = _validate(connection, table, key.target, target)
        if isinstance(error, psycopg.errors.ForeignKeyViolation):
            orphans.append(_orphans(connection, plan, table, key))
        elif error is not None:
            _drop(connection, table, key.target)
            refused.append(_key_refused(table, key, reason_of(error)))
    return orphans, refused


def _add(
    connection: psycopg.Connection,
    table: Table,
    name: str,
    definition: sql.Composed,
    target: Target,
) -> str:
    statement = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {} NOT VALID").format(
        sql.Identifier(table.target), sql.Identifier(name), definition
    )
    error = attempt(connection, partial(connection.execute, statement), target.label)
    return "" if error is None else reason_of(error)


def _add_foreign_key(
    connection: psycopg.Connection, plan: Plan, table: Table, key: ForeignKey, target: Target
) -> str:
    folded = key.parent.lower()
    parent = next((one for one in built(plan) if one.name.lower() == folded), None)
    if parent is None:
        return f"its parent table {key.parent} is not in the target"
    known = {column.name.lower() for column in parent.columns}
    missing = [name for name in key.parent_columns if name.lower() not in known]
    if missing:
        return f"its parent table {key.parent} has no column {missing[0]}"
    if not {key.on_update, key.on_delete} <= ACTIONS:
        return f"the actions {key.on_update} and {key.on_delete} are not PostgreSQL's"
    definition = sql.SQL("FOREIGN KEY ({}) REFERENCES {} ({}) ON UPDATE {} ON DELETE {}{}").format(
        columns(table, key.columns),
        sql.Identifier(parent.target),
        columns(parent, key.parent_columns),
        raw(key.on_update),
        raw(key.on_delete),
        raw(" DEFERRABLE INITIALLY DEFERRED" if key.deferrable else ""),
    )
    return _add(connection, table, key.target, definition, target)


def _validate(
    connection: psycopg.Connection, table: Table, name: str, target: Target
) -> psycopg.Error | None:
    statement = sql.SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(
        sql.Identifier(table.target), sql.Identifier(name)
    )
    return attempt(connection, partial(connection.execute, statement), target.label)


def _drop(connection: psycopg.Connection, table: Table, name: str) -> None:
    connection.execute(
        sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
            sql.Identifier(table.target), sql.Identifier(name)
        )
    )


def _violations(connection: psycopg.Connection, table: Table, check: Check) -> int:
    row = connection.execute(
        sql.SQL("SELECT count(*) FROM {} WHERE NOT ({})").format(
            sql.Identifier(table.target), raw(check.sql)
        )
    ).fetchone()
    assert row is not None
    return int(row[0])


def _violations_in_source(snapshot: Path, table: Table, check: Check) -> int | None:
    """Rows of the source that violate the CHECK as SQLite reads it; None when it cannot tell."""
    condition = re.sub(
        r"^\s*(?:CONSTRAINT\s+\S+\s+)?CHECK\b", "", check.source, count=1, flags=re.IGNORECASE
    )
    name = table.name.replace('"', '""')
    with closing(open_snapshot(snapshot)) as source:
        try:
            count = source.execute(f'SELECT count(*) FROM "{name}" WHERE NOT ({condition})').get
        except apsw.Error:
            return None
    return int(count)


def _orphans(connection: psycopg.Connection, plan: Plan, table: Table, key: ForeignKey) -> Orphans:
    parent = plan.table(key.parent)
    pairs = zip(key.columns, key.parent_columns, strict=True)
    same = sql.SQL(" AND ").join(
        sql.SQL("parent.{} = child.{}").format(
            sql.Identifier(parent.column(theirs).target), sql.Identifier(table.column(ours).target)
        )
        for ours, theirs in pairs
    )
    held = sql.SQL(" AND ").join(
        sql.SQL("child.{} IS NOT NULL").format(sql.Identifier(table.column(name).target))
        for name in key.columns
    )
    orphans = sql.SQL(
        "FROM {} child WHERE {} AND NOT EXISTS (SELECT FROM {} parent WHERE {})"
    ).format(sql.Identifier(table.target), held, sql.Identifier(parent.target), same)
    counted = connection.execute(sql.SQL("SELECT count(*) ") + orphans).fetchone()
    assert counted is not None
    shown = [*table.key, *(name for name in key.columns if name not in table.key)]
    order = sql.SQL(", ").join(
        sql.SQL("child.{}").format(sql.Identifier(table.column(name).target))
        for name in table.key or key.columns
    )
    rows = connection.execute(
        sql.SQL("SELECT {} {} ORDER BY {} LIMIT {}").format(
            sql.SQL(", ").join(
                sql.SQL("child.{}::text").format(sql.Identifier(table.column(name).target))
                for name in shown
            ),
            orphans,
            order,
            sql.Literal(EXAMPLES),
        )
    ).fetchall()
    return Orphans(
        table=table.name,
        foreign_key=key.target,
        rows=int(counted[0]),
        examples=[
            ", ".join(f"{name} {value}" for name, value in zip(shown, row, strict=True))
            for row in rows
        ],
    )


def _check_refused(table: Table, check: Check, reason: str) -> NotCarried:
    return NotCarried(
        kind="check", name=check.target, table=table.name, source=check.source, reason=reason
    )


def _key_refused(table: Table, key: ForeignKey, reason: str) -> NotCarried:
    source = (
        f"FOREIGN KEY ({', '.join(key.columns)}) REFERENCES {key.parent} "
        f"({', '.join(key.parent_columns)})"
    )
    return NotCarried(
        kind="foreign key", name=key.target, table=table.name, source=source, reason=reason
    )

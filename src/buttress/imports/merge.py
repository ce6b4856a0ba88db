"""From staging into the table: rows the table would object to are told apart, the rest is merged.

Each statement sees what was committed before it, so the order matters: new rows are inserted
first, giving way to rows that another program inserts at the same moment, and then everything that
differs is updated, those included. Rows that are equal are not touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text

from buttress.errors import BadInput
from buttress.imports.staging import ROW, Staging
from buttress.imports.target import Column, Reference, Target

OnConflict = Literal["update", "ignore", "error"]

Reject = Callable[[str, str], int]
"""Takes a condition on staged rows `s` and SQL for the reason; gives how many rows it removed."""


@dataclass(frozen=True)
class Merged:
    """How many rows of the table were added and changed."""

    inserted: int
    updated: int


def choose_key(
    target: Target,
    columns: Sequence[Column],
    asked: Sequence[str] | None,
    on_conflict: OnConflict,
) -> tuple[str, ...]:
    """The columns that tell whether a row is there already; none when rows are only added."""
    names = {column.name for column in columns}
    if asked is not None:
        key = next((unique for unique in target.uniques if set(unique) == set(asked)), None)
        if key is None or not names.issuperset(key):
            raise BadInput(
                f"({', '.join(asked)}) is no key of {target.label} that the rows have",
                hint="Name the columns of its primary key or of a unique constraint.",
            )
        return key
    usable = [unique for unique in target.uniques if names.issuperset(unique)]
    if usable and (usable[0] == target.primary_key or len(usable) == 1):
        return usable[0]
    if on_conflict == "error":
        return ()
    raise BadInput(
        f"the rows have no key of {target.label}, or more than one",
        hint='Say which columns with key=(…), or on_conflict="error" to only add rows.',
    )


def reject_unstorable(staging: Staging, target: Target, key: Sequence[str], reject: Reject) -> None:
    """Remove staged rows that types, keys, checks and references of the table would refuse."""
    _reject_invalid(staging, reject)
    _reject_repeated(staging, key, reject)
    _reject_checks(staging, target, reject)
    _reject_taken(staging, target, key, reject)
    for reference in target.references:
        _reject_orphans(staging, target, reference, reject)


def merge(staging: Staging, target: Target, key: Sequence[str], on_conflict: OnConflict) -> Merged:
    """Insert what is new and update what differs."""
    quote = staging.quote
    names = ", ".join(quote(column.name) for column in staging.columns)
    insert = f"INSERT INTO {target.sql} ({names}) SELECT {names} FROM {staging.sql} s"
    # In the order of the key, neighbours go to the same pages of its index.
    order = ", ".join([*(quote(name) for name in key), ROW])
    if on_conflict == "error":
        return Merged(staging.run(f"{insert} ORDER BY {order}" if key else insert), 0)
    arbiter = ", ".join(quote(name) for name in key)
    inserted = staging.run(
        f"{insert} WHERE NOT EXISTS (SELECT 1 FROM {target.sql} t WHERE {_same(staging, key)}) "
        f"ORDER BY {order} ON CONFLICT ({arbiter}) DO NOTHING"
    )
    others = [column for column in staging.columns if column.name not in key]
    if on_conflict == "ignore" or not others or inserted == staging.rows:
        return Merged(inserted, 0)
    sets = ", ".join(f"{quote(column.name)} = s.{quote(column.name)}" for column in others)
    updated = staging.run(
        f"UPDATE {target.sql} AS t SET {sets} FROM {staging.sql} s "
        f"WHERE {_same(staging, key)} AND ({_differ(staging, others)})"
    )
    return Merged(inserted, updated)


def _same(staging: Staging, key: Iterable[str], table: str = "t") -> str:
    return " AND ".join(f"{table}.{staging.quote(name)} = s.{staging.quote(name)}" for name in key)


def _differ(staging: Staging, columns: Sequence[Column]) -> str:
    parts = []
    for column in columns:
        name = staging.quote(column.name)
        if staging.connection.dialect.name == "sqlite":
            parts.append(f"t.{name} IS NOT s.{name}")
        elif column.kind == "other" or column.type_name == "json":  # types without equality
            parts.append(f"t.{name}::text IS DISTINCT FROM s.{name}::text")
        else:
            parts.append(f"t.{name} IS DISTINCT FROM s.{name}")
    return " OR ".join(parts)


def _reject_invalid(staging: Staging, reject: Reject) -> None:
    """Values that PostgreSQL itself has to read; before version 16 it cannot be asked."""
    columns = [column for column in staging.columns if column.staged_as_text]
    if staging.connection.dialect.name != "postgresql" or not columns:
        return
    version = staging.connection.scalar(text("SHOW server_version_num"))
    for column in columns:
        name = staging.quote(column.name)
        if int(version or 0) >= 160_000:
            type_name = _literal(column.type_name)
            reject(
                f"NOT pg_input_is_valid(s.{name}, {type_name})",
                _literal(f"{column.name}: a value that {column.type_name} does not take"),
            )
        staging.convert(column)


def _reject_repeated(staging: Staging, key: Sequence[str], reject: Reject) -> None:
    """Of rows with the same key the last one counts."""
    if not key:
        return
    names = [staging.quote(name) for name in key]
    nullable = [column for column in staging.columns if column.name in key and column.nullable]
    for column in nullable:
        reject(
            f"s.{staging.quote(column.name)} IS NULL",
            _literal(f"{column.name}: no value in a column of the key"),
        )
    listed = ", ".join(names)
    found = staging.connection.exec_driver_sql(
        f"SELECT 1 FROM {staging.sql} GROUP BY {listed} HAVING count(*) > 1 LIMIT 1",
        execution_options={"no_parameters": True},
    ).first()
    if found is not None:
        reject(
            f"s.{ROW} IN (SELECT {ROW} FROM (SELECT {ROW}, row_number() OVER "
            f"(PARTITION BY {listed} ORDER BY {ROW} DESC) AS place FROM {staging.sql}) AS placed "
            "WHERE place > 1)",
            "'a later row has the same key'",
        )


def _reject_checks(staging: Staging, target: Target, reject: Reject) -> None:
    staged = {column.name for column in staging.columns}
    absent = [column.name for column in target.columns if column.name not in staged]
    for name, expression in target.checks:
        if any(re.search(rf"\b{re.escape(column)}\b", expression) for column in absent):
            continue  # it depends on what the row has already
        reject(f"NOT ({expression})", _literal(f"breaks the rule {name}"))


def _reject_taken(staging: Staging, target: Target, key: Sequence[str], reject: Reject) -> None:
    """Rows whose value of another unique constraint belongs to a row with another key."""
    staged = {column.name for column in staging.columns}
    for unique in target.uniques:
        if not key or set(unique) == set(key) or not staged.issuperset(unique):
            continue
        columns = ", ".join(staging.quote(name) for name in unique)
        present = " AND ".join(f"s.{staging.quote(name)} IS NOT NULL" for name in unique)
        reason = f"another row has the same ({', '.join(unique)})"
        reject(
            f"{present} AND (EXISTS (SELECT 1 FROM {target.sql} t WHERE {_same(staging, unique)} "
            f"AND NOT ({_same(staging, key)})) OR s.{ROW} IN (SELECT {ROW} FROM (SELECT {ROW}, "
            f"row_number() OVER (PARTITION BY {columns} ORDER BY {ROW}) AS place "
            f"FROM {staging.sql}) AS placed WHERE place > 1))",
            _literal(reason),
        )


def _reject_orphans(staging: Staging, target: Target, reference: Reference, reject: Reject) -> None:
    staged = {column.name for column in staging.columns}
    if not staged.issuperset(reference.columns):
        return
    quote = staging.quote
    pairs = list(zip(reference.columns, reference.referred, strict=True))
    present = " AND ".join(f"s.{quote(name)} IS NOT NULL" for name in reference.columns)
    same = " AND ".join(f"p.{quote(other)} = s.{quote(name)}" for name, other in pairs)
    condition = f"{present} AND NOT EXISTS (SELECT 1 FROM {reference.table} p WHERE {same})"
    to_itself = reference.table in (target.sql, target.label)
    if to_itself and staged.issuperset(reference.referred):
        condition += f" AND NOT EXISTS (SELECT 1 FROM {staging.sql} p WHERE {same})"
    reason = f"{', '.join(reference.columns)}: refers to a row that is not there"
    while reject(condition, _literal(reason)) and to_itself:
        pass  # a row that went may have been referred to


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

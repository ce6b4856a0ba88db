"""Summary tables for dashboards that triggers keep exact: declared beside the model they add up.

    Rollup("campaigns_daily", source=Campaign, by=["day", "platform"], sums=["spend", "clicks"])

A roll-up has a row for each combination of its dimensions, NULL included: `rows`, and for each
summed column `<name>_sum` and `<name>_count`, the number of values that were added.

It is a view over a table `<name>_parts`, to which every statement that writes to the source, COPY
too, appends in its own transaction what it added and took away. So a roll-up is never older than
its source, and writers never wait for each other, as they would if they updated the same sums.
Now and then one of them folds the parts of each combination into one. On SQLite a roll-up is a
view of the source itself.

Sums are numeric and exact; floats are added as the numeric of 15 digits PostgreSQL makes of them,
NaN and infinities not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from buttress.db.catalogue import quoted
from buttress.db.rollup import PIN, PINNED, UNPIN, Rollup, Summary, declared
from buttress.db.rollup_histogram import BUCKET, BUCKET_FUNCTION, bucket_value
from buttress.errors import ConfigurationError, NotFound, Unsupported

__all__ = [
    "Rollup",
    "RollupDifference",
    "declared",
    "fold",
    "install",
    "installation",
    "percentiles",
    "percentiles_by",
    "rebuild",
    "uninstall",
    "verify",
]

DIFFERENCES = 100
"""Differences that `verify` returns."""


@dataclass(frozen=True)
class RollupDifference:
    """A combination of dimensions whose numbers are not those of the source; None: no such row."""

    table: str
    dimensions: Mapping[str, Any]
    expected: Mapping[str, Any] | None
    found: Mapping[str, Any] | None


def install(connection: Connection, rollup: Rollup) -> bool:
    """Create and fill a roll-up; connect as the source's owner.

    Gives False when it is there as declared. One that was declared differently is made anew.
    Writers of the source wait meanwhile. Raises `Unsupported` for a histogram on SQLite.
    """
    if connection.dialect.name == "sqlite":
        return _install_view(connection, rollup)
    statements = installation(rollup)
    mark = hashlib.sha256("".join(statements).encode()).hexdigest()[:16]
    there = connection.scalar(
        text("SELECT obj_description(to_regclass(:name), 'pg_class')"),
        {"name": quoted(rollup.name)},
    )
    if there == f"roll-up {mark}":
        return False
    for statement in [*statements, f"COMMENT ON VIEW {quoted(rollup.name)} IS 'roll-up {mark}'"]:
        _run(connection, statement)
    return True


def uninstall(connection: Connection, rollup: Rollup) -> None:
    """Remove a roll-up and its triggers."""
    if connection.dialect.name == "sqlite":
        for name in (rollup.parts, rollup.name):
            _run(connection, f"DROP VIEW IF EXISTS {quoted(name)}")
        return
    for statement in _removal(rollup):
        _run(connection, statement)


def rebuild(connection: Connection, rollup: Rollup) -> None:
    """Add the source up again; readers see the old numbers until the transaction's end."""
    if connection.dialect.name == "sqlite":
        return
    _run(connection, f"LOCK TABLE {rollup.source_name} IN SHARE ROW EXCLUSIVE MODE")
    _run(connection, f"SELECT pg_advisory_xact_lock({_lock_key(rollup)})")
    for statement in PIN:
        _run(connection, statement)
    for summary in rollup.summaries:
        _run(connection, f"DELETE FROM {summary.parts}")
        _run(connection, _fill(rollup, summary))
    _run(connection, UNPIN)


def fold(connection: Connection, rollup: Rollup) -> None:
    """Make one part of all those of a combination now; writers do it themselves in time."""
    if connection.dialect.name != "sqlite":
        _run(connection, f"SELECT pg_advisory_xact_lock({_lock_key(rollup)})")
        for summary in rollup.summaries:
            _run(connection, summary.fold())


def verify(connection: Connection, rollup: Rollup) -> list[RollupDifference]:
    """Where a roll-up differs from its source, both seen in the same snapshot; at most a hundred.

    Raises `NotFound` when it is not installed.
    """
    if connection.dialect.name == "sqlite":
        return []
    return [
        difference
        for summary in rollup.summaries
        for difference in _differences(connection, rollup, summary)
    ]


def percentiles(
    connection: Connection,
    rollup: Rollup,
    fractions: Sequence[float],
    where: str = "true",
    parameters: Mapping[str, Any] | None = None,
) -> list[float | None]:
    """Percentiles of the histogram's value, each within 1.6 % of the true one; None without rows.

    `where` is SQL over the dimensions, with `:names` from `parameters`.
    """
    if rollup.histogram is None:
        raise ConfigurationError(
            f"roll-up {rollup.name!r} has no histogram", hint="Declare it with histogram=…."
        )
    if connection.dialect.name == "sqlite":
        raise Unsupported(
            f"SQLite keeps no histogram of roll-up {rollup.name!r}",
            hint="Use PostgreSQL, or ask for percentiles of the source.",
        )
    chosen = ", ".join(
        f"min(bucket) FILTER (WHERE upto >= {float(fraction)!r} * total)" for fraction in fractions
    )
    row = connection.execute(
        text(
            f"WITH counted AS (SELECT {BUCKET} AS bucket, sum(rows) AS rows "
            f"FROM {quoted(rollup.name + '_histogram_parts')} "
            f"WHERE {BUCKET} IS NOT NULL AND ({where}) GROUP BY 1), "
            "ranked AS (SELECT bucket, sum(rows) OVER (ORDER BY bucket) AS upto, "
            f"sum(rows) OVER () AS total FROM counted) SELECT {chosen} FROM ranked"
        ),
        dict(parameters or {}),
    ).one()
    return [None if bucket is None else bucket_value(bucket) for bucket in row]


def percentiles_by(
    connection: Connection,
    rollup: Rollup,
    fractions: Sequence[float],
    by: str,
    where: str = "true",
    parameters: Mapping[str, Any] | None = None,
) -> dict[Any, list[float | None]]:
    """The same for each value of a dimension, in one statement; values without rows are not there.

    Raises `NotFound` for a name that is no dimension.
    """
    if rollup.histogram is None or connection.dialect.name == "sqlite":
        percentiles(connection, rollup, fractions)  # which says why not
    if by not in rollup.dimensions:
        raise NotFound(f"roll-up {rollup.name!r} has no dimension {by!r}")
    chosen = ", ".join(
        f"min(bucket) FILTER (WHERE upto >= {float(fraction)!r} * total)" for fraction in fractions
    )
    rows = connection.execute(
        text(
            f"WITH counted AS (SELECT {quoted(by)} AS of, {BUCKET} AS bucket, sum(rows) AS rows "
            f"FROM {quoted(rollup.name + '_histogram_parts')} "
            f"WHERE {BUCKET} IS NOT NULL AND ({where}) GROUP BY 1, 2), "
            "ranked AS (SELECT of, bucket, sum(rows) OVER (PARTITION BY of ORDER BY bucket) "
            "AS upto, sum(rows) OVER (PARTITION BY of) AS total FROM counted) "
            f"SELECT of, {chosen} FROM ranked GROUP BY of"
        ),
        dict(parameters or {}),
    )
    return {
        of: [None if bucket is None else bucket_value(bucket) for bucket in found]
        for of, *found in rows
    }


def installation(rollup: Rollup) -> list[str]:
    """The statements that create and fill a roll-up on PostgreSQL, for a migration of your own."""
    source = rollup.source_name
    statements = [BUCKET_FUNCTION] if rollup.histogram is not None else []
    # Taken first: what is written between filling and the triggers would be missed.
    statements += [f"LOCK TABLE {source} IN SHARE ROW EXCLUSIVE MODE", *_removal(rollup), *PIN]
    for summary in rollup.summaries:
        statements += [
            f"CREATE TABLE {summary.parts} AS {summary.select(source)} WITH NO DATA",
            summary.view(),
            _fill(rollup, summary),
        ]
    statements.append(UNPIN)
    bodies = {
        "INSERT": ("NEW TABLE AS added", _appends(rollup, added=True)),
        "DELETE": ("OLD TABLE AS removed", _appends(rollup, removed=True)),
        "UPDATE": (
            "OLD TABLE AS removed NEW TABLE AS added",
            _appends(rollup, added=True, removed=True),
        ),
        # As the source's rows, also those a snapshot from before does not see.
        "TRUNCATE": ("", f"TRUNCATE {', '.join(s.parts for s in rollup.summaries)};"),
    }
    pinned = " ".join(f"SET {name} = '{value}'" for name, value in PINNED.items())
    for event, (transition, body) in bodies.items():
        function = _function(rollup, event)
        # The writer needs no right on the summary, and must not be able to replace what is called.
        statements.append(
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
            f"SET search_path FROM CURRENT {pinned} "
            f"AS $rollup$ BEGIN\n{body}\nRETURN NULL; END $rollup$"
        )
        referencing = f"REFERENCING {transition} " if transition else ""
        statements.append(
            f"CREATE TRIGGER {function} AFTER {event} ON {source} {referencing}"
            f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )
    return statements


def _appends(rollup: Rollup, *, added: bool = False, removed: bool = False) -> str:
    lines = []
    for summary in rollup.summaries:
        changes = [summary.select("added")] if added else []
        changes += [summary.select("removed", sign="-")] if removed else []
        lines.append(f"{summary.append(changes)};")
    folds = " ".join(f"{summary.fold()};" for summary in rollup.summaries)
    # One at a time, so that no writer waits for another's fold; with an older snapshot the rows
    # that another has folded would be an error.
    lines.append(
        f"IF random() * {rollup.fold_every} < 1 "
        "AND current_setting('transaction_isolation') = 'read committed' "
        f"AND pg_try_advisory_xact_lock({_lock_key(rollup)}) THEN {folds} END IF;"
    )
    return "\n".join(lines)


def _lock_key(rollup: Rollup) -> int:
    digest = hashlib.blake2b(f"roll-up:{rollup.name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _removal(rollup: Rollup) -> list[str]:
    functions = ", ".join(
        f"{_function(rollup, event)}()" for event in ("INSERT", "DELETE", "UPDATE", "TRUNCATE")
    )
    names = (rollup.name, f"{rollup.name}_histogram")
    views = ", ".join(quoted(name) for name in names)
    parts = ", ".join(quoted(f"{name}_parts") for name in names)
    return [
        f"DROP FUNCTION IF EXISTS {functions} CASCADE",
        f"DROP VIEW IF EXISTS {views}",
        f"DROP TABLE IF EXISTS {parts}",
    ]


def _fill(rollup: Rollup, summary: Summary) -> str:
    return f"INSERT INTO {summary.parts} ({summary.columns}) {summary.select(rollup.source_name)}"


def _install_view(connection: Connection, rollup: Rollup) -> bool:
    select = rollup.summaries[0].select(rollup.source_name, dialect="sqlite")
    views = {
        rollup.name: f"CREATE VIEW {quoted(rollup.name)} AS {select}",
        rollup.parts: f"CREATE VIEW {quoted(rollup.parts)} AS SELECT * FROM {quoted(rollup.name)}",
    }
    there = connection.execute(
        text("SELECT name, sql FROM sqlite_schema WHERE name IN (:name, :parts)"),
        {"name": rollup.name, "parts": rollup.parts},
    )
    if {row.name: row.sql for row in there} == views:
        return False
    uninstall(connection, rollup)
    for statement in views.values():
        _run(connection, statement)
    return True


def _differences(
    connection: Connection, rollup: Rollup, summary: Summary
) -> list[RollupDifference]:
    if connection.scalar(text("SELECT to_regclass(:n)"), {"n": quoted(summary.name)}) is None:
        raise NotFound(f"roll-up {rollup.name!r} is not installed", hint="Run `buttress migrate`.")
    same = " AND ".join(
        f"e.{quoted(name)} IS NOT DISTINCT FROM f.{quoted(name)}" for name in summary.dimensions
    )
    expected, found = summary.select(rollup.source_name), f"SELECT {summary.columns} FROM"
    name = quoted(summary.name)
    for statement in PIN:
        _run(connection, statement)
    rows = _ask(
        connection,
        f"WITH e AS MATERIALIZED ({expected}), f AS MATERIALIZED ({found} {name}), "
        "lacking AS (SELECT * FROM e EXCEPT SELECT * FROM f), "
        "strange AS (SELECT * FROM f EXCEPT SELECT * FROM e) "
        f"SELECT to_jsonb(e.*), to_jsonb(f.*) FROM lacking e LEFT JOIN strange f ON {same} "
        f"UNION ALL SELECT NULL, to_jsonb(f.*) FROM strange f WHERE NOT EXISTS "
        f"(SELECT FROM lacking e WHERE {same}) LIMIT {DIFFERENCES}",
    )
    _run(connection, UNPIN)
    return [
        RollupDifference(
            summary.name,
            {name: (one or other)[name] for name in summary.dimensions},
            _measured(summary, one),
            _measured(summary, other),
        )
        for one, other in rows
    ]


def _measured(summary: Summary, row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if row is None else {name: row[name] for name in summary.measures}


def _function(rollup: Rollup, event: str) -> str:
    return quoted(f"rollup_{rollup.name}_{event.lower()}"[:63])


def _run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _ask(connection: Connection, statement: str) -> Sequence[Any]:
    result = connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    return result.all()

"""What row-level security costs a read: our policy beside a WHERE, and beside two usual policies."""

from __future__ import annotations

import statistics
import time
from contextlib import closing
from uuid import UUID

from sqlalchemy import text

from benchmarks.move import fresh
from buttress.db import tenancy
from buttress.db.database import Database
from buttress.db.embedded import Servers

ROWS, OWNERS = 500_000, 1_000
MINE = "nullif(current_setting('buttress.owner_from', true), '')::uuid"
ALL = "current_setting('buttress.owner_to', true)"
POLICIES = {
    "ours": tenancy.condition("owner_id", unowned=False),
    "each_row": f"owner_id = {MINE}",
    "or_all": f"owner_id = (SELECT {MINE}) OR (SELECT {ALL}) = 'everything'",
}


def lines(servers: Servers, quick: bool) -> list[str]:
    """The table of ratios."""
    rows = ROWS // 10 if quick else ROWS
    with fresh(servers, "bench_tenancy") as url, closing(Database(url)) as database:
        mine = prepare(database, rows)
        rounds = 1 if quick else 4
        by_index = ratios(database, mine, rounds, times=10)
        with database.connection() as connection:
            for table in ("plain", *POLICIES):
                connection.exec_driver_sql(f"DROP INDEX {table}_owner_id_idx")
        whole = ratios(database, mine, rounds, times=2)
    return [
        "## What row-level security costs a read",
        "",
        f"Count and sum of one owner's rows, of {rows:,} rows of {OWNERS:,} owners; medians, beside "
        "the same read with a WHERE and no policy.",
        "",
        "| read | our policy | `current_setting` without `(SELECT …)` | `owner = … OR sees all` |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | " + " | ".join(f"{found[policy]:.2f}×" for policy in POLICIES) + " |"
            for name, found in (("by the index", by_index), ("whole table", whole))
        ),
    ]


def prepare(database: Database, rows: int) -> UUID:
    """The same rows in four tables, and one of the owners."""
    with database.connection() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE plain AS SELECT n AS id, md5(mod(n, {OWNERS})::text)::uuid AS owner_id,"
            f" repeat('x', 60) AS text FROM generate_series(1, {rows}) n;"
            " CREATE INDEX ON plain (owner_id); ANALYZE plain"
        )
        for table, policy in POLICIES.items():
            connection.exec_driver_sql(
                f"CREATE TABLE {table} AS TABLE plain; CREATE INDEX ON {table} (owner_id);"
                f" ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
                f" CREATE POLICY p ON {table} USING ({policy}); ANALYZE {table}"
            )
        mine = connection.scalar(text("SELECT md5('5')::uuid"))
    assert isinstance(mine, UUID)
    return mine


def ratios(database: Database, mine: UUID, rounds: int, times: int) -> dict[str, float]:
    """How long each policy takes beside the WHERE, in alternating rounds."""
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for table in ("plain", *POLICIES):
            where = f"WHERE owner_id = '{mine}'" if table == "plain" else ""
            query = text(f"SELECT count(*), sum(id) FROM {table} {where}")
            for _ in range(times):
                with (
                    tenancy.entered(tenancy.Scope(mine)),
                    database.session(read_only=True) as session,
                ):
                    session.execute(text("SET LOCAL max_parallel_workers_per_gather = 0"))
                    began = time.perf_counter()
                    session.execute(query).all()
                    seconds.setdefault(table, []).append(time.perf_counter() - began)
    base = statistics.median(seconds["plain"])
    return {policy: statistics.median(seconds[policy]) / base for policy in POLICIES}

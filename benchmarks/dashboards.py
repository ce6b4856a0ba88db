"""P11, dashboards: six panels over evaluations, from the table itself and from roll-ups."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, text
from sqlalchemy.orm import DeclarativeBase, Session

from benchmarks.move import fresh
from buttress.cache import Cache, Watch, cached
from buttress.cache import install as install_triggers
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.rollups import Rollup, fold, install, percentiles, uninstall, verify
from buttress.settings import TimeoutSettings

EVALUATION = sa.Table(
    "evaluation",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("day", sa.Date),
    sa.Column("model", sa.Text),
    sa.Column("category", sa.Text),
    sa.Column("score", sa.Double, index=True),
    sa.Column("latency_ms", sa.Double),
    sa.Column("cost", sa.Numeric(12, 6)),
)
BY_MODEL = Rollup(
    "evaluations_by_model", source=EVALUATION, by=["day", "model"], sums=["score", "cost"]
)
BY_CATEGORY = Rollup(
    "evaluations_by_category", source=EVALUATION, by=["day", "category"], sums=["score", "cost"]
)
LATENCY = Rollup("evaluations_latency", source=EVALUATION, by=["model"], histogram="latency_ms")
ROLLUPS = [BY_MODEL, BY_CATEGORY, LATENCY]

FILL = """
    INSERT INTO evaluation SELECT n, date '2026-01-01' + (n % 365)::int, 'model ' || n % 8,
        'category ' || n * 7919 % 20, (n * 7907 % 100003) / 100003.0, exp((n * 6101 % 1009) / 150.0),
        (n % 997) / 1e5
    FROM generate_series({first}::bigint, {last}) n
"""
WORST = "SELECT id, model, score FROM evaluation ORDER BY score LIMIT 20"
FROM_TABLE = [
    "SELECT count(*), avg(score), sum(cost) FROM evaluation",
    "SELECT day, count(*), avg(score) FROM evaluation GROUP BY 1 ORDER BY 1",
    "SELECT model, count(*), avg(score), sum(cost) FROM evaluation GROUP BY 1",
    "SELECT category, count(*), avg(score), sum(cost) FROM evaluation GROUP BY 1",
    "SELECT percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY latency_ms) FROM evaluation",
    WORST,
]
IN_ONE_PASS = [
    "SELECT day, model, category, count(*), avg(score), sum(cost) FROM evaluation "
    "GROUP BY GROUPING SETS ((), (day), (model), (category))",
    *FROM_TABLE[4:],
]
MEAN = "sum(score_sum) / sum(score_count)"
FROM_ROLLUPS = [
    f"SELECT sum(rows), {MEAN}, sum(cost_sum) FROM evaluations_by_model",
    f"SELECT day, sum(rows), {MEAN} FROM evaluations_by_model GROUP BY 1 ORDER BY 1",
    f"SELECT model, sum(rows), {MEAN}, sum(cost_sum) FROM evaluations_by_model GROUP BY 1",
    f"SELECT category, sum(rows), {MEAN}, sum(cost_sum) FROM evaluations_by_category GROUP BY 1",
    WORST,
]


def lines(servers: Servers, quick: bool) -> list[str]:
    """Two tables in Markdown: what the panels take, and what keeping the roll-ups costs writers."""
    rows = 100_000 if quick else 1_000_000
    timeouts = TimeoutSettings.model_validate({"statement_seconds": 0})
    with (
        fresh(servers, "bench_rollups") as url,
        closing(Database(url, timeouts=timeouts)) as database,
    ):
        with database.connection() as connection:
            EVALUATION.metadata.create_all(connection)
            connection.execute(text(FILL.format(first=1, last=rows)))
            connection.execute(text("ANALYZE evaluation"))
        plain = _written(database, rows)
        table = _milliseconds(database, lambda connection: _all(connection, FROM_TABLE))
        one_pass = _milliseconds(database, lambda connection: _all(connection, IN_ONE_PASS))
        with database.connection() as connection:
            began = time.perf_counter()
            for rollup in ROLLUPS:
                install(connection, rollup)
            built = time.perf_counter() - began
        rolled = _milliseconds(database, _panels)
        kept = _written(database, rows)
        after = _milliseconds(database, _panels)
        cached_ms, fresh_after_write = _through_the_cache(servers, database, rows)
        with database.connection() as connection:
            exact = not any(verify(connection, rollup) for rollup in ROLLUPS)
            for rollup in ROLLUPS:
                fold(connection, rollup)
                uninstall(connection, rollup)
    return [
        "## Dashboards",
        "",
        f"Six panels over {rows:,} evaluations, one after the other on one connection, medians of five: "
        f"figures, trend by day, two breakdowns, percentiles, the worst 20. The three roll-ups took "
        f"{built:.1f} s to build and were {'exact' if exact else 'WRONG'} in the end.",
        "",
        "| six panels | time | ÷ roll-ups |",
        "| --- | --- | --- |",
        f"| from the table | {table:.0f} ms | {table / rolled:.0f}× |",
        f"| from the table, four of them in one pass (GROUPING SETS) | {one_pass:.0f} ms | {one_pass / rolled:.0f}× |",
        f"| from roll-ups | {rolled:.1f} ms | |",
        f"| from roll-ups, after the writes below | {after:.1f} ms | |",
        f"| from roll-ups through the cache, {'fresh' if fresh_after_write else 'STALE'} after a write "
        f"| {cached_ms:.3f} ms | |",
        "",
        "| writing | without roll-ups | with three | |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | {before:.2f} ms | {now:.2f} ms | {now / before:.2f}× |"
            for (name, before), (_, now) in zip(plain, kept, strict=True)
        ),
    ]


class Tables(DeclarativeBase):
    """Models of this part."""


class Evaluation(Tables):
    """The table as a model, so that the cache can be told to watch it."""

    __table__ = EVALUATION
    __cache_tags__ = ()


@cached("bench panels", tags=[Evaluation])
def panels(session: Session) -> list[list[list[str]]]:
    """All six panels, as texts for the page."""
    connection = session.connection()
    found = [connection.exec_driver_sql(statement).all() for statement in FROM_ROLLUPS]
    shares = percentiles(connection, LATENCY, [0.5, 0.95])
    return [*([[str(cell) for cell in row] for row in rows] for rows in found), [[str(shares)]]]


def _through_the_cache(servers: Servers, database: Database, rows: int) -> tuple[float, bool]:
    """Milliseconds of a hit, and whether a read after a write has it."""
    install_triggers(database, [Watch("evaluation")])
    data = next(servers.home.glob("**/global/pg_control")).parent.parent
    with Cache(database, url=servers.valkey_url, data_folder=data):

        def read() -> list[list[list[str]]]:
            with database.session(read_only=True) as session:
                return panels(session)

        for _ in range(20):
            before = read()
            time.sleep(0.01)
        times = []
        for _ in range(200):
            began = time.perf_counter()
            read()
            times.append(time.perf_counter() - began)
        with database.connection() as connection:
            connection.execute(text(FILL.format(first=rows * 3, last=rows * 3)))
        after = read()
    return statistics.median(times) * 1000, int(after[0][0][0]) == int(before[0][0][0]) + 1


def _all(connection: Connection, statements: list[str]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement).all()


def _panels(connection: Connection) -> None:
    _all(connection, FROM_ROLLUPS)
    percentiles(connection, LATENCY, [0.5, 0.95])


def _milliseconds(database: Database, work: Callable[[Connection], Any]) -> float:
    times = []
    for _ in range(6):
        with database.connection(read_only=True) as connection:
            began = time.perf_counter()
            work(connection)
            times.append(time.perf_counter() - began)
    return statistics.median(times[1:]) * 1000  # the first one warms the connection


def _written(database: Database, rows: int) -> list[tuple[str, float]]:
    """Milliseconds of a transaction of one row and of one of ten thousand; both are undone."""
    found = []
    for name, count, times in (("1 row", 1, 200), ("10,000 rows at once", 10_000, 5)):
        seconds = []
        for turn in range(times):
            first = rows * 2 + turn * count
            statement = FILL.format(first=first, last=first + count - 1)
            began = time.perf_counter()
            with database.connection() as connection:
                connection.execute(text(statement))
            seconds.append(time.perf_counter() - began)
        found.append((name, statistics.median(seconds) * 1000))
        with database.connection() as connection:
            connection.execute(
                text("DELETE FROM evaluation WHERE id >= :first"), {"first": rows * 2}
            )
    return found

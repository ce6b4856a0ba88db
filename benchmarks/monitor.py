"""P6: what timing costs a query, beside no timing and what is usually done."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from sqlalchemy import Column, Engine, Integer, MetaData, Table, Text, create_engine, event, select

from benchmarks.move import fresh
from buttress.db.embedded import Servers
from buttress.db.execution import Executions
from buttress.db.monitor.monitor import NOTES, Monitor
from buttress.db.url import parse_database_url

METADATA = MetaData()
PRODUCT = Table("product", METADATA, Column("id", Integer, primary_key=True), Column("name", Text))
QUERY = select(PRODUCT.c.name).where(PRODUCT.c.id == 5)
BLOCK = 2 * NOTES
"""Queries timed at once: whole batches, so that what is counted later is paid for here."""


def nothing(engine: Engine) -> None:
    """No timing."""


def ours(engine: Engine) -> None:
    """Statement, line, route, histogram, N+1."""
    Executions(Monitor().record).wrap(engine)


def on_cursor(engine: Engine, tell: Callable[[str, float], None]) -> None:
    """SQLAlchemy's two events, as its documentation times queries."""

    def before(connection: Any, *_: object) -> None:
        connection.info.setdefault("began", []).append(time.perf_counter())

    def after(connection: Any, _: object, statement: str, *__: object) -> None:
        tell(statement, time.perf_counter() - connection.info["began"].pop())

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)


def events_and_deque(engine: Engine) -> None:
    """The last 10,000 queries in a deque under a lock."""
    lock, kept = threading.Lock(), deque[tuple[str, float, float]](maxlen=10_000)

    def tell(statement: str, seconds: float) -> None:
        with lock:
            kept.append((statement, seconds, time.time()))

    on_cursor(engine, tell)


def prometheus(engine: Engine) -> None:
    """A histogram of prometheus-client by kind of statement."""
    histogram = Histogram("query", "query", ["kind"], registry=CollectorRegistry())

    def tell(statement: str, seconds: float) -> None:
        histogram.labels(statement.split(None, 1)[0].lower()).observe(seconds)

    on_cursor(engine, tell)


WAYS = {
    "not timed": nothing,
    "Buttress: statement, line, histogram, N+1": ours,
    "events, lock, deque": events_and_deque,
    "events, prometheus-client": prometheus,
}


def lines(servers: Servers, quick: bool) -> list[str]:
    """Markdown: a Core query by primary key, alternating blocks, the median of the differences."""
    rounds = 6 if quick else 40
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    with fresh(servers, "bench_monitor") as url:
        engines = [create_engine(parse_database_url(url).sqlalchemy) for _ in WAYS]
        with engines[0].begin() as connection:
            METADATA.create_all(connection)
            connection.execute(PRODUCT.insert(), [{"id": n, "name": "x"} for n in range(100)])
        for engine, prepare in zip(engines, WAYS.values(), strict=True):
            prepare(engine)
            block(engine)
        for _ in range(rounds):
            for engine, name in zip(engines, WAYS, strict=True):
                taken[name].append(block(engine))
        for engine in engines:
            engine.dispose()
    bare = taken["not timed"]
    rows = []
    for name, blocks in taken.items():
        added = [(a[0] - b[0], a[1] - b[1]) for a, b in zip(blocks, bare, strict=True)]
        rows.append(
            f"| {name} | {statistics.median(wall for wall, _ in blocks):.0f} µs | "
            f"{statistics.median(wall for wall, _ in added):+.1f} µs | "
            f"{statistics.median(used for _, used in added):+.1f} µs |"
        )
    return [
        "## What timing costs a query",
        "",
        f"A Core query by primary key, eight to a transaction, blocks of {BLOCK} in turn; medians of "
        "the differences between neighbouring blocks.",
        "",
        "| timed by | a query | added time | added processor time |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
    ]


def block(engine: Engine) -> tuple[float, float]:
    """Microseconds a query, by the clock and of this process's processor time."""
    began, used = time.perf_counter_ns(), time.process_time_ns()
    for _ in range(BLOCK // 8):
        with engine.connect() as connection:
            for _ in range(8):
                connection.execute(QUERY).all()
    scale = BLOCK * 1_000
    return (time.perf_counter_ns() - began) / scale, (time.process_time_ns() - used) / scale

"""P5: checkout, liveness check, fairness and a restart under 100 workers, beside SQLAlchemy's pool."""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import QueuePool

from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.settings import PoolSettings

WORKERS = 100
THINK_SECONDS = 0.1
OURS, PLAIN, PINGED = "Buttress", "SQLAlchemy QueuePool", "QueuePool with pre_ping"


def lines(servers: Servers, quick: bool) -> list[str]:
    """The section as Markdown."""
    seconds, rounds = (2.0, 1) if quick else (4.0, 3)
    url = servers.postgres_url("owner")
    return [
        "## The pool",
        "",
        f"20 connections and 30 more under load, {WORKERS} threads, each `SELECT 1` in a transaction of its "
        f"own; medians of {rounds} alternating rounds of {seconds:g} s. Checkout is the time from asking for a "
        "connection to having it.",
        "",
        "| 100 ms think time | checkout p50 | p99 | longest | refused |",
        "| --- | --- | --- | --- | --- |",
        *_checkouts(url, seconds, rounds),
        "",
        "| no think time, 20 connections only | transactions a second | longest wait |",
        "| --- | --- | --- |",
        *_saturated(url, seconds, rounds),
        "",
        "| is the connection alive? | a check |",
        "| --- | --- |",
        *_checks(url, 2_000 if quick else 20_000),
        "",
        "| `restart` under 100 workers, 100 ms think time | server away | errors | longest stall |",
        "| --- | --- | --- | --- |",
        *_restarts(1 if quick else 3),
        "",
    ]


@contextmanager
def _engines(url: str, *, overflow: int = 30) -> Iterator[dict[str, Engine]]:
    size = {"pool_size": 20, "max_overflow": overflow}
    ours = Database(url, pool=PoolSettings(size=20, overflow=overflow))
    target = ours.url.sqlalchemy
    engines = {
        OURS: ours.engine,
        PLAIN: create_engine(target, poolclass=QueuePool, **size),
        PINGED: create_engine(target, poolclass=QueuePool, pool_pre_ping=True, **size),
    }
    try:
        yield engines
    finally:
        ours.close()
        for engine in engines.values():
            engine.dispose()


class _Run:
    """What happened to the workers of one round."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.stalls: list[float] = []
        self.errors = 0
        self.transactions = 0
        self.away = 0.0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.waits)
        return ordered[int(len(ordered) * share)]


def _work(
    engine: Engine,
    seconds: float,
    think_seconds: float,
    meanwhile: Callable[[], float] | None = None,
) -> _Run:
    """Let the workers use the engine for so long, or until `meanwhile` has returned and a second more."""
    run, stop = _Run(), threading.Event()

    def worker(number: int) -> None:
        # Not all in step: a worker thinks first.
        stop.wait(think_seconds * number / WORKERS)
        while not stop.is_set():
            asked = time.perf_counter()
            try:
                with engine.connect() as connection:
                    got = time.perf_counter()
                    connection.execute(text("SELECT 1"))
                    run.waits.append(got - asked)
                run.transactions += 1
            except Exception:  # noqa: BLE001 — whatever a caller sees counts
                run.errors += 1
            run.stalls.append(time.perf_counter() - asked)
            if think_seconds:
                stop.wait(think_seconds)

    threads = [threading.Thread(target=worker, args=[number]) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    if meanwhile is not None:
        time.sleep(1.0)
        run.away = meanwhile()
        seconds = 1.0
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return run


def _rounds(
    url: str, seconds: float, rounds: int, think_seconds: float, overflow: int = 30
) -> dict[str, list[_Run]]:
    runs: dict[str, list[_Run]] = {}
    with _engines(url, overflow=overflow) as engines:
        for engine in engines.values():
            _work(engine, 0.3, think_seconds)  # connections are open when it counts
        for _ in range(rounds):
            for name, engine in engines.items():
                runs.setdefault(name, []).append(_work(engine, seconds, think_seconds))
    return runs


def _checkouts(url: str, seconds: float, rounds: int) -> list[str]:
    return [
        f"| {name} | {_median(runs, lambda run: run.percentile(0.5)) * 1e6:.0f} µs "
        f"| {_median(runs, lambda run: run.percentile(0.99)) * 1e6:.0f} µs "
        f"| {_median(runs, lambda run: max(run.waits)) * 1e3:.1f} ms | {sum(run.errors for run in runs)} |"
        for name, runs in _rounds(url, seconds, rounds, THINK_SECONDS).items()
    ]


def _saturated(url: str, seconds: float, rounds: int) -> list[str]:
    return [
        f"| {name} | {_median(runs, lambda run: run.transactions / seconds):,.0f} "
        f"| {_median(runs, lambda run: max(run.waits)):.2f} s |"
        for name, runs in _rounds(url, seconds, rounds, 0.0, overflow=0).items()
    ]


def _median(runs: list[_Run], figure: Callable[[_Run], float]) -> float:
    return statistics.median(figure(run) for run in runs)


def _checks(url: str, times: int) -> list[str]:
    database = Database(url)
    with database.engine.connect() as connection:
        entry: Any = connection.connection._connection_record
        dialect: Any = connection.dialect

        def each(check: Callable[[], Any]) -> float:
            best = float("inf")
            for _ in range(5):
                began = time.perf_counter()
                for _ in range(times // 5):
                    check()
                best = min(best, (time.perf_counter() - began) / (times // 5))
            return best * 1e6

        poll = each(lambda: database.backend.is_dead(entry))
        ping = each(lambda: dialect.do_ping(entry.dbapi_connection))
    database.close()
    return [
        f"| Buttress: has its socket anything to read? | {poll:.1f} µs |",
        f"| SQLAlchemy's pre_ping: a round trip | {ping:.0f} µs ({ping / poll:.0f}×) |",
    ]


def _restarts(rounds: int) -> list[str]:
    sys.path.insert(0, "tests")
    from own_server import own_server

    rows = []
    with own_server() as server:
        for mode in ("fast", "immediate"):
            restart = partial(server.restart, mode)
            found: dict[str, list[_Run]] = {}
            with _engines(server.url) as engines:
                for _ in range(rounds):
                    for name, engine in engines.items():
                        run = _work(engine, 0, THINK_SECONDS, restart)
                        found.setdefault(name, []).append(run)
            rows += [
                f"| {name}, {mode} | {_median(runs, lambda run: run.away):.2f} s "
                f"| {', '.join(str(run.errors) for run in runs)} | "
                f"{_median(runs, lambda run: max(run.stalls)):.2f} s: server away "
                f"{_median(runs, lambda run: max(run.stalls) - run.away):+.2f} s |"
                for name, runs in found.items()
            ]
    return rows

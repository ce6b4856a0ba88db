"""P9: how long a job takes from being asked for to done, beside DBOS at its defaults.

Both do the same empty job with 10 threads in one worker, on the same embedded server. Each
worker is a process of its own: `python -m benchmarks.jobs ours-worker URL`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from buttress.app import App
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.jobs import Jobs
from buttress.jobs.tables import install

OURS, PEER = "Buttress", "DBOS 3.4 at its defaults"
THREADS = 10
OFFERED_A_SECOND = 20.0
PEER_SCHEMA = "dbos"

app = App("bench", title="Benchmark", package=__name__)


@app.job
def finished() -> float:
    """When it was done, by the clock of this machine."""
    return time.time()


def lines(servers: Servers, quick: bool) -> list[str]:
    """The section as Markdown."""
    started, offered, burst, rounds = (50, 40, 60, 1) if quick else (300, 200, 300, 3)
    url = servers.postgres_url("owner")
    with closing(Database(url)) as database:
        install(database)
    figures: dict[str, dict[str, list[float]]] = {OURS: {}, PEER: {}}
    for _ in range(rounds):
        for name, role, client in ((OURS, "ours", _our_client), (PEER, "peer", _peer_client)):
            into = figures[name]
            for latency in json.loads(_run(f"{role}-start", url, str(started))):
                into.setdefault("start", []).append(latency)
            with _worker(f"{role}-worker", url), client(url) as (ask, answers):
                queued, a_second = _queued(ask, answers, offered, burst)
            into.setdefault("queued", []).extend(queued)
            into.setdefault("throughput", []).append(a_second)
    return [
        "## Jobs",
        "",
        f"Empty jobs, one worker of {THREADS} threads in a process of its own, PostgreSQL with durable commits; "
        f"all of {rounds} alternating rounds. *Started*: somebody waits in the process that does it, from the "
        f"call to the result, {started} one after the other. *Queued*: from before the call to the job's end in "
        f"the worker, {OFFERED_A_SECOND:g} a second. *Throughput*: {burst} enqueued before, from the first to the "
        "last end.",
        "",
        "| | started p50 | p99 | queued p50 | p99 | throughput |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_row(name, found) for name, found in figures.items()),
        "",
    ]


def _row(name: str, found: dict[str, list[float]]) -> str:
    cells = [
        f"{_percentile(found[what], percent) * 1000:,.1f} ms"
        for what in ("start", "queued")
        for percent in (50, 99)
    ]
    throughput = f"{statistics.median(found['throughput']):,.0f} a second"
    return f"| {name} | {' | '.join(cells)} | {throughput} |"


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


Ask = Callable[[], str]
Answers = Callable[[list[str]], list[float]]


def _queued(ask: Ask, answers: Answers, offered: int, burst: int) -> tuple[list[float], float]:
    """Latencies at a steady pace, and jobs a second of a heap."""
    answers([ask()])  # the worker's first look is behind it
    asked: list[tuple[str, float]] = []
    for number in range(offered):
        if number == 0:
            begun = time.monotonic()
        time.sleep(max(0.0, begun + number / OFFERED_A_SECOND - time.monotonic()))
        at = time.time()
        asked.append((ask(), at))
    ended = answers([job for job, _ in asked])
    latencies = [end - at for end, (_, at) in zip(ended, asked, strict=True)]
    heap = sorted(answers([ask() for _ in range(burst)]))
    return latencies, (burst - 1) / max(heap[-1] - heap[0], 1e-9)


@contextmanager
def _our_client(url: str) -> Iterator[tuple[Ask, Answers]]:
    with closing(Database(url)) as database, Jobs(database, lambda: app.jobs) as jobs:
        yield (
            lambda: jobs.enqueue(finished).id,
            lambda ids: [jobs.result(job, timeout_seconds=300) for job in ids],
        )


@contextmanager
def _peer_client(url: str) -> Iterator[tuple[Ask, Answers]]:
    from dbos import DBOSClient

    client = DBOSClient(system_database_url=_plain(url), dbos_system_schema=PEER_SCHEMA)
    try:
        yield (
            lambda: client.enqueue(
                {"workflow_name": "finished", "queue_name": "bench"}
            ).get_workflow_id(),
            lambda ids: [client.retrieve_workflow(job).get_result() for job in ids],
        )
    finally:
        client.destroy()


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def _run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.jobs", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


@contextmanager
def _worker(*arguments: str) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.jobs", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        while process.stdout.readline().strip() != "ready":
            assert process.poll() is None
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def _we_work(url: str) -> Iterator[Jobs]:
    from buttress.jobs.worker import Worker

    with (
        closing(Database(url)) as database,
        Jobs(database, lambda: app.jobs) as jobs,
        Worker(jobs, concurrency=THREADS),
    ):
        yield jobs


@contextmanager
def _peer_works(url: str) -> Iterator[Any]:
    """DBOS as its documentation begins; the concurrency is ours, everything else its default."""
    from dbos import DBOS

    DBOS(
        config={
            "name": "bench",
            "system_database_url": _plain(url),
            "dbos_system_schema": PEER_SCHEMA,
            "log_level": "CRITICAL",
        }
    )

    @DBOS.workflow(name="finished")
    def peer_finished() -> float:
        return time.time()

    DBOS.launch()
    DBOS.register_queue("bench", worker_concurrency=THREADS)
    try:
        yield lambda: DBOS.start_workflow(peer_finished).get_result()
    finally:
        DBOS.destroy()


def _started(once: Callable[[], object], times: int) -> list[float]:
    for _ in range(5):
        once()
    latencies = []
    for _ in range(times):
        begun = time.perf_counter()
        once()
        latencies.append(time.perf_counter() - begun)
    return latencies


def child(role: str, url: str, times: int) -> None:
    """What a process of the benchmark does."""
    if role == "ours-start":
        with _we_work(url) as jobs:
            print(json.dumps(_started(lambda: jobs.start(finished).result(), times)))
    elif role == "peer-start":
        with _peer_works(url) as start:
            print(json.dumps(_started(start, times)))
    else:
        with _we_work(url) if role == "ours-worker" else _peer_works(url):
            print("ready", flush=True)
            time.sleep(3600)


if __name__ == "__main__":
    # Under its own name, so that jobs are found by it.
    from benchmarks import jobs as own

    own.child(sys.argv[1], sys.argv[2], int((sys.argv[3:] or ["0"])[0]))

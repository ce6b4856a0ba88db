"""Health under a storm of probes and a frozen database, beside a route that asks for each probe.

`python -m benchmarks.health URL PORT` is the server that is asked.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from fastapi import FastAPI
from sqlalchemy import text

from buttress.api.health import router
from buttress.db.embedded import Servers
from buttress.db.migrations import upgrade
from buttress.runtime import Runtime
from buttress.settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from own_server import OwnServer, own_server

CLIENTS = 20
OURS, PEER, LIVE = "/health/ready", "/naive", "/health/live"
QUESTIONS = "SELECT coalesce(sum(calls), 0)::int FROM pg_stat_statements WHERE query = 'SELECT $1'"


@dataclass
class Storm:
    """What probes met."""

    seconds: float
    times: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    questions: int = 0

    def quantile(self, share: float) -> float:
        """Milliseconds."""
        return sorted(self.times)[int((len(self.times) - 1) * share)] * 1000


def lines(servers: Servers, quick: bool) -> list[str]:
    """The section as Markdown."""
    seconds = 2.0 if quick else 5.0
    with own_server() as server, served(server, servers) as port:
        calm = {path: storm(server, port, path, seconds) for path in (OURS, PEER)}
        with frozen(server):
            time.sleep(1.1)  # what was answered before counts for a second
            stuck = {path: storm(None, port, path, seconds) for path in (OURS, PEER)}
            live = storm(None, port, LIVE, seconds, clients=1)
    return [
        "## Health",
        "",
        f"{CLIENTS} clients ask as fast as they get answers, for {seconds:.0f} s each; the peer is a route that "
        "sends SELECT 1 through the pool for each probe, as most write it. Then PostgreSQL is stopped by "
        "SIGSTOP, and asked again.",
        "",
        "| | probes a second | questions to the database a second | p50 | p99 |",
        "| --- | --- | --- | --- | --- |",
        *(_row(name, calm[path]) for name, path in (("ours", OURS), ("a query each", PEER))),
        "",
        "| frozen | answers | p50 | p99 | longest |",
        "| --- | --- | --- | --- | --- |",
        _frozen_row("ours, ready", stuck[OURS]),
        _frozen_row("ours, live", live),
        _frozen_row("a query each", stuck[PEER]),
        "",
    ]


def _row(name: str, found: Storm) -> str:
    return (
        f"| {name} | {len(found.times) / found.seconds:,.0f} | {found.questions / found.seconds:,.1f} | "
        f"{found.quantile(0.5):.1f} ms | {found.quantile(0.99):.1f} ms |"
    )


def _frozen_row(name: str, found: Storm) -> str:
    answers = ", ".join(f"{n:,} × {status}" for status, n in found.statuses.most_common())
    return (
        f"| {name} | {answers} | {found.quantile(0.5):.1f} ms | {found.quantile(0.99):.1f} ms | "
        f"{found.quantile(1):.1f} ms |"
    )


def storm(
    server: OwnServer | None, port: int, path: str, seconds: float, *, clients: int = CLIENTS
) -> Storm:
    """Ask for so many seconds; with a server, count what it was asked."""
    found = Storm(seconds)
    before = asked(server) if server else 0
    asyncio.run(_all(found, port, path, clients))
    found.questions = asked(server) - before if server else 0
    return found


async def _all(found: Storm, port: int, path: str, clients: int) -> None:
    end = time.monotonic() + found.seconds
    await asyncio.gather(*(_client(found, port, path, end) for _ in range(clients)))


async def _client(found: Storm, port: int, path: str, end: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (left := end - time.monotonic()) > 0:
        began = time.perf_counter()
        writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), left + 0.5)
        except TimeoutError:
            found.statuses["no answer"] += 1
            found.times.append(time.perf_counter() - began)
            break
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        found.times.append(time.perf_counter() - began)
        found.statuses[head[9:12].decode()] += 1
    writer.close()


def asked(server: OwnServer) -> int:
    """How often the server has executed SELECT 1."""
    with psycopg.connect(server.url) as connection:
        row = connection.execute(QUESTIONS).fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def served(server: OwnServer, servers: Servers) -> Iterator[int]:
    """A process that serves both routes; its port."""
    server.stop()
    server.start(shared_preload_libraries="pg_stat_statements")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.health", server.url, servers.valkey_url, str(port)]
    process = subprocess.Popen(command)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None
                time.sleep(0.1)
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def frozen(server: OwnServer) -> Iterator[None]:
    """All processes of the server stand still meanwhile."""
    assert server._process is not None
    main = server._process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    processes = [main, *map(int, children)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def main() -> None:
    """Serve."""
    import uvicorn

    url, valkey, port = sys.argv[1:]
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(_env_file=None, database_url=url, redis_url=valkey, home=home)
        with Runtime(settings) as runtime:
            upgrade(runtime.owner_database, [])
            api = FastAPI()
            api.include_router(router(runtime))

            @api.get(PEER)
            def naive() -> dict[str, str]:
                with runtime.session() as session:
                    session.execute(text("SELECT 1"))
                return {"status": "pass"}

            uvicorn.run(api, port=int(port), log_level="error", access_log=False)


if __name__ == "__main__":
    main()

"""The gate and the API under people and programs, and how soon the workspace is there.

`python -m benchmarks.web serve URL VALKEY PORT KIND` is the process that is asked.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from benchmarks.start import MEGABYTE, PASSWORD, memory_of, once, posted, read, starts
from buttress.db.embedded import Servers
from buttress.db.migrations import upgrade
from buttress.runtime import Runtime
from buttress.settings import Settings

CLIENTS, SIGN_INS, TOKENS = 100, 50, 10
NOTHING, READ = "/api/nothing", "/api/v1/people?limit=50"


@dataclass
class Met:
    """What requests met: milliseconds each, statuses."""

    times: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    def quantile(self, share: float) -> float:
        """Milliseconds."""
        return sorted(self.times)[int((len(self.times) - 1) * share)]

    @property
    def told(self) -> str:
        """How often which status."""
        return ", ".join(f"{times:,} × {status}" for status, times in sorted(self.statuses.items()))


def lines(servers: Servers, quick: bool) -> list[str]:
    """The section as Markdown."""
    seconds, rounds = (2.0, 1) if quick else (5.0, 3)
    out = [
        "## Web",
        "",
        f"Load average {os.getloadavg()[0]:.1f} as it began: others' work counts too.",
        "",
    ]
    with served(servers, "bare") as bare, served(servers, "gated") as gated:
        plain, behind = Met(), Met()
        for _ in range(rounds):
            asyncio.run(ask(plain, bare.port, NOTHING, seconds, clients=1, header=bare.headers[0]))
            asyncio.run(
                ask(behind, gated.port, NOTHING, seconds, clients=1, header=gated.headers[0])
            )
        many = Met()
        asyncio.run(ask(many, gated.port, READ, seconds, clients=CLIENTS, headers=gated.headers))
        calm = Met()
        asyncio.run(
            ask(
                calm,
                gated.port,
                READ,
                4 * seconds,
                clients=CLIENTS,
                headers=gated.headers,
                pause=1.0,
            )
        )
        before = gated.memory()
        signed_in, seen = asyncio.run(sign_ins(gated.port, gated)), gated
        after = max(seen.peaks)
    overhead = behind.quantile(0.5) - plain.quantile(0.5)
    out += [
        f"The same route, which does nothing, with and without the gate, one client, {rounds} rounds of "
        f"{seconds:.0f} s in turn; the gate knows the token from the second before.",
        "",
        "| | requests | p50 | p95 |",
        "| --- | --- | --- | --- |",
        f"| without the gate | {plain.told} | {plain.quantile(0.5):.2f} ms | {plain.quantile(0.95):.2f} ms |",
        f"| behind it | {behind.told} | {behind.quantile(0.5):.2f} ms | {behind.quantile(0.95):.2f} ms |",
        f"| the gate | | {overhead:.2f} ms | |",
        "",
        f"{CLIENTS} clients with {TOKENS} people's tokens ask for 50 people of PostgreSQL as fast as they get "
        f"answers, for {seconds:.0f} s; then {SIGN_INS} people sign in by password at once.",
        "",
        "| | answers | p50 | p95 |",
        "| --- | --- | --- | --- |",
        f"| {CLIENTS} readers | {many.told}, {len(many.times) / seconds:,.0f}/s | {many.quantile(0.5):.0f} ms | "
        f"{many.quantile(0.95):.0f} ms |",
        f"| {CLIENTS} readers that wait a second after each answer | {calm.told}, "
        f"{len(calm.times) / (4 * seconds):,.0f}/s | {calm.quantile(0.5):.0f} ms | "
        f"{calm.quantile(0.95):.0f} ms |",
        f"| {SIGN_INS} sign-ins | {signed_in.told} | {signed_in.quantile(0.5):.0f} ms | "
        f"{signed_in.quantile(0.95):.0f} ms |",
        "",
        f"The {SIGN_INS} sign-ins added {(after - before) / MEGABYTE:.0f} MB to the process's {before / MEGABYTE:.0f} MB.",
        "",
    ]
    return out + starts()


@dataclass
class Server:
    """A process that is asked."""

    port: int
    process: int
    headers: list[str]
    cookies: list[str] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    def memory(self) -> int:
        """Bytes."""
        return memory_of(self.process)


@contextmanager
def served(servers: Servers, kind: str) -> Iterator[Server]:
    """A process that serves the API, bare or gated; with tokens of ten people."""
    name = f"web_{kind}_{os.getpid()}"
    import psycopg

    administrator = servers.postgres_url("postgres", "postgres")
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER buttress_owner")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = servers.postgres_url("owner", name)
    command = [
        sys.executable,
        "-m",
        "benchmarks.web",
        "serve",
        url,
        servers.valkey_url,
        str(port),
        kind,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        tokens = [process.stdout.readline().strip() for _ in range(TOKENS)]
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None
                time.sleep(0.05)
        yield Server(port, process.pid, [f"authorization: Bearer {token}" for token in tokens])
    finally:
        process.kill()
        process.wait()


async def ask(
    met: Met,
    port: int,
    path: str,
    seconds: float,
    *,
    clients: int,
    header: str = "",
    headers: list[str] | None = None,
    pause: float = 0.0,
) -> None:
    """So many clients ask for so many seconds, each on a connection of its own, and wait so many
    seconds after each answer."""
    end = time.monotonic() + seconds
    each = headers or [header]

    async def client(number: int) -> None:
        await asyncio.sleep(pause * number / clients)  # not all at the same moment
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = (
            f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{each[number % len(each)]}\r\n\r\n".encode()
        )
        while time.monotonic() < end:
            began = time.perf_counter()
            writer.write(request)
            status, _ = await read(reader)
            met.times.append((time.perf_counter() - began) * 1000)
            met.statuses[status] = met.statuses.get(status, 0) + 1
            if pause:
                await asyncio.sleep(pause)
        writer.close()

    await asyncio.gather(*(client(number) for number in range(clients)))


async def sign_ins(port: int, server: Server) -> Met:
    """Fifty people at the same moment, with the process's memory read meanwhile."""
    met, working = Met(), True

    async def one(number: int) -> None:
        form = urlencode({"name": f"p{number}@example.com", "password": PASSWORD})
        began = time.perf_counter()
        answer = await once(port, posted("sign-in", form))
        met.times.append((time.perf_counter() - began) * 1000)
        status = int(answer[9:12])
        met.statuses[status] = met.statuses.get(status, 0) + 1

    async def watch() -> None:
        while working:
            server.peaks.append(server.memory())
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(one(number) for number in range(SIGN_INS)))
    working = False
    await watching
    return met


def serve(url: str, valkey: str, port: str, kind: str) -> None:
    """The process."""
    import uvicorn
    from fastapi import Response

    from buttress.access import acting, passwords, people, permissions_of, tokens
    from buttress.access.identity import Identity
    from buttress.api.app import create_api
    from buttress.cli.garbage import settling
    from buttress.gate import Gate

    access: Any = {"requests_per_minute": 10**9}
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(
            _env_file=None, database_url=url, redis_url=valkey, home=home, access=access
        )
        with Runtime(settings) as runtime:
            upgrade(runtime.owner_database, [])
            hashed = passwords.rehash(PASSWORD)
            with runtime.session() as session:
                for number in range(SIGN_INS):
                    person = people.create(session, f"p{number}@example.com", "admin")
                    person.password = hashed
                    if number < TOKENS:
                        identity = Identity(
                            person.id, person.name, "admin", permissions_of("admin")
                        )
                        with acting(identity):
                            print(
                                tokens.create(session, person, "t", ["people.manage", "apps.read"])
                            )
            sys.stdout.flush()
            api = create_api(runtime)

            async def nothing() -> Response:
                return Response(b"nothing")

            api.router.routes.insert(0, _route(NOTHING, nothing))
            application = api if kind == "bare" else Gate(api, runtime)
            with settling(0.1):
                uvicorn.run(application, port=int(port), log_level="error", access_log=False)


def _route(path: str, answer: Any) -> Any:
    from starlette.routing import Route

    async def endpoint(_: Any) -> Any:
        return await answer()

    return Route(path, endpoint)


if __name__ == "__main__":
    serve(*sys.argv[2:])

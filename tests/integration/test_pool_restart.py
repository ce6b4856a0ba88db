"""A server that restarts under load: what readers and writers see of it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text

from buttress.db.database import Database
from buttress.errors import ConnectionLost
from own_server import OwnServer, own_server


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server() as running:
        yield running


@pytest.fixture
def database(server: OwnServer) -> Iterator[Database]:
    database = Database(server.url)
    with database.connection() as connection:
        connection.execute(text("DROP TABLE IF EXISTS entry"))
        connection.execute(text("CREATE TABLE entry (id integer PRIMARY KEY)"))
    yield database
    database.close()


@dataclass
class Load:
    """Workers that use a database until they are told to stop, and what happened to them."""

    stop: threading.Event = field(default_factory=threading.Event)
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    longest: dict[str, float] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    threads: list[threading.Thread] = field(default_factory=list)

    def add(self, kind: str, workers: int, work: Callable[[], Any]) -> None:
        self.errors[kind], self.longest[kind], self.done[kind] = [], 0.0, 0

        def run() -> None:
            while not self.stop.is_set():
                began = time.monotonic()
                try:
                    work()
                    self.done[kind] += 1
                except Exception as error:
                    self.errors[kind].append(error)
                self.longest[kind] = max(self.longest[kind], time.monotonic() - began)
                self.stop.wait(0.05)

        self.threads += [threading.Thread(target=run) for _ in range(workers)]

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


class Entries:
    """Writers' numbers: acknowledged, known not to be there, or neither."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.acknowledged: set[int] = set()
        self.undone: set[int] = set()
        self._next = iter(range(1_000_000))

    def write(self) -> None:
        number = next(self._next)
        try:
            with self.database.session() as session:
                session.execute(text("INSERT INTO entry VALUES (:id)"), {"id": number})
                session.execute(text("SELECT pg_sleep(0.002)"))
        except ConnectionLost as error:
            if not error.commit_unknown:
                self.undone.add(number)
            raise
        self.acknowledged.add(number)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_under_a_hundred_workers_is_a_pause_for_readers_and_one_error_for_writers(
    server, database, mode, capsys
):
    entries = Entries(database)

    def look() -> None:
        with database.session(read_only=True) as session:
            session.execute(text("SELECT count(*), pg_sleep(0.002) FROM entry"))

    def look_twice() -> None:
        def work(session: Any) -> None:
            session.execute(text("SELECT pg_sleep(0.002)"))
            session.execute(text("SELECT count(*) FROM entry"))

        database.read(work)

    load = Load()
    load.add("one read", 50, look)
    load.add("several reads", 25, look_twice)
    load.add("writes", 25, entries.write)
    with load:
        time.sleep(1.0)
        before = dict(load.done)
        away = server.restart(mode)
        time.sleep(1.0)

    with capsys.disabled():
        longest = {kind: round(seconds, 3) for kind, seconds in load.longest.items()}
        errors = {kind: len(raised) for kind, raised in load.errors.items()}
        print(f"\n{mode}: away {away:.3f} s, longest {longest}, errors {errors}, done {load.done}")
    assert load.errors["one read"] == load.errors["several reads"] == []
    assert all(isinstance(error, ConnectionLost) for error in load.errors["writes"])
    assert all(load.done[kind] > before[kind] for kind in before)
    stored = set(database.read(lambda session: session.scalars(text("SELECT id FROM entry")).all()))
    assert entries.acknowledged <= stored
    assert not entries.undone & stored
    # Bounds on a machine that does other things; the measured ones are printed above.
    assert max(load.longest.values()) < away + 2.0


def test_a_hundred_tasks_read_on_while_the_server_restarts(server, database):
    async def journey() -> tuple[int, list[BaseException]]:
        stop, done = asyncio.Event(), []

        async def read() -> None:
            while not stop.is_set():
                async with database.async_session(read_only=True) as session:
                    done.append(await session.scalar(text("SELECT count(*) FROM entry")))
                await asyncio.sleep(0.05)

        tasks = [asyncio.create_task(read()) for _ in range(100)]
        await asyncio.sleep(1.0)
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(0.3)
        server.start()
        before = len(done)
        await asyncio.sleep(1.0)
        stop.set()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await database.aclose()
        return len(done) - before, [error for error in ended if error is not None]

    read_after, errors = asyncio.run(journey())

    assert errors == []
    assert read_after > 100

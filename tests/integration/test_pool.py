"""Who gets which connection of a pool, and what its figures tell."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, text

from buttress.db.database import Database
from buttress.errors import Unavailable
from buttress.settings import PoolSettings

Open = Callable[..., Database]


@pytest.fixture
def open_database(database_url: str) -> Iterator[Open]:
    opened = []

    def open(**pool: Any) -> Database:
        opened.append(Database(database_url, pool=PoolSettings(**pool)))
        return opened[-1]

    yield open
    for database in opened:
        database.close()


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def backend_pid(database: Database) -> int:
    with database.connection() as connection:
        pid: int = connection.scalar(text("SELECT pg_backend_pid()"))
        return pid


def test_waiting_threads_are_served_in_the_order_they_came(open_database):
    database = open_database(size=1, overflow=0)
    served = []

    def wait(number: int) -> None:
        with database.connection():
            served.append(number)

    threads = [threading.Thread(target=wait, args=[number]) for number in range(8)]
    with database.connection():
        for number, thread in enumerate(threads):
            thread.start()
            eventually(lambda expected=number + 1: database.pool_stats().waiting == expected)
    for thread in threads:
        thread.join()

    assert served == list(range(8))


def test_nobody_starves_when_all_want_a_connection_all_the_time(open_database):
    database = open_database(size=2, overflow=0)
    stop = threading.Event()
    times = [0] * 12

    def work(number: int) -> None:
        while not stop.is_set():
            with database.connection() as connection:
                connection.execute(text("SELECT 1"))
            times[number] += 1

    threads = [threading.Thread(target=work, args=[number]) for number in range(len(times))]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    stop.set()
    for thread in threads:
        thread.join()

    assert min(times) > max(times) / 2, times


def test_waiting_tasks_are_served_in_the_order_they_came(open_database):
    database = open_database(size=1, overflow=0)
    served = []

    async def wait(number: int) -> None:
        async with database.async_session() as session:
            await session.execute(text("SELECT 1"))
            served.append(number)

    async def journey() -> None:
        async with database.async_session() as session:
            await session.execute(text("SELECT 1"))
            tasks = []
            for number in range(8):
                tasks.append(asyncio.create_task(wait(number)))
                await asyncio.sleep(0.01)
            assert database.pool_stats().waiting == 8
        await asyncio.gather(*tasks)
        await database.aclose()

    asyncio.run(journey())
    assert served == list(range(8))


def test_a_task_cancelled_while_it_waits_leaves_its_turn_to_the_next(open_database):
    database = open_database(size=1, overflow=0, timeout_seconds=5)

    async def use() -> int:
        async with database.async_session() as session:
            return int(await session.scalar(text("SELECT 1")) or 0)

    async def journey() -> int:
        async with database.async_session() as session:
            await session.execute(text("SELECT 1"))
            doomed, patient = asyncio.create_task(use()), asyncio.create_task(use())
            await asyncio.sleep(0.05)
        # The connection has been handed to `doomed`, which has not run yet.
        doomed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doomed
        result = await patient
        assert database.pool_stats().checked_out == 0
        await database.aclose()
        return result

    assert asyncio.run(journey()) == 1


def test_the_connection_used_last_is_used_next(open_database):
    database = open_database(size=3)
    with database.connection(), database.connection():
        last = backend_pid(database)

    with database.connection() as first, database.connection():
        again = first.scalar(text("SELECT pg_backend_pid()"))
    assert again != last  # it was returned before the two others
    assert backend_pid(database) == again


def test_a_place_whose_connection_cannot_be_opened_goes_to_who_waits(open_database):
    database = open_database(size=1, overflow=0, timeout_seconds=5)
    opening, failing = threading.Event(), threading.Event()

    @event.listens_for(database.engine, "do_connect")
    def fail_once(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
        if not opening.is_set():
            opening.set()
            failing.wait(5)
            options.update(host="/nonexistent")

    errors = []

    def fail() -> None:
        try:
            backend_pid(database)
        except Unavailable as error:
            errors.append(error)

    first = threading.Thread(target=fail)
    first.start()
    assert opening.wait(5)
    threading.Thread(
        target=lambda: (eventually(lambda: database.pool_stats().waiting == 1), failing.set())
    ).start()

    assert backend_pid(database) > 0
    first.join()
    assert len(errors) == 1


def test_connections_beyond_the_size_are_closed_when_they_have_not_been_needed_for_a_while(
    open_database, monkeypatch
):
    database = open_database(size=1, overflow=2)
    with database.connection(), database.connection(), database.connection():
        assert database.pool_stats().overflow == 2
    assert database.pool_stats().idle == 3

    monkeypatch.setattr("buttress.db.pool.SURPLUS_SECONDS", 0.05)
    time.sleep(0.1)
    for _ in range(5):
        backend_pid(database)

    stats = database.pool_stats()
    assert (stats.idle, stats.overflow, stats.checked_out) == (1, 0, 0)
    assert stats.opened == 3


def test_a_connection_in_use_while_its_pool_is_closed_is_closed_when_it_comes_back(open_database):
    database = open_database(size=2)
    with database.connection() as connection:
        pool = database.engine.pool
        driver = connection.connection.driver_connection
        database.close()
        assert connection.scalar(text("SELECT 1")) == 1

    assert driver.closed
    assert pool.checkedin() == pool.checkedout() == 0


def test_a_forgotten_connection_comes_back(open_database):
    database = open_database(size=1, overflow=0, timeout_seconds=1)

    def forget() -> None:
        database.engine.raw_connection()

    forget()
    gc.collect()

    assert backend_pid(database) > 0


def test_a_connection_older_than_the_limit_is_replaced(open_database):
    database = open_database(size=1, recycle_seconds=1)
    first = backend_pid(database)
    assert backend_pid(database) == first

    time.sleep(1.1)

    assert backend_pid(database) != first
    assert database.pool_stats().opened == 2


def test_waits_are_measured(open_database):
    database = open_database(size=1, overflow=0)
    with database.connection():
        thread = threading.Thread(target=backend_pid, args=[database])
        thread.start()
        eventually(lambda: database.pool_stats().waiting == 1)
        time.sleep(0.1)
    thread.join()

    stats = database.pool_stats()
    assert 0.1 <= stats.p99_wait_seconds == stats.longest_wait_seconds < 2.0
    assert stats.waited == 1


def test_a_connection_by_an_engine_of_before_close_is_closed_when_it_is_returned(database_url):
    database = Database(database_url)
    before = database.engine
    database.close()

    with before.connect() as connection:
        wire = connection.connection.dbapi_connection

    assert wire.closed

"""The primary is killed while an app uses it, and its synchronous standby takes over."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from benchmarks.two_clusters import Pair, drill, fail_over, two_clusters
from buttress.cache import Cache, install
from buttress.cache.wire import Wire
from buttress.db.database import Database
from buttress.errors import ConnectionLost, Unavailable
from buttress.jobs import Jobs
from buttress.settings import TimeoutSettings
from cache_world import Table, mine, total
from integration import jobs_world
from own_server import PORT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clusters() -> Iterator[Pair]:
    with two_clusters() as pair:
        yield pair


@pytest.fixture
def pair(clusters: Pair) -> Iterator[Pair]:
    """Commits wait for the standby; afterwards the dead one follows again."""
    clusters.replicate(synchronous=True)
    before = clusters.primary
    yield clusters
    if clusters.primary is not before:
        clusters.rejoin()


@pytest.fixture
def database(pair: Pair) -> Iterator[Database]:
    database = Database(pair.url)
    yield database
    database.close()


def test_no_acknowledged_write_is_lost_when_the_primary_is_killed(clusters, capsys):
    # Twice: the second time the one that was killed first takes over.
    outcomes = [drill(clusters, synchronous=True) for _ in range(2)]

    with capsys.disabled():
        for outcome in outcomes:
            print(
                f"\nfailover: gap {outcome.gap_seconds * 1000:.0f} ms, "
                f"{outcome.acknowledged} acknowledged, acknowledged writes lost {outcome.lost}"
            )
    for outcome in outcomes:
        assert outcome.lost == outcome.risen == 0
        assert outcome.other_errors == []
        assert outcome.most_errors <= 1


class Actors:
    """Threads that each do one thing again and again, and what it raised."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.done: dict[str, int] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def add(self, name: str, act: Callable[[], Any]) -> None:
        self.done[name] = 0

        def run() -> None:
            while not self._stop.wait(0.002):
                try:
                    act()
                    self.done[name] += 1
                except Exception as error:
                    self.errors.append(error)

        self._threads.append(threading.Thread(target=run))

    def __enter__(self) -> "Actors":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


def test_reads_and_work_that_may_be_done_twice_notice_nothing(pair, database):
    with database.connection() as connection:
        connection.execute(text("CREATE TABLE counter (id int PRIMARY KEY, value int)"))
        connection.execute(text("INSERT INTO counter VALUES (1, 0)"))

    def read_once() -> None:
        with database.session(read_only=True) as session:
            session.execute(text("SELECT value FROM counter"))

    def read_twice() -> None:
        database.read(lambda session: [session.execute(text("SELECT 1")) for _ in range(2)])

    def set_value() -> None:
        database.retry(
            lambda session: session.execute(text("UPDATE counter SET value = 7")), idempotent=True
        )

    def read_async() -> None:
        # A new event loop, so a new pool and a new connection each time.
        async def work(session: Any) -> None:
            await session.execute(text("SELECT value FROM counter"))

        asyncio.run(database.async_read(work))

    actors = Actors()
    for act in (read_once, read_twice, set_value, read_async):
        for _ in range(2):
            actors.add(act.__name__, act)
    with actors:
        time.sleep(0.5)
        fail_over(pair)
        after = dict(actors.done)
        time.sleep(1.0)

    assert actors.errors == []
    assert all(actors.done[name] > after[name] for name in after)


def test_cached_reads_go_on_and_are_never_older_than_what_was_acknowledged(pair, database):
    Table.metadata.create_all(database.engine)
    install(database, mine())
    with database.connection() as connection:
        connection.exec_driver_sql(
            "truncate cw_shop cascade; insert into cw_shop values (1, 'one');"
            "insert into cw_price values (1, 1, 's1', 0)"
        )
    acknowledged, stale = 0, []

    def write() -> None:
        nonlocal acknowledged
        cents = acknowledged + 1
        database.retry(
            lambda session: session.execute(text("UPDATE cw_price SET cents = :c"), {"c": cents}),
            idempotent=True,
        )
        acknowledged = cents

    def read() -> None:
        before = acknowledged
        found = database.read(total)
        if found < before:
            stale.append((found, before))

    with Cache(database) as cache:
        actors = Actors()
        actors.add("write", write)
        for _ in range(4):
            actors.add("read", read)
        with actors:
            time.sleep(1.0)
            epoch = cache.barrier.server.epoch
            fail_over(pair)
            after = dict(actors.done)
            time.sleep(2.0)
        assert cache.off == ""
        assert cache.barrier.server.epoch != epoch

    assert stale == []
    assert actors.errors == []
    assert all(actors.done[name] > after[name] for name in after)


def test_jobs_go_on_and_none_is_lost_or_done_twice(pair, database):
    jobs_world.prepare(pair.url)
    worker = jobs_world.start_worker(pair.url)
    try:
        with Jobs(database, lambda: jobs_world.app.jobs) as jobs:
            tickets = [jobs.enqueue(jobs_world.three_steps, n, 0.1) for n in range(40)]
            time.sleep(0.5)
            fail_over(pair)
            for n, ticket in enumerate(tickets):
                assert ticket.result(timeout_seconds=60) == n
    finally:
        jobs_world.end(worker)

    with database.connection(read_only=True) as connection:
        effects = connection.execute(text("SELECT job, step FROM effect")).all()
    assert sorted((row.job, row.step) for row in effects) == [
        (job, step) for job in range(40) for step in range(3)
    ]


def test_a_first_host_that_is_gone_without_a_word_is_waited_for_once(pair):
    # It takes connections and never says anything.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        database = Database(
            f"host=127.0.0.1,{pair.primary.folder} port={port},{PORT} user=postgres "
            "dbname=postgres target_session_attrs=read-write connect_timeout=2"
        )
        seconds = []
        for _ in range(2):
            began = time.monotonic()
            with database.connection(read_only=True) as connection:
                connection.execute(text("SELECT 1"))
            database.close()
            seconds.append(time.monotonic() - began)
        began = time.monotonic()
        Wire(database).close()
        seconds.append(time.monotonic() - began)

    assert seconds[0] > 2
    assert max(seconds[1:]) < 1


def test_no_host_that_takes_writes_is_told_as_such(pair):
    url = f"{pair.standby.url}&target_session_attrs=read-write"
    database = Database(url, timeouts=TimeoutSettings(restart_seconds=0))

    with pytest.raises(Unavailable, match="takes writes"), database.connection():
        pass
    database.close()


def test_a_write_the_standby_has_not_got_is_not_acknowledged(pair, database):
    with database.connection() as connection:
        connection.execute(text("CREATE TABLE lonely (id int)"))
    pair.standby.kill()
    raised: list[BaseException] = []

    def write() -> None:
        try:
            with database.connection() as connection:
                connection.execute(text("INSERT INTO lonely VALUES (1)"))
        except ConnectionLost as error:
            raised.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    writer.join(1.0)
    waits = writer.is_alive()
    pair.primary.kill()
    pair.primary.start()
    pair.standby.start()
    writer.join(30)

    assert waits
    assert [error.commit_unknown for error in raised] == [True]

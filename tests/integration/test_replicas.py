"""Reads on two streaming standbys: fresh enough, with everything the caller wrote, or elsewhere."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text

from buttress.db.database import Database
from buttress.db.positions import PositionHistory, bookmark_from
from buttress.errors import ConfigurationError, Conflict, Unavailable
from buttress.settings import Settings
from own_server import OwnServer, own_servers

pytestmark = pytest.mark.slow


@dataclass
class Cluster:
    primary: OwnServer
    standbys: list[OwnServer]
    database: Database

    def pause(self, number: int) -> None:
        self._tell(number, "SELECT pg_wal_replay_pause()")

    def resume(self, number: int) -> None:
        self._tell(number, "SELECT pg_wal_replay_resume()")

    def _tell(self, number: int, statement: str) -> None:
        with psycopg.connect(self.database.replicas.standbys[number].database.url.conninfo) as one:
            one.execute(statement)

    def usable(self) -> list[bool]:
        return [one.usable for one in self.database.replicas.status()]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[OwnServer, list[OwnServer]]]:
    with own_servers() as folder:
        primary = OwnServer(folder / "primary")
        primary.create()
        primary.start()
        standbys = [primary.copy_to(folder / f"standby{number}") for number in (1, 2)]
        for standby in standbys:
            standby.start()
        yield primary, standbys
        for server in (*standbys, primary):
            server.stop("immediate")


@pytest.fixture
def cluster(servers: Any) -> Iterator[Cluster]:
    primary, standbys = servers
    urls = [standby.url for standby in standbys]
    database = Database(primary.url, replica_urls=urls, replica_lag_seconds=2.0)
    cluster = Cluster(primary, standbys, database)
    with database.connection() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS entry (id serial PRIMARY KEY)"))
        connection.execute(text("TRUNCATE entry"))
    eventually(lambda: cluster.usable() == [True, True])
    yield cluster
    database.close()


def eventually(holds: Callable[[], bool], seconds: float = 15.0) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def read(database: Database, replica: Any = "allowed") -> tuple[str | None, int]:
    """Where a session runs, and how many entries it sees."""
    with database.session(read_only=True, replica=replica) as session:
        return session.info.get("replica"), session.scalar(text("SELECT count(*) FROM entry"))


def write(database: Database) -> None:
    with database.session() as session:
        session.execute(text("INSERT INTO entry DEFAULT VALUES"))


def test_reads_go_to_the_primary_unless_allowed_elsewhere(cluster):
    assert read(cluster.database, "never")[0] is None


def test_allowed_reads_are_spread_over_the_standbys(cluster):
    places = {read(cluster.database)[0] for _ in range(6)}

    assert places == {one.label for one in cluster.database.replicas.standbys}


def test_a_session_on_a_standby_cannot_write(cluster):
    with (
        pytest.raises(Conflict),
        cluster.database.session(read_only=True, replica="allowed") as session,
    ):
        session.execute(text("INSERT INTO entry DEFAULT VALUES"))


def test_only_read_only_sessions_may_go_to_a_standby(cluster):
    with pytest.raises(ValueError, match="read_only"), cluster.database.session(replica="allowed"):
        pass


def test_who_wrote_always_reads_it_and_mostly_from_a_standby(cluster, capsys):
    places = []
    for number in range(1, 201):
        write(cluster.database)
        place, seen = read(cluster.database)
        places.append(place)
        assert seen == number

    elsewhere = sum(place is not None for place in places)
    with capsys.disabled():
        print(f"\nread right after a write: {elsewhere} of 200 on a standby")
    assert elsewhere > 0


def test_what_was_written_while_a_standby_stands_still_is_read_from_the_other(cluster):
    cluster.pause(0)
    try:
        for number in range(1, 21):
            write(cluster.database)
            place, seen = read(cluster.database)
            assert seen == number
            assert place != cluster.database.replicas.standbys[0].label
    finally:
        cluster.resume(0)


def test_a_standby_that_lags_is_left_out_and_comes_back(cluster):
    cluster.pause(0)
    try:
        write(cluster.database)
        eventually(lambda: cluster.usable() == [False, True])
        assert "behind" in cluster.database.replicas.status()[0].why
    finally:
        cluster.resume(0)
    eventually(lambda: cluster.usable() == [True, True])


def test_nobody_elses_data_is_older_than_the_limit(cluster):
    cluster.pause(0)
    cluster.pause(1)
    try:
        other = threading.Thread(target=write, args=[cluster.database])
        other.start()
        other.join()
        began = time.monotonic()
        while read(cluster.database)[1] == 0:
            assert time.monotonic() - began < 3.0
            time.sleep(0.02)
    finally:
        cluster.resume(0)
        cluster.resume(1)


def test_a_killed_standby_costs_nobody_an_error(cluster):
    errors, stop = [], threading.Event()
    longest = [0.0]

    def work(session: Any) -> int:
        return int(session.scalar(text("SELECT count(*) FROM entry")))

    def reader() -> None:
        while not stop.is_set():
            began = time.monotonic()
            try:
                cluster.database.read(work, replica="allowed")
            except Exception as error:
                errors.append(error)
            longest[0] = max(longest[0], time.monotonic() - began)

    threads = [threading.Thread(target=reader) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    cluster.standbys[1].stop("kill")
    time.sleep(1.0)
    usable = cluster.usable()
    cluster.standbys[1].start()
    eventually(lambda: cluster.usable() == [True, True])
    stop.set()
    for thread in threads:
        thread.join()

    assert errors == []
    assert usable == [True, False]
    assert longest[0] < 2.0


def test_a_bookmark_carried_by_a_client_counts_in_another_process(cluster):
    write(cluster.database)
    token = cluster.database.replicas.token()
    cluster.pause(0)
    cluster.pause(1)
    try:
        with cluster.database.replicas.following(None):
            write(cluster.database)
            later = cluster.database.replicas.token()
        with cluster.database.replicas.following(token):
            assert read(cluster.database)[1] >= 1
        with cluster.database.replicas.following(later):
            assert read(cluster.database) == (None, 2)
        with cluster.database.replicas.following("nonsense; DROP"):
            assert read(cluster.database) == (None, 2)
    finally:
        cluster.resume(0)
        cluster.resume(1)


def test_async_sessions_use_standbys_alike(cluster):
    async def journey() -> list[tuple[str | None, int]]:
        seen = []
        for _ in range(5):
            async with cluster.database.async_session() as session:
                await session.execute(text("INSERT INTO entry DEFAULT VALUES"))
            async with cluster.database.async_session(read_only=True, replica="allowed") as session:
                count = await session.scalar(text("SELECT count(*) FROM entry"))
                seen.append((session.info.get("replica"), count))
        await cluster.database.aclose()
        return seen

    seen = asyncio.run(journey())

    assert [count for _, count in seen] == [1, 2, 3, 4, 5]


def test_an_error_of_the_primary_leaves_no_standby_out(cluster):
    asked = []

    def fail(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "pg_current_wal_insert_lsn" in statement and threading.current_thread() is here:
            asked.append(statement)
            raise Unavailable("the server does not answer")

    async def journey() -> tuple[str | None, int]:
        async with cluster.database.async_session() as session:
            await session.execute(text("INSERT INTO entry DEFAULT VALUES"))
            engine = (await session.connection()).sync_engine
            event.listen(engine, "before_cursor_execute", fail)
        async with cluster.database.async_session(read_only=True, replica="allowed") as session:
            count = await session.scalar(text("SELECT count(*) FROM entry"))
            seen = session.info.get("replica"), count
        event.remove(engine, "before_cursor_execute", fail)
        await cluster.database.aclose()
        return seen

    here = threading.current_thread()
    write(cluster.database)
    event.listen(cluster.database.engine, "before_cursor_execute", fail)
    try:
        assert read(cluster.database) == (None, 1)
        assert cluster.usable() == [True, True]
        assert asyncio.run(journey()) == (None, 2)
        assert cluster.usable() == [True, True]
    finally:
        event.remove(cluster.database.engine, "before_cursor_execute", fail)
    assert len(asked) == 2


def test_a_promoted_standby_takes_no_reads(cluster, servers):
    cluster.standbys[1].promote()

    eventually(lambda: cluster.usable() == [True, False])

    assert "no standby" in cluster.database.replicas.status()[1].why
    assert read(cluster.database)[0] != cluster.database.replicas.standbys[1].label


def test_a_primary_that_does_not_answer_leaves_the_age_of_the_standbys_unknown():
    history = PositionHistory(0.05)
    history.add(time.monotonic(), 100)
    assert history.floor() == 100
    assert history.behind(99) == float("inf")

    time.sleep(0.06)

    assert history.floor() is None
    assert history.behind(100) >= 0.05


def test_a_token_is_a_position_or_asks_for_everything():
    assert bookmark_from("1f").position == 31
    assert bookmark_from(None).token == ""
    assert bookmark_from("1f").token == "1f"
    assert bookmark_from("not a token").wrote


def test_replicas_are_named_in_one_setting():
    urls = "postgresql://a@one,two/shop, postgres://a@three/shop"

    assert Settings(replica_urls=urls).replicas == [
        *("postgresql://a@one,two/shop", "postgres://a@three/shop")
    ]
    assert Settings().replicas == []


def test_sqlite_has_no_replicas(sqlite_url):
    with pytest.raises(ConfigurationError, match="not PostgreSQL"):
        Database(sqlite_url, replica_urls=["postgresql://localhost/shop"])

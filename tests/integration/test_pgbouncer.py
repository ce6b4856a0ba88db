"""Everything works behind PgBouncer in transaction mode (Debian's package pgbouncer)."""

import asyncio
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import text

from buttress.db import keeper
from buttress.db.database import Database
from buttress.db.server_user import server_user
from buttress.db.url import parse_database_url
from buttress.errors import ConfigurationError, Conflict, Unavailable
from buttress.settings import PoolSettings, TimeoutSettings
from own_server import own_server, own_servers

PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")

pytestmark = pytest.mark.skipif(
    PGBOUNCER is None, reason="PgBouncer is not installed: apt-get install pgbouncer"
)

CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {folder}
auth_type = any
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 2
server_login_retry = 1
logfile = {folder}/log
"""


@contextmanager
def pgbouncer(target: str) -> Iterator[Path]:
    """The folder of its socket; two connections to the server carry all clients."""
    place = psycopg.conninfo.conninfo_to_dict(parse_database_url(target).conninfo)
    with own_servers() as folder:
        configuration = folder / "ini"
        configuration.write_text(CONFIGURATION.format(folder=folder, **place))
        (folder / "users").write_text(f'"{place["user"]}" ""\n')
        folder.chmod(0o777)
        process = keeper.spawn(
            [str(PGBOUNCER), str(configuration)],
            server_user([folder]).as_specification(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            death_signal=signal.SIGKILL,
        )
        give_up = time.monotonic() + 10
        while not (folder / ".s.PGSQL.6432").exists():
            assert time.monotonic() < give_up, (folder / "log").read_text()
            time.sleep(0.01)
        yield folder
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def bouncer(servers) -> Iterator[Path]:
    with pgbouncer(servers.postgres_url("owner")) as folder:
        yield folder


@pytest.fixture
def url(database_url: str, bouncer: Path) -> str:
    name = psycopg.conninfo.conninfo_to_dict(parse_database_url(database_url).conninfo)["dbname"]
    return f"postgresql://buttress_owner@/{name}?host={quote(str(bouncer), safe='')}&port=6432&pgbouncer=true"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    timeouts = TimeoutSettings(statement_seconds=7, lock_seconds=3)
    database = Database(url, timeouts=timeouts, pool=PoolSettings(size=5, overflow=5))
    yield database
    database.close()


def test_many_clients_share_two_server_connections(database):
    pids: set[int] = set()

    def work() -> None:
        for _ in range(20):
            with database.session() as session:
                pids.add(session.scalar(text("SELECT pg_backend_pid() FROM pg_sleep(0.001)")))

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(pids) == 2
    stats = database.pool_stats()
    assert stats.checked_out == 0
    assert stats.opened >= 1


def test_statements_are_not_prepared_for_a_server_that_has_not_seen_them(database):
    def work() -> None:
        for number in range(20):
            with database.session() as session:
                assert session.scalar(text("SELECT CAST(:n AS integer)"), {"n": number}) == number

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0


def test_each_transaction_brings_its_settings_and_leaves_none_behind(database, url):
    other = Database(url, timeouts=TimeoutSettings(statement_seconds=60))
    for _ in range(4):
        with database.session() as session, other.session() as beside:
            assert session.scalar(text("SHOW statement_timeout")) == "7s"
            assert session.scalar(text("SHOW lock_timeout")) == "3s"
            assert beside.scalar(text("SHOW statement_timeout")) == "1min"
    other.close()


def test_a_slow_statement_is_ended(url):
    database = Database(url, timeouts=TimeoutSettings(statement_seconds=0.1))

    with pytest.raises(Unavailable, match="longer than"), database.session() as session:
        session.execute(text("SELECT pg_sleep(5)"))

    database.close()


def test_read_only_sessions_refuse_writes_and_the_next_does_not(database):
    with database.connection() as connection:
        connection.execute(text("CREATE TABLE entry (id integer)"))
    for _ in range(4):
        with pytest.raises(Conflict), database.session(read_only=True) as session:
            session.execute(text("INSERT INTO entry VALUES (1)"))
        with database.session() as session:
            session.execute(text("INSERT INTO entry VALUES (1)"))


def test_async_sessions_work(database):
    async def one(number: int) -> int:
        async with database.async_session() as session:
            await session.execute(text("SELECT pg_sleep(0.001)"))
            return int(await session.scalar(text("SELECT CAST(:n AS integer)"), {"n": number}) or 0)

    async def journey() -> list[int]:
        answers = await asyncio.gather(*(one(number) for number in range(30)))
        await database.aclose()
        return answers

    assert asyncio.run(journey()) == list(range(30))


def test_a_lock_is_held_by_one_process_at_a_time(database, url):
    other = Database(url)
    with (
        database.lock("migrations", wait_seconds=1),
        pytest.raises(Unavailable, match="migrations"),
        other.lock("migrations", wait_seconds=0.3),
    ):
        pass
    with other.lock("migrations", wait_seconds=1):
        pass
    other.close()


@contextmanager
def readers(database: Database) -> Iterator[list[Exception]]:
    """Six threads that read all the time, and the errors they get."""
    stop, errors = threading.Event(), []

    def work() -> None:
        while not stop.is_set():
            try:
                with database.session(read_only=True) as session:
                    session.execute(text("SELECT pg_sleep(0.001)"))
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_readers_do_not_notice_that_the_server_ended_the_poolers_connections(database, conninfo):
    with readers(database) as errors:
        for _ in range(5):
            time.sleep(0.1)
            with psycopg.connect(conninfo, autocommit=True) as killer:
                killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    assert errors == [], {(str(e), str(e.__cause__)) for e in errors}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_readers_do_not_notice_a_restart_of_the_server_behind_the_pooler(mode):
    with own_server() as server, pgbouncer(server.url) as folder:
        place = quote(str(folder), safe="")
        url = f"postgresql://postgres@/postgres?host={place}&port=6432&pgbouncer=true"
        database = Database(url)
        with readers(database) as errors:
            time.sleep(0.5)
            server.restart(mode)
            time.sleep(2.5)
        assert database.read(lambda session: session.scalar(text("SELECT 1"))) == 1
        database.close()

    assert errors == [], {(str(e), str(e.__cause__)) for e in errors}


def test_a_pooler_that_is_not_named_as_one_says_what_to_add(url):
    database = Database(url.removesuffix("&pgbouncer=true"))

    with pytest.raises(ConfigurationError) as caught, database.connection():
        pass

    assert "pgbouncer=true" in caught.value.hint

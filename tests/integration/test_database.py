"""Sessions, pools, time-outs and errors on real databases."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ForeignKey, event, func, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from buttress.db.backend import LockTimeout
from buttress.db.base import Base
from buttress.db.database import Database
from buttress.db.embedded import start_servers
from buttress.db.functions import month
from buttress.db.url import parse_database_url
from buttress.errors import BadInput, ConfigurationError, Conflict, Unavailable
from buttress.settings import PoolSettings, TimeoutSettings


class Table(DeclarativeBase):
    """The foundation's base, with metadata of this module."""

    metadata = type(Base.metadata)(naming_convention=Base.metadata.naming_convention)
    type_annotation_map = Base.type_annotation_map


class Product(Table):
    __tablename__ = "product"
    sku: Mapped[str] = mapped_column(primary_key=True)
    added: Mapped[datetime | None]
    facts: Mapped[dict[str, Any] | None]


class Price(Table):
    __tablename__ = "price"
    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(ForeignKey("product.sku"))


Open = Callable[..., Database]


@pytest.fixture
def open_database() -> Iterator[Open]:
    opened = []

    def open(url: str, **settings: Any) -> Database:
        pool = PoolSettings(**settings.pop("pool", {}))
        timeouts = TimeoutSettings(**settings.pop("timeouts", {}))
        opened.append(Database(url, pool=pool, timeouts=timeouts, **settings))
        return opened[-1]

    yield open
    for database in opened:
        database.close()


@pytest.fixture(params=["database_url", "sqlite_url"])
def either(request: pytest.FixtureRequest, open_database: Open) -> Database:
    """A database of each kind, with the tables."""
    database = open_database(request.getfixturevalue(request.param))
    with database.connection() as connection:
        Table.metadata.create_all(connection)
    return database


@pytest.fixture
def postgresql(database_url: str, open_database: Open) -> Database:
    database = open_database(database_url)
    with database.connection() as connection:
        Table.metadata.create_all(connection)
    return database


def skus(database: Database) -> list[str]:
    with database.session(read_only=True) as session:
        return list(session.scalars(select(Product.sku).order_by(Product.sku)))


def test_a_session_commits_at_its_end(either):
    with either.session() as session:
        session.add(Product(sku="a"))

    assert skus(either) == ["a"]


def test_a_session_that_an_exception_leaves_changes_nothing(either):
    def fail_half_way() -> None:
        with either.session() as session:
            session.add(Product(sku="a"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()

    assert skus(either) == []


def test_objects_stay_usable_after_their_session(either):
    with either.session() as session:
        product = Product(sku="a")
        session.add(product)

    assert product.sku == "a"


def test_the_database_refuses_writes_in_a_read_only_session(either):
    with pytest.raises(Conflict, match="read-only"), either.session(read_only=True) as session:
        session.add(Product(sku="a"))

    with either.session() as session:  # and forgets about it afterwards
        session.add(Product(sku="b"))
    assert skus(either) == ["b"]


def test_async_sessions_do_the_same_on_loop_after_loop(either):
    async def add(sku: str) -> None:
        async with either.async_session() as session:
            session.add(Product(sku=sku))

    async def fail() -> None:
        async with either.async_session(read_only=True) as session:
            session.add(Product(sku="never"))

    for sku in ("a", "b"):
        asyncio.run(add(sku))
    with pytest.raises(Conflict, match="read-only"):
        asyncio.run(fail())

    assert skus(either) == ["a", "b"]
    assert either.pool_stats().limit == 50  # the pools of the loops are gone


def test_many_threads_with_loops_of_their_own_share_one_database(postgresql):
    answers = []

    async def ask() -> None:
        async def one() -> int:
            async with postgresql.async_session() as session:
                return await session.scalar(text("SELECT 1")) or 0

        answers.extend(await asyncio.gather(*(one() for _ in range(3))))

    threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [1] * 24


def test_aclose_closes_the_connections_of_the_running_loop(postgresql):
    async def use() -> int:
        async with postgresql.async_session() as session:
            await session.scalar(text("SELECT 1"))
        await postgresql.aclose()
        return postgresql.pool_stats().idle

    postgresql.close()
    assert asyncio.run(use()) == 0


def test_a_unique_violation_is_a_conflict_that_repeats_no_value(either):
    with either.session() as session:
        session.add(Product(sku="secret-value"))

    with pytest.raises(Conflict) as caught, either.session() as session:
        session.add(Product(sku="secret-value"))

    assert "secret-value" not in caught.value.message + str(caught.value.hint)
    assert caught.value.__cause__ is not None


def test_a_use_case_may_catch_a_conflict_inside_a_savepoint(either):
    with either.session() as session:
        session.add(Product(sku="a"))
        session.flush()
        with pytest.raises(Conflict), session.begin_nested():
            session.execute(text("INSERT INTO product (sku) VALUES ('a')"))
        session.add(Product(sku="b"))

    assert skus(either) == ["a", "b"]


def test_a_row_that_refers_to_nothing_is_a_conflict(either):
    with pytest.raises(Conflict), either.session() as session:
        session.add(Price(id=1, sku="nowhere"))


def test_a_missing_value_is_bad_input(either):
    with pytest.raises(BadInput, match="needs a value"), either.session() as session:
        session.execute(text("INSERT INTO price (id) VALUES (1)"))


def test_a_value_postgresql_cannot_hold_is_bad_input(postgresql):
    with pytest.raises(BadInput), postgresql.session() as session:
        session.execute(text("SELECT CAST(:n AS smallint)"), {"n": 99_999})
    with pytest.raises(BadInput), postgresql.session() as session:
        session.execute(text("SELECT CAST(:t AS text)"), {"t": "a\0b"})


def test_a_mistake_in_sql_stays_a_mistake_and_hides_the_parameters(postgresql):
    with pytest.raises(ProgrammingError) as caught, postgresql.session() as session:
        session.execute(text("SELECT nothing FROM product WHERE sku = :sku"), {"sku": "secret"})

    assert "secret" not in str(caught.value)


def test_instants_come_back_aware_and_in_utc(either):
    lisbon = timezone(timedelta(hours=1))
    with either.session() as session:
        session.add(Product(sku="a", added=datetime(2026, 5, 1, 0, 30, tzinfo=lisbon)))

    with either.session(read_only=True) as session:
        added = session.scalar(select(Product.added))

    assert added == datetime(2026, 4, 30, 23, 30, tzinfo=UTC)
    assert added.tzinfo is UTC


def test_an_instant_without_time_zone_is_refused(either):
    with pytest.raises(BadInput, match="time zone"), either.session() as session:
        session.add(Product(sku="a", added=datetime(2026, 5, 1)))  # noqa: DTZ001


def test_documents_come_back_as_they_were_and_none_is_null(either):
    facts = {"name": "é", "sizes": [1, 2.5, None, True]}
    with either.session() as session:
        session.add_all([Product(sku="a", facts=facts), Product(sku="b", facts=None)])

    with either.session(read_only=True) as session:
        assert session.get_one(Product, "a").facts == facts
        nulls = select(func.count()).select_from(Product).where(Product.facts.is_(None))
        assert session.scalar(nulls) == 1


def test_month_groups_alike_on_both_backends(either):
    days = [datetime(2026, 1, 31, 23, 59, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)]
    with either.session() as session:
        session.add_all(Product(sku=str(day), added=day) for day in days)

    with either.session(read_only=True) as session:
        months = session.scalars(select(month(Product.added)).order_by(Product.added)).all()

    assert [str(m) for m in months] == ["2026-01-01", "2026-02-01"]


def test_session_settings_reach_the_server(database_url, open_database):
    seconds = {"statement_seconds": 7, "lock_seconds": 3}
    database = open_database(database_url, timeouts=seconds, application_name="reports")

    assert server_settings(database) == ("7s", "3s", "UTC", "reports")


def test_session_settings_reach_the_server_through_a_transaction_pooler(
    database_url, open_database
):
    url = f"{database_url}&pgbouncer=true&application_name=other"
    seconds = {"statement_seconds": 7, "lock_seconds": 3}
    database = open_database(url, timeouts=seconds)

    assert server_settings(database) == ("7s", "3s", "UTC", "other")
    arguments = database.backend.connect_args()
    assert arguments["prepare_threshold"] is None
    assert "options" not in arguments


def server_settings(database: Database) -> tuple[str, ...]:
    names = "statement_timeout", "lock_timeout", "timezone", "application_name"
    with database.connection() as connection:
        return tuple(connection.scalar(text(f"SHOW {name}")) for name in names)


def test_the_schema_of_the_url_is_where_tables_are_made(database_url, open_database):
    with open_database(database_url).connection() as connection:
        connection.execute(text('CREATE SCHEMA "my shop"'))
    for pooler in ("", "&pgbouncer=true"):
        database = open_database(f"{database_url}&schema=my%20shop{pooler}")
        with database.connection() as connection:
            assert connection.scalar(text("SELECT current_schema()")) == "my shop"


def test_a_slow_statement_ends_with_the_limit_in_the_message(database_url, open_database):
    database = open_database(database_url, timeouts={"statement_seconds": 0.2})

    with pytest.raises(Unavailable, match=r"longer than 0\.2 seconds"), database.session() as s:
        s.execute(text("SELECT pg_sleep(5)"))


def test_waiting_for_a_lock_ends_in_time(either, open_database):
    hasty = open_database(either.url, timeouts={"lock_seconds": 0.2})
    with either.session() as session:
        session.add(Product(sku="a"))
        session.flush()
        with pytest.raises(LockTimeout, match=r"0\.2 seconds"), hasty.session() as other:
            other.execute(text("ALTER TABLE product ADD COLUMN price integer"))


def test_an_exhausted_pool_says_how_large_it_is_and_what_to_do(database_url, open_database):
    database = open_database(database_url, pool={"size": 1, "overflow": 1, "timeout_seconds": 0.2})
    with database.connection(), database.connection():
        stats = database.pool_stats()
        with pytest.raises(Unavailable, match="all 2 of the pool") as caught:
            skus(database)

    assert (stats.size, stats.checked_out, stats.overflow, stats.idle) == (1, 2, 1, 0)
    assert stats.usage == 1.0
    assert "BUTTRESS_POOL__SIZE" in caught.value.hint


def test_callers_that_wait_for_a_connection_are_counted(database_url, open_database):
    database = open_database(database_url, pool={"size": 1, "overflow": 0})

    def wait() -> None:
        with database.connection():
            pass

    with database.connection():
        threads = [threading.Thread(target=wait) for _ in range(3)]
        for thread in threads:
            thread.start()
        eventually(lambda: database.pool_stats().waiting == 3)
    for thread in threads:
        thread.join()

    assert database.pool_stats().waiting == 0


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_nothing_is_opened_before_the_first_use(open_database):
    database = open_database("postgresql://nobody@127.0.0.1:1/nowhere")

    assert database.pool_stats().idle == database.pool_stats().checked_out == 0


def test_a_server_that_does_not_listen_is_named_without_the_password(open_database):
    database = open_database(
        "postgresql://nobody:hunter2@127.0.0.1:1/nowhere", timeouts={"start_seconds": 0.3}
    )

    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1/nowhere") as caught:
        database.wait_until_ready()

    assert "hunter2" not in str(caught.value) + str(caught.value.hint) + repr(database)


def test_start_up_waits_for_a_server_that_comes_late(database_url, open_database):
    database = open_database(database_url, timeouts={"start_seconds": 20})
    refused = []

    @event.listens_for(database.engine, "do_connect")
    def come_late(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
        if len(refused) < 2:
            refused.append(1)
            options.update(host="/nonexistent", connect_timeout=1)

    database.wait_until_ready()

    assert len(refused) == 2


def test_a_wrong_database_is_a_setting_to_correct_and_not_worth_waiting_for(servers, open_database):
    database = open_database(servers.postgres_url("owner", "does not exist"))

    started = time.monotonic()
    with pytest.raises(ConfigurationError, match="no such database"):
        database.wait_until_ready()
    assert time.monotonic() - started < 5


def test_the_next_caller_does_not_notice_that_the_server_ended_all_connections(
    postgresql, open_database
):
    with postgresql.connection(), postgresql.connection(), postgresql.connection():
        pass
    assert postgresql.pool_stats().idle == 3

    end_connections(open_database(postgresql.url, application_name="killer"))

    for _ in range(3):
        assert skus(postgresql) == []


def test_an_async_caller_does_not_notice_either(postgresql, open_database):
    killer = open_database(postgresql.url, application_name="killer")

    async def ask() -> Any:
        async with postgresql.async_session() as session:
            return await session.scalar(text("SELECT 1"))

    async def journey() -> list[Any]:
        before = await ask()
        await asyncio.to_thread(end_connections, killer)
        return [before, await ask()]

    assert asyncio.run(journey()) == [1, 1]


def test_a_connection_lost_in_the_middle_is_unavailable_and_the_next_session_works(
    postgresql, open_database
):
    killer = open_database(postgresql.url, application_name="killer")

    def lose_it() -> None:
        with postgresql.session() as session:
            session.add(Product(sku="a"))
            session.flush()
            end_connections(killer)
            session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable) as caught:
        lose_it()

    assert "not committed" in caught.value.hint
    assert skus(postgresql) == []


def end_connections(killer: Database) -> None:
    others = (
        "FROM pg_stat_activity WHERE application_name = 'buttress' AND datname = current_database()"
    )
    with killer.connection() as connection:
        connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}"))

    def gone() -> bool:
        with killer.connection() as connection:
            return connection.scalar(text(f"SELECT count(*) {others}")) == 0

    eventually(gone)


def test_a_database_heals_when_its_server_comes_back(tmp_path, open_database):
    with start_servers(tmp_path / "var") as servers:
        database = open_database(servers.postgres_url("owner"), timeouts={"restart_seconds": 0.3})
        with database.connection():
            pass
        (pid_file,) = tmp_path.rglob("postmaster.pid")
        server = int(pid_file.read_text().split()[0])
        os.kill(server, signal.SIGQUIT)
        eventually(lambda: not Path(f"/proc/{server}").exists())
        with pytest.raises(Unavailable), database.connection():
            pass

        with start_servers(tmp_path / "var"), database.connection() as connection:
            assert connection.scalar(text("SELECT 1")) == 1


def test_a_forked_child_leaves_the_parents_connections_alone(postgresql):
    with postgresql.connection() as connection:
        parent = connection.scalar(text("SELECT pg_backend_pid()"))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with postgresql.connection() as connection:
            os.write(write, str(connection.scalar(text("SELECT pg_backend_pid()"))).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as pipe:
        assert int(pipe.read()) != parent

    with postgresql.connection() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) == parent


def test_one_holder_at_a_time_has_a_lock(either, open_database):
    other = open_database(either.url)

    with either.lock("import", wait_seconds=1):
        with other.lock("something else", wait_seconds=1):
            pass
        with pytest.raises(LockTimeout, match="'import'"), other.lock("import", wait_seconds=0.2):
            pass
    with other.lock("import", wait_seconds=1):
        pass


def test_sqlite_readers_do_not_wait_for_a_writer(sqlite_url, open_database):
    database = open_database(sqlite_url, timeouts={"lock_seconds": 0.2})
    with database.connection() as connection:
        Table.metadata.create_all(connection)

    with database.session() as writer:
        writer.add(Product(sku="a"))
        writer.flush()
        assert skus(database) == []
    assert skus(database) == ["a"]


def test_a_folder_that_does_not_exist_is_told(tmp_path, open_database):
    database = open_database(f"sqlite:///{tmp_path}/missing/app.db")

    with pytest.raises(Unavailable, match="cannot be opened"), database.session() as session:
        session.execute(text("SELECT 1"))


def test_the_url_may_be_parsed_already(sqlite_url):
    assert Database(parse_database_url(sqlite_url)).url.backend == "sqlite"

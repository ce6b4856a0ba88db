"""The law of the cache: nothing stale, nothing rolled back, one's own writes, in every mode."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from buttress.db.database import Database
from buttress.db.embedded import Servers, start_servers
from cache_world import (
    Line,
    Price,
    Shop,
    World,
    computed,
    databases,
    fresh,
    shops,
    total,
    total_async,
)


@pytest.fixture(scope="module")
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers nobody else writes to, so that the end of the log can be watched."""
    home = tmp_path_factory.mktemp("own") / "var"
    with start_servers(
        home, settings={"fsync": "off", "max_prepared_transactions": "2"}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def both(own_servers: Servers) -> Iterator[tuple[Database, Database]]:
    with databases(own_servers) as opened:
        yield opened


@pytest.fixture(params=["wal", "barrier"])
def shop(
    request: pytest.FixtureRequest, own_servers: Servers, both: tuple[Database, Database]
) -> Iterator[World]:
    folder = own_servers.home / "postgresql" if request.param == "wal" else None
    with fresh(*both, data_folder=folder) as opened:
        assert opened.cache.mode == request.param, opened.cache.explain()
        yield opened


def warm(shop: World) -> None:
    """Fill, and hit once."""
    assert shop.total() == 60
    assert shop.total() == 60
    assert computed["total"] == 1
    if shop.cache.mode == "wal":
        shop.arm()


@pytest.mark.parametrize(
    ("statement", "after"),
    [
        ("update cw_price set cents = 11 where id = 1", 61),
        ("insert into cw_price values (4, 1, 's4', 40)", 100),
        ("delete from cw_price where id = 3", 30),
        ("truncate cw_price", 0),
        ("truncate cw_shop cascade", 0),
        ("delete from cw_shop where id = 1", 30),
        (
            "insert into cw_price values (1, 1, 's1', 7) on conflict (id) do update set cents = 7",
            57,
        ),
        (
            "merge into cw_price p using (values (1, 5), (9, 6)) v (id, c) on p.id = v.id "
            "when matched then update set cents = c "
            "when not matched then insert values (v.id, 1, 'm', v.c)",
            61,
        ),
        ("with gone as (delete from cw_price where id = 1 returning *) select from gone", 50),
        (
            "do $$ begin for i in 10..12 loop insert into cw_price values (i, 1, 'x', 1); "
            "end loop; end $$",
            63,
        ),
    ],
)
def test_a_read_after_a_foreign_commit_sees_it(shop, statement, after):
    warm(shop)

    shop.write(statement)

    assert shop.total() == after


def test_rows_that_arrive_by_copy_are_seen(shop):
    warm(shop)

    with shop.psql() as connection, connection.cursor().copy("copy cw_price from stdin") as copy:
        copy.write_row((7, 1, "s7", 70))

    assert shop.total() == 130


def test_what_is_rolled_back_is_never_served(shop):
    warm(shop)
    with shop.psql(autocommit=False) as connection:
        connection.execute("update cw_price set cents = 1000")
        assert shop.total() == 60
        connection.rollback()

    assert shop.total() == 60


def test_an_open_transaction_shows_when_it_commits_and_not_before(shop):
    warm(shop)
    with shop.psql(autocommit=False) as connection:
        connection.execute("update cw_price set cents = 100 where id = 1")
        for _ in range(3):
            assert shop.total() == 60
        connection.commit()

    assert shop.total() == 150


def test_a_value_computed_while_a_writer_was_open_does_not_survive_its_commit(shop):
    with shop.psql(autocommit=False) as connection:
        connection.execute("update cw_price set cents = 100 where id = 1")
        assert shop.total() == 60
        connection.commit()

    assert shop.total() == 150


def test_a_savepoint_that_is_rolled_back_leaves_what_came_before(shop):
    warm(shop)
    with shop.psql(autocommit=False) as connection:
        connection.execute("update cw_price set cents = 100 where id = 1")
        connection.execute("savepoint here")
        connection.execute("update cw_price set cents = 100 where id = 2")
        connection.execute("rollback to savepoint here")
        connection.commit()

    assert shop.total() == 150


def test_a_change_after_a_rolled_back_savepoint_is_seen(shop):
    warm(shop)
    with shop.psql(autocommit=False) as connection:
        connection.execute("savepoint here")
        connection.execute("update cw_price set cents = 100 where id = 2")
        connection.execute("rollback to savepoint here")
        connection.execute("update cw_price set cents = 100 where id = 1")
        connection.commit()

    assert shop.total() == 150


def test_a_prepared_transaction_counts_when_it_is_committed(shop):
    warm(shop)
    with shop.psql() as connection:
        connection.execute("begin")
        connection.execute("update cw_price set cents = 100 where id = 1")
        connection.execute("prepare transaction 'x'")
        assert shop.total() == 60
        connection.execute("commit prepared 'x'")

    assert shop.total() == 150


def test_a_commit_in_haste_is_seen_when_it_is_acknowledged(shop):
    with shop.psql() as connection:
        connection.execute("set synchronous_commit = off")
        for cents in range(100, 120):
            warmed = shop.total()
            if shop.cache.mode == "wal":
                shop.arm()
            connection.execute(f"update cw_price set cents = {cents} where id = 1")
            assert shop.total() == cents + 50 != warmed


def test_haste_between_two_writes_of_a_transaction_is_seen_too(shop):
    with shop.psql(autocommit=False) as connection:
        for cents in range(100, 110):
            shop.total()
            if shop.cache.mode == "wal":
                shop.arm()
            connection.execute("update cw_price set cents = 0 where id = 1")
            connection.execute("set local synchronous_commit = off")
            connection.execute("update cw_price set cents = %s where id = 1", [cents])
            connection.commit()
            assert shop.total() == cents + 50


def test_replicated_writes_are_seen(shop):
    warm(shop)
    with psycopg.connect(
        shop.owner.url.conninfo.replace("buttress_owner", "postgres"), autocommit=True
    ) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("update cw_price set cents = 100 where id = 1")

    assert shop.total() == 150


def test_a_transaction_sees_its_own_writes_and_shares_none_before_it_commits(shop):
    warm(shop)
    with shop.app.session() as session:
        session.execute(text("update cw_price set cents = 100 where id = 1"))
        assert total(session) == 150
        assert shop.total() == 60

    assert shop.total() == 150


def test_unsaved_objects_are_seen_by_their_own_session_only(shop):
    warm(shop)
    with shop.app.session() as session:
        session.add(Price(id=8, shop_id=1, sku="s8", cents=80))
        assert total(session) == 140
        assert shop.total() == 60

    assert shop.total() == 140


def test_own_writes_of_a_connection_around_are_not_shared(shop):
    warm(shop)
    with shop.app.connection() as connection:
        connection.execute(text("update cw_price set cents = 100 where id = 1"))
        with Session(connection) as session:
            assert total(session) == 150
        assert shop.total() == 60


def test_a_transaction_that_has_begun_and_written_nothing_still_hits(shop):
    warm(shop)
    with shop.app.session() as session:
        session.execute(text("select 1"))
        assert total(session) == 60

    assert computed["total"] == 1


def test_a_session_that_holds_old_objects_fills_nothing(shop):
    with shop.app.session() as session:
        price = session.get(Price, 1)
        shop.write("update cw_price set cents = 100 where id = 1")
        assert total(session) == 150
        assert price is not None

    assert shop.cache.stats().namespaces["total"].rejected == {
        "its session holds loaded objects": 1
    }
    assert shop.cache.stats().fills == 0
    assert shop.total() == 150


def test_a_transaction_that_sees_the_past_does_not_fill(shop):
    with shop.app.connection() as connection:
        connection = connection.execution_options()
        connection.execute(text("rollback"))
        connection.execute(text("begin isolation level repeatable read"))
        assert connection.scalar(text("select sum(cents) from cw_price")) == 60
        shop.write("update cw_price set cents = 100 where id = 1")
        with Session(connection) as session:
            assert total(session) == 60

    assert shop.total() == 150


def test_a_row_tag_is_touched_by_writes_to_its_rows_only(shop):
    assert shop.prices(1) == [Line("s1", 10), Line("s2", 20)]
    assert shop.prices(2) == [Line("s3", 30)]

    shop.write("update cw_price set cents = 31 where id = 3")

    assert shop.prices(2) == [Line("s3", 31)]
    assert shop.prices(1) == [Line("s1", 10), Line("s2", 20)]
    assert (computed["prices 1"], computed["prices 2"]) == (1, 2)


def test_a_row_that_moves_to_another_key_is_seen_from_both(shop):
    shop.prices(1)
    shop.prices(2)

    shop.write("update cw_price set shop_id = 2 where id = 1")

    assert shop.prices(1) == [Line("s2", 20)]
    assert shop.prices(2) == [Line("s1", 10), Line("s3", 30)]


def test_more_keys_than_a_statement_may_name_count_for_all_rows(shop):
    shop.prices(1)
    shop.prices(2)

    shop.write(
        "insert into cw_shop select i, 'x' from generate_series(10, 1500) i;"
        "insert into cw_price select i, i, 'x', 1 from generate_series(10, 1500) i"
    )

    with shop.psql() as connection:
        wildcards = connection.execute(
            "select count(*) from buttress_cache_change where tag = 'cw_price/*' "
            "and xid = (select max(xid) from buttress_cache_change)"
        ).fetchone()
    assert wildcards == (1,)
    shop.prices(1)
    assert computed["prices 1"] == 2


def test_truncating_is_seen_by_row_tags(shop):
    shop.prices(1)

    shop.write("truncate cw_price")

    assert shop.prices(1) == []


def test_a_statement_that_changes_no_row_leaves_no_change(shop):
    warm(shop)
    with shop.psql() as connection:
        before = connection.execute("select count(*) from buttress_cache_change").fetchone()
        connection.execute("update cw_price set cents = 1 where id = -1")
        connection.execute("delete from cw_price where id = -1")
        after = connection.execute("select count(*) from buttress_cache_change").fetchone()

    assert after == before


def test_a_table_written_to_often_in_a_transaction_is_named_once(shop):
    with shop.psql() as connection, connection.transaction():
        for i in range(20):
            connection.execute("update cw_shop set name = %s where id = 1", [f"n{i}"])
        named = connection.execute(
            "select count(*) from buttress_cache_change where xid = pg_current_xact_id()"
        ).fetchone()

    assert named == (1,)


WRITE_AND_DIE = """
import os, psycopg, signal, sys
connection = psycopg.connect(sys.argv[1])
connection.execute("update cw_price set cents = 100 where id = 1")
connection.commit()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_killed_right_after_its_commit_leaves_nothing_stale(shop):
    warm(shop)

    conninfo = shop.owner.url.conninfo
    writer = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, conninfo], check=False)

    assert writer.returncode == -signal.SIGKILL
    assert shop.total() == 150


def test_no_reader_goes_back_while_others_write(shop):
    """Four readers and two writers for two seconds: acknowledged values are never undercut."""
    acknowledged = [0]
    stop = threading.Event()
    wrong: list[tuple[int, int]] = []

    def write() -> None:
        with shop.psql(autocommit=False) as connection:
            for turn in range(10**6):
                if stop.is_set():
                    return
                row = connection.execute(
                    "update cw_price set cents = cents + 1 where id = 1 returning cents"
                ).fetchone()
                if turn % 5 == 4:
                    connection.rollback()
                    continue
                connection.commit()
                acknowledged[0] = max(acknowledged[0], row[0])

    def read() -> int:
        times, last = 0, 0
        while not stop.is_set():
            least = acknowledged[0]
            value = shop.total() - 50
            if value < max(least, last):
                wrong.append((value, max(least, last)))
            last, times = value, times + 1
        return times

    with ThreadPoolExecutor(6) as threads:
        writers = [threads.submit(write) for _ in range(2)]
        readers = [threads.submit(read) for _ in range(4)]
        threading.Timer(2, stop.set).start()
        reads = sum(reader.result() for reader in readers)
        for writer in writers:
            writer.result()

    assert wrong == []
    assert reads > 100
    assert acknowledged[0] > 10


def test_coroutines_share_barriers_and_read_what_is_committed(shop):
    async def read_many() -> list[int]:
        async def one() -> int:
            async with shop.app.async_session(read_only=True) as session:
                return await total_async(session)

        first = await asyncio.gather(*(one() for _ in range(20)))
        await asyncio.to_thread(shop.write, "update cw_price set cents = 100 where id = 1")
        second = await asyncio.gather(*(one() for _ in range(20)))
        await shop.app.aclose()
        return [*first, *second]

    assert asyncio.run(read_many()) == [60] * 20 + [150] * 20


def test_a_coroutine_sees_its_own_writes(shop):
    async def write_and_read() -> int:
        async with shop.app.async_session() as session:
            await session.execute(text("update cw_price set cents = 100 where id = 1"))
            value = await total_async(session)
            await session.rollback()
        await shop.app.aclose()
        return value

    shop.total()
    assert asyncio.run(write_and_read()) == 150
    assert shop.total() == 60


def test_a_mutated_result_poisons_nothing(shop):
    with shop.app.session() as session:
        names = shops(session)
        names.append("mine")
        assert shops(session) == ["one", "two"]
        shops(session).clear()
        assert shops(session) == ["one", "two"]


def test_deleting_a_parent_is_seen_by_readers_of_the_child(shop):
    shop.prices(1)

    with shop.app.session() as session:
        session.delete(session.get(Shop, 1))

    assert shop.prices(1) == []

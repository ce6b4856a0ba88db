"""The WAL watch: armed only where it may be, disarmed by every acknowledged commit."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from buttress.cache import Cache
from buttress.db.database import Database
from buttress.db.embedded import Servers, start_servers
from cache_world import World, computed, databases, fresh, world

SETTINGS = {"fsync": "off", "min_wal_size": "32MB", "max_wal_size": "48MB"}


@pytest.fixture(scope="module")
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with start_servers(tmp_path_factory.mktemp("wal") / "var", settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def both(own_servers: Servers) -> Iterator[tuple[Database, Database]]:
    with databases(own_servers) as opened:
        yield opened


@pytest.fixture
def shop(own_servers: Servers, both: tuple[Database, Database]) -> Iterator[World]:
    with fresh(*both, data_folder=own_servers.home / "postgresql") as opened:
        assert opened.cache.mode == "wal", opened.cache.explain()
        yield opened


def superuser(shop: World) -> psycopg.Connection:
    conninfo = shop.owner.url.conninfo.replace("buttress_owner", "postgres")
    return psycopg.connect(conninfo, autocommit=True)


def test_an_armed_hit_asks_nobody(shop):
    shop.total()
    shop.arm()
    barriers = shop.cache.barrier.number

    for _ in range(100):
        assert shop.total() == 60

    assert shop.cache.barrier.number == barriers


def test_every_acknowledged_commit_disarms(shop):
    with shop.psql() as connection:
        for cents in range(100, 150):
            shop.arm()
            connection.execute("update cw_price set cents = %s where id = 1", [cents])
            assert shop.cache.wal.armed() is None
            assert shop.total() == cents + 50


def test_an_open_transaction_that_wrote_keeps_it_from_being_armed(shop):
    with shop.psql(autocommit=False) as connection:
        connection.execute("select pg_current_xact_id()")
        for _ in range(20):
            shop.cache.barrier.ask()
            assert shop.cache.wal.armed() is None
        connection.rollback()

    shop.arm()


def test_it_follows_the_log_from_segment_to_segment(shop):
    with superuser(shop) as connection:
        for cents in range(100, 106):
            shop.total()
            connection.execute("select pg_switch_wal()")
            connection.execute("update cw_price set cents = %s where id = 1", [cents])
            assert shop.total() == cents + 50
            shop.arm()
            assert shop.total() == cents + 50
            connection.execute("checkpoint")  # old segments become new ones
            segments = {path.name for path in (shop.cache.wal._folder).iterdir()}
            assert segments


def test_a_place_in_a_segment_that_is_used_again_stays_disarmed(shop):
    """Nobody reads while the log goes round: the same bytes must not come back."""
    shop.total()
    shop.arm()
    armed = shop.cache.wal._armed
    assert armed is not None
    with superuser(shop) as connection:
        connection.execute("update cw_price set cents = 100 where id = 1")
        for _ in range(6):
            connection.execute("select pg_switch_wal()")
            connection.execute("select pg_logical_emit_message(true, 'x', repeat('x', 9000000))")
            connection.execute("checkpoint")
            assert not armed[0].unchanged()

    assert shop.total() == 150


def test_a_page_whose_end_is_near_is_watched_too(shop):
    """Commits of many lengths put the end of the log at every offset of a page."""
    with shop.psql() as connection:
        for turn in range(300):
            shop.cache.barrier.ask()
            shop.cache.barrier.ask()
            shop.cache.barrier.ask()
            connection.execute(
                "select pg_logical_emit_message(false, 'x', repeat('x', %s))", [turn * 8 % 97]
            )
            connection.execute("update cw_price set cents = %s where id = 1", [turn])
            assert shop.cache.wal.armed() is None
    assert shop.total() == 299 + 50


def test_a_cache_that_cannot_see_the_data_folder_says_so_and_asks(shop, tmp_path):
    with Cache(shop.app) as cache:
        assert cache.mode == "barrier"
        assert "does not say where its data folder is" in cache.explain().why
    with Cache(shop.app, data_folder=tmp_path) as cache:
        assert cache.mode == "barrier"
        assert "No such file" in cache.explain().why
    control = tmp_path / "global" / "pg_control"
    control.parent.mkdir()
    control.write_bytes(bytes(8192))
    with Cache(shop.app, data_folder=tmp_path) as cache:
        assert "belongs to another server" in cache.explain().why


def test_a_file_that_shows_no_commits_is_refused(shop, own_servers, tmp_path):
    """A copy of the data folder has the right identifier and never changes."""
    data = own_servers.home / "postgresql"
    (tmp_path / "global").mkdir()
    (tmp_path / "global" / "pg_control").write_bytes((data / "global/pg_control").read_bytes())
    (tmp_path / "pg_wal").mkdir()
    for segment in (data / "pg_wal").glob("0000*"):
        (tmp_path / "pg_wal" / segment.name).write_bytes(segment.read_bytes())

    with Cache(shop.app, data_folder=tmp_path) as cache:
        assert cache.mode == "barrier"
        assert "does not show what is committed" in cache.explain().why


def postmaster(servers: Servers) -> int:
    return int((servers.home / "postgresql" / "postmaster.pid").read_text().split()[0])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["backend", "server"])
def test_a_crash_while_armed_leaves_nothing_stale(tmp_path: Path, kind: str):
    with (
        start_servers(tmp_path / "var") as servers,
        world(servers, data_folder=servers.home / "postgresql") as shop,
    ):
        assert shop.total() == 60
        shop.arm()
        assert computed["total"] == 1
        if kind == "backend":  # the server ends all sessions and recovers
            with shop.psql() as connection:
                os.kill(connection.info.backend_pid, signal.SIGKILL)
        else:
            os.kill(postmaster(servers), signal.SIGKILL)
        give_up = time.monotonic() + 30
        while True:
            try:
                start_servers(tmp_path / "var").close()
                shop.write("update cw_price set cents = 100 where id = 1")
                break
            except Exception:
                assert time.monotonic() < give_up
                time.sleep(0.1)

        assert shop.total() == 150
        give_up = time.monotonic() + 30
        while shop.cache.mode != "wal" and time.monotonic() < give_up:
            time.sleep(0.2)
        assert shop.cache.mode == "wal", shop.cache.explain()

"""The second level: shared by processes, never needed, never believed blindly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.orm import Session
from valkey import Valkey

from buttress.cache import Cache, cached, shared
from buttress.cache.housekeeping import Housekeeping
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.server_files import find_programs
from cache_world import World, computed, databases, fresh, prices, total


class OwnValkey:
    """A Valkey that may be killed."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "v.sock"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [find_programs().valkey, "--port", "0", "--unixsocket", self.socket, "--save", "",
             "--dir", self.socket.parent],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        give_up = time.monotonic() + 10
        while time.monotonic() < give_up:
            try:
                self.client.ping()
            except Exception:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("valkey does not start")

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def client(self) -> Valkey:
        return Valkey.from_url(self.url)

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[OwnValkey]:
    running = OwnValkey(tmp_path)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def both(servers: Servers) -> Iterator[tuple[Database, Database]]:
    with databases(servers) as opened:
        yield opened


@pytest.fixture
def call_seconds() -> float:
    """How long Valkey is waited for: longer than its default, where a loaded machine may need it."""
    return 1.0


@pytest.fixture
def shop(
    both: tuple[Database, Database],
    valkey: OwnValkey,
    call_seconds: float,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    monkeypatch.setattr(shared, "TIMEOUT_SECONDS", call_seconds)
    with fresh(*both, url=valkey.url) as opened:
        opened.cache.start()
        opened.cache.shared.ping()
        yield opened


def test_another_process_adopts_what_one_has_computed(shop):
    assert shop.total() == 60

    with shop.another_cache(shop.cache.shared._url) as other:
        assert shop.total() == 60
        assert other.stats().namespaces["total"].shared_hits == 1

    assert computed["total"] == 1


def test_what_changed_since_is_not_adopted(shop):
    shop.total()
    shop.write("update cw_price set cents = 100 where id = 1")

    with shop.another_cache(shop.cache.shared._url):
        assert shop.total() == 150


def test_what_is_rolled_back_or_open_does_not_keep_others_from_adopting(shop):
    with shop.psql(autocommit=False) as connection:
        connection.execute("update cw_price set cents = 100 where id = 1")
        assert shop.total() == 60
        connection.rollback()

    with shop.another_cache(shop.cache.shared._url):
        assert shop.total() == 60
    assert computed["total"] == 1


def test_a_value_computed_before_a_commit_is_not_adopted_after_it(shop):
    with shop.psql(autocommit=False) as connection:
        connection.execute("update cw_price set cents = 100 where id = 1")
        assert shop.total() == 60
        connection.commit()

    with shop.another_cache(shop.cache.shared._url):
        assert shop.total() == 150


@pytest.mark.parametrize("garbage", [b"", b"\x80\x04K\x01.", b"hello", b"\x93\x01\x02\x03", "old"])
def test_foreign_bytes_are_no_values(shop, valkey, garbage):
    shop.total()
    (name,) = valkey.client.keys("buttress:cache:total:*")
    if garbage == "old":
        valkey.client.set(name, valkey.client.get(name)[:-1] + b"\xc1")
    else:
        valkey.client.set(name, garbage)

    with shop.another_cache(valkey.url) as other:
        assert shop.total() == 60
        assert other.shared.garbage > 0
    assert computed["total"] == 2


def test_a_killed_valkey_makes_reads_slower_and_nothing_else(shop, valkey):
    shop.total()
    valkey.stop()
    shop.cache._memory.clear()

    began = time.perf_counter()
    assert shop.total() == 60
    assert time.perf_counter() - began < 1

    assert shop.cache.health().status == "warn"
    assert "valkey" in shop.cache.health().detail
    valkey.start()
    give_up = time.monotonic() + 10
    while shop.cache.health().status == "warn" and time.monotonic() < give_up:
        shop.cache._memory.clear()
        assert shop.total() == 60
        time.sleep(0.05)
    assert shop.cache.health().status == "pass"


@pytest.mark.parametrize("call_seconds", [shared.TIMEOUT_SECONDS])
def test_a_frozen_valkey_holds_one_call_for_a_moment_and_the_next_not_at_all(shop, valkey):
    shared = shop.cache.shared
    valkey.signal(signal.SIGSTOP)
    try:
        first, then = _seconds(shared.get), _seconds(shared.get)
    finally:
        valkey.signal(signal.SIGCONT)

    assert first < 0.2  # 50 ms, and what a busy machine adds
    assert then < 0.002
    assert shared.stats().state != "ok"


def _seconds(call) -> float:
    began = time.perf_counter()
    call("total:x")
    return time.perf_counter() - began


def test_a_flushed_valkey_is_filled_again(shop, valkey):
    shop.total()
    valkey.client.flushall()

    with shop.another_cache(valkey.url):
        assert shop.total() == 60
    assert valkey.client.keys("buttress:cache:total:*")


def test_a_full_valkey_takes_nothing_and_breaks_nothing(shop, valkey):
    valkey.client.config_set("maxmemory", "1")

    assert shop.total() == 60
    assert shop.cache.health().status == "warn"
    assert "OutOfMemory" in shop.cache.health().detail


def test_one_thread_computes_while_the_others_wait(shop):
    started = threading.Barrier(12)

    def read() -> int:
        started.wait()
        return shop.total()

    with ThreadPoolExecutor(12) as threads:
        values = [future.result() for future in [threads.submit(read) for _ in range(12)]]

    assert values == [60] * 12
    assert computed["total"] == 1


READ = """
import sys
sys.path.insert(0, "tests")
from cache_world import Database, Cache, computed, total
import time
app, url, at = sys.argv[1:]
database = Database(app)
with Cache(database, url=url) as cache:
    cache.start()
    cache.shared.ping()
    cache.shared.put  # connected
    time.sleep(max(0, float(at) - time.time()))
    with database.session() as session:
        value = total(session)
    print(value, computed["total"])
"""


@pytest.mark.slow
def test_one_process_computes_while_the_others_wait(shop, valkey):
    app = shop.app.url.sqlalchemy.render_as_string(hide_password=False)
    app = app.replace("+psycopg", "")
    at = str(time.time() + 4)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READ, app, valkey.url, at],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )
        for _ in range(3)
    ]  # fmt: skip
    told = [reader.communicate(timeout=60)[0].split() for reader in readers]

    assert [value for value, _ in told] == ["60"] * 3
    assert sum(int(times) for _, times in told) == 1


def test_a_process_that_dies_while_it_computes_delays_others_for_a_bounded_time(shop, valkey):
    declaration = total.declaration
    name = declaration.shared_name(declaration.key((None,), {}))
    assert shop.cache.shared.lock(name)
    shop.cache.shared._held.clear()  # whoever had it is dead and renews nothing

    began = time.monotonic()
    assert shop.total() == 60

    assert 0.5 < time.monotonic() - began < 6


def test_a_process_silent_for_longer_than_the_log_remembers_trusts_nothing(shop):
    """The changes it slept through are gone; only the horizon tells that there were some."""
    shop.total()
    shop.prices(2)
    shop.cache._housekeeping.stop()  # its barriers would break the silence
    shop.write("update cw_price set cents = 100 where id = 1")
    with shop.psql() as connection:
        xid = connection.execute("select pg_current_xact_id()::text").fetchone()[0]
        connection.execute("select buttress_cache_prune(%s::xid8)", [xid])
        left = connection.execute("select count(*) from buttress_cache_change").fetchone()
    assert left == (0,)

    assert shop.total() == 150
    assert shop.prices(2)[0].cents == 30
    assert computed["prices 2"] == 2
    with shop.another_cache(shop.cache.shared._url):
        assert shop.total() == 150


def test_the_log_is_pruned_only_of_what_is_old(shop, monkeypatch):
    monkeypatch.setattr("buttress.cache.housekeeping.KEPT_SECONDS", 0.2)
    keeping = Housekeeping(shop.cache)
    keeping.prune()
    shop.write("update cw_price set cents = 100 where id = 1")
    time.sleep(0.3)

    keeping.prune()

    with shop.psql() as connection:
        left = connection.execute("select count(*) from buttress_cache_change").fetchone()
    assert left[0] > 0
    time.sleep(0.3)
    assert keeping.prune() > 0


def test_values_kept_by_hand_are_strict_too(shop):
    cache = shop.cache
    stamp = cache.stamp()
    assert cache.set("rates", "today", {"eur": 1.1}, tags=[_price()], stamp=stamp)
    assert cache.get("rates", "today", dict[str, float]) == {"eur": 1.1}

    shop.write("update cw_price set cents = 100 where id = 1")

    assert cache.get("rates", "today", dict[str, float]) is None
    assert not cache.set("rates", "today", {"eur": 1.1}, tags=[_price()], stamp=stamp)


def test_a_deleted_key_and_a_cleared_namespace_are_gone_for_all(shop):
    with shop.another_cache(shop.cache.shared._url) as other:
        stamp = shop.cache.stamp()
        shop.cache.set("rates", 1, "a", tags=[], stamp=stamp)
        shop.cache.set("rates", 2, "b", tags=[], stamp=stamp)
        assert other.get("rates", 1, str) == "a"

        shop.cache.delete("rates", 1)
        assert other.get("rates", 1, str) is None
        assert other.get("rates", 2, str) == "b"

        assert shop.cache.clear("rat*") == ["rates"]
        assert other.get("rates", 2, str) is None


def _price() -> type:
    from cache_world import Price

    return Price


def test_a_tag_of_ones_own_is_changed_by_hand(shop):
    times = []

    @cached("feed", tags=["feed-of-rates"])
    def feed() -> int:
        times.append(1)
        return len(times)

    assert (feed(), feed()) == (1, 1)
    shop.cache.invalidate("feed-of-rates")
    assert (feed(), feed()) == (2, 2)


def test_statistics_count_per_namespace(shop):
    shop.total()
    shop.total()
    shop.prices(1)

    stats = shop.cache.stats()

    assert (stats.namespaces["total"].hits, stats.namespaces["total"].misses) == (1, 1)
    assert stats.namespaces["total"].hit_rate == 0.5
    assert stats.namespaces["prices"].fills == 1
    assert stats.namespaces["prices"].entries == 1
    assert 0 < stats.bytes < stats.limit_bytes


def test_memory_is_bounded_and_what_is_used_stays(both):
    with fresh(*both, memory_bytes=6000) as shop:
        shop.prices(1)
        for other in range(100, 160):
            shop.prices(other)
            shop.prices(1)
        assert shop.cache.stats().bytes <= 6000
        assert shop.cache.stats().namespaces["prices"].evictions > 30
        assert computed["prices 1"] == 1


def test_a_forked_child_reads_with_connections_of_its_own(shop):
    shop.total()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(shop.total()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    told = os.read(reader, 100)
    os.waitpid(child, 0)

    assert told == b"60"
    shop.write("update cw_price set cents = 100 where id = 1")
    assert shop.total() == 150


def test_stale_values_are_served_only_where_the_function_says_so(shop):
    @cached("lenient", tags=prices.declaration.tags, serve_stale_seconds=30)
    def lenient(session: Session, shop_id: int) -> int:
        return prices.__wrapped__(session, shop_id)[0].cents

    def read() -> int:
        with shop.app.session() as session:
            return lenient(session, 1)

    assert read() == 10
    shop.write("update cw_price set cents = 100 where id = 1")
    seen = {read()}
    give_up = time.monotonic() + 10
    while 100 not in seen and time.monotonic() < give_up:
        time.sleep(0.02)
        seen.add(read())
    assert seen == {10, 100}


def test_registered_calls_are_made_before_anybody_asks(shop):
    prices.warm(2)

    warmed = shop.cache.warm()

    assert warmed.failed == 0
    assert computed["prices 2"] == 1
    shop.prices(2)
    assert computed["prices 2"] == 1


def test_a_database_that_is_away_is_the_functions_business(shop):
    class Away(Exception):
        pass

    @cached("away", tags=[])
    def away() -> int:
        raise Away

    with pytest.raises(Away):
        away()


def test_cache_is_closed_twice_without_harm(both):
    cache = Cache(both[1])
    cache.open()
    cache.close()
    cache.close()

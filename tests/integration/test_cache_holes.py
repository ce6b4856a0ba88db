"""Ways by which a value could be kept that is not everybody's, or served when it is not right."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from buttress.cache import Cache, cached, tag
from buttress.db.database import Database
from buttress.errors import ConfigurationError
from buttress.settings import PoolSettings
from cache_world import Price, Shop, total


def counter(model: type) -> Callable[[Session], int]:
    @cached("count", tags=[model])
    def count(session: Session) -> int:
        return session.scalar(select(func.count()).select_from(model)) or 0

    return count


def test_functions_of_one_name_made_by_a_factory_keep_their_values_apart(shop):
    shops, prices = counter(Shop), counter(Price)

    with shop.app.session(read_only=True) as session:
        first, second = shops(session), prices(session)
        right = [session.scalar(select(func.count()).select_from(model)) for model in (Shop, Price)]

    assert [first, second] == right


def test_what_a_transaction_nobody_gave_has_not_committed_is_not_kept(shop):
    ambient = Session(shop.app.engine)

    @cached("sum", tags=[Price])
    def total() -> int:
        return ambient.scalar(text("select sum(cents) from cw_price")) or 0

    before = total()
    ambient.rollback()
    ambient.execute(text("update cw_price set cents = cents + 1000"))
    total()
    ambient.rollback()
    ambient.close()

    assert total() == before


def test_rows_behind_policies_of_another_kind_need_the_tenant_in_the_key(shop):
    shop.write("alter table cw_price enable row level security")
    shop.write("create policy all_of_them on cw_price using (true)")
    shop.cache.look()

    @cached("guarded", tags=[Price])
    def guarded(session: Session) -> int:
        return session.scalar(select(func.count()).select_from(Price)) or 0

    with (
        shop.app.session(read_only=True) as session,
        pytest.raises(ConfigurationError, match="security of cw_price"),
    ):
        guarded(session)


@pytest.mark.parametrize(
    "statement",
    [
        "with cw_shop as (select * from cw_price) select count(*) from cw_shop",
        "with cw_price as (select * from cw_price) select count(*) from cw_price, cw_shop",
    ],
)
def test_a_name_given_by_with_hides_no_table(shop, statement):
    @cached("hidden", tags=[Shop])
    def hidden(session: Session) -> int:
        return session.scalar(text(statement)) or 0

    with (
        shop.app.session(read_only=True) as session,
        pytest.raises(ConfigurationError, match="it reads cw_price"),
    ):
        hidden(session)


def test_what_a_function_of_the_database_returns_is_not_kept(shop):
    shop.write(
        "create or replace function prices() returns bigint language sql stable "
        "as 'select count(*) from cw_price'"
    )
    shop.cache.look()

    @cached("called", tags=[Shop])
    def called(session: Session) -> int:
        return session.scalar(text("select prices()")) or 0

    with shop.app.session(read_only=True) as session:
        called(session)

    rejected = shop.cache.stats().namespaces["called"].rejected
    assert rejected == {"it calls prices, which may read anything": 1}


def test_one_computes_and_all_others_wait_however_long_it_takes(shop):
    computed = []

    @cached("slow", tags=[Shop])
    def slow() -> int:
        computed.append(1)
        time.sleep(4)
        return 7

    threads = [threading.Thread(target=slow) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(computed) == 1


def test_a_value_kept_by_hand_counts_as_read_by_who_gets_it(shop):
    cache = shop.cache
    cache.set("by hand", "n", 1, tags=[Shop], stamp=cache.stamp())

    @cached("outer", tags=[Price])
    def outer() -> int:
        return cache.get("by hand", "n", int) or 0

    with pytest.raises(ConfigurationError, match="it reads cw_shop"):
        outer()


def test_a_tag_written_out_asks_for_the_tenant_as_its_model_does(shop):
    class Owned(Shop.__base__):  # type: ignore[misc]
        __table__ = Shop.__table__
        __cache_tags__ = ()
        __cache_tenant__ = "owner_id"

    with pytest.raises(ConfigurationError, match="owner_id"):

        @cached("owned", tags=[tag(Owned)])
        def owned(session: Session) -> int:
            return 1


def test_a_log_without_its_state_is_told_and_stops_nothing(shop):
    @cached("kept", tags=[Shop])
    def kept() -> int:
        return 1

    kept()
    shop.write("delete from buttress_cache_state")
    shop.cache.barrier.disconnect()

    assert kept() == 1


@pytest.mark.parametrize(("identity", "read"), [("its own", 60), ("another", 63)])
def test_another_server_behind_a_pooled_connection_is_noticed(shop, identity, read):
    pooled = Database(replace(shop.app.url, transaction_pooler=True))
    with closing(pooled), Cache(pooled):
        with pooled.session(read_only=True) as session:
            assert total(session) == 60
        # Another server has other rows, and no log of ours tells of them.
        shop.write("alter table cw_price disable trigger user")
        shop.write("update cw_price set cents = cents + 1")
        if identity == "another":
            shop.write("update buttress_cache_state set identity = gen_random_uuid()")

        with pooled.session(read_only=True) as session:
            assert total(session) == read


def test_the_first_use_needs_no_connection_of_an_exhausted_pool(shop):
    single = Database(shop.app.url, pool=PoolSettings(size=1, overflow=0, timeout_seconds=1))
    with closing(single), Cache(single), single.session(read_only=True) as session:
        session.scalar(text("select 1"))

        assert total(session) == 60

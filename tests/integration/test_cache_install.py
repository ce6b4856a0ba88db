"""What `buttress migrate` installs, what it leaves alone, and what happens without it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Mapped, Session, mapped_column

from buttress.cache import Cache, Watch, cached, install, rows
from buttress.cache.lint import lint
from buttress.cache.triggers import problems
from buttress.db.backend import LockTimeout
from buttress.db.database import Database
from buttress.db.migrations import drift, upgrade
from buttress.errors import ConfigurationError
from cache_world import Price, Shop, Stray, Table, World, computed, fresh, mine, total


def found(shop: World, watched: list[Watch] | None = None) -> dict[str, str]:
    with shop.owner.connection() as connection:
        return problems(connection, "public", mine() if watched is None else watched)


def test_installing_again_changes_nothing(shop):
    again = install(shop.owner, mine())

    assert (again.tables, again.removed, again.missing) == ([], [], [])
    assert found(shop) == {}


@pytest.mark.parametrize(
    "harm",
    [
        "drop trigger buttress_cache_update on cw_price",
        "alter table cw_price disable trigger buttress_cache_truncate",
        "alter table cw_price enable replica trigger buttress_cache_insert",
        "create or replace function {function}() returns trigger language plpgsql as "
        "'begin return null; end'",
        "alter function {function}() security invoker",
    ],
)
def test_a_trigger_that_is_not_right_is_told_and_renewed(shop, harm):
    function = "buttress_cache_note_cw_price_" + _digest("cw_price")
    shop.write(harm.format(function=function))

    assert found(shop) == {"cw_price": "its triggers are missing or not those of this version"}
    assert install(shop.owner, mine()).tables == ["cw_price"]
    assert found(shop) == {}


def _digest(table: str) -> str:
    from hashlib import sha256

    return sha256(table.encode()).hexdigest()[:8]


def test_what_is_watched_no_more_loses_its_triggers(shop):
    removed = install(shop.owner, [watch for watch in mine() if watch.table != "cw_shop"])

    assert removed.removed == ["cw_shop"]
    shop.write("update cw_shop set name = 'x'")


def test_a_table_that_does_not_exist_yet_is_no_error(shop):
    assert install(shop.owner, [*mine(), Watch("cw_later")]).missing == ["cw_later"]


def test_functions_over_tables_without_triggers_run_uncached_until_migrate_was_run(shop):
    shop.write("drop trigger buttress_cache_update on cw_price")
    assert shop.total() == 60
    shop.write("update cw_price set cents = 100 where id = 1")
    assert shop.total() == 150
    assert shop.cache.health().status == "warn"
    assert "cw_price" in str(shop.cache.explain())
    (reason,) = shop.cache.stats().namespaces["total"].bypasses
    assert reason == "cw_price not watched: run `buttress migrate upgrade`"

    install(shop.owner, mine())
    shop.cache.look()

    assert (shop.total(), shop.total()) == (150, 150)
    assert computed["total"] == 3


def test_without_a_change_log_nothing_is_cached_and_nothing_fails(database_url):
    database = Database(database_url)
    Table.metadata.create_all(database.engine)
    with Cache(database) as cache:
        with database.session() as session:
            assert total(session) == 0
        assert cache.mode == "off"
        assert "buttress migrate upgrade" in cache.explain().why
    database.close()


def test_the_role_of_the_apps_may_read_the_log_and_not_write_to_it(shop):
    with shop.app.connection(read_only=True) as connection:
        connection.execute(text("select * from buttress_cache_change"))
    for statement in (
        "delete from buttress_cache_change",
        "update buttress_cache_state set horizon = '0'",
    ):
        with (
            pytest.raises(ConfigurationError, match="permission denied"),
            shop.app.connection() as connection,
        ):
            connection.execute(text(statement))


def test_a_role_without_rights_on_the_log_can_write_to_watched_tables(shop):
    shop.total()
    with shop.app.session() as session:
        session.execute(text("update cw_price set cents = 100 where id = 1"))
    assert shop.total() == 150


def test_a_busy_table_is_tried_again_and_then_given_up(shop):
    shop.write("drop trigger buttress_cache_update on cw_price")
    with shop.psql(autocommit=False) as connection:
        connection.execute("lock table cw_price in row exclusive mode")
        with pytest.raises(LockTimeout):
            install(shop.owner, mine(), lock_timeout_seconds=0.1, patience_seconds=0.5)
        threading.Timer(0.5, connection.rollback).start()
        install(shop.owner, mine(), lock_timeout_seconds=0.1, patience_seconds=20)

    assert found(shop) == {}


def test_what_is_installed_is_no_drift(database_url):
    database = Database(database_url)
    upgrade(database, [])
    with database.connection() as connection:
        connection.exec_driver_sql("create table cw_shop (id int primary key, name text)")
    before = drift(database, [])

    install(database, [Watch("cw_shop")])

    assert drift(database, []) == before
    database.close()


def test_a_revision_counts_for_every_table(shop):
    upgrade(shop.owner, [])
    install(shop.owner, mine())
    shop.total()

    with shop.owner.connection() as connection:
        connection.exec_driver_sql(
            "alter table cw_price alter cents type int using cents + 1;"
            "update buttress_migrations set version_num = version_num"
        )

    assert shop.total() == 63


@pytest.mark.parametrize("attached", ["before", "after"])
def test_writes_to_a_partition_are_seen_by_name_and_through_the_table(both, attached):
    owner, _ = both
    with owner.connection() as connection:
        connection.exec_driver_sql("drop table cw_price")
        connection.exec_driver_sql(
            "create table cw_price (id int, shop_id int, sku text, cents int) "
            "partition by list (shop_id);"
            "create table p1 partition of cw_price for values in (1)"
        )
        second = "create table p2 partition of cw_price for values in (2)"
        if attached == "before":
            connection.exec_driver_sql(second)
    install(owner, mine())
    if attached == "after":
        with owner.connection() as connection:
            connection.exec_driver_sql(second)
    with fresh(*both) as shop:
        if attached == "after":
            assert found(shop) == {
                "cw_price": "its triggers are missing or not those of this version"
            }
            install(owner, mine())
        assert found(shop) == {}
        for statement, after in [
            ("insert into p1 values (5, 1, 's5', 1)", 61),
            ("update p2 set cents = 31", 62),
            ("update cw_price set shop_id = 2 where id = 5", 62),
            ("delete from cw_price where id = 5", 61),
            ("truncate p2", 30),
            ("truncate cw_price", 0),
        ]:
            before = (shop.total(), shop.prices(1), shop.prices(2))
            shop.write(statement)
            assert shop.total() == after, (statement, before)
            assert sum(line.cents for shop_id in (1, 2) for line in shop.prices(shop_id)) == after


def test_a_column_that_postgresql_writes_otherwise_makes_no_row_tags(both):
    owner, _ = both
    with owner.connection() as connection:
        connection.exec_driver_sql("alter table cw_shop alter name type char(10)")
    with pytest.raises(ConfigurationError, match="cw_shop cannot make row tags: name"):
        install(owner, [Watch("cw_shop", (("name",),))])


def test_a_function_that_reads_what_it_does_not_name_is_refused_in_development(shop):
    @cached("x", tags=[Shop])
    def cheapest(session: Session) -> int:
        return session.scalar(text("select min(cents) from cw_price")) or 0

    with (
        pytest.raises(ConfigurationError, match="it reads cw_price, which its tags do not name"),
        shop.app.session() as session,
    ):
        cheapest(session)


def test_in_production_its_values_are_not_kept(both):
    @cached("x", tags=[Shop])
    def cheapest(session: Session) -> int:
        return session.scalar(text("select min(cents) from cw_price")) or 0

    with fresh(*both) as shop:
        shop.cache.development = False
        for _ in range(2):
            with shop.app.session() as session:
                assert cheapest(session) == 10
        (reason,) = shop.cache.stats().namespaces["x"].rejected
        assert reason == "it reads cw_price, which its tags do not name"
        assert shop.cache.stats().namespaces["x"].fills == 0


def test_a_function_that_reads_through_another_needs_its_tables_too(shop):
    @cached("x", tags=[Shop])
    def outer(session: Session) -> int:
        return total(session)

    shop.total()
    with (
        pytest.raises(ConfigurationError, match="it reads cw_price"),
        shop.app.session() as session,
    ):
        outer(session)


def test_a_function_that_writes_is_refused(shop):
    @cached("x", tags=[Shop])
    def rename(session: Session) -> int:
        session.execute(text("update cw_shop set name = 'x'"))
        return 1

    with pytest.raises(ConfigurationError, match="it writes"), shop.app.session() as session:
        rename(session)


def test_what_is_read_from_another_server_is_not_kept(shop, database_url):
    other = Database(database_url)
    with other.connection() as connection:
        connection.exec_driver_sql("create table cw_shop (id int)")

    @cached("x", tags=[Shop])
    def elsewhere() -> int:
        with other.session(read_only=True) as session:
            return session.scalar(text("select count(*) from cw_shop")) or 0

    assert elsewhere() == 0
    assert shop.cache.stats().namespaces["x"].rejected == {
        "it reads from another server, or as another role": 1
    }
    other.close()


def test_lint_finds_models_that_tags_leave_out(shop):
    @cached("x", tags=[rows(Price, "shop_id")])
    def names(session: Session, shop_id: int) -> list[str]:
        return [shop.name for shop in session.query(Shop)] + [str(Stray), str(Price)]

    found = {
        str(one).split(".")[-1]: one.cure
        for one in lint()
        if one.function == names.declaration.name
    }

    assert sorted(found) == [
        "names reads Shop, which its tags do not name",
        "names reads Stray, which its tags do not name",
    ]
    assert "__cache_tags__" in found["names reads Stray, which its tags do not name"]


class Note(Table):
    __tablename__ = "cw_note"
    __cache_tags__ = ()
    id: Mapped[int] = mapped_column(primary_key=True)


@cached("notes", tags=[Note])
def notes(session: Session) -> int:
    """How many notes there are."""
    computed("notes")
    return session.scalar(text("select count(*) from cw_note")) or 0


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    Table.metadata.create_all(database.engine)
    computed.times.clear()
    with Cache(database) as cache:
        assert cache.mode == "sqlite"
        yield database
    database.close()


def read(database: Database) -> int:
    with database.session(read_only=True) as session:
        return notes(session)


def test_on_sqlite_any_commit_is_seen_and_nothing_before_it(sqlite):
    assert [read(sqlite), read(sqlite), computed["notes"]] == [0, 0, 1]

    with sqlite.session() as session:
        session.add(Note(id=1))
        session.flush()
        assert notes(session) == 1
        assert read(sqlite) == 0

    assert read(sqlite) == 1


def test_on_sqlite_what_is_rolled_back_is_not_served(sqlite):
    with sqlite.session() as session:
        session.add(Note(id=1))
        session.flush()
        assert notes(session) == 1
        session.rollback()

    assert read(sqlite) == 0


def test_a_psycopg_error_is_no_error_of_the_cache(shop):
    with pytest.raises(psycopg.errors.UniqueViolation):
        shop.write("insert into cw_price values (1, 1, 'x', 1)")
    assert shop.total() == 60

"""One table of a backup, restored beside the live ones."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import test_backup
from backup_forged import data_of, forge
from buttress.backup import Backups, postgresql
from buttress.backup.site import Site
from buttress.backup.store import FolderStore
from buttress.db.url import parse_database_url
from buttress.errors import BadInput, Conflict, NotFound
from buttress.settings import BackupSettings
from test_backup import change, databases

site, backups = test_backup.site, test_backup.backups


def ask(site: Site, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(site.owner.conninfo) as connection:
        return connection.execute(query).fetchall()


def test_one_table_comes_back_beside_the_live_one(backups, site):
    before = ask(site, "select * from customers order by id")
    backups.create(drill=False)
    change(site, "delete from customers where id > 700")

    restored = backups.restore_table("customers")

    assert restored.name.startswith("public.customers_restored_20")
    assert ask(site, f"select * from {restored.name} order by id") == before
    assert len(ask(site, "select 1 from customers")) == 700
    assert databases(site) == {postgresql.name_of(site.owner)}
    change(
        site,
        f"insert into customers (id, name, paid) overriding system value "
        f"select id, name, paid from {restored.name} on conflict do nothing",
    )
    assert len(ask(site, "select 1 from customers")) == 2000


def test_nobody_but_its_owner_may_read_a_restored_table(backups, site, servers):
    backups.create(drill=False)
    name = postgresql.name_of(site.owner)
    change(site, "alter default privileges grant select on tables to public")

    restored = backups.restore_table("public.orders", to="orders_before")

    assert restored.name == "public.orders_before"
    with (
        psycopg.connect(servers.postgres_url("app", name)) as app,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        app.execute("select * from orders_before")


def test_tables_with_odd_names_types_and_no_rows_come_back(backups, site):
    change(site, "create schema other")
    change(site, "create type other.mood as enum ('good', 'bad')")
    change(site, 'create table other.orders (m other.mood[], t text collate "C")')
    change(site, "insert into other.orders values ('{good,bad}', 'a')")
    backups.create(drill=False)

    assert backups.restore_table('Odd "name', to="odd").rows == 3
    assert ask(site, 'select "a b" from odd order by 1') == ask(
        site, 'select "a b" from "Odd ""name" order by 1'
    )
    assert backups.restore_table("empty_one").rows == 0
    backups.restore_table("other.orders", to="back")
    assert ask(site, "select m::text, t from other.back") == [("{good,bad}", "a")]
    with pytest.raises(Conflict, match=r"other\.orders and public\.orders"):
        backups.restore_table("orders")


def test_a_table_the_backup_has_not_or_that_exists_is_refused(backups, site):
    backups.create(drill=False)

    with pytest.raises(NotFound, match="no table nothing"):
        backups.restore_table("nothing")
    with pytest.raises(Conflict, match=r"there is a table public\.orders"):
        backups.restore_table("customers", to="orders")


@pytest.mark.slow
def test_a_table_whose_type_is_gone_is_refused_and_nothing_is_left(backups, site):
    change(site, "create type mood as enum ('good')")
    change(site, "create table moods (m mood)")
    backups.create(drill=False)
    change(site, "drop table moods")
    change(site, "drop type mood")

    with pytest.raises(Conflict, match="does not fit"):
        backups.restore_table("moods")
    assert databases(site) == {postgresql.name_of(site.owner)}


def test_a_table_that_is_not_what_was_backed_up_is_refused(backups, site):
    backup = backups.create(drill=False)
    data = data_of(backups, backup).replace(b"customer 77\t", b"customer 78\t")
    forge(backups, backup, data)

    with pytest.raises(BadInput, match="not what was backed up"):
        backups.restore_table("customers")

    assert backups.restore_table("orders", dry_run=True).rows == 500
    assert ask(site, "select 1 from pg_class where relname like '%restored%'") == []
    assert databases(site) == {postgresql.name_of(site.owner)}


@pytest.fixture
def sqlite_backups(tmp_path: Path) -> Backups:
    file = tmp_path / "live.db"
    chance = random.Random(1)
    values = [1, 2.5, "3", b"4", None, "é\0x", 2**62, -0.0, "1e3"]
    with closing(sqlite3.connect(file)) as connection:
        connection.execute('create table "my notes" (id integer primary key, a real, b, c numeric)')
        connection.executemany(
            'insert into "my notes" (a, b, c) values (?, ?, ?)',
            [chance.choices(values, k=3) for _ in range(500)],
        )
        connection.commit()
    url = parse_database_url(f"sqlite:///{file}")
    return Backups(
        Site(url, url, url, tmp_path / "home"), FolderStore(tmp_path / "store"), BackupSettings()
    )


def test_one_table_of_sqlite_comes_back_beside_the_live_one(sqlite_backups, tmp_path):
    sqlite_backups.create()
    with closing(sqlite3.connect(tmp_path / "live.db")) as live:
        live.execute('delete from "my notes" where id > 10')
        live.commit()

        restored = sqlite_backups.restore_table("my notes")

        assert live.execute(f'select count(*) from "{restored.name}"').fetchone() == (500,)
        assert live.execute('select count(*) from "my notes"').fetchone() == (10,)
        same = f'select * from "my notes" intersect select * from "{restored.name}"'
        assert len(live.execute(same).fetchall()) == 10
        with pytest.raises(Conflict, match="there is a table"):
            sqlite_backups.restore_table("my notes", to=restored.name)
        before = live.execute("select count(*) from sqlite_master").fetchone()
        sqlite_backups.restore_table("my notes", to="trial", dry_run=True)
        assert live.execute("select count(*) from sqlite_master").fetchone() == before

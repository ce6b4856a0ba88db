"""Backups of PostgreSQL: proven by a restore, restored beside the live database, then swapped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from buttress.backup import Backups, postgresql
from buttress.backup.site import Site
from buttress.backup.store import FolderStore
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.url import parse_database_url
from buttress.errors import (
    ButtressError,
    Conflict,
)
from buttress.settings import BackupSettings

SCHEMA = """
    create table customers (id bigint primary key generated always as identity,
        name text not null, paid numeric(12, 2), seen timestamptz, note jsonb,
        shout text generated always as (upper(name)) stored);
    insert into customers (name, paid, seen, note)
        select 'customer ' || n, n * 1.25, timestamptz '2026-01-01' + n * interval '1 hour',
            jsonb_build_object('n', n) from generate_series(1, 2000) n;
    create index on customers (name);
    create table orders (id int primary key, customer bigint references customers);
    insert into orders select n, n from generate_series(1, 500) n;
    create view big as select * from customers where paid > 100;
    create table empty_one (a int);
    create table "Odd ""name" ("a b" text);
    insert into "Odd ""name" values (E'tab\\tnew\\nline\\\\'), (null), ('');
"""


@pytest.fixture
def site(servers: Servers, database_url: str, tmp_path: Path) -> Iterator[Site]:
    owner = parse_database_url(database_url)
    name = postgresql.name_of(owner)
    with psycopg.connect(owner.conninfo, autocommit=True) as connection:
        connection.execute(SCHEMA)
    yield Site(
        parse_database_url(servers.postgres_url("backup", name)),
        owner,
        parse_database_url(servers.postgres_url("postgres", name)),
        tmp_path / "home",
    )
    with psycopg.connect(servers.postgres_url("postgres", "postgres"), autocommit=True) as admin:
        for (left,) in admin.execute(
            "select datname from pg_database where starts_with(datname, %s)", [name[:35] + "_"]
        ).fetchall():
            admin.execute(f'drop database if exists "{left}" with (force)')


@pytest.fixture
def backups(site: Site, tmp_path: Path) -> Backups:
    return Backups(site, FolderStore(tmp_path / "store"), BackupSettings())


def count(site: Site, table: str = "customers") -> int:
    with psycopg.connect(site.owner.conninfo) as connection:
        row = connection.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return int(row[0])


def databases(site: Site) -> set[str]:
    with psycopg.connect(site.owner.conninfo) as connection:
        return {
            name
            for (name,) in connection.execute(
                "select datname from pg_database where starts_with(datname, %s)",
                [postgresql.name_of(site.owner)[:35]],
            )
        }


def change(site: Site, statement: str) -> None:
    with psycopg.connect(site.owner.conninfo) as connection:
        connection.execute(statement)


def test_a_backup_is_verified_by_a_restore_that_equals_it(backups, site):
    backup = backups.create("a test")

    assert backup.verified
    assert backup.drill.rows == 2503
    assert {table.name: table.rows for table in backup.manifest.content.tables}["customers"] == 2000
    assert backup.manifest.reason == "a test"
    assert databases(site) == {postgresql.name_of(site.owner)}


def test_a_restore_brings_back_what_was_lost_and_keeps_what_was_there(backups, site):
    backups.create()
    change(site, "delete from orders; delete from customers where id > 10")

    restored = backups.restore()

    assert count(site) == 2000
    assert restored.rows == 2503
    kept = postgresql.database_url(site.owner, restored.kept)
    with psycopg.connect(kept.conninfo) as connection:
        assert connection.execute("select count(*) from customers").fetchone() == (10,)


def test_a_restored_database_lets_the_same_roles_in(backups, site, servers):
    name = postgresql.name_of(site.owner)
    change(site, f'revoke connect on database "{name}" from public')
    change(site, f'grant connect on database "{name}" to buttress_app, buttress_backup')
    change(site, "revoke all on customers from buttress_app")

    backups.create()
    backups.restore()

    with psycopg.connect(servers.postgres_url("app", name)) as app:
        assert app.execute("select count(*) from orders").fetchone() == (500,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("select count(*) from customers")


def test_a_restore_to_another_name_leaves_the_live_database_alone(backups, site):
    backups.create()
    change(site, "delete from orders")
    to = postgresql.name_of(site.owner) + "_copy"

    backups.restore(to=to)

    assert count(site, "orders") == 0
    with psycopg.connect(postgresql.database_url(site.owner, to).conninfo) as connection:
        assert connection.execute("select count(*) from orders").fetchone() == (500,)
    with pytest.raises(Conflict):
        backups.restore(to=to)


def test_a_restore_where_no_database_is_left_keeps_none(backups, site):
    backups.create(drill=False)
    postgresql.drop(site.admin, postgresql.name_of(site.owner))

    assert backups.restore().kept is None

    assert count(site) == 2000


def test_a_restore_tells_how_many_jobs_are_begun_again(backups, site):
    assert backups.create(drill=False)
    assert backups.restore(dry_run=True).unended_jobs == 0
    change(
        site,
        """create schema buttress_jobs;
        create table buttress_jobs.workflow_status as
            select unnest(array['ENQUEUED', 'PENDING', 'SUCCESS', 'CANCELLED']) status""",
    )
    backups.create(drill=False)

    assert backups.restore(dry_run=True).unended_jobs == 2


def test_a_dry_run_restores_and_compares_and_changes_nothing(backups, site):
    backups.create()
    change(site, "delete from orders")

    assert backups.restore(dry_run=True).dry_run

    assert count(site, "orders") == 0
    assert databases(site) == {postgresql.name_of(site.owner)}


def test_the_manifest_and_the_dump_are_of_one_moment_while_others_write(backups, site):
    ended = threading.Event()

    def write() -> None:
        with psycopg.connect(site.owner.conninfo, autocommit=True) as connection:
            while not ended.is_set():
                connection.execute("insert into customers (name, paid) values ('late', 1)")
                connection.execute("update customers set paid = paid + 1 where id % 100 = 0")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(2):
            assert backups.create().verified
    finally:
        ended.set()
        writer.join()


def test_readers_fail_at_most_once_while_a_restore_swaps(backups, site):
    backups.create()
    ended, failures = threading.Event(), [0, 0]

    def read(number: int) -> None:
        with closing(
            Database(site.owner.sqlalchemy.render_as_string(hide_password=False))
        ) as database:
            while not ended.is_set():
                try:
                    with database.session(read_only=True) as session:
                        assert session.scalar(text("select count(*) from customers")) == 2000
                except ButtressError:
                    failures[number] += 1

    readers = [threading.Thread(target=read, args=(number,)) for number in range(2)]
    for reader in readers:
        reader.start()
    try:
        backups.restore()
        time.sleep(0.2)
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert max(failures) <= 1

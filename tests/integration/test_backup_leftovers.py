"""Databases and files that killed restores leave, and who may delete them."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import psycopg
import pytest

import test_backup
from buttress.backup import Backups, leftovers, postgresql, scratch
from buttress.backup.site import Site
from buttress.backup.store import FolderStore
from buttress.db.embedded import start_servers
from buttress.db.url import parse_database_url
from buttress.settings import BackupSettings
from test_backup import count, databases
from test_backup_bad_input import RESTORE

site, backups = test_backup.site, test_backup.backups


@pytest.fixture
def admin(servers):
    url = servers.postgres_url("owner", "postgres")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def test_a_leftover_is_dropped_by_the_next_backup_unless_it_is_used_or_claimed(
    backups, site, admin
):
    dead, used, claimed = (postgresql.new_name(site.owner, "restore") for _ in range(3))
    for name in (dead, used, claimed):
        admin.execute(f'create database "{name}"')
    admin.execute("select pg_advisory_lock(%s, hashtext(%s))", (postgresql.CLAIMS, claimed))

    with psycopg.connect(postgresql.database_url(site.owner, used).conninfo):
        assert backups.leftovers() == [dead]
        assert backups.create().verified
        assert databases(site) == {postgresql.name_of(site.owner), used, claimed}

    admin.execute("select pg_advisory_unlock_all()")
    backups.restore(dry_run=True)
    assert databases(site) == {postgresql.name_of(site.owner)}


@pytest.mark.slow
def test_databases_of_people_are_no_leftovers(backups, site, admin):
    name = postgresql.name_of(site.owner)
    mine = {f"{name}_restore_mine", f"{name}_before_20261122t101010", f"{name}_copy"}
    for one in mine:
        admin.execute(f'create database "{one}"')

    backups.create()

    assert mine < databases(site)


@pytest.mark.slow
def test_a_restore_killed_while_it_restores_leaves_the_live_database_and_is_cleaned_up(
    backups, site, servers, tmp_path
):
    backups.create(drill=False)
    test_backup.change(site, "delete from orders")
    name = postgresql.name_of(site.owner)
    urls = [servers.postgres_url(role, name) for role in ("backup", "owner", "postgres")]

    with subprocess.Popen(
        [sys.executable, "-c", RESTORE, *urls, site.home, tmp_path / "store"],
        stdout=subprocess.PIPE,
    ) as process:
        left = wait_for(lambda: databases(site) - {name})
        process.send_signal(signal.SIGKILL)

    assert count(site, "orders") == 0
    wait_for(lambda: backups.leftovers() == sorted(left))
    backups.verify()
    assert databases(site) == {name}


def wait_for(found, seconds: float = 15):
    until = time.monotonic() + seconds
    while not (what := found()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return what


@pytest.fixture
def sqlite_site(tmp_path):
    with closing(sqlite3.connect(tmp_path / "live.db")) as connection:
        connection.execute("create table t (a)")
    url = parse_database_url(f"sqlite:///{tmp_path / 'live.db'}")
    return Site(url, url, url, tmp_path / "home")


def test_folders_of_killed_sqlite_restores_are_deleted_and_those_of_living_ones_stay(
    sqlite_site, tmp_path
):
    name = ".buttress-scratch-20261122T101010-0123abcd"
    dead = [tmp_path / "home" / name, tmp_path / name]
    for folder in dead:
        folder.mkdir(parents=True)
        (folder / "database.sqlite").write_bytes(b"half")

    with scratch.folder(sqlite_site.home) as living:
        os.utime(living, (0, 0))
        assert sorted(leftovers.find(sqlite_site)) == sorted(map(str, dead))
        Backups(sqlite_site, FolderStore(tmp_path / "store"), BackupSettings()).create()
        assert living.exists()

    assert not any(folder.exists() for folder in [*dead, living])
    assert (tmp_path / "live.db").exists()


def test_neither_the_store_nor_folders_of_people_are_leftovers(sqlite_site, tmp_path):
    home = tmp_path / "home"
    backups = Backups(sqlite_site, FolderStore(home / "backup-store"), BackupSettings())
    mine = [home / "backup-notes", home / ".buttress-scratch-of-mine"]
    for folder in mine:
        folder.mkdir(parents=True)
    first = backups.create()
    for path in home.iterdir():
        os.utime(path, (0, 0))

    assert backups.leftovers() == []
    backups.create()

    assert backups.find(first.id).verified
    assert all(folder.exists() for folder in mine)


def test_a_store_in_a_folder_named_like_a_leftover_stays(sqlite_site, tmp_path):
    above = tmp_path / "home" / ".buttress-scratch-20261122T101010-0123abcd"
    backups = Backups(sqlite_site, FolderStore(above / "store"), BackupSettings(drill=False))

    first = backups.create()
    backups.create()

    assert backups.find(first.id)


@pytest.mark.slow
def test_a_scratch_database_is_dropped_although_autovacuum_is_at_it(tmp_path):
    """A drill of more than a minute meets it; its worker may be ended by a superuser only."""
    settings = ("naptime = '1s'", "vacuum_cost_delay = '100ms'", "vacuum_cost_limit = 1")
    with (
        start_servers(tmp_path / "home") as servers,
        psycopg.connect(servers.postgres_url("postgres", "postgres"), autocommit=True) as admin,
    ):
        for setting in settings:
            admin.execute(f"alter system set autovacuum_{setting}")
        admin.execute("select pg_reload_conf()")
        admin.execute("create database scratchy owner buttress_owner")
        url = servers.postgres_url("owner", "scratchy")
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(
                "create table t as select n, repeat('x', 500) from generate_series(1, 1e5) n"
            )
            owner.execute("delete from t where n % 2 = 0")
        at_it = (
            "select 1 from pg_stat_activity where datname = 'scratchy' and backend_type ~ 'auto'"
        )
        wait_for(lambda: admin.execute(at_it).fetchone())

        postgresql.drop(parse_database_url(url), "scratchy")

        gone = admin.execute("select 1 from pg_database where datname = 'scratchy'")
        assert gone.fetchone() is None

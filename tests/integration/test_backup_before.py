"""Backups that are made before a migration and before a move that replaces tables."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from buttress.backup import before_import, before_migration, open_backups
from buttress.cli import cli
from buttress.db import migrations
from buttress.db.database import Database
from buttress.runtime import Runtime
from buttress.settings import BackupSettings, Settings
from test_migrations import Apps


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(_env_file=None, database_url=database_url, home=tmp_path / "home")


def test_a_database_with_tables_is_backed_up_before_pending_revisions(settings, tmp_path):
    apps = Apps(tmp_path)
    source = apps.add("catalog")
    apps.make_table("catalog")
    with closing(Database(settings.database_url.get_secret_value())) as database:
        assert before_migration(settings, database, [source]) is None  # nothing to lose
        migrations.upgrade(database, [source])
        assert before_migration(settings, database, [source]) is None  # nothing to do
        migrations.downgrade(database, [source], "catalog@base")
        with database.session() as session:
            session.connection().exec_driver_sql("create table mine as select 1 as a")

        made = before_migration(settings, database, [source])
        off = settings.model_copy(update={"backup": BackupSettings(before_changes=False)})
        assert before_migration(off, database, [source]) is None

    assert made.verified
    assert made.manifest.reason.startswith("before ")
    with open_backups(settings) as backups:
        assert [backup.id for backup in backups.all()] == [made.id]


def test_a_table_with_rows_is_backed_up_before_a_large_import(settings):
    with closing(Database(settings.database_url.get_secret_value())) as database:
        with database.session() as session:
            session.connection().exec_driver_sql(
                "create table campaign as select 1 as a where false"
            )
        assert before_import(settings, database, "campaign", rows=None) is None  # nothing to lose
        with database.session() as session:
            session.connection().exec_driver_sql("insert into campaign values (1)")
        assert before_import(settings, database, "campaign", rows=99) is None  # not large
        off = settings.model_copy(update={"backup": BackupSettings(before_changes=False)})
        assert before_import(off, database, "campaign", rows=None) is None

        made = before_import(settings, database, "public.campaign", rows=100_000)

    assert made.verified
    assert made.manifest.reason == "before an import of 100,000 rows into public.campaign"


def test_a_move_that_replaces_tables_backs_them_up_first(
    database_url, servers, conninfo, tmp_path, monkeypatch
):
    with psycopg.connect(conninfo) as connection:
        connection.execute("create table notes as select n from generate_series(1, 7) n")
    source = tmp_path / "prototype.db"
    with closing(sqlite3.connect(source)) as connection:
        connection.executescript("create table notes (a); insert into notes values (1)")
    for name, value in {
        "DATABASE_URL": database_url,
        "REDIS_URL": servers.valkey_url,
        "BUTTRESS_HOME": str(tmp_path / "home"),
    }.items():
        monkeypatch.setenv(name, value)

    done = CliRunner().invoke(
        cli, ["move", str(source), "--replace", "--report", str(tmp_path / "r")]
    )

    assert done.exit_code == 0, done.output
    settings = Settings(_env_file=None, database_url=database_url, home=tmp_path / "home")
    with open_backups(settings) as backups:
        (backup,) = backups.all()
    assert backup.verified
    assert [(table.name, table.rows) for table in backup.manifest.content.tables] == [("notes", 7)]


def test_a_runtime_offers_the_backups_of_its_deployment(settings, servers):
    settings = settings.model_copy(update={"redis_url": SecretStr(servers.valkey_url)})

    with Runtime(settings) as runtime:
        made = runtime.backup.create("from the app")

    assert made.verified

"""What a backup does with damage, strangers, hidden rows, full disks and kill -9."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import msgspec
import pytest

import test_backup
from backup_forged import forge, rewrite
from buttress.backup import Backups, postgresql
from buttress.backup.site import Site
from buttress.backup.store import FolderStore
from buttress.db.url import parse_database_url
from buttress.errors import (
    BadInput,
    ConfigurationError,
    NotFound,
    Unavailable,
    Unsupported,
)
from buttress.settings import BackupSettings
from test_backup import change, count, databases

site, backups = test_backup.site, test_backup.backups


def test_damage_behind_the_checksums_is_found_by_the_drill(backups, site, tmp_path):
    """Somebody writes other data with checksums that fit: only the contents tell."""
    backup = backups.create(drill=False)
    change(site, "update customers set paid = paid + 0.01 where id = 77")
    other = backups.create(drill=False)
    forged = msgspec.structs.replace(
        backup.manifest, files=other.manifest.files, chunked=other.manifest.chunked
    )
    rewrite(backups, forged)

    record = backups.verify(backup.id)

    assert record.differences == ["table public.customers has other values in its 2000 rows"]
    assert not backups.find(backup.id).verified
    with pytest.raises(BadInput, match="other values"):
        backups.restore(backup.id)
    assert databases(site) == {postgresql.name_of(site.owner)}


def test_a_role_that_sees_only_some_rows_makes_no_backup(site, tmp_path, servers):
    change(site, "alter table customers enable row level security")
    change(site, "create policy few on customers to buttress_app using (id < 10)")
    name = postgresql.name_of(site.owner)
    app = parse_database_url(servers.postgres_url("app", name))
    store = FolderStore(tmp_path / "store")

    with pytest.raises(ConfigurationError, match="row-level security"):
        Backups(Site(app, site.owner, site.admin, site.home), store, BackupSettings()).create()

    assert store.names() == []
    assert Backups(site, store, BackupSettings()).create().verified


def test_a_backup_of_a_newer_server_is_refused_with_the_reason(backups, site):
    backup = backups.create(drill=False)
    rewrite(backups, msgspec.structs.replace(backup.manifest, server_version_number=990001))

    with pytest.raises(Unsupported, match="made by PostgreSQL 99"):
        backups.restore()


def test_a_backup_of_a_newer_buttress_or_of_something_else_is_refused(backups):
    backup = backups.create(drill=False)
    rewrite(backups, msgspec.structs.replace(backup.manifest, format=99))
    with pytest.raises(Unsupported, match="format 99"):
        backups.restore(backup.id)

    rewrite(backups, msgspec.structs.replace(backup.manifest, product="mysqldump"))
    with pytest.raises(BadInput, match="no manifest of a Buttress backup"):
        backups.restore(backup.id)


def test_a_dump_of_another_product_is_refused(backups, site):
    backup = backups.create(drill=False)
    forge(backups, backup, b"-- MySQL dump 10.13")

    with pytest.raises(BadInput, match="no dump of PostgreSQL"):
        backups.restore()
    assert databases(site) == {postgresql.name_of(site.owner)}


def test_another_key_and_none_are_refused_with_the_cure(site, tmp_path):
    store = FolderStore(tmp_path / "store")
    Backups(site, store, BackupSettings(key="the right key")).create()

    for secret in ("another key", ""):
        with pytest.raises(ConfigurationError) as refused:
            Backups(site, store, BackupSettings(key=secret)).restore()
        assert "BUTTRESS_BACKUP__KEY" in refused.value.hint
    assert b"customer 77" not in b"".join(
        path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()
    )


def test_a_full_disk_leaves_no_backup_and_says_so(site, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], capture_output=True
    ).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        change(site, "create table noise as select gen_random_uuid() from generate_series(1, 9000)")
        store = FolderStore(small)
        with pytest.raises(Unavailable, match="no space left"):
            Backups(site, store, BackupSettings()).create()
        assert store.names() == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_store_that_cannot_be_written_is_an_error_with_a_cure(site, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot be read or written"):
        Backups(site, FolderStore(tmp_path / "file"), BackupSettings()).create()


def test_a_name_nobody_has_is_not_found(backups):
    with pytest.raises(NotFound):
        backups.find()
    with pytest.raises(NotFound):
        backups.restore("2020")


RESTORE = """
import sys
from pathlib import Path
from buttress.backup import Backups
from buttress.backup.site import Site
from buttress.backup.store import FolderStore
from buttress.db.url import parse_database_url as url
from buttress.settings import BackupSettings
reader, owner, admin, home, store = sys.argv[1:]
site = Site(url(reader), url(owner), url(admin), Path(home))
print("ready", flush=True)
Backups(site, FolderStore(Path(store)), BackupSettings()).restore()
"""


@pytest.mark.slow
def test_a_restore_killed_at_any_time_leaves_the_live_database_whole(
    backups, site, servers, tmp_path
):
    backups.create(drill=False)
    change(site, "insert into orders values (100000, null)")
    name = postgresql.name_of(site.owner)
    urls = [servers.postgres_url(role, name) for role in ("backup", "owner", "postgres")]
    chance = random.Random(4)

    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", RESTORE, *urls, site.home, tmp_path / "store"],
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0.05, 0.7))
            process.send_signal(signal.SIGKILL)
        # Either the old one or the restored one, and that one whole.
        assert count(site) == 2000
        assert count(site, "orders") in (500, 501)

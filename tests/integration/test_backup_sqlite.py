"""Backups of SQLite, retention, and stores that are no folder."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import msgspec
import obstore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_format_1 import seal
from buttress.backup import Backups, Manifest, shelf, sqlite
from buttress.backup.keys import Key
from buttress.backup.manifest import decode, encode
from buttress.backup.packing import unseal
from buttress.backup.retention import to_keep
from buttress.backup.site import Site
from buttress.backup.store import BucketStore, FolderStore
from buttress.db.url import parse_database_url
from buttress.errors import BadInput, Conflict, NotFound, Unsupported
from buttress.settings import BackupSettings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "live.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("""
            pragma journal_mode = wal;
            create table notes (id integer primary key, text, amount);
            create table pairs (a, b, primary key (a, b)) without rowid;
            insert into pairs values (1, 'x'), ('1', x'00ff');
            create index by_amount on notes (amount);
        """)
        connection.executemany(
            "insert into notes (text, amount) values (?, ?)",
            [(f"note {n}\0é", n / 3) for n in range(3000)],
        )
        connection.commit()
    return path


@pytest.fixture
def backups(file: Path, tmp_path: Path) -> Backups:
    url = parse_database_url(f"sqlite:///{file}")
    return Backups(
        Site(url, url, url, tmp_path / "home"), FolderStore(tmp_path / "store"), BackupSettings()
    )


def run(file: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection, connection:
        return connection.execute(statement).fetchall()


def test_a_sqlite_file_is_backed_up_while_it_is_written_and_verified(backups, file):
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            run(file, "insert into notes (text) values ('late')")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backup = backups.create()
    finally:
        ended.set()
        writer.join()

    assert backup.verified
    assert backup.manifest.content.rows >= 3002


def test_a_restored_file_takes_the_place_of_the_live_one_which_is_kept(backups, file):
    backups.create()
    run(file, "delete from notes")

    restored = backups.restore()

    assert run(file, "select count(*) from notes") == [(3000,)]
    assert run(Path(restored.kept), "select count(*) from notes") == [(0,)]
    assert not list(file.parent.glob("*.restore"))


def test_a_restore_tells_what_was_kept_only_when_there_was_something(backups, file):
    backups.create()
    file.unlink()

    assert backups.restore().kept is None
    assert backups.restore().kept is not None


def test_a_backup_of_a_newer_sqlite_is_refused_with_a_cure(backups, file):
    backup = backups.create(drill=False)
    newer = msgspec.structs.replace(backup.manifest, server_version_number=4_000_000)
    backups.write(backup.id, "manifest.json", encode(newer))

    with pytest.raises(Unsupported) as refused:
        backups.restore()
    assert "SQLite" in refused.value.hint


@pytest.fixture(params=["wal", "delete"])
def journal(request, file, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    run(file, f"pragma journal_mode = {request.param}")
    return request.param


def test_a_file_others_write_or_read_is_left_alone(backups, file, journal):
    backups.create()
    for statements in (["begin immediate", "delete from pairs"], ["begin", "select * from pairs"]):
        with closing(sqlite3.connect(file)) as other:
            for statement in statements:
                other.execute(statement).fetchone()
            with pytest.raises(Conflict, match="in use"):
                backups.restore()
            other.commit()
    assert run(file, "select count(*) from pairs") == [(0,)]
    assert not list(file.parent.glob("live_before_*"))


def test_nothing_is_acknowledged_that_goes_into_a_replaced_file(backups, file, journal):
    backups.create()
    with closing(sqlite3.connect(file, timeout=0.1)) as idle:
        idle.execute("select * from pairs").fetchall()
        if journal == "wal":
            with pytest.raises(Conflict, match="in use"):
                backups.restore()
        else:
            backups.restore()
            with pytest.raises(sqlite3.OperationalError), idle:
                idle.execute("delete from pairs")
    assert run(file, "select count(*) from pairs") == [(2,)]


def test_who_waits_for_the_file_during_the_swap_writes_into_the_new_one_or_not_at_all(
    backups, file, monkeypatch
):
    run(file, "pragma journal_mode = delete")
    backups.create()
    begun, said = threading.Event(), []

    def write() -> None:
        with closing(sqlite3.connect(file, timeout=5)) as other:
            begun.set()
            try:
                with other:
                    other.execute("delete from pairs")
            except sqlite3.OperationalError as error:
                said.append(str(error))

    replace, writer = Path.replace, threading.Thread(target=write)

    def while_another_waits(path: Path, target: Path) -> Path:
        if target == file:
            writer.start()
            begun.wait()
            time.sleep(0.2)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", while_another_waits)
    kept = Path(backups.restore().kept)
    writer.join()

    assert run(kept, "select count(*) from pairs") == [(2,)]
    assert run(file, "select count(*) from pairs") == [(2,)]
    assert said


def test_a_damaged_file_makes_no_backup(backups, file, tmp_path):
    run(file, "pragma wal_checkpoint(truncate)")
    data = bytearray(file.read_bytes())
    data[4096 * 3 : 4096 * 3 + 64] = b"\xff" * 64
    file.write_bytes(data)

    with pytest.raises(BadInput, match="damaged"):
        backups.create()
    assert backups.all() == []


def test_a_value_changed_behind_the_checksums_is_found(backups, file):
    backup = backups.create()
    before = backup.manifest.content.tables
    forged = [msgspec.structs.replace(before[0], digest="0" * 16), *before[1:]]
    content = msgspec.structs.replace(backup.manifest.content, tables=forged)
    manifest = msgspec.structs.replace(backup.manifest, content=content)
    with backups.store.write(f"{backup.id}/manifest.json") as target:
        target.write(encode(manifest))

    assert not backups.find().verified  # the drill was of another manifest
    assert backups.verify().differences == [
        f"table {before[0].label} has other values in its {before[0].rows} rows"
    ]


def test_a_manifest_stays_readable_and_verified_when_its_format_gets_a_field(monkeypatch, tmp_path):
    """The files are what a version wrote that knew fewer fields."""
    store = FolderStore(tmp_path)
    written = Path(__file__).with_name("backup_of_november_2026")
    name = "20261122T235032080-a1b5"
    for part in ("manifest.json", "drill.json"):
        store.put(f"{name}/{part}", (written / part).read_bytes())

    for kind in (Manifest, msgspec.defstruct("Later", [("more", str, "")], bases=(Manifest,))):
        monkeypatch.setattr(shelf, "Manifest", kind)
        backup = shelf.Shelf(store).find(name)
        assert backup.verified
        assert backup.manifest.content.rows == 2

    whole = (written / "manifest.json").read_bytes()
    for changed in (
        whole.replace(b'"rows": 2', b'"rows": 3'),
        whole.replace(b'"rows": 2', b'"rows":  2'),
        whole.replace(b'"rows": 2,', b'"rows": 2, "rows": 2,'),
    ):
        with pytest.raises(BadInput, match="damaged"):
            decode(changed, Manifest, name="changed")


@pytest.mark.parametrize("secret", ["", "a key of some length"])
def test_a_bucket_keeps_backups_like_a_folder(file, tmp_path, secret):
    url = parse_database_url(f"sqlite:///{file}")
    store = BucketStore(obstore.store.MemoryStore(), "memory")
    backups = Backups(
        Site(url, url, url, tmp_path), store, BackupSettings(key=secret, daily=1, monthly=0)
    )

    first, second = backups.create(), backups.create()

    assert second.verified
    backups.pin(first.id)
    assert backups.prune() == []
    backups.pin(first.id, pinned=False)
    gone = backups.prune()
    assert len(gone) == 1
    assert [backup.id for backup in backups.all()] != [gone[0].id]
    with pytest.raises(NotFound):
        backups.find(gone[0].id)


def test_a_dry_prune_deletes_nothing(file, tmp_path):
    url = parse_database_url(f"sqlite:///{file}")
    backups = Backups(
        Site(url, url, url, tmp_path),
        FolderStore(tmp_path / "store"),
        BackupSettings(daily=1, monthly=0, drill=False),
    )
    backups.create()
    backups.create()

    assert len(backups.prune(dry_run=True)) == 1
    assert len(backups.all()) == 2


@dataclass(frozen=True)
class Made:
    id: str
    pinned: bool = False
    verified: bool = True


def test_two_years_of_days_leave_thirty_days_and_twelve_months():
    last = date(2026, 11, 22)
    made = [Made(f"{last - timedelta(days=days):%Y%m%d}T030000-0000") for days in range(730)]

    kept = to_keep(made, daily=30, monthly=12)

    assert {name[:6] for name in kept} == {
        "202512", *(f"2026{month:02}" for month in range(1, 12))
    }  # fmt: skip
    assert len(kept) == 30 + 11 - 1  # October's last is one of the thirty days
    assert "20251231T030000-0000" in kept


def test_of_a_day_the_last_verified_backup_stays_rather_than_a_later_one():
    made = [
        Made("20261101T02"),
        Made("20261101T14", verified=False),
        Made("20261102T02", verified=False),
        Made("20261103T02"),
    ]

    kept = to_keep(made, daily=2, monthly=0)
    assert kept == {"20261103T02", "20261102T02"}
    assert to_keep(made, daily=3, monthly=0) == kept | {"20261101T02"}


@given(
    st.lists(
        st.builds(
            Made,
            st.dates(date(2020, 1, 1), date(2026, 1, 1)).map(lambda day: f"{day:%Y%m%d}T000000"),
            st.booleans(),
            st.booleans(),
        ),
        unique_by=lambda made: made.id,
    )
)
def test_pinned_ones_and_the_newest_verified_one_always_stay(made):
    kept = to_keep(made, daily=1, monthly=0)

    assert {one.id for one in made if one.pinned} <= kept
    if verified := [one.id for one in made if one.verified]:
        assert max(verified) in kept


@given(st.lists(st.binary(max_size=3000), max_size=5), st.randoms())
def test_what_was_sealed_is_opened_whole_or_refused(blocks, chance):
    key = SEALING
    sealed = seal(b"".join(blocks), "a backup", key)

    assert b"".join(unseal(iter([sealed]), "a backup", key)) == b"".join(blocks)

    damaged = bytearray(sealed)
    damaged[chance.randrange(len(sealed))] ^= 1 << chance.randrange(8)
    for wrong, name in (
        (bytes(damaged), "a backup"),
        (sealed, "another"),
        (sealed[:-1], "a backup"),
    ):
        with pytest.raises(BadInput):
            b"".join(unseal(iter([wrong]), name, key))


SEALING = Key.new("a key")

"""Chunks: cut by content, kept once for all backups, deleted when none names them."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import obstore
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_format_1 import as_format_1
from buttress.backup import Backups, database, leases, pruning
from buttress.backup.chunks import GENERATIONS, Chunk
from buttress.backup.cutting import AVERAGE, LONGEST, SHORTEST, cut
from buttress.backup.manifest import FORMAT, encode
from buttress.backup.pruning import named_by
from buttress.backup.site import Site
from buttress.backup.store import BucketStore, FolderStore, Lying
from buttress.backup.writing import ChunkWriter
from buttress.db.url import parse_database_url
from buttress.errors import BadInput, ButtressError, ConfigurationError, Conflict, Unsupported
from buttress.settings import BackupSettings

ROWS = 10_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "live.db"
    chance = random.Random(5)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table notes (id integer primary key, text)")
        connection.executemany(
            "insert into notes (text) values (?)",
            [(chance.randbytes(150).hex(),) for _ in range(ROWS)],
        )
        connection.commit()
    return path


@pytest.fixture
def backups(file: Path, tmp_path: Path) -> Backups:
    return opened(file, tmp_path)


def opened(file: Path, tmp_path: Path, **settings: object) -> Backups:
    url = parse_database_url(f"sqlite:///{file}")
    site = Site(url, url, url, tmp_path / "home")
    return Backups(site, FolderStore(tmp_path / "store"), BackupSettings(**settings))


def run(file: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection, connection:
        return connection.execute(statement).fetchall()


def chunks_in(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "store" / "chunks").rglob("*") if path.is_file()]


def make_old(tmp_path: Path) -> None:
    for path in chunks_in(tmp_path):
        os.utime(path, (0, 0))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(50_000, 3 << 20))
def test_chunks_are_the_stream_whatever_blocks_it_comes_in(seed, size):
    data = random.Random(seed).randbytes(5 << 20)

    whole = list(cut([data]))
    in_blocks = list(cut(data[n : n + size] for n in range(0, len(data), size)))

    assert b"".join(whole) == data
    assert in_blocks == whole
    assert all(SHORTEST < len(chunk) <= LONGEST for chunk in whole[:-1])


def test_an_insertion_changes_no_chunk_but_its_own():
    data = random.Random(7).randbytes(40 * AVERAGE)
    before = set(cut([data]))

    after = set(cut([data[: 9 << 20] + b"one more row" + data[9 << 20 :]]))

    assert len(before) > 20
    assert len(after - before) <= 2


def test_a_stream_without_content_is_cut_all_the_same():
    assert [len(chunk) for chunk in cut([bytes(5 << 20)])] == [LONGEST, (5 << 20) - LONGEST]


def test_a_line_of_differences_goes_back_to_a_whole_chunk_through_few_others():
    chunk = Chunk(bytes([0]), 1, 1, 1, b"", b"")
    for number in range(1, 3 * GENERATIONS):
        generation, lineage = chunk.next_lineage()
        assert lineage[0] == bytes([0])
        assert len(lineage) == generation.bit_count() <= 6
        chunk = Chunk(bytes([number]), 1, 1, 1, b"", b"", generation, lineage)


@pytest.mark.parametrize(
    "secret", ["", pytest.param("a key of some length", marks=pytest.mark.slow)]
)
def test_a_backup_of_an_unchanged_database_takes_next_to_nothing(file, tmp_path, secret):
    backups = opened(file, tmp_path, key=secret)
    first, second = backups.create(), backups.create()

    assert second.verified
    assert first.manifest.chunked.new_chunks == first.manifest.chunked.chunks > 1
    assert second.manifest.chunked.new_chunks == 0
    assert second.manifest.new_bytes < first.manifest.new_bytes / 1000
    assert second.manifest.stored_bytes == first.manifest.stored_bytes


@pytest.mark.parametrize(
    "secret", ["", pytest.param("a key of some length", marks=pytest.mark.slow)]
)
def test_changes_all_over_a_database_take_what_they_are(file, tmp_path, secret):
    backups = opened(file, tmp_path, key=secret)
    first = backups.create()
    for day in range(1, 4):
        run(file, f"update notes set text = upper(text) where id % 100 = {day}")

        backup = backups.create()

        assert backup.verified
        assert backup.manifest.chunked.new_chunks > 1
        assert backup.manifest.new_bytes < first.manifest.new_bytes / 10


def test_ids_of_chunks_tell_nothing_without_the_key(file, tmp_path):
    opened(file, tmp_path, key="a key").create()
    under_key = {path.name for path in chunks_in(tmp_path)}

    opened(file, tmp_path).create()

    assert len({path.name for path in chunks_in(tmp_path)} - under_key) == len(under_key)


def test_with_another_key_nothing_is_shared_and_both_can_be_restored(file, tmp_path):
    first = opened(file, tmp_path, key="one").create()
    second = opened(file, tmp_path, key="two").create()

    assert second.verified
    assert second.manifest.chunked.new_chunks == second.manifest.chunked.chunks
    assert not opened(file, tmp_path, key="one").verify(first.id).differences
    with pytest.raises(ConfigurationError, match="another key"):
        opened(file, tmp_path, key="two").restore(first.id)


def test_prune_deletes_the_chunks_that_no_backup_names(file, tmp_path):
    backups = opened(file, tmp_path, daily=1, monthly=0)
    backups.create(drill=False)
    run(file, "update notes set text = hex(randomblob(150)) where id < 4000")
    last = backups.create()
    make_old(tmp_path)
    before = len(chunks_in(tmp_path))

    assert len(backups.prune()) == 1

    assert len(chunks_in(tmp_path)) < before
    assert not backups.verify(last.id).differences
    named = named_by(backups.store, [last.manifest])
    assert {f"chunks/{path.parent.name}/{path.name}" for path in chunks_in(tmp_path)} == named


def test_what_others_are_read_through_stays_when_its_own_backup_goes(file, tmp_path):
    backups = opened(file, tmp_path, daily=1, monthly=0, drill=False)
    backups.create()
    for day in range(1, 5):
        run(file, f"update notes set text = upper(text) where id % 100 = {day}")
        last = backups.create()
    make_old(tmp_path)

    assert len(backups.prune()) == 4

    assert not backups.verify(last.id).differences


def test_chunks_of_the_last_day_stay(file, tmp_path):
    backups = opened(file, tmp_path, daily=1, monthly=0, drill=False)
    backups.create()
    run(file, "update notes set text = hex(randomblob(150))")
    backups.create()
    before = len(chunks_in(tmp_path))

    backups.prune()

    assert len(chunks_in(tmp_path)) == before


def test_prune_deletes_no_chunk_while_a_backup_runs(file, tmp_path):
    backups = opened(file, tmp_path, daily=1, monthly=0, drill=False)
    backups.create()
    run(file, "update notes set text = hex(randomblob(150))")
    backups.create()
    make_old(tmp_path)
    before = len(chunks_in(tmp_path))

    with leases.held(backups.store, "backup"):
        backups.prune()
        assert len(chunks_in(tmp_path)) == before

    backups.prune()
    assert len(chunks_in(tmp_path)) < before


class Ageless(FolderStore):
    """A store whose chunks are all old enough to be deleted."""

    def chunks(self) -> dict[str, Lying]:
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        return {name: Lying(one.bytes, long_ago) for name, one in super().chunks().items()}


@pytest.mark.slow
def test_backups_and_prunes_at_the_same_time_leave_every_backup_whole(file, tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "PAUSE_SECONDS", 0.001)
    ended, wrong = threading.Event(), []

    def opened_here() -> Backups:
        url = parse_database_url(f"sqlite:///{file}")
        site = Site(url, url, url, tmp_path / "home")
        settings = BackupSettings(daily=1, monthly=0, drill=False)
        return Backups(site, Ageless(tmp_path / "store"), settings)

    def prune() -> None:
        while not ended.is_set():
            try:
                opened_here().prune()
            except ButtressError as error:
                wrong.append(error)

    threads = [threading.Thread(target=prune) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(15):
            # What the last backup had and the newest has not, the one after that has again.
            run(
                file,
                f"update notes set text = {('upper', 'lower')[number % 2]}(text) where id < 3000",
            )
            made = opened_here().create()
            opened_here().check(made.id)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert not opened_here().verify().differences


def test_a_backup_waits_for_a_prune_but_not_for_one_that_was_killed(backups, monkeypatch):
    monkeypatch.setattr(leases, "MARGIN_SECONDS", 0.1)
    monkeypatch.setattr(leases, "PRUNE_SECONDS", 0.1)
    monkeypatch.setattr(leases, "PAUSE_SECONDS", 0.01)
    running = f"leases/{datetime.now(UTC) + timedelta(hours=1):%Y%m%dT%H%M%S}-prune-00000000"
    backups.store.put(running, b"")
    touch(backups, running, datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(Conflict, match="being pruned"):
        backups.create()
    backups.store.delete(running)

    killed = "leases/20260101T000000-prune-00000000"
    backups.store.put(killed, b"")
    touch(backups, killed, datetime(2020, 1, 1, tzinfo=UTC))
    assert backups.create().verified
    backups.prune()
    assert [name for name in backups.store.names() if name.startswith("leases/")] == []


def touch(backups: Backups, name: str, moment: datetime) -> None:
    os.utime(backups.store.folder / name, (moment.timestamp(), moment.timestamp()))


def test_a_prune_stops_deleting_when_a_backup_begins(file, tmp_path, monkeypatch):
    """Say because the machine of the prune slept, or the backup took its note for an old one."""
    monkeypatch.setattr(pruning, "LOOK_SECONDS", 0)
    backups = opened(file, tmp_path, daily=1, monthly=0, drill=False)
    backups.create()
    run(file, "update notes set text = hex(randomblob(150))")
    backups.create()
    make_old(tmp_path)
    before = len(chunks_in(tmp_path))
    delete = backups.store.delete

    def delete_and_begin(name: str) -> None:
        delete(name)
        if name.startswith("chunks/"):
            backups.store.put("leases/20261122T101010-backup-00000000", b"")

    monkeypatch.setattr(backups.store, "delete", delete_and_begin)
    backups.prune()

    assert len(chunks_in(tmp_path)) == before - 1


def test_clocks_of_two_machines_may_differ_by_more_than_a_prune_takes(backups, monkeypatch):
    monkeypatch.setattr(leases, "PAUSE_SECONDS", 0.01)
    slow = f"leases/{datetime.now(UTC) - timedelta(minutes=10):%Y%m%dT%H%M%S}-prune-00000000"
    backups.store.put(slow, b"")
    ending = threading.Timer(0.3, backups.store.delete, [slow])
    ending.start()

    backups.create(drill=False)

    assert not ending.is_alive()


def test_a_backup_whose_chunks_were_deleted_meanwhile_is_not_published(
    backups, tmp_path, monkeypatch
):
    backups.create()
    finish = ChunkWriter.finish

    def without_one(writer: ChunkWriter, index: str) -> object:
        chunks_in(tmp_path)[0].unlink()
        return finish(writer, index)

    monkeypatch.setattr(ChunkWriter, "finish", without_one)
    with pytest.raises(Conflict, match="vanished"):
        backups.create()
    assert len(backups.all()) == 1


def test_a_backup_that_fails_leaves_chunks_that_prune_deletes_after_a_day(
    backups, tmp_path, monkeypatch
):
    def fails(*_: object) -> None:
        raise BadInput("the file is damaged")

    with monkeypatch.context() as patched:
        patched.setattr(database.sqlite, "read_content", fails)
        with pytest.raises(BadInput):
            backups.create()
    assert backups.store.names() == []
    backups.prune()
    assert chunks_in(tmp_path) != []

    make_old(tmp_path)
    backups.prune()
    assert chunks_in(tmp_path) == []


def test_a_backup_that_fails_deletes_nothing_that_another_has_used(
    backups, file, tmp_path, monkeypatch
):
    finish, made = ChunkWriter.finish, []

    def fail_after_another(writer: ChunkWriter, index: str) -> object:
        monkeypatch.setattr(ChunkWriter, "finish", finish)
        made.append(opened(file, tmp_path, drill=False).create())
        raise BadInput("no space left")

    monkeypatch.setattr(ChunkWriter, "finish", fail_after_another)
    with pytest.raises(BadInput, match="no space"):
        backups.create()

    assert made[0].manifest.chunked.new_chunks == 0
    assert not backups.verify(made[0].id).differences


def test_a_damaged_chunk_is_written_again_by_the_next_backup_which_heals_all(backups, tmp_path):
    first = backups.create()
    path = max(chunks_in(tmp_path), key=lambda path: path.stat().st_size)
    damaged = bytearray(path.read_bytes())
    damaged[1000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(BadInput, match="damaged"):
        backups.verify()

    second = backups.create()

    assert second.verified
    assert second.manifest.chunked.new_chunks == 1
    assert not backups.verify(first.id).differences
    assert not [name for name in backups.store.names() if name.startswith("damaged/")]


def test_a_backup_whose_manifest_is_damaged_keeps_its_chunks(file, tmp_path):
    backups = opened(file, tmp_path, daily=1, monthly=0, drill=False)
    first = backups.create()
    run(file, "update notes set text = hex(randomblob(150))")
    backups.create()
    make_old(tmp_path)
    manifest = tmp_path / "store" / first.id / "manifest.json"
    whole = manifest.read_bytes()
    manifest.write_bytes(b"{}")
    before, told = len(chunks_in(tmp_path)), []

    backups.prune(tell=told.append)

    assert len(chunks_in(tmp_path)) == before
    assert "manifest is damaged" in told[0]
    manifest.write_bytes(whole)
    assert not backups.verify(first.id).differences


def test_prune_deletes_no_chunk_while_there_is_a_backup_of_a_newer_buttress(file, tmp_path):
    backups = opened(file, tmp_path, daily=1, monthly=0, drill=False)
    first = backups.create()
    run(file, "update notes set text = hex(randomblob(150))")
    second = backups.create()
    make_old(tmp_path)
    newer = msgspec.structs.replace(first.manifest, format=FORMAT + 1)
    backups.write(first.id, "manifest.json", encode(newer))
    before, told = len(chunks_in(tmp_path)), []

    assert [backup.id for backup in backups.all()] == [second.id]
    assert (backups.damaged(), backups.newer()) == ([], [first.id])
    backups.prune(tell=told.append)

    assert len(chunks_in(tmp_path)) == before
    assert "newer Buttress" in told[0]
    assert first.id in told[0]
    with pytest.raises(Unsupported, match="format"):
        backups.restore(first.id)


def test_a_backup_whose_drill_cannot_be_read_is_not_verified_and_can_be_again(backups):
    backup = backups.create()
    backups.write(backup.id, "drill.json", b"{")

    assert backups.damaged() == []
    assert not backups.find().verified
    assert backups.restore(dry_run=True)
    backups.verify()
    assert backups.find().verified


@pytest.mark.parametrize(
    "secret", ["", pytest.param("a key of some length", marks=pytest.mark.slow)]
)
def test_a_backup_made_before_there_were_chunks_is_restored(file, tmp_path, secret):
    backups = opened(file, tmp_path, key=secret)
    backup = backups.create()
    as_format_1(backups, backup, file.read_bytes(), secret)
    run(file, "delete from notes")

    assert backups.create().verified  # a new one beside it
    backups.check(backup.id)
    assert not backups.verify(backup.id).differences
    backups.restore(backup.id)

    assert run(file, "select count(*) from notes") == [(ROWS,)]


def test_a_bucket_shares_chunks_too(file, tmp_path):
    url = parse_database_url(f"sqlite:///{file}")
    store = BucketStore(obstore.store.MemoryStore(), "memory")
    backups = Backups(Site(url, url, url, tmp_path), store, BackupSettings())
    first, second = backups.create(), backups.create()

    assert second.verified
    assert second.manifest.chunked.new_chunks == 0
    assert len(store.chunks()) == first.manifest.chunked.chunks
    assert not [name for name in store.names() if name.startswith("chunks")]
    assert msgspec.json.decode(b"".join(store.read(f"{first.id}/manifest.json")))


def test_two_backups_at_a_time_share_what_they_can_and_are_whole(backups, file):
    with leases.held(backups.store, "backup"):
        first = backups.create()
        second = backups.create()
    assert first.verified
    assert second.verified

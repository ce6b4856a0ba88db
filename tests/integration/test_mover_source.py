"""Snapshots of real SQLite files: written to by others, left behind by crashes, damaged, or no database."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from buttress.errors import BadInput, NotFound, Unavailable
from buttress.mover.source import snapshot as source
from buttress.mover.source.snapshot import check_source, open_snapshot, take_snapshot

WRITER = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.set_busy_timeout(10000)
connection.pragma("journal_mode", sys.argv[2])
connection.pragma("synchronous", "off")
connection.pragma("wal_autocheckpoint", 50)
connection.execute("CREATE TABLE a(n, pad)")
connection.execute("CREATE TABLE b(n, pad)")
print("ready", flush=True)
n = 0
while True:
    n += 1
    with connection:
        connection.execute("INSERT INTO a VALUES (?, ?)", (n, "x" * 900))
        connection.execute("INSERT INTO b VALUES (?, ?)", (n, "y" * 900))
        if n % 3 == 0:
            connection.execute("DELETE FROM a WHERE n = ?", (n - 1,))
            connection.execute("DELETE FROM b WHERE n = ?", (n - 1,))
"""

CRASHED = """
import os, sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.pragma("cache_size", 2)
connection.execute("BEGIN")
connection.execute("UPDATE t SET a = 'half done'")
os._exit(9)
"""


def make(path: Path, *, rows: int = 100, mode: str = "delete") -> Path:
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", mode)
    with connection:
        connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
        values = ((f"{n:0>400}",) for n in range(rows))
        connection.executemany("INSERT INTO t(a) VALUES (?)", values)
    connection.close()
    return path


def rows(path: Path, table: str = "t") -> list[tuple[apsw.SQLiteValue, ...]]:
    connection = open_snapshot(path)
    try:
        return connection.execute(f"SELECT * FROM {table}").fetchall()
    finally:
        connection.close()


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file() and not path.name.endswith("-shm")
    }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@contextmanager
def writing(path: Path, mode: str) -> Iterator[None]:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), mode], stdout=subprocess.PIPE
    )
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        yield
    finally:
        writer.kill()
        writer.communicate()


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_snapshot_is_one_moment_while_others_write(home: Path, tmp_path: Path, mode: str) -> None:
    path = home / "live.db"
    with writing(path, mode):
        for number in range(8):
            copy = take_snapshot(path, tmp_path / str(number))

            connection = open_snapshot(copy)
            assert connection.pragma("integrity_check") == "ok"
            assert connection.execute("SELECT n FROM a EXCEPT SELECT n FROM b").fetchall() == []
            assert connection.execute("SELECT n FROM b EXCEPT SELECT n FROM a").fetchall() == []
            connection.close()


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_the_source_and_its_folder_stay_as_they_were(home: Path, tmp_path: Path, mode: str) -> None:
    path = make(home / "app.db", mode=mode)
    before = digests(home), sorted(os.listdir(home))

    copy = take_snapshot(path, tmp_path / "copy")

    assert (digests(home), sorted(os.listdir(home))) == before
    assert len(rows(copy)) == 100
    assert os.listdir(tmp_path / "copy") == ["snapshot.db"]
    assert copy.stat().st_mode & 0o077 == 0


def test_changes_that_are_still_in_the_log_of_a_running_program_are_copied(
    home: Path, tmp_path: Path
) -> None:
    path = make(home / "app.db", mode="wal")
    running = apsw.Connection(str(path))
    running.execute("INSERT INTO t(a) VALUES ('in the log')")
    before = digests(home), sorted(os.listdir(home))

    copy = take_snapshot(path, tmp_path / "copy")

    assert (digests(home), sorted(os.listdir(home))) == before
    assert rows(copy)[-1] == (101, "in the log")
    running.execute("INSERT INTO t(a) VALUES ('still works')")
    running.close()


def test_a_log_that_starts_anew_while_it_is_copied_brings_back_no_old_pages(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(home / "app.db", mode="wal")
    running = apsw.Connection(str(path))
    running.pragma("wal_autocheckpoint", 0)
    for version in range(20):
        running.execute("UPDATE t SET a = ?", (f"version {version}",))
    running.execute("PRAGMA wal_checkpoint(PASSIVE)")
    copy_file = source._copy_file
    torn: list[Path] = []

    def copy_slowly(original: Path, copy: Path) -> None:
        if not original.name.endswith("-wal") or torn:
            copy_file(original, copy)
            return
        torn.append(original)
        half = original.stat().st_size // 2
        with original.open("rb") as log:
            start = log.read(half)
        for version in range(20, 32):
            running.execute("UPDATE t SET a = ?", (f"version {version}",))
        copy.write_bytes(start + original.read_bytes()[half:])

    monkeypatch.setattr(source, "_copy_file", copy_slowly)

    copy = take_snapshot(path, tmp_path / "copy")

    running.close()
    assert torn
    assert {row[1] for row in rows(copy)} == {"version 31"}


def test_a_log_that_a_crash_left_behind_is_applied_to_the_copy_only(
    home: Path, tmp_path: Path
) -> None:
    path = make(tmp_path / "app.db", mode="wal")
    running = apsw.Connection(str(path))
    running.execute("INSERT INTO t(a) VALUES ('in the log')")
    for name in ("app.db", "app.db-wal"):
        shutil.copy(tmp_path / name, home / name)
    running.close()
    before = digests(home)

    copy = take_snapshot(home / "app.db", tmp_path / "copy")

    assert rows(copy)[-1] == (101, "in the log")
    assert digests(home) == before
    assert sorted(os.listdir(home)) == ["app.db", "app.db-wal"]


def test_a_half_done_transaction_is_rolled_back_in_the_copy_only(
    home: Path, tmp_path: Path
) -> None:
    path = make(home / "app.db", rows=2000)
    subprocess.run([sys.executable, "-c", CRASHED, str(path)], check=False)
    before = digests(home)
    assert set(before) == {"app.db", "app.db-journal"}

    copy = take_snapshot(path, tmp_path / "copy")

    assert [row for row in rows(copy) if row[1] == "half done"] == []
    assert len(rows(copy)) == 2000
    assert digests(home) == before


def test_a_locked_source_is_waited_for_and_then_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "WAIT_SECONDS", 0.2)
    path = make(home / "app.db")
    other = apsw.Connection(str(path))
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(Unavailable, match=r"stayed locked .* for 0\.2 seconds"):
        take_snapshot(path, tmp_path / "copy")
    other.close()


def test_the_space_for_the_copy_is_checked_before(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10, 9, 1))

    with pytest.raises(Unavailable, match=r"needs 0\.1 MB, and .* has 0\.0 MB free"):
        take_snapshot(make(home / "app.db"), tmp_path / "copy")


def test_a_source_that_is_deleted_meanwhile_is_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(home / "app.db")
    monkeypatch.setattr(source, "_require_space", lambda source, folder: source.unlink())

    with pytest.raises(NotFound, match="was deleted while it was read"):
        take_snapshot(path, tmp_path / "copy")


def test_a_file_that_was_cut_off_gives_what_is_left(home: Path, tmp_path: Path) -> None:
    path = make(home / "app.db", rows=2000)
    os.truncate(path, 400 * 1024 + 17)

    copy = take_snapshot(path, tmp_path / "copy")

    connection = open_snapshot(copy)
    assert connection.execute("SELECT count(*) FROM t WHERE id <= 500").fetchall() == [(500,)]
    with pytest.raises(apsw.CorruptError):
        connection.execute("SELECT count(a) FROM t").fetchall()
    connection.close()


def test_a_schema_that_cannot_be_read_is_bad_input(home: Path, tmp_path: Path) -> None:
    path = make(home / "app.db")
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3000)

    with pytest.raises(BadInput, match=r"the schema of .* cannot be read"):
        take_snapshot(path, tmp_path / "copy")


def test_every_kind_of_bad_file_is_told_apart(tmp_path: Path) -> None:
    good = make(tmp_path / "good.db").read_bytes()
    noise = random.Random(1).randbytes(8192)
    cases = {
        "empty": (b"", "is empty"),
        "text": (b"hello", "is not a SQLite database"),
        "dump": (b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;", "is an SQL dump"),
        "packed": (gzip.compress(good), "is a gzip archive"),
        "encrypted": (noise, "probably encrypted"),
        "short": (good[:60], "ends inside its first page"),
        "first page": (good[:1000], "ends inside its first page"),
        "page size": (good[:16] + b"\x03\x03" + good[18:], "the header of .* is damaged"),
    }
    for name, (content, message) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(BadInput, match=message) as caught:
            check_source(path)
        assert caught.value.hint

    with pytest.raises(NotFound, match="there is no file"):
        check_source(tmp_path / "missing.db")
    with pytest.raises(BadInput, match="is a folder"):
        check_source(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(home: Path) -> None:
    path = make(home / "app.db")
    path.chmod(0)

    with pytest.raises(BadInput, match="may not be read by this user"):
        check_source(path)


def test_collations_only_the_application_knows_compare_as_bytes(home: Path, tmp_path: Path) -> None:
    path = home / "app.db"
    connection = apsw.Connection(str(path))
    connection.create_collation("unicase", lambda left, right: (left > right) - (left < right))
    connection.execute("CREATE TABLE t(a COLLATE unicase)")
    connection.execute("INSERT INTO t VALUES ('b'), ('B'), ('é')")
    connection.close()

    copy = take_snapshot(path, tmp_path / "copy")

    snapshot = open_snapshot(copy)
    assert snapshot.execute("SELECT a FROM t ORDER BY a").fetchall() == [("B",), ("b",), ("é",)]
    snapshot.close()

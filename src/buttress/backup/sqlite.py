"""SQLite: a copy by its online backup, digested where it lies, and swapped by a rename."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import xxhash

from buttress.backup.content import Progress
from buttress.backup.manifest import Content, TableContent
from buttress.db.catalogue import quoted
from buttress.db.migration_scripts import VERSION_TABLE
from buttress.errors import BadInput, Conflict, NotFound, Unavailable

FILE = "database.sqlite"
PAGES = 4096
BUSY_SECONDS = 5.0
TEXT = b"b"


def copy(source: Path, copied: Path, progress: Progress) -> None:
    """Copy a database that may be written meanwhile, then check the copy.

    Raises
    ------
    NotFound
        There is no such file.
    BadInput
        It is no database, or it is damaged.
    """
    if not source.exists():
        raise NotFound(f"there is no {source}", hint="Check DATABASE_URL.")
    with (
        explained(source),
        closing(open_file(source, read_only=True)) as live,
        closing(sqlite3.connect(copied)) as copy_of_it,
    ):
        live.backup(
            copy_of_it,
            pages=PAGES,
            progress=lambda _, left, total: progress("copy", total - left, total),
        )
        # One file, whatever mode the source is in.
        copy_of_it.execute("PRAGMA journal_mode = DELETE")
    check(copied)


def check(path: Path) -> None:
    """Raises BadInput unless SQLite finds the file whole."""
    with explained(path), closing(open_file(path, read_only=True)) as connection:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise BadInput(
            f"{path.name} is damaged: {found[0]}", hint="Restore a backup made before that."
        )


def read_content(path: Path, progress: Progress, *, blobs: bytes = b"x") -> Content:
    """Count and digest every table of a file that nobody writes.

    `blobs` marks values that are no text; in manifests of format 1 they were not told apart.
    """
    with explained(path), closing(open_file(path, read_only=True)) as connection:
        connection.text_factory = bytearray
        objects = connection.execute(
            "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master ORDER BY 1, 2"
        ).fetchall()
        # A virtual table keeps its rows in tables of its own, which are listed too.
        tables = [
            name.decode()
            for kind, name, _, definition in objects
            if kind == b"table" and not definition.upper().startswith(b"CREATE VIRTUAL")
        ]
        contents = []
        for name in tables:
            contents.append(digest(connection, name, blobs=blobs))
            progress("digests", len(contents), len(tables))
        return Content(
            contents,
            {},
            [b" ".join(row).decode(errors="backslashreplace") for row in objects],
        )


def digest(
    connection: sqlite3.Connection, table: str, schema: str = "main", *, blobs: bytes = b"x"
) -> TableContent:
    """Rows and digest of one table; the connection gives text as bytearray."""
    rows = total = 0
    for row in connection.execute(f"SELECT * FROM {schema}.{quoted(table)}"):
        rows += 1
        line = b"".join([_as_bytes(value, blobs) for value in row])
        total += xxhash.xxh3_64_intdigest(line)
    return TableContent("", table, rows, f"{total & 0xFFFFFFFFFFFFFFFF:016x}")


def _as_bytes(value: object, blobs: bytes) -> bytes:
    """A value with its type and length, so that no two rows read the same."""
    match value:
        case None:
            return b"n"
        case int():
            return b"i" + str(value).encode() + b";"
        case float():
            return b"f" + struct.pack(">d", value)
    assert isinstance(value, bytes | bytearray)
    kind = blobs if isinstance(value, bytes) else TEXT
    return kind + str(len(value)).encode() + b":" + value


def revisions(path: Path) -> list[str]:
    """The newest applied migration of each app."""
    with explained(path), closing(open_file(path, read_only=True)) as connection:
        known = connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (VERSION_TABLE,)
        ).fetchone()
        if known is None:
            return []
        found = connection.execute(f"SELECT version_num FROM {quoted(VERSION_TABLE)}").fetchall()
        return sorted(str(revision) for (revision,) in found)


def swap(new: Path, live: Path, kept: Path) -> bool:
    """Put `new` in the place of `live`, which stays as `kept`; `live` is there at every moment.

    Whether there was anything to keep. Programs that have the file open without a transaction are
    noticed in WAL mode only; in the others SQLite refuses what they write afterwards.

    Raises
    ------
    Conflict
        Another program uses it.
    """
    if not live.exists():
        new.replace(live)
        _sync(live.parent)
        return False
    with explained(live), closing(open_file(live, read_only=False)) as connection:
        connection.isolation_level = None
        # Works for the only user of a file in WAL mode, and leaves no log beside it.
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        # Whoever comes now waits, and finds that the file was moved.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
        connection.execute("BEGIN EXCLUSIVE")
        kept.hardlink_to(live)
        new.replace(live)
    _sync(live.parent)
    return True


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_file(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection to a file that is there."""
    mode = "ro" if read_only else "rw"
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says into an error with a cure."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise Conflict(
                f"{path} is in use by another program",
                hint="Stop it, then do it again; the file was left as it was.",
            ) from error
        if name in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
            raise BadInput(f"{path} is no SQLite database, or it is damaged") from error
        raise Unavailable(f"{path}: {error}") from error

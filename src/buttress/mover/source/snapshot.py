"""The source: checks that it is a SQLite database, and takes a private, consistent copy of it.

Everything after this works on the copy, so the source is read once and never written. Two ways
lead to a copy that is one moment of the database:

- under lock: inside a read transaction nobody can change the file in rollback mode, and in WAL
  mode no checkpoint can pass our snapshot, so database and log copied in this order are
  consistent;
- quiet: where a read transaction is impossible or would leave files behind (a log nobody has open,
  a hot journal, a folder we may not write), the files are copied and accepted when none changed
  meanwhile.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import apsw

from buttress.errors import BadInput, NotFound, Unavailable

WAIT_SECONDS = 10.0
"""How long a locked or busy source is waited for."""

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_OTHER_FORMATS = (
    (b"\x1f\x8b", "a gzip archive", "Unpack it first."),
    (b"PK\x03\x04", "a zip archive", "Unpack it first."),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", "Unpack it first."),
    (b"\xfd7zXZ", "an xz archive", "Unpack it first."),
    (b"BZh", "a bzip2 archive", "Unpack it first."),
    (b"** This file contains an SQLite 2", "a SQLite 2 database", "Convert it to SQLite 3 first."),
    (
        b"PRAGMA foreign_keys",
        "an SQL dump",
        "Load it into a new file with the sqlite3 shell first.",
    ),
    (b"BEGIN TRANSACTION", "an SQL dump", "Load it into a new file with the sqlite3 shell first."),
    (b"\x37\x7f\x06\x82", "a SQLite write-ahead log", "Name the database file beside it."),
    (b"\xd9\xd5\x05\xf9", "a SQLite rollback journal", "Name the database file beside it."),
)


def check_source(path: Path) -> None:
    """Raise what stands between this path and a move: `NotFound`, `BadInput` or `Unavailable`."""
    if not path.exists():
        raise NotFound(f"there is no file {path}", hint="Give the path of a SQLite database.")
    if path.is_dir():
        raise BadInput(f"{path} is a folder", hint="Give the path of the SQLite file inside it.")
    if not path.is_file():
        raise BadInput(f"{path} is not a regular file", hint="Copy the database to a file first.")
    if not os.access(path, os.R_OK):
        raise BadInput(
            f"{path} may not be read by this user", hint="Grant read permission on the file."
        )
    size = path.stat().st_size
    if size == 0:
        raise BadInput(
            f"{path} is empty (0 bytes)", hint="Check that this is the file the application uses."
        )
    start = _read(path, 0, min(size, 4096))
    if not start.startswith(_MAGIC):
        raise _not_sqlite(path, start, size)
    page_size = _page_size(start)
    if size < _HEADER_BYTES or size < page_size:
        raise BadInput(
            f"{path} ends inside its first page ({size} bytes)",
            hint="The file is cut off: take it from a backup or copy it again.",
        )
    if page_size < 512 or page_size & (page_size - 1):
        raise BadInput(
            f"the header of {path} is damaged (page size {page_size})",
            hint="Take the file from a backup.",
        )


def take_snapshot(source: Path, folder: Path) -> Path:
    """Copy the database as it is at one moment into `folder` and return the copy's path.

    The copy is one file with the write-ahead log applied, readable by its owner only. Others may
    write to the source meanwhile. Damaged pages are copied as they are; a file that was cut off is
    filled with empty pages, so that what is left can be read. Raises `NotFound`, `BadInput` or
    `Unavailable`.
    """
    check_source(source)
    source = source.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "snapshot.db"
    for part in (copy, *_companions(copy)):
        part.unlink(missing_ok=True)
    _require_space(source, folder)
    try:
        _copy_database(source, copy)
    except FileNotFoundError as error:
        raise _deleted(source) from error
    _settle(source, copy)
    return copy


def open_snapshot(path: Path) -> apsw.Connection:
    """A connection that reads a snapshot; it takes no locks, so any number may be open at once.

    Collations the application defined in its own code compare as bytes here. Memory mapping stays
    off: mapped pages would count as this process's memory, and a scan gains little from them.
    """
    connection = apsw.Connection(
        f"file:{quote(str(path.resolve()))}?immutable=1",
        flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
    )
    connection.collation_needed(_add_byte_order)
    return connection


def _add_byte_order(connection: apsw.Connection, name: str) -> None:
    # Code points and UTF-8 bytes sort alike.
    connection.create_collation(name, lambda left, right: (left > right) - (left < right))


def _companions(path: Path) -> tuple[Path, Path, Path]:
    return Path(f"{path}-wal"), Path(f"{path}-shm"), Path(f"{path}-journal")


def _read(path: Path, offset: int, count: int) -> bytes:
    """Bytes of the database file, through SQLite's own file layer.

    Opening and closing it directly would drop the locks that connections of this process hold on
    it.
    """
    try:
        file = apsw.VFSFile(
            "", str(path), [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0]
        )
        try:
            return file.xRead(count, offset)
        finally:
            file.xClose()
    except (apsw.CantOpenError, apsw.IOError) as error:
        if not path.exists():
            raise _deleted(path) from error
        raise Unavailable(f"{path} cannot be read: {error}", hint="Check the disk.") from error


def _page_size(header: bytes) -> int:
    size = int.from_bytes(header[16:18], "big")
    return 65536 if size == 1 else size


def _not_sqlite(path: Path, start: bytes, size: int) -> BadInput:
    for magic, what, hint in _OTHER_FORMATS:
        if start.startswith(magic):
            return BadInput(f"{path} is {what}, not a SQLite database", hint=hint)
    # Random bytes in whole pages: 4,096 of them hardly ever miss more than a few of the 256 values.
    if size % 512 == 0 and len(set(start)) > 150 * min(1.0, len(start) / 1024):
        return BadInput(
            f"{path} is no plain SQLite database; it is probably encrypted",
            hint="Export it without encryption first, as with SQLCipher's sqlcipher_export().",
        )
    return BadInput(f"{path} is not a SQLite database", hint="Give the path of a SQLite 3 file.")


def _deleted(path: Path) -> NotFound:
    return NotFound(f"{path} was deleted while it was read", hint="Restore the file and try again.")


def _require_space(source: Path, folder: Path) -> None:
    wal = _companions(source)[0]
    # The log is copied and then grows into the database, at most by its own size.
    needed = source.stat().st_size + 2 * (wal.stat().st_size if wal.exists() else 0)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise Unavailable(
            f"a copy of {source} needs {needed / 1e6:,.1f} MB, "
            f"and {folder} has {free / 1e6:,.1f} MB free",
            hint="Free some space there or choose another folder.",
        )


def _copy_database(source: Path, copy: Path) -> None:
    wal, shm, _ = _companions(source)
    in_wal_mode = wal.exists() or _read(source, 18, 1) == b"\x02"
    # Without both files nobody has the log open, and opening it would create them.
    if in_wal_mode and not (wal.exists() and shm.exists()):
        _copy_quiet(source, copy)
        return
    try:
        _copy_locked(source, copy)
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.CorruptError, apsw.IOError):
        # A hot journal, a log we may not join, or damage: SQLite cannot lock it for us.
        _copy_quiet(source, copy)


def _copy_locked(source: Path, copy: Path) -> None:
    file = source.stat().st_ino
    connection = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(int(WAIT_SECONDS * 1000))
        connection.execute("BEGIN")
        connection.execute("PRAGMA schema_version").fetchall()
        _copy_file(source, copy)
        _copy_wal(source, copy)
        if source.stat().st_ino != file:
            raise Unavailable(
                f"{source} was replaced by another file while it was copied",
                hint="Run the move again.",
            )
    except apsw.BusyError as error:
        raise Unavailable(
            f"{source} stayed locked by another program for {WAIT_SECONDS:g} seconds",
            hint="Stop the program that writes to it, or try again when it is idle.",
        ) from error
    except apsw.NotADBError as error:
        raise _not_sqlite(source, _read(source, 0, 4096), source.stat().st_size) from error
    finally:
        connection.close()


def _copy_wal(source: Path, copy: Path) -> None:
    """Copy the log under our read transaction.

    When the whole log is in the database already, a writer may start it anew while we copy; the
    mixture of an old beginning and a new end would replay outdated pages. The header tells, and it
    can happen only once: the new log is not written back before our transaction ends.
    """
    wal, copied = _companions(source)[0], _companions(copy)[0]
    while wal.exists():
        header = _head(wal)
        _copy_file(wal, copied)
        if _head(wal) == header:
            return


def _head(wal: Path) -> bytes:
    # The log carries no locks, so it may be opened directly.
    with wal.open("rb") as file:
        return file.read(32)


def _copy_quiet(source: Path, copy: Path) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    wal, _, journal = _companions(source)
    while True:
        before = _state(source)
        # Time stamps are coarse: a change in the same tick as the last one would not show.
        time.sleep(0.05)
        for original, suffix in ((source, ""), (wal, "-wal"), (journal, "-journal")):
            part = Path(f"{copy}{suffix}")
            part.unlink(missing_ok=True)
            if original == source or original.exists():
                _copy_file(original, part)
        if _state(source) == before:
            return
        if time.monotonic() > deadline:
            raise Unavailable(
                f"{source} kept changing while it was copied, for {WAIT_SECONDS:g} seconds",
                hint="Stop the program that writes to it, or try again when it is idle.",
            )


def _state(source: Path) -> list[tuple[int, int, int] | None]:
    wal, _, journal = _companions(source)
    found: list[tuple[int, int, int] | None] = []
    for path in (source, wal, journal):
        try:
            stat = path.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return found


_COPY_SCRIPT = """
import shutil, sys
try:
    shutil.copyfile(*sys.argv[1:])
except OSError as error:
    sys.exit(error.errno)
"""


def _copy_file(source: Path, copy: Path) -> None:
    """Copy in a child process: closing the file in this one would drop SQLite's locks on it."""
    paths = [str(source), str(copy)]
    with_cp = ["cp", "--reflink=auto", "--", *paths]
    if shutil.which("cp") is None or subprocess.run(with_cp, capture_output=True).returncode:
        # Not every cp knows --reflink, and Python tells the reason of a failure by number.
        code = subprocess.run([sys.executable, "-I", "-c", _COPY_SCRIPT, *paths]).returncode
        if code == errno.ENOENT and not source.exists():
            raise _deleted(source)
        if code:
            reason = os.strerror(code) if code > 0 else f"signal {-code}"
            raise Unavailable(
                f"{source} cannot be copied to {copy.parent}: {reason.lower()}",
                hint="Check the permissions and the free space on both sides.",
            )
    copy.chmod(0o600)


def _settle(source: Path, copy: Path) -> None:
    """Make the copy one file: apply its log or journal, fill up what was cut off."""
    header = _read(copy, 0, _HEADER_BYTES)
    counted = header[24:28] == header[92:96]
    expected = int.from_bytes(header[28:32], "big") * _page_size(header) if counted else 0
    if copy.stat().st_size < expected:
        os.truncate(copy, expected)
    connection = apsw.Connection(str(copy))
    try:
        connection.collation_needed(_add_byte_order)
        connection.pragma("synchronous", "off")
        connection.pragma("journal_mode", "delete")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except apsw.NotADBError as error:
        raise _not_sqlite(source, _read(copy, 0, 4096), copy.stat().st_size) from error
    except (apsw.CorruptError, apsw.SQLError, apsw.IOError) as error:
        raise BadInput(
            f"the schema of {source} cannot be read: {error}",
            hint="Take the file from a backup, or try the sqlite3 shell's .recover first.",
        ) from error
    finally:
        connection.close()

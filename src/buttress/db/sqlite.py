"""SQLite behind `Backend`: a development database in one file, for one machine."""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from buttress.db.backend import LockTimeout
from buttress.db.fingerprint import Item
from buttress.db.url import DatabaseURL
from buttress.errors import BadInput, ButtressError, ConfigurationError, Conflict, Unavailable
from buttress.settings import TimeoutSettings

LOCK_POLL_SECONDS = 0.05


class SQLite:
    """One SQLite file in WAL mode: readers never wait, writers take turns.

    A session that may write takes SQLite's only write lock when it starts, so that it cannot lose
    its snapshot half-way; read-only sessions run beside it. Statement time-outs do not apply.
    """

    name = "sqlite"
    read_only: Mapping[str, Any] = {"sqlite_read_only": True}

    def __init__(self, url: DatabaseURL, timeouts: TimeoutSettings) -> None:
        assert url.path is not None
        self.url = url
        self.path = url.path
        self.timeouts = timeouts
        self.async_url = url.sqlalchemy.set(drivername="sqlite+aiosqlite")

    def connect_args(self) -> dict[str, Any]:
        # SQLite has no "wait for ever": a day stands for it.
        return {"timeout": self.timeouts.lock_seconds or 86_400, "check_same_thread": False}

    def listen(self, engine: Engine) -> None:
        event.listen(engine, "connect", _open)
        event.listen(engine, "begin", _begin)

    def listen_for_migrations(self, engine: Engine) -> None:
        """Foreign keys are checked at commit: rebuilding a table drops it, which would cascade."""
        event.listen(engine, "connect", _leave_foreign_keys_alone)
        event.listen(engine, "commit", _check_foreign_keys)

    def explain(self, error: BaseException) -> ButtressError | None:
        name = getattr(error, "sqlite_errorname", "") or ""
        if not isinstance(error, sqlite3.Error):
            return None
        match name:
            case "SQLITE_CONSTRAINT_UNIQUE" | "SQLITE_CONSTRAINT_PRIMARYKEY":
                return Conflict(f"there already is such a row ({_columns(error)})")
            case "SQLITE_CONSTRAINT_FOREIGNKEY":
                return Conflict(
                    "a row and the rows it refers to, or that refer to it, do not match",
                    hint="Create what it refers to first, and delete what refers to it first.",
                )
            case "SQLITE_CONSTRAINT_NOTNULL":
                return BadInput(f"{_columns(error)} needs a value")
            case "SQLITE_CONSTRAINT_CHECK":
                return BadInput(f"a value breaks the rule {_columns(error)}")
            case "SQLITE_READONLY":
                return Conflict(
                    "a read-only session cannot write", hint="Open it without read_only=True."
                )
        if name.startswith("SQLITE_BUSY"):
            return LockTimeout(
                f"{self.url.label} was locked for more than {self.timeouts.lock_seconds} seconds",
                hint="Another session or program is writing; end it, or use PostgreSQL.",
            )
        if name.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_READONLY_")):
            return Unavailable(
                f"{self.url.label} cannot be opened or written",
                hint="Check that its folder exists, that you may write there and that the disk "
                "has room.",
            )
        if name in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
            return ConfigurationError(
                f"{self.url.label} is no SQLite database, or it is damaged",
                hint="Point DATABASE_URL at another file, or restore it from a backup.",
            )
        return None

    def is_dead(self, entry: ConnectionPoolEntry) -> bool:
        return False

    def is_away(self, error: BaseException) -> bool:
        return False

    @contextmanager
    def lock(self, engine: Engine, name: str, wait_seconds: float) -> Iterator[None]:
        """A file beside the database, locked by the operating system."""
        file = self.path.with_name(f"{self.path.name}.{name}.lock")
        give_up = time.monotonic() + wait_seconds
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(
                f"cannot write beside {self.url.label}",
                hint="Check that the folder exists and that you may write there.",
            ) from error
        try:
            while not _lock_file(handle):
                if time.monotonic() >= give_up:
                    raise LockTimeout(
                        f"another process has held the lock {name!r} of {self.url.label} for more "
                        f"than {wait_seconds} seconds",
                        hint="Wait for it to end.",
                    )
                time.sleep(LOCK_POLL_SECONDS)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def scratch(self, engine: Engine) -> Iterator[DatabaseURL]:
        """A file in a temporary folder."""
        with tempfile.TemporaryDirectory(prefix="buttress-") as folder:
            path = Path(folder) / "scratch.db"
            yield replace(
                self.url,
                path=path,
                label=f"{self.url.label} (scratch)",
            )

    def fingerprint(self, connection: Connection) -> dict[Item, str]:
        rows = connection.execute(
            text(
                "SELECT type, tbl_name, name, sql FROM sqlite_schema "
                "WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
            )
        )
        return {
            Item(row.type, "", "" if row.type in ("table", "view") else row.tbl_name, row.name): (
                _normalised(row.sql)
            )
            for row in rows
        }


def _normalised(sql: str) -> str:
    # SQLite keeps the text as written, and writes quotes of its own when it renames.
    return " ".join(re.sub(r'"(\w+)"', r"\1", sql).split())


def _open(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    # The driver would begin transactions at the first write and leave DDL outside of them.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    read_only = bool(connection.get_execution_options().get("sqlite_read_only"))
    connection.exec_driver_sql(f"PRAGMA query_only = {int(read_only)}")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _leave_foreign_keys_alone(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = OFF")
    cursor.close()


def _check_foreign_keys(connection: Connection) -> None:
    tables = {row[0] for row in connection.exec_driver_sql("PRAGMA foreign_key_check")}
    if tables:
        raise Conflict(
            f"after this migration rows of {', '.join(sorted(tables))} would refer to rows "
            "that are not there",
            hint="Delete or mend those rows in the migration.",
        )


def _lock_file(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _columns(error: sqlite3.Error) -> str:
    """`product.sku` of `UNIQUE constraint failed: product.sku`; SQLite adds no values."""
    return str(error).rpartition(": ")[2]

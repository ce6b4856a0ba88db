"""PostgreSQL behind `Backend`."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, Engine, ExecutionContext, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.pool import ConnectionPoolEntry

from buttress.db import catalogue
from buttress.db.backend import LockTimeout
from buttress.db.fingerprint import Item
from buttress.db.for_whom import tell_server
from buttress.db.hosts import Hosts
from buttress.db.postgresql_errors import explain, is_away
from buttress.db.socket_watch import SocketWatch
from buttress.db.url import DatabaseURL
from buttress.errors import ButtressError
from buttress.settings import TimeoutSettings

# A server that vanished without a word is noticed while idle after 30 + 3 × 10 seconds, and while
# data is under way after the same time.
KEEPALIVE = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}

LOCK_POLL_SECONDS = 0.1
WATCH = "socket_watch"

# transaction_timeout exists since PostgreSQL 17.
NO_TIMEOUT = """
    SELECT set_config(name, '0', true) FROM pg_settings
    WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')
"""


class PostgreSQL:
    """PostgreSQL, direct or behind a pooler in transaction mode."""

    name = "postgresql"
    read_only: Mapping[str, Any] = {"postgresql_readonly": True}

    def __init__(self, url: DatabaseURL, timeouts: TimeoutSettings, application_name: str) -> None:
        self.url = url
        self.timeouts = timeouts
        self.application_name = application_name
        self.async_url = url.sqlalchemy
        self.hosts = Hosts(url.conninfo)

    def connect_args(self) -> dict[str, Any]:
        """What the URL says itself wins."""
        arguments: dict[str, Any] = {
            "application_name": self.application_name,
            "connect_timeout": max(1, math.ceil(self.timeouts.connect_seconds)),
            **KEEPALIVE,
        }
        for name in self.url.sqlalchemy.query:
            arguments.pop(name, None)
        arguments |= self.hosts.arguments()
        if self.url.transaction_pooler:
            # The next transaction may run on another server connection, which has not seen the
            # statements this one prepared.
            arguments["prepare_threshold"] = None
        else:
            given = str(self.url.sqlalchemy.query.get("options", ""))
            ours = " ".join(f"-c {name}={_escape(v)}" for name, v in self._variables().items())
            arguments["options"] = f"{ours} {given}".strip()
        return arguments

    def _variables(self) -> dict[str, str]:
        """Settings of the server every session runs under."""
        variables = {
            "statement_timeout": f"{round(self.timeouts.statement_seconds * 1000)}",
            "lock_timeout": f"{round(self.timeouts.lock_seconds * 1000)}",
            "timezone": "UTC",
        }
        if self.url.schema:
            # Extensions usually live in public; their types must be found.
            variables["search_path"] = f"{catalogue.quoted(self.url.schema)}, public"
        return variables

    def listen(self, engine: Engine) -> None:
        event.listen(engine, "connect", _watch_socket)
        tell_server(engine, self.application_name)
        self.hosts.listen(engine)
        # A pooler refuses start-up options and forgets SET: each transaction brings its own.
        always = tuple(self._variables().items()) if self.url.transaction_pooler else ()

        if always:
            calls = ", ".join(["set_config(%s, %s, true)"] * len(always))
            values = tuple(text for setting in always for text in setting)
            event.listen(
                engine,
                "begin",
                lambda connection: connection.exec_driver_sql(f"SELECT {calls}", values),
            )

    def listen_for_migrations(self, engine: Engine) -> None:
        """Row-level security raises an error instead of hiding rows; building an index may wait."""
        lock_timeout = round(self.timeouts.lock_seconds * 1000)
        event.listen(
            engine,
            "begin",
            lambda connection: connection.exec_driver_sql(
                f"SET LOCAL row_security = off; SET LOCAL lock_timeout = {lock_timeout}"
            ),
        )

        def wait_patiently(
            connection: Connection,
            cursor: DBAPICursor,
            statement: str,
            parameters: object,
            context: ExecutionContext | None,
            many: bool,
        ) -> None:
            # CONCURRENTLY keeps nobody waiting while it waits, but leaves an invalid index when it
            # is interrupted. Each transaction sets its own time-out again.
            if " CONCURRENTLY " in statement.upper() and not connection.in_nested_transaction():
                cursor.execute("SET lock_timeout = 0")

        event.listen(engine, "before_cursor_execute", wait_patiently)

    def explain(self, error: BaseException) -> ButtressError | None:
        return explain(error, label=self.url.label, timeouts=self.timeouts)

    def is_dead(self, entry: ConnectionPoolEntry) -> bool:
        # Nothing is sent: an idle connection that has something to read carries the server's
        # farewell. Once it is closed, the number of its socket may be another file's.
        connection: Any = entry.dbapi_connection
        return bool(connection.closed or entry.info[WATCH].is_readable())

    def is_away(self, error: BaseException) -> bool:
        return is_away(error)

    @contextmanager
    def lock(self, engine: Engine, name: str, wait_seconds: float) -> Iterator[None]:
        """An advisory lock in a transaction of its own, so that it works behind a pooler too.

        It is tried again and again rather than waited for: a statement that waits holds a snapshot,
        and CREATE INDEX CONCURRENTLY under the lock would wait for that snapshot for ever.
        """
        digest = hashlib.blake2b(f"buttress:{name}".encode(), digest_size=8).digest()
        key = int.from_bytes(digest, signed=True)
        give_up = time.monotonic() + wait_seconds
        with engine.connect() as connection:
            while not connection.scalar(
                text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}
            ):
                connection.rollback()
                if time.monotonic() >= give_up:
                    raise LockTimeout(
                        f"another process has held the lock {name!r} of {self.url.label} for more "
                        f"than {wait_seconds} seconds",
                        hint="Wait for it to end, or look for it in pg_locks (advisory).",
                    )
                time.sleep(LOCK_POLL_SECONDS)
            connection.execute(text(NO_TIMEOUT))
            yield

    @contextmanager
    def scratch(self, engine: Engine) -> Iterator[DatabaseURL]:
        """A new database with the same extensions, schema and default privileges."""
        with engine.connect() as connection:
            current = str(connection.scalar(text("SELECT current_database()")))
            preparation = catalogue.preparation(connection, self.url.schema)
        name = f"{current[:40]}_scratch_{uuid4().hex[:12]}"
        url = replace(
            self.url,
            conninfo=make_conninfo(self.url.conninfo, dbname=name),
            label=f"{self.url.label} (scratch)",
        )
        _outside_transaction(engine, f"CREATE DATABASE {catalogue.quoted(name)}")
        try:
            catalogue.prepare(url, preparation)
            yield url
        finally:
            _outside_transaction(engine, f"DROP DATABASE {catalogue.quoted(name)} WITH (FORCE)")

    def fingerprint(self, connection: Connection) -> dict[Item, str]:
        return catalogue.fingerprint(connection)


def _watch_socket(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    driver: Any = record.driver_connection
    record.info[WATCH] = SocketWatch(driver.fileno())


def _outside_transaction(engine: Engine, statement: str) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)


def _escape(value: str) -> str:
    """A value inside libpq's `options`, where blanks separate and backslashes escape."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")

"""Connections for health's questions, apart from the pool that callers wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from buttress.db.database import Database
from buttress.errors import Unavailable
from buttress.settings import PoolSettings, TimeoutSettings

CONNECTIONS = 4
CONNECT_SECONDS = 2.0


class Line:
    """A few connections to the database of `of()`, opened when first asked for.

    An exhausted pool is no reason to take a process for dead, and questions that hang must not
    exhaust it.
    """

    def __init__(self, of: Callable[[], Database], *, statement_seconds: float) -> None:
        self._of = of
        self._statement_seconds = statement_seconds
        self._lock = threading.Lock()
        self._database: Database | None = None
        self._closed = False

    @property
    def database(self) -> Database:
        """The database by these connections.

        Raises
        ------
        Unavailable
            The line is closed: a question that comes too late must not open what nobody closes.
        """
        with self._lock:
            if self._closed:
                raise Unavailable("health is closed", hint="Ask the process that is open now.")
            if self._database is None:
                self._database = self._open()
            return self._database

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection on which each statement is a transaction: nothing but it is sent."""
        with self.database.engine.connect() as connection:
            if self.database.backend.name == "postgresql":
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction as role `app`."""
        with self.database.session() as session:
            yield session

    def start_anew(self) -> None:
        """Open new connections from now on; those that hang are closed when they return."""
        with self._lock:
            database, self._database = self._database, None
        if database is not None:
            database.close()

    def close(self) -> None:
        """Close what is open, for good."""
        with self._lock:
            self._closed = True
        self.start_anew()

    def _open(self) -> Database:
        asked = self._of()
        database = Database(
            asked.url,
            pool=PoolSettings.model_validate(
                {"size": 1, "overflow": CONNECTIONS - 1, "timeout_seconds": CONNECT_SECONDS}
            ),
            timeouts=TimeoutSettings.model_validate(
                {
                    "connect_seconds": CONNECT_SECONDS,
                    "statement_seconds": self._statement_seconds,
                    "lock_seconds": self._statement_seconds,
                    "restart_seconds": 0.0,
                    "start_seconds": 0.0,
                }
            ),
            application_name="buttress health",
        )
        database.executions = asked.executions  # the monitor counts these statements too
        return database

"""What Buttress asks of a database; `postgresql` and `sqlite` answer, chosen once from the URL."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.pool import ConnectionPoolEntry

from buttress.db.fingerprint import Item
from buttress.db.url import DatabaseURL
from buttress.errors import ButtressError, Unavailable
from buttress.settings import TimeoutSettings


class LockTimeout(Unavailable):
    """Another transaction or process holds a lock that did not become free in time."""


class Backend(Protocol):
    """One kind of database. What it cannot do raises `Unsupported` with a hint."""

    name: str
    read_only: Mapping[str, Any]
    """Execution options under which a transaction refuses to write."""
    async_url: URL

    def connect_args(self) -> dict[str, Any]:
        """Arguments for the driver: time-outs, application name, session settings."""

    def listen(self, engine: Engine) -> None:
        """Hook what a connection or a transaction needs when it starts into an engine."""

    def listen_for_migrations(self, engine: Engine) -> None:
        """Hook what only migrations need into an engine."""

    def explain(self, error: BaseException) -> ButtressError | None:
        """The error of the house for a driver's error; None when it is a mistake in the program.

        It never repeats a value or a password.
        """

    def is_dead(self, entry: ConnectionPoolEntry) -> bool:
        """Whether the server has closed a pooled connection; asked each time it is to be used."""

    def is_away(self, error: BaseException) -> bool:
        """Whether connecting failed because the server restarts, and waiting is worth it."""

    def lock(self, engine: Engine, name: str, wait_seconds: float) -> AbstractContextManager[None]:
        """Hold a lock that one process of all hosts can hold; raises `LockTimeout`."""

    def scratch(self, engine: Engine) -> AbstractContextManager[DatabaseURL]:
        """An empty database like this one, gone afterwards."""

    def fingerprint(self, connection: Connection) -> dict[Item, str]:
        """Everything the schema consists of, with definitions that are equal for equal schemas."""


def backend_for(url: DatabaseURL, timeouts: TimeoutSettings, application_name: str) -> Backend:
    """The backend a URL asks for."""
    from buttress.db.postgresql import PostgreSQL
    from buttress.db.sqlite import SQLite

    if url.backend == "sqlite":
        return SQLite(url, timeouts)
    return PostgreSQL(url, timeouts, application_name)

"""Barriers on SQLite: whether any other connection has committed since."""

from __future__ import annotations

import sqlite3

from buttress.cache.barrier import Barrier, Reading
from buttress.cache.watch import EVERYTHING
from buttress.db.database import Database
from buttress.errors import Unavailable


class SQLiteBarrier(Barrier):
    """`PRAGMA data_version` on a connection that never writes: any commit counts for everything."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        assert database.url.path is not None
        self._path = database.url.path
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None

    def disconnect(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        self._version = None
        if connection is not None:
            connection.close()

    def start_anew(self) -> None:
        """In a forked child: SQLite's connections must not be used there."""
        super().start_anew()
        self._connection, self._version = None, None

    def _ask(self) -> Reading:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(
                    f"{self._path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
                )
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error as error:
            self.disconnect()
            raise Unavailable("the database file does not answer the cache") from error
        number = self.number + 1
        if version != self._version:
            self.note((EVERYTHING,), number)
        self._version, self.number = version, number
        return Reading(number, None)

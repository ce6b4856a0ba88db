"""Streams of Arrow batches through ADBC's drivers, both sides of the proof.

Below the DB-API of the drivers, whose import brings half of pandas along and takes half a second.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from typing import Self

import adbc_driver_manager as adbc
import adbc_driver_postgresql
import adbc_driver_sqlite
import pyarrow as pa

__all__ = ["POSTGRESQL_BATCH_BYTES", "SQLITE_BATCH_ROWS", "Connection", "Error"]

Error = adbc.Error
POSTGRESQL_BATCH_BYTES = adbc_driver_postgresql.StatementOptions.BATCH_SIZE_HINT_BYTES.value
SQLITE_BATCH_ROWS = adbc_driver_sqlite.StatementOptions.BATCH_ROWS.value


class Connection:
    """One connection in autocommit mode, for one thread at a time; close it when done."""

    def __init__(self, database: adbc.AdbcDatabase) -> None:
        self._closing = contextlib.ExitStack()
        self._reading: dict[int, contextlib.ExitStack] = {}
        self._closing.callback(database.close)
        with contextlib.ExitStack() as failed:
            failed.callback(self._closing.close)
            self._connection = adbc.AdbcConnection(database)
            self._closing.callback(self._connection.close)
            failed.pop_all()

    @classmethod
    def sqlite(cls, uri: str) -> Self:
        """Open a SQLite file; raises `Error`."""
        return cls(adbc_driver_sqlite.connect(uri))

    @classmethod
    def postgresql(cls, conninfo: str) -> Self:
        """Connect to PostgreSQL; raises `Error`."""
        return cls(adbc_driver_postgresql.connect(conninfo))

    def close(self) -> None:
        """Close the connection, and what reads from it; raises `Error` when the driver cannot."""
        for reading in list(self._reading.values()):
            reading.close()
        self._closing.close()

    def execute(self, statement: str) -> None:
        """Run a statement whose rows, if any, are not wanted."""
        with contextlib.closing(adbc.AdbcStatement(self._connection)) as prepared:
            prepared.set_sql_query(statement)
            prepared.execute_update()

    @contextlib.contextmanager
    def read(
        self, statement: str, options: Mapping[str, str] | None = None
    ) -> Generator[pa.RecordBatchReader]:
        """The rows of a query as a stream of Arrow batches, valid inside the block."""
        with contextlib.ExitStack() as stack:
            # A generator left half-way by an error elsewhere must not keep the connection open.
            self._reading[id(stack)] = stack
            stack.callback(self._reading.pop, id(stack))
            prepared = stack.enter_context(contextlib.closing(adbc.AdbcStatement(self._connection)))
            if options:
                prepared.set_options(**options)
            prepared.set_sql_query(statement)
            stream, _ = prepared.execute_query()
            yield stack.enter_context(pa.RecordBatchReader._import_from_c(stream.address))

    def rows(self, statement: str) -> Iterator[tuple[object, ...]]:
        """The rows of a small query."""
        with self.read(statement) as reader:
            for batch in reader:
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

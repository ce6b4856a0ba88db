"""The table an import stages its rows in, of one transaction, like the one they are meant for."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import Connection

from buttress.db.postgresql_errors import explain
from buttress.imports.encode import SIGNATURE, TRAILER, encode_rows
from buttress.imports.target import Column, Target
from buttress.settings import TimeoutSettings

ROW = "buttress_row"
"""The column with the number of the row in the input."""


class Staging:
    """A temporary table; `add` takes what `encode` made of a batch, `close` drops it.

    A direct one is the target itself, for rows that nothing is left to ask about.
    """

    def __init__(
        self, connection: Connection, target: Target, columns: Sequence[Column], *, direct: bool
    ) -> None:
        self.connection = connection
        self.columns = columns
        self.rows = 0
        self._postgresql = connection.dialect.name == "postgresql"
        self.quote = connection.dialect.identifier_preparer.quote_identifier
        self.direct = direct
        if direct:
            self.sql = target.sql
            return
        self.sql = self.quote(f"buttress_import_{secrets.token_hex(4)}")
        selected = ", ".join(self._selected(column) for column in columns)
        self.run(
            f"CREATE TEMPORARY TABLE {self.sql}{' ON COMMIT DROP' if self._postgresql else ''} AS "
            f"SELECT {'0::bigint' if self._postgresql else '0'} AS {ROW}, {selected} "
            f"FROM {target.sql} LIMIT 0"
        )

    def encode(self, numbers: npt.NDArray[np.int64], arrays: Sequence[pa.Array]) -> Any:
        """A batch as the database takes it; needs no connection, so it may run beside `add`."""
        if self.direct:
            return encode_rows(arrays)
        if self._postgresql:
            return encode_rows([pa.array(numbers, pa.int64()), *arrays])
        dialect = self.connection.dialect
        values = [numbers.tolist()]
        for column, array in zip(self.columns, arrays, strict=True):
            bind = _binder(column, dialect)
            values.append([value if value is None else bind(value) for value in array.to_pylist()])
        return list(zip(*values, strict=True))

    def add(self, encoded: Any, count: int) -> None:
        """Append a batch of that many rows."""
        self.rows += count
        if not count:
            return
        if not self._postgresql:
            places = ", ".join("?" * (len(self.columns) + 1))
            self.connection.exec_driver_sql(f"INSERT INTO {self.sql} VALUES ({places})", encoded)
            return
        names = [] if self.direct else [ROW]
        names += [self.quote(column.name) for column in self.columns]
        statement = f"COPY {self.sql} ({', '.join(names)}) FROM STDIN (FORMAT BINARY)"
        driver: Any = self.connection.connection.driver_connection
        try:
            with (
                driver.cursor() as cursor,
                cursor.copy(statement) as copy,
            ):
                copy.write(SIGNATURE)
                copy.write(memoryview(encoded))
                copy.write(TRAILER)
        except psycopg.Error as error:
            timeouts = TimeoutSettings.model_validate({})
            raise explain(error, label="the database", timeouts=timeouts) or error from error

    def analyze(self) -> None:
        """Tell the planner how many rows there are; nobody else does for a temporary table."""
        self.run(f"ANALYZE {self.sql}")

    def run(self, statement: str) -> int:
        """Execute SQL as it stands; gives the number of rows it touched."""
        return self.connection.exec_driver_sql(
            statement, execution_options={"no_parameters": True}
        ).rowcount

    def holds(self, condition: str) -> bool:
        """Whether some staged row `s` meets a condition."""
        found = self.connection.exec_driver_sql(
            f"SELECT 1 FROM {self.sql} s WHERE {condition} LIMIT 1",
            execution_options={"no_parameters": True},
        )
        return found.first() is not None

    def convert(self, column: Column) -> None:
        """Give a column that was staged as text its own type."""
        name = self.quote(column.name)
        self.run(
            f"ALTER TABLE {self.sql} ALTER COLUMN {name} TYPE {column.type_name} "
            f"USING {name}::{column.type_name}"
        )

    def close(self) -> None:
        """Drop the table."""
        self.run(f"DROP TABLE {self.sql}")

    def _selected(self, column: Column) -> str:
        name = self.quote(column.name)
        return f"NULL::text AS {name}" if self._postgresql and column.staged_as_text else name


def _binder(column: Column, dialect: sa.Dialect) -> Any:
    """What turns a fitted value into what SQLite's driver stores, as SQLAlchemy would."""
    assert column.sqlalchemy_type is not None
    bind = column.sqlalchemy_type.dialect_impl(dialect).bind_processor(dialect)
    if column.kind == "json":
        return lambda text: text  # JSON text is what SQLAlchemy stores too
    if column.kind == "uuid":
        from uuid import UUID

        return (lambda raw: bind(UUID(bytes=raw))) if bind else (lambda raw: UUID(bytes=raw).hex)
    if column.kind == "text" or bind is None:
        return lambda value: value
    return bind

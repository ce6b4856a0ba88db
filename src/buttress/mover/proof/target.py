"""The target as the proof reads it: through ADBC, each column decoded by its rule's SQL.

All connections read one exported snapshot, so a database in use is proven as it was at one moment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from psycopg import sql
from psycopg.conninfo import make_conninfo

from buttress.errors import ButtressError, Unavailable
from buttress.mover.plan import Column, Table
from buttress.mover.proof import adbc
from buttress.mover.proof.arrow import joined
from buttress.mover.proof.cells import (
    Batch,
    Cell,
    class_of,
    key_positions,
    python_cells,
    tag,
)
from buttress.mover.proof.classes import CellClasses
from buttress.mover.proof.source import Scan
from buttress.mover.target import Target
from buttress.mover.values import SqliteValue, row_key, rule

_BATCH_BYTES = 2_000_000
_CAST = {"integer": "bigint", "real": "float8", "text": "text", "blob": "bytea", "": "text"}
_ARROW = {
    "integer": [pa.int64()],
    "real": [pa.float64()],
    "text": [pa.string()],
    "blob": [pa.binary()],
    "number": [pa.int64(), pa.float64()],
    "": [pa.string()],
}
_GONE = ("42P01", "42703", "3F000")
"""SQLSTATEs of a table, a column or a schema that is not there."""


class TableGone(Exception):
    """The target has no such table, or lacks a column; the message is the server's."""


@dataclass(frozen=True)
class Place:
    """Where the target is read: a schema at the moment of an exported snapshot."""

    target: Target
    schema: str
    moment: str


class TargetReader:
    """One connection to the target. Usable by one thread at a time; close it when done."""

    def __init__(self, place: Place) -> None:
        self._place = place
        try:
            self._connection = adbc.Connection.postgresql(
                make_conninfo(
                    place.target.conninfo,
                    client_encoding="UTF8",
                    application_name="buttress proof",
                )
            )
        except adbc.Error as error:
            raise _unavailable(place, error) from None
        try:
            for statement in (
                "SET statement_timeout = 0",
                "SET idle_in_transaction_session_timeout = 0",
                "SET jit = off",
                "SET timezone = 'UTC'",
                "SET search_path = pg_catalog",
                "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
                sql.SQL("SET TRANSACTION SNAPSHOT {}")
                .format(sql.Literal(place.moment))
                .as_string(),
            ):
                self._connection.execute(statement)
        except adbc.Error as error:
            self.close()
            raise _unavailable(place, error) from None

    def close(self) -> None:
        """Close the connection, also one that failed."""
        with contextlib.suppress(adbc.Error):
            self._connection.close()

    def batches(self, table: Table, scan: Scan, classes: CellClasses | None) -> Iterator[Batch]:
        """The rows of a table, in key order when the scan says so.

        `classes` tells the storage classes of cells of rule `mixed`.

        Raises
        ------
        TableGone
            The table or a column is not there.
        Unavailable
            The server does not answer or refuses.
        """
        kinds = [class_of(column) for column in table.columns]
        wanted = [type_ for kind in kinds for type_ in _ARROW[kind]]
        for found in self._stream(_statement(self._place.schema, table, scan)):
            parts = [array.cast(type_) for array, type_ in zip(found.columns, wanted, strict=True)]
            columns = joined(parts, kinds)
            if not all(kinds):
                decode = _Decoder(table, columns, kinds, classes)
                columns = [
                    array if kind else decode(i)
                    for i, (array, kind) in enumerate(zip(columns, kinds, strict=True))
                ]
            yield Batch(columns, kinds)

    def cell_classes(self, table: Table) -> CellClasses:
        """What `buttress_cells` says of a table's cells."""
        statement = sql.SQL(
            "SELECT row_key, row_id, column_name, storage_class FROM {} WHERE table_name = {}"
        ).format(sql.Identifier(self._place.schema, "buttress_cells"), sql.Literal(table.name))
        classes = CellClasses(table)
        try:
            for found in self._stream(statement.as_string()):
                classes.add(*(column.to_pylist() for column in found.columns))
        except BaseException:
            classes.close()
            raise
        return classes

    def _stream(self, statement: str) -> Iterator[pa.RecordBatch]:
        try:
            options = {adbc.POSTGRESQL_BATCH_BYTES: str(_BATCH_BYTES)}
            with self._connection.read(statement, options) as reader:
                yield from reader
        except (adbc.Error, pa.ArrowException, OSError) as error:
            if getattr(error, "sqlstate", None) in _GONE:
                raise TableGone(_first_line(error)) from None
            raise _unavailable(self._place, error) from error


def _unavailable(place: Place, error: Exception) -> ButtressError:
    return Unavailable(
        f"reading {place.target.label} for the proof failed: {_first_line(error)}",
        hint="See that the server is running and lets this user read, then run it again.",
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else repr(error)


def _statement(schema: str, table: Table, scan: Scan) -> str:
    cells = ", ".join(_decoded(column) for column in table.columns)
    statement = f"SELECT {cells} FROM {sql.Identifier(schema, table.target).as_string()} AS t"
    conditions = []
    if table.key and (scan.low is not None or scan.high is not None):
        first = f"t.{sql.Identifier(table.column(table.key[0]).target).as_string()}"
        if scan.low is not None:
            # The last range also has what no key of the source can be.
            null = f" OR {first} IS NULL" if scan.high is None else ""
            conditions.append(f"({first} >= '{scan.low}'::bigint{null})")
        if scan.high is not None:
            conditions.append(f"{first} < '{scan.high}'::bigint")
    if conditions:
        statement += " WHERE " + " AND ".join(conditions)
    if scan.ordered:
        statement += " ORDER BY " + ", ".join(_sorted(table.column(name)) for name in table.key)
    return statement


def _decoded(column: Column) -> str:
    """The SQLite value behind a cell; one that no value stands behind becomes a value nobody has.

    Decoding alone would let a fraction of a second pass where the rule's shape shows none.
    """
    crossing = rule(column.rule)
    cell = f"t.{sql.Identifier(column.target).as_string()}"
    if class_of(column) == "number":
        whole = "scale({c}) = 0" if column.rule == "numeric" else "{c} = trunc({c})"
        return _NUMBERS.format(whole=whole.format(c=cell), c=cell)
    decoded = f"({crossing.decode_sql.format(c=cell)})::{_CAST[crossing.decoded]}"
    exact = _exact(crossing.name, crossing.type).format(c=cell)
    if not exact:
        return decoded
    otherwise = f"{cell}::text" if crossing.decoded == "text" else _NOBODY[crossing.decoded]
    return f"CASE WHEN {cell} IS NULL THEN NULL WHEN {exact} THEN {decoded} ELSE {otherwise} END"


# In rule `numeric` the scale tells integers from reals. A number that SQLite cannot have came from
# nowhere; PostgreSQL would refuse to cast what is beyond the smallest and the largest real.
_NUMBERS = (
    "CASE WHEN {whole} AND {c} BETWEEN -9223372036854775808 AND 9223372036854775807 "
    "THEN {c}::bigint END, "
    "CASE WHEN {c} IS NULL OR {whole} AND {c} BETWEEN -9223372036854775808 AND 9223372036854775807 "
    "THEN NULL WHEN coalesce(scale({c}), 1) > 0 AND ({c} = 0 OR {c} IN ('Infinity', '-Infinity') "
    "OR abs({c}) BETWEEN 4.9e-324 AND 1.7976931348623157e308) THEN {c}::float8 "
    "ELSE 'NaN'::float8 END"
)
_NOBODY = {"integer": "(-9223372036854775807 - 1)", "real": "'NaN'::float8"}


def _exact(name: str, type_: str) -> str:
    """The condition on `{c}` under which decoding it loses nothing; empty when it never does."""
    if type_ not in _FIRST:
        return ""
    conditions = ["isfinite({c})"]
    if name != "julian day":
        # PostgreSQL writes years before Christ with the same digits.
        conditions.append(f"{{c}} >= '{_FIRST[type_]}'::{type_}")
    shown = name.removeprefix("timestamp(").removesuffix(")").split(", ")[1:2]
    if shown == ["0"] or name == "unix seconds":
        conditions.append("date_trunc('second', {c}) = {c}")
    if shown == ["3"] or name == "unix milliseconds":
        conditions.append("date_trunc('milliseconds', {c}) = {c}")
    return f"({' AND '.join(conditions)})"


_FIRST = {
    "date": "0001-01-01",
    "timestamp without time zone": "0001-01-01 00:00:00",
    "timestamp with time zone": "0001-01-01 00:00:00+00",
}


def _sorted(column: Column) -> str:
    cell = f"t.{sql.Identifier(column.target).as_string()}"
    return f'{cell} COLLATE "C"' if column.rule == "text" else cell


class _Decoder:
    """Columns of rule `mixed`, from the target's text to tagged form."""

    def __init__(
        self, table: Table, columns: list[pa.Array], kinds: list[str], classes: CellClasses | None
    ) -> None:
        self._table = table
        self._texts = columns
        self._kinds = kinds
        self._mixed: list[dict[str, str]] = []
        if classes is not None and classes.lines:
            self._mixed = [classes.take(key) for key in self._row_keys()]

    def __call__(self, i: int) -> pa.Array:
        column = self._table.columns[i]
        texts: list[str | None] = self._texts[i].to_pylist()
        name = column.name.lower()
        listed = [cells.get(name, "") for cells in self._mixed] or [""] * len(texts)
        cells = [
            _mixed(text, kind or column.usual) for text, kind in zip(texts, listed, strict=True)
        ]
        return pa.array([tag(cell) for cell in cells], pa.binary())

    def _row_keys(self) -> Iterator[str]:
        table = self._table
        places = (
            key_positions(table)
            if table.key
            else [i for i, column in enumerate(table.columns) if not column.generated]
        )
        rules = [table.columns[i].rule for i in places]
        lists = [list(map(_plain, self._key_cells(i))) for i in places]
        for values in zip(*lists, strict=True):
            yield row_key(rules, list(values))

    def _key_cells(self, i: int) -> list[Cell]:
        if self._kinds[i]:
            return python_cells(self._texts[i], self._kinds[i])
        return [
            None if text is None else bytearray(text.encode())
            for text in self._texts[i].to_pylist()
        ]


def _plain(cell: Cell) -> SqliteValue:
    return cell.decode(errors="replace") if isinstance(cell, bytearray) else cell


def _mixed(text: str | None, kind: str) -> Cell:
    """The cell that stands as `text` in a column of rule `mixed`; any other spelling is a text."""
    if text is None:
        return None
    found: Cell = bytearray(text.encode())
    try:
        if kind == "integer" and str(int(text)) == text:
            found = int(text)
        elif kind == "real" and repr(float(text)) == text:
            found = float(text)
        elif kind == "blob" and bytes.fromhex(text).hex() == text:
            found = bytes.fromhex(text)
    except ValueError:
        return bytearray(text.encode())
    return found

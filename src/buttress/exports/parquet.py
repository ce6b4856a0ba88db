"""Parquet with the types of the select's columns."""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator, TypeEngine

from buttress.errors import BadInput
from buttress.exports.cells import as_json, as_text
from buttress.exports.rows import Batch, OpenRows

GROUP = 15_000
"""Rows of a row group, which is what a reader takes at a time."""

UNKNOWN_DECIMAL = pa.decimal128(38, 20)
"""For decimals whose scale nobody said, such as sums and averages."""


def parquet_chunks(rows: OpenRows) -> Iterator[bytes]:
    """The file piece by piece, a row group each.

    Moments are microseconds, in UTC where they have a time zone; decimals have the precision and
    scale of their column; UUIDs are text, documents JSON text. Types that are not known from the
    select are those of the first 5,000 rows; raises `BadInput` for a value of another type.
    """
    first = next(rows.batches, [])
    schema = rows.arrow or _schema(rows, first)
    sink = _Drain()
    group: list[pa.Table] = []
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in chain([first], rows.batches):
            group.append(_table(rows.names, schema, batch))
            if sum(table.num_rows for table in group) >= GROUP:
                writer.write_table(pa.concat_tables(group))
                group.clear()
                yield sink.take()
        if group:
            writer.write_table(pa.concat_tables(group))
    yield sink.take()


class _Drain(io.RawIOBase):
    """A file that is only written to, emptied while it grows."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        self._written += len(self._pieces[-1])
        return len(self._pieces[-1])

    def take(self) -> bytes:
        """What was written since the last call."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _schema(rows: OpenRows, first: Batch) -> pa.Schema:
    fields = []
    for place, (name, kind) in enumerate(zip(rows.names, rows.types, strict=True)):
        known = None if kind is None else _known(kind)
        fields.append((name, known or _seen([row[place] for row in first])))
    return pa.schema(fields)


def _known(kind: TypeEngine[Any]) -> pa.DataType | None:
    """The Arrow type of a column's type; None where the values must tell."""
    if isinstance(kind, TypeDecorator):
        kind = kind.impl_instance
    if isinstance(kind, sa.Float):
        return pa.float64()
    if isinstance(kind, sa.Numeric):
        if kind.precision is None or kind.scale is None or kind.precision > 38:
            return None
        return pa.decimal128(kind.precision, kind.scale)
    if isinstance(kind, sa.DateTime):
        return pa.timestamp("us", "UTC" if kind.timezone else None)
    return next((arrow for family, arrow in _KNOWN if isinstance(kind, family)), None)


_KNOWN: list[tuple[type[TypeEngine[Any]], pa.DataType]] = [
    (sa.Boolean, pa.bool_()),
    (sa.SmallInteger, pa.int16()),
    (sa.BigInteger, pa.int64()),
    (sa.Integer, pa.int32()),
    (sa.Date, pa.date32()),
    (sa.Time, pa.time64("us")),
    (sa.LargeBinary, pa.binary()),
    (sa.Uuid, pa.string()),
    (sa.JSON, pa.string()),
    (sa.String, pa.string()),
]


def _seen(values: list[Any]) -> pa.DataType:
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, int | Decimal) for value in present):
        if any(isinstance(value, Decimal) for value in present):
            return UNKNOWN_DECIMAL
        return pa.bool_() if isinstance(present[0], bool) else pa.int64()
    if any(isinstance(value, UUID | dict) for value in present):
        return pa.string()
    try:
        kind = pa.array(present).type if present else pa.string()
    except (pa.ArrowException, TypeError, ValueError):
        return pa.string()
    return kind


def _table(names: list[str], schema: pa.Schema, group: Batch) -> pa.Table:
    columns = []
    for place, field in enumerate(schema):
        values = [row[place] for row in group]
        if pa.types.is_string(field.type):
            values = [_text(value) for value in values]
        try:
            columns.append(pa.array(values, field.type))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise BadInput(
                f"column {names[place]!r} holds a value that {field.type} does not: {error}",
                hint="Cast the column in the select, so that its type is known.",
            ) from error
    return pa.Table.from_arrays(columns, schema=schema)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return as_json(value) if isinstance(value, dict | list) else as_text(value)

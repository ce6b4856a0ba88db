"""What is exported: names and types of columns, and rows in batches of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, Float, Integer, Numeric, Select
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import Executable
from sqlalchemy.types import TypeEngine

from buttress.db.rows import as_mapping
from buttress.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 5_000
"""Rows in memory at a time."""

Batch = list[tuple[Any, ...]]


@dataclass(frozen=True)
class OpenRows:
    """`types` are known for a select's columns, and `arrow` for an Arrow stream's.

    `close` gives up the rows that were not taken.
    """

    names: list[str]
    batches: Iterator[Batch]
    types: list[TypeEngine[Any] | None]
    arrow: pa.Schema | None = None
    close: Callable[[], None] = lambda: None


def open_rows(session: Session | None, rows: Executable | Iterable[Any]) -> OpenRows:
    """Rows of a select, an Arrow stream, or an iterable of mappings and objects."""
    if isinstance(rows, Executable):
        if session is None:
            raise BadInput("a select needs a session to run in")
        return _selected(session, rows)
    if hasattr(rows, "__arrow_c_stream__"):
        import pyarrow as pa

        return _arrow(pa.RecordBatchReader.from_stream(rows))
    return _objects(iter(rows))


def _selected(session: Session, statement: Executable) -> OpenRows:
    """By a cursor in the server: the result is never in this process as a whole."""
    session.flush()
    # On a connection the select of a model gives its columns, not objects the session would keep.
    result = session.connection().execute(
        statement, execution_options={"stream_results": True, "yield_per": BATCH}
    )
    names = list(result.keys())
    types: list[TypeEngine[Any] | None] = [None] * len(names)
    if isinstance(statement, Select):
        known = [_type(column) for column in statement.selected_columns]
        types = known if len(known) == len(names) else types
    batches = ([tuple(row) for row in part] for part in result.partitions(BATCH))
    return OpenRows(names, batches, types, close=result.close)


def _type(column: Any) -> TypeEngine[Any] | None:
    """Of an expression SQLAlchemy tells its argument's type: a sum is wider than what it adds."""
    kind: TypeEngine[Any] = column.type
    if isinstance(column, Column):
        return kind
    if isinstance(kind, Integer):
        return BigInteger()
    return None if isinstance(kind, Numeric) and not isinstance(kind, Float) else kind


def _arrow(reader: pa.RecordBatchReader) -> OpenRows:
    def batches() -> Iterator[Batch]:
        for batch in reader:
            for start in range(0, batch.num_rows, BATCH):
                columns = [column.to_pylist() for column in batch.slice(start, BATCH).columns]
                yield list(zip(*columns, strict=True))

    names = list(reader.schema.names)
    return OpenRows(names, batches(), [None] * len(names), reader.schema)


def _objects(rows: Iterator[Any]) -> OpenRows:
    """The columns are those of the first row; a row that lacks one has nothing there."""
    first = list(islice(rows, 1))
    names = [str(name) for name in as_mapping(first[0])] if first else []
    everything = chain(first, rows)

    def values(row: Mapping[str, Any]) -> tuple[Any, ...]:
        more = [str(name) for name in row if name not in known]
        if more:
            raise BadInput(
                f"a row has {', '.join(more)}, which the first one had not",
                hint="Give all rows the same columns.",
            )
        return tuple(row.get(name) for name in names)

    def batches() -> Iterator[Batch]:
        while taken := [values(as_mapping(row)) for row in islice(everything, BATCH)]:
            yield taken

    known = set(names)
    return OpenRows(names, batches(), [None] * len(names))

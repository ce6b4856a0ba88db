"""Batches of rows from whatever holds them: Arrow streams, frames, mappings, objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from buttress.db.rows import as_mapping
from buttress.errors import BadInput

if TYPE_CHECKING:
    from pydantic import BaseModel

ARROW_ROWS = 65_536
OBJECT_ROWS = 10_000
"""Rows of a batch: what an import holds in memory is a few of them."""


class ArrowStream(Protocol):
    """Anything with the Arrow PyCapsule interface: pandas, polars, pyarrow, duckdb."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Rows = ArrowStream | Iterable[Any]


@dataclass(frozen=True)
class Batch:
    """Some rows by column; `numbers` are their places in the input, from 1.

    `refused` are rows that are no rows of these columns at all: number, row and reason.
    """

    names: Sequence[str]
    columns: Sequence[pa.Array | list[Any]]
    numbers: Sequence[int]
    refused: list[tuple[int, Mapping[str, Any], str]] = field(default_factory=list)

    def row(self, place: int) -> dict[str, Any]:
        """The values of one row as they came."""
        return {
            name: _value(column[place])
            for name, column in zip(self.names, self.columns, strict=True)
        }


def batches(rows: Rows, contract: type[BaseModel] | None) -> Iterator[Batch]:
    """Cut rows into batches; those that a contract checks have its fields as columns."""
    if contract is not None:
        yield from _checked(_mappings(rows), contract)
        return
    reader = _reader(rows)
    if reader is None:
        yield from _batches_of(enumerate(_mappings(rows), 1))
        return
    number = 1
    for batch in reader:
        for start in range(0, batch.num_rows, ARROW_ROWS):
            part = batch.slice(start, ARROW_ROWS)
            yield Batch(part.schema.names, part.columns, range(number, number + part.num_rows))
            number += part.num_rows
    if number == 1:
        yield Batch(reader.schema.names, [pa.array([], kind) for kind in reader.schema.types], [])


def _reader(rows: Rows) -> pa.RecordBatchReader | None:
    """None for what is no Arrow stream, and for a frame with columns of mixed objects."""
    if not hasattr(rows, "__arrow_c_stream__"):
        return None
    try:
        return pa.RecordBatchReader.from_stream(rows)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        if hasattr(rows, "itertuples"):
            return None
        raise BadInput(
            "the rows cannot be read as an Arrow stream", hint=f"Arrow says: {error}."
        ) from error


def _mappings(rows: Any) -> Iterator[Mapping[str, Any]]:
    reader = _reader(rows)
    if reader is not None:
        for batch in reader:
            yield from batch.to_pylist()
    elif hasattr(rows, "itertuples"):
        names = [str(name) for name in rows.columns]
        for values in rows.itertuples(index=False, name=None):
            yield dict(zip(names, values, strict=True))
    else:
        for row in rows:
            yield as_mapping(row)


def _batches_of(rows: Iterator[tuple[int, Mapping[str, Any]]]) -> Iterator[Batch]:
    """The columns are those of the first row; a row with others is refused."""
    names: list[str] | None = None
    while taken := list(islice(rows, OBJECT_ROWS)):
        if names is None:
            names = [str(name) for name in taken[0][1]]
        expected = set(names)
        good, refused = [], []
        for number, row in taken:
            if row.keys() == expected:
                good.append((number, row))
            else:
                refused.append((number, row, _other_columns(expected, row)))
        yield Batch(
            names,
            [[row[name] for _, row in good] for name in names],
            [number for number, _ in good],
            refused,
        )


def _other_columns(expected: set[str], row: Mapping[str, Any]) -> str:
    lacks = sorted(expected - row.keys())
    if lacks:
        return f"the row lacks {', '.join(lacks)}"
    return f"the row also has {', '.join(sorted(str(name) for name in row.keys() - expected))}"


def _checked(rows: Iterator[Mapping[str, Any]], contract: type[BaseModel]) -> Iterator[Batch]:
    from pydantic import ValidationError

    names = list(contract.model_fields)
    numbered = enumerate(rows, 1)
    while taken := list(islice(numbered, OBJECT_ROWS)):
        good, refused = [], []
        for number, row in taken:
            try:
                good.append((number, contract.model_validate(row)))
            except ValidationError as error:
                refused.append((number, row, _violations(error)))
        yield Batch(
            names,
            [[getattr(row, name) for _, row in good] for name in names],
            [number for number, _ in good],
            refused,
        )


def _violations(error: Any) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in violation['loc']) or 'row'}: {violation['msg']}"
        for violation in error.errors(include_url=False)
    )


def _value(value: Any) -> Any:
    if not isinstance(value, pa.Scalar):
        return value
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        return str(value)

"""Batches of rows from whatever holds them: Arrow streams, frames, mappings, objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from buttress.contracts import Contract
from buttress.contracts.reading import Rows, arrow_reader, judged, mappings
from buttress.contracts.violation import reason_of

if TYPE_CHECKING:
    from pydantic import BaseModel

ARROW_ROWS = 65_536
OBJECT_ROWS = 10_000
"""Rows of a batch: what an import holds in memory is a few of them."""


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
        yield from _checked(rows, contract)
        return
    reader = arrow_reader(rows)
    if reader is None:
        yield from _batches_of(enumerate(mappings(rows), 1))
        return
    number = 1
    for batch in reader:
        for start in range(0, batch.num_rows, ARROW_ROWS):
            part = batch.slice(start, ARROW_ROWS)
            yield Batch(part.schema.names, part.columns, range(number, number + part.num_rows))
            number += part.num_rows
    if number == 1:
        yield Batch(reader.schema.names, [pa.array([], kind) for kind in reader.schema.types], [])


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


def _checked(rows: Rows, contract: type[BaseModel]) -> Iterator[Batch]:
    names = list(contract.model_fields)
    if issubclass(contract, Contract) and contract.looks_at_all_rows():
        yield from _checked_together(rows, contract)
        return
    reader = arrow_reader(rows)
    if reader is None:
        yield from _judged(names, contract, enumerate(mappings(rows), 1))
        return
    number = 1
    for batch in reader:
        for start in range(0, batch.num_rows, ARROW_ROWS):
            part = batch.slice(start, ARROW_ROWS)
            yield from _checked_columns(names, contract, part, number)
            number += part.num_rows


def _checked_columns(
    names: Sequence[str], contract: type[BaseModel], part: pa.RecordBatch, first: int
) -> Iterator[Batch]:
    """Rows that whole columns show to be valid as they are, and the others one by one."""
    from buttress.contracts.columns import surely_valid

    mask = surely_valid(contract, pa.Table.from_batches([part]))
    if mask is None:
        yield from _judged(names, contract, enumerate(part.to_pylist(), first))
        return
    sure = np.array(mask, dtype=bool)
    valid = part.filter(pa.array(sure)).select(list(names))
    yield Batch(names, valid.columns, (np.flatnonzero(sure) + first).tolist())
    doubtful = np.flatnonzero(~sure)
    values = part.take(pa.array(doubtful)).to_pylist()
    yield from _judged(names, contract, zip((doubtful + first).tolist(), values, strict=True))


def _judged(
    names: Sequence[str],
    contract: type[BaseModel],
    numbered: Iterator[tuple[int, Mapping[str, Any]]],
) -> Iterator[Batch]:
    while True:
        good, refused = judged(contract, numbered, OBJECT_ROWS)
        if not (good or refused):
            return
        yield _of_models(names, good, [(n, row, reason_of(found)) for n, row, found in refused])


def _checked_together(rows: Rows, contract: type[Contract]) -> Iterator[Batch]:
    """All rows are in memory at once: the last may repeat the first."""
    checked = contract.check(rows)
    if any(violation.row is None for violation in checked.violations):
        checked.raise_if_rejected()
    names = list(contract.model_fields)
    refused = list(checked.refusals())
    numbered = zip(checked.valid_numbers, checked.models, strict=True)
    while good := list(islice(numbered, OBJECT_ROWS)):
        yield _of_models(names, good, refused)
        refused = []
    if refused:
        yield _of_models(names, [], refused)


def _of_models(
    names: Sequence[str],
    good: Sequence[tuple[int, BaseModel]],
    refused: list[tuple[int, Mapping[str, Any], str]],
) -> Batch:
    columns = [[getattr(row, name) for _, row in good] for name in names]
    return Batch(names, columns, [number for number, _ in good], refused)


def _value(value: Any) -> Any:
    if not isinstance(value, pa.Scalar):
        return value
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        return str(value)

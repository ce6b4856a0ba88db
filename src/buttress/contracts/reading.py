"""Rows out of whatever holds them: Arrow streams, frames, mappings, objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from buttress.contracts.violation import Violation, violations_of
from buttress.db.rows import as_mapping
from buttress.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa
    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel")


class ArrowStream(Protocol):
    """Anything with the Arrow PyCapsule interface: pandas, polars, pyarrow, duckdb."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Rows = ArrowStream | Iterable[Any]


def arrow_reader(rows: Rows) -> pa.RecordBatchReader | None:
    """None for what is no Arrow stream, and for a frame with columns of mixed objects."""
    import pyarrow as pa

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


def mappings(rows: Any) -> Iterator[Mapping[str, Any]]:
    """Each row by column."""
    reader = arrow_reader(rows)
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


def judged(
    model: type[Model], numbered: Iterator[tuple[int, Mapping[str, Any]]], most: int
) -> tuple[list[tuple[int, Model]], list[tuple[int, Mapping[str, Any], list[Violation]]]]:
    """At most so many of the rows: those a model takes, as it makes them, and those it refuses."""
    from pydantic import ValidationError

    good: list[tuple[int, Model]] = []
    refused: list[tuple[int, Mapping[str, Any], list[Violation]]] = []
    for number, row in islice(numbered, most):
        try:
            good.append((number, model.model_validate(row)))
        except ValidationError as error:
            refused.append((number, row, violations_of(number, error)))
    return good, refused

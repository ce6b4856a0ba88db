"""Cells as the proof compares them, in Python and in Arrow columns.

Nothing here is shared with the code that wrote the rows. In Python a cell is `None`, `int`,
`float`, `bytes` (a blob) or `bytearray` (a text, as UTF-8): the type is the storage class. A batch
holds each column in one of two forms: plain, when every cell has the class its rule promises, or
tagged, where each cell is its class and its exact content as bytes. Two columns are equal when
their bits are.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from buttress.mover.plan import Column, Table
from buttress.mover.values import rule

Cell = None | int | float | bytes | bytearray
Row = tuple[Cell, ...]

PLAIN: dict[str, pa.DataType] = {
    "integer": pa.int64(),
    "real": pa.float64(),
    "text": pa.binary(),
    "blob": pa.binary(),
}
_PYTHON: dict[str, type] = {"integer": int, "real": float, "text": bytearray, "blob": bytes}
_SHOWN = 80


@dataclass(frozen=True)
class Batch:
    """Some rows, column by column in the order of `Table.columns`.

    Parameters
    ----------
    columns
        One array a column.
    classes
        The storage class of each column's cells; empty for a tagged column.
    """

    columns: list[pa.Array]
    classes: list[str]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.columns[0])

    def cells(self, first: int, count: int) -> list[Row]:
        """Those rows as Python cells."""
        lists = [
            python_cells(array.slice(first, count), kind)
            for array, kind in zip(self.columns, self.classes, strict=True)
        ]
        return list(zip(*lists, strict=True))


def class_of(column: Column) -> str:
    """The class all cells of a column have by its rule; empty when they may differ.

    `number` stands for integers and reals beside each other.
    """
    if column.rule == "numeric" or column.rule.startswith("decimal("):
        return "number"
    return rule(column.rule).decoded


def numbers(integers: pa.Array, reals: pa.Array) -> pa.Array:
    """A column of class `number` from its integers and its reals; each cell is in one of them."""
    return pa.StructArray.from_arrays([integers, reals.view(pa.int64())], ["integer", "bits"])


def equal(left: Batch, at: int, right: Batch, at_right: int, count: int) -> bool:
    """Whether `count` rows of two batches are equal in every bit of every cell."""
    return all(
        _equal_columns(a.slice(at, count), kind_a, b.slice(at_right, count), kind_b)
        for a, kind_a, b, kind_b in zip(
            left.columns, left.classes, right.columns, right.classes, strict=True
        )
    )


def _equal_columns(a: pa.Array, kind_a: str, b: pa.Array, kind_b: str) -> bool:
    if kind_a != kind_b:
        a, b = as_tagged(a, kind_a), as_tagged(b, kind_b)
    elif kind_a == "real":
        # As numbers 0.0 would equal −0.0, and NaN not itself.
        a, b = a.view(pa.int64()), b.view(pa.int64())
    return bool(a.equals(b))


def column_of(cells: Sequence[Cell], kind: str) -> tuple[pa.Array, str]:
    """A column of these cells, plain when all have the class `kind`, else tagged."""
    classes = set(map(type, cells)) - {type(None)}
    if kind == "number" and classes <= {int, float}:
        integers = [cell if type(cell) is int else None for cell in cells]
        reals = [cell if type(cell) is float else None for cell in cells]
        return numbers(pa.array(integers, pa.int64()), pa.array(reals, pa.float64())), kind
    if kind in PLAIN and classes <= {_PYTHON[kind]}:
        return pa.array(cells, PLAIN[kind]), kind
    return pa.array(map(tag, cells), pa.binary(), size=len(cells)), ""


def as_tagged(array: pa.Array, kind: str) -> pa.Array:
    """The tagged form of a column."""
    if not kind:
        return array
    cells = python_cells(array, kind)
    return pa.array([tag(cell) for cell in cells], pa.binary())


def python_cells(array: pa.Array, kind: str) -> list[Cell]:
    """The cells of a column in Python."""
    if kind == "number":
        reals = array.field(1).view(pa.float64()).to_pylist()
        integers = array.field(0).to_pylist()
        return [real if i is None else i for i, real in zip(integers, reals, strict=True)]
    found = array.to_pylist()
    if not kind:
        return [None if cell is None else untag(cell) for cell in found]
    if kind == "text":
        return [None if cell is None else bytearray(cell) for cell in found]
    return found  # type: ignore[no-any-return]  # Arrow is untyped


def tag(cell: Cell) -> bytes | None:
    """Class and exact content in one byte string, None for NULL."""
    if cell is None:
        return None
    if isinstance(cell, int):
        return b"i%d" % cell
    if isinstance(cell, float):
        return b"r" + struct.pack(">d", cell)
    return (b"t" if isinstance(cell, bytearray) else b"b") + cell


def untag(tagged: bytes) -> Cell:
    """The cell that was tagged."""
    kind, content = tagged[:1], tagged[1:]
    if kind == b"i":
        return int(content)
    if kind == b"r":
        return float(struct.unpack(">d", content)[0])
    return bytearray(content) if kind == b"t" else content


def same_cell(left: Cell, right: Cell) -> bool:
    """Equality of class and content, bit by bit."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float) and isinstance(right, float):
        return struct.pack(">d", left) == struct.pack(">d", right)
    return left == right


def rank(cell: Cell) -> tuple[int, object]:
    """What orders a key column's cells as PostgreSQL does: NaN after all numbers, NULL last."""
    if cell is None:
        return 2, 0
    if isinstance(cell, float) and math.isnan(cell):
        return 1, 0
    return 0, cell


def show(cell: Cell, other: Cell = None) -> str:
    """A cell for people, at most 80 characters, around where it first differs from `other`."""
    text = _written(cell)
    if other is not None:
        against = _written(other)
        if text == against or (not text.isascii() and _looks_alike(text, against)):
            text, against = ascii(text)[1:-1], ascii(against)[1:-1]
        at = next(
            (i for i, (a, b) in enumerate(zip(text, against, strict=False)) if a != b),
            min(len(text), len(against)),
        )
        if at > _SHOWN - 20 and len(text) > _SHOWN:
            start = max(0, min(at - 30, len(text) - _SHOWN + 1))
            text = "…" + text[start:]
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _written(cell: Cell) -> str:
    if cell is None:
        return "NULL"
    if isinstance(cell, bytearray):
        try:
            return "'" + cell.decode().replace("'", "''") + "'"
        except UnicodeDecodeError:
            return f"invalid text x'{cell.hex()}'"
    if isinstance(cell, bytes):
        return f"x'{cell.hex()}'"
    return repr(cell)


def _looks_alike(left: str, right: str) -> bool:
    import unicodedata

    return unicodedata.normalize("NFKC", left) == unicodedata.normalize("NFKC", right)


def show_row(names: Iterable[str], row: Iterable[Cell]) -> str:
    """A row for people: `id=1, name='x'`, shortened."""
    text = ", ".join(f"{name}={show(cell)}" for name, cell in zip(names, row, strict=False))
    return text if len(text) <= _SHOWN * 2 else text[: _SHOWN * 2 - 1] + "…"


def show_key(table: Table, row: Row) -> str:
    """A row's name for people: its key, or all of it when the table has none."""
    names = table.key or [column.name for column in table.columns]
    return show_row(names, [row[i] for i in key_positions(table)])


def key_positions(table: Table) -> list[int]:
    """Where the key's columns stand in a row; all columns when the table has no key."""
    if not table.key:
        return list(range(len(table.columns)))
    places = {column.name.lower(): i for i, column in enumerate(table.columns)}
    return [places[name.lower()] for name in table.key]

"""Rows in PostgreSQL's binary COPY format.

`Encoder.add` takes rows as SQLite gave them, quickly, and raises at the first cell that its
column's rule does not hold; `Encoder.one` takes a single row and says which cell it was.
"""

from __future__ import annotations

import datetime as dt
import itertools
import operator
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import psycopg
from psycopg import pq
from psycopg._copy_base import format_row_binary
from psycopg.abc import Transformer as TransformerProtocol
from psycopg.adapt import AdaptersMap, Transformer
from psycopg.postgres import types
from psycopg.types.string import BytesBinaryDumper

from buttress.mover.plan import Column, Table
from buttress.mover.source.read import Cell, InvalidText, Values
from buttress.mover.values import Rule, SqliteValue, Unholdable, rule

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_REAL, _INTEGER = {float, type(None)}, {int, type(None)}
_MICROSECOND = dt.timedelta(microseconds=1)
# PostgreSQL's zero; with a time zone or without, a moment is microseconds from it.
_EPOCH = dt.datetime(2000, 1, 1)  # noqa: DTZ001
_UNIX_EPOCH_SECONDS = 946_684_800
_FIRST_MOMENT = (dt.datetime(1, 1, 1) - _EPOCH) // _MICROSECOND  # noqa: DTZ001
_LAST_MOMENT = _FIRST_MOMENT + 3_652_059 * 86_400_000_000 - 1
_FRACTIONS = {"0": [""], "3": [".000"], "6": [".000000"], "auto": ["", ".000000"]}
_ZEROS = str.maketrans("123456789", "000000000")

Convert = Callable[[Sequence[SqliteValue]], Sequence[object]]
"""Some cells of a column, NULLs among them, to what the driver dumps."""


class Refused(Exception):
    """A row that its table in PostgreSQL cannot hold; `place` is the first offending column."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place = place
        self.reason = reason


class Encoder:
    """Encodes the stored columns of one table."""

    def __init__(self, table: Table) -> None:
        columns = table.stored
        self._columns = columns
        self._rules = [rule(column.rule) for column in columns]
        self._encoding = _dumpers(crossing.wire for crossing in self._rules)
        quick = [_quick(crossing) for crossing in self._rules]
        self._quick_encoding = _dumpers(wire for _, wire in quick)
        self._converts = [
            (place, convert) for place, (convert, _) in enumerate(quick) if convert is not None
        ]
        # The driver takes an integer for a real; all other classes it refuses by itself.
        self._reals = [
            operator.itemgetter(place)
            for place, column in enumerate(columns)
            if column.rule == "real" and not _only_reals(column)
        ]
        self._never_null = {
            place
            for place, column in enumerate(columns)
            if column.not_null or (table.key_is_primary and column.name in table.key)
        }
        self.block = bytearray()

    def add(self, rows: Sequence[Values]) -> None:
        """Append rows to `block`; raises ValueError, TypeError or OverflowError, never converts."""
        for real in self._reals:
            if not set(map(type, map(real, rows))) <= _REAL:
                raise Unholdable("a value that is no real in a column of reals")
        encoded: Iterable[Sequence[object]] = rows
        if self._converts:
            columns: list[Sequence[object]] = list(zip(*rows, strict=True))
            for place, convert in self._converts:
                columns[place] = convert(columns[place])  # type: ignore[arg-type]
            encoded = zip(*columns, strict=True)
        # One call into the driver for each row and none of Python's: a third faster than write_row.
        deque(
            map(
                format_row_binary,
                encoded,
                itertools.repeat(self._quick_encoding),
                itertools.repeat(self.block),
            ),
            maxlen=0,
        )

    def take(self) -> bytearray:
        """What was added since the last call."""
        block, self.block = self.block, bytearray()
        return block

    def one(self, cells: Sequence[Cell]) -> bytearray:
        """One row; raises `Refused`."""
        values: list[object] = []
        for place, cell in enumerate(cells):
            if isinstance(cell, InvalidText):
                raise Refused(place, "text that is not valid in the source's encoding")
            if cell is None:
                if place in self._never_null:
                    raise Refused(place, "NULL in a column that must have a value")
                values.append(None)
                continue
            try:
                values.append(self._rules[place].encode(cell))
            except Unholdable as error:
                raise Refused(place, str(error)) from None
        encoded = bytearray()
        format_row_binary(values, self._encoding, encoded)
        return encoded


def binary_fields(wires: Sequence[str], values: Sequence[object]) -> bytes:
    """Values as they stand in a row of binary COPY: each after its length, without their count."""
    encoded = bytearray()
    format_row_binary(values, _dumpers(wires), encoded)
    return bytes(encoded[2:])


class _Context:
    """How the driver encodes here: blobs by its quick dumper, which it keeps for `bytes` alone."""

    connection = None

    def __init__(self) -> None:
        self.adapters = AdaptersMap(psycopg.adapters)
        self.adapters.register_dumper(bytes, BytesBinaryDumper)


def _only_reals(column: Column) -> bool:
    seen = {kind for kind, count in column.seen.items() if count}
    return "real" in seen and seen <= {"real", "null"}


def _dumpers(wires: Iterable[str]) -> TransformerProtocol:
    transformer = Transformer(_Context())
    # Binary json is its text; the driver's own dumper would quote it once more.
    names = ["text" if wire == "json" else wire for wire in wires]
    transformer.set_dumper_types([types[name].oid for name in names], pq.Format.BINARY)
    return transformer


def _quick(crossing: Rule) -> tuple[Convert | None, str]:
    """A quicker way than `encode`, with the type of what it gives; it may refuse more, not less."""
    if crossing.direct or crossing.name == "json":
        # Whether it is JSON the server checks in any case.
        return None, crossing.wire
    if crossing.name == "boolean":
        return _checked_booleans, crossing.wire
    if crossing.name.startswith("timestamp("):
        separator, digits, *zone = crossing.name[len("timestamp(") : -1].split(", ")
        mark = " " if separator == "space" else "T"
        return _quick_moments(mark, digits, "".join(zone)), crossing.wire
    if crossing.name == "unix seconds":
        return _quick_epoch(1), "int8"
    if crossing.name == "unix milliseconds":
        return _quick_epoch(1000), "int8"
    encode = crossing.encode
    return lambda cells: [None if cell is None else encode(cell) for cell in cells], crossing.wire


def _checked_booleans(cells: Sequence[SqliteValue]) -> Sequence[object]:
    if not (set(map(type, cells)) <= _INTEGER and set(cells) <= {0, 1, None}):
        raise Unholdable("a value other than the integers 0 and 1 in a column of booleans")
    return cells


def _quick_moments(mark: str, digits: str, zone: str) -> Convert:
    """Moments of one shape, looked at all at once."""
    shapes = [f"0000-00-00{mark}00:00:00{fraction}{zone}" for fraction in _FRACTIONS[digits]]
    parse = dt.datetime.fromisoformat

    def convert(cells: Sequence[SqliteValue]) -> Sequence[object]:
        # Cells of another class make `join` raise TypeError.
        texts: list[Any] = [cell for cell in cells if cell is not None]
        lines = "\n".join(texts)
        zeros = lines.translate(_ZEROS)
        if all(zeros != "\n".join([shape] * len(texts)) for shape in shapes) and any(
            text.translate(_ZEROS) not in shapes for text in texts
        ):
            raise Unholdable("a value that is no date and time of the column's shape")
        # What the shape does not tell: another zone, the hour 24, a fraction that is left out.
        if (
            (zone and lines.count(zone) != len(texts))
            or f"{mark}24:" in lines
            or (digits == "auto" and ".000000" in lines)
        ):
            raise Unholdable("a value that is no date and time of the column's shape")
        moments = map(parse, texts)
        if len(texts) == len(cells):
            return list(moments)
        return [None if cell is None else next(moments) for cell in cells]

    return convert


def _quick_epoch(per_second: int) -> Convert:
    """Integers to microseconds since 2000, which is what binary timestamps are."""
    factor = 1_000_000 // per_second
    offset = _UNIX_EPOCH_SECONDS * 1_000_000
    first, last = (_FIRST_MOMENT + offset) // factor, (_LAST_MOMENT + offset) // factor

    def convert(cells: Sequence[SqliteValue]) -> Sequence[object]:
        moments: list[int | None] = []
        for cell in cells:
            if isinstance(cell, int):
                if not first <= cell <= last:
                    raise Unholdable("a moment outside the years 1 to 9999")
                moments.append(cell * factor - offset)
            elif cell is None:
                moments.append(None)
            else:
                raise Unholdable("a value that is no integer in a column of moments")
        return moments

    return convert

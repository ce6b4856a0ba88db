"""Two streams of rows in key order, compared cell by cell.

Whole slices are compared in Arrow; only where one differs, its rows are paired by key in Python.
Every row of either side is used exactly once, as half of an equal pair or in a difference, so no
disorder and no duplicate can make two different tables look equal.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from buttress.mover.plan import Table
from buttress.mover.proof.cells import (
    Batch,
    Row,
    equal,
    key_positions,
    rank,
    same_cell,
    show,
    show_key,
    show_row,
)
from buttress.mover.report import Difference

KEPT = 100
_PAIRED_ROWS = 512
"""Slices that differ are cut down to this before their rows become Python objects."""


class OutOfOrder(Exception):
    """A side is not in key order: the rows have to be compared without it."""


@dataclass
class Tally:
    """What a comparison found so far."""

    rows: int = 0
    """Source rows seen."""
    proven: int = 0
    different: int = 0
    differences: list[Difference] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        """Count a difference, and keep it when it is among the first."""
        self.different += 1
        if len(self.differences) < KEPT:
            self.differences.append(difference)

    def missing(self, table: Table, row: Row) -> None:
        """A source row that the target does not have."""
        self.add(
            Difference(
                table=table.name,
                row=show_key(table, row),
                source=show_row([c.name for c in table.columns], row),
                target="no such row",
            )
        )

    def extra(self, table: Table, row: Row) -> None:
        """A target row that the source does not have."""
        self.add(
            Difference(
                table=table.name,
                row=show_key(table, row),
                source="no such row",
                target=show_row([c.name for c in table.columns], row),
            )
        )

    def cells(self, table: Table, left: Row, right: Row) -> None:
        """The cells in which two rows of the same key differ."""
        for column, a, b in zip(table.columns, left, right, strict=True):
            if not same_cell(a, b):
                self.add(
                    Difference(
                        table=table.name,
                        row=show_key(table, left),
                        column=column.name,
                        source=show(a, b),
                        target=show(b, a),
                    )
                )

    def join(self, other: Tally) -> None:
        """Add what another comparison of the same table found."""
        self.rows += other.rows
        self.proven += other.proven
        self.different += other.different
        self.differences += other.differences[: KEPT - len(self.differences)]


class _Stream:
    """Batches with a position in the current one."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self.batch: Batch | None = None
        self.at = 0

    def ahead(self) -> int:
        """Rows that can be taken without reading on; 0 at the end."""
        while self.batch is None or self.at == self.batch.rows:
            self.batch, self.at = next(self._batches, None), 0
            if self.batch is None:
                self._batches = iter(())
                return 0
        return self.batch.rows - self.at


def compare(table: Table, source: Iterator[Batch], target: Iterator[Batch]) -> Tally:
    """Compare both sides, given in key order; raises `OutOfOrder` when one is not."""
    tally = Tally()
    left, right = _Stream(source), _Stream(target)
    while True:
        count = min(left.ahead(), right.ahead())
        if not count:
            break
        assert left.batch is not None
        assert right.batch is not None
        if equal(left.batch, left.at, right.batch, right.at, count):
            taken, matched = count, count
            tally.proven += count
        elif count > _PAIRED_ROWS:
            count = _PAIRED_ROWS
            if equal(left.batch, left.at, right.batch, right.at, count):
                tally.proven += count
                taken = matched = count
            else:
                taken, matched = _pair(table, left, right, count, tally)
        else:
            taken, matched = _pair(table, left, right, count, tally)
        left.at += taken
        right.at += matched
        tally.rows += taken
    while count := min(left.ahead(), _PAIRED_ROWS):
        assert left.batch is not None
        for row in left.batch.cells(left.at, count):
            tally.missing(table, row)
        left.at += count
        tally.rows += count
    while count := min(right.ahead(), _PAIRED_ROWS):
        assert right.batch is not None
        for row in right.batch.cells(right.at, count):
            tally.extra(table, row)
        right.at += count
    return tally


def _pair(table: Table, left: _Stream, right: _Stream, count: int, tally: Tally) -> tuple[int, int]:
    """Pair rows by key until one side's slice is used up; returns how many of each were."""
    assert left.batch is not None
    assert right.batch is not None
    source, target = left.batch.cells(left.at, count), right.batch.cells(right.at, count)
    places = key_positions(table)
    left_keys, right_keys = _keys(source, places), _keys(target, places)
    i = j = 0
    while i < count and j < count:
        if left_keys[i] == right_keys[j]:
            if all(map(same_cell, source[i], target[j])):
                tally.proven += 1
            else:
                tally.cells(table, source[i], target[j])
            i, j = i + 1, j + 1
        elif left_keys[i] < right_keys[j]:
            tally.missing(table, source[i])
            i += 1
        else:
            tally.extra(table, target[j])
            j += 1
    return i, j


def _keys(rows: list[Row], places: list[int]) -> list[tuple[tuple[int, object], ...]]:
    keys = [tuple(rank(row[i]) for i in places) for row in rows]
    try:
        ordered = all(a <= b for a, b in itertools.pairwise(keys))
    except TypeError:
        # A key of another class than its column's.
        ordered = False
    if not ordered:
        raise OutOfOrder
    return keys

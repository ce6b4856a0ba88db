"""What is really in the tables: every value's storage class is counted in one scan.

SQLite does the counting and lets go of Python's lock meanwhile, so threads with a connection each
work in parallel over ranges of rowids. One sum per column carries all counts: each class adds to
bits of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import apsw

from buttress.mover.source.schema import SourceColumn, SourceTable, affinity, quoted
from buttress.mover.source.snapshot import open_snapshot

Progress = Callable[[int, int], None]
Done = TypeVar("Done")
Job = TypeVar("Job")

_CLASSES = ("integer", "real", "text", "blob")
_PIECE_BITS = 15
_PIECE_ROWS = 2**_PIECE_BITS - 1
"""Rowids of one piece: few enough that four counts fit one 64-bit integer."""
_MOST_PIECES = 20_000
_SMALLEST_DAMAGED = 8
_MOST_DAMAGED = 2_000
"""Failed counts after which the rest of a table's damage is left uncounted: the last page of a cut
file can stand for any rowid up to 2**63."""
_COLUMNS_AT_ONCE = 250
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


@dataclass
class ColumnFacts:
    """Values by storage class."""

    seen: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, count: int) -> None:
        """Count more values of a class."""
        if count:
            self.seen[kind] = self.seen.get(kind, 0) + count

    @property
    def classes(self) -> set[str]:
        """The storage classes of the values that are not NULL."""
        return set(self.seen) - {"null"}

    @property
    def values(self) -> int:
        """How many values are not NULL."""
        return sum(count for kind, count in self.seen.items() if kind != "null")


@dataclass
class TableFacts:
    """The facts of one table; `failed` says why it cannot be read at all."""

    rows: int = 0
    first_rowid: int | None = None
    last_rowid: int | None = None
    columns: list[ColumnFacts] = field(default_factory=list)
    damage: str = ""
    damaged: int = 0
    """Pieces that could not be counted whole."""
    failed: str = ""


@dataclass(frozen=True)
class _Piece:
    """Rows to count: `low <= rowid <= high`, or all of the table."""

    table: SourceTable
    low: int | None = None
    high: int | None = None

    @property
    def packed(self) -> bool:
        return self.low is not None and self.high is not None and self.high - self.low < _PIECE_ROWS


def scan(
    snapshot: Path,
    tables: Sequence[SourceTable],
    *,
    workers: int,
    progress: Progress | None = None,
) -> list[TableFacts]:
    """Count the values of all tables.

    Damage is noted in `TableFacts.damage`, and the counts are of what can be read.
    """
    found = [TableFacts(columns=[ColumnFacts() for _ in table.columns]) for table in tables]
    facts_of = {table.name: facts for table, facts in zip(tables, found, strict=True)}
    lock = threading.Lock()

    def count(connection: apsw.Connection, piece: _Piece) -> None:
        facts = facts_of[piece.table.name]
        try:
            _count(connection, piece, facts, lock)
        except apsw.Error as error:
            facts.failed = f"SQLite cannot read it: {error}"

    with_pieces: list[_Piece] = []
    connection = open_snapshot(snapshot)
    try:
        for table in tables:
            with_pieces += _pieces(connection, table, facts_of[table.name], workers)
    finally:
        connection.close()
    for number, _ in enumerate(in_parallel(snapshot, with_pieces, count, workers), start=1):
        if progress is not None:
            progress(number, len(with_pieces))
    return found


def in_parallel(
    snapshot: Path,
    jobs: Iterable[Job],
    work: Callable[[apsw.Connection, Job], Done],
    workers: int,
) -> Iterator[Done]:
    """Do the jobs in threads with a connection each; results come in the jobs' order."""
    own = threading.local()
    connections: list[apsw.Connection] = []

    def run(job: Job) -> Done:
        if not hasattr(own, "connection"):
            own.connection = open_snapshot(snapshot)
            connections.append(own.connection)
        return work(own.connection, job)

    try:
        with ThreadPoolExecutor(max(1, workers)) as pool:
            yield from pool.map(run, jobs)
    finally:
        for connection in connections:
            connection.close()


def _pieces(
    connection: apsw.Connection, table: SourceTable, facts: TableFacts, workers: int
) -> list[_Piece]:
    if table.kind != "table" or not table.rowid:
        return [_Piece(table)]
    name, rowid = quoted(table.name), quoted(table.rowid)
    try:
        first, last = connection.execute(
            f"SELECT (SELECT min({rowid}) FROM {name}), (SELECT max({rowid}) FROM {name})"
        ).fetchall()[0]
    except (apsw.CorruptError, apsw.IOError):
        return [_Piece(table, _LOWEST, _HIGHEST)]
    if not isinstance(first, int) or not isinstance(last, int):
        return []
    facts.first_rowid, facts.last_rowid = first, last
    step = _PIECE_ROWS
    if (last - first) // step >= _MOST_PIECES:
        step = (last - first) // (4 * workers) + 1
    return [_Piece(table, low, min(low + step - 1, last)) for low in range(first, last + 1, step)]


def _count(
    connection: apsw.Connection,
    piece: _Piece,
    facts: TableFacts,
    lock: threading.Lock,
) -> None:
    try:
        results = [
            connection.execute(sql, _bounds(piece)).fetchall()[0] for sql in _statements(piece)
        ]
    except (apsw.CorruptError, apsw.IOError) as error:
        facts.damage = str(error)
        facts.damaged += 1
        if facts.damaged > _MOST_DAMAGED:
            return
        for part in _halves(piece):
            _count(connection, part, facts, lock)
        if piece.low is None:
            _count_until_damage(connection, piece.table, facts)
        return
    with lock:
        _add(facts, piece, results)


def _halves(piece: _Piece) -> list[_Piece]:
    """The two halves of a damaged piece; none when there is nothing left to split."""
    if piece.low is None or piece.high is None or piece.high - piece.low < _SMALLEST_DAMAGED:
        return []
    middle = (piece.low + piece.high) // 2
    return [_Piece(piece.table, piece.low, middle), _Piece(piece.table, middle + 1, piece.high)]


def _count_until_damage(connection: apsw.Connection, table: SourceTable, facts: TableFacts) -> None:
    kinds = ", ".join(f"typeof({quoted(column.name)})" for column in table.columns)
    try:
        for row in connection.execute(f"SELECT {kinds} FROM {quoted(table.name)}"):
            facts.rows += 1
            for column, kind in zip(facts.columns, row, strict=True):
                column.add(str(kind), 1)
    except (apsw.CorruptError, apsw.IOError) as error:
        facts.damage = str(error)


def _bounds(piece: _Piece) -> tuple[int, ...]:
    return () if piece.low is None or piece.high is None else (piece.low, piece.high)


def _statements(piece: _Piece) -> Iterator[str]:
    """The statements that count a piece, each for as many columns as one result may have."""
    table = piece.table
    source = quoted(table.name)
    if table.kind == "table":
        # A covering index would hide damage of the table, and is no faster.
        source += " NOT INDEXED"
    if piece.low is not None:
        source += f" WHERE {quoted(table.rowid)} BETWEEN ? AND ?"
    rowids = "NULL, NULL"
    if piece.low is None and table.rowid:
        rowids = f"min({quoted(table.rowid)}), max({quoted(table.rowid)})"
    for first in range(0, len(table.columns), _COLUMNS_AT_ONCE):
        terms = [f"count(*), {rowids}"]
        for column in table.columns[first : first + _COLUMNS_AT_ONCE]:
            terms += _terms(column, piece.packed)
        yield f"SELECT {', '.join(terms)} FROM {source}"


def _terms(column: SourceColumn, packed: bool) -> list[str]:
    # Asking for the expected class first saves the other comparisons.
    expected = {"TEXT": "text", "REAL": "real"}.get(affinity(column.declared), "integer")
    terms = []
    for group, bits in _layout(packed):
        weights = {kind: 1 << (bits * place) for place, kind in enumerate(group)}
        order = sorted(group, key=lambda kind: kind != expected)
        cases = " ".join(f"WHEN '{kind}' THEN {weights[kind]}" for kind in order)
        terms.append(f"sum(CASE typeof({quoted(column.name)}) {cases} END)")
    return terms


def _layout(packed: bool) -> list[tuple[tuple[str, ...], int]]:
    """Which classes share one sum, and how many bits each has there."""
    return [(_CLASSES, _PIECE_BITS)] if packed else [(_CLASSES[:2], 31), (_CLASSES[2:], 31)]


def _add(facts: TableFacts, piece: _Piece, results: list[tuple[apsw.SQLiteValue, ...]]) -> None:
    rows, first, last = results[0][:3]
    assert isinstance(rows, int)
    facts.rows += rows
    if isinstance(first, int) and isinstance(last, int):
        facts.first_rowid, facts.last_rowid = first, last
    sums = iter([cell for result in results for cell in result[3:]])
    for column in facts.columns:
        counted = 0
        for group, bits in _layout(piece.packed):
            total = next(sums) or 0
            assert isinstance(total, int)
            for place, kind in enumerate(group):
                count = (total >> (bits * place)) & ((1 << bits) - 1)
                column.add(kind, count)
                counted += count
        column.add("null", rows - counted)

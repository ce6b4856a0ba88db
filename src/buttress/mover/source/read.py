"""The source's rows, chunk by chunk, as the copy reads them.

`batches` is the fast way: rows as SQLite gives them, and an exception at the first thing that is
not in order. `careful_rows` is for chunks where something was not: text comes as the bytes that lie
in the file, and around damaged pages everything that can still be read is found.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import apsw
import msgspec

from buttress.mover.plan import Plan, Table, Unreadable
from buttress.mover.values import SqliteValue

ROWS_PER_CHUNK = 50_000
DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.IOError, apsw.FullError)
"""What SQLite raises for a page it cannot use, or cannot read because the file ends before it."""

_FIRST, _LAST = -(2**63), 2**63 - 1
_ROWS_AT_ONCE, _CELLS_AT_ONCE = 64, 512
_LARGE_CELL_BYTES = 64 * 1024
_MOST_COLUMNS = 900
"""Two result columns a cell must stay below the 2,000 that SQLite allows."""
_MOST_FAILED_SEEKS = 20_000

Values = tuple[SqliteValue, ...]


class Chunk(msgspec.Struct, kw_only=True, frozen=True):
    """The rows of one table with `low <= rowid < high`; None is no bound."""

    table: str
    number: int
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class InvalidText:
    """Text that is not valid in the source's encoding, as its bytes."""

    raw: bytes


Cell = SqliteValue | InvalidText


@dataclass(frozen=True)
class Row:
    """The stored cells of one source row; `rowid` is None when the table shows none."""

    rowid: int | None
    cells: tuple[Cell, ...]


def chunks(plan: Plan, rows_per_chunk: int = ROWS_PER_CHUNK) -> list[Chunk]:
    """The plan's tables cut into ranges of rowids; what has no rowid to seek by is one chunk.

    Every table has at least one chunk, and the first and the last are open: no rowid is left out.
    """
    found: list[Chunk] = []
    for table in plan.moving:
        bounds: list[int | None] = [None, *_cuts(table, rows_per_chunk), None]
        found += [
            Chunk(table=table.name, number=number, low=low, high=high)
            for number, (low, high) in enumerate(itertools.pairwise(bounds))
        ]
    return found


def _cuts(table: Table, rows_per_chunk: int) -> list[int]:
    first, last = table.first_rowid, table.last_rowid
    if not _seekable(table) or first is None or last is None:
        return []
    span = last - first + 1
    count = min(-(-table.rows // rows_per_chunk), span)
    return [first + span * number // count for number in range(1, count)]


def batches(
    snapshot: apsw.Connection, table: Table, chunk: Chunk, *, with_rowid: bool = False
) -> Iterator[list[Values]]:
    """The stored columns of a chunk's rows as apsw gives them, some dozens of rows at a time.

    `with_rowid` puts the rowid before them. Memory is bounded: from the first cell of more than
    64 kB on, rows come one by one. Raises what apsw raises, and UnicodeDecodeError for text that
    is not UTF-8.
    """
    columns = [f"t.{quote(column.name)}" for column in table.stored]
    if with_rowid:
        columns.insert(0, f"t.{table.rowid}")
    statement, bindings = _statement(table, columns, chunk)
    rows_at_once = max(1, min(_ROWS_AT_ONCE, _CELLS_AT_ONCE // len(columns)))
    read = 0
    # SQLite itself stops before a large cell: looking at every cell from here would cost a third.
    usual = snapshot.limit(apsw.SQLITE_LIMIT_LENGTH, _LARGE_CELL_BYTES)
    try:
        cursor: apsw.Cursor | None = None
        while True:
            rows: list[Values] = []
            try:
                # SQLite steps to the first row while it executes.
                cursor = cursor or snapshot.execute(statement, bindings)
                rows.extend(itertools.islice(cursor, rows_at_once))
            except apsw.TooBigError:
                # What came before the large cell is in `rows` already.
                read += len(rows)
                if rows:
                    yield rows
                break
            if not rows:
                return
            read += len(rows)
            yield rows
    finally:
        snapshot.limit(apsw.SQLITE_LIMIT_LENGTH, usual)
    for row in snapshot.execute(f"{statement} LIMIT -1 OFFSET {read}", bindings):
        yield [row]


def careful_rows(
    snapshot: apsw.Connection, plan: Plan, table: Table, chunk: Chunk, lost: list[Unreadable]
) -> Iterator[Row]:
    """Every row of a chunk that can be read, each once, with its text checked here.

    What cannot be read is appended to `lost` when the iterator ends.
    """
    scan = _Scan(snapshot, plan, table)
    if not table.rowid:
        yield from scan.from_both_ends(lost)
        return
    low = _FIRST if chunk.low is None else chunk.low
    high = _LAST if chunk.high is None else chunk.high - 1
    ranges: list[tuple[int, int]] = []
    damage = ""
    try:
        yield from scan.rows(low, high)
    except _Damaged as found:
        damage = str(found)
        yield from scan.around_damage(found.after, high, ranges)
    lost += [
        Unreadable(
            table=table.name,
            first_rowid=None if first == _FIRST else first,
            last_rowid=None if last == _LAST else last,
            detail=f"{damage}: {_checked(snapshot, table.name)}".removesuffix(": "),
        )
        for first, last in _joined(ranges)
    ]


class _Damaged(Exception):
    """SQLite stopped at a damaged page; rowids from `after` on have not been read."""

    def __init__(self, error: apsw.Error, after: int) -> None:
        super().__init__(str(error))
        self.after = after


@dataclass(frozen=True)
class _Scan:
    """Reads of one table that look at every cell."""

    snapshot: apsw.Connection
    plan: Plan
    table: Table

    def rows(self, low: int, high: int) -> Iterator[Row]:
        """Rows from `low` to `high`, both included; raises `_Damaged` where it cannot go on."""
        where = f"WHERE t.{self.table.rowid} BETWEEN {low} AND {high}"
        after = low
        try:
            for row in self._read(f"{where} ORDER BY t.{self.table.rowid}"):
                if row.rowid is None or row.rowid < after:
                    raise apsw.CorruptError("rowids are out of order")
                yield row
                after = row.rowid + 1
        except DAMAGE as error:
            raise _Damaged(error, after) from error

    def around_damage(self, low: int, high: int, lost: list[tuple[int, int]]) -> Iterator[Row]:
        """Rows of a range that begins with damage.

        Seeks tell where reading works again; a range whose beginning cannot be reached is halved
        until it is one rowid, which is then lost.
        """
        left, failed = deque([(low, high)] if low <= high else []), 0
        while left:
            low, high = left.popleft()
            try:
                start = self._seek(low, high)
            except DAMAGE:
                failed += 1
                if low == high or failed > _MOST_FAILED_SEEKS:
                    lost.append((low, high))
                else:
                    middle = (low + high) // 2
                    left += [(low, middle), (middle + 1, high)]
                continue
            if start is None:
                continue
            try:
                yield from self.rows(start, high)
            except _Damaged as damage:
                after = damage.after
                if after == start:
                    # The row is found but one of its cells lies on a damaged page.
                    lost.append((start, start))
                    after += 1
                if after <= high:
                    left.append((after, high))

    def from_both_ends(self, lost: list[Unreadable]) -> Iterator[Row]:
        """The rows of a table without rowid, up to the damage and, by its key, back to it."""
        try:
            yield from self._read("")
        except DAMAGE as error:
            key = ", ".join(f"t.{quote(name)} DESC" for name in self.table.key)
            if key:
                with suppress(*DAMAGE):
                    yield from self._read(f"ORDER BY {key}")
            detail = f"{error}: {_checked(self.snapshot, self.table.name)}".removesuffix(": ")
            lost.append(Unreadable(table=self.table.name, detail=detail))

    def _seek(self, low: int, high: int) -> int | None:
        name = self.table.rowid
        row = self.snapshot.execute(
            f"SELECT t.{name} FROM {_from(self.table)} WHERE t.{name} BETWEEN {low} AND {high}"
            f" ORDER BY t.{name} LIMIT 1"
        ).fetchone()
        return None if row is None else int(row[0])

    def _read(self, clauses: str) -> Iterator[Row]:
        names = [column.name for column in self.table.stored]
        parts = [names[i : i + _MOST_COLUMNS] for i in range(0, len(names), _MOST_COLUMNS)]
        # Cursors over one immutable file walk in step.
        cursors = [self.snapshot.cursor().execute(self._select(part, clauses)) for part in parts]
        for found in zip(*cursors, strict=True):
            cells = tuple(
                self._cell(kind, value)
                for part in found
                for value, kind in zip(part[1::2], part[2::2], strict=True)
            )
            yield Row(found[0][0], cells)

    def _select(self, names: Sequence[str], clauses: str) -> str:
        cells = ", ".join(
            f"{raw_text(cell)}, typeof({cell})" for cell in (f"t.{quote(name)}" for name in names)
        )
        rowid = f"t.{self.table.rowid}" if self.table.rowid else "NULL"
        return f"SELECT {rowid}, {cells} FROM {_from(self.table)} {clauses}"

    def _cell(self, kind: str, value: SqliteValue) -> Cell:
        if kind != "text":
            return value
        # An empty text is no bytes, for which SQLite may give NULL.
        raw = value if isinstance(value, bytes) else b""
        try:
            return raw.decode(codec(self.plan.encoding))
        except UnicodeDecodeError:
            return InvalidText(raw)


def codec(encoding: str) -> str:
    """Python's name of a SQLite encoding, as it lies in the file: without byte order mark."""
    return {"UTF-8": "utf-8", "UTF-16le": "utf-16-le", "UTF-16be": "utf-16-be"}[encoding]


def raw_text(cell: str) -> str:
    """SQL for a cell whose text is to come as the bytes that lie in the file."""
    return f"CASE typeof({cell}) WHEN 'text' THEN CAST({cell} AS BLOB) ELSE {cell} END"


def quote(name: str) -> str:
    """A name as SQLite reads it; with a table before it, it can never be taken for a text."""
    return '"' + name.replace('"', '""') + '"'


def _seekable(table: Table) -> bool:
    """Whether rowids can be asked for by range; an R-Tree would be read whole each time."""
    return bool(table.rowid) and table.kind != "rtree"


def _from(table: Table) -> str:
    # An index may hold all columns and yet not what the table holds: never read it instead.
    return f"{quote(table.name)} AS t" + (" NOT INDEXED" if table.kind == "table" else "")


def _statement(table: Table, columns: Sequence[str], chunk: Chunk) -> tuple[str, tuple[int, ...]]:
    statement = f"SELECT {', '.join(columns)} FROM {_from(table)}"
    if not _seekable(table):
        return statement, ()
    rowid = f"t.{table.rowid}"
    bounds = [(f"{rowid} >= ?", chunk.low), (f"{rowid} < ?", chunk.high)]
    where = [condition for condition, value in bounds if value is not None]
    if where:
        statement += f" WHERE {' AND '.join(where)}"
    bindings = tuple(value for _, value in bounds if value is not None)
    return f"{statement} ORDER BY {rowid}", bindings


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = joined[-1][0], last
        else:
            joined.append((first, last))
    return joined


_CHECKED: WeakKeyDictionary[apsw.Connection, dict[str, str]] = WeakKeyDictionary()


def _checked(snapshot: apsw.Connection, table: str) -> str:
    """What SQLite's own check says of a damaged table, pages included; asked once a table."""
    known = _CHECKED.setdefault(snapshot, {})
    if table not in known:
        try:
            check = snapshot.execute(f"PRAGMA integrity_check({quote(table)})")
            found = list(itertools.islice(check, 20))
            known[table] = "; ".join(str(text) for (text,) in found if text != "ok")[:500]
        except apsw.Error as error:
            known[table] = str(error)
    return known[table]

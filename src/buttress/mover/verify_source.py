"""The source as the proof reads it: through other readers than the one that copied.

Columns whose cells all have one storage class come through ADBC's own SQLite as Arrow batches. ADBC
guesses a column's type from its first rows and silently turns cells of another class into it, so
every statement carries a guard column that tells; then, and for everything else, the standard
library's `sqlite3` gives rows, whose Python types are the storage classes. Where its SQLite is too
old for the file or lacks a module, apsw reads cells as class and raw bytes, which is said in the
proof's method.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import adbc_driver_manager
import adbc_driver_sqlite.dbapi
import apsw
import pyarrow as pa
import pyarrow.compute as pc

from buttress.errors import BadInput
from buttress.mover.plan import Column, Plan, Table, Unreadable
from buttress.mover.source import open_snapshot
from buttress.mover.verify_cells import (
    Batch,
    Row,
    class_of,
    column_of,
    key_positions,
    tag,
)

_BATCH_BYTES = 4_000_000
_BATCH_ROWS = 16_384
_FEWEST_ROWS = 64
"""Arrow batches are counted in rows alone: larger rows than fit so many times come one by one."""
_MOST_ARROW_COLUMNS = 200
_MOST_EXCLUDED = 500
_MOST_RAW_COLUMNS = 990

# SQLite's order of classes (numbers, text, blobs) tells without a function call.
_STRANGER = {
    "text": "({c} COLLATE BINARY < '' OR {c} COLLATE BINARY >= x'')",
    "blob": "{c} COLLATE BINARY < x''",
    "real": "typeof({c}) = 'integer'",
}
_SEED = {"integer": "0", "real": "0.0", "text": "''", "blob": "x''"}
_ARROW = {
    "integer": pa.int64(),
    "real": pa.float64(),
    "text": pa.string(),
    "blob": pa.binary(),
}


class NotArrow(Exception):
    """The table's cells cannot be read as Arrow without loss: it has to be read row by row."""


@dataclass
class Excluded:
    """Source rows that are in quarantine, by what names them; the comparison leaves them out."""

    rowids: set[int] = field(default_factory=set)
    keys: set[tuple[bytes | None, ...]] = field(default_factory=set)
    whole: Counter[tuple[bytes | None, ...]] = field(default_factory=Counter)
    """Rows of a table with neither: their stored cells, and how often."""

    def __bool__(self) -> bool:
        return bool(self.rowids or self.keys or self.whole)


@dataclass(frozen=True)
class Scan:
    """Which rows of a table, and in which order.

    Parameters
    ----------
    low, high
        Bounds of the first key column, `low <= key < high`; None for no bound.
    ordered
        In key order, as bytes.
    """

    low: int | None = None
    high: int | None = None
    ordered: bool = True


@dataclass(frozen=True)
class Source:
    """One table of a snapshot, with what the proof knows of it."""

    snapshot: Path
    plan: Plan
    table: Table
    heaviest: int = 1_000_000
    """Bytes of the largest row."""
    unreadable: tuple[Unreadable, ...] = ()
    excluded: Excluded = field(default_factory=Excluded)

    @property
    def classes(self) -> list[str]:
        """The class each column's cells have by its rule."""
        return [class_of(column) for column in self.table.columns]

    @property
    def as_arrow(self) -> bool:
        """Whether reading it through Arrow may be tried."""
        return (
            self.table.kind == "table"
            and all(self.classes)
            and len(self.table.columns) <= _MOST_ARROW_COLUMNS
            and self.plan.encoding == "UTF-8"
            and not self.unreadable
            and not self.excluded.keys
            and not self.excluded.whole
            and len(self.excluded.rowids) <= _MOST_EXCLUDED
            and self.heaviest * _FEWEST_ROWS <= _BATCH_BYTES
        )

    def batches(self, scan: Scan, *, arrow: bool) -> Iterator[Batch]:
        """The rows that are not in quarantine.

        Raises
        ------
        NotArrow
            Only with `arrow`, also after some batches: what was read must be forgotten.
        BadInput
            The file cannot be read.
        """
        return _arrow_batches(self, scan) if arrow else self._row_batches(scan)

    def _row_batches(self, scan: Scan) -> Iterator[Batch]:
        classes = self.classes
        for rows in self._kept(scan):
            if not rows:
                continue
            made = [
                column_of(cells, kind)
                for cells, kind in zip(zip(*rows, strict=True), classes, strict=True)
            ]
            yield Batch([array for array, _ in made], [kind for _, kind in made])

    def _kept(self, scan: Scan) -> Iterator[list[Row]]:
        excluded, table = self.excluded, self.table
        names = [column.name for column in table.columns]
        with contextlib.closing(RowReader(self.snapshot, self.plan.encoding, table)) as reader:
            if excluded.rowids:
                for rows in self._read(reader, [rowid_name(table), *names], scan):
                    yield [row[1:] for row in rows if row[0] not in excluded.rowids]
                return
            left = excluded.whole.copy()
            places = key_positions(table)
            stored = [i for i, column in enumerate(table.columns) if not column.generated]
            for rows in self._read(reader, names, scan):
                if excluded.keys:
                    rows = [
                        row
                        for row in rows
                        if tuple(tag(row[i]) for i in places) not in excluded.keys
                    ]
                elif left:
                    kept = []
                    for row in rows:
                        name = tuple(tag(row[i]) for i in stored)
                        if left[name] > 0:
                            left[name] -= 1
                        else:
                            kept.append(row)
                    rows = kept
                yield rows

    def _read(self, reader: RowReader, names: list[str], scan: Scan) -> Iterator[list[Row]]:
        table = self.table
        where, order = _bounds(table, scan), _order(table) if scan.ordered else ""
        many = max(1, min(2_000, _BATCH_BYTES // self.heaviest))
        if not self.unreadable:
            yield from _gathered(reader.read(names, where, order, many), self.heaviest)
            return
        if not rowid_name(table):
            yield from _around_damage(reader, names, table)
            return
        rowid = quoted(rowid_name(table))
        for first, last in _stretches(self.unreadable):
            bounds = [where] if where else []
            if first is not None:
                bounds.append(f"t.{rowid} >= {first}")
            if last is not None:
                bounds.append(f"t.{rowid} <= {last}")
            by_rowid = "" if order else f" ORDER BY t.{rowid}"
            yield from reader.read(names, " AND ".join(bounds), order or by_rowid, many)


def _gathered(batches: Iterator[list[Row]], heaviest: int) -> Iterator[list[Row]]:
    """Join the tiny batches that a few heavy rows force on a table of light ones."""
    if heaviest * 500 <= _BATCH_BYTES:
        yield from batches
        return
    rows: list[Row] = []
    weight = 0
    for batch in batches:
        rows += batch
        weight += sum(
            len(cell) for row in batch for cell in row if isinstance(cell, bytes | bytearray)
        )
        if weight > _BATCH_BYTES or len(rows) >= 2_000:
            yield rows
            rows, weight = [], 0
    yield rows


def _around_damage(reader: RowReader, names: list[str], table: Table) -> Iterator[list[Row]]:
    """What can be read from both ends of a damaged table without rowid."""
    for direction in ("ASC", "DESC") if table.key else ("",):
        order = ", ".join(f"t.{quoted(name)} {direction}" for name in table.key)
        try:
            yield from reader.read(names, "", f" ORDER BY {order}" if order else "", 1)
        except BadInput:
            continue
        return


def _stretches(unreadable: Iterable[Unreadable]) -> Iterator[tuple[int | None, int | None]]:
    """The rowids between the unreadable ranges, both ends included."""
    start: int | None = None
    ranges = sorted(
        unreadable, key=lambda lost: -(2**63) if lost.first_rowid is None else lost.first_rowid
    )
    for lost in ranges:
        if lost.first_rowid is not None:
            yield start, lost.first_rowid - 1
        if lost.last_rowid is None:
            return
        start = max(start, lost.last_rowid + 1) if start is not None else lost.last_rowid + 1
    yield start, None


class RowReader:
    """Rows of one table as cells, by the standard library's SQLite where it can, else by apsw's."""

    def __init__(self, snapshot: Path, encoding: str, table: Table) -> None:
        self._encoding = encoding
        self._table = table
        self._connection: sqlite3.Connection | apsw.Connection
        connection = sqlite3.connect(uri(snapshot), uri=True, isolation_level=None)
        connection.text_factory = bytearray
        names = ", ".join(f"t.{quoted(column.name)}" for column in table.columns)
        try:
            connection.execute(f"SELECT {names} FROM {_table(table)} LIMIT 0")
        except sqlite3.Error:
            connection.close()
            self._connection = open_snapshot(snapshot)
            self.note = (
                f"read by SQLite {apsw.sqlite_lib_version()}, "
                f"as Python's {sqlite3.sqlite_version} cannot"
            )
            self._raw = True
        else:
            self._connection = connection
            self.note = ""
            # SQLite converts UTF-16 to UTF-8 and mends what is not valid: only the raw bytes tell.
            self._raw = encoding != "UTF-8" and len(table.columns) <= _MOST_RAW_COLUMNS

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def read(
        self,
        names: Sequence[str],
        where: str = "",
        order: str = "",
        many: int = 1,
        bindings: Sequence[object] = (),
    ) -> Iterator[list[Row]]:
        """Rows in lists of `many`; raises `BadInput` when the file cannot be read."""
        cells = [f"t.{quoted(name)}" for name in names]
        if self._raw:
            cells = [
                f"typeof({c}), CASE typeof({c}) WHEN 'text' THEN CAST({c} AS BLOB) ELSE {c} END"
                for c in cells
            ]
        statement = f"SELECT {', '.join(cells)} FROM {_table(self._table)}"
        if where:
            statement += f" WHERE {where}"
        try:
            cursor = self._connection.execute(statement + order, tuple(bindings))
            while rows := list(itertools.islice(cursor, many)):
                yield [self._cells(row) for row in rows] if self._raw else rows
        except (sqlite3.Error, apsw.Error) as error:
            raise BadInput(
                f"table {self._table.name} of the source cannot be read: {error}",
                hint="Check the file with PRAGMA integrity_check.",
            ) from error

    def encoded(self, text: bytearray) -> bytes:
        """A text's bytes as they lie in the file."""
        if self._encoding == "UTF-8":
            return bytes(text)
        return bytes(text[1:]) if text[:1] == b"\xff" else text.decode().encode(self._encoding)

    def _cells(self, row: Sequence[object]) -> Row:
        return tuple(
            self._text(value or b"") if kind in (b"text", "text") else value  # type: ignore[misc,arg-type]
            for kind, value in zip(row[::2], row[1::2], strict=True)
        )

    def _text(self, raw: bytes) -> bytearray:
        try:
            return bytearray(raw.decode(self._encoding).encode())
        except UnicodeError:
            # Invalid text keeps its bytes; 0xFF, never found in UTF-8, marks those of UTF-16.
            return bytearray(raw if self._encoding == "UTF-8" else b"\xff" + raw)


def _arrow_batches(source: Source, scan: Scan) -> Iterator[Batch]:
    table = source.table
    classes = source.classes
    many = max(_FEWEST_ROWS, min(_BATCH_ROWS, _BATCH_BYTES // source.heaviest))
    wanted = [_ARROW[kind] for kind in classes]
    with _arrow_cursor(source.snapshot) as cursor:
        try:
            cursor.adbc_statement.set_options(**{_ROWS_OPTION: str(many)})
            cursor.execute(_arrow_statement(source, scan))
            reader = cursor.fetch_record_batch()
            if list(reader.schema.types[:-1]) != wanted:
                raise NotArrow
            for found in reader:
                columns = _without_strangers(found)
                if len(columns[0]):
                    yield Batch(
                        [
                            array.view(pa.binary()) if kind == "text" else array
                            for array, kind in zip(columns, classes, strict=True)
                        ],
                        classes,
                    )
        except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
            # A cell of another class than the first ones, a missing module, damage: rows will tell.
            raise NotArrow(f"{table.name}: {error}") from error


_ROWS_OPTION = adbc_driver_sqlite.StatementOptions.BATCH_ROWS.value


def _without_strangers(found: pa.RecordBatch) -> list[pa.Array]:
    guard = found.column(found.num_columns - 1)
    highest = pc.max(guard).as_py()
    if highest:
        seed = pc.equal(pc.fill_null(guard, 0), 2)
        if pc.any(pc.equal(guard, 1)).as_py():
            raise NotArrow
        found = found.filter(pc.invert(seed))
    return [found.column(i) for i in range(found.num_columns - 1)]


def _arrow_statement(source: Source, scan: Scan) -> str:
    table, classes = source.table, source.classes
    cells = [f"t.{quoted(column.name)}" for column in table.columns]
    guards = [
        _STRANGER[kind].format(c=cell)
        for column, cell, kind in zip(table.columns, cells, classes, strict=True)
        if kind in _STRANGER and not (kind == "real" and _converts_to_real(column))
    ]
    statement = f"SELECT {', '.join(cells)}, {' OR '.join(guards) or '0'} FROM {_table(table)}"
    conditions = [_bounds(table, scan)] if _bounds(table, scan) else []
    if source.excluded.rowids:
        rowids = ", ".join(map(str, sorted(source.excluded.rowids)))
        conditions.append(f"t.{quoted(rowid_name(table))} NOT IN ({rowids})")
    if conditions:
        statement += f" WHERE {' AND '.join(conditions)}"
    places = key_positions(table) if scan.ordered else []
    if any(
        kind != "integer" and (column.seen.get("null") or not column.seen)
        for column, kind in zip(table.columns, classes, strict=True)
    ):
        # A column that starts with NULLs would be taken for one of integers.
        seed = ["NULL" if i in places else _SEED[kind] for i, kind in enumerate(classes)]
        statement = f"SELECT {', '.join(seed)}, 2 UNION ALL {statement}"
    if places:
        statement += " ORDER BY " + ", ".join(
            f"{i + 1}{_as_bytes(table.columns[i])}" for i in places
        )
    return statement


def _converts_to_real(column: Column) -> bool:
    """Whether SQLite's affinity makes every number of the column a real."""
    declared = column.declared.upper()
    return (
        not column.generated
        and any(word in declared for word in ("REAL", "FLOA", "DOUB"))
        and not any(word in declared for word in ("INT", "CHAR", "CLOB", "TEXT", "BLOB"))
    )


@contextlib.contextmanager
def _arrow_cursor(snapshot: Path) -> Iterator[adbc_driver_sqlite.dbapi.Cursor]:
    with (
        adbc_driver_sqlite.dbapi.connect(uri(snapshot), autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        yield cursor


def heaviest_rows(snapshot: Path) -> dict[str, int]:
    """Bytes of each table's largest row by lower-case name; empty when the file does not tell."""
    with _arrow_cursor(snapshot) as cursor:
        try:
            cursor.execute("SELECT name, max(mx_payload) FROM dbstat GROUP BY name")
            return {name.lower(): max(16, size or 0) for name, size in cursor.fetchall()}
        except adbc_driver_manager.Error:
            # Damaged pages: every table is then read in the smallest steps.
            return {}


def key_range(source: Source) -> tuple[int, int] | None:
    """Smallest and largest value of the first key column, when the table can be read by its ranges.

    Only rows that lie in the file in the key's order can.
    """
    table = source.table
    if rowid_name(table) and rowid_name(table).lower() != table.key[0].lower():
        return None
    key = f"t.{quoted(table.key[0])}"
    ends = [f"(SELECT {function}({key}) FROM {_table(table)})" for function in ("min", "max")]
    with contextlib.closing(sqlite3.connect(uri(source.snapshot), uri=True)) as connection:
        try:
            low, high = connection.execute(f"SELECT {', '.join(ends)}").fetchone()
        except sqlite3.Error:
            return None
    return (low, high) if isinstance(low, int) and isinstance(high, int) else None


def rowid_name(table: Table) -> str:
    """The name under which the rowid can be read; empty for none."""
    return table.rowid_alias or table.rowid


def _table(table: Table) -> str:
    # An index may hold all columns and yet, damaged, not what the table holds.
    return f"{quoted(table.name)} AS t" + (" NOT INDEXED" if table.kind == "table" else "")


def quoted(name: str) -> str:
    """An identifier for SQLite; always used behind `t.`, where it cannot be taken for a string."""
    return '"' + name.replace('"', '""') + '"'


def uri(snapshot: Path) -> str:
    """A URI that opens a snapshot without locks and without writing."""
    return f"file:{quote(str(snapshot.resolve()))}?mode=ro&immutable=1"


def _bounds(table: Table, scan: Scan) -> str:
    conditions = []
    if scan.low is not None:
        conditions.append(f"t.{quoted(table.key[0])} >= {scan.low}")
    if scan.high is not None:
        conditions.append(f"t.{quoted(table.key[0])} < {scan.high}")
    return " AND ".join(conditions)


def _order(table: Table) -> str:
    return " ORDER BY " + ", ".join(
        f"t.{quoted(name)}{_as_bytes(table.column(name))}" for name in table.key
    )


def _as_bytes(column: Column) -> str:
    return " COLLATE BINARY" if column.collation else ""

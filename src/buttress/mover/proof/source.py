"""One table of the source, as the proof reads it: what to read, in which order, by which reader.

None of the readers is the one that copied. Columns whose cells all have one storage class come as
Arrow batches (`verify_arrow`); everything else row by row (`verify_rows`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from buttress.mover.plan import Column, Plan, Table, Unreadable
from buttress.mover.proof.cells import class_of

BATCH_BYTES = 4_000_000
"""About what one batch may take in memory."""
FEWEST_ROWS = 64
"""Arrow batches are counted in rows alone: larger rows than fit so many times come one by one."""
_MOST_ARROW_COLUMNS = 200
_MOST_EXCLUDED = 500


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
            and self.heaviest * FEWEST_ROWS <= BATCH_BYTES
        )


def rowid_name(table: Table) -> str:
    """The name under which the rowid can be read; empty for none."""
    return table.rowid_alias or table.rowid


def from_clause(table: Table) -> str:
    """The table as `t`, read from its own pages."""
    # An index may hold all columns and yet, damaged, not what the table holds.
    return f"{quoted(table.name)} AS t" + (" NOT INDEXED" if table.kind == "table" else "")


def quoted(name: str) -> str:
    """An identifier for SQLite; always used behind `t.`, where it cannot be taken for a string."""
    return '"' + name.replace('"', '""') + '"'


def uri(snapshot: Path) -> str:
    """A URI that opens a snapshot without locks and without writing."""
    return f"file:{quote(str(snapshot.resolve()))}?mode=ro&immutable=1"


def bounds(table: Table, scan: Scan) -> str:
    """The condition of a scan; empty for all rows."""
    conditions = []
    if scan.low is not None:
        conditions.append(f"t.{quoted(table.key[0])} >= {scan.low}")
    if scan.high is not None:
        conditions.append(f"t.{quoted(table.key[0])} < {scan.high}")
    return " AND ".join(conditions)


def key_order(table: Table) -> str:
    """ORDER BY the key, texts by their bytes."""
    return " ORDER BY " + ", ".join(
        f"t.{quoted(name)}{as_bytes(table.column(name))}" for name in table.key
    )


def as_bytes(column: Column) -> str:
    """What makes a column's texts sort by their bytes."""
    return " COLLATE BINARY" if column.collation else ""

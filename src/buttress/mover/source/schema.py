"""The source's schema as facts; `schema_reader` finds them.

Nothing here decides: what SQLite cannot read has a reason in `SourceTable.skip`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from buttress.mover.plan import Kind, NotCarried
from buttress.mover.source.ddl import TableText
from buttress.mover.translate import IndexedColumn


@dataclass(frozen=True)
class SourceColumn:
    """A column as SQLite describes it."""

    name: str
    declared: str = ""
    not_null: bool = False
    default: str | None = None
    collation: str = ""
    """Empty for BINARY."""
    generated: str | None = None
    """The expression of a generated column."""
    stored: bool = False


@dataclass(frozen=True)
class SourceIndex:
    """An index; `sql` is None for the automatic one of a UNIQUE or PRIMARY KEY constraint."""

    name: str
    sql: str | None
    unique: bool
    primary: bool
    columns: list[IndexedColumn]
    where: str | None


@dataclass(frozen=True)
class SourceForeignKey:
    """A foreign key; without `parent_columns` it means the parent's primary key."""

    columns: list[str]
    parent: str
    parent_columns: list[str] | None
    on_update: str
    on_delete: str
    deferrable: bool


@dataclass(frozen=True)
class SourceTable:
    """A table with what belongs to it; `skip` says why it has no rows of its own to move."""

    name: str
    sql: str
    kind: Kind = "table"
    skip: str = ""
    without_rowid: bool = False
    autoincrement: bool = False
    rowid: str = ""
    rowid_alias: str = ""
    primary: list[str] = field(default_factory=list)
    columns: list[SourceColumn] = field(default_factory=list)
    indexes: list[SourceIndex] = field(default_factory=list)
    foreign_keys: list[SourceForeignKey] = field(default_factory=list)
    text: TableText = field(default_factory=TableText)
    not_carried: list[NotCarried] = field(default_factory=list)
    """Columns that only the application can compute."""

    def column(self, name: str) -> SourceColumn | None:
        """The column of that name, compared as SQLite does."""
        wanted = fold(name)
        return next((column for column in self.columns if fold(column.name) == wanted), None)


@dataclass(frozen=True)
class SourceObject:
    """A view, or a trigger on `table`."""

    name: str
    table: str
    sql: str


@dataclass(frozen=True)
class Schema:
    """All objects in the order they were made."""

    encoding: str
    tables: list[SourceTable] = field(default_factory=list)
    views: list[SourceObject] = field(default_factory=list)
    triggers: list[SourceObject] = field(default_factory=list)
    sequences: dict[str, int] = field(default_factory=dict)
    """`sqlite_sequence`: the largest rowid an AUTOINCREMENT table ever had, by folded name."""
    not_carried: list[NotCarried] = field(default_factory=list)


_UPPER_TO_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def fold(name: str) -> str:
    """The name as SQLite compares it: ASCII letters without case."""
    return name.translate(_UPPER_TO_LOWER)


def affinity(declared: str) -> str:
    """SQLite's affinity of a declared type: INTEGER, TEXT, BLOB, REAL or NUMERIC."""
    words = declared.upper()
    if "INT" in words:
        return "INTEGER"
    if any(word in words for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if not words or "BLOB" in words:
        return "BLOB"
    if any(word in words for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


def quoted(name: str) -> str:
    """A SQLite identifier."""
    return '"' + name.replace('"', '""') + '"'

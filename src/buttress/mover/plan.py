"""The plan of a move: what becomes of every table, column, key and object.

A plan is data. `source` and `profile` find the facts, `types` and `translate` decide, `files`
writes it as TOML for people to edit and reads it back, `copy`, `finish` and `verify` carry it out.
It is also stored in the target with the move, so that the proof can be repeated years later from
the target alone.

Names: `name` is what SQLite calls a thing, `target` what PostgreSQL calls it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["table", "fts", "rtree"]


class Column(msgspec.Struct, kw_only=True):
    """One column that is moved."""

    name: str
    target: str
    declared: str = ""
    """The declared type as written, e.g. `VARCHAR(20)`; empty for none."""
    type: str
    """The PostgreSQL type, e.g. `bigint`; always one the rule allows."""
    rule: str
    """How values cross, a name `values.rule` knows, e.g. `integer` or `timestamp(space, 0)`."""
    usual: str = ""
    """Only for rule `mixed`: the storage class of a cell that `buttress_cells` does not list."""
    not_null: bool = False
    collation: str = ""
    """SQLite's collation when it is not BINARY: `NOCASE`, `RTRIM` or the name of a foreign one."""
    default: str = ""
    """PostgreSQL expression; empty for none."""
    generated: str = ""
    """PostgreSQL expression of a generated column, computed there, compared by the proof."""
    seen: dict[str, int] = {}
    """Values found in the source by storage class (`integer`, `real`, `text`, `blob`, `null`)."""
    why: str = ""
    """Why this type, in one line."""


class Index(msgspec.Struct, kw_only=True):
    """A unique constraint or an index; `sql` runs with the table's schema as search path."""

    name: str
    target: str
    unique: bool = False
    sql: str
    source: str = ""
    """SQLite's statement; empty for the automatic index of a UNIQUE constraint."""
    note: str = ""


class Check(msgspec.Struct, kw_only=True):
    """A CHECK constraint; `sql` is the PostgreSQL condition without the word CHECK."""

    target: str
    sql: str
    source: str


class ForeignKey(msgspec.Struct, kw_only=True):
    """A foreign key; column names are those of the source."""

    target: str
    columns: list[str]
    parent: str
    """The parent table's name in the source."""
    parent_columns: list[str]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"
    deferrable: bool = False


class Table(msgspec.Struct, kw_only=True):
    """One table, and all that belongs to it."""

    name: str
    target: str
    kind: Kind = "table"
    skip: str = ""
    """Why the table is left out; empty when it moves."""
    impossible: str = ""
    """Why PostgreSQL cannot have this table (1,701 columns): every row goes to quarantine."""
    rows: int = 0
    rowid: str = ""
    """The name under which SQLite shows the rowid (`rowid`, `_rowid_` or `oid`).

    Empty when the table is WITHOUT ROWID or when columns hide all three names."""
    rowid_alias: str = ""
    """The INTEGER PRIMARY KEY column, if there is one."""
    first_rowid: int | None = None
    last_rowid: int | None = None
    identity_next: int | None = None
    """Next value of the identity sequence of `rowid_alias`; None for no identity."""
    columns: list[Column] = []
    key: list[str] = []
    """Columns whose values name a row and are never NULL; empty when the table has no such key."""
    key_is_primary: bool = True
    """False when the key cannot be a PRIMARY KEY in PostgreSQL: a unique index stands in for it."""
    key_target: str = ""
    """Name of the primary key constraint in PostgreSQL."""
    indexes: list[Index] = []
    checks: list[Check] = []
    foreign_keys: list[ForeignKey] = []

    def column(self, name: str) -> Column:
        """The column of that source name (SQLite compares ASCII letters without case)."""
        folded = name.lower()
        return next(column for column in self.columns if column.name.lower() == folded)

    @property
    def stored(self) -> list[Column]:
        """The columns that are copied; PostgreSQL computes the generated ones itself."""
        return [column for column in self.columns if not column.generated]


class View(msgspec.Struct, kw_only=True):
    """A view; `sql` is its PostgreSQL query, kept only if both sides agree."""

    name: str
    target: str
    sql: str
    source: str


class Trigger(msgspec.Struct, kw_only=True):
    """A trigger; `sql` holds the function and the trigger, run with the schema as search path."""

    name: str
    target: str
    table: str
    sql: str
    source: str


class NotCarried(msgspec.Struct, kw_only=True):
    """An object of the source that has no counterpart in the target, and why."""

    kind: str
    """What it is: `index`, `check`, `default`, `foreign key`, `view`, `trigger`, `table`…"""
    name: str
    table: str = ""
    source: str = ""
    reason: str


class Unreadable(msgspec.Struct, kw_only=True):
    """Rows a damaged source cannot give: a range of rowids of one table, both ends included."""

    table: str
    first_rowid: int | None = None
    last_rowid: int | None = None
    detail: str = ""
    """What SQLite says of the damage, with the page where it knows it."""


class Plan(msgspec.Struct, kw_only=True):
    """Everything that will be done, in the order of the source's schema."""

    version: int = 1
    source: str
    """The source's path as given."""
    encoding: str = "UTF-8"
    """The source's text encoding: `UTF-8`, `UTF-16le` or `UTF-16be`."""
    schema: str = "public"
    tables: list[Table] = []
    views: list[View] = []
    triggers: list[Trigger] = []
    not_carried: list[NotCarried] = []
    notes: list[str] = []
    """What a reader should know that concerns no single object."""
    followed_from: int = 0
    """For a source that is followed: the newest note of a change that the snapshot holds."""

    @property
    def moving(self) -> list[Table]:
        """The tables whose rows go to the target or to quarantine."""
        return [table for table in self.tables if not table.skip]

    def table(self, name: str) -> Table:
        """The table of that source name (SQLite compares ASCII letters without case)."""
        folded = name.lower()
        return next(table for table in self.tables if table.name.lower() == folded)

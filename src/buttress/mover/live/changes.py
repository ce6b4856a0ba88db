"""The source's side of following: triggers that note which rows changed, and their removal.

Only keys are noted, never values: whoever replays reads the row as it is now, so replaying a change
twice does no harm. The triggers use nothing but SQL of the core, so any program and any driver that
writes to the file fires them.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from buttress.errors import BadInput, Conflict, Unavailable
from buttress.mover.marks import FENCE, FOLLOW, LOG, is_mark
from buttress.mover.plan import Plan, Table
from buttress.mover.source.read import Cell, InvalidText, codec, quote, raw_text
from buttress.mover.source.snapshot import open_snapshot

FENCED = "this database was moved to PostgreSQL and is read-only"
LOCK_SECONDS = 10.0


@dataclass(frozen=True)
class Change:
    """A row that may have changed: its table's source name, and its key's values in the plan's
    order.
    """

    table: str
    key: tuple[Cell, ...]


def follows_by_key(table: Table, connection: apsw.Connection) -> bool:
    """Whether triggers can note this table's changes by key.

    Virtual tables have no triggers, tables without a key cannot name a row, and a unique index over
    an expression hides which row an INSERT OR REPLACE deletes: those tables are copied again at
    cut- over.
    """
    return (
        table.kind == "table"
        and bool(table.key)
        and not table.impossible
        and all(_unique_sets(connection, table))
    )


def install(source: Path, plan: Plan) -> None:
    """Create the change log and the triggers, in one transaction.

    Raises
    ------
    Conflict
        The source is already followed, or was cut over.
    Unavailable
        Another program holds the lock.
    BadInput
        The file cannot be written to.
    """
    with writing(source) as connection:
        if _objects(connection):
            raise Conflict(
                f"{source} already carries the marks of a move",
                hint=f"Finish it with `buttress cutover {source}`, or remove them with "
                f"`buttress cutover {source} --abandon`.",
            )
        keyed = [table for table in plan.moving if follows_by_key(table, connection)]
        width = max((len(table.key) for table in keyed), default=1)
        keys = ", ".join(f"k{i}" for i in range(width))
        connection.execute(
            f"CREATE TABLE {LOG}(seq INTEGER PRIMARY KEY, tbl TEXT NOT NULL, {keys})"
        )
        for number, table in enumerate(keyed):
            for statement in _triggers(connection, table, number):
                connection.execute(statement)


def remove(source: Path) -> int:
    """Remove every trace: log, triggers and fences. Returns how many objects there were."""
    with writing(source) as connection:
        return _drop_all(connection)


def fence(connection: apsw.Connection, plan: Plan) -> None:
    """Inside a write transaction: drop log and triggers, and refuse every later write loudly."""
    _drop_all(connection)
    for number, table in enumerate(plan.moving):
        if table.kind != "table":
            continue
        for event in ("INSERT", "UPDATE", "DELETE"):
            name, on = f"{FENCE}{number}_{event.lower()}", quote(table.name)
            connection.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {on} "
                f"BEGIN SELECT RAISE(ABORT, {_literal(FENCED)}); END"
            )


def changes(
    connection: apsw.Connection, plan: Plan, after: int, limit: int
) -> tuple[list[Change], int]:
    """The distinct rows noted after a position, from at most `limit` notes; the new position."""
    width = len(connection.execute(f"PRAGMA table_info({LOG})").fetchall()) - 2
    cells = ", ".join(f"typeof(k{i}), {raw_text(f'k{i}')}" for i in range(width))
    lengths = {table.name: len(table.key) for table in plan.moving}
    encoding = codec(plan.encoding)
    # 1 and 1.0 are different keys here, though Python thinks them equal.
    found: dict[tuple[object, ...], Change] = {}
    position = after
    for seq, name, *pairs in connection.execute(
        f"SELECT seq, tbl, {cells} FROM {LOG} WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
    ):
        position = seq
        if name in lengths:
            pairs = pairs[: 2 * lengths[name]]
            key = tuple(
                text_cell(value, encoding) if kind == "text" else value
                for kind, value in zip(pairs[::2], pairs[1::2], strict=True)
            )
            found[(name, *pairs)] = Change(name, key)
    return list(found.values()), position


def text_cell(raw: Any, encoding: str) -> Cell:
    """Text from the bytes that lie in the file, or those bytes where they are no text."""
    try:
        return (raw or b"").decode(encoding)
    except UnicodeDecodeError:
        return InvalidText(raw or b"")


def last_position(snapshot: Path) -> int:
    """The newest note that a snapshot holds; 0 when its source is not followed."""
    with contextlib.closing(open_snapshot(snapshot)) as connection:
        if not is_followed(connection):
            return 0
        (newest,) = connection.execute(f"SELECT max(seq) FROM {LOG}").fetchall()[0]
    return newest if isinstance(newest, int) else 0


def is_followed(connection: apsw.Connection) -> bool:
    """Whether the source carries the change log."""
    return bool(connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (LOG,)).fetchall())


def schema_digest(connection: apsw.Connection) -> str:
    """A digest of the source's own schema, ours left out: it must not change while following."""
    digest = hashlib.sha256()
    for row in connection.execute(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name"
    ):
        if not is_mark(str(row[1])):
            digest.update("\0".join(map(str, row)).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


@contextlib.contextmanager
def writing(source: Path) -> Iterator[apsw.Connection]:
    """The source, locked for writing in one transaction that ends with the block."""
    try:
        connection = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(int(LOCK_SECONDS * 1000))
        connection.execute("BEGIN IMMEDIATE")
    except apsw.BusyError as error:
        raise Unavailable(
            f"{source} stayed locked by another program for {LOCK_SECONDS:.0f} seconds",
            hint="Try again when its long write has finished.",
        ) from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise BadInput(
            f"{source} cannot be written to: {error}",
            hint="Following a database needs the right to write to its file and folder.",
        ) from error
    try:
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()


@contextlib.contextmanager
def reading(source: Path) -> Iterator[apsw.Connection]:
    """The source in one read transaction: all reads inside see the same state."""
    connection = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(int(LOCK_SECONDS * 1000))
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        yield connection
    finally:
        connection.close()


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _triggers(connection: apsw.Connection, table: Table, number: int) -> list[str]:
    name, on = f"{FOLLOW}{number}", quote(table.name)
    columns = ", ".join(f"k{i}" for i in range(len(table.key)))

    def note(row: str) -> str:
        values = ", ".join(f"{row}.{quote(column)}" for column in table.key)
        return f"INSERT INTO {LOG}(tbl, {columns}) VALUES ({_literal(table.name)}, {values});"

    # Another letter's case or another class is another key here, whatever the column's collation.
    moved = " OR ".join(
        f"old.{quote(c)} IS NOT new.{quote(c)} COLLATE BINARY"
        f" OR typeof(old.{quote(c)}) <> typeof(new.{quote(c)})"
        for c in table.key
    )
    statements = [
        f"CREATE TRIGGER {name}_insert AFTER INSERT ON {on} BEGIN {note('new')} END",
        f"CREATE TRIGGER {name}_update AFTER UPDATE ON {on} BEGIN {note('new')} END",
        f"CREATE TRIGGER {name}_rekey AFTER UPDATE ON {on} WHEN {moved} BEGIN {note('old')} END",
        f"CREATE TRIGGER {name}_delete AFTER DELETE ON {on} BEGIN {note('old')} END",
    ]
    # INSERT OR REPLACE deletes the rows in its way without firing delete triggers: note them
    # before.
    values = ", ".join(f"t.{quote(c)}" for c in table.key)
    for index, unique in enumerate(_unique_sets(connection, table)):
        same = " AND ".join(
            f"t.{quote(c)} = new.{quote(c)} COLLATE {quote(collation)}" for c, collation in unique
        )
        found = (
            f"INSERT INTO {LOG}(tbl, {columns}) SELECT {_literal(table.name)}, {values} "
            f"FROM {on} AS t WHERE {same};"
        )
        for event in ("INSERT", "UPDATE"):
            statements.append(
                f"CREATE TRIGGER {name}_replace_{index}_{event.lower()} BEFORE {event} ON {on} "
                f"BEGIN {found} END"
            )
    return statements


def _unique_sets(connection: apsw.Connection, table: Table) -> list[list[tuple[str, str]]]:
    """The columns and collations of every unique index; empty for one over an expression."""
    found: list[list[tuple[str, str]]] = []
    for row in connection.execute(f"PRAGMA index_list({quote(table.name)})").fetchall():
        if not row[2]:
            continue
        parts = [
            (part[2], str(part[4]))
            for part in connection.execute(f"PRAGMA index_xinfo({quote(str(row[1]))})")
            if part[5]
        ]
        plain = [(str(name), collation) for name, collation in parts if name is not None]
        found.append(plain if len(plain) == len(parts) else [])
    return found


def _objects(connection: apsw.Connection) -> list[tuple[str, str]]:
    found = connection.execute("SELECT type, name FROM sqlite_schema").fetchall()
    return [(str(kind), str(name)) for kind, name in found if is_mark(str(name))]


def _drop_all(connection: apsw.Connection) -> int:
    objects = _objects(connection)
    for kind, name in sorted(objects, reverse=True):
        connection.execute(f"DROP {kind} {quote(name)}")
    return len(objects)

"""One table of a backup, put beside the live ones under a new name."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from buttress.backup import postgresql, sqlite
from buttress.backup.content import Progress, connect, digest_table, explained
from buttress.backup.manifest import Content, Manifest, TableContent
from buttress.backup.site import Site
from buttress.db.catalogue import quoted
from buttress.errors import BadInput, Conflict, NotFound

COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated = '',
        CASE WHEN a.attcollation <> t.typcollation THEN (
            SELECT format('%%I.%%I', n.nspname, l.collname) FROM pg_collation l
                JOIN pg_namespace n ON n.oid = l.collnamespace
            WHERE l.oid = a.attcollation) END
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
"""
OTHERS = """
    SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC'
        ELSE quote_ident(pg_get_userbyid(a.grantee)) END
    FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace, aclexplode(c.relacl) a
    WHERE s.nspname = %s AND c.relname = %s AND a.grantee <> c.relowner
"""


@dataclass(frozen=True)
class RestoredTable:
    """Where one table of a backup was put."""

    backup: str
    table: str
    """The one it was."""
    name: str
    """What it is called now, with its schema."""
    rows: int
    dry_run: bool = False


@dataclass(frozen=True)
class Column:
    """A column as it was when the backup was made."""

    name: str
    type: str
    required: bool
    compared: bool
    """Whether the manifest's digest covers it: generated ones follow from the others."""
    collation: str | None

    @property
    def definition(self) -> str:
        """As CREATE TABLE takes it."""
        collation = f" COLLATE {self.collation}" if self.collation else ""
        required = " NOT NULL" if self.required else ""
        return f"{quoted(self.name)} {self.type}{collation}{required}"


def choose(content: Content, table: str) -> TableContent:
    """The table of a backup by its name, or schema.name.

    Raises
    ------
    NotFound
        The backup has no such table.
    Conflict
        Tables of several schemas have this name.
    """
    found = [one for one in content.tables if table in (one.name, one.label)]
    if len(found) > 1:
        raise Conflict(
            f"{' and '.join(one.label for one in found)} have this name",
            hint="Write the schema too: --table schema.table.",
        )
    if not found:
        raise NotFound(
            f"the backup has no table {table}",
            hint="`buttress backup show` names its tables; of a partitioned one the partitions.",
        )
    return found[0]


def new_name(table: TableContent) -> str:
    """What it is called when nobody says: the moment makes it unique."""
    return f"{postgresql.shortened(table.name, 36)}_restored_{datetime.now(UTC):%Y%m%dt%H%M%S}"


def restore_postgresql(
    site: Site,
    manifest: Manifest,
    archive: IO[bytes],
    table: TableContent,
    *,
    to: str,
    dry_run: bool,
    progress: Progress,
) -> RestoredTable:
    """Restore a table into a scratch database, compare it, then copy it beside the live ones.

    The new table has the columns with their types, and its rows; no key, index, default, trigger or
    policy. Only its owner may read it. It is compared again before it is committed.

    Raises
    ------
    BadInput
        What the backup brings differs from the manifest.
    Conflict
        `to` exists, or the live database lacks the schema or a type of a column.
    """
    with explained(site.owner), connect(site.owner) as live:
        if live.execute("SELECT to_regclass(format('%%I.%%I', %s::text, %s::text))",
                        (table.schema, to)).fetchone() != (None,):  # fmt: skip
            raise Conflict(f"there is a table {table.schema}.{to}", hint="Choose another name.")
        scratch = postgresql.new_name(site.owner, "restore")
        with postgresql.restored(
            manifest, archive, site.owner, scratch, progress=progress, only=table
        ) as new:
            reader = postgresql.database_url(site.admin, postgresql.name_of(new))
            with connect(reader) as source:
                columns = [
                    Column(*row) for row in source.execute(COLUMNS, (table.schema, table.name))
                ]
                _refuse_difference(
                    manifest, table, _digest(source, table.schema, table.name, columns)
                )
                if not dry_run:
                    _copy(source, live, manifest, table, to, columns)
            postgresql.drop(site.owner, scratch)
    return RestoredTable(manifest.id, table.label, f"{table.schema}.{to}", table.rows, dry_run)


def _copy(
    source: psycopg.Connection,
    live: psycopg.Connection,
    manifest: Manifest,
    table: TableContent,
    to: str,
    columns: list[Column],
) -> None:
    name = sql.Identifier(table.schema, to)
    definitions = ", ".join(column.definition for column in columns)
    with live.transaction():
        try:
            live.execute(
                sql.SQL("CREATE TABLE {} (").format(name).as_string(live).encode()
                + f"{definitions})".encode()
            )
        except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedObject) as error:
            raise Conflict(
                f"{table.label} does not fit the live database: {error.diag.message_primary}",
                hint="Restore all of the backup beside it: `buttress backup restore --to NAME`.",
            ) from error
        # Policies of the live table do not cover this one: nobody else may read it.
        for (other,) in live.execute(OTHERS, (table.schema, to)).fetchall():
            live.execute(f"REVOKE ALL ON {name.as_string(live)} FROM {other}".encode())
        chosen = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
        rows = sql.SQL("COPY (SELECT {} FROM ONLY {}) TO STDOUT").format(
            chosen, sql.Identifier(table.schema, table.name)
        )
        with (
            source.cursor().copy(rows) as outgoing,
            live.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(name)) as incoming,
        ):
            for row in outgoing:
                incoming.write(row)
        _refuse_difference(manifest, table, _digest(live, table.schema, to, columns))


def _digest(
    connection: psycopg.Connection, schema: str, name: str, columns: list[Column]
) -> TableContent:
    compared = sorted(column.name for column in columns if column.compared)
    return digest_table(connection, schema, name, compared)


def restore_sqlite(
    live: Path, manifest: Manifest, restored: Path, table: TableContent, *, to: str, dry_run: bool
) -> RestoredTable:
    """The same for SQLite: `restored` is the backup in a file, already found whole.

    Raises
    ------
    BadInput
        What the backup brings differs from the manifest.
    Conflict
        `to` exists, or another program keeps the file locked.
    """
    if not live.exists():
        raise NotFound(f"there is no {live}", hint="Check DATABASE_URL.")
    with sqlite.explained(live), closing(sqlite.open_file(live, read_only=False)) as connection:
        connection.text_factory = bytearray
        connection.isolation_level = None
        connection.execute("ATTACH ? AS restored", (str(restored),))
        _refuse_difference(manifest, table, sqlite.digest(connection, table.name, "restored"))
        if _has(connection, to):
            raise Conflict(f"there is a table {to}", hint="Choose another name.")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            f"CREATE TABLE main.{quoted(to)} AS SELECT * FROM restored.{quoted(table.name)}"
        )
        _refuse_difference(manifest, table, sqlite.digest(connection, to, "main"))
        connection.execute("ROLLBACK" if dry_run else "COMMIT")
    return RestoredTable(manifest.id, table.label, to, table.rows, dry_run)


def _has(connection: sqlite3.Connection, table: str) -> bool:
    found = connection.execute("SELECT 1 FROM main.sqlite_master WHERE name = ?", (table,))
    return found.fetchone() is not None


def _refuse_difference(manifest: Manifest, expected: TableContent, found: TableContent) -> None:
    if (expected.rows, expected.digest) != (found.rows, found.digest):
        raise BadInput(
            f"{expected.label} of {manifest.id} is not what was backed up: "
            f"{found.rows:,} rows instead of {expected.rows:,}, or other values",
            hint="The live database was left as it was; restore from another backup.",
        )

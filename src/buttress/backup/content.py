"""What a PostgreSQL database holds, read in one snapshot by several connections."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import psycopg.errors
import xxhash
from psycopg import sql
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from buttress.backup import locales
from buttress.backup.manifest import Content, DatabaseProperties, Privilege, TableContent
from buttress.db import catalogue, tenancy
from buttress.db.migration_scripts import VERSION_TABLE
from buttress.db.postgresql_errors import is_away
from buttress.db.url import DatabaseURL
from buttress.errors import ConfigurationError, Unavailable

Progress = Callable[[str, int, int], None]
"""Called with what is done now, how much of it, and how much there is (0 when unknown)."""

CONNECTIONS = 2
LOCK_SECONDS = 60
# Text of values depends on these; the same database must read the same everywhere.
SESSION = {
    "row_security": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "client_encoding": "UTF8",
    "search_path": "pg_catalog",
}
TABLES = """
    SELECT n.nspname, c.relname, pg_table_size(c.oid),
        array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
            AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
        AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
            AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 3 DESC, 1, 2
"""
SEQUENCES = """
    SELECT format('%I.%I', schemaname, sequencename), last_value FROM pg_sequences
    WHERE last_value IS NOT NULL
"""
VERSIONS = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = %s AND c.relkind = 'r'
"""
PRIVILEGES = """
    SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END,
        a.privilege_type, a.is_grantable
    FROM pg_database d, aclexplode(d.datacl) a
    WHERE d.datname = current_database() AND a.grantee <> d.datdba ORDER BY 1, 2
"""
SETTINGS = """
    SELECT unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
    WHERE d.datname = current_database() AND s.setrole = 0
"""
LARGE_OBJECTS = "SELECT oid, encode(sha256(lo_get(oid)), 'hex') FROM pg_largeobject_metadata"
# Others of these read differently after a dump and a restore, although they mean the same.
DEFINED = {"row security"}


@dataclass(frozen=True)
class Snapshot:
    """One moment of a database, for as long as `connection` keeps its transaction."""

    connection: psycopg.Connection
    id: str
    url: DatabaseURL


@contextmanager
def snapshot(url: DatabaseURL) -> Iterator[Snapshot]:
    """Hold one moment of the database and keep its tables from being altered meanwhile."""
    with explained(url), connect(url) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        held = Snapshot(connection, str(row[0]), url)
        for schema, table, *_ in connection.execute(TABLES).fetchall():
            connection.execute(
                sql.SQL("LOCK TABLE ONLY {} IN ACCESS SHARE MODE").format(
                    sql.Identifier(schema, table)
                )
            )
        yield held


@contextmanager
def connect(url: DatabaseURL) -> Iterator[psycopg.Connection]:
    """A connection that hides no rows, has no time limits and writes values in one way."""
    with psycopg.connect(url.conninfo, autocommit=True, prepare_threshold=None) as connection:
        for name, value in SESSION.items():
            connection.execute(
                "SELECT set_config(name, %s, false) FROM pg_settings WHERE name = lower(%s)",
                (value, name),
            )
        if tenancy_alone(connection):
            connection.execute("SET row_security = on")
            for name, value in tenancy.EVERYTHING:
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        yield connection


def tenancy_alone(connection: psycopg.Connection) -> bool:
    """Whether the role sees every row as `buttress.db.tenancy` lets it, and only so.

    Of a role that is exempt, and where a policy of another kind may hide rows, it does not hold:
    PostgreSQL is then told to raise an error instead of hiding any.
    """
    row = connection.execute(tenancy.ALL_OURS).fetchone()
    return row is not None and bool(row[0])


def read_content(held: Snapshot, progress: Progress) -> Content:
    """Count and digest every table of the snapshot, the largest first.

    Raises
    ------
    ConfigurationError
        Row-level security or missing rights hide rows from the role.
    """
    tables = held.connection.execute(TABLES).fetchall()
    sequences = {str(name): int(last) for name, last in held.connection.execute(SEQUENCES)}
    objects = read_objects(held.connection)
    done: list[TableContent] = []

    def digest(work: tuple[str, str, int, list[str]]) -> TableContent:
        schema, name, _, columns = work
        with connect(held.url) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(held.id)))
            return digest_table(connection, schema, name, columns)

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for content in threads.map(digest, tables):
            done.append(content)
            progress("digests", len(done), len(tables))
    large_objects = _digest(held.connection, sql.SQL(LARGE_OBJECTS))
    if large_objects[0]:
        done.append(TableContent("", "large objects", *large_objects))
    return Content(sorted(done, key=lambda table: table.label), sequences, objects)


def digest_table(
    connection: psycopg.Connection, schema: str, name: str, columns: list[str]
) -> TableContent:
    """Rows and digest of one table, without its generated columns, which follow from the others."""
    # A column whose place changed is the same column: the order is that of their names.
    query = sql.SQL("SELECT {} FROM ONLY {}").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(schema, name)
    )
    return TableContent(schema, name, *_digest(connection, query))


def _digest(connection: psycopg.Connection, query: sql.Composable) -> tuple[int, str]:
    rows = total = 0
    digest, wire = xxhash.xxh3_64_intdigest, connection.pgconn
    # libpq's own calls: the driver's loop around them takes three times as long a row.
    copying = sql.SQL("COPY ({}) TO STDOUT").format(query).as_bytes(connection)
    _expect(wire.exec_(copying), ExecStatus.COPY_OUT, connection)
    # The server sends one message a row.
    while (received := wire.get_copy_data(0))[0] > 0:
        rows += 1
        total += digest(received[1])
    _expect(wire.get_result(), ExecStatus.COMMAND_OK, connection)
    while wire.get_result() is not None:
        pass
    return rows, f"{total & 0xFFFFFFFFFFFFFFFF:016x}"


def _expect(result: PGresult | None, status: ExecStatus, connection: psycopg.Connection) -> None:
    if result is None or result.status != status:
        if result is None:
            raise psycopg.OperationalError("the connection is lost")
        raise psycopg.errors.error_from_result(result, encoding=connection.info.encoding)


def read_objects(connection: psycopg.Connection) -> list[str]:
    """Everything the schema consists of, a line each, sorted."""
    found = set()
    for query in catalogue.QUERIES:
        for kind, schema, table, name, definition in connection.execute(query.encode()):
            words = [kind, schema, table, name if name != schema else ""]
            if kind in DEFINED:
                words.append(definition)
            found.add(" ".join(word for word in words if word))
    return sorted(found)


def read_properties(connection: psycopg.Connection) -> DatabaseProperties:
    """What CREATE DATABASE, ALTER DATABASE and GRANT … ON DATABASE have set."""
    row = connection.execute(
        "SELECT datacl IS NULL FROM pg_database WHERE datname = current_database()"
    ).fetchone()
    assert row is not None
    (default,) = row
    encoding, locale = locales.read(connection)
    privileges = [Privilege(*found) for found in connection.execute(PRIVILEGES)]
    settings = [str(setting) for (setting,) in connection.execute(SETTINGS)]
    return DatabaseProperties(encoding, None if default else privileges, settings, locale)


def read_revisions(connection: psycopg.Connection) -> list[str]:
    """The newest applied migration of each app."""
    revisions = []
    for schema, table in connection.execute(VERSIONS, (VERSION_TABLE,)).fetchall():
        query = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(schema, table))
        revisions += [str(revision) for (revision,) in connection.execute(query)]
    return sorted(revisions)


def differences(expected: Content, found: Content) -> list[str]:
    """What is not as expected, a line each; empty when all is."""
    lines = []
    before = {table.label: table for table in expected.tables}
    after = {table.label: table for table in found.tables}
    for label in sorted(before.keys() | after.keys()):
        old, new = before.get(label), after.get(label)
        if old is None or new is None:
            lines.append(f"table {label} {'is missing' if new is None else 'was not there'}")
        elif old.rows != new.rows:
            lines.append(f"table {label} has {new.rows} rows instead of {old.rows}")
        elif old.digest != new.digest:
            lines.append(f"table {label} has other values in its {new.rows} rows")
    for item in sorted(set(expected.objects) - set(found.objects)):
        lines.append(f"{item} is missing")
    for item in sorted(set(found.objects) - set(expected.objects)):
        lines.append(f"{item} was not there")
    # A dump reads sequences after the snapshot: they may have gone on, never back.
    for name, last in expected.sequences.items():
        now = found.sequences.get(name, -math.inf)
        if now != last and not _went_on(last, now):
            lines.append(f"sequence {name} is at {now} instead of {last}")
    return lines


def _went_on(last: int, now: float) -> bool:
    return now > last if last >= 0 else math.isfinite(now)


@contextmanager
def explained(url: DatabaseURL) -> Iterator[None]:
    """Turn what PostgreSQL says into an error with a cure."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"role {_role(url)} may not read all of {url.label}: {error.diag.message_primary}",
            hint="A backup must see every row: set BUTTRESS_BACKUP__DATABASE_URL to a role that "
            "has BYPASSRLS and pg_read_all_data.",
        ) from error
    except psycopg.Error as error:
        said = error.diag.message_primary or next(iter(str(error).splitlines()), "no reason given")
        hint = "See that the server runs, then do it again." if is_away(error) else None
        raise Unavailable(f"{url.label}: {said}", hint=hint) from error


def _role(url: DatabaseURL) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url.conninfo).get("user", "of this system"))

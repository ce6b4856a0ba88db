"""PostgreSQL: a dump and its manifest from one snapshot, and the way back into a new database."""

from __future__ import annotations

import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import IO, Literal

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from buttress.backup import locales, tools
from buttress.backup.content import (
    Progress,
    connect,
    differences,
    explained,
    read_content,
    read_properties,
    read_revisions,
    snapshot,
    tenancy_alone,
)
from buttress.backup.manifest import (
    Content,
    DatabaseProperties,
    Manifest,
    TableContent,
)
from buttress.backup.packing import damaged
from buttress.db import catalogue, tenancy
from buttress.db.url import DatabaseURL
from buttress.errors import BadInput, Unsupported

Write = Callable[[Iterator[bytes]], None]
"""What becomes of a dump's blocks."""

MAGIC = b"PGDMP"
MAINTENANCE = "postgres"
CLAIMS = 0x6275_7474
"""Class of the advisory locks on names of databases that are being restored."""
JOBS = 2 if sys.platform == "linux" else 1
"""Elsewhere an open file that is handed over has one position for all."""
# In the template of the database already, and nobody but a superuser may comment on them.
NOT_RESTORED = (" COMMENT - EXTENSION ",)


@dataclass(frozen=True)
class Dumped:
    """What one snapshot gave."""

    content: Content
    properties: DatabaseProperties
    revisions: list[str]
    server_version: str
    server_version_number: int
    database_bytes: int


def dump(url: DatabaseURL, write: Write, *, progress: Progress) -> Dumped:
    """Hand the dump to `write` while every table is digested in the same snapshot.

    Raises
    ------
    ConfigurationError
        Rows are hidden from the role by row-level security, or it may not read a table.
    Unsupported
        No pg_dump fits the server.
    Unavailable
        The server, pg_dump or the disk failed; nothing was published.
    """
    with snapshot(url) as held:
        program = tools.pg_tool("pg_dump", held.connection)
        conninfo, environment = tools.target(held.connection, url)
        arguments = [
            "--format=custom", "--compress=none", f"--snapshot={held.id}",
            "--lock-wait-timeout=60s", "--no-password", f"--dbname={conninfo}",
        ]  # fmt: skip
        if tenancy_alone(held.connection):
            arguments.append("--enable-row-security")
            shown = (f"-c {name}={value}" for name, value in tenancy.EVERYTHING)
            environment = environment | {"PGOPTIONS": " ".join(shown)}
        properties = read_properties(held.connection)
        revisions = read_revisions(held.connection)
        row = held.connection.execute(
            "SELECT pg_database_size(current_database()), current_setting('server_version')"
        ).fetchone()
        assert row is not None
        with ThreadPoolExecutor(1) as thread:
            digesting = thread.submit(read_content, held, progress)
            with tools.dumping(program, arguments, environment) as blocks:
                write(blocks)
            content = digesting.result()
        return Dumped(
            content, properties, revisions, str(row[1]).split()[0],
            held.connection.info.server_version, int(row[0]),
        )  # fmt: skip


def refuse_newer(manifest: Manifest, url: DatabaseURL) -> None:
    """Raises Unsupported when the backup is of a newer PostgreSQL than the server."""
    with explained(url), maintenance(url) as connection:
        server = connection.info.server_version // 10000
    made_by = manifest.server_version_number // 10000
    if made_by > server:
        raise Unsupported(
            f"{manifest.id} was made by PostgreSQL {made_by}, the server is PostgreSQL {server}",
            hint=f"Restore it into a server of version {made_by} or later; nothing was changed.",
        )


def check_archive(archive: IO[bytes], manifest: Manifest) -> None:
    """Raises BadInput when it is no archive of pg_dump."""
    archive.seek(0)
    if archive.read(len(MAGIC)) != MAGIC:
        raise BadInput(
            f"{manifest.id} holds no dump of PostgreSQL",
            hint="Nothing was changed; restore another backup: `buttress backup list`.",
        )


@contextmanager
def restored(
    manifest: Manifest,
    archive: IO[bytes],
    url: DatabaseURL,
    name: str,
    *,
    progress: Progress,
    only: TableContent | None = None,
) -> Iterator[DatabaseURL]:
    """A new database of that name with the backup in it; dropped when the block raises.

    With `only` it has all tables and the rows of that one, without indexes and constraints.

    Raises
    ------
    Unavailable
        The server or pg_restore failed.
    """
    check_archive(archive, manifest)
    new = database_url(url, name)
    with explained(url), maintenance(url) as connection:
        # Nobody takes it for a leftover while this connection lives; see `leftovers`.
        connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (CLAIMS, name))
        _create(connection, name, manifest)
        try:
            _forget_default_privileges(new)
            fill(connection, archive, new, progress, only)
            yield new
        except BaseException:
            drop(url, name)
            raise


def _create(connection: psycopg.Connection, name: str, manifest: Manifest) -> None:
    database, properties = sql.Identifier(name), manifest.properties
    locales.create_database(connection, name, manifest)
    for setting in properties.settings:
        option, _, value = setting.partition("=")
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET {} TO {}").format(
                database, sql.Identifier(*option.split(".")), sql.Literal(value)
            )
        )
    if properties.privileges is None:
        return
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    known = {str(role) for (role,) in connection.execute("SELECT rolname FROM pg_roles")}
    for right in properties.privileges:
        everybody = right.grantee == "PUBLIC"
        if everybody or right.grantee in known:
            connection.execute(
                sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
                    sql.SQL(_known_privilege(right.privilege)), database,
                    sql.SQL("PUBLIC") if everybody else sql.Identifier(right.grantee),
                    sql.SQL(" WITH GRANT OPTION" if right.grantable else ""),
                )
            )  # fmt: skip


def _known_privilege(privilege: str) -> Literal["CONNECT", "CREATE", "TEMPORARY"]:
    for known in ("CONNECT", "CREATE", "TEMPORARY"):
        if privilege == known:
            return known
    raise damaged(f"the right {privilege!r} in the manifest")


def _forget_default_privileges(new: DatabaseURL) -> None:
    """Those of the template would add rights to tables; the dump brings those that were there."""
    with connect(new) as connection:
        connection.execute("SET search_path = public")
        for schema, kind, privilege, grantee, _ in connection.execute(
            catalogue.DEFAULT_PRIVILEGES.encode()
        ).fetchall():
            where = f"IN SCHEMA {catalogue.quoted(schema)} " if schema else ""
            connection.execute(
                f"ALTER DEFAULT PRIVILEGES {where}"
                f"REVOKE {privilege} ON {catalogue.KINDS[kind]} FROM {grantee}".encode()
            )


def fill(
    connection: psycopg.Connection,
    archive: IO[bytes],
    new: DatabaseURL,
    progress: Progress,
    only: TableContent | None = None,
) -> None:
    """Run pg_restore into an empty database; it stops at the first error."""
    program = tools.pg_tool("pg_restore", connection)
    conninfo, environment = tools.target(connection, new)
    conninfo = make_conninfo(conninfo, dbname=str(name_of(new)))
    path = f"/dev/fd/{archive.fileno()}"
    progress("restore", 0, 0)
    archive.seek(0)
    contents = tools.run(program, ["--list", path], environment, passing=archive)
    wanted = [line for line in contents.splitlines() if _is_wanted(line, only)]
    sections = ["--section=pre-data", "--section=data"] if only else []
    with tempfile.NamedTemporaryFile("w", suffix=".list") as selection:
        selection.write("\n".join(wanted) + "\n")
        selection.flush()
        archive.seek(0)
        tools.run(
            program,
            [
                "--exit-on-error", "--no-password", f"--jobs={JOBS}", *sections,
                f"--use-list={selection.name}", f"--dbname={conninfo}", path,
            ],
            environment,
            passing=archive,
        )  # fmt: skip
    progress("restore", 1, 1)


def _is_wanted(line: str, only: TableContent | None) -> bool:
    """Whether a line of pg_restore's list names something to restore."""
    if not line or line.startswith(";") or any(word in line for word in NOT_RESTORED):
        return False
    if only is None or not re.match(r"\d+; \d+ \d+ (TABLE DATA|BLOBS?|LARGE OBJECTS?) ", line):
        return True
    # The list has spaces for the ends of lines that names may have.
    name = re.sub(r"[\r\n]", " ", f"{only.schema} {only.name}")
    return f" TABLE DATA {name} " in line


def compare(manifest: Manifest, url: DatabaseURL, progress: Progress) -> list[str]:
    """How a restored database differs from its manifest; a line each."""
    with snapshot(url) as held:
        properties = read_properties(held.connection)
        return [
            *locales.differences(manifest.properties, properties),
            *differences(manifest.content, read_content(held, progress)),
        ]


@contextmanager
def scratch(
    manifest: Manifest, archive: IO[bytes], url: DatabaseURL, *, progress: Progress
) -> Iterator[DatabaseURL]:
    """The backup in a database that is gone afterwards."""
    name = new_name(url, "drill")
    with restored(manifest, archive, url, name, progress=progress) as new:
        yield new
        drop(url, name)


def new_name(url: DatabaseURL, purpose: str) -> str:
    """A name for a database of this server that nobody else has chosen."""
    moment = f"{datetime.now(UTC):%Y%m%dt%H%M%S}"
    return f"{start_of_names(url)}{purpose}_{moment}_{secrets.token_hex(2)}"


def start_of_names(url: DatabaseURL) -> str:
    """What names of `new_name` start with."""
    return f"{shortened(name_of(url), 30)}_"


def shortened(name: str, length: int) -> str:
    """The start of a name that takes at most so many bytes; PostgreSQL allows 63."""
    return name.encode()[:length].decode(errors="ignore")


def database_url(url: DatabaseURL, name: str) -> DatabaseURL:
    """Another database of the same server."""
    place = url.label.rpartition("/")[0] or url.label
    return replace(url, conninfo=make_conninfo(url.conninfo, dbname=name), label=f"{place}/{name}")


def exists(url: DatabaseURL, name: str) -> bool:
    """Whether the server has a database of that name."""
    with explained(url), maintenance(url) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        return found.fetchone() is not None


def drop(url: DatabaseURL, name: str) -> None:
    """Drop a database of this server with whoever is connected to it."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
    with explained(url), maintenance(url) as connection:
        try:
            # Sends autovacuum away, which FORCE may not: that asks for the rights of a superuser.
            connection.execute(statement)
        except psycopg.errors.ObjectInUse:
            connection.execute(statement + sql.SQL(" WITH (FORCE)"))


@contextmanager
def maintenance(url: DatabaseURL) -> Iterator[psycopg.Connection]:
    """A connection to the server that stands in nobody's way."""
    with connect(database_url(url, MAINTENANCE)) as connection:
        yield connection


def name_of(url: DatabaseURL) -> str:
    """The name of the database a URL connects to."""
    found = psycopg.conninfo.conninfo_to_dict(url.conninfo)
    return str(found.get("dbname") or found.get("user") or MAINTENANCE)

"""Where a move goes: a PostgreSQL database, the final schema and the one being built beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from buttress.errors import ButtressError, ConfigurationError, Unavailable, Unsupported
from buttress.mover.statements import answering

OLDEST_VERSION = 14
CONNECT_TIMEOUT_SECONDS = 10
MARK = "__move_"
"""Joins the final schema's name and the move's id in a staging schema's name."""
ID_ROOM = 24
"""Bytes a staging schema's name keeps for the move's id."""

_SESSION = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "client_min_messages": "warning",
    # A crash of the server ends the move in any case; the switch itself commits synchronously.
    "synchronous_commit": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "lock_timeout": "0",
}
# libpq gives no SQLSTATE for a connection that was not made.
_REFUSALS = (
    "authentication failed",
    "no password supplied",
    "pg_hba.conf",
    "does not exist",
    "not permitted to log in",
    "permission denied for database",
    "does not support SSL",
    "certificate",
    "invalid",
)


@dataclass(frozen=True)
class Target:
    """One move's target.

    Parameters
    ----------
    conninfo
        A libpq URI or key=value string: what psycopg and ADBC accept.
    label
        The server and database for people, without password.
    schema
        Where the tables end.
    staging
        Where they are built.
    """

    conninfo: str = field(repr=False)
    label: str
    schema: str
    staging: str

    def connect(self, *, schema: str | None = None, autocommit: bool = False) -> psycopg.Connection:
        """A connection whose search path is `schema` (default: the staging schema) alone.

        Values read as text come in one form whatever the server's settings are: UTC, ISO dates, all
        digits of reals.

        Raises
        ------
        Unavailable
            The server does not answer, is starting, stopping or full.
        ConfigurationError
            The URL, the user, the password or the database's name is wrong.
        """
        path = sql.Identifier(self.staging if schema is None else schema).as_string()
        settings = {**_SESSION, "search_path": path}
        calls = sql.SQL(", ").join(
            sql.SQL("set_config({}, {}, false)").format(sql.Literal(name), sql.Literal(value))
            for name, value in settings.items()
        )
        with answering(self.label):
            connection = _connect(self.conninfo, self.label)
            try:
                connection.execute(sql.SQL("SELECT {}").format(calls))
                # Only servers from PostgreSQL 17 on have it.
                connection.execute(
                    "SELECT set_config(name, '0', false) FROM pg_settings "
                    "WHERE name = 'transaction_timeout'"
                )
                connection.autocommit = autocommit
            except BaseException:
                connection.close()
                raise
        return connection


def open_target(conninfo: str, *, label: str, schema: str, move_id: str) -> Target:
    """The target of one move, checked: reachable, recent enough, UTF-8, writable by this user.

    Raises
    ------
    Unavailable
        The server does not answer.
    Unsupported
        The server is older than PostgreSQL 14.
    ConfigurationError
        The URL or the schema's name cannot be used, the database is not UTF-8 or read-only, or the
        user lacks a right; the hint has the GRANT that mends it.
    """
    if not schema or schema.startswith("pg_") or schema.lower() == "information_schema":
        raise ConfigurationError(
            f"{schema!r} is no schema a move can go to", hint="Name another one with --schema."
        )
    if len(schema.encode()) > 63 or "\0" in schema:
        raise ConfigurationError(
            f"the schema's name {schema!r} is longer than PostgreSQL's 63 bytes",
            hint="Name another one with --schema.",
        )
    target = Target(conninfo, label, schema, staging_name(schema, move_id))
    with target.connect(autocommit=True) as connection, answering(label):
        _check_server(connection, target)
        _check_rights(connection, target)
    return target


def staging_prefix(schema: str) -> str:
    """What the names of all staging schemas of `schema` start with."""
    return schema.encode()[: 63 - len(MARK) - ID_ROOM].decode(errors="ignore") + MARK


def staging_name(schema: str, move_id: str) -> str:
    """The staging schema of a move, never longer than PostgreSQL allows."""
    return (staging_prefix(schema) + move_id).encode()[:63].decode(errors="ignore")


def _connect(conninfo: str, label: str) -> psycopg.Connection:
    try:
        given = conninfo_to_dict(conninfo)
        defaults: dict[str, str] = {
            "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
            "application_name": "buttress move",
            # One connection waits while others copy: a firewall must not forget it meanwhile.
            "keepalives_idle": "30",
        }
        wanted = {name: value for name, value in defaults.items() if name not in given}
        complete = make_conninfo(conninfo, client_encoding="UTF8", **wanted)
    except psycopg.ProgrammingError:
        # libpq quotes the URL, password included, in its own message.
        raise ConfigurationError(
            f"the URL of {label} cannot be parsed",
            hint="Write postgresql://user:password@host:5432/database, special characters as %XX.",
        ) from None
    try:
        return psycopg.connect(complete, autocommit=True, prepare_threshold=None)
    except psycopg.OperationalError as error:
        raise _no_connection(error, label) from None


def _no_connection(error: psycopg.OperationalError, label: str) -> ButtressError:
    told = " ".join(str(error).split())
    wrong = (
        "authentication failed",
        "no password",
        "pg_hba.conf",
        "does not exist",
        "SSL",
        "role ",
    )
    if any(word in told for word in wrong) and "starting up" not in told:
        # libpq's messages name host, user and database, never the password.
        return ConfigurationError(
            f"{label} refuses the connection: {told}",
            hint="Correct the user, password, database or TLS mode in the URL.",
        )
    return Unavailable(
        f"no answer from {label}: {told}",
        hint="See that the server is running and reachable from here.",
    )


def _check_server(connection: psycopg.Connection, target: Target) -> None:
    version = connection.info.server_version // 10000
    if version < OLDEST_VERSION:
        raise Unsupported(
            f"{target.label} runs PostgreSQL {version}",
            hint=f"Move to a server with PostgreSQL {OLDEST_VERSION} or newer.",
        )
    encoding, standby, read_only = _one(
        connection,
        "SELECT current_setting('server_encoding'), pg_is_in_recovery(), "
        "current_setting('default_transaction_read_only') = 'on'",
    )
    if encoding != "UTF8":
        raise ConfigurationError(
            f"the database of {target.label} has the encoding {encoding}",
            hint="Create one that can hold every text: CREATE DATABASE name ENCODING 'UTF8' "
            "TEMPLATE template0 LOCALE 'C'.",
        )
    if standby or read_only:
        raise ConfigurationError(
            f"{target.label} is read-only",
            hint="Name the primary server, or a user whose transactions may write.",
        )


def _check_rights(connection: psycopg.Connection, target: Target) -> None:
    user, database, may_create, exists, may_fill = _one(
        connection,
        "SELECT current_user, current_database(), "
        "has_database_privilege(current_database(), 'CREATE'), n.oid IS NOT NULL, "
        "coalesce(has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE'), "
        "false) "
        "FROM (SELECT) one LEFT JOIN pg_namespace n ON n.nspname = %s",
        target.schema,
    )
    role = sql.Identifier(str(user)).as_string()
    if not may_create:
        grant = sql.SQL("GRANT CREATE ON DATABASE {} TO ").format(sql.Identifier(str(database)))
        raise ConfigurationError(
            f"user {user} may not create schemas in {target.label}",
            hint=f"Let an administrator run: {grant.as_string()}{role};",
        )
    if exists and not may_fill:
        grant = sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO ").format(
            sql.Identifier(target.schema)
        )
        raise ConfigurationError(
            f"user {user} may not create tables in schema {target.schema} of {target.label}",
            hint=f"Let an administrator run: {grant.as_string()}{role};",
        )


def _one(
    connection: psycopg.Connection, query: LiteralString, *values: object
) -> tuple[object, ...]:
    row = connection.execute(query, values or None).fetchone()
    assert row is not None
    return row

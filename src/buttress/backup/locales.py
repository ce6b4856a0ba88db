"""Encoding and locale of PostgreSQL's databases: read, created alike, compared."""

from __future__ import annotations

import psycopg
from psycopg import sql

from buttress.backup.manifest import DatabaseProperties, Locale, Manifest
from buttress.errors import Unsupported

TEMPLATE = "template1"
NAME_OPTIONS = {"i": "ICU_LOCALE", "b": "BUILTIN_LOCALE"}
PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}

# The columns differ from version to version; asked for as JSON, a missing one is null.
READ = """
    SELECT pg_encoding_to_char(encoding), coalesce(j->>'datlocprovider', 'c'), datcollate, datctype,
        coalesce(j->>'datlocale', j->>'daticulocale'), j->>'daticurules'
    FROM pg_database d, to_jsonb(d) j WHERE datname = coalesce(%s, current_database())
"""


def read(connection: psycopg.Connection, database: str | None = None) -> tuple[str, Locale]:
    """Encoding and locale of a database, the one of the connection without a name."""
    row = connection.execute(READ, (database,)).fetchone()
    assert row is not None
    encoding, *locale = row
    return str(encoding), Locale(*locale)


def create_database(connection: psycopg.Connection, name: str, manifest: Manifest) -> None:
    """Create an empty database with the encoding and locale of a backup.

    It has what the server puts into new databases where those have the same locale; where not, it
    is made from template0, and all extensions of the backup have to be created by this role.

    Raises
    ------
    Unsupported
        The server has no such locale.
    """
    wanted = manifest.properties
    plain = sql.SQL("CREATE DATABASE {} ENCODING {}").format(
        sql.Identifier(name), sql.Literal(wanted.encoding)
    )
    if wanted.locale is None or read(connection, TEMPLATE) == (wanted.encoding, wanted.locale):
        connection.execute(plain)
        return
    try:
        connection.execute(plain + _options(wanted.locale, connection.info.server_version))
    except psycopg.errors.InsufficientPrivilege:
        raise
    except psycopg.DatabaseError as error:
        if error.sqlstate is None:  # the connection is gone
            raise
        raise Unsupported(
            f"the server cannot create a database with the locale of {manifest.id}, "
            f"{described(wanted)}: {error.diag.message_primary}",
            hint="Restore it into a server that has this locale; nothing was changed.",
        ) from error


def _options(locale: Locale, server_version: int) -> sql.Composed:
    options = [("LC_COLLATE", locale.collate), ("LC_CTYPE", locale.ctype)]
    if server_version >= 150000:
        options.append(("LOCALE_PROVIDER", PROVIDERS[locale.provider]))
    if locale.name is not None:
        options.append((NAME_OPTIONS[locale.provider], locale.name))
    if locale.rules is not None:
        options.append(("ICU_RULES", locale.rules))
    return sql.SQL(" TEMPLATE template0 ") + sql.SQL(" ").join(
        sql.SQL("{} {}").format(sql.SQL(option), sql.Literal(value)) for option, value in options
    )


def differences(expected: DatabaseProperties, found: DatabaseProperties) -> list[str]:
    """A line when encoding or locale are not as expected."""
    if expected.locale is None:
        return []
    same = (expected.encoding, expected.locale) == (found.encoding, found.locale)
    return [] if same else [f"locale is {described(found)} instead of {described(expected)}"]


def described(properties: DatabaseProperties) -> str:
    """For people."""
    locale = properties.locale
    if locale is None:
        return properties.encoding
    provider = PROVIDERS.get(locale.provider, locale.provider)
    words = [properties.encoding, provider, locale.name, locale.collate, locale.ctype, locale.rules]
    return " ".join(word for word in words if word)

"""Database URLs as people paste them, read exactly or refused with a one-line cure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from buttress.db.url_options import apply_options, searched_schema
from buttress.db.url_reading import SHAPE, read_key_values, read_url
from buttress.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import URL

POOLER_PORT = "6543"  # Supabase's transaction pooler; its session pooler and the server use 5432

SQLITE_SUFFIXES = (".db", ".db3", ".sqlite", ".sqlite3")
SQLITE_SCHEMES = {"sqlite", "sqlite3", "sqlite+aiosqlite", "sqlite+pysqlite"}
POSTGRESQL_SCHEMES = {"postgres", "postgresql", "pgsql", "psql", "postgis"}
POSTGRESQL_DRIVERS = {"asyncpg", "pg8000", "psycopg", "psycopg2", "psycopg2cffi", "psycopg_async"}
OTHER_DATABASES = {"mariadb", "mongodb", "mssql", "mysql", "oracle", "redis", "sqlserver", "valkey"}

# What surrounds a URL copied from a web page, a chat or a document.
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"
_QUOTES = {"'": "'", '"': '"', "`": "`", "“": "”", "‘": "’"}


@dataclass(frozen=True)
class DatabaseURL:
    """One database, in the forms its clients want. Neither `repr` nor `label` holds a secret."""

    backend: Literal["postgresql", "sqlite"]
    conninfo: str = field(repr=False)  # libpq key=value for psycopg, pg tools, ADBC; "" for SQLite
    path: Path | None  # SQLite's file, as given: relative to the working folder
    label: str  # for people: host:port/database, or the file
    schema: str | None  # from ?schema= or search_path; conninfo does not carry the former
    transaction_pooler: bool  # the server may change between transactions: prepare nothing

    @cached_property
    def sqlalchemy(self) -> URL:
        """The URL SQLAlchemy wants: `postgresql+psycopg://…` or `sqlite:///…`."""
        # A move needs no SQLAlchemy, whose import takes a third of a second.
        from sqlalchemy import URL

        if self.backend == "sqlite":
            return URL.create("sqlite", database=str(self.path))
        query = {name: str(value) for name, value in conninfo_to_dict(self.conninfo).items()}
        user, password = query.pop("user", None), query.pop("password", None)
        database = query.pop("dbname", None)
        host, port = None, None
        # Several hosts and sockets have no place before the ?, so they stay in the query.
        if "host" in query and not re.search(r"[,/@]", query["host"] + query.get("port", "")):
            host, port = query.pop("host"), query.pop("port", None)
        number = int(port) if port else None
        return URL.create("postgresql+psycopg", user, password, host, number, database, query)


def parse_database_url(text: str) -> DatabaseURL:
    """Read a PostgreSQL URL, a libpq key=value string, a SQLite URL or the name of a SQLite file.

    Raises ConfigurationError whose hint is a one-line cure. Message, hint and context of the
    exception hold no part of the password.
    """
    text = _unwrap(text)
    if text == "embedded":
        raise ConfigurationError(
            "the embedded server has no URL of its own", hint="Start it, then ask it for one."
        )
    scheme, separator, rest = text.partition("://")
    if separator and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.:_-]*", scheme):
        return _from_url(scheme.lower(), rest)
    if re.match(r"[A-Za-z_]\w*\s*=", text):
        return _postgresql(read_key_values(text))
    if text.startswith("file:"):  # Prisma's way to name a SQLite file
        return _sqlite(text.removeprefix("file:"))
    if text.lower().endswith(SQLITE_SUFFIXES) and "@" not in text:
        return _sqlite(text)
    raise ConfigurationError("not a database URL", hint=f"Write {SHAPE} or sqlite:///file.db.")


def _unwrap(text: str) -> str:
    """The URL inside what was pasted: an assignment, a psql command, quotes, blanks."""
    text = _strip(text)
    if re.match(r"(export|set)\s|[A-Z][A-Z0-9_]*(\s*=|:\s)", text):
        text = _strip(re.sub(r"^((export|set)\s+)?[A-Za-z_]\w*\s*[=:]", "", text, count=1))
    if re.match(r"psql\s", text):
        text = _strip(text.removeprefix("psql"))
        if text.startswith("-"):
            raise ConfigurationError("a psql command with options", hint=f"Write {SHAPE}.")
    if not text:
        raise ConfigurationError(
            "the database URL is empty", hint=f"Write {SHAPE}, sqlite:///file.db or embedded."
        )
    if text[0] in _QUOTES:
        raise ConfigurationError("a quote that is not closed", hint="Remove it.")
    if text.startswith(("$", "{{")):
        raise ConfigurationError(
            "a variable nobody has filled in instead of a database URL",
            hint="Write the URL itself.",
        )
    if any(ord(character) < 32 or character == "\x7f" for character in text):
        raise ConfigurationError(
            "a line break or control character in the database URL", hint="Write it on one line."
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ConfigurationError(
            "bytes that are not UTF-8 in the database URL", hint="Save the file as UTF-8."
        )
    return text


def _strip(text: str) -> str:
    text = text.strip().strip(_INVISIBLE).strip()
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def _from_url(scheme: str, rest: str) -> DatabaseURL:
    if scheme == "jdbc:postgresql":  # user and password are among its options
        return _postgresql(read_url(rest, login_before_host=False))
    if scheme in SQLITE_SCHEMES:
        return _from_sqlite_url(rest)
    base, _, driver = scheme.partition("+")
    if scheme in ("prisma", "prisma+postgres"):
        raise ConfigurationError(
            "the address of a Prisma proxy, which speaks no PostgreSQL",
            hint=f"Copy the direct connection string of the database: {SHAPE}.",
        )
    if base in POSTGRESQL_SCHEMES:
        if driver and driver not in POSTGRESQL_DRIVERS:
            raise ConfigurationError(
                "an unknown PostgreSQL driver in the URL", hint=f"Write {SHAPE}, without a driver."
            )
        return _postgresql(read_url(rest, login_before_host=True))
    if base in OTHER_DATABASES:
        raise ConfigurationError(
            f"{base} is not a database Buttress runs on", hint=f"Write {SHAPE}."
        )
    if scheme in ("http", "https"):
        raise ConfigurationError(
            "the address of a web page instead of a database",
            hint=f"Copy the connection string from the provider's page: {SHAPE}.",
        )
    raise ConfigurationError("an unknown kind of URL", hint=f"Write {SHAPE} or sqlite:///file.db.")


def _postgresql(given: dict[str, str]) -> DatabaseURL:
    known = {item.keyword.decode() for item in Conninfo.get_defaults()}
    options = apply_options(given, known=known)
    parameters = options.parameters
    hosts = parameters.get("host", "").split(",")
    ports = parameters.get("port", "").split(",")
    if len(ports) not in (1, len(hosts)):
        raise ConfigurationError(
            "the URL has more ports than hosts, or fewer", hint="Write HOST:PORT,HOST:PORT."
        )
    if parameters.get("port"):
        ports *= len(hosts) // len(ports)
        parameters["port"] = ",".join(ports)  # SQLAlchemy takes no single port for all hosts
    pooler = options.transaction_pooler
    if pooler is None:
        pooler = POOLER_PORT in ports or any(
            host.split(".")[0].endswith("-pooler")
            for host in hosts  # Neon's
        )
    return DatabaseURL(
        backend="postgresql",
        conninfo=make_conninfo("", **parameters),
        path=None,
        label=_label(hosts, ports, parameters.get("dbname", "")),
        schema=options.schema or searched_schema(parameters.get("options", "")),
        transaction_pooler=pooler,
    )


def _label(hosts: list[str], ports: list[str], database: str) -> str:
    if len(ports) < len(hosts):
        ports = ports * len(hosts)
    places = []
    for host, port in zip(hosts, ports, strict=True):
        shown = f"[{host}]" if ":" in host else host or "local socket"
        places.append(f"{shown}:{port}" if port else shown)
    return ",".join(places) + (f"/{database}" if database else "")


def _from_sqlite_url(rest: str) -> DatabaseURL:
    if not rest.startswith("/"):
        raise ConfigurationError(
            "a SQLite URL without a file",
            hint="Write sqlite:///relative.db (three slashes) or sqlite:////absolute.db (four).",
        )
    name, _, query = rest.removeprefix("/").partition("?")
    if name.startswith("file:") or re.search(r"mode=|immutable=|uri=|vfs=", query):
        raise ConfigurationError(
            "SQLite's own file: options cannot be used", hint="Name the file: sqlite:///file.db."
        )
    return _sqlite(unquote(name))


def _sqlite(name: str) -> DatabaseURL:
    if name in ("", ":memory:"):
        raise ConfigurationError(
            "a SQLite database in memory is lost with its connection",
            hint="Name a file: sqlite:///file.db.",
        )
    path = Path(name).expanduser()
    return DatabaseURL(
        backend="sqlite",
        conninfo="",
        path=path,
        label=str(path),
        schema=None,
        transaction_pooler=False,
    )

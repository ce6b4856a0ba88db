"""Database URLs as people paste them, read exactly or refused with a cure.

Passwords in the wild hold raw ``@ / # % ? [``, so a URL often reads in more than one way. Every reading
is tried; one that is usable is taken, several are refused: a password is recovered exactly or not at
all, and never ends up in a host name. No message repeats any part of what was given, except names
that are known beforehand.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo
from sqlalchemy.engine import URL

from buttress.db.url_options import apply_options, searched_schema
from buttress.errors import ConfigurationError

POOLER_PORT = "6543"  # Supabase's transaction pooler; its session pooler and the server use 5432

SQLITE_SUFFIXES = (".db", ".db3", ".sqlite", ".sqlite3")
POSTGRESQL_SCHEMES = {"postgres", "postgresql", "pgsql", "psql", "postgis"}
POSTGRESQL_DRIVERS = {"asyncpg", "pg8000", "psycopg", "psycopg2", "psycopg2cffi", "psycopg_async"}
SQLITE_SCHEMES = {"sqlite", "sqlite3", "sqlite+aiosqlite", "sqlite+pysqlite"}
OTHER_SCHEMES = {
    "mariadb", "mongodb", "mongodb+srv", "mssql", "mysql", "oracle", "redis", "rediss", "sqlserver",
    "valkey",
}  # fmt: skip

SHAPE = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
ENCODE = (
    "Write these characters in the password as: @ %40, / %2F, # %23, ? %3F, % %25, [ %5B, ] %5D."
)
PLACEHOLDER = re.compile(
    r"\[.*\]|<.*>|\{.*\}|\$\w+|\$\{.*\}|%\(?\w*\)?s|\*+|•+|(your|my)[-_ ]?(db|database)?[-_ ]?passw(or)?d",
    re.IGNORECASE,
)
SECRETS = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")

# What may surround a pasted URL: zero-width characters of web pages and chats, and all kinds of quotes.
INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"
QUOTES = {"'": "'", '"': '"', "`": "`", "“": "”", "‘": "’"}


@dataclass(frozen=True)
class DatabaseURL:
    """One database, in the forms its clients want. Neither `repr` nor `label` holds a secret."""

    backend: Literal["postgresql", "sqlite"]
    conninfo: str = field(
        repr=False
    )  # libpq key=value, for psycopg, pg tools and ADBC; "" for SQLite
    sqlalchemy: URL = field(repr=False)  # postgresql+psycopg://… or sqlite:///…
    path: Path | None  # SQLite's file, as given: relative to the working folder
    label: str  # for people: host:port/database or the file
    schema: (
        str | None
    )  # asked for by ?schema= or search_path; callers set it, conninfo need not hold it
    transaction_pooler: (
        bool  # a session may change server between transactions: no prepared statements
    )


def parse_database_url(text: str) -> DatabaseURL:
    """Read a PostgreSQL URL, a libpq key=value string, a SQLite URL or the name of a SQLite file.

    Raises ConfigurationError whose hint is a one-line cure; neither message, hint nor the exception's
    context holds the password or a part of it.
    """
    text = _unwrap(text)
    if text == "embedded":
        raise _refused(
            "the embedded server has no URL of its own", "Start it with `start_servers` and ask it."
        )
    if text.startswith(("$", "{{", "%(")):
        raise _refused("a variable that nothing has filled in", "Put the URL itself there.")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if separator and re.fullmatch(r"[a-z][a-z0-9+.:_-]*", scheme):
        return _from_scheme(scheme, rest, text)
    if re.match(r"[A-Za-z_]\w*\s*=", text):
        return _postgresql(_from_key_values(text))
    if text.lower().startswith("file:"):
        return _sqlite(text[len("file:") :])
    if "@" not in text and text.lower().endswith(SQLITE_SUFFIXES):
        return _sqlite(text)
    raise _refused("not a database URL", f"Write {SHAPE} or sqlite:///file.db.")


def _from_scheme(scheme: str, rest: str, text: str) -> DatabaseURL:
    base, _, driver = scheme.partition("+")
    if base in POSTGRESQL_SCHEMES:
        if driver and driver not in POSTGRESQL_DRIVERS:
            raise _refused("an unknown PostgreSQL driver", "Write postgresql:// without a driver.")
        return _postgresql(_from_url(rest, login_before_host=True))
    if scheme == "jdbc:postgresql":
        return _postgresql(_from_url(rest, login_before_host=False))
    if scheme in SQLITE_SCHEMES:
        if not rest.startswith("/"):
            raise _refused(
                "a SQLite URL without a file",
                "Write sqlite:///relative.db with three slashes or sqlite:////absolute.db with four.",
            )
        return _sqlite(rest[1:])
    if base in OTHER_SCHEMES:
        raise _refused(f"{base} is not a database Buttress runs on", f"Write {SHAPE}.")
    if scheme in ("http", "https"):
        raise _refused(
            "the address of a web page, not of a database",
            f"Copy the connection string from the provider's database page: {SHAPE}.",
        )
    if scheme in ("prisma", "prisma+postgres"):
        raise _refused(
            "the address of a Prisma proxy, which speaks no PostgreSQL",
            f"Copy the direct connection string: {SHAPE}.",
        )
    raise _refused("an unknown kind of URL", f"Write {SHAPE} or sqlite:///file.db.")


def _unwrap(text: str) -> str:
    """The URL inside what was pasted: an assignment, a psql command, quotes, blanks."""
    text = _strip(text)
    assignment = re.match(r"(?:export\s+|set\s+|[A-Z][A-Z0-9_]*\s*=)", text)
    if assignment:
        text = _strip(re.sub(r"^(?:export\s+|set\s+)?[A-Za-z_]\w*\s*=", "", text, count=1))
    if re.match(r"psql\s", text):
        text = _strip(text[len("psql") :])
        if text.startswith("-"):
            raise _refused("a psql command with options", f"Write it as a URL: {SHAPE}.")
    if not text:
        raise _refused(
            "the database URL is empty", f"Write {SHAPE}, sqlite:///file.db or embedded."
        )
    if text[0] in QUOTES:
        raise _refused("a quote that is not closed", "Remove the quotes around the URL.")
    if any(ord(character) < 32 or character == "\x7f" for character in text):
        raise _refused("a line break or control character in the URL", "Put it on one line.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _refused("bytes that are not UTF-8 in the URL", "Write them as % and two digits.")
    return text


def _strip(text: str) -> str:
    text = text.strip().strip(INVISIBLE).strip().removesuffix(";").rstrip()
    while len(text) > 1 and QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def _from_url(rest: str, *, login_before_host: bool) -> dict[str, str]:
    """libpq parameters from what follows ://; Prisma's and others' options still among them."""
    readings = list(_readings(rest, login_before_host=login_before_host))
    if len(readings) > 1:
        raise _refused("the URL can be read in more than one way", ENCODE)
    if not readings:
        raise _refused(
            "host, port and database of the URL cannot be told apart", f"{ENCODE} {SHAPE}"
        )
    login, (hosts, database, query) = readings[0]
    parameters = _hosts(hosts)
    if login is not None:
        user, colon, password = login.partition(":")
        if user:
            parameters["user"] = _decode(user)
        if colon and password:
            parameters["password"] = _decode_password(password)
    if database:
        parameters["dbname"] = _decode(database)
    parameters.update(_query(query))
    return parameters


def _readings(
    rest: str, *, login_before_host: bool
) -> Iterator[tuple[str | None, tuple[str, str, str]]]:
    """Every way to split at an `@`, or at none, that leaves hosts, database and query of sane form."""
    cuts = [-1]
    if login_before_host:
        cuts += [place for place, character in enumerate(rest) if character == "@"]
    for cut in cuts:
        place = _PLACE.fullmatch(rest, cut + 1)
        if place:
            login = None if cut < 0 else rest[:cut]
            yield login, (place["hosts"], place["database"] or "", place["query"] or "")


_HOST = r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+(?:%25[\w.-]+)?\]|%2[Ff][^@:/?#,\s]*|)"
_PAIR = r"[A-Za-z_][\w.-]*=[^&#]*"
_PLACE = re.compile(
    rf"(?P<hosts>{_HOST}(?::[0-9]*)?(?:,{_HOST}(?::[0-9]*)?)*)"
    rf"(?:/(?P<database>[^/?#]*))?(?:\?(?P<query>(?:{_PAIR})?(?:&(?:{_PAIR})?)*))?"
)


def _hosts(text: str) -> dict[str, str]:
    hosts, ports = [], []
    for item in text.split(","):
        host, port = item, ""
        if re.search(r":[0-9]*$", item) and not item.endswith("]"):
            host, _, port = item.rpartition(":")
        if port and not 0 < int(port) < 65536:
            raise _refused("a port must be between 1 and 65535", "Write the server's port: 5432.")
        if host.startswith("["):
            host = _ipv6(host)
        hosts.append(_decode(host))
        ports.append(port)
    parameters = {}
    if any(hosts):
        parameters["host"] = ",".join(hosts)
    if any(ports):
        parameters["port"] = ",".join(ports)
    return parameters


def _ipv6(host: str) -> str:
    address = host[1:-1].replace("%25", "%")
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        valid = False
    else:
        valid = True
    if not valid:
        raise _refused("the address in square brackets is not IPv6", f"{ENCODE} {SHAPE}")
    return address


def _query(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in filter(None, text.split("&")):
        name, _, value = pair.partition("=")
        value = _decode_password(value) if name in SECRETS else _decode(value)
        if name == "options":
            value = value.replace("+", " ")
        if name == "host" and name in values:  # SQLAlchemy's way to name several hosts
            value = f"{values[name]},{value}"
        elif values.get(name, value) != value:
            raise _refused("an option after the ? is given twice", "Keep one of the two.")
        values[name] = value
    if ":" in values.get("host", "") and not values["host"].startswith("/"):
        values.update(_hosts(values["host"]))
    return {name: value for name, value in values.items() if value}


def _decode(text: str) -> str:
    """Percent-decoding that refuses what is not an escape instead of keeping it."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise _refused("a % in the URL starts no escape", "Write it as %25.")
    try:
        decoded: str | None = unquote(text, errors="strict")
    except UnicodeDecodeError:
        decoded = None
    if decoded is None or "\0" in decoded:
        raise _refused("an escape in the URL is not UTF-8 text", "Write é as %C3%A9, and no %00.")
    return decoded


def _decode_password(text: str) -> str:
    """The password: with escapes decoded, or as it stands when nothing in it is an escape."""
    if PLACEHOLDER.fullmatch(text) or PLACEHOLDER.fullmatch(unquote(text)):
        raise _refused("the password is still a placeholder", "Put the real password in its place.")
    if not re.search(r"%[0-9A-Fa-f]{2}", text):
        return text
    if re.search(r"[@/#?\[\]\s]|%(?![0-9A-Fa-f]{2})", text):
        raise _refused("the password is only partly percent-encoded", ENCODE)
    return _decode(text)


def _from_key_values(text: str) -> dict[str, str]:
    """libpq's key=value form; its parser's own messages quote the text, so they are not passed on."""
    names = [match[1] for match in re.finditer(_KEY_VALUE, text)]
    if len(set(names)) != len(names):
        raise _refused("a key of the connection string is given twice", "Keep one of the two.")
    try:
        parameters: dict[str, str] | None = {
            name: str(value) for name, value in conninfo_to_dict(text).items() if value
        }
    except psycopg.Error:
        parameters = None
    if parameters is None:
        raise _refused(
            "not a libpq connection string",
            "Write host=HOST port=5432 dbname=DATABASE user=USER password='PASSWORD', with single "
            "quotes around values with blanks.",
        )
    if PLACEHOLDER.fullmatch(parameters.get("password", "")):
        raise _refused("the password is still a placeholder", "Put the real password in its place.")
    return parameters


_KEY_VALUE = re.compile(r"(\w+)\s*=\s*(?:'(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)*)")


def _postgresql(given: dict[str, str]) -> DatabaseURL:
    options = apply_options(
        given, known={item.keyword.decode() for item in Conninfo.get_defaults()}
    )
    parameters = options.parameters
    hosts = parameters.get("host", "").split(",")
    ports = parameters.get("port", "").split(",")
    if len(ports) not in (1, len(hosts)):
        raise _refused("as many ports as hosts are needed", "Write HOST:PORT,HOST:PORT.")
    pooler = options.transaction_pooler
    if pooler is None:
        # Neon's pooled host names, and Supabase's port, are the only marks that cannot mean anything else.
        pooler = POOLER_PORT in ports or any(h.split(".")[0].endswith("-pooler") for h in hosts)
    return DatabaseURL(
        backend="postgresql",
        conninfo=make_conninfo("", **parameters),
        sqlalchemy=_sqlalchemy(parameters),
        path=None,
        label=_label(hosts, ports, parameters.get("dbname", "")),
        schema=options.schema or searched_schema(parameters.get("options", "")),
        transaction_pooler=pooler,
    )


def _sqlalchemy(parameters: dict[str, str]) -> URL:
    query = dict(parameters)
    user, password = query.pop("user", None), query.pop("password", None)
    database, host, port = query.pop("dbname", None), None, None
    if not re.search(r"[,/@]", query.get("host", "/") + query.get("port", "")):
        host = query.pop("host")
        port = query.pop("port", None)
    return URL.create(
        "postgresql+psycopg", user, password, host, int(port) if port else None, database, query
    )


def _label(hosts: list[str], ports: list[str], database: str) -> str:
    if len(ports) < len(hosts):
        ports = ports * len(hosts)
    places = []
    for host, port in zip(hosts, ports, strict=True):
        shown = f"[{host}]" if ":" in host else host or "local socket"
        places.append(f"{shown}:{port}" if port else shown)
    return ",".join(places) + (f"/{database}" if database else "")


def _sqlite(text: str) -> DatabaseURL:
    name, _, query = text.partition("?")
    if not name or ":memory:" in name or "mode=memory" in query:
        raise _refused(
            "a SQLite database in memory is lost with its connection",
            "Name a file: sqlite:///app.db.",
        )
    if "mode=ro" in query or "immutable" in query or name.startswith("file:"):
        raise _refused(
            "SQLite's file: options cannot be used", "Name the file alone: sqlite:///app.db."
        )
    path = Path(unquote(name)).expanduser()
    return DatabaseURL(
        backend="sqlite",
        conninfo="",
        sqlalchemy=URL.create("sqlite", database=str(path)),
        path=path,
        label=str(path),
        schema=None,
        transaction_pooler=False,
    )


def _refused(message: str, hint: str) -> ConfigurationError:
    return ConfigurationError(message, hint=hint)

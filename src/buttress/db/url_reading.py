"""PostgreSQL connection strings to libpq parameters, without guessing.

Passwords in the wild hold raw ``@ / # % ? [``, so a URL often reads in more than one way. Every
reading is tried: one that is usable is taken, several are refused. A password is recovered exactly
or not at all, and never ends up in a host name. No message repeats any part of what was given.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from buttress.errors import ConfigurationError

SHAPE = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
ENCODE = (
    "In the password, write @ as %40, / as %2F, # as %23, ? as %3F, % as %25, [ as %5B, ] as %5D."
)

SECRETS = {
    "password",
    "sslpassword",
    "oauth_client_secret",
    "scram_client_key",
    "scram_server_key",
}

_PLACEHOLDER = re.compile(
    r"\[.*\]|<.*>|\{.*\}|(?-i:\$[A-Z_]+)|\$\{.*\}|%s|%\(\w+\)s|\*{3,}|•+|x{3,}"
    r"|(your|my)?[-_ ]?(db|database)?[-_ ]?password",
    re.IGNORECASE,
)

_HOST = r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+(?:%25[\w.-]+)?\]|%2[Ff][^@:/?#,\s]*|)"
_HOSTS = rf"{_HOST}(?::[0-9]*)?(?:,{_HOST}(?::[0-9]*)?)*"
_PAIR = r"(?:[A-Za-z_][\w.-]*=[^&#]*)?"
_PLACE = re.compile(
    rf"(?P<hosts>{_HOSTS})(?:/(?P<database>[^/?#'\"]*))?(?:\?(?P<query>{_PAIR}(?:&{_PAIR})*))?"
)
_KEY_VALUE = re.compile(r"(\w+)\s*=\s*(?:'(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)*)")


@dataclass(frozen=True)
class _Reading:
    """One way to take a URL apart; `login` is what stands before the hosts, `None` without any."""

    login: str | None
    hosts: str
    database: str
    query: str


def read_url(rest: str, *, login_before_host: bool) -> dict[str, str]:
    """libpq parameters from what follows ://, with other tools' options still among them.

    Raises ConfigurationError when the text has no reading or more than one.
    """
    readings = list(_readings(rest, login_before_host=login_before_host))
    if len(readings) > 1:
        raise ConfigurationError("the database URL can be read in more than one way", hint=ENCODE)
    if not readings:
        raise ConfigurationError(
            "user, host, port and database of the URL cannot be told apart",
            hint=f"Write {SHAPE} with every placeholder replaced. {ENCODE}",
        )
    reading = readings[0]
    parameters = _hosts(reading.hosts)
    user, _, password = (reading.login or "").partition(":")
    if user:
        parameters["user"] = _decode(user)
    if password:
        parameters["password"] = _secret(password)
    if reading.database:
        parameters["dbname"] = _decode(reading.database)
    # As libpq does it, ?host=/socket overrides what stands before: Cloud SQL's URLs rely on it.
    return parameters | _query(reading.query)


def read_key_values(text: str) -> dict[str, str]:
    """libpq parameters from its key=value form."""
    names = [match[1] for match in _KEY_VALUE.finditer(text)]
    if len(set(names)) != len(names):
        raise ConfigurationError(
            "a key of the connection string is given twice",
            hint="Keep one; put single quotes around values with blanks.",
        )
    try:
        parameters: dict[str, str] | None = {
            name: str(value) for name, value in conninfo_to_dict(text).items() if value
        }
    except psycopg.Error:
        # Its message quotes the text: the refusal is raised outside, where nothing refers to it.
        parameters = None
    if parameters is None:
        raise ConfigurationError(
            "not a libpq connection string",
            hint="Write host=HOST port=5432 dbname=DATABASE user=USER password='PASSWORD', with "
            "single quotes around values with blanks.",
        )
    _refuse_placeholder(parameters.get("password", ""))
    return parameters


def _readings(rest: str, *, login_before_host: bool) -> Iterator[_Reading]:
    """Every cut at an `@`, or at none, that leaves hosts, database and query in good form."""
    cuts = [-1]
    if login_before_host:
        cuts += [place for place, character in enumerate(rest) if character == "@"]
    for cut in cuts:
        place = _PLACE.fullmatch(rest, cut + 1)
        if place:
            login = None if cut < 0 else rest[:cut]
            yield _Reading(login, place["hosts"], place["database"] or "", place["query"] or "")


def _hosts(text: str) -> dict[str, str]:
    hosts, ports = [], []
    for item in text.split(","):
        host, port = item, ""
        if re.search(r":[0-9]*$", item):
            host, _, port = item.rpartition(":")
        if port and not 0 < int(port) < 65536:
            raise ConfigurationError(
                "a port must be between 1 and 65535", hint="Write the server's port, usually 5432."
            )
        hosts.append(_ipv6(host[1:-1]) if host.startswith("[") else _decode(host))
        ports.append(port)
    parameters = {}
    if any(hosts):
        parameters["host"] = ",".join(hosts)
    if any(ports):
        parameters["port"] = ",".join(ports)
    return parameters


def _ipv6(text: str) -> str:
    address = text.replace("%25", "%")
    if not _is_ipv6(address):
        raise ConfigurationError(
            "the address in square brackets is not IPv6", hint=f"Write {SHAPE}. {ENCODE}"
        )
    return address


def _is_ipv6(address: str) -> bool:
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True


def _query(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in filter(None, text.split("&")):
        name, _, value = pair.partition("=")
        value = _secret(value) if name in SECRETS else _decode(value)
        if name == "options":
            value = value.replace("+", " ")
        if name == "host" and name in values:  # SQLAlchemy's way to name several hosts
            value = f"{values[name]},{value}"
        elif values.get(name, value) != value:
            raise ConfigurationError(
                "an option after the ? is given twice", hint="Keep one of the two."
            )
        values[name] = value
    if re.fullmatch(r"[\w.-]+(:\d*)?(,[\w.-]+(:\d*)?)*", values.get("host", "")):
        values |= _hosts(values["host"])
    return {name: value for name, value in values.items() if value}


def _secret(text: str) -> str:
    """A password: with its escapes decoded, or as it stands when nothing in it is an escape."""
    _refuse_placeholder(text)
    if not re.search(r"%[0-9A-Fa-f]{2}", text):
        return text
    if re.search(r"[@/#?\[\]\s]|%(?![0-9A-Fa-f]{2})", text):
        raise ConfigurationError("the password is only partly percent-encoded", hint=ENCODE)
    decoded = _decode(text)
    _refuse_placeholder(decoded)
    return decoded


def _refuse_placeholder(password: str) -> None:
    if _PLACEHOLDER.fullmatch(password):
        raise ConfigurationError(
            "the password is still a placeholder", hint="Put the real password in its place."
        )


def _decode(text: str) -> str:
    """Percent-decoding that refuses what is not an escape instead of keeping it."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ConfigurationError("a % in the URL starts no escape", hint="Write it as %25.")
    try:
        decoded: str | None = unquote(text, errors="strict")
    except UnicodeDecodeError:
        decoded = None
    if decoded is None or "\0" in decoded:
        raise ConfigurationError(
            "an escape in the URL is not UTF-8 text", hint="Write é as %C3%A9, and no %00."
        )
    return decoded

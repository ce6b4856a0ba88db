"""Options other tools put into a database URL, brought to what libpq understands."""

from __future__ import annotations

import re
from dataclasses import dataclass

from buttress.errors import ConfigurationError

TRUE = {"1", "true", "on", "yes"}
FALSE = {"0", "false", "off", "no"}

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
ENCRYPTED = SSL_MODES[3:]
SESSION_TARGETS = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")

# They tune the client or the pool of Prisma, SQLAlchemy, asyncpg, node-postgres, JDBC, Vercel or
# Supabase; ours have settings of their own.
DROPPED = {
    "charset", "command_timeout", "conn_max_age", "connection_limit", "max_overflow",
    "pool_pre_ping", "pool_recycle", "pool_size", "pool_timeout", "preparedStatementCacheQueries",
    "prepared_statement_cache_size", "prepareThreshold", "reWriteBatchedInserts", "socket_timeout",
    "statement_cache_size", "stringtype", "supa", "uselibpqcompat", "workaround",
}  # fmt: skip

RENAMED = {
    "ApplicationName": "application_name",
    "connectTimeout": "connect_timeout",
    "currentSchema": "schema",
    "database": "dbname",
    "search_path": "schema",
    "username": "user",
}


@dataclass(frozen=True)
class Options:
    """What libpq gets, and what only Buttress looks at."""

    parameters: dict[str, str]
    schema: str | None
    transaction_pooler: bool | None  # None: the URL does not say


def apply_options(given: dict[str, str], *, known: set[str]) -> Options:
    """Sort what a URL asks for; `known` are libpq's keywords.

    Raises ConfigurationError for an option nobody knows: dropping it in silence could drop the one
    that asks for encryption, misspelt.
    """
    values: dict[str, str] = {}
    for name, value in given.items():
        values.setdefault(RENAMED.get(name, name), value)
    schema = values.pop("schema", "")
    pooler = _transaction_pooler(values.pop("pgbouncer", ""), values.pop("pool_mode", ""))
    mode = _ssl_mode(values.pop("ssl", ""), values.pop("sslmode", ""), values.pop("sslaccept", ""))
    if mode:
        values["sslmode"] = mode
    if values.get("target_session_attrs", "any") not in SESSION_TARGETS:
        raise ConfigurationError(
            "target_session_attrs has a value libpq does not know",
            hint=f"Write one of {', '.join(SESSION_TARGETS)}.",
        )
    parameters = {name: value for name, value in values.items() if name not in DROPPED}
    if not parameters.keys() <= known:
        raise ConfigurationError(
            "an option of the database URL is unknown to PostgreSQL's client",
            hint="Remove it or correct its name; sslmode, application_name and the like stay.",
        )
    return Options(parameters, first_schema(schema), pooler)


def _transaction_pooler(pgbouncer: str, pool_mode: str) -> bool | None:
    if pgbouncer.lower() in TRUE or pool_mode.lower() in ("transaction", "statement"):
        return True
    if pgbouncer.lower() in FALSE or pool_mode.lower() == "session":
        return False
    return None


def _ssl_mode(ssl: str, sslmode: str, sslaccept: str) -> str:
    """One sslmode from three tools' spellings, never weaker than what was asked for."""
    wish = _ssl_name(ssl)
    mode = _ssl_name(sslmode) or wish
    # ssl=true beside sslmode=verify-full says the same less precisely.
    if wish and wish != mode and not (wish == "require" and mode in ENCRYPTED):
        raise ConfigurationError("ssl and sslmode contradict each other", hint="Keep sslmode.")
    if mode and mode not in SSL_MODES:
        raise ConfigurationError(
            "sslmode has a value libpq does not know", hint=f"Write one of {', '.join(SSL_MODES)}."
        )
    if sslaccept == "strict" and mode not in ("verify-ca", "verify-full"):
        raise ConfigurationError(
            "sslaccept=strict is known to Prisma alone",
            hint="Write sslmode=verify-full&sslrootcert=FILE instead.",
        )
    return mode


def _ssl_name(value: str) -> str:
    value = value.lower().replace("_", "-")
    if value in TRUE or value == "no-verify":
        return "require"
    return "disable" if value in FALSE else value


def searched_schema(options: str) -> str | None:
    """The first schema of the search_path set by libpq's `options`, if they set one."""
    match = re.search(r"(?:-c\s*|--)search[_-]path\s*=\s*((?:\\.|[^\s\\])+)", options)
    return first_schema(match[1].replace("\\", "")) if match else None


def first_schema(search_path: str) -> str | None:
    """The first schema a search_path names; `"$user"` names none."""
    names = [name.strip().strip('"') for name in search_path.split(",")]
    return next((name for name in names if name not in ("", "$user")), None)

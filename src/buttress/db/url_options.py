"""Options other tools put into a database URL, brought to what libpq understands."""

from __future__ import annotations

import re
from dataclasses import dataclass

from buttress.errors import ConfigurationError

TRUE = {"1", "true", "on", "yes"}
FALSE = {"0", "false", "off", "no"}

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SESSION_TARGETS = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")

# Pool sizes and client caches of Prisma, SQLAlchemy, asyncpg, node-postgres, JDBC, Vercel and Supabase:
# they concern their own client, or the pool, which has settings of its own here.
OTHERS = {
    "connection_limit", "pool_timeout", "socket_timeout", "statement_cache_size", "pool_size",
    "max_overflow", "pool_recycle", "pool_pre_ping", "prepared_statement_cache_size", "command_timeout",
    "prepareThreshold", "preparedStatementCacheQueries", "reWriteBatchedInserts", "stringtype",
    "uselibpqcompat", "supa", "workaround", "conn_max_age", "charset",
}  # fmt: skip

RENAMED = {
    "ApplicationName": "application_name",
    "connectTimeout": "connect_timeout",
    "currentSchema": "schema",
    "search_path": "schema",
    "database": "dbname",
    "username": "user",
}


@dataclass(frozen=True)
class Options:
    """What libpq gets, and what only Buttress looks at."""

    parameters: dict[str, str]
    schema: str | None
    transaction_pooler: bool | None  # None: the URL does not say


def apply_options(given: dict[str, str], *, known: set[str]) -> Options:
    """Sort the options of a URL; `known` are libpq's keywords. Unknown ones are refused, not dropped:
    an option with a slip of the pen may be the one that asks for encryption."""
    values: dict[str, str] = {}
    for name, value in given.items():
        values.setdefault(RENAMED.get(name, name), value)
    schema = values.pop("schema", None)
    pooler = _pooler(values)
    _encryption(values)
    target = values.get("target_session_attrs")
    if target is not None and target not in SESSION_TARGETS:
        raise ConfigurationError(
            "target_session_attrs has a value libpq does not know",
            hint=f"Write one of {', '.join(SESSION_TARGETS)}.",
        )
    parameters = {name: value for name, value in values.items() if name not in OTHERS}
    if not parameters.keys() <= known:
        raise ConfigurationError(
            "an option of the database URL is not known to PostgreSQL's client",
            hint="Remove it, or correct its name; options libpq knows, such as sslmode, may stay.",
        )
    return Options(parameters, first_schema(schema) if schema else None, pooler)


def _pooler(values: dict[str, str]) -> bool | None:
    flag, mode = values.pop("pgbouncer", "").lower(), values.pop("pool_mode", "").lower()
    if flag in TRUE or mode in ("transaction", "statement"):
        return True
    if flag in FALSE or mode == "session":
        return False
    return None


def _encryption(values: dict[str, str]) -> None:
    """Bring ssl=, sslmode= and sslaccept= to one sslmode; never to a weaker one than was asked for."""
    wish = values.pop("ssl", "").lower()
    mode = values.get("sslmode", "").lower().replace("_", "-")
    mode = {"no-verify": "require"}.get(mode, mode)
    if wish:
        wish = "require" if wish in TRUE | {"no-verify"} else "disable" if wish in FALSE else wish
    if wish and mode and wish != mode:
        # ssl=true beside a mode that encrypts says the same thing less precisely.
        if wish != "require" or mode not in SSL_MODES[3:]:
            raise ConfigurationError("ssl and sslmode contradict each other", hint="Keep sslmode.")
    elif wish:
        mode = wish
    if mode and mode not in SSL_MODES:
        raise ConfigurationError(
            "sslmode has a value libpq does not know", hint=f"Write one of {', '.join(SSL_MODES)}."
        )
    if values.pop("sslaccept", "") == "strict" and mode not in ("verify-ca", "verify-full"):
        raise ConfigurationError(
            "sslaccept=strict is Prisma's own option",
            hint="Write sslmode=verify-full&sslrootcert=FILE instead.",
        )
    if mode:
        values["sslmode"] = mode


def searched_schema(options: str) -> str | None:
    """The first schema of the search_path that libpq's `options` sets, if they do."""
    match = re.search(r"(?:-c\s*|--)search[_-]path=((?:\\.|[^\s\\])+)", options)
    return first_schema(match[1]) if match else None


def first_schema(search_path: str) -> str | None:
    """The first schema of a search_path that names one: `"$user"` is nobody's choice."""
    names = [name.strip().strip('"') for name in search_path.replace("\\", "").split(",")]
    return next((name for name in names if name and name != "$user"), None)

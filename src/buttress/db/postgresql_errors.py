"""What PostgreSQL's errors mean to the people who run an application."""

from __future__ import annotations

import re

import psycopg

from buttress.db.backend import LockTimeout
from buttress.errors import (
    BadInput,
    ButtressError,
    ConfigurationError,
    Conflict,
    ConnectionLost,
    Forbidden,
    TransactionUndone,
    Unavailable,
)
from buttress.settings import TimeoutSettings

START = "Start the server, or correct DATABASE_URL."

# libpq reports what happens before a connection stands as text without a code.
CONNECTING: list[tuple[str, type[ButtressError], str, str]] = [
    (r"authentication failed|no password supplied|role .* does not exist|not permitted to log in",
     ConfigurationError, "{label} refuses the user or the password", "Correct DATABASE_URL."),
    (r"database .* does not exist",
     ConfigurationError, "{label}: there is no such database",
     "Create it or correct DATABASE_URL."),
    (r"no pg_hba\.conf entry",
     ConfigurationError, "{label} does not admit this user from here",
     "Allow it in the server's pg_hba.conf, or add sslmode=require to DATABASE_URL."),
    (r"unsupported startup parameter",
     ConfigurationError, "{label} is a pooler that takes no start-up options",
     "Add pgbouncer=true to DATABASE_URL."),
    (r"certificate|does not support SSL|SSL error",
     ConfigurationError, "no encrypted connection to {label}",
     "Correct sslmode and sslrootcert in DATABASE_URL, or the server's certificate."),
    (r"failed to resolve|translate host name",
     Unavailable, "the host name of {label} cannot be resolved",
     "Correct the host in DATABASE_URL."),
    (r"too many clients|remaining connection slots|too many connections",
     Unavailable, "{label} has no connection left",
     "Lower BUTTRESS_POOL__SIZE and __OVERFLOW, or raise the server's max_connections."),
    (r"starting up|shutting down|not yet accepting|recovery mode",
     Unavailable, "{label} is starting or stopping", "Try again in a few seconds."),
    (r"session is read-only|hot standby mode",
     Unavailable, "no host of {label} takes writes",
     "Try again in a few seconds; if it stays so, have a standby promoted."),
    (r"timeout expired|timed out",
     Unavailable, "no answer from {label} within {connect} seconds", START),
    (r"Connection refused|No such file or directory",
     Unavailable, "no answer from {label}: nothing listens there", START),
    (r"^connection (?:failed|is bad)", Unavailable, "cannot connect to {label}", START),
]  # fmt: skip

# What a server that is about to be there again, or a pooler before it, says to who connects.
AWAY = re.compile(
    r"starting up|shutting down|not yet accepting|recovery mode|administrator command"
    r"|Connection refused|Connection reset|No such file or directory|server closed the connection"
    r"|session is (?:not )?read-only|hot standby|server login|server conn crashed"
    r"|cannot connect to server"
)
# What libpq says of a connection that stood; one that never did "failed" in psycopg's words.
BROKEN = re.compile(
    r"^(?:consuming input failed|server closed the connection|the connection is (?:closed|lost)"
    r"|received \d+ results from command|no connection to the server|SSL SYSCALL error|SSL error"
    r"|could not (?:receive|send) data|(?:sending|flushing).* failed)"
)
# A pooler that has no server behind it answers for it.
UNSENT = re.compile(r"server login|cannot connect to server")

LOST = "The server was restarted or the network broke; what was not committed is undone. Try again."


def is_away(error: BaseException) -> bool:
    """Whether connecting failed because the server restarts or another one takes its place."""
    return isinstance(error, psycopg.OperationalError) and bool(AWAY.search(str(error)))


def explain(error: BaseException, *, label: str, timeouts: TimeoutSettings) -> ButtressError | None:
    """The error of the house for a driver's error; None when it is a mistake in the program."""
    if not isinstance(error, psycopg.Error):
        return None
    if error.sqlstate is None:
        if isinstance(error, psycopg.OperationalError) or BROKEN.match(str(error)):
            return _without_connection(str(error), label, timeouts)
        return BadInput("a value cannot be sent to PostgreSQL") if _bad_value(error) else None
    return _with_code(error, error.sqlstate, label, timeouts)


def _bad_value(error: psycopg.Error) -> bool:
    """U+0000 in text and numbers no PostgreSQL type can hold are refused by the driver itself."""
    return isinstance(error, psycopg.DataError)


def _without_connection(reason: str, label: str, timeouts: TimeoutSettings) -> ButtressError:
    if BROKEN.match(reason):
        return ConnectionLost(f"lost the connection to {label}", hint=LOST)
    for pattern, kind, message, hint in CONNECTING:
        if re.search(pattern, reason):
            text = message.format(label=label, connect=timeouts.connect_seconds)
            return kind(text, hint=hint)
    return ConnectionLost(f"lost the connection to {label}", hint=LOST)


def _with_code(
    error: psycopg.Error, code: str, label: str, timeouts: TimeoutSettings
) -> ButtressError | None:
    table = error.diag.table_name or "a table"
    rule = error.diag.constraint_name or "a constraint"
    match code:
        case "23505" | "23P01":
            return Conflict(f"{table} already has such a row ({rule})")
        case "23503" | "23001":
            return Conflict(
                f"the row of {table} and the rows it refers to, or that refer to it, do not "
                f"match ({rule})",
                hint="Create what it refers to first, and delete what refers to it first.",
            )
        case "23502":
            return BadInput(f"column {error.diag.column_name} of {table} needs a value")
        case "23514":
            return BadInput(f"a value breaks the rule {rule} of {table}")
        case "57014" if "statement timeout" in str(error):
            return Unavailable(
                f"a statement took longer than {timeouts.statement_seconds} seconds",
                hint="Make it faster, or raise BUTTRESS_TIMEOUTS__STATEMENT_SECONDS.",
            )
        case "55P03":
            return LockTimeout(
                f"a lock did not become free within {timeouts.lock_seconds} seconds",
                hint="Another transaction holds it: look in pg_stat_activity for the oldest one.",
            )
        case "40001" | "40P01":
            return TransactionUndone(
                "two transactions got in each other's way and this one was undone",
                hint="Try it again.",
            )
        case "25006":
            return Conflict(
                "a read-only session cannot write", hint="Open it without read_only=True."
            )
        case "42501" if "new row violates row-level security" in str(error):
            return Forbidden(
                f"{error.diag.message_primary}: it would be another's",
                hint="Write rows of who acts, as acting(identity) or as_system(what) tells it.",
            )
        case "42501":
            return ConfigurationError(
                f"the database role may not do this: {error.diag.message_primary}",
                hint="Connect as the owner, or grant the right to this role.",
            )
        case "57P01" | "57P02" | "57P03" | "57P05":
            return ConnectionLost(f"{label} ended the connection", hint=LOST)
        case "25P03" | "25P04":
            return Unavailable(
                f"a transaction stayed open for longer than {label} allows",
                hint="Keep no session open while something else is waited for; what was not "
                "committed is undone.",
            )
        case "53100" | "53200" | "53300" | "53400":
            return Unavailable(
                f"{label} is out of disk, memory or connections", hint="See the server's log."
            )
    if code.startswith("08"):
        unsent = bool(UNSENT.search(str(error)))
        return ConnectionLost(f"lost the connection to {label}", hint=LOST, unsent=unsent)
    if code.startswith("22"):
        return BadInput("a value does not fit the type of its column")
    return None

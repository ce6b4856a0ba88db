"""Statements on the target that may fail.

The one place that tells a server that is gone, full or busy (the move stops and can be resumed)
from a server that refuses one object (the move goes on and reports it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from buttress.errors import Unavailable


@contextmanager
def answering(label: str) -> Iterator[None]:
    """Turns a server that is gone, full or busy into `Unavailable`; other driver errors pass."""
    try:
        yield
    except psycopg.Error as error:
        failure = outage(error, label)
        if failure is None:
            raise
        raise failure from error


def outage(error: psycopg.Error, label: str) -> Unavailable | None:
    """The `Unavailable` that this error means, or None when the server only refused a statement."""
    state = error.sqlstate or ""
    if state == "53100":
        return Unavailable(
            f"no disk space left on the target {label}",
            hint="Free or add disk space there, then continue with --resume.",
        )
    if state == "53200":
        return Unavailable(
            f"{label} is out of memory: {reason_of(error)}",
            hint="Raise max_locks_per_transaction or the memory of the server, then use --resume.",
        )
    if state == "53300":
        return Unavailable(
            f"{label} has no connection left",
            hint="Close other connections or use fewer --workers, then continue with --resume.",
        )
    if state == "25006":
        return Unavailable(
            f"{label} has become read-only",
            hint="Point the move at the server that accepts writes, then continue with --resume.",
        )
    if state == "57014":
        return Unavailable(f"a statement was cancelled on {label}", hint="Continue with --resume.")
    if state in ("55P03", "40P01", "40001"):
        return Unavailable(
            f"a lock on {label} was not free: {reason_of(error)}",
            hint="Wait until the other session has finished, then continue with --resume.",
        )
    lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not state
    if lost or state[:2] in ("08", "53", "57", "58"):
        return Unavailable(
            f"the connection to {label} failed: {reason_of(error)}",
            hint="See that the server is running, then continue with --resume.",
        )
    return None


def reason_of(error: psycopg.Error) -> str:
    """What the server says, on one line, with the values it names."""
    told = error.diag.message_primary or str(error) or type(error).__name__
    if error.diag.message_detail:
        told = f"{told}: {error.diag.message_detail}"
    return " ".join(told.split()).rstrip(".")


def attempt(
    connection: psycopg.Connection, work: Callable[[], object], label: str
) -> psycopg.Error | None:
    """Do `work` in a transaction of its own (a savepoint inside an open one); None when it held.

    A statement the server refuses is undone and its error returned.

    Raises
    ------
    Unavailable
        The server is gone, full or busy.
    """
    try:
        with connection.transaction():
            work()
    except psycopg.Error as error:
        failure = outage(error, label)
        if failure is not None:
            raise failure from error
        return error
    return None


def leave_transaction(connection: psycopg.Connection) -> None:
    """End what the caller read, so that the next `transaction()` commits and is no savepoint."""
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        connection.commit()


def raw(text: str) -> sql.SQL:
    """SQL text from a plan, as it stands."""
    return sql.SQL(text)

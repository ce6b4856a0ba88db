"""Whether a transaction may read the shared cache, and whether what it reads may be shared.

A transaction that wrote must see its own writes and share nothing before it commits. One under
REPEATABLE READ sees the past. A session that holds loaded objects hands them out again as they
were, without asking the database. None of these fills the cache; the first two do not read it
either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from buttress.db.tenancy import NOTED, scope
from buttress.db.transactions import Transaction

SNAPSHOT_LEVELS = ("repeatable read", "serializable")
STATE = text("SELECT pg_current_xact_id_if_assigned() IS NULL, current_setting(:name)")
STATE_PARAMETERS = {"name": "transaction_isolation"}

WROTE = "its transaction has written"
PENDING = "its session holds unsaved changes"
SNAPSHOT = "its transaction sees the past"
LOADED = "its session holds loaded objects"
REPLICA = "it reads from a standby"
OTHERS = "its transaction was begun for somebody else"

Use = Literal["read", "fill"]


def sync_session(transaction: Transaction) -> Session | Connection:
    """The sync object behind an async one."""
    return transaction.sync_session if isinstance(transaction, AsyncSession) else transaction


def harmless(transaction: Transaction) -> bool:
    """Whether a hit can be no wrong answer here, as far as it shows in a microsecond.

    It can not where nothing waits to be saved, and nothing was asked of the database yet or nothing
    can be written.
    """
    if isinstance(transaction, Connection):
        return not transaction.in_transaction() or _refuses_writes(transaction)
    session = transaction.sync_session if isinstance(transaction, AsyncSession) else transaction
    if not session._is_clean():
        return False
    if isinstance(session.bind, Connection):
        return harmless(session.bind)
    begun: Any = session.get_transaction()
    return begun is None or all(
        _refuses_writes(entry[0]) for entry in list(begun._connections.values())
    )


def _refuses_writes(connection: Connection) -> bool:
    options = connection.get_execution_options()
    return bool(options.get("postgresql_readonly")) and "isolation_level" not in options


def connections(transactions: Sequence[Transaction]) -> list[Connection]:
    """The connections on which these transactions have begun."""
    found: list[Connection] = []
    for transaction in map(sync_session, transactions):
        outer = transaction if isinstance(transaction, Connection) else transaction.bind
        if isinstance(outer, Connection):  # a session may be bound to a connection at work already
            found += [outer] if outer.in_transaction() else []
            continue
        assert isinstance(transaction, Session)
        begun: Any = transaction.get_transaction()
        if begun is not None:
            # Its private table says on which connections a transaction has begun, without
            # beginning it.
            found += {
                id(entry[0]): entry[0] for entry in list(begun._connections.values())
            }.values()
    return found


def objection(transactions: Sequence[Transaction], use: Use) -> str | None:
    """What speaks against using the cache, as far as it shows without asking the database."""
    for transaction in map(sync_session, transactions):
        if isinstance(transaction, Session):
            if not transaction._is_clean():
                return PENDING
            if use == "fill" and any(True for _ in transaction.identity_map.values()):
                return LOADED
            if use == "fill" and transaction.info.get("replica"):
                return REPLICA
    for connection in connections(transactions):
        level = connection.get_execution_options().get("isolation_level") or (
            connection.default_isolation_level
        )
        if str(level).lower() in SNAPSHOT_LEVELS:
            return SNAPSHOT
        # A transaction sees the rows of whom it was begun for, the key names who acts now.
        if use == "fill" and connection.info.get(NOTED) != scope():
            return OTHERS
    return None


def must_be_asked(connection: Connection, use: Use) -> bool:
    """Whether only the database can tell what the transaction has done.

    A read-only one cannot have written, and reading something newer than its snapshot is no harm.
    """
    return use == "fill" or not connection.get_execution_options().get("postgresql_readonly")


def verdict(row: Sequence[Any]) -> str | None:
    """What speaks against it by the database's answer to `STATE`."""
    unwritten, level = row
    if not unwritten:
        return WROTE
    return SNAPSHOT if level in SNAPSHOT_LEVELS else None

"""A connection whose transaction starts again when the server goes away before it has begun.

SQLAlchemy gives a transaction up with its connection. Until the first answer has come back nothing
is lost, though: the caller knows nothing yet, and the server undoes whatever was not committed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, RootTransaction
from sqlalchemy.engine import CursorResult
from sqlalchemy.pool import PoolProxiedConnection

from buttress.db.outage import pause
from buttress.db.self_committing import commits_itself
from buttress.errors import ConnectionLost

Result = TypeVar("Result")

COMMIT_LOST = (
    "The transaction may have been committed or not: look before you do it again, or do only what "
    "may be done twice."
)

READ_ONLY_OPTIONS = ("postgresql_readonly", "sqlite_read_only")
RESTARTS = 3
"""How often a statement that reached a server is sent again."""


class RestartingConnection(Connection):
    """SQLAlchemy's connection, for transactions that survive a restart of the server.

    - The first statement of a transaction is sent again on a new connection when its own breaks.
      What listeners to the engine's `begin` send is sent again before it. A statement with an
      effect no transaction can undo, say `dblink_exec`, may take effect twice.
    - A later statement raises `ConnectionLost`; a COMMIT does so with `commit_unknown`, unless the
      transaction was read-only and had nothing to commit. A statement that may have committed by
      itself counts as a COMMIT, the first too.
    - A ROLLBACK is done when the connection is gone.

    `committed` is called after each COMMIT of a transaction that may have written, the lost ones
    included: what looks whether it is done must not look where it cannot be seen.
    """

    # Whether a statement of the transaction has had an answer.
    _answered = False
    _patience_seconds = 0.0
    _committed: Callable[[], None] | None = None

    def _execute_context(
        self, dialect: Any, constructor: Any, statement: Any, *arguments: Any, **options: Any
    ) -> CursorResult[Any]:
        if self._transaction is None:
            self._autobegin()
        context = (dialect, constructor, statement, *arguments)
        try:
            if self._transaction is not None and self._answered:
                return super()._execute_context(*context, **options)
            result = self._again_if_lost(
                lambda: super(RestartingConnection, self)._execute_context(*context, **options),
                statement,
            )
        except ConnectionLost as error:
            if error.unsent or not commits_itself(str(statement)):
                raise
            self._note_commit()
            raise _commit_lost(error) from error
        self._answered = self._transaction is not None
        return result

    def _begin_impl(self, transaction: RootTransaction) -> None:
        self._answered = False
        self._again_if_lost(lambda: super(RestartingConnection, self)._begin_impl(transaction))

    def _again_if_lost(self, send: Callable[[], Result], statement: object = "") -> Result:
        """What `send` returns, on as many connections as it takes within reason."""
        sent = 0
        began = time.monotonic()
        while True:
            try:
                return send()
            except ConnectionLost as error:
                # A statement that makes the server crash must not do so for ever.
                sent += not error.unsent
                if sent and commits_itself(str(statement)):
                    raise
                age = time.monotonic() - began
                if not self.invalidated or sent > RESTARTS or age > self._patience_seconds:
                    raise
                if self._transaction is not None:
                    if not self._transaction.is_active or self._is_autocommit_isolation():
                        raise
                    pause(self.dialect, age)
                    self._start_again()
                else:
                    pause(self.dialect, age)

    def _start_again(self) -> None:
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        try:
            self._begin_impl(transaction)
        finally:
            self._transaction = transaction

    def _revalidate_connection(self) -> PoolProxiedConnection:
        connection = super()._revalidate_connection()
        # READ ONLY, isolation level: SQLAlchemy sets them on the first connection only.
        self.dialect.set_connection_execution_options(self, self._execution_options)
        return connection

    def _commit_impl(self) -> None:
        read_only = any(self._execution_options.get(name) for name in READ_ONLY_OPTIONS)
        try:
            super()._commit_impl()
        except ConnectionLost as error:
            if read_only:
                return
            self._note_commit()
            raise _commit_lost(error) from error
        if self._answered and not read_only:
            self._note_commit()

    def _note_commit(self) -> None:
        if self._committed is not None:
            self._committed()

    def _rollback_impl(self) -> None:
        with suppress(ConnectionLost):
            super()._rollback_impl()


def _commit_lost(error: ConnectionLost) -> ConnectionLost:
    return ConnectionLost(error.message, hint=COMMIT_LOST, commit_unknown=True)


def restart_transactions(
    engine: Engine, *, patience_seconds: float, committed: Callable[[], None] | None = None
) -> None:
    """Have an engine open connections of this kind."""

    class ConnectionOfEngine(RestartingConnection):
        _patience_seconds = patience_seconds
        _committed = staticmethod(committed) if committed else None

    engine._connection_cls = ConnectionOfEngine


def with_options(engine: Engine, options: Mapping[str, Any]) -> Engine:
    """The engine with execution options; unlike SQLAlchemy's it keeps the kind of connection."""
    changed = engine.execution_options(**options)
    changed._connection_cls = engine._connection_cls
    return changed

"""Every statement of an engine passes here once: it is timed, and who asked is told of it.

The methods by which SQLAlchemy's dialect hands a statement to the driver are wrapped, on the
dialect of one engine only. All doors end there: ORM, Core, `text()`, `exec_driver_sql`, many rows
at once, and async engines. What is sent through a driver's own cursor does not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter_ns
from typing import Any

from sqlalchemy import Connection, Engine, ExecutionContext
from sqlalchemy.engine.default import DefaultDialect

log = logging.getLogger(__name__)

Observer = Callable[[ExecutionContext], None]
Send = Callable[[Any, str, Any, Any], None]
Record = Callable[[int, int, Any, str, Any, Any, BaseException | None], None]
"""Called with when it began and ended (`perf_counter_ns`), cursor, SQL, parameters, execution
context, and the error or None.

It runs in the thread or task of the statement, inside the call that sent it.
"""

_observers: ContextVar[tuple[Observer, ...]] = ContextVar("observers", default=())


@contextmanager
def observe(observer: Observer) -> Iterator[None]:
    """Have `observer(execution_context)` called for every statement of this thread or task.

    It is called just before the statement is sent, with SQLAlchemy's execution context: `compiled`,
    `statement`, `root_connection`. What it raises keeps the statement from being sent. An insert of
    many rows that goes out in several batches comes once for each. Tasks started inside observe as
    well; threads do not.
    """
    token = _observers.set((*_observers.get(), observer))
    try:
        yield
    finally:
        _observers.reset(token)


class Executions:
    """The statements of one database, through all its engines.

    `record` is told of every statement once it has ended; None when nobody wants to know.
    """

    def __init__(self, record: Record | None = None) -> None:
        self.record = record
        self.failures = 0
        """How often `record` itself failed, which never disturbs the statement."""

    def wrap(self, engine: Engine) -> None:
        """Have every statement of this engine pass here."""
        # Each engine has a dialect of its own, shared only with engines that add options to it.
        dialect: Any = engine.dialect
        without_parameters, initialize = dialect.do_execute_no_params, dialect.initialize

        def send(cursor: Any, statement: str, _: Any, context: Any) -> None:
            without_parameters(cursor, statement, context)

        timed = self._timed(send)
        # What only calls the cursor is left out: every call in between costs most right here.
        plain = type(dialect).do_execute is DefaultDialect.do_execute

        def do_execute_no_params(cursor: Any, statement: str, context: Any = None) -> None:
            timed(cursor, statement, None, context)

        def initialize_unobserved(connection: Connection) -> None:
            # What SQLAlchemy asks of a server it has just met is not what the caller asked.
            token = _observers.set(())
            try:
                initialize(connection)
            finally:
                _observers.reset(token)

        dialect.initialize = initialize_unobserved
        dialect.do_execute = self._timed(dialect.do_execute, plain=plain)
        dialect.do_executemany = self._timed(dialect.do_executemany)
        dialect.do_execute_no_params = do_execute_no_params

    def _timed(self, send: Send, *, plain: bool = False) -> Callable[..., None]:
        observers = _observers.get

        def execute(cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
            for observer in observers():
                observer(context)
            record = self.record
            if record is None:
                send(cursor, statement, parameters, context)
                return
            began = perf_counter_ns()
            failed = None
            try:
                if plain:
                    cursor.execute(statement, parameters)
                else:
                    send(cursor, statement, parameters, context)
            except BaseException as error:
                failed = error
                raise
            finally:
                ended = perf_counter_ns()
                try:
                    record(began, ended, cursor, statement, parameters, context, failed)
                # Whatever is wrong with the record, the statement is done.
                except Exception:  # noqa: BLE001
                    self._complain()
                failed = None  # an error that refers to its own frame would live on

        return execute

    def _complain(self) -> None:
        self.failures += 1
        if self.failures == 1:
            log.exception("a statement could not be recorded")

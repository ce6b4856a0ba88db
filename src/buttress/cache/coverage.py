"""Whether what a cached function reads is what it declares, seen from the statements it sends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, ExecutionContext

from buttress.db.execution import observe

if TYPE_CHECKING:
    from sqlglot.expressions import Table

SYSTEM = ("pg_", "sqlite_", "information_schema.")


class Reads:
    """The tables that were read while a value was computed."""

    def __init__(self, declared: frozenset[str], home: URL) -> None:
        self.declared = declared
        self.home = _place(home)
        self.elsewhere = False
        """Whether another database was asked, a standby for one."""
        self.seen: set[str] = set()
        self.functions: set[str] = set()
        """Functions that were called and may be anything."""
        self.unreadable = False
        """Whether a statement could not be understood."""
        self.writes = False
        self._connections: dict[int, Connection] = {}

    def statement(self, context: ExecutionContext) -> None:
        """Take note of a statement about to be sent."""
        named = names_of(context.statement or "", context.dialect.name)
        connection = context.root_connection
        self.unreadable = self.unreadable or named is None
        if named is not None:
            self.writes = self.writes or named.writes
            self.functions |= named.functions
            self.tables(named.tables)
        self.elsewhere = self.elsewhere or _place(connection.engine.url) != self.home
        self._connections[id(connection)] = connection

    def ambient(self, judged: Iterable[Connection]) -> bool:
        """Whether it was read in a transaction that goes on, and nobody has judged.

        What is computed in a transaction of its own ends it.
        """
        known = {id(connection) for connection in judged}
        return any(
            number not in known and not connection.closed and connection.in_transaction()
            for number, connection in self._connections.items()
        )

    def tables(self, tables: frozenset[str]) -> None:
        """Take note of tables that were read by way of another cached function."""
        self.seen |= tables


def _place(url: URL) -> tuple[object, ...]:
    """Where a URL leads and as whom, by whichever driver: roles may see different rows."""
    place = (url.get_backend_name(), url.username, url.host, url.port, url.database)
    return (*place, url.query.get("host"))


computing: ContextVar[tuple[Reads, ...]] = ContextVar("cached_functions_computing", default=())
"""The cached functions being computed here, outermost first."""


@contextmanager
def watched(reads: Reads) -> Iterator[None]:
    """Note what is read meanwhile, also by cached functions called inside."""
    token = computing.set((*computing.get(), reads))
    try:
        with observe(reads.statement):
            yield
    finally:
        computing.reset(token)


@dataclass(frozen=True)
class Named:
    """What a statement names."""

    tables: frozenset[str]
    """As `name` or `schema.name`."""
    functions: frozenset[str]
    """Those the parser does not know; built-in ones are among them."""
    writes: bool


@lru_cache(maxsize=2048)
def names_of(statement: str, dialect: str) -> Named | None:
    """What a statement names, None when it cannot be understood."""
    import sqlglot  # takes a tenth of a second, which no hit should wait for
    from sqlglot import exp

    reader = {"postgresql": "postgres"}.get(dialect, dialect)
    try:
        trees = sqlglot.parse(
            statement.replace("%%", "%"), read=reader, error_level=sqlglot.ErrorLevel.RAISE
        )
    except sqlglot.errors.SqlglotError:
        return None
    tables: set[str] = set()
    functions: set[str] = set()
    writes = False
    for tree in trees:
        if tree is None:
            continue
        if tree.find(exp.Command) is not None:
            return None
        writes = writes or any(tree.find_all(exp.Insert, exp.Update, exp.Delete, exp.Merge))
        functions |= {call.name.lower() for call in tree.find_all(exp.Anonymous)}
        for table in tree.find_all(exp.Table):
            name = f"{table.db}.{table.name}" if table.db else table.name
            if table.name and not name.startswith(SYSTEM) and not _is_local(table):
                tables.add(name)
    return Named(frozenset(tables), frozenset(functions), writes)


def _is_local(table: Table) -> bool:
    """Whether a name means a part of a WITH around it, not a table.

    Inside its own definition it means the table, unless that is recursive.
    """
    from sqlglot import exp

    if table.db:
        return False
    inner = table.find_ancestor(exp.CTE)
    own = set()
    while inner is not None:
        around = inner.parent
        if not (around is not None and around.args.get("recursive")):
            own.add(id(inner))
        inner = inner.find_ancestor(exp.CTE)
    node = table.parent
    while node is not None:
        parts = node.args.get("with_") or node.args.get("with")
        for part in parts.expressions if parts is not None else ():
            if part.alias == table.name and id(part) not in own:
                return True
        node = node.parent
    return False

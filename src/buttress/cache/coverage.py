"""Whether what a cached function reads is what it declares, seen from the statements it sends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from sqlalchemy import URL, ExecutionContext

from buttress.db.execution import observe

SYSTEM = ("pg_", "sqlite_", "information_schema.")


class Reads:
    """The tables that were read while a value was computed."""

    def __init__(self, declared: frozenset[str], home: URL) -> None:
        self.declared = declared
        self.home = _place(home)
        self.elsewhere = False
        """Whether another database was asked, a standby for one."""
        self.seen: set[str] = set()
        self.writes = False

    @property
    def outside(self) -> set[str]:
        """Tables that are not among the declared."""
        return self.seen - self.declared

    def statement(self, context: ExecutionContext) -> None:
        """Take note of a statement about to be sent."""
        tables, writes = tables_of(context.statement or "", context.dialect.name)
        self.writes = self.writes or writes
        self.elsewhere = self.elsewhere or _place(context.root_connection.engine.url) != self.home
        self.tables(tables)

    def tables(self, tables: frozenset[str]) -> None:
        """Take note of tables that were read by way of another cached function."""
        self.seen |= tables


def _place(url: URL) -> tuple[object, ...]:
    """Where a URL leads, whoever connects and by whichever driver."""
    return (url.get_backend_name(), url.host, url.port, url.database, url.query.get("host"))


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


@lru_cache(maxsize=2048)
def tables_of(statement: str, dialect: str) -> tuple[frozenset[str], bool]:
    """The tables a statement names, as `name` or `schema.name`, and whether it writes.

    A statement the parser cannot read counts as one that names nothing.
    """
    import sqlglot  # takes a tenth of a second, which no hit should wait for
    from sqlglot import exp

    reader = {"postgresql": "postgres"}.get(dialect, dialect)
    try:
        trees = sqlglot.parse(statement.replace("%%", "%"), read=reader)
    except sqlglot.errors.SqlglotError:
        return frozenset(), False
    found: set[str] = set()
    writes = False
    for tree in trees:
        if tree is None:
            continue
        writes = writes or any(tree.find_all(exp.Insert, exp.Update, exp.Delete, exp.Merge))
        local = {with_part.alias for with_part in tree.find_all(exp.CTE)}
        for table in tree.find_all(exp.Table):
            name = f"{table.db}.{table.name}" if table.db else table.name
            if table.name and name not in local and not name.startswith(SYSTEM):
                found.add(name)
    return frozenset(found), writes

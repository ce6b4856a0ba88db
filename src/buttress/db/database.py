"""The database: sessions, pools and time-outs behind one URL."""

from __future__ import annotations

import asyncio
import copy
import os
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, cast

import stamina
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from buttress.db.backend import backend_for
from buttress.db.execution import Executions
from buttress.db.pool import AsyncBoundedPool, BoundedPool, PoolStats, pool_stats
from buttress.db.url import DatabaseURL, parse_database_url
from buttress.errors import ButtressError, Unavailable
from buttress.settings import PoolSettings, TimeoutSettings


class Database:
    """One database, for every thread and every event loop of this process.

        database = Database("postgresql://localhost/shop")
        with database.session() as session:
            session.add(product)

    Nothing is opened before the first use. Errors of the driver arrive as errors of the house, also
    inside a session: `Unavailable` when the server does not answer, a time-out strikes or the pool
    is exhausted, `Conflict` when a unique or foreign key objects, `BadInput` when a value does not
    fit. Mistakes in SQL stay SQLAlchemy's errors, without parameters. A connection that the server
    has closed is replaced when it is next asked for. A forked child starts with empty pools.
    """

    def __init__(
        self,
        url: str | DatabaseURL,
        *,
        pool: PoolSettings | None = None,
        timeouts: TimeoutSettings | None = None,
        application_name: str = "buttress",
    ) -> None:
        self.url = parse_database_url(url) if isinstance(url, str) else url
        self.pool = pool or PoolSettings.model_validate({})
        self.timeouts = timeouts or TimeoutSettings.model_validate({})
        self.application_name = application_name
        self.backend = backend_for(self.url, self.timeouts, application_name)
        self.executions = Executions()
        self._opening = threading.Lock()
        self._engine: Engine | None = None
        self._loops: dict[asyncio.AbstractEventLoop, _LoopEngine] = {}
        _databases.add(self)

    def __repr__(self) -> str:
        return f"Database({self.url.label!r})"

    @property
    def engine(self) -> Engine:
        """The engine behind sync sessions."""
        with self._opening:
            if self._engine is None:
                options = self._engine_options() | {"poolclass": BoundedPool}
                self._engine = create_engine(self.url.sqlalchemy, **options)
                self._listen(self._engine)
            return self._engine

    @contextmanager
    def session(self, *, read_only: bool = False) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back when an exception leaves it.

        Objects stay usable afterwards. Of a read-only session the database itself refuses writes.
        """
        with Session(self._bind(read_only), expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def connection(self, *, read_only: bool = False) -> Iterator[Connection]:
        """The same for SQLAlchemy Core."""
        with self._bind(read_only).begin() as connection:
            yield connection

    @asynccontextmanager
    async def async_session(self, *, read_only: bool = False) -> AsyncIterator[AsyncSession]:
        """The same for a coroutine, on whichever event loop runs it.

        Each loop has a pool of its own, of the configured size; it is closed when the loop ends.
        """
        engine = await self._engine_of_running_loop()
        if read_only:
            engine = engine.execution_options(**self.backend.read_only)
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def lock(self, name: str, *, wait_seconds: float) -> AbstractContextManager[None]:
        """Hold the lock of that name, which one process of all hosts can hold at a time.

        Raises `LockTimeout`, an `Unavailable`, when it is not free within the time. The lock falls
        with the process that holds it.
        """
        return self.backend.lock(self.engine, name, wait_seconds)

    def pool_stats(self) -> PoolStats:
        """How busy the pools of this process are."""
        engines = [loop.engine.sync_engine for loop in list(self._loops.values())]
        if self._engine is not None:
            engines.append(self._engine)
        pools = [cast("BoundedPool", engine.pool) for engine in engines]
        return pool_stats(pools, size=self.pool.size, limit=self.pool.size + self.pool.overflow)

    def wait_until_ready(self) -> None:
        """Return once the server answers; raises `Unavailable` after `timeouts.start_seconds`."""
        seconds = self.timeouts.start_seconds
        for attempt in stamina.retry_context(
            on=Unavailable,
            attempts=None if seconds else 1,
            timeout=seconds or None,
            wait_initial=0.05,
            wait_max=1.0,
            wait_jitter=0.1,
        ):
            with attempt, self.connection(read_only=True) as connection:
                connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close the connections of all threads; the next use opens new ones.

        The pool of an event loop is closed by `aclose` on that loop, or when the loop ends.
        """
        with self._opening:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        held = self._loops.get(asyncio.get_running_loop())
        if held is not None:
            await held.generator.aclose()

    def _bind(self, read_only: bool) -> Engine:
        return self.engine.execution_options(**self.backend.read_only) if read_only else self.engine

    async def _engine_of_running_loop(self) -> AsyncEngine:
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            for other in [other for other in self._loops if other.is_closed()]:
                del self._loops[other]
            generator = self._live_with(loop)
            self._loops[loop] = _LoopEngine(generator, await anext(generator))
        return self._loops[loop].engine

    async def _live_with(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[AsyncEngine]:
        """An engine disposed on its own loop: a loop that ends closes its async generators."""
        options = self._engine_options() | {"poolclass": AsyncBoundedPool}
        engine = create_async_engine(self.backend.async_url, **options)
        self._listen(engine.sync_engine)
        try:
            yield engine
        finally:
            self._loops.pop(loop, None)
            await engine.dispose()

    def _engine_options(self) -> dict[str, Any]:
        return {
            "connect_args": self.backend.connect_args(),
            "pool_size": self.pool.size,
            "max_overflow": self.pool.overflow,
            "pool_timeout": self.pool.timeout_seconds,
            "pool_recycle": self.pool.recycle_seconds,
            "pool_use_lifo": True,  # the surplus of a peak grows old and is recycled
            "hide_parameters": True,
        }

    def _listen(self, engine: Engine) -> None:
        self.executions.wrap(engine)
        self.backend.listen(engine)
        event.listen(engine, "handle_error", self._translate)

    def _translate(self, context: ExceptionContext) -> ButtressError | None:
        error = context.original_exception
        if isinstance(error, ButtressError):  # a column type refused a value
            return copy.copy(error)
        return self.backend.explain(error)

    def _forget_connections(self) -> None:
        """Leave the parent's sockets alone; closing them would end the parent's sessions."""
        self._opening = threading.Lock()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose(close=False)
        for held in self._loops.values():
            held.engine.sync_engine.dispose(close=False)
        self._loops.clear()


class _LoopEngine:
    """An engine and the generator that disposes it."""

    def __init__(self, generator: AsyncGenerator[AsyncEngine], engine: AsyncEngine) -> None:
        self.generator = generator
        self.engine = engine


_databases: weakref.WeakSet[Database] = weakref.WeakSet()


def _forget_in_child() -> None:
    for database in list(_databases):
        database._forget_connections()


os.register_at_fork(after_in_child=_forget_in_child)

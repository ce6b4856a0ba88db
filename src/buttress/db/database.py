"""The database: sessions, pools and time-outs behind one URL."""

from __future__ import annotations

import asyncio
import copy
import os
import threading
import weakref
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Sequence,
)
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Literal, TypeVar, cast

import stamina
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from buttress.db import retrying
from buttress.db.backend import backend_for
from buttress.db.connection import restart_transactions, with_options
from buttress.db.execution import Executions
from buttress.db.outage import Outage
from buttress.db.pool import AsyncBoundedPool, BoundedPool, PoolStats, pool_stats
from buttress.db.pool_waiters import PoolCounts
from buttress.db.replicas import Replicas
from buttress.db.transactions import noted
from buttress.db.url import DatabaseURL, parse_database_url
from buttress.errors import (
    BadInput,
    ButtressError,
    ConfigurationError,
    ConnectionLost,
    Unavailable,
)
from buttress.settings import PoolSettings, TimeoutSettings

Result = TypeVar("Result")
Replica = Literal["never", "allowed"]


class Database:
    """One database, for every thread and every event loop of this process.

        database = Database("postgresql://localhost/shop")
        with database.session() as session:
            session.add(product)

    Nothing is opened before the first use. Errors of the driver arrive as errors of the house, also
    inside a session: `Unavailable` when the server does not answer, a time-out strikes or the pool
    is exhausted, `Conflict` when a unique or foreign key objects, `BadInput` when a value does not
    fit. Mistakes in SQL stay SQLAlchemy's errors, without parameters. A forked child starts with
    empty pools.

    A server that restarts is waited for, `timeouts.restart_seconds` at most. A transaction whose
    first statement it interrupts starts again unnoticed; in a later one `ConnectionLost`, an
    `Unavailable`, is raised. `read` and `retry` do a whole unit of work again.
    """

    def __init__(
        self,
        url: str | DatabaseURL,
        *,
        pool: PoolSettings | None = None,
        timeouts: TimeoutSettings | None = None,
        application_name: str = "buttress",
        replica_urls: Sequence[str] = (),
        replica_lag_seconds: float = 5.0,
    ) -> None:
        self.url = parse_database_url(url) if isinstance(url, str) else url
        self.pool = pool or PoolSettings.model_validate({})
        self.timeouts = timeouts or TimeoutSettings.model_validate({})
        self.application_name = application_name
        self.backend = backend_for(self.url, self.timeouts, application_name)
        self.executions = Executions()
        self.outage = Outage(self.timeouts.restart_seconds, self.backend.is_away)
        self._counts = PoolCounts()
        self.replicas = self._replicas(replica_urls, replica_lag_seconds)
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

    @property
    def read_only_engine(self) -> Engine:
        """The same engine for transactions that refuse to write."""
        return with_options(self.engine, self.backend.read_only)

    async def async_read_only_engine(self) -> AsyncEngine:
        """The same for the running event loop."""
        engine = await self._engine_of_running_loop()
        return AsyncEngine(with_options(engine.sync_engine, self.backend.read_only))

    @contextmanager
    def session(self, *, read_only: bool = False, replica: Replica = "never") -> Iterator[Session]:
        """One transaction: committed at the end, rolled back when an exception leaves it.

        Objects stay usable afterwards. Of a read-only session the database itself refuses writes.

        With `replica="allowed"` a read-only session may run on a standby: it shows everything the
        caller has committed, and what others committed up to `replica_lag_seconds` ago; without
        such a standby it runs on the primary. `session.info["replica"]` names the standby.
        """
        standbys = self._standbys(read_only, replica)
        if standbys and (elsewhere := standbys.session()):
            with elsewhere:
                yield elsewhere
            return
        with (
            Session(self._bind(read_only), expire_on_commit=False) as session,
            session.begin(),
            noted(session),
        ):
            yield session

    @contextmanager
    def connection(self, *, read_only: bool = False) -> Iterator[Connection]:
        """The same for SQLAlchemy Core."""
        with self._bind(read_only).begin() as connection, noted(connection):
            yield connection

    @asynccontextmanager
    async def async_session(
        self, *, read_only: bool = False, replica: Replica = "never"
    ) -> AsyncIterator[AsyncSession]:
        """The same as `session` for a coroutine, on whichever event loop runs it.

        Each loop has a pool of its own, of the configured size; it is closed when the loop ends.
        """
        standbys = self._standbys(read_only, replica)
        if standbys and (elsewhere := await standbys.async_session()):
            async with elsewhere:
                yield elsewhere
            return
        engine = await (
            self.async_read_only_engine() if read_only else self._engine_of_running_loop()
        )
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            with noted(session):
                yield session

    def read(self, work: Callable[[Session], Result], *, replica: Replica = "never") -> Result:
        """What `work(session)` returns for a read-only session.

        It is called again from its start when the server goes away half-way, which no restart of a
        single statement could hide: what it has read may no longer be what is there.
        """
        open_session = partial(self.session, read_only=True, replica=replica)
        return retrying.run(open_session, work, twice_is_fine=True)

    def retry(self, work: Callable[[Session], Result], *, idempotent: bool = False) -> Result:
        """What `work(session)` returns, committed; called again when its transaction was undone.

        That happens when the connection breaks and when two transactions get in each other's way. A
        connection that breaks during the COMMIT leaves open whether it is done: only `idempotent`
        work is then done again, any other raises `ConnectionLost` with `commit_unknown`.
        """
        return retrying.run(self.session, work, twice_is_fine=idempotent)

    async def async_read(
        self, work: Callable[[AsyncSession], Awaitable[Result]], *, replica: Replica = "never"
    ) -> Result:
        """`read` for a coroutine function."""
        open_session = partial(self.async_session, read_only=True, replica=replica)
        return await retrying.run_async(open_session, work, twice_is_fine=True)

    async def async_retry(
        self, work: Callable[[AsyncSession], Awaitable[Result]], *, idempotent: bool = False
    ) -> Result:
        """`retry` for a coroutine function."""
        return await retrying.run_async(self.async_session, work, twice_is_fine=idempotent)

    def lock(self, name: str, *, wait_seconds: float) -> AbstractContextManager[None]:
        """Hold the lock of that name, which one process of all hosts can hold at a time.

        Raises `LockTimeout`, an `Unavailable`, when it is not free within the time. The lock falls
        with the process that holds it.
        """
        return self.backend.lock(self.engine, name, wait_seconds)

    def pool_stats(self) -> PoolStats:
        """How busy the pools of this process are, and how long callers waited lately."""
        engines = [loop.engine.sync_engine for loop in list(self._loops.values())]
        if self._engine is not None:
            engines.append(self._engine)
        pools = [cast("BoundedPool", engine.pool) for engine in engines]
        limit = self.pool.size + self.pool.overflow
        return pool_stats(pools, size=self.pool.size, limit=limit, counts=self._counts)

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
            # Who got hold of the engine just before may still connect, to the pool SQLAlchemy has
            # put in its place: that one keeps nothing either.
            engine.pool.dispose()
        if self.replicas is not None:
            self.replicas.close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        if self.replicas is not None:
            await self.replicas.aclose()
        held = self._loops.get(asyncio.get_running_loop())
        if held is not None:
            await held.generator.aclose()

    def _replicas(self, urls: Sequence[str], lag_seconds: float) -> Replicas | None:
        if urls and self.url.backend != "postgresql":
            raise ConfigurationError(
                f"replicas are named, but {self.url.label} is not PostgreSQL",
                hint="Leave BUTTRESS_REPLICA_URLS empty, or correct DATABASE_URL.",
            )
        # A standby that is away is left out, not waited for: the primary is there.
        hasty = self.timeouts.model_copy(update={"restart_seconds": 0.0})
        standbys = [
            Database(url, pool=self.pool, timeouts=hasty, application_name=self.application_name)
            for url in urls
        ]
        for standby in standbys:
            standby.executions = self.executions
        return Replicas(self, standbys, lag_seconds=lag_seconds) if standbys else None

    def _standbys(self, read_only: bool, replica: Replica) -> Replicas | None:
        if replica == "never":
            return None
        if not read_only:
            raise ValueError('replica="allowed" needs read_only=True: a standby takes no writes')
        return self.replicas

    def _bind(self, read_only: bool) -> Engine:
        return self.read_only_engine if read_only else self.engine

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
            "counts": self._counts,
            "is_dead": self.backend.is_dead,
            "hide_parameters": True,
        }

    def _listen(self, engine: Engine) -> None:
        self.executions.wrap(engine)
        self.outage.guard(engine)
        restart_transactions(
            engine,
            patience_seconds=self.timeouts.restart_seconds,
            committed=self.replicas.note_commit if self.replicas else None,
        )
        self._counts.listen(engine)
        self.backend.listen(engine)
        event.listen(engine, "handle_error", self._translate)

    def _translate(self, context: ExceptionContext) -> ButtressError | None:
        error = context.original_exception
        if isinstance(error, ButtressError):  # a column type refused a value
            return copy.copy(error)
        if isinstance(error, UnicodeEncodeError):
            return BadInput("text that holds half of a surrogate pair cannot be stored")
        meaning = self.backend.explain(error)
        if isinstance(meaning, ConnectionLost):
            # libpq notices the end of a connection later than the farewell in it. The others are
            # looked at when they are next asked for.
            context.is_disconnect = True
            context.invalidate_pool_on_disconnect = False
        return meaning

    def _forget_connections(self) -> None:
        """Leave the parent's sockets alone; closing them would end the parent's sessions."""
        self._opening = threading.Lock()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose(close=False)
        if self.replicas is not None:
            self.replicas.forget()
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

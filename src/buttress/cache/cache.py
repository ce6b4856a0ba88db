"""The cache of one process: opened with the database, asked by every cached function."""

from __future__ import annotations

import contextvars
import logging
import os
import threading
import time
import weakref
from collections.abc import Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import text

from buttress.cache import current, steps
from buttress.cache.barrier import Barrier
from buttress.cache.barrier_postgresql import PostgreSQLBarrier
from buttress.cache.barrier_sqlite import SQLiteBarrier
from buttress.cache.bound import Bound
from buttress.cache.cached import cached
from buttress.cache.coverage import Reads
from buttress.cache.declaration import Declaration, Tag
from buttress.cache.direct import Direct, Stamp
from buttress.cache.explain import CacheHealth, Explanation, Mode, explanation
from buttress.cache.flights import Flights
from buttress.cache.housekeeping import Housekeeping
from buttress.cache.memory import Entry, Memory
from buttress.cache.metrics import CacheCollector
from buttress.cache.reading import Call
from buttress.cache.shared import Shared
from buttress.cache.stats import CacheStats, Counters, History, NamespaceStats, since
from buttress.cache.wal import WalWatch
from buttress.cache.warming import Warmed, call_again, warm
from buttress.cache.watch import is_watched, tables_of, tag
from buttress.cache.watching import Watching
from buttress.db.database import Database
from buttress.settings import CacheSettings, PoolSettings
from buttress.telemetry import collectors

log = logging.getLogger(__name__)
T = TypeVar("T")

NOT_OPEN = "it is not open"


class Cache:
    """Values that are right, or not served.

        with Cache(database, url=valkey_url) as cache:
            products(session, 5)            # a function declared with @cached

    Parameters
    ----------
    database
        What the cached functions read; the role may read the change log.
    url
        Valkey or Redis for the second level; empty for none.
    settings
        Room in memory and times to live.
    data_folder
        Where the server keeps its data, when it runs on this machine and the folder is known.
    development
        Raise an error for a function that reads tables it does not name; in production its values
        are not kept instead.
    """

    cached = staticmethod(cached)

    def __init__(
        self,
        database: Database,
        *,
        url: str = "",
        settings: CacheSettings | None = None,
        data_folder: Path | None = None,
        development: bool = True,
    ) -> None:
        self.database = database
        self.backend = database.backend.name
        self.settings = settings or CacheSettings.model_validate({})
        self.development = development
        self.wal = WalWatch(data_folder)
        self.barrier: Barrier
        if self.backend == "postgresql":
            self.barrier = postgresql = PostgreSQLBarrier(database)
            postgresql.on_connect = lambda wire, _: self.wal.connected(wire)
            postgresql.on_reading = self.wal.observe
            postgresql.on_disconnect = self._disconnected
        else:
            self.barrier = SQLiteBarrier(database)
            self.wal.refused = "SQLite has no server"
        self.armed = self.wal.armed
        self.shared = Shared(url if self.backend == "postgresql" else "")
        self.flights = Flights()
        self.history = History()
        self.off = NOT_OPEN
        """Why nothing is cached, empty while something is."""
        self._started, self._closed = False, True
        self._starting = threading.Lock()
        self._memory = Memory(self.settings.memory_bytes, self._evicted)
        self._memories: dict[str, Memory] = {}
        self._counters: dict[str, Counters] = {}
        self._collector = CacheCollector(self)
        self._direct = Direct(self)
        self._housekeeping = Housekeeping(self)
        # Not from the pool of those who wait for it: they hold its connections.
        self.own = Database(
            database.url,
            pool=PoolSettings.model_validate({"size": 1, "overflow": 1}),
            timeouts=database.timeouts,
            application_name="buttress cache",
        )
        self.watching = Watching(self.own, self.barrier, lambda: self._housekeeping.look())
        self._refreshing = ThreadPoolExecutor(2, thread_name_prefix="buttress-cache-refresh")

    def __enter__(self) -> Cache:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Have cached functions use this cache; no server is asked before the first use."""
        self._closed = False
        _caches.add(self)
        collectors.append(self._collector)
        current.opened(self)

    def start(self) -> None:
        """Look at the triggers and prove the WAL watch, once; the first use does it by itself.

        A database that does not answer, or knows no change log yet, is no error: functions run
        uncached until it does.
        """
        with self._starting:
            if self._started or self._closed:
                return
            self._housekeeping.look()
            self._housekeeping.start()
            self._started = True

    def look(self) -> None:
        """Look at the triggers again now, as is done from time to time."""
        self.start()
        self._housekeeping.look()

    def close(self) -> None:
        """Have cached functions run uncached again; closing twice is fine."""
        current.closed(self)
        if self._collector in collectors:
            collectors.remove(self._collector)
        self._closed = True
        self.off = NOT_OPEN
        self._housekeeping.stop()
        self._refreshing.shutdown(wait=True, cancel_futures=True)
        self.barrier.close()
        self.own.close()
        self.shared.close()
        _caches.discard(self)

    # What people ask of it

    def stamp(self) -> Stamp:
        """To be taken before reading what is then passed to `set`; raises Unavailable."""
        return self._direct.stamp()

    def set(
        self,
        namespace: str,
        key: Hashable,
        value: object,
        *,
        tags: Iterable[Tag],
        stamp: Stamp,
        ttl_seconds: float | None = None,
    ) -> bool:
        """Keep a value read after `stamp` was taken; whether it was kept.

        stamp = cache.stamp()
        rates = read_rates()
        cache.set("rates", "today", rates, tags=[Rate], stamp=stamp)
        """
        return self._direct.set(namespace, key, value, tags, stamp, ttl_seconds)

    def get(
        self, namespace: str, key: Hashable, kind: type[T], *, default: T | None = None
    ) -> T | None:
        """The value kept under that key, as `kind`, while nothing its tags name has changed."""
        found: T | None = self._direct.get(namespace, key, kind, default)
        return found

    def delete(self, namespace: str, key: Hashable) -> None:
        """Forget a key in all processes."""
        self.invalidate(self._direct.tag(namespace, key))

    def clear(self, pattern: str = "*") -> list[str]:
        """Forget the namespaces that match, in all processes, and tell which.

        What stands behind a colon is passed over: `products:*` clears all of `products`.
        """
        wanted = pattern.partition(":")[0]
        names = {entry.declaration.namespace for entry in current.registered()}
        found = sorted(n for n in names | set(self._counters) if fnmatchcase(n, wanted))
        if found:
            self.invalidate(*(f"~{name}" for name in found))
        return found

    def invalidate(self, *tags: Tag) -> None:
        """Have everything with one of these tags computed anew, in all processes.

        It counts from the return of this call, like a committed write.
        """
        self._tell(self.database, tags)

    def _tell(self, database: Database, tags: Iterable[Tag]) -> None:
        names: list[str] = []
        for one in tags:
            names += [one] if isinstance(one, str) else _names(one)
        if self.backend == "postgresql":
            with database.connection() as connection:
                connection.execute(
                    text("SELECT buttress_cache_invalidate(CAST(:tags AS text[]))"),
                    {"tags": names},
                )
        else:
            self.barrier.change(names)

    def warm(self) -> Warmed:
        """Make the calls registered with `function.warm(...)`."""
        return warm(self)

    def stats(self, *, window_seconds: float | None = None) -> CacheStats:
        """The numbers since the cache was opened, or of the last seconds (at most an hour)."""
        kept: dict[str, list[Entry]] = {}
        for memory in self._all_memories():
            for _, entry in memory.items():
                kept.setdefault(entry.namespace, []).append(entry)
        now = {
            name: counters.snapshot(kept.get(name, ())) for name, counters in self._counters.items()
        }
        began, then = self._housekeeping.opened, dict[str, NamespaceStats]()
        if window_seconds is not None:
            began, then = self.history.before(window_seconds)
        return CacheStats(
            self.mode,
            {name: since(one, then.get(name)) for name, one in now.items()},
            bytes=sum(memory.bytes for memory in self._all_memories()),
            limit_bytes=sum(memory.limit for memory in self._all_memories()),
            entries=sum(len(memory.entries) for memory in self._all_memories()),
            shared=self.shared.stats(),
            barriers=self.barrier.number,
            seconds=time.monotonic() - began,
        )

    @property
    def mode(self) -> Mode:
        """How a hit is known to be right."""
        if not self._started:
            self.start()
        if self.off:
            return "off"
        if self.backend == "sqlite":
            return "sqlite"
        return "wal" if self.wal.proven else "barrier"

    def explain(self) -> Explanation:
        """Which mode is on, what it guarantees and costs, and why it is not a better one."""
        return explanation(self)

    def health(self) -> CacheHealth:
        """For a badge: `warn` when something makes reads slower than they should be."""
        told = self.explain()
        shared = self.shared.stats()
        if shared.state not in ("ok", "off"):
            # Nobody may have asked since it failed: where nothing is read, nothing tries again.
            self.shared.ping()
            shared = self.shared.stats()
        # Where the database has no table to watch there is nothing to cache, and nothing missing.
        unwatched = sorted(self.watching.unwatched.items())
        degraded = [f"{table}: {why}" for table, why in unwatched]
        if shared.state not in ("ok", "off"):
            degraded.append(f"valkey: {shared.state}")
        return CacheHealth("warn" if degraded else "pass", "; ".join(degraded) or told.mode)

    # What cached functions ask of it

    def bind(self, declaration: Declaration) -> Bound:
        """Tie a function to this cache."""
        return Bound(self, declaration)

    def memory_of(self, namespace: str) -> Memory:
        """Where a namespace's values are kept: room of its own, if settings give it some."""
        limit = self.settings.namespace_bytes.get(namespace)
        if limit is None:
            return self._memory
        return self._memories.setdefault(namespace, Memory(limit, self._evicted))

    def counters_of(self, namespace: str) -> Counters:
        """What a namespace counts."""
        return self._counters.setdefault(namespace, Counters(namespace))

    def ttl_of(self, namespace: str, seconds: float | None = None) -> float:
        """How long values of a namespace live: by settings, by declaration, or for all."""
        configured = self.settings.namespace_ttl_seconds.get(namespace)
        if configured is not None:
            return configured
        return self.settings.ttl_seconds if seconds is None else seconds

    def unusable(self, declaration: Declaration) -> str | None:
        """Why a function must run uncached, None when it need not."""
        if not self._started:
            self.start()
        if self.off:
            return self.off
        return self.watching.unusable(declaration)

    def reads(self, declaration: Declaration, tags: tuple[str, ...]) -> Reads:
        """To note what a call with these tags reads beyond the tables it names."""
        named = {name.partition("/")[0] for name in tags if not name.startswith("~")}
        return Reads(declaration.tables | named, self.database.url.sqlalchemy)

    def objection(self, call: Call, reads: Reads) -> str | None:
        """Why a value must not be kept, by what was read for it; see `Watching.objection`."""
        return self.watching.objection(
            call.bound.declaration, reads, scoped=call.scoped, development=self.development
        )

    def forget(self, declaration: Declaration, key: Hashable) -> None:
        """Drop one value of a function here and in Valkey; other processes keep theirs."""
        self.memory_of(declaration.namespace).drop(key)
        self.shared.delete([declaration.shared_name(key)])

    def refresh(self, call: Call) -> None:
        """Compute a call anew in the background, if nobody does already."""
        flight, ours = self.flights.join(("refresh", call.key))
        if not ours:
            return
        context = contextvars.copy_context()

        def run() -> None:
            try:
                context.run(call_again, self, call)
            except Exception:  # nobody waits for it; the next reader computes and sees the error
                log.exception("refresh failed", extra={"function": call.bound.declaration.name})
            finally:
                self.flights.land(("refresh", call.key), flight)

        self._refreshing.submit(run)

    # What housekeeping asks of it

    def verify(self) -> None:
        """Look at the triggers of all watched tables; raises what the database raises."""
        self.off = self.watching.verify()

    def prove(self) -> None:
        """Have the WAL watch see a commit before it is trusted."""
        if self.off or self.wal.proven or not self.watching.any:
            return
        self.barrier.ask()
        if not self.wal.refused:
            self.wal.prove(self.barrier.ask, lambda: self._tell(self.own, ["~self-test"]))

    def start_anew(self) -> None:
        """In a forked child: keep nothing that belongs to the parent's threads and sockets."""
        self.barrier.start_anew()
        self.flights.start_anew()
        for memory in self._all_memories():
            memory.start_anew()
        self.shared.start_anew()
        self._refreshing = ThreadPoolExecutor(2, thread_name_prefix="buttress-cache-refresh")
        self._housekeeping = Housekeeping(self)
        self._starting, self._started = threading.Lock(), False

    def _disconnected(self) -> None:
        self.wal.disconnected()
        self._housekeeping.hurry()

    def _evicted(self, entry: Entry) -> None:
        self.counters_of(entry.namespace).evictions.add()

    def _all_memories(self) -> list[Memory]:
        return [self._memory, *self._memories.values()]


def _names(one: Any) -> list[str]:
    if isinstance(one, type) and is_watched(one):
        return tables_of(one)
    return [tag(one)]


_caches: weakref.WeakSet[Cache] = weakref.WeakSet()


def _start_anew_in_child() -> None:
    steps.start_anew()
    for cache in list(_caches):
        cache.start_anew()


os.register_at_fork(after_in_child=_start_anew_in_child)

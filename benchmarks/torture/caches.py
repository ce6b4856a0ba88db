"""The layers under test: ours in each mode, and what teams use or write instead."""

from __future__ import annotations

import asyncio
import pickle
import threading
from abc import ABC, abstractmethod
from contextlib import ExitStack, suppress
from typing import Any, ClassVar

import valkey
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from benchmarks.torture.table import Item, Place, Seen, load
from buttress.cache import Cache, cached, rows
from buttress.db.database import Database
from buttress.settings import PoolSettings

TTL_SECONDS = 300


class Layer(ABC):
    """One way to cache `load`, opened in every process of a run."""

    name: ClassVar[str]
    strict: ClassVar[bool] = False
    """Whether a stale read is a defect: true of our modes, but for those named otherwise."""
    servers: ClassVar[bool] = True
    """Whether there are servers to disturb; SQLite has none."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.exits = ExitStack()
        pool = PoolSettings.model_validate({"size": 4, "overflow": 4})
        self.database = Database(place.database_url, pool=pool)
        self.exits.callback(self.database.close)

    @abstractmethod
    def read(self, item: int) -> Seen:
        """Read an item as the app would, outside of a transaction of the caller."""

    @abstractmethod
    def read_within(self, session: Session, item: int) -> Seen:
        """Read an item inside the caller's transaction."""

    def before_commit(self, item: int) -> None:  # noqa: B027  most ask for nothing
        """What the layer asks writers to do before they commit."""

    def after_commit(self, item: int) -> None:  # noqa: B027
        """What the layer asks writers to do after they committed."""

    def close(self) -> None:
        """End what was opened."""
        self.exits.close()


class Usual(Layer):
    """GET, pickle, SET with a time to live, delete after the commit."""

    name = "usual layer"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.client = valkey.Valkey.from_url(place.valkey_url, socket_timeout=1)

    def read(self, item: int) -> Seen:
        with self.database.session(read_only=True) as session:
            return self.read_within(session, item)

    def read_within(self, session: Session, item: int) -> Seen:
        key = f"item:{item}"
        try:
            found = self.client.get(key)
        except valkey.ValkeyError:
            return load(session, item)
        if found is not None:
            kept: Seen = pickle.loads(found)  # type: ignore[arg-type]  # the peer's habit, not ours
            return kept
        value = load(session, item)
        with suppress(valkey.ValkeyError):
            self.client.set(key, pickle.dumps(value), ex=TTL_SECONDS)
        return value

    def after_commit(self, item: int) -> None:
        with suppress(valkey.ValkeyError):
            self.client.delete(f"item:{item}")


class DeleteOnWrite(Usual):
    """The same, with the delete where the write is: before the commit. Known to be broken."""

    name = "delete on write"

    def before_commit(self, item: int) -> None:
        Usual.after_commit(self, item)

    def after_commit(self, item: int) -> None:
        """Nothing: the writer believes it is done."""


class Dogpile(Layer):
    """dogpile.cache on Valkey with its distributed lock."""

    name = "dogpile.cache"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        from dogpile.cache import make_region

        self.region = make_region().configure(
            "dogpile.cache.redis",
            expiration_time=TTL_SECONDS,
            arguments={
                "url": place.valkey_url,
                "distributed_lock": True,
                "thread_local_lock": False,
                "lock_timeout": 5,
            },
        )

    def read(self, item: int) -> Seen:
        with self.database.session(read_only=True) as session:
            return self.read_within(session, item)

    def read_within(self, session: Session, item: int) -> Seen:
        found: Seen = self.region.get_or_create(f"item:{item}", lambda: load(session, item))
        return found

    def after_commit(self, item: int) -> None:
        self.region.delete(f"item:{item}")


class Cashews(Layer):
    """cashews with a lock and tags, on an event loop of its own."""

    name = "cashews"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        from cashews import Cache as CashewsCache
        from cashews.picklers import PicklerType
        from cashews.wrapper import backend_settings

        backend_settings.register_backend(
            "unix",
            backend_settings._redis_fabric,
            pass_uri=True,
            pickler=PicklerType.DEFAULT,
        )
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.exits.callback(lambda: self.loop.call_soon_threadsafe(self.loop.stop))
        self.cache = CashewsCache()
        self.cache.setup(place.valkey_url)
        self.session = threading.local()

        @self.cache(ttl=TTL_SECONDS, key="item:{item}", lock=True, tags=["item:{item}"])
        async def kept(item: int, session: Any = None) -> Seen:
            return await asyncio.to_thread(load, session, item)

        self.kept = kept

    def read(self, item: int) -> Seen:
        with self.database.session(read_only=True) as session:
            return self.read_within(session, item)

    def read_within(self, session: Session, item: int) -> Seen:
        found: Seen = self._wait(self.kept(item, session=session))
        return found

    def after_commit(self, item: int) -> None:
        self._wait(self.cache.delete_tags(f"item:{item}"))

    def _wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)


@cached("torture", tags=[rows(Item, id="item")], ttl_seconds=TTL_SECONDS)
def item_of(session: Session, item: int) -> Seen:
    """The cached read of our sync modes."""
    return load(session, item)


@cached("torture async", tags=[rows(Item, id="item")], ttl_seconds=TTL_SECONDS)
async def item_of_async(session: AsyncSession, item: int) -> Seen:
    """The same on an event loop."""
    return await session.run_sync(load, item)


@cached("torture tables", tags=[Item], ttl_seconds=TTL_SECONDS)
def item_by_table(session: Session, item: int) -> Seen:
    """The same, invalidated by any write to the table."""
    return load(session, item)


@cached("torture bounded", tags=[rows(Item, id="item")], max_staleness_seconds=0.2)
def item_recently(session: Session, item: int) -> Seen:
    """A read that may be 0.2 seconds old, because its declaration says so."""
    return load(session, item)


class Ours(Layer):
    """Buttress: the write-ahead log watched, memory and Valkey."""

    name = "buttress: wal, memory + valkey"
    strict = True
    cached_read: ClassVar[Any] = staticmethod(item_of)
    watches_log = True
    shared = True

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.cache = self.exits.enter_context(
            Cache(
                self.database,
                url=place.valkey_url if self.shared else "",
                data_folder=place.data_folder if self.watches_log else None,
            )
        )

    def read(self, item: int) -> Seen:
        with self.database.session(read_only=True) as session:
            return self.read_within(session, item)

    def read_within(self, session: Session, item: int) -> Seen:
        found: Seen = self.cached_read(session, item)
        return found


class OursInMemory(Ours):
    """The same without Valkey."""

    name = "buttress: wal, memory"
    shared = False


class OursByTable(Ours):
    """The same, told of writes by table."""

    name = "buttress: wal, table tags"
    cached_read = staticmethod(item_by_table)


class OursByBarrier(Ours):
    """One round trip to the server for each read or group of reads: any PostgreSQL."""

    name = "buttress: barrier, memory + valkey"
    watches_log = False


class OursBehindPooler(OursByBarrier):
    """The same with nothing prepared, as behind a transaction pooler."""

    name = "buttress: barrier, unprepared"

    def __init__(self, place: Place) -> None:
        from dataclasses import replace

        super().__init__(replace(place, database_url=f"{place.database_url}&pgbouncer=true"))


class OursAsync(Ours):
    """Coroutines on one event loop, sharing barriers."""

    name = "buttress: wal, async readers"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        thread.start()
        self.exits.callback(thread.join, 5)
        self.exits.callback(lambda: self.loop.call_soon_threadsafe(self.loop.stop))

    def read(self, item: int) -> Seen:
        async def once() -> Seen:
            async with self.database.async_session(read_only=True) as session:
                return await item_of_async(session, item)

        return asyncio.run_coroutine_threadsafe(once(), self.loop).result(60)


class OursOnSQLite(Ours):
    """SQLite as the development backend."""

    name = "buttress: sqlite"
    servers = False


class OursBounded(Ours):
    """Not strict, and named so: values may be 0.2 seconds old."""

    name = "buttress: max_staleness_seconds=0.2"
    strict = False
    cached_read = staticmethod(item_recently)


LAYERS: list[type[Layer]] = [
    Ours,
    OursInMemory,
    OursByTable,
    OursAsync,
    OursByBarrier,
    OursBehindPooler,
    OursOnSQLite,
    OursBounded,
    Usual,
    Dogpile,
    Cashews,
    DeleteOnWrite,
]

"""A table, cached functions over it and the ways to change it, for the tests of the cache."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from sqlalchemy import ForeignKey, MetaData, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from buttress.cache import Cache, cached, install, rows, watches
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.url import parse_database_url
from buttress.settings import CacheSettings


class Table(DeclarativeBase):
    metadata = MetaData()


class Shop(Table):
    __tablename__ = "cw_shop"
    __cache_tags__ = ()
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Price(Table):
    __tablename__ = "cw_price"
    __cache_tags__ = ("shop_id", ("shop_id", "sku"))
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("cw_shop.id", ondelete="CASCADE"))
    sku: Mapped[str]
    cents: Mapped[int]


class Stray(Table):
    __tablename__ = "cw_stray"
    id: Mapped[int] = mapped_column(primary_key=True)


class Line(msgspec.Struct, frozen=True):
    sku: str
    cents: int


@dataclass
class Computed:
    """How often each cached function ran."""

    times: dict[str, int] = field(default_factory=dict)

    def __call__(self, name: str) -> None:
        self.times[name] = self.times.get(name, 0) + 1

    def __getitem__(self, name: str) -> int:
        return self.times.get(name, 0)


computed = Computed()


@cached("total", tags=[Price])
def total(session: Session) -> int:
    """The sum of all prices."""
    computed("total")
    return session.scalar(select(func.coalesce(func.sum(Price.cents), 0))) or 0


@cached("prices", tags=[rows(Price, "shop_id")])
def prices(session: Session, shop_id: int) -> list[Line]:
    """What a shop sells."""
    computed(f"prices {shop_id}")
    found = session.execute(
        select(Price.sku, Price.cents).where(Price.shop_id == shop_id).order_by(Price.id)
    )
    return [Line(sku, cents) for sku, cents in found]


@cached("total", tags=[Price])
async def total_async(session: AsyncSession) -> int:
    """The same sum for a coroutine."""
    computed("total_async")
    return await session.scalar(select(func.coalesce(func.sum(Price.cents), 0))) or 0


@cached("shops", tags=[Shop])
def shops(session: Session) -> list[str]:
    """The names of all shops."""
    computed("shops")
    return list(session.scalars(select(Shop.name).order_by(Shop.id)))


@dataclass
class World:
    """A database with the tables, two roles, and a cache over it."""

    owner: Database
    app: Database
    cache: Cache

    @contextmanager
    def psql(self, autocommit: bool = True) -> Iterator[psycopg.Connection]:
        """A program that knows nothing of Buttress."""
        conninfo = parse_database_url(str(self.owner.url.conninfo)).conninfo
        with psycopg.connect(conninfo, autocommit=autocommit) as connection:
            yield connection

    def write(self, statement: str) -> None:
        """One committed statement from outside."""
        with self.psql() as connection:
            connection.execute(statement)

    def total(self) -> int:
        """The sum through the cache, in a new session."""
        with self.app.session() as session:
            return total(session)

    def prices(self, shop_id: int) -> list[Line]:
        """The prices through the cache, in a new session."""
        with self.app.session() as session:
            return prices(session, shop_id)

    def arm(self) -> None:
        """Read until a hit needs no round trip."""
        for _ in range(200):
            if self.cache.wal.armed() is not None:
                return
            self.cache.barrier.ask()
        raise AssertionError(self.cache.explain())

    def another_cache(self, url: str = "") -> Cache:
        """A second cache of this process, as another process would have it."""
        return Cache(self.app, url=url)


@contextmanager
def databases(servers: Servers) -> Iterator[tuple[Database, Database]]:
    """A new database in these servers, as its owner and as the apps connect to it."""
    name = f"test_cache_{secrets.token_hex(6)}"
    administrator = servers.postgres_url("postgres", "postgres")
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(f"create database {name} owner buttress_owner strategy file_copy")
    owner = Database(servers.postgres_url("owner", name))
    app = Database(servers.postgres_url("app", name))
    try:
        Table.metadata.create_all(owner.engine)
        install(owner, mine())
        yield owner, app
    finally:
        app.close()
        owner.close()
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)")


@contextmanager
def fresh(
    owner: Database,
    app: Database,
    *,
    url: str = "",
    data_folder: Path | None = None,
    memory_bytes: int = 10**7,
) -> Iterator[World]:
    """10 + 20 cents in shop 1 and 30 in shop 2, and a new cache."""
    with owner.connection() as connection:
        connection.exec_driver_sql(
            "truncate cw_shop cascade; insert into cw_shop values (1, 'one'), (2, 'two');"
            "insert into cw_price values (1, 1, 's1', 10), (2, 1, 's2', 20), (3, 2, 's3', 30)"
        )
    computed.times.clear()
    settings = CacheSettings(memory_bytes=memory_bytes)
    with Cache(app, url=url, settings=settings, data_folder=data_folder) as cache:
        yield World(owner, app, cache)


@contextmanager
def world(servers: Servers, **options: Any) -> Iterator[World]:
    """Both, for one test."""
    with databases(servers) as (owner, app), fresh(owner, app, **options) as opened:
        yield opened


def mine() -> list:
    """The watched tables of this module."""
    return [watch for watch in watches() if watch.table.startswith("cw_")]


def count(connection: psycopg.Connection, statement: str = "") -> int:
    """How many changes the log holds, or another number."""
    row = connection.execute(statement or "select count(*) from buttress_cache_change").fetchone()
    assert row is not None
    return row[0]


__all__ = ["Price", "Shop", "Stray", "Table", "World", "computed", "text", "world"]

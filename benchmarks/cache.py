"""P4: what a read through the cache costs, beside the usual layer and others, and what writers pay."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import pickle
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import psycopg
import valkey
from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from benchmarks.move import fresh
from buttress import Base
from buttress.cache import Cache, cached, install, rows, watches
from buttress.db.database import Database
from buttress.db.embedded import Servers

CONVERSATION = 7
MESSAGES = 50
CALLS = 2000
WRITE_SECONDS = 1.5
READERS = 200


class Message(Base):
    """A message of a conversation, tagged by conversation."""

    __tablename__ = "bench_message"
    __cache_tags__ = ("conversation_id",)

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(index=True)
    author: Mapped[str]
    text: Mapped[str]
    at: Mapped[dt.datetime]


class ByTable(Base):
    """Rows told of by table alone."""

    __tablename__ = "bench_by_table"
    __cache_tags__ = ()

    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int]


class ByRow(Base):
    """Rows told of one by one."""

    __tablename__ = "bench_by_row"
    __cache_tags__ = ("id",)

    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int]


class Plain(Base):
    """Rows nobody is told of."""

    __tablename__ = "bench_plain"

    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int]


class Line(msgspec.Struct, frozen=True):
    """A message as pages show it."""

    id: int
    author: str
    text: str
    at: dt.datetime


def load(session: Session, conversation_id: int) -> list[Line]:
    """The messages of a conversation, from the database."""
    statement = select(Message).where(Message.conversation_id == conversation_id)
    return [
        Line(message.id, message.author, message.text, message.at)
        for message in session.scalars(statement.order_by(Message.id))
    ]


@cached("bench messages", tags=[rows(Message, "conversation_id")])
def messages(session: Session, conversation_id: int) -> list[Line]:
    """The same through the cache."""
    return load(session, conversation_id)


@cached("bench messages async", tags=[rows(Message, "conversation_id")])
async def messages_async(conversation_id: int) -> list[Line]:
    """The same for coroutines; it is only ever hit here."""
    assert _database is not None
    async with _database.async_session(read_only=True) as session:
        return await session.run_sync(load, conversation_id)


_database: Database | None = None


def lines(servers: Servers, quick: bool) -> list[str]:
    """The tables of this part, in Markdown."""
    calls = CALLS // 10 if quick else CALLS
    with fresh(servers, "bench_cache") as owner_url:
        _prepare(owner_url)
        return [
            "## A cached read",
            "",
            f"{MESSAGES} messages of a conversation (id, author, text, time), {calls:,} calls each, medians of "
            "alternating rounds; servers on unix sockets.",
            "",
            "| read | time | strict | usual layer ÷ this |",
            "| --- | --- | --- | --- |",
            *_reads(servers, owner_url, calls),
            "",
            f"{READERS} coroutines reading at once in one process, every read validated:",
            "",
            "| mode | reads a second |",
            "| --- | --- |",
            *_concurrent(servers, owner_url, quick),
            "",
            "## What writers pay",
            "",
            "Single-row updates, each a durable commit, alternating rounds; commits a second relative to a "
            "table without triggers.",
            "",
            "| table | 1 client | 4 clients |",
            "| --- | --- | --- |",
            *_writes(owner_url, 0.3 if quick else WRITE_SECONDS),
            "",
        ]


def _prepare(url: str) -> None:
    database = Database(url)
    with database.connection() as connection:
        Base.metadata.create_all(
            connection, tables=[model.metadata.tables[model.__tablename__] for model in MODELS]
        )
    with database.session() as session:
        session.add_all(
            Message(
                conversation_id=conversation,
                author="user" if number % 2 else "assistant",
                text=f"message {number}: " + "the quick brown fox jumps over the lazy dog " * 5,
                at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=number),
            )
            for conversation in range(20)
            for number in range(MESSAGES)
        )
        for model in (ByTable, ByRow, Plain):
            session.add_all(model(id=number, value=0) for number in range(1000))
    install(database, [watch for watch in watches() if watch.table.startswith("bench_")])
    database.close()


MODELS = (Message, ByTable, ByRow, Plain)


def _reads(servers: Servers, url: str, calls: int) -> list[str]:
    database = Database(url)
    with ExitStack() as stack:
        stack.callback(database.close)
        opened: list[Cache] = []
        client = valkey.Valkey.from_url(servers.valkey_url)
        session = stack.enter_context(
            Session(database.engine.execution_options(**database.backend.read_only))
        )
        ways: dict[str, tuple[str, Callable[[], object]]] = {
            "Buttress, hit in memory": ("yes", lambda: messages(session, CONVERSATION)),
            "Buttress, hit in Valkey": ("yes", lambda: _from_shared(opened[-1], session)),
            "usual layer: md5, GET, pickle": ("no", lambda: _usual(client, session)),
            "the query itself": ("yes", lambda: _uncached(session)),
        }
        dogpile = _dogpile(servers, session)
        if dogpile is not None:
            ways["dogpile.cache on Valkey"] = ("no", dogpile)
        found: dict[str, list[float]] = {name: [] for name in ways}
        found["Buttress, hit in memory, one round trip to PostgreSQL"] = []
        for _ in range(3):
            with Cache(database, url=servers.valkey_url, data_folder=_data(servers)) as watching:
                opened.append(watching)
                _arm(session)
                for name, (_, call) in ways.items():
                    few = (
                        calls // 10
                        if name in ("the query itself", "Buttress, hit in Valkey")
                        else calls
                    )
                    found[name].append(_time(call, few))
                mode = watching.explain().mode
            with Cache(database, url=servers.valkey_url):
                messages(session, CONVERSATION)
                session.rollback()
                found["Buttress, hit in memory, one round trip to PostgreSQL"].append(
                    _time(lambda: messages(session, CONVERSATION), calls)
                )
        usual = statistics.median(found["usual layer: md5, GET, pickle"])
    strict = {name: kind for name, (kind, _) in ways.items()}
    notes = {"Buttress, hit in memory": f" ({mode} mode)"}
    return [
        f"| {name}{notes.get(name, '')} | {statistics.median(times) * 1e6:,.1f} µs | "
        f"{strict.get(name, 'yes')} | {usual / statistics.median(times):,.1f}× |"
        for name, times in sorted(found.items(), key=lambda item: statistics.median(item[1]))
    ]


def _time(call: Callable[[], object], calls: int) -> float:
    """Seconds a call."""
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - began) / calls


def _arm(session: Session) -> None:
    """Fill the cache and read until the log is quiet and watched."""
    for _ in range(50):
        messages(session, CONVERSATION)
        session.rollback()
        time.sleep(0.01)


def _from_shared(cache: Cache, session: Session) -> object:
    cache._memory.clear()
    return messages(session, CONVERSATION)


def _usual(client: valkey.Valkey, session: Session) -> object:
    key = hashlib.md5(f"messages:{CONVERSATION}".encode()).hexdigest()
    found = client.get(key)
    if found is None:
        value = load(session, CONVERSATION)
        session.rollback()
        client.setex(key, 1800, pickle.dumps(value))
        return value
    return pickle.loads(found)  # type: ignore[arg-type]  # the peer's habit, not ours


def _uncached(session: Session) -> object:
    value = load(session, CONVERSATION)
    session.rollback()
    session.expunge_all()
    return value


def _dogpile(servers: Servers, session: Session) -> Callable[[], object] | None:
    try:
        from dogpile.cache import make_region
    except ImportError:
        return None
    region = make_region().configure(
        "dogpile.cache.redis",
        expiration_time=1800,
        arguments={"url": servers.valkey_url, "distributed_lock": True, "thread_local_lock": False},
    )

    def read() -> object:
        return region.get_or_create("messages:7", lambda: load(session, CONVERSATION))

    return read


def _concurrent(servers: Servers, url: str, quick: bool) -> list[str]:
    global _database
    found = []
    for name, folder in (
        ("log watched", _data(servers)),
        ("barriers shared by all who wait", None),
    ):
        _database = Database(url)
        with Cache(_database, data_folder=folder):
            rate = asyncio.run(_read_together(0.3 if quick else 2.0))
        _database.close()
        found.append(f"| {name} | {rate:,.0f} |")
    return found


async def _read_together(seconds: float) -> float:
    assert _database is not None
    for _ in range(20):
        await messages_async(CONVERSATION)
        await asyncio.sleep(0.01)
    reads, stop = 0, time.monotonic() + seconds

    async def read() -> None:
        nonlocal reads
        while time.monotonic() < stop:
            await messages_async(CONVERSATION)
            reads += 1
            if not reads % 50:
                await asyncio.sleep(0)

    began = time.monotonic()
    await asyncio.gather(*(read() for _ in range(READERS)))
    rate = reads / (time.monotonic() - began)
    await _database.aclose()
    return rate


def _writes(url: str, seconds: float) -> list[str]:
    tables = {
        "bench_plain": "no triggers",
        "bench_by_table": "table tags",
        "bench_by_row": "row tags",
    }
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(3):
        for clients in (1, 4):
            for table in tables:
                rates.setdefault((table, clients), []).append(
                    _commits(url, table, clients, seconds)
                )
    found = []
    for table, name in tables.items():
        cells = []
        for clients in (1, 4):
            ours = statistics.median(rates[table, clients])
            plain = statistics.median(rates["bench_plain", clients])
            cells.append(f"{ours:,.0f}/s, {ours / plain:.2f}×")
        found.append(f"| {name} | {' | '.join(cells)} |")
    return found


def _commits(url: str, table: str, clients: int, seconds: float) -> float:
    done = [0] * clients

    def write(client: int) -> None:
        with psycopg.connect(url, autocommit=True, prepare_threshold=0) as connection:
            stop, number = time.monotonic() + seconds, client
            while time.monotonic() < stop:
                connection.execute(
                    f"update {table} set value = value + 1 where id = %s", [number % 1000]
                )
                number += clients
                done[client] += 1

    threads = [threading.Thread(target=write, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / seconds


def _data(servers: Servers) -> Path:
    return next(servers.home.glob("**/global/pg_control")).parent.parent

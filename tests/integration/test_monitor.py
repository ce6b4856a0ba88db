"""The monitor on real databases: what it names, what it never keeps, how much memory it takes."""

import asyncio
import inspect
import os
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import ForeignKey, insert, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from buttress import telemetry
from buttress.db.database import Database
from buttress.db.monitor import summary
from buttress.db.monitor.monitor import Monitor
from buttress.db.monitor.prometheus import MonitorCollector
from buttress.db.monitor.slot import Slot, pack
from buttress.db.monitor.statement import READ_CHARACTERS
from buttress.telemetry import entering, timed
from buttress.telemetry.metrics import page

HERE = "tests/integration/test_monitor.py"
SECRET = "correct-horse-battery"


class Table(DeclarativeBase):
    pass


class Shelf(Table):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list["Book"]] = relationship()


class Book(Table):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))
    title: Mapped[str] = mapped_column(default="")


@pytest.fixture(params=["database_url", "sqlite_url"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    database = Database(request.getfixturevalue(request.param))
    with database.connection() as connection:
        Table.metadata.create_all(connection)
        connection.execute(insert(Shelf), [{"id": number} for number in range(30)])
        connection.execute(insert(Book), [{"id": n, "shelf_id": n, "title": ""} for n in range(30)])
    yield database
    database.close()


@pytest.fixture
def monitor(database: Database) -> Monitor:
    monitor = Monitor(slow_seconds=0.2)
    monitor.watch(database)
    return monitor


def line_here(offset: int = 0) -> str:
    """The place of the caller's line, as the monitor writes it."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    caller = frame.f_back
    return f"{HERE}:{caller.f_lineno + offset} in {caller.f_code.co_name}"


def counted(slot: Slot, beginning: str) -> dict[str, int]:
    """Executions of statements that begin so, by caller."""
    found: dict[str, int] = {}
    for series, tally in slot.tallies.values():
        if series.statement.text.startswith(beginning):
            found[series.caller] = found.get(series.caller, 0) + tally.count
    return found


def test_a_seeded_n_plus_one_is_named_by_its_line(database, monitor):
    with database.session() as session:
        for shelf in session.scalars(select(Shelf)):
            line = line_here(offset=1)
            assert len(shelf.books) == 1

    [found] = monitor.window(60).repeated.values()
    assert found.series.caller == line
    assert (found.most, found.times) == (30, 1)
    assert "FROM book" in found.series.statement.text
    assert f"30 times, 1×: {line}" in monitor.report()


def test_ten_times_the_same_is_not_yet_repeated_and_new_sessions_begin_anew(database, monitor):
    for _ in range(3):
        with database.session() as session:
            for number in range(10):
                session.execute(text("SELECT :number"), {"number": number})
    assert monitor.window(60).repeated == {}


def test_a_request_of_many_sessions_is_one_place_to_repeat_in(database, monitor):
    with entering("route", "GET /shelves"):
        for number in range(12):
            with database.session() as session:
                session.execute(select(Shelf).where(Shelf.id == number))
    [found] = monitor.window(60).repeated.values()
    assert (found.most, found.series.place) == (12, "route GET /shelves")


def test_many_rows_in_one_statement_are_not_repeated(database, monitor):
    with database.connection() as connection:
        rows = [{"id": number, "title": "x"} for number in range(1000, 4000)]
        connection.execute(insert(Book).values(shelf_id=1), rows)
    assert monitor.window(60).repeated == {}
    assert sum(counted(monitor.window(60), "INSERT INTO book").values()) >= 1


def test_a_seeded_slow_statement_is_named_by_its_line(database_url):
    database, monitor = Database(database_url), Monitor(slow_seconds=0.2)
    monitor.watch(database)
    with entering("page", "reports"), database.session() as session:
        line = line_here(offset=1)
        session.execute(text("SELECT pg_sleep(:time)"), {"time": 0.25})
        session.execute(text("SELECT 1"))
    database.close()

    [slow] = monitor.window(60).slow
    assert slow.series.caller == line
    assert slow.series.place == "page reports"
    assert 0.25e9 <= slow.nanoseconds < 2e9
    assert time.time() - 60 < slow.at <= time.time()
    assert slow.parameters == "time=float"
    text_of_it = monitor.report()
    assert f"{line} in page reports" in text_of_it
    assert "SELECT pg_sleep(?)" in text_of_it


def test_every_door_is_counted_with_its_line(database, monitor):
    with database.session() as session:
        lines = [line_here(offset=1)]
        session.execute(text("SELECT 10"))
        lines.append(line_here(offset=1))
        session.connection().exec_driver_sql("SELECT 11")

    async def in_a_coroutine() -> None:
        async with database.async_session(read_only=True) as session:
            lines.append(line_here(offset=1))
            await session.execute(text("SELECT 12"))
        await database.aclose()

    asyncio.run(in_a_coroutine())

    def in_a_thread() -> None:
        with database.session() as session:
            lines.append(line_here(offset=1))
            session.scalar(text("SELECT 13"))

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    assert counted(monitor.window(60), "SELECT ?") == dict.fromkeys(lines, 1)


def test_no_execution_is_lost_between_threads(database_url):
    database, monitor = Database(database_url), Monitor()
    monitor.watch(database)

    def work() -> None:
        with database.connection() as connection:
            for _ in range(500):
                connection.execute(text("SELECT 1"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    assert sum(counted(monitor.window(60), "SELECT ?").values()) == 2_000


def test_kinds_rows_and_errors_are_counted(database, monitor):
    with database.connection() as connection:
        connection.execute(text("UPDATE book SET title = 'x' WHERE id < 3"))
        connection.execute(text("DELETE FROM book WHERE id = 29"))
    with pytest.raises(Exception, match="nowhere"), database.session() as session:
        session.execute(text("SELECT * FROM nowhere"))

    by_kind = {line.name: line for line in summary.kinds(monitor.window(60))}
    assert (by_kind["update"].rows, by_kind["delete"].rows) == (3, 1)
    assert (by_kind["select"].errors, by_kind["select"].success) == (1, 0.0)
    [name] = summary.errors(monitor.window(60))
    assert name in ("UndefinedTable", "OperationalError")


def test_no_value_is_ever_kept(database, monitor):
    monitor._slow_ns = 0
    monitor._start_empty()  # from now on everything is slow, and listed with its parameters
    with database.session() as session:
        session.execute(text("SELECT :x"), {"x": SECRET})
        session.execute(text(f"SELECT '{SECRET}' -- {SECRET}"))
        session.connection().exec_driver_sql(f"SELECT '{SECRET}', 'it''s {SECRET}'")
        session.add(Book(id=900, shelf_id=1, title=SECRET))
        session.flush()
        for _ in range(12):
            session.scalars(select(Book.id).where(Book.title == SECRET)).all()
    with pytest.raises(Exception, match="nowhere"), database.session() as session:
        session.execute(text("SELECT * FROM nowhere WHERE a = :x"), {"x": SECRET})

    slot = monitor.window(60)
    assert len(slot.slow) > 15
    assert len(slot.repeated) == 1
    outputs = [monitor.report(), repr(slot), page([MonitorCollector(monitor)])]
    assert not any(SECRET in output for output in outputs)
    assert SECRET.encode() not in zlib.decompress(pack(slot))
    assert "str(21)" in outputs[0]


def test_memory_stays_bounded_after_100_000_distinct_statements():
    class Context:
        compiled = None
        execute_style = None
        root_connection: Any

    class Cursor:
        rowcount = 1

    context, cursor, monitor = Context(), Cursor(), Monitor()
    context.root_connection = Context()
    before = psutil.Process().memory_info().rss
    minute, at = 60_000_000_000, time.perf_counter_ns()

    def nested(depth: int, sql: str, ended: int) -> None:
        if depth:
            nested(depth - 1, sql, ended)
        else:
            monitor.record(ended - 1_000_000, ended, cursor, sql, None, context, None)

    for number in range(100_000):
        nested(4, f"SELECT column_{number:x} FROM t", at + number // 20_000 * minute)
    monitor.count()
    monitor._ring.settle()
    grown = psutil.Process().memory_info().rss - before

    assert len(monitor._live.tallies) <= 1_007
    print(f"{grown / 1e6:.1f} MB, packed {monitor._ring.packed_bytes / 1e6:.1f} MB")
    assert grown < 30_000_000
    forever = monitor.since_start()
    assert sum(tally.count for _, tally in forever.tallies.values()) == 100_000


def test_statements_of_a_megabyte_are_not_kept_until_they_are_counted(database, monitor):
    with database.connection() as connection:
        for number in range(40):
            connection.exec_driver_sql(f"SELECT length('{'a' * 1_000_000}{number}')")

    kept = [len(note[2]) for note in monitor._notes]
    assert len(kept) >= 40
    assert max(kept) == READ_CHARACTERS
    assert sum(counted(monitor.window(60), "SELECT length(?").values()) == 40


def test_windows_know_minutes_then_five_minutes(database, monitor):
    with database.session() as session:
        session.execute(text("SELECT 1"))
    monitor.count()
    old, shift = monitor._live, 2 * 3600 - 600
    monitor._ring.add(Slot(old.start - 600, 60, dict(old.tallies)))
    for minutes in range(80, 200):
        monitor._ring.add(Slot(old.start - minutes * 60, 60, dict(old.tallies)))

    def selects(seconds: float) -> int:
        return sum(counted(monitor.window(seconds), "SELECT").values())

    assert selects(30) == 1
    assert selects(1_200) == 2
    assert selects(shift) > 20
    assert selects(6 * 3600) == 122


def test_timed_work_is_counted_sync_and_async(database, monitor):
    @timed("PDF processing")
    def read(number: int) -> int:
        return 10 // number

    @timed("answering")
    async def answer() -> str:
        await asyncio.sleep(0.01)
        return "yes"

    telemetry.listeners.append(monitor.record_work)
    try:
        assert read(2) == 5
        with pytest.raises(ZeroDivisionError):
            read(0)
        assert asyncio.run(answer()) == "yes"
        with monitor.track("fetch users"):
            pass
    finally:
        telemetry.listeners.remove(monitor.record_work)
    read(5)  # nobody listens any more

    work = {line.name: line for line in summary.work(monitor.window(60))}
    assert (work["PDF processing"].count, work["PDF processing"].success) == (2, 0.5)
    assert work["answering"].average >= 10
    assert work["fetch users"].count == 1


def test_a_forked_child_starts_empty(database, monitor):
    with database.session() as session:
        session.execute(text("SELECT 1"))
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        slot = monitor.window(60)
        os.write(theirs, b"empty" if not slot.tallies else b"full")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(ours, 10) == b"empty"
    assert monitor.window(60).tallies


def test_prometheus_reads_histograms_by_kind_and_place(database, monitor):
    with entering("route", "GET /shelves"), database.session() as session:
        session.execute(select(Shelf.id))
    text_of_it = page([MonitorCollector(monitor)])
    assert (
        'buttress_statement_seconds_count{kind="select",place="route GET /shelves"} 1.0'
        in text_of_it
    )
    assert "buttress_pool_connections_limit 50.0" in text_of_it
    assert Path(HERE).name not in text_of_it

"""Roll-ups of several processes, and everything that shows what the monitor knows."""

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError
from streamlit.testing.v1 import AppTest

from buttress.access import acting
from buttress.api.app import create_api
from buttress.cli.stats import window_seconds
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.migrations import upgrade
from buttress.db.monitor import rollups, summary, watching
from buttress.db.monitor.facts import of_deployment
from buttress.db.monitor.monitor import Monitor
from buttress.db.monitor.report import report
from buttress.db.monitor.rollups import QueryRollup
from buttress.db.monitor.slot import Slot, pack, unpack
from buttress.db.monitor.writer import Writer
from buttress.db.url import parse_database_url
from buttress.errors import BadInput, ButtressError
from buttress.runtime import Runtime
from buttress.settings import MonitorSettings, Settings
from buttress.testing import someone
from buttress.ui.current import serve


@pytest.fixture(params=["database_url", "sqlite_url"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated database."""
    with closing(Database(request.getfixturevalue(request.param))) as database:
        upgrade(database, [])
        yield database


@pytest.fixture
def settings(database_url: str, servers: Servers, tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None,
        database_url=database_url,
        redis_url=servers.valkey_url,
        home=tmp_path,
        monitor=MonitorSettings(slow_seconds=0.5),
    )


def watched(database: Database) -> Monitor:
    monitor = Monitor(slow_seconds=0.1)
    monitor.watch(database)
    return monitor


def ask_twice(database: Database) -> None:
    with database.session() as session:
        session.execute(text("SELECT 1"))
        session.execute(text("SELECT 2"))


def now_slot(database: Database) -> Slot:
    now = time.time()
    return rollups.read(database, now - 3600, now).slot


def executions(slot: Slot, beginning: str) -> int:
    tallies = slot.tallies.values()
    return sum(t.count for s, t in tallies if s.statement.text.startswith(beginning))


def test_a_process_makes_old_rollups_coarser(database):
    writer = Writer(watched(database), database.url, every_seconds=60)
    with closing(writer.database):
        writer.compact()


PROGRAM = """
import sys
from buttress.db.database import Database
from buttress.db.monitor.monitor import Monitor
from buttress.db.monitor.writer import Writer
from sqlalchemy import text
database, monitor = Database(sys.argv[1]), Monitor()
monitor.watch(database)
for _ in range(3):
    with database.session() as session:
        session.execute(text("SELECT 7"))
writer = Writer(monitor, database.url, every_seconds=60)
writer.flush(); writer.flush()  # the same again
writer.database.close(); database.close()
"""


def test_what_two_processes_write_adds_up(database):
    url = f"sqlite:///{database.url.path}" if database.url.path else database.url.conninfo
    both = [subprocess.Popen([sys.executable, "-c", PROGRAM, url]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]

    now = time.time()
    recorded = rollups.read(database, now - 3600, now)
    assert executions(recorded.slot, "SELECT ?") == 6
    assert len(recorded.processes) == 2
    assert recorded.pool.limit == 100
    assert recorded.age_seconds is not None
    assert 0 <= recorded.age_seconds < 60


def test_this_hour_beside_the_same_hour_yesterday(database):
    monitor = watched(database)
    ask_twice(database)
    today = monitor.window(300)
    now = time.time()
    yesterday = Slot(now - 86_400 - 600, 300, dict(today.tallies))
    with database.connection() as connection:
        rollups.write(connection, "one", Slot(now - 600, 300, dict(today.tallies)))
        rollups.write(connection, "two", Slot(now - 900, 300, dict(today.tallies)))
        rollups.write(connection, "one", yesterday)

    facts = of_deployment(database, 3600)

    assert facts.before is not None
    assert executions(facts.slot, "SELECT ?") == 4
    assert executions(facts.before, "SELECT ?") == 2
    assert "(then " in report(facts)
    [grown] = [one for one in summary.compare(facts.slot, facts.before) if one.name == "SELECT ?"]
    assert grown.more > 0


def test_old_roll_ups_become_hours_and_then_go(database):
    monitor = watched(database)
    ask_twice(database)
    tallies = dict(monitor.window(300).tallies)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
    ancient = hour - timedelta(days=40)
    with database.connection() as connection:
        for minutes in (0, 5, 55):
            start = (hour + timedelta(minutes=minutes)).timestamp()
            rollups.write(connection, "one", Slot(start, 300, dict(tallies)))
            rollups.write(connection, "two", Slot(start, 300, dict(tallies)))
        rollups.write(connection, "one", Slot(ancient.timestamp(), 300, dict(tallies)))
    with database.connection() as connection:
        rollups.compact(connection)
        rollups.compact(connection)

    with database.session() as session:
        [row] = session.scalars(select(QueryRollup))
        assert (row.start, row.seconds) == (hour, 3600)
        assert executions(unpack(row.payload), "SELECT ?") == 12


def test_the_thread_writes_and_stops(database):
    monitor = watched(database)
    writer = Writer(monitor, database.url, every_seconds=0.05)
    writer.start()
    ask_twice(database)
    until = time.monotonic() + 10
    while executions(now_slot(database), "SELECT ?") < 2 and time.monotonic() < until:
        time.sleep(0.05)
    writer.stop()
    assert executions(now_slot(database), "SELECT ?") == 2


@pytest.mark.parametrize("broken", ["no table", "no server", "no server at all"])
def test_a_writer_that_cannot_write_disturbs_nobody(broken, database_url, caplog):
    caplog.set_level(logging.INFO)
    url = parse_database_url(
        {
            "no table": database_url,
            "no server": "postgresql://nobody@127.0.0.1:1/nothing",
            "no server at all": "postgresql://nobody@/nothing?host=/nowhere",
        }[broken]
    )
    with closing(Database(database_url)) as database:
        monitor = watched(database)
        writer = Writer(monitor, url, every_seconds=0.02)
        writer.start()
        for _ in range(20):
            ask_twice(database)
            time.sleep(0.01)
        with pytest.raises((ButtressError, SQLAlchemyError)):
            writer.flush()
        began = time.monotonic()
        writer.stop()
        assert time.monotonic() - began < 5
        assert executions(monitor.window(300), "SELECT ?") == 40
        assert database.executions.failures == 0
    assert caplog.text.count("query roll-ups are not written") == 1
    assert "Traceback" not in caplog.text


def test_a_damaged_row_is_left_out(database):
    monitor = watched(database)
    ask_twice(database)
    now = time.time()
    with database.connection() as connection:
        rollups.write(connection, "one", Slot(now, 300, dict(monitor.window(300).tallies)))
    with database.session() as session:
        damaged = QueryRollup(
            start=datetime.now(UTC), seconds=300, process="two", written_at=datetime.now(UTC),
            version=1, payload=b"nonsense",
        )  # fmt: skip
        session.add(damaged)
    assert executions(now_slot(database), "SELECT ?") == 2


def test_packing_a_slot_keeps_all_of_it(database):
    monitor = watched(database)
    with database.session() as session:
        for _ in range(12):
            session.execute(text("SELECT 1"))
    slot = monitor.window(300)
    again = unpack(pack(slot))
    assert report_of(again) == report_of(slot)
    assert again.repeated.keys() == slot.repeated.keys()


def report_of(slot: Slot) -> list[summary.Line]:
    return summary.statements(slot) + summary.callers(slot)


@pytest.mark.slow
def test_stats_prints_what_other_processes_wrote(settings, monkeypatch):
    monkeypatch.setattr(watching, "EVERY_SECONDS", 0.5)
    with Runtime(settings) as runtime:
        upgrade(runtime.owner_database, [])
        with runtime.session() as session:
            session.execute(text("SELECT pg_sleep(0.6)"))
            for _ in range(11):
                session.execute(text("SELECT count(*) FROM buttress_query_rollup"))
        time.sleep(2)
        monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
        monkeypatch.setenv("REDIS_URL", settings.redis_url.get_secret_value())
        monkeypatch.setenv("BUTTRESS_HOME", str(settings.home))
        command = [sys.executable, "-m", "buttress", "stats", "--window", "15m"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        as_json = subprocess.run(
            [*command, "--json"], check=True, capture_output=True, text=True, timeout=60
        )

    lines = printed.stdout.splitlines()
    assert lines[0].startswith("Queries of the last 15 min, 1 running process, written ")
    assert lines[1] == "Status: healthy"
    assert "11 times, 1×: tests/integration/test_monitor_deployment.py:" in printed.stdout
    assert "SELECT pg_sleep(?)" in printed.stdout
    assert "server: " in printed.stdout
    assert "in the database" in printed.stdout  # joined with pg_stat_statements
    document = json.loads(as_json.stdout)
    assert document["slow_count"] == 1
    assert document["slow"][0]["series"]["statement"]["text"] == "SELECT pg_sleep(?)"


@pytest.mark.parametrize("window", ["", "0m", "1", "h", "-1h", "1w"])
def test_a_window_that_is_none_is_refused(window):
    with pytest.raises(BadInput):
        window_seconds(window)


def get(runtime: Runtime, *paths: str) -> list[httpx.Response]:
    async def send() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=create_api(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(send())


def test_metrics_name_the_route(settings):
    with Runtime(settings) as runtime:
        upgrade(runtime.owner_database, runtime.migrations)
        with acting(someone("viewer")):
            ready, metrics = get(runtime, "/health/ready", "/metrics")
    assert ready.status_code == 200
    assert metrics.headers["content-type"].startswith("text/plain")
    assert 'kind="select",place="route GET /health/ready"' in metrics.text


def test_metrics_want_a_sign_in_unless_told_otherwise(settings):
    asked = settings.model_copy(update={"monitor": MonitorSettings(metrics=True)})
    with Runtime(settings) as runtime:
        [answer] = get(runtime, "/metrics")
    with Runtime(asked) as runtime:
        [served] = get(runtime, "/metrics")
    assert (answer.status_code, served.status_code) == (401, 200)


def test_the_page_shows_statements_and_repetitions(settings):
    def page() -> None:
        from buttress.ui import queries

        queries.show()

    with Runtime(settings) as runtime:
        serve(runtime)
        with runtime.session() as session:
            for _ in range(12):
                session.execute(text("SELECT 1"))
            session.execute(text("SELECT pg_sleep(0.6)"))
        shown = AppTest.from_function(page, default_timeout=30).run()
    assert not shown.exception
    assert [title.value for title in shown.subheader] == [
        "Repeated within one request or session",
        "Recent slow statements",
    ]
    assert list(shown.dataframe[1].value["Statement"]) == ["SELECT pg_sleep(?)"]


def test_a_runtime_leaves_nothing_behind(settings):
    from buttress import telemetry

    before = (len(telemetry.listeners), len(telemetry.collectors))
    with pytest.raises(ButtressError), Runtime(settings):
        raise BadInput("something")
    assert (len(telemetry.listeners), len(telemetry.collectors)) == before

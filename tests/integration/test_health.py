"""Health on real servers: frozen, stopped, away, not migrated, and asked a thousand times a second."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import anyio
import anyio.to_thread
import httpx
import psycopg
import pytest
from fastapi import FastAPI
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import text

from buttress.api import health_flask
from buttress.api.app import create_api
from buttress.api.health import router
from buttress.app import App
from buttress.cache.stats import CacheStats, NamespaceStats
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.monitor.slot import Series, Slot
from buttress.db.monitor.statement import Statement
from buttress.deployment import prepare
from buttress.errors import Unavailable
from buttress.health import Check, Health, measures
from buttress.health.finding import Answer
from buttress.health.line import Line
from buttress.health.machine import Usage, memory
from buttress.health.responses import Responses
from buttress.health.watched import Watched, ask_all
from buttress.runtime import Runtime
from buttress.settings import HealthSettings, Settings, TimeoutSettings
from own_server import OwnServer, own_server

CANARY = "hunter2-canary"
PATHS = ["/health", "/health/live", "/health/ready", "/health/database", "/health/cache"]


@pytest.fixture
def settings(database_url: str, servers: Servers, tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None, database_url=database_url, redis_url=servers.valkey_url, home=tmp_path
    )


@pytest.fixture(scope="module")
def opened(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A migrated deployment for all tests that harm none of its servers."""
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(servers.postgres_url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name} owner buttress_owner strategy file_copy")
        settings = Settings(
            _env_file=None, database_url=servers.postgres_url("owner", name),
            redis_url=servers.valkey_url, home=tmp_path_factory.mktemp("home"),
        )  # fmt: skip
        with Runtime(settings) as runtime:
            prepare(runtime.owner_database, runtime.apps)
            yield runtime
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def runtime(opened: Runtime) -> Iterator[Runtime]:
    """The same with a health of its own; what a test puts in its place is put back."""
    kept = {name: getattr(opened, name) for name in ("health", "settings", "apps", "cache_url")}
    opened.health = Health(opened)
    yield opened
    opened.health.close()
    vars(opened).update(kept)


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server() as running:
        yield running


@pytest.fixture
def own(server: OwnServer, servers: Servers, tmp_path: Path) -> Iterator[Runtime]:
    """A runtime on a server that may be frozen and stopped."""
    settings = Settings(
        _env_file=None, database_url=server.url, redis_url=servers.valkey_url, home=tmp_path,
        timeouts=TimeoutSettings(restart_seconds=0),
    )  # fmt: skip
    with Runtime(settings) as runtime:
        prepare(runtime.owner_database, runtime.apps)
        yield runtime


def ready(runtime: Runtime) -> tuple[int, float]:
    """The status of /health/ready and the seconds it took."""
    began = time.monotonic()
    status = runtime.health.answer("/health/ready", permitted=False).status
    return status, time.monotonic() - began


def get(app: FastAPI, path: str, *, client: str = "127.0.0.1", **headers: str) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as browser:
            return await browser.get(path, headers=headers)

    return asyncio.run(send())


def until(wanted: int, runtime: Runtime, *, seconds: float) -> float:
    """How long it took /health/ready to answer so."""
    began = time.monotonic()
    while ready(runtime)[0] != wanted:
        assert time.monotonic() - began < seconds
        time.sleep(0.05)
    return time.monotonic() - began


@contextlib.contextmanager
def frozen(server: OwnServer) -> Iterator[None]:
    """All processes of the server stand still meanwhile."""
    process = server._process
    assert process is not None
    backends = [int(pid) for pid in _children(process.pid)]
    for pid in (process.pid, *backends):
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in (process.pid, *backends):
            os.kill(pid, signal.SIGCONT)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_a_frozen_database_is_answered_with_503_in_time_and_seen_again_when_it_thaws(own, server):
    until(200, own, seconds=5)
    with frozen(server):
        time.sleep(1.1)  # what was answered before counts for a second
        first = ready(own)
        later = [ready(own) for _ in range(50)]
        asked = [one for one in threading.enumerate() if one.name == "buttress-health"]
        live = own.health.answer("/health/live", permitted=False)
    back = until(200, own, seconds=5)

    assert first[0] == 503
    assert first[1] < 0.75
    assert {status for status, _ in later} == {503}
    assert max(took for _, took in later) < 0.6
    assert len(asked) == 1
    assert live.status == 200
    assert back < 5


def test_probes_are_answered_while_every_thread_of_the_routes_waits_for_a_frozen_database(
    own, server
):
    api = create_api(own)

    async def probe() -> tuple[list[int], float, float]:
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = 4
        stuck = [asyncio.create_task(anyio.to_thread.run_sync(release.wait)) for _ in range(8)]
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await asyncio.sleep(1.1)
            began = time.monotonic()
            answers = await asyncio.gather(*(client.get("/health/ready") for _ in range(100)))
            ready_took, began = time.monotonic() - began, time.monotonic()
            await client.get("/health/live")
            live_took = time.monotonic() - began
        release.set()
        await asyncio.gather(*stuck)
        return [answer.status_code for answer in answers], ready_took, live_took

    release = threading.Event()
    until(200, own, seconds=5)
    with frozen(server):
        statuses, ready_took, live_took = asyncio.run(probe())

    assert set(statuses) == {503}
    assert ready_took < 1.5
    assert live_took < 0.1


def test_a_stopped_database_is_503_and_found_again_without_a_restart(own, server):
    until(200, own, seconds=5)
    server.stop("fast")
    try:
        time.sleep(1.1)
        status, took = ready(own)
        began = time.perf_counter()
        live = own.health.answer("/health/live", permitted=False)
        live_took = time.perf_counter() - began
    finally:
        server.start()
    back = until(200, own, seconds=10)

    assert (status, live.status) == (503, 200)
    assert took < 2
    assert live_took < 0.005
    assert back < 5
    statuses = [change.status for change in own.health.database.history.changes]
    assert statuses == ["pass", "fail", "pass"]


def test_a_thousand_probes_at_once_ask_the_database_once(runtime):
    with runtime.owner_database.session() as session:
        session.execute(text("CREATE EXTENSION IF NOT EXISTS pg_stat_statements"))

    async def storm() -> list[int]:
        transport = httpx.ASGITransport(create_api(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answers = await asyncio.gather(*(client.get("/health/ready") for _ in range(1000)))
        return [answer.status_code for answer in answers]

    ready(runtime)  # the connection is open, the tables were found
    time.sleep(1.1)
    before, began = calls(runtime), time.monotonic()
    statuses = asyncio.run(storm())
    seconds = time.monotonic() - began
    asked = {query: times - before.get(query, 0) for query, times in calls(runtime).items()}

    assert set(statuses) == {200}
    assert 1 <= asked["SELECT $1"] <= seconds + 1
    # The server counts Alembic's spelling of the same question under the one it saw first.
    [versions] = [query for query in asked if "FROM buttress_migrations" in query]
    assert 1 <= asked[versions] <= seconds + 1


def calls(runtime: Runtime) -> dict[str, int]:
    """How often the server executed each statement of health."""
    statement = text(
        "SELECT query, sum(calls)::int FROM pg_stat_statements WHERE dbid = (SELECT oid FROM"
        " pg_database WHERE datname = current_database()) GROUP BY query"
    )
    with runtime.owner_database.session() as session:
        return dict(list(session.execute(statement)))


def test_an_exhausted_pool_does_not_make_a_process_unready(runtime):
    with contextlib.ExitStack() as held:
        for _ in range(runtime.settings.pool.size + runtime.settings.pool.overflow):
            held.enter_context(runtime.database.engine.connect())
        until(200, runtime, seconds=5)
        detailed = json.loads(runtime.health.answer("/health/detailed", permitted=True).body)

    assert detailed["checks"]["pool"]["status"] == "warn"
    assert detailed["checks"]["pool"]["figures"]["in_use"] == 50


def test_a_missing_cache_is_degraded_and_ready(runtime, tmp_path):
    runtime.cache_url = f"unix://{tmp_path}/none.sock"

    answer = json.loads(runtime.health.answer("/health/ready", permitted=True).body)

    until(200, runtime, seconds=5)
    assert answer["status"] == "warn"
    assert runtime.health.answer("/health/cache", permitted=False).status == 200


def test_pending_migrations_are_503_and_the_cure_is_for_the_permitted(settings):
    with Runtime(settings) as runtime:
        stranger = runtime.health.answer("/health/ready", permitted=False)
        known = runtime.health.answer("/health/ready", permitted=True)
        prepare(runtime.owner_database, runtime.apps)
        back = until(200, runtime, seconds=5)

    assert (stranger.status, json.loads(stranger.body)) == (503, {"status": "fail"})
    found = json.loads(known.body)["checks"]["migrations"]
    assert found["hint"] == "Run `buttress migrate upgrade`."
    assert "buttress_0001" in found["detail"]
    assert back < 2


def test_a_question_after_the_end_opens_nothing(runtime):
    line = Line(lambda: runtime.database, statement_seconds=1)
    with line.connection():
        pass
    line.close()

    with pytest.raises(Unavailable, match="closed"), line.connection():
        pass


def test_the_end_waits_for_a_question_under_way(runtime):
    asked, answered = threading.Event(), []

    def slow() -> Answer:
        asked.set()
        time.sleep(0.3)
        answered.append(True)
        return Answer()

    runtime.health.cache = Watched(Check("cache", slow, limit_seconds=0.01))
    runtime.health.answer("/health/ready", permitted=False)
    assert asked.wait(5)
    runtime.health.close()

    assert answered


def test_a_newer_database_is_a_warning_so_that_old_processes_stay_while_they_are_replaced(runtime):
    ours = "version_num LIKE 'buttress%'"
    change = text(f"UPDATE buttress_migrations SET version_num = :to WHERE {ours}")
    with runtime.owner_database.session() as session:
        head = session.scalar(text(f"SELECT version_num FROM buttress_migrations WHERE {ours}"))
        session.execute(change, {"to": "buttress_9999"})
    try:
        answer = json.loads(runtime.health.answer("/health/ready", permitted=True).body)
    finally:
        with runtime.owner_database.session() as session:
            session.execute(change, {"to": head})

    assert answer["checks"]["migrations"]["status"] == "warn"
    assert answer["status"] == "warn"


def test_strangers_are_told_the_status_and_nothing_more(runtime):
    answers = {path: runtime.health.answer(path, permitted=False) for path in PATHS}
    detailed = runtime.health.answer("/health/detailed", permitted=False)

    assert {path: set(json.loads(a.body)) for path, a in answers.items()} == {
        path: {"status"} for path in PATHS
    }
    assert {a.headers["content-type"] for a in answers.values()} == {"application/health+json"}
    assert detailed.status == 401
    assert detailed.headers["www-authenticate"] == "Bearer"


def test_details_hold_every_measure_with_its_threshold_and_history(runtime):
    runtime.health.answer("/health/detailed", permitted=True)
    answer = json.loads(runtime.health.answer("/health/detailed", permitted=True).body)

    assert {"database", "migrations", "cache", "pool", "statements", "responses", "hit rate",
            "disk", "memory", "backups", "archive"} <= set(answer["checks"])  # fmt: skip
    assert answer["checks"]["disk"]["figures"]["threshold_share"] == 0.85
    assert answer["checks"]["backups"]["detail"] == "none yet"
    history = answer["history"]["database"]
    assert history["changes"][0]["status"] == "pass"
    assert history["measurements"]


@pytest.mark.parametrize(
    ("environment", "client", "headers", "permitted"),
    [
        ("development", "127.0.0.1", {}, True),
        ("development", "::1", {}, True),
        ("development", "10.0.0.7", {}, False),
        ("development", "127.0.0.1", {"x-forwarded-for": "10.0.0.7"}, False),
        ("development", "127.0.0.1", {"host": "evil.example:8501"}, False),
        ("development", "127.0.0.1", {"host": "localhost:8501"}, True),
        ("development", "127.0.0.1", {"host": "[::1]:8501"}, True),
        ("development", "", {}, False),
        ("production", "127.0.0.1", {}, False),
        ("production", "10.0.0.7", {"authorization": "Bearer open-sesame"}, True),
        ("production", "10.0.0.7", {"authorization": "bearer  open-sesame "}, True),
        ("production", "10.0.0.7", {"authorization": "Bearer opén"}, False),
        ("production", "10.0.0.7", {"authorization": "Basic open-sesame"}, False),
        ("development", "127.0.0.1", {"authorization": "Bearer wrong"}, False),
    ],
)
def test_details_are_for_this_machine_in_development_and_for_the_token(
    environment, client, headers, permitted
):
    assert permitted == health_with("open-sesame", environment).permits(
        authorization=headers.get("authorization", ""),
        client=client,
        host=headers.get("host", "127.0.0.1:8501"),
        forwarded="x-forwarded-for" in headers,
    )


def test_an_empty_token_opens_nothing():
    assert not health_with("", "production").permits(
        authorization="Bearer ", client="127.0.0.1", host="localhost", forwarded=False
    )


def health_with(token: str, environment: str) -> Health:
    """The health of a runtime that has settings and nothing else."""
    settings = Settings(
        _env_file=None, environment=environment, health=HealthSettings(token=SecretStr(token))
    )
    return Health(SimpleNamespace(settings=settings))


def test_a_password_is_in_no_answer(settings, tmp_path):
    with Runtime(settings) as runtime:
        runtime.database.close()
        away = f"postgresql://u:{CANARY}@/d?host={tmp_path}"
        runtime.database = type(runtime.database)(away)
        runtime.cache_url = f"redis://:{CANARY}@127.0.0.1:1"
        api = create_api(runtime)
        answers = [get(api, path).text for path in [*PATHS, "/health/detailed", "/health/x"]]

    assert not any(CANARY in answer for answer in answers)
    assert '"fail"' in answers[2]


def test_fastapi_flask_and_a_foreign_application_answer_alike(runtime):
    foreign = FastAPI()
    foreign.include_router(router(runtime), prefix="/internal")
    flask = Flask("shop")
    flask.register_blueprint(health_flask.blueprint(runtime))
    browser = flask.test_client()
    api = create_api(runtime)

    for path in [*PATHS, "/health/nothing"]:
        ours, theirs, other = get(api, path), browser.get(path), get(foreign, f"/internal{path}")
        assert ours.status_code == theirs.status_code == other.status_code
        assert ours.headers["content-type"] == theirs.headers["content-type"]
        assert shape(ours.json()) == shape(theirs.get_json()) == shape(other.json())
    assert get(api, "/health/detailed").status_code == 200
    assert browser.get("/health/detailed").status_code == 200
    stranger = {"REMOTE_ADDR": "10.0.0.7"}
    assert browser.get("/health/detailed", environ_base=stranger).status_code == 401
    assert browser.get("/health/ready", environ_base=stranger).get_json() == {"status": "pass"}


def shape(document: dict) -> object:
    """A document without its times."""
    checks = document.get("checks", {})
    return document["status"], {name: (c["status"], c["detail"]) for name, c in checks.items()}


def test_sqlite_is_asked_the_same(sqlite_url, servers, tmp_path):
    settings = Settings(
        _env_file=None, database_url=sqlite_url, redis_url=servers.valkey_url, home=tmp_path
    )
    with Runtime(settings) as runtime:
        prepare(runtime.owner_database, runtime.apps)
        until(200, runtime, seconds=5)
        answer = json.loads(runtime.health.answer("/health/detailed", permitted=True).body)

    assert answer["checks"]["database"]["detail"].startswith("SQLite 3.")
    assert answer["checks"]["jobs"]["detail"] == "0 waiting, 0 running, 0 workers"
    assert {name for name, found in answer["checks"].items() if found["status"] != "pass"} == {
        "jobs"
    }


def test_head_is_answered_for_probes_that_send_it(runtime):
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(create_api(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as browser:
            return await browser.head("/health/ready")

    assert asyncio.run(send()).status_code == 200


def test_a_process_asked_to_stop_is_not_ready_and_still_alive(runtime):
    runtime.health.drain()

    assert ready(runtime)[0] == 503
    assert runtime.health.answer("/health/live", permitted=False).status == 200
    assert runtime.health.answer("/health/database", permitted=False).status == 200


def test_a_check_of_an_app_that_hangs_is_a_warning_after_its_limit(runtime):
    app = App("slowpoke", title="Slow", package=__name__)
    release = threading.Event()

    @app.check(limit_seconds=0.2)
    def a_stone(session):
        release.wait(10)

    @app.check
    def tells_its_type_only(session):
        raise ValueError(CANARY)

    runtime.apps = [app]
    began = time.monotonic()
    answer = json.loads(runtime.health.answer("/health/ready", permitted=True).body)
    took = time.monotonic() - began
    release.set()

    assert answer["status"] == "warn"
    assert answer["checks"]["slowpoke: a stone"]["detail"] == "no answer within 0.2 seconds"
    assert answer["checks"]["slowpoke: tells its type only"]["detail"] == "ValueError"
    assert took < 1.5


def test_a_question_that_never_returns_is_put_again_and_only_a_few_hang(monkeypatch):
    monkeypatch.setattr("buttress.health.watched.GIVE_UP_SECONDS", 0.05)
    asked, given_up, release = [], [], threading.Event()

    def hang() -> None:
        asked.append(1)
        release.wait(10)

    check = Watched(Check("stone", hang, limit_seconds=0.01), lambda: given_up.append(1))
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        assert ask_all([check])[0].status == "fail"
        time.sleep(0.01)
    release.set()

    assert len(asked) == 6
    assert len(given_up) == 5


def test_after_a_fork_the_child_asks_anew(runtime):
    held = threading.Event()
    stone = runtime.health._watch(Check("stone", lambda: held.wait(5) and None))
    runtime.health.migrations = stone
    stone.begin()
    runtime.health.start_anew()

    assert stone._run is None
    held.set()


def test_responses_that_are_slow_or_errors_are_warnings():
    responses = Responses()
    for _ in range(99):
        responses.add(0.01, error=False)
    assert measures.answered(responses).status == "pass"
    responses.add(0.01, error=True)
    responses.add(0.01, error=True)
    assert measures.answered(responses).status == "warn"
    slow = Responses()
    for _ in range(20):
        slow.add(2.5, error=False)
    assert measures.answered(slow).status == "warn"


@pytest.mark.parametrize(
    ("measure", "within", "beyond"),
    [
        ("disk", Usage(85, 100), Usage(86, 100)),
        ("memory", Usage(80, 100), Usage(81, 100)),
    ],
)
def test_disk_and_memory_warn_beyond_their_thresholds(
    measure, within, beyond, runtime, monkeypatch
):
    def status(usage: Usage) -> str:
        monkeypatch.setattr(measures.machine, measure, lambda *_: usage)
        return (measures.memory() if measure == "memory" else measures.disk(runtime)).status

    assert (status(within), status(beyond)) == ("pass", "warn")


@pytest.mark.parametrize(
    ("hits", "misses", "status"), [(69, 31, "warn"), (71, 29, "pass"), (0, 99, "pass")]
)
def test_a_low_hit_rate_is_a_warning_once_there_were_enough_reads(hits, misses, status):
    namespace = NamespaceStats("n", hits=hits, shared_hits=0, misses=misses, fills=0)
    stats = CacheStats("wal", {"n": namespace}, 0, 0, 0, None, 0, 1.0)
    runtime = SimpleNamespace(cache=SimpleNamespace(stats=lambda **_: stats))

    assert measures.hit_rate(runtime).status == status


@pytest.mark.parametrize(
    ("slow", "failed", "status"), [(50, 0, "pass"), (51, 0, "warn"), (0, 1, "pass"), (0, 2, "warn")]
)
def test_slow_and_failed_statements_are_a_warning(slow, failed, status):
    slot = Slot(0.0, 300, slow_count=slow)
    series = Series(Statement("f", "SELECT 1", "select"), "", "")
    slot.tally(series.key, series).buckets[1] = 100
    slot.tallies[series.key][1].errors["Unavailable"] = failed
    runtime = SimpleNamespace(monitor=SimpleNamespace(window=lambda _: slot))

    assert measures.statements(runtime).status == status


@pytest.mark.parametrize(
    ("hours", "proven_days", "status"),
    [(25, 7, "pass"), (27, 7, "warn"), (25, 9, "warn"), (25, None, "warn"), (None, None, "pass")],
)
def test_old_and_unproven_backups_are_a_warning(hours, proven_days, status):
    now = dt.datetime.now(dt.UTC)
    made = []
    if hours is not None:
        drill = None
        if proven_days is not None:
            drill = SimpleNamespace(at=(now - dt.timedelta(days=proven_days)).isoformat())
        manifest = SimpleNamespace(started_at=(now - dt.timedelta(hours=hours)).isoformat())
        made = [SimpleNamespace(manifest=manifest, drill=drill, verified=drill is not None)]
    runtime = SimpleNamespace(
        backup=SimpleNamespace(all=lambda: made), settings=Settings(_env_file=None)
    )

    assert measures.backups(runtime).status == status


def test_a_server_that_cannot_hand_its_log_over_is_a_warning_until_it_can():
    with own_server() as server, contextlib.ExitStack() as exits:
        database = Database(server.url)
        exits.callback(database.close)
        line = Line(lambda: database, statement_seconds=1)
        exits.callback(line.close)
        assert measures.archive(line) == Answer("off")
        line.start_anew()
        server.stop()
        server.start(archive_mode="on")

        for command, status, says in (("exit 1", "warn", "was refused"), ("true", "pass", "")):
            with psycopg.connect(server.url, autocommit=True) as admin:
                admin.execute(f"alter system set archive_command = '{command}'")
                admin.execute("select pg_reload_conf(), pg_logical_emit_message(false, 'a', 'b')")
                admin.execute("select pg_switch_wal()")
            give_up = time.monotonic() + 10
            while not (
                (said := measures.archive(line)).status == status and said.figures["failed"]
            ):
                assert time.monotonic() < give_up, said
                time.sleep(0.05)
            assert says in said.detail
            assert bool(said.hint) == (status == "warn")


def test_answers_of_the_api_are_timed_and_probes_are_not(runtime):
    api = create_api(runtime)
    get(api, "/health/ready")
    get(api, "/api/nothing")

    assert runtime.health.responses.lately(60).count == 1


def test_memory_is_that_of_the_container_where_there_is_a_limit(tmp_path):
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("inactive_file 300\n")
    machine = tmp_path / "meminfo"
    machine.write_text("MemTotal: 10 kB\nMemAvailable: 4 kB\n")

    limited = memory(tmp_path, machine)
    (tmp_path / "memory.max").write_text("max\n")
    unlimited = memory(tmp_path, machine)

    assert limited is not None
    assert unlimited is not None
    assert (limited.used, limited.total) == (600, 1000)
    assert (unlimited.used, unlimited.total) == (6 * 1024, 10 * 1024)
    assert memory(tmp_path, tmp_path / "none") is None

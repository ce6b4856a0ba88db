"""A secret of each kind is planted wherever one comes in, and looked for wherever something leaves."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from buttress.access import Origin, audit, people, signing_in
from buttress.api.app import create_api
from buttress.api.observed import Observed
from buttress.cli.context import out
from buttress.cli.job_tables import arguments_table
from buttress.db.embedded import Servers
from buttress.errors import ButtressError, Unavailable
from buttress.gate import Gate
from buttress.mover import move
from buttress.runtime import Runtime
from buttress.settings import BackupSettings, HealthSettings, Settings
from buttress.telemetry import configure_logging, redaction
from buttress.telemetry.metrics import page
from receivers import Receiver

pytestmark = pytest.mark.slow

MARK = "c4n4ry"
SITE = "http://localhost"
SECRETS = {
    "url password": f"{MARK}-url-p4ssw0rd",
    "key of openai": f"sk-proj-{MARK}0123456789abcdefghij",
    "key of backups": f"{MARK}-backup-key-0123456789",
    "token of health": f"{MARK}-health-token-0123456789",
    "key in the dsn": f"{MARK}dsnkey0123456789",
    "header of otlp": f"{MARK}-otlp-0123456789",
    "token": f"bt_Ab3dEf7h_{MARK}0123456789012345678901234567890123456789",
    "cookie": f"{MARK}0123456789012345678901234567890123456",
    "bearer": f"{MARK}-bearer-0123456789.abc",
    "form password": f"{MARK} typed into the form",
    "link": f"{MARK}-link-0123456789012345678901234567890",
    "query": f"{MARK}-query-0123456789",
}


@dataclass
class World:
    """One deployment that was told every secret, and what has left it, by channel."""

    runtime: Runtime
    gate: Observed
    home: Path
    traces: Receiver
    events: Receiver
    left: dict[str, str] = field(default_factory=dict)

    @property
    def leaking(self) -> list[str]:
        """The channels in which a secret stands."""
        return [channel for channel, told in self.left.items() if MARK in told]


@pytest.fixture(scope="module")
def handlers() -> Iterator[None]:
    """The handlers of the tests are put back."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = []  # configure_logging closes those it finds
    yield
    for ours in root.handlers:
        ours.close()
    root.handlers = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.fixture(scope="module")
def world(
    handlers: None,
    modules_foundation_url: str,
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    home = tmp_path_factory.mktemp("canary")
    console = (home / "console").open("w+", encoding="utf-8")
    with Receiver() as traces, Receiver() as events, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", console)
        settings = Settings(
            _env_file=None,
            database_url=with_password(modules_foundation_url, SECRETS["url password"]),
            redis_url=servers.valkey_url,
            home=home,
            openai_api_key=SECRETS["key of openai"],
            backup=BackupSettings(key=SecretStr(SECRETS["key of backups"]), drill=False),
            health=HealthSettings(token=SecretStr(SECRETS["token of health"])),
            otlp_endpoint=f"http://{traces.host}",
            otlp_headers=f"authorization=Bearer%20{SECRETS['header of otlp']}",
            sentry_dsn=f"http://{SECRETS['key in the dsn']}@{events.host}/1",
        )
        configure_logging(settings)
        with Runtime(settings) as runtime:
            world = World(runtime, around(runtime), home, traces, events)
            ask(world)
            fail(world)
            operate(world)
        for handler in logging.getLogger().handlers:
            handler.flush()
        console.seek(0)
        world.left["console"] = console.read()
        world.left["log file"] = (home / "logs" / "buttress.log").read_text(encoding="utf-8")
        world.left["traces"] = "".join(b.decode("utf-8", "replace") for _, _, b in traces.received)
        world.left["events"] = "\n".join(json.dumps(event) for event in events.events)
        yield world
    console.close()


def with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    user, _, rest = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}:{password}@{rest}").geturl()


def around(runtime: Runtime) -> Observed:
    async def fail_with_all(request: Request) -> PlainTextResponse:
        body = (await request.body()).decode()
        log = logging.getLogger("shop")
        log.error("asked", extra={"headers": dict(request.headers), "address": str(request.url)})
        log.error(f"asked with {request.headers} and {body}")  # noqa: G004  # as careless code does
        raise RuntimeError(f"no use for {request.headers} of {request.url}")

    api = create_api(runtime)
    api.router.routes.append(Route("/careless", fail_with_all, methods=["GET", "POST"]))
    return Observed(Gate(api, runtime))


def ask(world: World) -> None:
    """Every kind of request, with a secret in every place that takes one."""
    with world.runtime.session() as session:
        person = people.create(session, "ann@example.com", "admin")
        cookie = signing_in.begin(session, person, Origin("192.0.2.1"), how="test")
    answers = []
    with TestClient(world.gate, base_url=SITE, raise_server_exceptions=False) as client:
        for headers in (
            {"authorization": f"Bearer {SECRETS['token']}"},
            {"authorization": f"Bearer {SECRETS['bearer']}"},
            {"cookie": f"buttress={SECRETS['cookie']}"},
            {"cookie": f"buttress={cookie}; other={SECRETS['cookie']}", "x-api-key": SECRETS["bearer"],
             "authorization": f"Basic {SECRETS['query']}"},
        ):  # fmt: skip
            for path in ("/api/v1/people", "/careless", "/metrics", "/health/detailed"):
                query = {"access_token": SECRETS["query"], "next": "/"}
                answers.append(client.get(path, headers=headers, params=query))
        form = {"name": "ann@example.com", "password": SECRETS["form password"]}
        own = {"origin": SITE}
        answers += [client.post("/sign-in", data=form, headers=own) for _ in range(3)]
        answers.append(client.get(f"/sign-in/link/{SECRETS['link']}"))
        answers.append(
            client.post(
                "/api/v1/people", json=form, headers={"cookie": f"buttress={cookie}", **own}
            )
        )
        world.left["answers"] = "\n".join(f"{a.status_code} {a.headers} {a.text}" for a in answers)
        told = client.get("/metrics", headers={"cookie": f"buttress={cookie}"})
        assert told.status_code == 200
        world.left["metrics"] = told.text + page([world.gate])
    assert {401, 500} <= {answer.status_code for answer in answers}


def fail(world: World) -> None:
    """What careless code logs when it fails."""
    log, settings = logging.getLogger("shop"), world.runtime.settings
    url = settings.database_url.get_secret_value()
    try:
        try:
            raise ValueError(f"cannot connect to {url}")
        except ValueError as error:
            raise Unavailable(f"no answer from {url}", hint=SECRETS["key of openai"]) from error
    except ButtressError:
        log.exception("failed", extra={"settings": settings, "url": url, "keys": [url, {"a": url}]})
    for name, secret in SECRETS.items():
        log.error("password=%s token: %s", secret, secret, extra={"api_key": secret, "what": name})
    try:
        with world.runtime.session() as session:
            session.execute(text("SELECT * FROM missing WHERE p = :p"), {"p": SECRETS["cookie"]})
    except Exception:
        log.exception("statement failed")


def operate(world: World) -> None:
    """What operators are shown."""
    runtime = world.runtime
    world.left["health"] = str(runtime.health.answer("/health/detailed", permitted=True))
    runtime.backup.create("by hand")
    stored = [file for file in (world.home / "backups").rglob("*") if file.is_file()]
    assert any(file.name == "manifest.json" for file in stored)
    world.left["backups"] = "\n".join(file.read_text("utf-8", "replace") for file in stored)
    source = world.home / "old.db"
    with sqlite3.connect(source) as old:
        old.execute("CREATE TABLE moved_thing (id INTEGER PRIMARY KEY, name TEXT)")
        old.execute("INSERT INTO moved_thing VALUES (1, 'x')")
    move(
        source,
        runtime.settings.database_url.get_secret_value(),
        report=world.home / "report",
        schema="moved",
    )
    reports = [file for file in (world.home / "report").rglob("*") if file.is_file()]
    assert reports
    world.left["move report"] = "\n".join(file.read_text("utf-8", "replace") for file in reports)
    given = {"url": f"https://u:{SECRETS['url password']}@x/", "api_key": SECRETS["bearer"]}
    with out.capture() as captured:
        out.print(arguments_table([SECRETS["key of openai"]], given, values=True))
    world.left["arguments of jobs"] = captured.get()
    with runtime.session() as session:
        entries = audit.entries(session)
        world.left["audit"] = "\n".join(
            f"{e.actor} {e.action} {e.object} {e.outcome} {e.details}" for e in entries
        )
    assert "sign-in" in world.left["audit"]


def test_no_secret_leaves_by_any_channel(world: World) -> None:
    assert world.leaking == []
    assert len(world.left) == 11


def test_every_channel_was_spoken_into(world: World) -> None:
    assert all(len(told) > 100 for told in world.left.values())
    for channel in ("console", "log file"):
        assert world.left[channel].count("***") > 50
    assert len(world.traces.spans) > 10
    assert len(world.events.events) > 10


def test_a_page_that_fails_shows_nothing_of_the_error() -> None:
    def failing() -> None:
        from buttress.ui.problems import explain

        explain(RuntimeError("password=c4n4ry"))

    shown = AppTest.from_function(failing).run()
    assert shown.error
    assert MARK not in "".join(f"{e.value} {e.body}" for e in [*shown.error, *shown.caption]
                               if hasattr(e, "body")) + str(shown)  # fmt: skip


def test_the_canary_is_found_where_nothing_takes_it_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_pattern", [re.compile(r"(?!)")])
    before = (world.home / "logs" / "buttress.log").stat().st_size
    fail(world)
    with (world.home / "logs" / "buttress.log").open(encoding="utf-8") as file:
        file.seek(before)
        told = file.read()
    assert [name for name, secret in SECRETS.items() if secret not in told] == []

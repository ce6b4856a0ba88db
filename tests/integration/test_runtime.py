"""A deployment opened on real servers: its database, its health, its apps and their routes."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from buttress import health
from buttress.access import acting
from buttress.api.app import create_api
from buttress.db.embedded import Servers
from buttress.db.migrations import upgrade
from buttress.deployment import prepare
from buttress.errors import ConfigurationError, Unavailable
from buttress.mover.history import list_moves, load_report
from buttress.runtime import Runtime
from buttress.scaffold import write_app
from buttress.settings import Settings, TimeoutSettings
from buttress.testing import someone

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(database_url: str, servers: Servers, tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None,
        database_url=database_url,
        redis_url=servers.valkey_url,
        home=tmp_path,
        timeouts=TimeoutSettings(start_seconds=0.5),
    )


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    with Runtime(settings) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newly written app with the entry point that pip would give it."""
    folder = write_app("errands", tmp_path_factory.mktemp("new") / "errands")
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["buttress.apps"]
    metadata = folder / "src" / f"{project['name']}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (metadata / "entry_points.txt").write_text(
        "[buttress.apps]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
    )
    return folder


@pytest.fixture
def errands(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newly written app is installed."""
    monkeypatch.syspath_prepend(written / "src")


def ask(runtime: Runtime, method: str, path: str, content: object = None) -> httpx.Response:
    """One request to the API of a runtime, of somebody who may write."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(create_api(runtime), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, json=content)

    with acting(someone("analyst")):
        return asyncio.run(send())


def test_a_session_is_one_transaction(runtime: Runtime) -> None:
    with runtime.session() as session:
        session.execute(text("CREATE TABLE kept (n int)"))
    with contextlib.suppress(KeyError), runtime.session() as session:
        session.execute(text("INSERT INTO kept VALUES (1)"))
        raise KeyError

    with runtime.session() as session:
        assert session.scalar(text("SELECT count(*) FROM kept")) == 0


def test_the_embedded_app_role_owns_nothing_and_the_owner_migrates(servers: Servers) -> None:
    with Runtime(Settings(_env_file=None, home=servers.home)) as runtime:
        with runtime.session() as session:
            row = session.execute(
                text("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = user")
            ).one()
        with runtime.owner_database.session() as session:
            owner = session.scalar(text("SELECT user"))

    assert tuple(row) == ("buttress_app", False, False)
    assert owner == "buttress_owner"


def test_a_server_that_does_not_answer_is_unavailable(settings: Settings, tmp_path: Path) -> None:
    away = settings.model_copy(
        update={"database_url": type(settings.database_url)(f"postgresql://u@/d?host={tmp_path}")}
    )

    with pytest.raises(Unavailable), Runtime(away):
        pass


def test_nothing_is_started_for_settings_that_cannot_work(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = Settings(_env_file=None, home=home, environment="production")

    with pytest.raises(ConfigurationError, match="not fit for production"), Runtime(settings):
        pass

    assert not home.exists()


def test_live_answers_and_asks_nobody(runtime: Runtime) -> None:
    runtime.close()

    assert ask(runtime, "GET", "/health/live").json() == {"status": "pass"}


def test_ready_names_the_servers_and_their_versions(runtime: Runtime) -> None:
    prepare(runtime.owner_database, runtime.apps)

    answer = ask(runtime, "GET", "/health/ready")

    checks = answer.json()["checks"]
    assert (answer.status_code, answer.json()["status"]) == (200, "pass")
    assert re.fullmatch(r"PostgreSQL \d+\.\d+", checks["database"]["detail"])
    assert re.fullmatch(r"Valkey \d+\.\d+\.\d+", checks["cache"]["detail"])


def test_ready_without_a_cache_is_a_warning(runtime: Runtime, tmp_path: Path) -> None:
    upgrade(runtime.owner_database, runtime.migrations)
    runtime.cache_url = f"unix://{tmp_path}/none.sock"

    answer = ask(runtime, "GET", "/health/ready")

    assert (answer.status_code, answer.json()["status"]) == (200, "warn")


def test_ready_without_a_database_is_503_and_tells_no_secret(
    runtime: Runtime, tmp_path: Path
) -> None:
    runtime.database.close()
    runtime.database = type(runtime.database)(f"postgresql://u:s3cret@/d?host={tmp_path}")

    answer = ask(runtime, "GET", "/health/ready")

    assert (answer.status_code, answer.json()["status"]) == (503, "fail")
    assert "s3cret" not in answer.text


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/health/nothing"])
def test_an_unknown_path_is_a_problem_document(runtime: Runtime, path: str) -> None:
    answer = ask(runtime, "GET", path)

    assert answer.status_code in (404, 307)
    if answer.status_code == 404:
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.usefixtures("errands")
def test_a_new_app_is_installed_migrated_and_served(settings: Settings) -> None:
    with Runtime(settings) as runtime:
        done = upgrade(runtime.owner_database, runtime.migrations)
        added = ask(runtime, "POST", "/api/v1/errands/items", {"title": "water the plants"})
        waiting = ask(runtime, "GET", "/api/v1/errands/items")
        findings = health.apps(runtime)

    assert "errands_0001" in [revision.id for revision in done]
    assert (added.status_code, added.json()["title"]) == (201, "water the plants")
    assert [item["title"] for item in waiting.json()] == ["water the plants"]
    assert [(f.name, f.status, f.detail) for f in findings] == [
        ("errands: items can be read", "pass", "1 open")
    ]


@pytest.mark.usefixtures("errands")
def test_errors_of_an_app_are_problem_documents(settings: Settings) -> None:
    with Runtime(settings) as runtime:
        upgrade(runtime.owner_database, runtime.migrations)
        answers = [
            ask(runtime, "POST", "/api/v1/errands/items/7/close"),
            ask(runtime, "POST", "/api/v1/errands/items", {"title": ""}),
            ask(runtime, "POST", "/api/v1/errands/items", {"title": "a\0b"}),
            ask(runtime, "POST", "/api/v1/errands/items/99999999999999999999/close"),
            ask(runtime, "PUT", "/api/v1/errands/items"),
        ]

    assert [answer.status_code for answer in answers] == [404, 422, 422, 422, 405]
    assert {a.headers["content-type"] for a in answers} == {"application/problem+json"}


@pytest.mark.usefixtures("errands")
def test_what_an_app_fails_to_commit_is_not_answered_as_done(settings: Settings) -> None:
    with Runtime(settings) as runtime:
        upgrade(runtime.owner_database, runtime.migrations)
        with runtime.owner_database.session() as session:
            session.execute(
                text(
                    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                    " $$ BEGIN RAISE EXCEPTION 'no'; END $$"
                )
            )
            session.execute(
                text(
                    "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON errands_item"
                    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
                )
            )
        answer = ask(runtime, "POST", "/api/v1/errands/items", {"title": "x"})

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "refuse" not in answer.text


@pytest.mark.slow
@pytest.mark.parametrize("app", ["a new one", "the example"])
def test_the_tests_of_an_app_pass(app: str, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written if app == "a new one" else ROOT / "examples" / "tickets"

    monkeypatch.setenv("PYTHONPATH", str(folder / "src"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--rootdir={ROOT}",
            folder,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
    )

    assert answer.returncode == 0, answer.stdout


def test_a_database_without_moves_has_no_history(runtime: Runtime) -> None:
    with runtime.database.session(read_only=True) as session:
        assert list_moves(session) == []


def test_an_unknown_move_is_not_found(runtime: Runtime) -> None:
    with runtime.session() as session, pytest.raises(Exception, match="no move 'x' into schema"):
        load_report(session, schema="public", move_id="x")

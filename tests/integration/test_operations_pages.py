"""What the operations pages show of a real deployment, and to whom."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from streamlit.testing.v1 import AppTest

from buttress.access import Permission
from buttress.access.roles import PERMISSIONS
from buttress.db.embedded import Servers
from buttress.deployment import prepare
from buttress.llm.tables import LLMCall
from buttress.runtime import Runtime
from buttress.settings import Given, Settings, in_force
from buttress.telemetry import LogLine, log_file, recent_lines
from buttress.ui.current import serve

NEEDS: dict[str, Permission] = {
    "health": "health.read",
    "logs": "logs.read",
    "jobs": "jobs.read",
    "backups": "backups.read",
    "models": "models.usage",
    "settings": "settings.read",
}


@pytest.fixture
def runtime(
    database_url: str, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runtime]:
    monkeypatch.setattr("buttress.runtime.entry_points", lambda group: [])
    settings = Settings(
        _env_file=None, database_url=database_url, redis_url=servers.valkey_url, home=tmp_path
    )
    with Runtime(settings) as runtime:
        prepare(runtime.owner_database, runtime.apps)
        serve(runtime)
        yield runtime


def show(name: str, role: str) -> None:
    from importlib import import_module

    from buttress.access import acting
    from buttress.testing import someone

    with acting(someone(role)):  # type: ignore[arg-type]
        import_module(f"buttress.ui.operations.{name}").show()


def shown(name: str, role: str = "admin") -> AppTest:
    page: AppTest = AppTest.from_function(
        show, default_timeout=30, kwargs={"name": name, "role": role}
    ).run()
    return page


def texts(page: AppTest) -> str:
    kinds: list[Callable[[], Any]] = [lambda: page.markdown, lambda: page.caption]
    kinds += [lambda: page.code, lambda: page.success]
    return "\n".join(str(one.value) for kind in kinds for one in kind())


@pytest.mark.parametrize("name", NEEDS)
def test_a_page_is_for_those_alone_whose_role_has_its_permission(
    runtime: Runtime, name: str
) -> None:
    least = PERMISSIONS[NEEDS[name]][0]

    allowed = shown(name, least)
    assert not allowed.exception
    assert allowed.title[0].value

    if least != "viewer":
        refused = shown(name, "viewer")
        assert refused.exception[0].message.startswith("someone@example.com may not")


def test_empty_pages_say_what_to_do(runtime: Runtime) -> None:
    assert "runtime.jobs.enqueue" in texts(shown("jobs"))
    assert "buttress backup" in texts(shown("backups"))
    assert "runtime.llm.complete" in texts(shown("models"))
    assert "No line is like that" in texts(shown("logs"))


def test_a_backup_asked_for_twice_is_one_job_and_the_audit_log_says_who(runtime: Runtime) -> None:
    page = shown("backups")
    page.button[0].click().run()
    page.button[0].click().run()

    assert not page.exception
    (job,) = runtime.jobs.find()
    assert (job.name, job.state) == ("buttress.backup", "waiting")
    audit = shown("audit")
    assert set(audit.dataframe[0].value["What"]) == {"backup.enqueue"}


def test_a_job_is_paused_resumed_and_cancelled_by_an_admin_and_by_nobody_less(
    runtime: Runtime,
) -> None:
    (job,) = [job for job in runtime.jobs.declared() if job.name == "buttress.prune"]
    made = runtime.jobs.enqueue(job)

    def opened(role: str) -> AppTest:
        page = AppTest.from_function(
            show, default_timeout=30, kwargs={"name": "jobs", "role": role}
        )
        page.query_params["id"] = made.id
        return page.run()

    assert [button.label for button in opened("analyst").button] == ["All jobs"]
    for label, state in (("Pause", "paused"), ("Resume", "waiting"), ("Cancel", "cancelled")):
        page = opened("admin")
        next(button for button in page.button if button.label == label).click().run()
        assert not page.exception
        assert made.status().state == state
    assert [button.label for button in opened("admin").button] == ["All jobs", "Retry"]


def test_an_admin_is_told_what_is_wrong_with_the_configuration_and_the_cure(
    runtime: Runtime,
) -> None:
    page = shown("health")
    next(one for one in page.button if one.label == "Check the configuration").click().run()

    assert not page.exception
    assert " checks: " in texts(page)
    assert not shown("health", "viewer").button


def test_the_cost_of_models_is_told_by_day_and_as_a_file(runtime: Runtime) -> None:
    call = {
        "provider": "openai", "model": "gpt-4o-mini", "purpose": "catalog.extract",
        "app": "catalog", "outcome": "ok", "attempts": 1, "latency_ms": 1500,
        "input_tokens": 100, "output_tokens": 20, "cached_tokens": 0, "tokens_estimated": False,
    }  # fmt: skip
    now = datetime.now(UTC)
    with runtime.session() as session:
        for days, cost in ((0, Decimal("0.25")), (3, Decimal("0.5")), (3, None)):
            at = now - timedelta(days=days)
            session.add(LLMCall(id=uuid4(), at=at, cost=cost, **call))

    page = shown("models")

    assert not page.exception
    assert [one.value for one in page.metric] == ["0.7500 USD", "3", "0", "360"]
    assert list(page.dataframe[0].value["Cost, USD"]) == [0.25, 0.5]
    assert "1 of 3 calls have no known price" in texts(page)


def test_settings_tell_where_they_come_from_and_no_secret(tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None,
        database_url="postgresql://app:hunter2@db/app",
        llm={"base_url": "https://me:hunter3@models.example/v1"},
        port=9000,
    )
    given = Given({"DATABASE_URL": "…", "BUTTRESS_LLM": "{}"}, {"buttress_port": "9000"})

    found = {one.name: one for one in in_force(settings, given)}

    assert found["DATABASE_URL"].value == "set, 31 characters"
    assert found["DATABASE_URL"].origin == "environment"
    assert found["BUTTRESS_LLM__BASE_URL"].value == "https://…@models.example/v1"
    assert found["BUTTRESS_LLM__BASE_URL"].origin == "environment"
    assert (found["BUTTRESS_PORT"].value, found["BUTTRESS_PORT"].origin) == ("9000", ".env")
    assert found["BUTTRESS_HOST"].origin == "default"
    assert "hunter" not in repr(found)


def test_the_log_page_filters_by_request_and_shows_tracebacks(
    runtime: Runtime, tmp_path: Path
) -> None:
    write(tmp_path / "logs", 3)
    failing = logging.LogRecord("shop", logging.ERROR, "", 1, "order failed", None, None)
    failing.request_id = "r7"
    try:
        raise ValueError("no such order")
    except ValueError as error:
        failing.exc_info = (ValueError, error, error.__traceback__)
    file = log_file(tmp_path / "logs")
    file.emit(failing)
    file.close()

    page = shown("logs")
    assert len(page.dataframe[0].value) == 4
    next(one for one in page.text_input if one.label == "Request id").set_value("r7")
    page.run()

    assert list(page.dataframe[0].value["Event"]) == ["order failed"]
    assert "ValueError: no such order" in page.code[0].value


def write(folder: Path, lines: int, begin: int = 0) -> None:
    file = log_file(folder)
    for number in range(begin, begin + lines):
        file.emit(logging.LogRecord("shop", logging.INFO, "", 1, f"order {number}", None, None))
    file.close()


def events(lines: list[LogLine]) -> list[str]:
    return [line.event for line in lines]


def test_the_last_lines_come_newest_first_across_rotated_files(tmp_path: Path) -> None:
    write(tmp_path, 2_000)
    (tmp_path / "buttress.log").rename(tmp_path / "buttress.log.1")
    write(tmp_path, 2_000, begin=2_000)

    every = recent_lines(tmp_path, most=10_000)
    assert events(every.lines) == [f"order {number}" for number in reversed(range(4_000))]
    assert every.whole

    some = recent_lines(tmp_path, lambda line: line.event.endswith("7"), most=3)
    assert events(some.lines) == ["order 3997", "order 3987", "order 3977"]
    assert not some.whole


def test_no_more_is_read_than_was_said(tmp_path: Path) -> None:
    write(tmp_path, 2_000)

    recent = recent_lines(tmp_path, most=10_000, look_bytes=20_000)

    assert recent.lines[0].event == "order 1999"
    assert len(recent.lines) < 400
    assert not recent.whole


def test_what_is_no_line_of_ours_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, 1)
    with (tmp_path / "buttress.log").open("ab") as file:
        file.write(b'{"at": 7}\n[]\n\xff\xfe\n"x"\n' + b"[" * 100_000 + b"\n")
        file.write(json.dumps({"event": "x" * 3_000_000}).encode() + b"\n")
    write(tmp_path, 1, begin=1)

    assert events(recent_lines(tmp_path).lines) == ["order 1", "order 0"]
    assert recent_lines(tmp_path / "nowhere").lines == []

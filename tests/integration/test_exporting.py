"""Spans and errors leave for their receivers when the settings say so, and nothing else does."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from buttress.api.observed import Observed
from buttress.db.embedded import Servers
from buttress.errors import ConfigurationError, NotFound
from buttress.runtime import Runtime
from buttress.settings import LLMSettings, Settings
from buttress.telemetry import doing_job, exporting, handed_on, tracers, working_for
from buttress.testing.models import ModelServer
from receivers import Receiver

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@contextmanager
def opened(url: str, servers: Servers, home: Path, **settings: Any) -> Iterator[Runtime]:
    chosen = Settings(
        _env_file=None, database_url=url, redis_url=servers.valkey_url, home=home, **settings
    )
    with Runtime(chosen) as runtime:
        yield runtime


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_spans_lead_from_the_request_to_its_statements_its_job_and_the_model(
    receiver: Receiver,
    modules_foundation_url: str,
    servers: Servers,
    tmp_path: Path,
    model_server: ModelServer,
) -> None:
    with opened(
        modules_foundation_url, servers, tmp_path,
        otlp_endpoint=f"http://{receiver.host}", otlp_headers="authorization=Bearer%20canary",
        llm=LLMSettings(
            model="openai-compatible:tiny", base_url=model_server.url, api_key="sk-anything"
        ),
    ) as runtime:  # fmt: skip
        handed: dict[str, str] = {}

        def ask(_: Request) -> PlainTextResponse:
            with runtime.session() as session:
                session.execute(text("SELECT 'canary' WHERE 1 = :n"), {"n": 1})
            handed.update(handed_on())
            return PlainTextResponse("done")

        application = Observed(Route("/ask/{secret}", ask))
        TestClient(application).get(
            "/ask/canary?token=canary", headers={"traceparent": TRACEPARENT}
        )
        with doing_job("7c1d", "shop.describe", handed):  # as a worker does, elsewhere and later
            runtime.llm.complete("canary, who sings?", purpose="shop.describe")
        with runtime.session() as session:  # of nobody's request
            session.execute(text("SELECT 1"))

    spans = {span.name: span for span in receiver.spans}
    request, job = spans["GET workspace"], spans["job shop.describe"]
    statement = next(span for span in receiver.spans if span.parent_span_id == request.span_id
                     and span.name == "select")  # fmt: skip
    model = spans["model openai-compatible:tiny"]

    assert {span.trace_id.hex() for span in receiver.spans} == {TRACE}
    assert request.parent_span_id.hex() == PARENT
    assert job.parent_span_id == request.span_id
    assert model.parent_span_id == job.span_id
    assert attributes(statement)["db.query.text"] == "SELECT ? WHERE ? = ?"
    assert attributes(request)["http.response.status_code"] == 200
    assert attributes(model)["buttress.job_id"] == "7c1d"
    assert statement.start_time_unix_nano < statement.end_time_unix_nano
    bodies = b"".join(body for _, _, body in receiver.received)
    assert b"canary" not in bodies
    assert receiver.received[0][1]["authorization"] == "Bearer canary"
    assert not tracers


def test_what_fails_is_marked_by_its_type_and_its_message_stays_here(receiver: Receiver) -> None:
    with (
        exporting(Settings(_env_file=None, otlp_endpoint=f"http://{receiver.host}/")),
        pytest.raises(ValueError, match="canary"),
        doing_job("7c1d", "shop.fail", None),
    ):
        raise ValueError("canary")
    [span] = receiver.spans
    assert (span.status.code, attributes(span)["error.type"]) == (2, "ValueError")
    assert b"canary" not in receiver.received[0][2]


def test_a_receiver_that_is_away_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with (
        exporting(Settings(_env_file=None, otlp_endpoint="http://127.0.0.1:9")),
        doing_job("7c1d", "shop.fail", None),
    ):
        pass


def boom(password: str) -> None:
    local = f"canary-local-{password}"
    raise ZeroDivisionError(f"canary-message {local}")


def test_an_event_tells_the_error_its_place_and_the_ids_and_nothing_of_the_data(
    receiver: Receiver,
) -> None:
    log = logging.getLogger("shop.checkout")
    dsn = f"http://canarykey@{receiver.host}/1"
    with (
        exporting(Settings(_env_file=None, sentry_dsn=dsn)),
        working_for(request_id="0123456789abcdef", person="canary-person"),
    ):
        try:
            boom("canary-argument")
        except ZeroDivisionError:
            log.exception("checkout failed", extra={"order": 42, "password": "canary-extra",
                          "url": "postgresql://app:canary-url@db/shop"})  # fmt: skip
        try:
            raise NotFound("there is no order 7")
        except NotFound:
            log.exception("order not found")
        log.warning("canary-warning")

    failed, missing = receiver.events
    [error] = failed["exception"]["values"]
    assert (error["type"], error["value"]) == ("ZeroDivisionError", "")
    assert error["stacktrace"]["frames"][-1]["function"] == "boom"
    assert "vars" not in error["stacktrace"]["frames"][-1]
    assert failed["logentry"]["message"] == "checkout failed"
    assert failed["extra"]["order"] == 42
    assert failed["tags"]["request_id"] == "0123456789abcdef"
    assert missing["exception"]["values"][0]["value"] == "there is no order 7"
    bodies = "".join(body.decode().partition("\n")[2] for _, _, body in receiver.received)
    assert "canary" not in bodies


def test_nothing_is_sent_any_more_once_it_is_closed(receiver: Receiver) -> None:
    dsn = f"http://key@{receiver.host}/1"
    with exporting(Settings(_env_file=None, sentry_dsn=dsn)):
        pass
    logging.getLogger("shop").error("too late")
    assert receiver.received == []


@pytest.mark.parametrize(
    ("settings", "package", "extra"),
    [
        ({"otlp_endpoint": "http://127.0.0.1:9"}, "opentelemetry", "opentelemetry"),
        ({"sentry_dsn": "http://key@127.0.0.1:9/1"}, "sentry_sdk", "sentry"),
    ],
)
def test_a_setting_without_its_extra_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], package: str, extra: str
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == package or name == f"buttress.telemetry.{extra}":
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with (
        pytest.raises(ConfigurationError, match=extra) as told,
        exporting(Settings(_env_file=None, **settings)),
    ):
        pass
    assert f'pip install "buttress[{extra}]"' in str(told.value.hint)


@pytest.mark.parametrize(
    "settings", [{"otlp_endpoint": "localhost:4318"}, {"sentry_dsn": "https://canary@nowhere"}]
)
def test_an_address_that_is_none_is_refused_without_repeating_it(settings: dict[str, str]) -> None:
    with (
        pytest.raises(ConfigurationError, match="is no address") as told,
        exporting(Settings(_env_file=None, **settings)),
    ):
        pass
    assert "canary" not in f"{told.value.message} {told.value.hint} {told.value.__cause__}"

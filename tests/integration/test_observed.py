"""Ids, figures and spans of requests and jobs, from the edge to the server and back."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from buttress.access import Origin, people, signing_in, tokens
from buttress.api.app import create_api
from buttress.api.observed import Observed
from buttress.db.database import Database
from buttress.db.for_whom import name_here
from buttress.gate import Gate
from buttress.runtime import Runtime
from buttress.telemetry import JsonLines, doing_job, handed_on, working_for
from buttress.telemetry.metrics import page

SITE = "http://localhost"
ID = "0123456789abcdef0123456789abcdef"
SEEN = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"


def seen_by(database: Database, *, read_only: bool = False) -> str:
    with database.session(read_only=read_only) as session:
        return session.scalars(text(SEEN)).one()


@pytest.fixture(scope="module")
def observed(modules_runtime: Runtime) -> Observed:
    """The gate around a workspace that says what the server sees, with what counts around it."""

    def tell(_: Request) -> JSONResponse:
        logging.getLogger("inside").warning("asked")
        return JSONResponse(seen_by(modules_runtime.database))

    def fail(_: Request) -> PlainTextResponse:
        raise ZeroDivisionError

    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(socket.headers["x-request-id"])
        await socket.receive()

    api = create_api(modules_runtime)
    routes = [Route("/tell", tell), Route("/fail", fail), WebSocketRoute("/_stcore/stream", echo)]
    api.router.routes.extend(routes)
    return Observed(Gate(api, modules_runtime))


@pytest.fixture(scope="module")
def cookie(modules_runtime: Runtime) -> str:
    with modules_runtime.session() as session:
        person = people.create(session, "ann@example.com", "admin")
        return signing_in.begin(session, person, Origin("192.0.2.1"), how="test")


@pytest.fixture
def client(observed: Observed, cookie: str) -> Iterator[TestClient]:
    client = TestClient(observed, base_url=SITE, raise_server_exceptions=False)
    client.cookies.set("buttress", cookie)
    with client:
        yield client


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    """What is logged inside, as the log file has it."""
    found: list[dict[str, object]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(JsonLines().format(record)))

    kept = Kept()
    logging.getLogger("inside").addHandler(kept)
    yield found
    logging.getLogger("inside").removeHandler(kept)


def test_one_id_is_in_the_answer_the_log_and_the_server(client, lines) -> None:
    answer = client.get("/tell", headers={"x-request-id": ID})

    assert answer.headers["x-request-id"] == ID
    assert answer.json() == f"buttress {ID}"
    assert [(line["request_id"], line["person"]) for line in lines] == [(ID, "ann@example.com")]


@pytest.mark.parametrize("given", ["short", "x" * 65, "no spaces here", "ünïcödé-id", "a;b'c\"d-e"])
def test_an_id_that_is_none_is_replaced_by_one_and_the_same_everywhere(client, given) -> None:
    answer = client.get("/tell", headers=[(b"x-request-id", given.encode("latin-1", "replace"))])
    minted = answer.headers["x-request-id"]
    assert minted != given
    assert answer.json() == f"buttress {minted}"


def test_a_problem_tells_the_id_of_its_answer_also_to_strangers(observed) -> None:
    with TestClient(observed, base_url=SITE) as stranger:
        answer = stranger.get("/api/v1/people", headers={"x-request-id": ID})
    assert answer.status_code == 401
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == ID


def test_a_socket_is_told_its_id_and_counted_while_it_is_open(client, observed) -> None:
    with client.websocket_connect(
        "ws://localhost/_stcore/stream", headers={"origin": SITE}
    ) as socket:
        told = socket.receive_text()
        assert "buttress_websockets_open 1.0" in page([observed])
        assert (b"x-request-id", told.encode()) in socket.extra_headers
    assert "buttress_websockets_open 0.0" in page([observed])


def test_requests_are_counted_by_pattern_and_what_was_refused_too(client, observed) -> None:
    client.get("/health/live")
    for number in range(50):
        client.get(f"/api/v1/people/{number}/anything")
        client.request("BREW", f"/coffee/{number}")
    client.get("/fail")
    client.cookies.clear()
    client.get("/api/v1/people")

    told = page([observed])
    assert (
        'buttress_http_requests_total{method="GET",route="/health/live",status="200"} 1.0' in told
    )
    assert 'method="GET",route="workspace",status="500"} 1.0' in told
    assert 'route="/api",status="401"}' in told
    assert 'method="other"' in told
    assert "coffee" not in told
    assert "/49" not in told
    assert "buttress_http_requests_in_flight 0.0" in told
    assert 'buttress_http_request_duration_seconds_count{method="GET",route="/health/live"}' in told


def test_metrics_are_inside_the_gate_and_open_to_a_token(client, observed, modules_runtime) -> None:
    with modules_runtime.session() as session:
        ann = people.find(session, "ann@example.com")
        token = tokens.create(session, ann, "prometheus", ["health.read"], days=1)
    client.cookies.clear()
    refused = client.get("/metrics")
    served = client.get("/metrics", headers={"authorization": f"Bearer {token}"})

    assert (refused.status_code, served.status_code) == (401, 200)
    for family in ("buttress_http_requests_total", "buttress_pool_connections_limit",
                   "buttress_build_info", "buttress_disk_used_bytes",
                   'buttress_audited_actions_total{action="sign-in",outcome="done"}',
                   "process_resident_memory_bytes"):  # fmt: skip
        assert family in served.text


# --- the server ---------------------------------------------------------------------------------


def test_transactions_bear_the_id_and_forget_it(modules_runtime: Runtime) -> None:
    database = modules_runtime.database
    with working_for(request_id=ID):
        assert seen_by(database) == f"buttress {ID}"
        assert seen_by(database, read_only=True) == f"buttress {ID}"
    with working_for(request_id=ID, job_id="7c1d"):
        assert seen_by(database) == "buttress job 7c1d"
    assert seen_by(database) == "buttress"


def test_a_transaction_that_bears_an_id_is_still_read_only(modules_runtime: Runtime) -> None:
    with working_for(request_id=ID), modules_runtime.database.session(read_only=True) as session:
        assert session.scalars(text("SHOW transaction_read_only")).one() == "on"


def test_or_in_a_coroutine(modules_runtime: Runtime) -> None:
    async def look() -> str:
        async with modules_runtime.database.async_session() as session:
            return (await session.scalars(text(SEEN))).one()

    with working_for(request_id=ID):
        assert asyncio.run(look()) == f"buttress {ID}"


def test_the_id_leaves_statements_as_they_are_and_prepared(modules_runtime: Runtime) -> None:
    prepared = text("SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%answer%'")
    with modules_runtime.database.engine.connect() as connection:
        for number in range(8):
            with working_for(request_id=f"{number:032d}"):
                connection.execute(text("SELECT 42 + :more AS answer"), {"more": number})
                connection.commit()
        found = connection.scalars(prepared).all()
    assert len([sql for sql in found if "42" in sql]) == 1


@pytest.mark.parametrize("hostile", ["'; DROP TABLE x; --", "a\\'b", "ü" * 80, "\0\n\r", "x" * 500])
def test_nothing_in_an_id_reaches_the_server_as_sql(modules_runtime, hostile) -> None:
    with working_for(request_id=hostile):
        assert seen_by(modules_runtime.database) == name_here("buttress")
        assert len(name_here("buttress") or "") <= 63


# --- jobs ---------------------------------------------------------------------------------------


def test_a_job_works_for_the_request_that_asked_for_it() -> None:
    with working_for(request_id=ID):
        handed = handed_on()
    with doing_job("7c1d", "shop.import", {"job": "shop.import", "for": None, **handed}):
        assert name_here("buttress") == "buttress job 7c1d"
        record = logging.makeLogRecord({"msg": "imported", "levelname": "INFO"})
        entry = json.loads(JsonLines().format(record))
    assert (entry["request_id"], entry["job_id"]) == (ID, "7c1d")

"""The transaction of a request, as the route, the cache and the pool see it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
from fastapi import BackgroundTasks
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from buttress.access import acting, people
from buttress.access.identity import Identity
from buttress.api import RuntimeDep, SessionDep
from buttress.api.app import create_api
from buttress.app import App
from buttress.db.embedded import Servers
from buttress.db.transactions import open_transactions
from buttress.runtime import Runtime
from buttress.settings import Settings
from buttress.testing import someone

AT_ONCE = 6

app = App("opened", title="Opened")
seen: list[object] = []


class Asked(BaseModel):
    """Made of an object whose attributes may ask the database."""

    model_config = ConfigDict(from_attributes=True)

    where: str


class Lazy:
    """What a session gives, with an attribute that is loaded when somebody reads it."""

    @property
    def where(self) -> str:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return "in a thread"
        return "on the loop, which nobody else gets meanwhile"


@app.api.get("/around")
def around(session: SessionDep, background: BackgroundTasks) -> bool:
    background.add_task(look_around)
    return session in open_transactions()


async def look_around() -> None:
    seen.append(open_transactions())


@app.api.get("/sum")
def add(session: SessionDep, a: int, b: int) -> int:
    return int(session.execute(text(f"SELECT {a} / {b}")).scalar_one())


@app.api.get("/lazy")
def lazy(session: SessionDep) -> Asked:
    return Lazy()  # type: ignore[return-value]


@app.api.post("/sums")
def keep_sum(session: SessionDep) -> int:
    return two(session)


@app.api.post("/sums/async")
async def keep_sum_from_a_coroutine(session: SessionDep) -> int:
    return await asyncio.to_thread(two, session)


@app.api.post("/sums/elsewhere")
def keep_sum_elsewhere(runtime: RuntimeDep) -> int:
    with runtime.session() as session:
        return two(session)


def two(session: Session) -> int:
    return int(session.execute(text("SELECT 2 FROM pg_sleep(0.05)")).scalar_one())


@pytest.fixture(scope="module", params=[1, 2])
def client(
    request: pytest.FixtureRequest,
    modules_foundation_url: str,
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TestClient]:
    """Of a deployment with so few connections that none may be lost or held in vain."""
    app.load = lambda surface: None  # type: ignore[method-assign]
    settings = Settings(
        _env_file=None,
        database_url=modules_foundation_url,
        redis_url=servers.valkey_url,
        home=tmp_path_factory.mktemp("home"),
        pool={"size": request.param, "overflow": 0, "timeout_seconds": 3},  # type: ignore[arg-type]
    )
    with Runtime(settings) as runtime:
        runtime.apps[:] = [app]
        with runtime.session() as session:
            person = people.create(session, f"{request.param}@example.com", "admin")
            admin = Identity(person.id, person.name, "admin", someone("admin").permissions)
        with (
            acting(admin),
            TestClient(create_api(runtime), raise_server_exceptions=False) as client,
        ):
            yield client


def test_what_a_route_calls_knows_that_a_transaction_is_open_around_it(client: TestClient) -> None:
    seen.clear()

    assert client.get("/api/v1/opened/around").json() is True
    assert seen == [()]  # what runs after the answer is outside


def test_requests_that_fail_give_their_connections_back(client: TestClient) -> None:
    for _ in range(3):
        assert client.get("/api/v1/opened/sum?a=1&b=abc").status_code == 422
        assert client.get("/api/v1/opened/sum?a=1&b=0").status_code >= 400

    assert client.get("/api/v1/opened/sum?a=6&b=3").json() == 2


def test_what_an_answer_is_made_of_is_asked_for_in_a_thread(client: TestClient) -> None:
    assert client.get("/api/v1/opened/lazy").json() == {"where": "in a thread"}


@pytest.mark.parametrize("path", ["sums", "sums/async"])
def test_requests_with_keys_never_wait_for_each_other_s_thread(
    client: TestClient, path: str
) -> None:
    assert posted_at_once(client, path) == [(201, 2)] * AT_ONCE


@pytest.mark.parametrize("client", [2], indirect=True)  # each of them needs two
def test_nor_do_those_whose_work_takes_a_connection_of_its_own(client: TestClient) -> None:
    assert posted_at_once(client, "sums/elsewhere") == [(201, 2)] * AT_ONCE


def posted_at_once(client: TestClient, path: str) -> list[tuple[int, object]]:
    """Status and content of as many answers."""

    def post(number: int) -> tuple[int, object]:
        headers = {"idempotency-key": f"{path}-{number}"}
        answer = client.post(f"/api/v1/opened/{path}", headers=headers)
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        sent = [threads.submit(copy_context().run, post, number) for number in range(AT_ONCE)]
        return [one.result() for one in sent]

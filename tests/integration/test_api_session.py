"""The transaction of a request, as the route, the cache and the pool see it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from buttress.access import acting
from buttress.api import SessionDep
from buttress.api.app import create_api
from buttress.app import App
from buttress.db.transactions import open_transactions
from buttress.runtime import Runtime
from buttress.testing import someone

app = App("opened", title="Opened")


@app.api.get("/around")
def around(session: SessionDep) -> bool:
    return session in open_transactions()


@app.api.get("/sum")
def add(session: SessionDep, a: int, b: int) -> int:
    return int(session.execute(text(f"SELECT {a} / {b}")).scalar_one())


@pytest.fixture(scope="module")
def client(modules_runtime: Runtime) -> Iterator[TestClient]:
    app.load = lambda surface: None  # type: ignore[method-assign]
    modules_runtime.apps.append(app)
    with acting(someone("admin")):
        yield TestClient(create_api(modules_runtime), raise_server_exceptions=False)


def test_what_a_route_calls_knows_that_a_transaction_is_open_around_it(client: TestClient):
    assert client.get("/api/v1/opened/around").json() is True
    assert open_transactions() == ()


def test_requests_that_fail_give_their_connections_back(
    client: TestClient, modules_runtime: Runtime
):
    twice_the_pool = 2 * modules_runtime.settings.pool.size + 2
    for _ in range(twice_the_pool):
        assert client.get("/api/v1/opened/sum?a=1&b=abc").status_code == 422
        client.get("/api/v1/opened/sum?a=1&b=0")

    assert client.get("/api/v1/opened/sum?a=6&b=3").json() == 2

"""Usage, backups, moves, health and others' credentials through the API."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from buttress.access import Origin, acting, links, people, permissions_of, signing_in, tokens
from buttress.access.identity import Identity
from buttress.api.app import create_api
from buttress.llm.tables import LLMCall
from buttress.runtime import Runtime
from buttress.testing import someone

DAY = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def runtime(modules_runtime: Runtime) -> Runtime:
    with modules_runtime.session() as session:
        session.add_all(
            LLMCall(
                id=uuid4(), at=DAY + timedelta(days=number % 3), provider="openai", model="m",
                purpose="p", app="=catalog", person="ann@example.com", outcome="ok", attempts=1,
                latency_ms=100, input_tokens=10, output_tokens=1, cached_tokens=0,
                tokens_estimated=False, cost=Decimal("0.01"),
            )
            for number in range(6)
        )  # fmt: skip
    return modules_runtime


@pytest.fixture(scope="module")
def root(runtime: Runtime) -> Identity:
    with runtime.session() as session:
        person = people.create(session, "root@example.com", "admin")
    return Identity(person.id, person.name, person.role, permissions_of("admin"))


@pytest.fixture(scope="module")
def api(runtime: Runtime) -> TestClient:
    return TestClient(create_api(runtime), raise_server_exceptions=False)


@pytest.fixture
def client(api: TestClient, root: Identity):
    with acting(root):
        yield api


def test_usage_is_told_by_what_is_asked_page_by_page(client):
    span = {"since": "2026-11-01", "until": "2026-12-01", "by": ["day", "app"], "limit": 2}
    first = client.get("/api/v1/usage", params=span).json()
    rest = client.get("/api/v1/usage", params={**span, "cursor": first["next"]}).json()
    other = client.get("/api/v1/usage", params={"cursor": first["next"]})

    rows = [*first["items"], *rest["items"]]
    assert [row["day"] for row in rows] == ["2026-11-02", "2026-11-03", "2026-11-04"]
    assert {(row["calls"], row["input_tokens"], Decimal(row["cost"])) for row in rows} == {
        (2, 20, Decimal("0.02"))
    }
    assert (rest["next"], other.status_code) == (None, 422)


def test_usage_is_exported_with_formulas_defused(client):
    span = {"since": "2026-11-01", "until": "2026-12-01", "by": ["app", "person"]}
    answer = client.get("/api/v1/usage/export", params=span)
    (row,) = csv.DictReader(io.StringIO(answer.text))

    assert (row["app"], row["person"], row["calls"]) == ("'=catalog", "ann@example.com", "6")
    assert "model-usage-2026-11-01-2026-12-01.csv" in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    "query",
    ["since=2020-01-01", "since=2026-12-01&until=2026-11-01", "until=0001-01-01", "by=color",
     "until=9999-12-31&since=9999-12-31", "format=exe"],
)  # fmt: skip
def test_a_span_that_makes_no_sense_is_told(client, query):
    assert client.get(f"/api/v1/usage/export?{query}").status_code == 422


@pytest.mark.slow
def test_backups_are_listed_and_made_by_a_worker(runtime, client):
    made = [runtime.backup.create(f"test {number}") for number in range(2)]
    first = client.get("/api/v1/backups?limit=1").json()
    second = client.get("/api/v1/backups", params={"cursor": first["next"]}).json()
    shown = client.get(f"/api/v1/backups/{made[0].id}").json()

    assert [one["id"] for page in (first, second) for one in page["items"]] == [
        made[1].id,
        made[0].id,
    ]
    assert (shown["reason"], shown["verified"]) == ("test 0", made[0].verified)
    assert client.get("/api/v1/backups/none").status_code == 404
    assert client.post("/api/v1/backups").status_code == 409  # no table of jobs yet


def test_health_and_moves_are_told(client):
    health = client.get("/api/v1/health")

    assert health.status_code == 200
    assert health.json()["checks"]["database"]["status"] == "pass"
    assert client.get("/api/v1/moves").json() == []
    assert client.get("/api/v1/moves/public/none").status_code == 404


def test_an_admin_ends_what_others_are_signed_in_with(runtime, client):
    with runtime.session() as session:
        ann = people.create(session, "ann@example.com", "analyst")
        identity = Identity(ann.id, ann.name, ann.role, permissions_of("analyst"))
        with acting(identity):
            token = tokens.create(session, ann, "script", ["apps.read"])
        secret = signing_in.begin(session, ann, Origin("192.0.2.7", "Browser"), how="test")
        link = links.invite(session, "bob@example.com", "viewer")

    (listed,) = client.get("/api/v1/admin/tokens", params={"person": str(ann.id)}).json()["items"]
    (browser,) = client.get("/api/v1/admin/sign-ins?address=192.0.2.7").json()["items"]
    (invited,) = client.get("/api/v1/people/invitations").json()
    with acting(identity):
        own = client.get("/api/v1/sign-ins").json()["items"]
        refused = client.delete(f"/api/v1/admin/tokens/{listed['id']}").status_code
    with acting(someone("viewer")):
        foreign = client.delete(f"/api/v1/sign-ins/{browser['id']}").status_code
    ended = [
        client.delete(f"/api/v1/{path}").status_code
        for path in (
            f"admin/tokens/{listed['id']}", f"admin/sign-ins/{browser['id']}",
            f"people/invitations/{invited['id']}", f"people/invitations/{invited['id']}",
        )
    ]  # fmt: skip

    assert (listed["person"]["name"], browser["agent"]) == ("ann@example.com", "Browser")
    assert [one["id"] for one in own] == [browser["id"]]
    assert (invited["name"], refused, foreign) == ("bob@example.com", 403, 404)
    assert ended == [204, 204, 204, 404]
    with runtime.session() as session:
        for gone in (
            lambda: tokens.identify(session, token, Origin()),
            lambda: signing_in.identify(session, secret, Origin()),
            lambda: links.find(session, link),
        ):
            with pytest.raises(Exception, match=r"not known|has ended|does not work"):
                gone()
    told = client.get("/api/v1/audit?limit=3").json()["items"]
    assert [entry["action"] for entry in told] == [
        "invitation.revoke",
        "sign-in.revoke",
        "token.revoke",
    ]

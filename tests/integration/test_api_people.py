"""Routes that say who may ask, people and tokens through the API, and an OpenAPI that is true."""

from __future__ import annotations

import pytest
import schemathesis
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.testclient import TestClient

from buttress.access import PERMISSIONS, ROLES, acting, people, permissions_of
from buttress.access.identity import Identity
from buttress.api.app import create_api
from buttress.jobs.tables import install
from buttress.runtime import Runtime
from buttress.testing import someone

OPEN = {"/docs", "/openapi.json", "/docs/oauth2-redirect"}


@pytest.fixture(scope="module")
def runtime(modules_runtime: Runtime) -> Runtime:
    install(modules_runtime.owner_database)
    return modules_runtime


@pytest.fixture(scope="module")
def root(runtime: Runtime) -> Identity:
    with runtime.session() as session:
        person = people.create(session, "root@example.com", "admin")
    return Identity(person.id, person.name, person.role, permissions_of("admin"))


@pytest.fixture(scope="module")
def client(runtime: Runtime) -> TestClient:
    return TestClient(create_api(runtime), raise_server_exceptions=False)


def routes(runtime: Runtime) -> list[APIRoute]:
    root = create_api(runtime)
    (api,) = (route.app for route in root.routes if getattr(route, "path", "") == "/api/v1")
    found = [context.route for context in iter_route_contexts(api.routes)]
    return [route for route in found if isinstance(route, APIRoute) and route.path not in OPEN]


def needed(route: APIRoute) -> list[str]:
    return [
        dependency.dependency.permission
        for dependency in route.dependencies
        if hasattr(dependency.dependency, "permission")
    ]


def test_every_route_names_one_permission(runtime):
    named = {route.path: needed(route) for route in routes(runtime)}

    assert len(named) >= 30
    assert all(len(found) == 1 and found[0] in PERMISSIONS for found in named.values()), named


def test_every_role_gets_what_it_may_and_nothing_else(runtime, client):
    for role in (None, *ROLES):
        for route in routes(runtime):
            (permission,) = needed(route)
            path = route.path.replace("{person_id}", str(someone().person)).replace(
                "{token_id}", "x"
            )
            for method in route.methods:
                with acting(someone(role) if role else None):
                    status = client.request(method, f"/api/v1{path}").status_code
                if role is None:
                    assert status == 401, path
                else:
                    allowed = permission in permissions_of(role)
                    assert (status != 403) is allowed, (role, method, path, status)
                    assert status < 500


def test_people_are_invited_changed_and_disabled(runtime, root, client):
    with acting(root):
        link = client.post("/api/v1/people/invitations", json={"name": "ann@example.com"}).json()
        assert link["path"].startswith("/sign-in/link/")
        everybody = client.get("/api/v1/people").json()["items"]
        path = f"/api/v1/people/{everybody[0]['id']}"
        refused = client.patch(path, json={"role": "viewer"})
        told = client.get("/api/v1/audit", params={"limit": 1}).json()

    assert [person["name"] for person in everybody] == ["root@example.com"]
    assert (refused.status_code, refused.json()["title"]) == (409, "Conflict")
    assert told["items"][0]["action"] == "person.invite"
    assert told["next"]


def test_pages_of_a_list_follow_each_other(root, client):
    with acting(root):
        for number in range(4):
            client.post("/api/v1/people/invitations", json={"name": f"p{number}@example.com"})
        page = client.get("/api/v1/audit?limit=2").json()
        found = [entry["number"] for entry in page["items"]]
        while page["next"]:
            page = client.get(f"/api/v1/audit?limit=2&cursor={page['next']}").json()
            found += [entry["number"] for entry in page["items"]]

    assert found == list(range(found[0], 0, -1))


def test_a_token_is_made_shown_once_and_revoked(root, client):
    with acting(root):
        made = client.post(
            "/api/v1/tokens", json={"name": "n", "permissions": ["apps.read"]}
        ).json()
        (listed,) = client.get("/api/v1/tokens").json()["items"]
        assert client.delete(f"/api/v1/tokens/{made['id']}").status_code == 204
        assert client.delete(f"/api/v1/tokens/{made['id']}").status_code == 404

    assert listed["id"] == made["id"]
    assert made["token"] not in str(listed)


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a\\u0000b"}', b'{"name": "\\ud800x"}', b'{"name": NaN}', b'{"name": 1e999}',
        b"{", b"[]", b"null", b"\xff", b'{"name": {"a": 1}}', b'{"name": "x", "role": "king"}',
        b"[" * 10_000, b'{"name": "' + b"x" * 20_000 + b'"}',
    ],
)  # fmt: skip
def test_what_cannot_be_stored_is_told_and_not_stored(root, client, body):
    with acting(root):
        answer = client.post(
            "/api/v1/people/invitations", content=body, headers={"content-type": "application/json"}
        )

    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query",
    ["cursor=0", "cursor=9" + "9" * 30, "limit=0", "actor=%00", "cursor=%00", "since=x", "sort=at"],
)
def test_a_query_that_makes_no_sense_is_told(root, client, query):
    with acting(root):
        assert client.get(f"/api/v1/audit?{query}").status_code == 422


def test_the_reference_lists_every_route_without_a_script(runtime, root, client):
    with acting(root):
        page = client.get("/api/v1/docs").text

    assert "<script" not in page
    assert all(route.path.replace("{", "{") in page for route in routes(runtime))


def test_an_older_or_unknown_api_is_told_where_to_look(root, client):
    with acting(root):
        answer = client.get("/api/people")

    assert (answer.status_code, answer.json()["hint"]) == (
        404,
        "All routes begin with /api/v1; see /api/v1/docs.",
    )


def test_a_file_goes_up_and_comes_back_to_whom_it_belongs(runtime, root, client):
    png = b"\x89PNG\r\n\x1a\n" + b"x" * 5000
    with acting(root):
        made = client.post("/api/v1/files?name=a%20picture.png", content=png)
        path = f"/api/v1/files/{made.json()['id']}"
        answer = client.get(path)
        part = client.get(path, headers={"range": "bytes=1-3"})
        listed = client.get("/api/v1/files").json()["items"]
    with acting(someone("admin")):
        foreign = [client.get(path).status_code, client.delete(path).status_code]
    with acting(root):
        gone = [client.delete(path).status_code, client.get(path).status_code]

    assert (made.status_code, made.json()["media_type"]) == (201, "image/png")
    assert answer.content == png
    assert answer.headers["content-disposition"].startswith("attachment")
    assert (part.status_code, part.content) == (206, b"PNG")
    assert [file["name"] for file in listed] == ["a picture.png"]
    assert foreign == [404, 404]
    assert gone == [204, 404]


@pytest.mark.slow
def test_every_answer_is_one_the_schema_names(runtime, root):
    api = create_api(runtime)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", api)

    failures = []
    for operation in schema.get_all_operations():
        for case in _cases(operation.ok()):
            with acting(root):
                response = case.call()
            if (
                response.status_code >= 500
                or str(response.status_code) not in operation.ok().definition.raw["responses"]
            ):
                failures.append((case.method, case.path, response.status_code))

    assert failures == []


def _cases(operation, number: int = 40):
    from hypothesis import HealthCheck, Phase, given, settings

    found = []

    @settings(
        max_examples=number, database=None, deadline=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(operation.as_strategy())
    def collect(case) -> None:
        found.append(case)

    collect()
    return found

"""Lists in pages, what has not changed, and what cannot be stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import uuid4

import pytest
from fastapi import Depends
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete
from starlette.testclient import TestClient

from buttress.access import acting, permissions_of
from buttress.access.identity import Identity
from buttress.access.tables import Link, Person
from buttress.api import SessionDep
from buttress.api.app import create_api
from buttress.api.paging import Asked, Listing, read_cursor, write_cursor
from buttress.api.people import PEOPLE, PersonOut
from buttress.api.types import Page
from buttress.app import App
from buttress.errors import BadInput, ConfigurationError
from buttress.runtime import Runtime
from buttress.testing import someone

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def runtime(modules_runtime: Runtime) -> Runtime:
    with modules_runtime.session() as session:
        # Eight moments for forty people: rows that are equal but for the id.
        session.add_all(
            Person(
                id=uuid4(), name=f"p{number:02}@example.com", role="viewer",
                created_at=START + timedelta(microseconds=number % 8),
            )
            for number in range(40)
        )  # fmt: skip
    return modules_runtime


@pytest.fixture(scope="module")
def root(runtime: Runtime) -> Identity:
    with runtime.session() as session:
        person = Person(id=uuid4(), name="root@example.com", role="admin", created_at=START)
        session.add(person)
    return Identity(person.id, person.name, "admin", permissions_of("admin"))


@pytest.fixture(scope="module")
def api(runtime: Runtime) -> TestClient:
    return TestClient(create_api(runtime), raise_server_exceptions=False)


@pytest.fixture
def client(api: TestClient, root: Identity):
    with acting(root):
        yield api


def names(client: TestClient, **params: object) -> list[str]:
    found, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = client.get("/api/v1/people", params={**params, **more}).json()
        found += [person["name"] for person in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found


@pytest.mark.parametrize("sort", ["name", "-name", "created_at", "-created_at"])
@pytest.mark.parametrize("limit", [1, 7, 41])
def test_pages_hold_every_row_once_in_order(client, sort, limit):
    found = names(client, sort=sort, limit=limit)

    whole = client.get("/api/v1/people", params={"sort": sort, "limit": 1000}).json()["items"]
    assert len(found) == len(set(found)) == 41
    assert found == [person["name"] for person in whole]
    key = sort.removeprefix("-")
    read = datetime.fromisoformat if key == "created_at" else str
    order = [read(person[key]) for person in whole]
    assert order == sorted(order, reverse=sort.startswith("-"))


def test_rows_that_come_and_go_between_pages_move_no_others(runtime, client):
    first = client.get("/api/v1/people", params={"limit": 10}).json()
    with runtime.session() as session:
        session.add(Person(id=uuid4(), name="a-new-one", role="viewer", created_at=START))
    second = client.get("/api/v1/people", params={"limit": 10, "cursor": first["next"]}).json()
    with runtime.session() as session:
        session.execute(delete(Person).where(Person.name == "a-new-one"))

    seen = [person["name"] for page in (first, second) for person in page["items"]]
    assert seen == [f"p{number:02}@example.com" for number in range(20)]


def test_filters_leave_out_rows_and_take_text_as_it_is(client):
    assert names(client, role="admin") == ["root@example.com"]
    assert names(client, name="P1") == [f"p1{n}@example.com" for n in range(10)]
    assert names(client, name="%") == []
    assert client.get("/api/v1/people", params={"role": "king"}).status_code == 422


def test_a_cursor_is_good_for_its_own_list_only(client):
    cursor = client.get("/api/v1/people", params={"limit": 1}).json()["next"]
    forged = [
        {"cursor": cursor, "sort": "-name"}, {"cursor": cursor, "role": "viewer"},
        {"cursor": cursor[:-2] + "xx"}, {"cursor": cursor + "="}, {"cursor": ""},
    ]  # fmt: skip

    assert [client.get("/api/v1/people", params=one).status_code for one in forged] == [422] * 5
    assert client.get("/api/v1/audit", params={"cursor": cursor}).status_code == 422


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_text_is_taken_for_a_cursor(text):
    with pytest.raises(BadInput):
        read_cursor(text, "request", (str, int))


@hypothesis_settings(max_examples=50)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.integers(-(2**63), 2**63 - 1),
)
def test_a_cursor_holds_what_was_put_in(text, number):
    cursor = write_cursor("request", (text, number))

    assert read_cursor(cursor, "request", (str, int)) == (text, number)


@pytest.mark.parametrize("last", [("a\0b", 1), ("a", 2**63), ("a", "b"), (1, 1), ("a",)])
def test_a_cursor_with_what_no_column_holds_is_refused(last):
    with pytest.raises(BadInput):
        read_cursor(write_cursor("request", last), "request", (str, int))


def test_a_list_sorts_by_what_is_always_there():
    with pytest.raises(ConfigurationError):
        Listing(PersonOut, Person.id, sort={"gone": Person.disabled_at}, first="gone")
    with pytest.raises(ConfigurationError):
        Listing(PersonOut, Link.digest, sort={"name": Person.name}, first="age")


def test_the_parameters_of_a_list_are_in_the_openapi(client):
    schema = client.get("/api/v1/openapi.json").json()
    told = {one["name"]: one["schema"] for one in schema["paths"]["/people"]["get"]["parameters"]}

    assert set(told) == {"sort", "limit", "cursor", "role", "name"}
    assert told["sort"]["enum"] == ["name", "-name", "created_at", "-created_at"]
    assert {"enum": ["viewer", "analyst", "admin"], "type": "string"} in told["role"]["anyOf"]


def test_what_has_not_changed_is_not_sent_again(client):
    first = client.get("/api/v1/people?limit=3")
    again = client.get("/api/v1/people?limit=3", headers={"if-none-match": first.headers["etag"]})
    other = client.get("/api/v1/people?limit=4", headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert other.status_code == 200


def test_what_was_changed_meanwhile_is_not_overwritten(client):
    person = client.get("/api/v1/people?name=p05").json()["items"][0]
    path = f"/api/v1/people/{person['id']}"
    seen = client.get(path).headers["etag"]
    mine = client.patch(path, json={"role": "analyst"}, headers={"if-match": seen})
    late = client.patch(path, json={"role": "viewer"}, headers={"if-match": seen})
    now = client.patch(path, json={"role": "viewer"})

    assert [mine.status_code, late.status_code, now.status_code] == [200, 412, 200]
    assert late.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "value",
    [
        '"a\\u0000b"', '"\\ud800"', '"\\udc00x"', '"\\ud800\\ud800"', '{"\\u0000": 1}', "NaN",
        "-Infinity", "1e999", "-1E+9999", "9" * 19, "9" * 5000, "[" * 500 + "NaN" + "]" * 500,
    ],
)  # fmt: skip
def test_what_no_column_holds_is_refused_wherever_it_stands(client, value):
    body = f'{{"name": "x", "elsewhere": {value}}}'.encode()
    answer = client.post(
        "/api/v1/people/invitations", content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "text", ["\\\\u0000", "\\ud83d\\ude00", "NaN", "12345678901234567890", "1e999"]
)
def test_what_only_looks_like_it_is_taken(client, text):
    body = f'{{"name": "x\\"", "role": "viewer", "elsewhere": "{text}"}}'.encode()
    answer = client.post(
        "/api/v1/people/invitations", content=body, headers={"content-type": "application/json"}
    )

    assert answer.json()["detail"] == "that cannot be a name to sign in with"


@pytest.mark.parametrize("path", ["people?name=%00", "people?x=a%00b", "jobs/a%00b", "people/%00"])
def test_a_nul_in_an_address_is_refused(client, path):
    assert client.get(f"/api/v1/{path}").status_code == 422


def test_a_listing_is_a_dependency_of_any_route(runtime):
    app = App("probe", title="Probe")

    @app.api.get("/people")
    def people(session: SessionDep, asked: Annotated[Asked, Depends(PEOPLE)]) -> Page[PersonOut]:
        assert PEOPLE.count(session, asked) == 40
        return PEOPLE.page(session, asked)

    app.load = lambda surface: None  # type: ignore[method-assign]
    runtime.apps.append(app)
    try:
        with acting(someone("viewer")):
            found = TestClient(create_api(runtime)).get("/api/v1/probe/people?role=viewer&limit=2")
    finally:
        runtime.apps.remove(app)
    assert [person["name"] for person in found.json()["items"]] == [
        "p00@example.com",
        "p01@example.com",
    ]

"""A POST with a key is done once, whoever sends it how often, and whatever dies when."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from fastapi import Request
from pydantic import BaseModel
from sqlalchemy import func, select, text, update
from starlette.testclient import TestClient

from buttress.access import acting, people, permissions_of, repeats
from buttress.access.identity import Identity
from buttress.access.repeats import Repeat
from buttress.access.tables import Token
from buttress.api import RuntimeDep, SessionDep
from buttress.api.app import create_api
from buttress.app import App
from buttress.errors import BadInput
from buttress.runtime import Runtime
from buttress.testing import someone

app = App("probe", title="Probe")
begun, go_on = threading.Event(), threading.Event()
done: list[str] = []


class Note(BaseModel):
    """What is kept."""

    text: str


@app.api.post("/notes")
def add_note(note: Note, session: SessionDep) -> Note:
    session.execute(text("INSERT INTO probe_note VALUES (:text)"), {"text": note.text})
    if note.text == "slow":
        begun.set()
        go_on.wait(10)
    if note.text == "bad":
        raise BadInput("this is no note")
    return note


@app.api.post("/elsewhere")
def without_session(note: Note, request: Request, runtime: RuntimeDep) -> Note:
    done.append(note.text)
    return note


@pytest.fixture(scope="module")
def runtime(modules_runtime: Runtime) -> Runtime:
    with modules_runtime.owner_database.connection() as connection:
        connection.execute(text("CREATE TABLE probe_note (text text)"))
        connection.execute(text("GRANT ALL ON probe_note TO PUBLIC")) if (
            modules_runtime.database.backend.name == "postgresql"
        ) else None
    app.load = lambda surface: None  # type: ignore[method-assign]
    modules_runtime.apps.append(app)
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


def notes(runtime: Runtime, content: str) -> int:
    with runtime.session() as session:
        return session.scalar(
            text("SELECT count(*) FROM probe_note WHERE text = :text"), {"text": content}
        )


def post(client: TestClient, content: str, key: str, path: str = "probe/notes"):
    return client.post(f"/api/v1/{path}", json={"text": content}, headers={"idempotency-key": key})


def test_the_same_request_is_done_once_and_answered_alike(runtime, client):
    first, again = (post(client, "once", "k1") for _ in range(2))

    assert (first.status_code, first.json()) == (201, {"text": "once"})
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert "idempotency-replayed" in again.headers
    assert "idempotency-replayed" not in first.headers
    assert notes(runtime, "once") == 1


def test_a_key_is_for_one_request_of_one_person(runtime, client):
    post(client, "mine", "k2")
    other = post(client, "another", "k2")
    elsewhere = post(client, "mine", "k2", path="probe/notes?x=1")
    with acting(someone("admin")):
        theirs = post(client, "mine", "k2")

    assert (other.status_code, elsewhere.status_code, theirs.status_code) == (422, 422, 201)
    assert (notes(runtime, "another"), notes(runtime, "mine")) == (0, 2)


def test_what_failed_may_be_tried_again(runtime, client):
    assert [post(client, "bad", "k3").status_code for _ in range(2)] == [422, 422]
    assert post(client, "good", "k3").status_code == 201
    assert notes(runtime, "bad") == 0


def test_two_at_once_do_it_once(runtime, root, client):
    answers = []

    def first() -> None:
        with acting(root):
            answers.append(post(client, "slow", "k4"))

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(10)
    meanwhile = post(client, "slow", "k4")
    go_on.set()
    thread.join()
    later = post(client, "slow", "k4")

    assert (meanwhile.status_code, meanwhile.headers["retry-after"]) == (409, "1")
    assert answers[0].status_code == later.status_code == 201
    assert notes(runtime, "slow") == 1


def test_a_secret_is_kept_nowhere(runtime, root, client):
    def make():
        return client.post(
            "/api/v1/tokens", json={"name": "n", "permissions": ["apps.read"]},
            headers={"idempotency-key": "k5"},
        )  # fmt: skip

    first, again = make(), make()
    with runtime.session() as session:
        kept = session.scalars(select(Repeat).where(Repeat.key == "k5")).one()
        made = session.scalar(
            select(func.count()).select_from(Token).where(Token.person_id == root.person)
        )

    assert (first.status_code, again.status_code, made) == (201, 409, 1)
    assert first.headers["cache-control"] == "no-store"
    assert kept.body is None


def test_an_upload_is_kept_once_and_its_content_compared(client):
    def upload(content: bytes):
        return client.post(
            "/api/v1/files?name=a.txt", content=content, headers={"idempotency-key": "k6"}
        )

    first, again, other = upload(b"hello"), upload(b"hello"), upload(b"other")

    assert first.json() == again.json()
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert len(client.get("/api/v1/files").json()["items"]) == 1


def test_a_route_without_a_transaction_is_not_done_twice_either(client):
    answers = [post(client, "plain", "k7", path="probe/elsewhere") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert done == ["plain"]


def test_a_key_counts_for_a_day(runtime, client):
    post(client, "daily", "k8")
    with runtime.session() as session:
        old = datetime.now(UTC) - timedelta(hours=25)
        session.execute(update(Repeat).where(Repeat.key == "k8").values(created_at=old))
    post(client, "daily", "k8")
    with runtime.session() as session:
        session.execute(update(Repeat).values(created_at=old))
        repeats.sweep(session)
        left = session.scalar(select(func.count()).select_from(Repeat))

    assert notes(runtime, "daily") == 2
    assert left == 0


@pytest.mark.parametrize("key", ["", " ", "a b", "\x7f", "x" * 201, "é"])
def test_what_cannot_be_a_key_is_told(client, key):
    answer = client.post(
        "/api/v1/probe/notes", json={"text": "x"}, headers={"idempotency-key": key.encode()}
    )

    assert answer.status_code == 422


DYING = """
import os, sys
from uuid import UUID
from starlette.testclient import TestClient
from sqlalchemy import event, text
from sqlalchemy.orm import Session
from buttress.access import acting, permissions_of
from buttress.access.identity import Identity
from buttress.api.app import create_api
from buttress.runtime import Runtime
from buttress.settings import Settings
import test_api_repeats as ours

url, valkey, home, person, when = sys.argv[1:]
ours.app.load = lambda surface: None
with Runtime(Settings(_env_file=None, database_url=url, redis_url=valkey, home=home)) as runtime:
    runtime.apps[:] = [ours.app]
    event.listen(Session, when, lambda session: os.kill(os.getpid(), 9))
    with acting(Identity(UUID(person), "p", "admin", permissions_of("admin"))):
        ours.post(TestClient(create_api(runtime)), when, when)
"""


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
def test_a_kill_between_work_and_answer_does_it_once(runtime, tmp_path, when):
    person, settings = uuid4(), runtime.settings
    dying = subprocess.run(
        [
            sys.executable, "-c", DYING, settings.database_url.get_secret_value(),
            settings.redis_url.get_secret_value(), str(tmp_path), str(person), when,
        ],
        cwd="tests/integration", check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert dying.returncode == -9, dying.stderr
    before = notes(runtime, when)
    with acting(Identity(person, "p", "admin", permissions_of("admin"))):
        again = post(TestClient(create_api(runtime)), when, when)

    assert (again.status_code, again.json()) == (201, {"text": when})
    assert before == (0 if when == "before_commit" else 1)
    assert notes(runtime, when) == 1

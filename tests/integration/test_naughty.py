"""The same string back from every layer, or a refusal that says why."""

from __future__ import annotations

import csv
import io
import json

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from buttress.access import acting
from buttress.api import SessionDep, Text
from buttress.api.app import create_api
from buttress.app import App
from buttress.client import Client
from buttress.db.embedded import Servers
from buttress.errors import BadInput
from buttress.exports import Options, export_chunks
from buttress.runtime import Runtime
from buttress.testing import someone
from cache_world import Shop, shops, world
from naughty import naughty, refused
from test_exports import read_excel
from web_world import gated, served, token_of

STRINGS = naughty()
AT_ONCE = 50
app = App("probe", title="Probe")
QUERY = text("SELECT text FROM probe_text ORDER BY id")


@app.api.post("/texts")
def add(texts: list[Text], session: SessionDep) -> list[str]:
    for one in texts:
        session.execute(text("INSERT INTO probe_text (text) VALUES (:text)"), {"text": one})
    return texts


@app.api.get("/texts")
def find(session: SessionDep, like: Text | None = None) -> list[str]:
    found = session.scalars(QUERY).all()
    return [one for one in found if like in (None, one)]


@pytest.fixture(scope="module")
def runtime(modules_runtime: Runtime) -> Runtime:
    with modules_runtime.owner_database.connection() as connection:
        connection.execute(
            text("CREATE TABLE probe_text (id int GENERATED ALWAYS AS IDENTITY, text text)")
        )
        connection.execute(text("GRANT ALL ON probe_text TO PUBLIC"))
    app.load = lambda surface: None  # type: ignore[method-assign]
    modules_runtime.apps.append(app)
    return modules_runtime


@pytest.fixture(scope="module")
def client(runtime: Runtime) -> TestClient:
    return TestClient(create_api(runtime), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def answered(runtime: Runtime) -> list[str]:
    """All strings, sent and read by the client."""
    with (
        served(gated(runtime)) as address,
        Client(address, token_of(runtime, "root@example.com")) as api,
    ):
        for start in range(0, len(STRINGS), AT_ONCE):
            some = STRINGS[start : start + AT_ONCE]
            assert api.post("probe/texts", some) == some
        for one in STRINGS[::40]:
            assert api.get("probe/texts", like=one) == [one], repr(one)
        found: list[str] = api.get("probe/texts")
    return found


def test_there_are_enough_and_each_once():
    assert len(STRINGS) == len(set(STRINGS)) >= 500


def test_the_client_gets_what_it_sent(answered):
    assert answered == STRINGS


@pytest.mark.parametrize("format", ["csv", "json", "jsonl", "parquet", "xlsx"])
def test_every_export_holds_it(runtime, answered, format):
    with runtime.session() as session:
        data = b"".join(export_chunks(session, QUERY, format, Options(defuse=False)))

    match format:
        case "csv":
            found = [row[0] for row in csv.reader(io.StringIO(data.decode(), newline=""))][1:]
        case "json":
            found = [row["text"] for row in json.loads(data)]
        case "jsonl":
            found = [json.loads(line)["text"] for line in data.split(b"\n") if line]
        case "parquet":
            found = pq.read_table(io.BytesIO(data)).column("text").to_pylist()
        case "xlsx":
            found = [row[0] or "" if row else "" for row in read_excel(data)[0][1:]]
    different = [(one, two) for one, two in zip(found, STRINGS, strict=True) if one != two]
    assert different == []


def test_the_cache_holds_it_for_this_process_and_others(servers: Servers):
    with world(servers, url=servers.valkey_url) as shop:
        with shop.app.session() as session:
            session.execute(Shop.__table__.delete())
            rows = [{"id": number, "name": one} for number, one in enumerate(STRINGS)]
            session.execute(Shop.__table__.insert(), rows)

        def read(session: Session) -> list[str]:
            return shops(session)

        for _ in range(2):
            with shop.app.session(read_only=True) as session:
                assert read(session) == STRINGS
        with shop.another_cache(servers.valkey_url), shop.app.session(read_only=True) as session:
            assert read(session) == STRINGS


@pytest.mark.parametrize("one", refused())
def test_what_cannot_be_stored_is_refused_by_every_layer(runtime, client, one):
    with acting(someone("admin")):
        answer = client.post(
            "/api/v1/probe/texts", content=json.dumps([one]),
            headers={"content-type": "application/json"},
        )  # fmt: skip
        query = client.get("/api/v1/probe/texts", params={"like": "\0"})

    assert (answer.status_code, query.status_code) == (422, 422)
    with pytest.raises(BadInput), runtime.session() as session:
        session.execute(text("INSERT INTO probe_text (text) VALUES (:text)"), {"text": one})
    with runtime.session() as session:
        assert session.scalars(select(text("count(*)")).select_from(text("probe_text"))).one() in (
            0,
            len(STRINGS),
        )

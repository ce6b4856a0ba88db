"""The catalog through its API: the whole way from a file to a rated, exported product."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from buttress.access import Identity, acting
from buttress.api.app import create_api
from buttress.jobs import background
from buttress.runtime import Runtime
from catalog_documents import datasheet

PATIENCE_SECONDS = 120


class AsPerson:
    """Requests of one person, without the gate before them."""

    def __init__(self, client: TestClient, identity: Identity) -> None:
        self._client, self._identity = client, identity

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        with acting(self._identity):
            return self._client.request(method, f"/api/v1{path}", **options)


@pytest.fixture(scope="module")
def client(runtime: Runtime) -> Iterator[TestClient]:
    with contextlib.ExitStack() as exits:
        exits.enter_context(
            background.working(runtime.jobs, concurrency=2, owner=None, wait_seconds=0.0)
        )
        yield exits.enter_context(TestClient(create_api(runtime)))


@pytest.fixture
def ask(client: TestClient, ana: Identity) -> AsPerson:
    return AsPerson(client, ana)


def uploaded(ask: AsPerson, name: str = "oak.pdf") -> int:
    """A document, taken in by its file."""
    file = ask.request("POST", "/files", params={"name": name}, content=datasheet(pages=2))
    assert file.status_code == 201, file.text
    taken = ask.request("POST", "/catalog/documents", json={"file_id": file.json()["id"]})
    assert taken.status_code == 201, taken.text
    assert taken.json()["outline"]["pages"] == 2
    return int(taken.json()["id"])


def ended(ask: AsPerson, batch: int) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        found: dict[str, Any] = ask.request("GET", f"/catalog/batches/{batch}").json()
        if found["progress"]["ended"]:
            return found
        time.sleep(0.1)
    pytest.fail(f"batch {batch} did not end")


def test_from_a_file_to_a_rated_product(ask: AsPerson) -> None:
    document = uploaded(ask)
    image = ask.request("GET", f"/catalog/documents/{document}/pages/1")
    assert (image.headers["content-type"], image.content[:4]) == ("image/png", b"\x89PNG")

    batch = ask.request("POST", "/catalog/batches", json={"name": "by the API"}).json()["id"]
    wanted = {"product_type": "cosmetics", "sources": [{"source_id": document, "pages": [1]}]}
    added = ask.request("POST", f"/catalog/batches/{batch}/requests", json=wanted)
    assert added.status_code == 201, added.text
    begun = ask.request("POST", f"/catalog/batches/{batch}/execution")
    assert begun.status_code == 202, begun.text
    assert ended(ask, batch)["progress"]["done"] == 1

    (request,) = ask.request("GET", f"/catalog/batches/{batch}/requests").json()["items"]
    product = ask.request("GET", f"/catalog/products/{request['product_id']}").json()
    assert product["content"]["catalogA"]["TitleEN"] == "Hydra Calm Face Cream"
    assert product["origins"]["catalogB.Subtypes.0.EAN"]["place"]["page"] == 1

    corrected = ask.request(
        "PATCH",
        f"/catalog/products/{product['id']}",
        json={"path": "catalogA.TitleEN", "value": "Calming Cream"},
    )
    assert corrected.json()["name"] == "Calming Cream"
    late = ask.request(
        "PATCH",
        f"/catalog/products/{product['id']}",
        json={
            "path": "catalogA.TitleEN",
            "value": "Cream",
            "seen": product["content"]["catalogA"]["TitleEN"],
        },
    )
    assert late.status_code == 409
    assert "changed meanwhile by ana" in late.json()["detail"]
    rated = ask.request(
        "POST",
        f"/catalog/evaluations/{product['evaluation_id']}/feedback",
        json={"structure": 4, "content": 5, "translation": 3, "notes": {"content": "all right"}},
    )
    assert rated.status_code == 201, rated.text

    exported = ask.request("GET", "/catalog/export", params={"format": "json"})
    assert "Calming Cream" in [one["catalogA"]["TitleEN"] for one in exported.json()]
    agreement = ask.request("GET", "/catalog/dashboard/agreement").json()
    assert agreement["agreement"]["n"] == 1


def test_a_draft_that_was_begun_is_not_begun_again(ask: AsPerson) -> None:
    batch = ask.request("POST", "/catalog/batches", json={"name": "once"}).json()["id"]
    wanted = {"product_type": "cosmetics", "sources": [], "hint": "Brand: Oakleaf"}
    ask.request("POST", f"/catalog/batches/{batch}/requests", json=wanted)

    first = ask.request("POST", f"/catalog/batches/{batch}/execution")
    second = ask.request("POST", f"/catalog/batches/{batch}/execution")

    assert (first.status_code, second.status_code) == (202, 409)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/catalog/products/999999", None, 404),
        ("GET", "/catalog/documents/0", None, 422),
        ("POST", "/catalog/batches", {"name": ""}, 422),
        ("POST", "/catalog/batches", {"name": "x\u0000y"}, 422),
        ("POST", "/catalog/batches/999999/execution", None, 404),
        ("POST", "/catalog/deliveries", {"target": "dropbox", "products": [1]}, 422),
        ("GET", "/catalog/products?sort=nonsense", None, 422),
        ("GET", "/catalog/prompts/nonsense", None, 404),
        ("GET", "/catalog/dashboard/agreement/weather", None, 422),
        ("GET", "/catalog/export?format=exe", None, 422),
    ],
)
def test_bad_input_is_refused_by_name(
    ask: AsPerson, method: str, path: str, body: Any, status: int
) -> None:
    answer = ask.request(method, path, json=body)

    assert answer.status_code == status, answer.text
    assert answer.json()["title"]


def test_figures_of_every_tab_are_there(ask: AsPerson) -> None:
    for tab in ("executive", "agreement", "agreement/model", "performance", "quality", "people"):
        answer = ask.request("GET", f"/catalog/dashboard/{tab}", params={"days": 7})
        assert answer.status_code == 200, answer.text


def test_prompts_have_versions(ask: AsPerson, runtime: Runtime) -> None:
    found = ask.request("GET", "/catalog/prompts").json()
    assert "extract-cosmetics" in [one["name"] for one in found]
    refused = ask.request(
        "POST", "/catalog/prompts/extract-cosmetics", json={"text": "Read it.", "base": 1}
    )
    assert refused.status_code == 403


def test_an_export_is_a_file_that_opens(ask: AsPerson) -> None:
    for format in ("json", "jsonl", "csv", "xlsx", "parquet"):
        answer = ask.request("GET", "/catalog/export", params={"format": format})
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].startswith("attachment")
    assert json.loads(ask.request("GET", "/catalog/export").content) is not None
    assert io.BytesIO(answer.content).read(4) == b"PAR1"

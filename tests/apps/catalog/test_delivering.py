"""Products sent to a webhook and to Dropbox, by stand-ins of theirs on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fastapi.testclient import TestClient

from buttress.access import Identity, acting
from buttress.api.app import create_api
from buttress.apps.catalog.models import Delivery, Product
from buttress.apps.catalog.service import delivering
from buttress.errors import BadInput, Conflict, Unavailable
from buttress.jobs import background
from buttress.runtime import Runtime

CONTENT = {
    "catalogA": {"TitleEN": "Hydra Calm"},
    "catalogB": {"Subtypes": [{"EAN": "5601234567893"}]},
}
PATIENCE_SECONDS = 60


class Destination:
    """Keeps what is posted to it; answers with `status`, or not at all while that is None."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.ended = threading.Event()
        destination = self

        class Post(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                destination.received.append((self.path, headers, body))
                if destination.status is None:
                    destination.ended.wait(PATIENCE_SECONDS)
                    return
                self.send_response(destination.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Post)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def listening() -> Iterator[Destination]:
    destination = Destination()
    thread = threading.Thread(target=destination.server.serve_forever, args=(0.05,))
    thread.start()
    yield destination
    destination.ended.set()
    destination.server.shutdown()
    destination.server.server_close()
    thread.join()


@pytest.fixture
def destination(listening: Destination, monkeypatch: pytest.MonkeyPatch) -> Destination:
    """Where this deployment delivers to, both by webhook and as Dropbox."""
    listening.status = 200
    listening.received.clear()
    monkeypatch.setattr(delivering, "DROPBOX", listening.address)
    monkeypatch.setattr(delivering, "SECONDS", 0.3)
    monkeypatch.setenv("BUTTRESS_CATALOG__DROPBOX_TOKEN", "a-token")
    monkeypatch.setenv("BUTTRESS_CATALOG__WEBHOOK_URL", f"{listening.address}/told?by=catalog")
    return listening


@pytest.fixture(scope="module")
def product(runtime: Runtime) -> int:
    made = Product(product_type="cosmetics", name="Hydra Calm", content=CONTENT, origins={})
    with runtime.session() as session:
        session.add(made)
        session.flush()
        return made.id


def planned(runtime: Runtime, target: str, product: int) -> int:
    with runtime.session() as session:
        return delivering.plan(session, target, "json", [product]).id


def send(runtime: Runtime, delivery: int) -> str:
    with runtime.session() as session:
        return delivering.send(session, delivery)


def test_a_webhook_is_told_the_products_and_the_name_of_the_file(
    runtime: Runtime, destination: Destination, product: int
) -> None:
    delivery = planned(runtime, "webhook", product)

    assert send(runtime, delivery) == "webhook, answered 200"

    ((path, headers, body),) = destination.received
    assert path == "/told?by=catalog"
    assert headers["content-type"] == "application/json"
    assert headers["x-catalog-delivery"] == f"catalog-{delivery}.json"
    assert json.loads(body) == [{"id": product, "type": "cosmetics", **CONTENT}]


def test_dropbox_gets_a_file_that_replaces_one_of_its_name(
    runtime: Runtime, destination: Destination, product: int
) -> None:
    delivery = planned(runtime, "dropbox", product)

    assert send(runtime, delivery) == f"Dropbox /catalog-{delivery}.json"

    ((path, headers, body),) = destination.received
    assert path == "/2/files/upload"
    assert headers["authorization"] == "Bearer a-token"
    assert headers["content-type"] == "application/octet-stream"
    assert json.loads(headers["dropbox-api-arg"]) == {
        "path": f"/catalog-{delivery}.json", "mode": "overwrite", "mute": True,
    }  # fmt: skip
    assert json.loads(body)[0]["catalogA"] == CONTENT["catalogA"]


@pytest.mark.parametrize("status", [401, 409, 500])
@pytest.mark.parametrize(
    ("target", "who", "setting"),
    [
        ("dropbox", "Dropbox", "BUTTRESS_CATALOG__DROPBOX_TOKEN"),
        ("webhook", "the webhook", "BUTTRESS_CATALOG__WEBHOOK_URL"),
    ],
)
def test_a_refusal_says_who_refused_and_what_to_look_at(
    runtime: Runtime, destination: Destination, product: int,
    target: str, who: str, setting: str, status: int,
) -> None:  # fmt: skip
    destination.status = status

    with pytest.raises(Unavailable, match=f"^{who} refused it with status {status}$") as refused:
        send(runtime, planned(runtime, target, product))

    assert setting in (refused.value.hint or "")
    assert "a-token" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize("target", ["dropbox", "webhook"])
def test_silence_ends_the_wait(
    runtime: Runtime, destination: Destination, product: int, target: str
) -> None:
    destination.status = None
    began = time.monotonic()

    with pytest.raises(Unavailable, match="does not answer"):
        send(runtime, planned(runtime, target, product))

    assert time.monotonic() - began < PATIENCE_SECONDS / 2


def test_what_was_refused_is_sent_again_when_it_is_asked_for(
    runtime: Runtime, destination: Destination, product: int, ana: Identity
) -> None:
    delivery = planned(runtime, "webhook", product)
    with runtime.session() as session:
        delivering.failed(session, delivery, "the webhook refused it with status 500", "Look.")
    with contextlib.ExitStack() as exits:
        exits.enter_context(acting(ana))
        exits.enter_context(
            background.working(runtime.jobs, concurrency=1, owner=None, wait_seconds=0.0)
        )
        client = exits.enter_context(TestClient(create_api(runtime)))
        listed = client.get("/api/v1/catalog/deliveries?state=failed").json()["items"]
        assert [(one["id"], one["problem"], one["cure"]) for one in listed] == [
            (delivery, "the webhook refused it with status 500", "Look.")
        ]

        begun = client.post(f"/api/v1/catalog/deliveries/{delivery}/retry")
        assert begun.status_code == 202, begun.text
        assert begun.json()["state"] == "waiting"
        assert sent(runtime, delivery).place == "webhook, answered 200"

        assert client.post(f"/api/v1/catalog/deliveries/{delivery}/retry").status_code == 409
    assert [path for path, _, _ in destination.received] == ["/told?by=catalog"]


def sent(runtime: Runtime, id: int) -> Delivery:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with runtime.session() as session:
            delivery = delivering.delivery_of(session, id)
        if delivery.state == "sent":
            return delivery
        time.sleep(0.05)
    pytest.fail(f"delivery {id} was not sent")


def test_nothing_goes_where_the_deployment_has_no_destination(
    runtime: Runtime, product: int
) -> None:
    with pytest.raises(BadInput, match="has no dropbox"):
        planned(runtime, "dropbox", product)


def test_what_did_not_fail_is_not_sent_again(
    runtime: Runtime, destination: Destination, product: int
) -> None:
    delivery = planned(runtime, "webhook", product)
    with runtime.session() as session, pytest.raises(Conflict, match="has not failed"):
        delivering.again(session, delivery)

"""The gate: who comes in, who does not, and what nobody can pretend."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from buttress.access import (
    Origin,
    audit,
    current,
    lookup,
    passwords,
    people,
    signing_in,
    tokens,
)
from buttress.access.tables import AuditEntry
from buttress.api.app import create_api
from buttress.errors import Unavailable
from buttress.gate import Gate, bodies
from buttress.gate import owners as owners_module
from buttress.gate.headers import content_policy
from buttress.gate.origin import arrival, parse_networks
from buttress.gate.owners import Owners
from buttress.gate.sockets import is_by_person
from buttress.runtime import Runtime
from buttress.settings import AccessSettings
from buttress.telemetry import JsonLines

PASSWORD = "four unusual garden words"
HASH = passwords.rehash(PASSWORD)
SITE = "http://localhost"
PAGE = {"accept": "text/html"}
FORGED = [
    "X-Buttress-Sign-In", "x-buttress-sign-in", "X-BUTTRESS-SIGN-IN", "X-Buttress-Person",
    "X-Buttress-Role", "X-Buttress-User",
]  # fmt: skip


async def tell(request: Request) -> JSONResponse:
    """What the inside is told of who asks."""
    identity = current()
    return JSONResponse(
        {
            "name": identity.name if identity else None,
            "address": identity.origin.address if identity else None,
            "ours": [v for k, v in request.headers.items() if k.startswith("x-buttress")],
            "scheme": request.url.scheme,
        }
    )


async def log_it(_: Request) -> PlainTextResponse:
    logging.getLogger("inside").warning("something")
    return PlainTextResponse("")


async def read(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def echo(socket: WebSocket) -> None:
    """Sends back what it hears; asked to, what Streamlit sends."""
    await socket.accept()
    first = ForwardMsg()
    first.new_session.initialize.session_id = "5e551011"
    await socket.send_bytes(first.SerializeToString())
    async for said in socket.iter_text():
        if said.startswith("/media/"):
            picture = ForwardMsg()
            picture.delta.new_element.imgs.imgs.add().url = said
            await socket.send_bytes(picture.SerializeToString())
        else:
            typed = ForwardMsg()
            typed.delta.new_element.markdown.body = said
            await socket.send_bytes(typed.SerializeToString())


@dataclass
class House:
    runtime: Runtime
    gate: Gate

    def client(self, **options) -> TestClient:
        return TestClient(self.gate, base_url=SITE, follow_redirects=False, **options)

    def signed_in(self, name: str = "ann", **options) -> TestClient:
        client = self.client(**options)
        with self.runtime.session() as session:
            person = people.find(session, f"{name}@example.com")
            secret = signing_in.begin(session, person, Origin("192.0.2.1"), how="test")
        secure = client.base_url.scheme == "https"
        client.cookies.set("__Host-buttress" if secure else "buttress", secret)
        return client


def opened(runtime: Runtime) -> Gate:
    workspace = Starlette(
        routes=[
            WebSocketRoute("/_stcore/stream", echo),
            Route("/logs", log_it),
            Route("/{path:path}", tell, methods=["GET", "PUT", "POST"]),
        ]
    )
    api = create_api(runtime)
    api.router.routes.insert(
        0, Mount("/api/bodies", Starlette(routes=[Route("/", read, methods=["POST"])]))
    )
    api.mount("/", workspace)
    return Gate(api, runtime)


@pytest.fixture(scope="module")
def runtime(modules_runtime: Runtime) -> Runtime:
    return modules_runtime


@pytest.fixture
def house(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(runtime, "settings", runtime.settings)
    with runtime.session() as session:
        session.execute(text("delete from buttress_person"))
        session.execute(text("delete from buttress_throttle"))
        for name, role in (("root", "admin"), ("ann", "analyst"), ("bob", "viewer")):
            people.create(session, f"{name}@example.com", role).password = HASH
    return House(runtime, opened(runtime))


@pytest.mark.parametrize(
    "path",
    [
        "/", "/cache", "/api/v1/docs", "/api/v1/openapi.json", "/metrics", "/_stcore/host-config",
        "/_stcore/metrics", "/media/abc.png", "/static/x.js", "/signing", "/sign-inx", "/healthy",
    ],
)  # fmt: skip
def test_nobody_gets_in_without_a_sign_in(house, path):
    answer = house.client().get(path)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert house.client().get(path, headers=PAGE).status_code == 303


def test_whoever_navigates_is_led_to_the_sign_in_and_back(house):
    client = house.client()
    there = client.get("/moves?id=1&x=a b", headers=PAGE).headers["location"]

    assert 'value="/moves?id=1&amp;x=a%20b"' in client.get(there).text
    answer = client.post(
        "/sign-in",
        data={"name": "ann@example.com", "password": PASSWORD, "next": "/moves?id=1"},
        headers={"origin": SITE},
    )

    assert (answer.status_code, answer.headers["location"]) == (303, "/moves?id=1")
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=lax", "path=/"))
    assert client.get("/").json()["name"] == "ann@example.com"


@pytest.mark.parametrize(
    "there", ["//evil.example", "/\\evil.example", "https://evil.example", "x"]
)
def test_nobody_is_led_elsewhere(house, there):
    answer = house.client().post(
        "/sign-in",
        data={"name": "ann@example.com", "password": PASSWORD, "next": there},
        headers={"origin": SITE},
    )

    assert answer.headers["location"] == "/"


def test_a_wrong_password_shows_the_form_again_with_the_name(house):
    answer = house.client().post(
        "/sign-in",
        data={"name": '"><script>', "password": "wrong", "next": "/moves"},
        headers={"origin": SITE},
    )

    assert answer.status_code == 401
    assert "Name or password is wrong" in answer.text
    assert "<script>" not in answer.text
    assert 'value="/moves"' in answer.text
    assert "set-cookie" not in answer.headers


def test_too_many_tries_are_told_when_to_come_back(house):
    client = house.client()
    for _ in range(6):
        answer = client.post(
            "/sign-in", data={"name": "ann@example.com", "password": "x"}, headers={"origin": SITE}
        )

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("header", FORGED)
def test_headers_from_outside_make_nobody(house, header):
    client = house.signed_in("bob")

    assert house.client().get("/", headers={header: "root@example.com"}).status_code == 401
    told = client.get("/", headers={header: "11111111-1111-1111-1111-111111111111"}).json()
    assert told["name"] == "bob@example.com"
    assert len(told["ours"]) == 1
    assert told["ours"] != ["11111111-1111-1111-1111-111111111111"]


def test_addresses_of_proxies_are_believed_from_those_trusted_only(house):
    forwarded = {"x-forwarded-for": "203.0.113.9, 10.0.0.7", "x-forwarded-proto": "https"}
    assert house.signed_in().get("/", headers=forwarded).json()["address"] == "testclient"

    trusting = house.runtime.settings.model_copy(
        update={"access": AccessSettings(trusted_proxies="10.0.0.0/8, 127.0.0.1")}
    )
    house.runtime.settings = trusting
    house.gate = opened(house.runtime)
    client = house.signed_in(client=("127.0.0.1", 5000))
    client.cookies.set("__Host-buttress", client.cookies["buttress"])

    told = client.get("/", headers=forwarded).json()

    assert (told["address"], told["scheme"]) == ("203.0.113.9", "https")


def test_over_tls_the_cookie_is_for_this_host_alone(house):
    client = TestClient(house.gate, base_url="https://localhost", follow_redirects=False)
    answer = client.post(
        "/sign-in",
        data={"name": "ann@example.com", "password": PASSWORD},
        headers={"origin": "https://localhost"},
    )

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-buttress=")
    assert "Secure" in cookie
    assert "max-age=" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"}, {"origin": "null"}, {}, {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": SITE}, {"origin": "http://localhost.evil.example"},
        {"origin": "https://localhost"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/_stcore/upload_file/x/y", "/sign-in", "/sign-out"])
def test_pages_of_other_sites_change_nothing(house, headers, path):
    answer = house.signed_in().post(path, headers=headers)

    assert answer.status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8501", "127.0.0.1.evil.example"])
def test_a_name_that_is_not_ours_leads_nowhere(house, host):
    assert house.signed_in().get("/", headers={"host": host}).status_code == 422
    assert house.client().get("/health/live", headers={"host": host}).status_code == 200


def test_every_answer_tells_browsers_what_they_may_do(house):
    for answer in (
        house.client().get("/"),
        house.client().get("/sign-in"),
        house.signed_in().get("/"),
    ):
        assert answer.headers["content-security-policy"] == content_policy()
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-request-id"]
    assert "unsafe-eval'" not in content_policy().replace("wasm-unsafe-eval", "")
    assert "sha256-" in content_policy()


def test_a_request_keeps_the_id_it_comes_with_if_it_is_one(house):
    client = house.client()

    assert (
        client.get("/", headers={"x-request-id": "abcdef-123"}).headers["x-request-id"]
        == "abcdef-123"
    )
    assert "\n" not in client.get("/", headers={"x-request-id": "a b"}).headers["x-request-id"]
    assert client.get("/", headers={"x-request-id": "a b"}).headers["x-request-id"] != "a b"


def token(house: House, name: str, *permissions: str) -> dict[str, str]:
    with house.runtime.session() as session:
        person = people.find(session, f"{name}@example.com")
        return {"authorization": f"Bearer {tokens.create(session, person, 'test', permissions)}"}


def test_a_token_opens_the_api_and_nothing_else(house):
    ours = token(house, "ann", "apps.read")

    assert house.client().get("/api/v1/openapi.json", headers=ours).status_code == 200
    assert house.client().get("/", headers=ours).status_code == 401
    assert house.client().get("/_stcore/host-config", headers=ours).status_code == 401


@pytest.mark.parametrize("given", ["Bearer x", "Bearer bt_", "Bearer", "Basic YTpi", "bearer \xff"])
def test_what_is_no_token_opens_nothing(house, given):
    headers = {b"authorization": given.encode("latin-1")}

    assert house.client().get("/api/v1/openapi.json", headers=headers).status_code == 401


def test_who_asks_too_often_waits(house):
    house.gate.rates.per_minute = 3
    ours = token(house, "ann", "apps.read")
    client = house.client()

    codes = [client.get("/api/v1/openapi.json", headers=ours).status_code for _ in range(5)]

    assert codes == [200, 200, 200, 429, 429]
    assert (
        house.client()
        .get("/api/v1/openapi.json", headers=token(house, "bob", "apps.read"))
        .is_success
    )


def test_a_token_that_asks_too_often_leaves_its_person_room(house):
    house.gate.token_rates.per_minute = 2
    client, other = house.client(), token(house, "ann", "apps.read")
    ours = token(house, "ann", "apps.read")

    codes = [client.get("/api/v1/openapi.json", headers=ours).status_code for _ in range(3)]

    assert codes == [200, 200, 429]
    assert client.get("/api/v1/openapi.json", headers=other).is_success
    assert house.signed_in("ann").get("/api/v1/openapi.json").is_success


@pytest.mark.parametrize("path", ["/api/bodies/", "/_stcore/upload_file/a/b"])
def test_a_body_that_trickles_is_given_up(house, monkeypatch, path):
    monkeypatch.setattr(bodies, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(house.gate.owners, "may", lambda path, person: True)
    ours = house.signed_in("ann").cookies
    headers = {
        "host": "localhost", "origin": SITE,
        "cookie": "; ".join(f"{name}={value}" for name, value in ours.items()),
    }  # fmt: skip
    parts, sent = [], []

    async def receive() -> dict[str, object]:
        await asyncio.sleep(0.03)
        parts.append(1)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    async def eat(scope, receive, send) -> None:
        while (await receive())["type"] == "http.request":
            pass

    house.gate.inside = eat
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
        "root_path": "", "query_string": b"", "scheme": "http", "client": ("127.0.0.1", 1),
        "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    asyncio.run(house.gate(scope, receive, send))

    assert sent[0]["status"] == 408
    assert len(parts) <= 10


def test_a_length_of_many_digits_is_too_large(house):
    answer = house.client().post(
        "/api/v1/tokens", headers=token(house, "ann", "tokens.own") | {"content-length": "9" * 5000}
    )

    assert answer.status_code == 413


INTRUSIONS = {
    "token": lambda house: house.client().get(
        "/api/v1/me", headers={"authorization": f"Bearer bt_canary_{'x' * 40}"}
    ),
    "cookie": lambda house: house.client(cookies={"buttress": "canary"}).get("/api/v1/me"),
    "origin": lambda house: house.client(cookies={"buttress": "canary"}).post(
        "/sign-out", headers={"origin": "https://evil.example"}
    ),
    "host": lambda house: house.client().get("/", headers={"host": "evil.example"}),
}


@pytest.mark.parametrize("kind", INTRUSIONS)
def test_what_is_forged_is_told_and_fills_no_log(house, caplog, kind):
    caplog.set_level("INFO", "buttress.security")
    for _ in range(40):
        assert INTRUSIONS[kind](house).status_code in (400, 401, 403, 422)

    told = [record for record in caplog.records if record.name == "buttress.security"]
    assert 1 <= len(told) <= 7
    assert "canary" not in json.dumps([record.__dict__ for record in told], default=str)


def test_a_socket_with_a_forged_origin_is_told(house, caplog):
    client = house.signed_in("ann")
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(
        "/_stcore/stream", headers={"origin": "https://evil.example", "host": "localhost"}
    ):  # fmt: skip
        pass

    assert [record.reason for record in caplog.records if record.name == "buttress.security"] == [
        "a page of another site asked"
    ]


def test_many_addresses_together_fill_no_log_either(house, caplog):
    for number in range(300):
        client = house.client(client=(f"198.51.{number // 250}.{number % 250}", 1))
        client.get("/api/v1/me", headers={"authorization": "Bearer bt_x"})

    told = [record for record in caplog.records if record.name == "buttress.security"]
    assert 50 <= len(told) <= 80


def test_who_asks_for_what_they_may_not_stands_in_the_audit_log_a_few_times(house):
    def entries() -> list[AuditEntry]:
        with house.runtime.session() as session:
            found = audit.entries(session, actor="ann@example.com", action="request", limit=100)
            return [entry for entry in found if entry.outcome == "refused"]

    before, client = len(entries()), house.signed_in("ann")
    for _ in range(30):
        assert client.get("/api/v1/people").status_code == 403
    client.post("/api/v1/tokens", headers={"origin": "https://evil.example"})
    ours = token(house, "bob", "files.read")
    house.client().get("/api/v1/me", headers=ours)

    told = entries()
    assert 5 <= len(told) - before <= 7
    assert (told[0].object, told[0].address) == ("GET /api/v1/people", "testclient")
    with house.runtime.session() as session:
        (entry,) = audit.entries(session, actor="bob@example.com", action="request")
        assert entry.details["token"] in ours["authorization"]
        assert audit.verify(session).broken_at is None


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_is_refused_before_it_is_read_whole(house, announced):
    house.gate.body_bytes = 1000
    ours = token(house, "ann", "apps.read")
    read, sent = [], []

    async def receive() -> dict[str, object]:
        read.append(1)
        return {"type": "http.request", "body": b"x" * 100, "more_body": len(read) < 1000}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    headers = {"host": "localhost", **ours} | ({"content-length": "100000"} if announced else {})
    scope = {
        "type": "http", "method": "POST", "path": "/api/bodies/", "raw_path": b"/api/bodies/",
        "root_path": "", "query_string": b"", "scheme": "http", "client": ("127.0.0.1", 1),
        "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    asyncio.run(house.gate(scope, receive, send))

    assert sent[0]["status"] == 413
    assert len(read) <= (0 if announced else 11)


def test_a_body_of_the_allowed_size_arrives(house):
    house.gate.body_bytes = 1000
    ours = token(house, "ann", "apps.read")

    assert house.client().post("/api/bodies/", content=b"x" * 1000, headers=ours).text == "1000"


def test_a_socket_needs_a_sign_in_and_our_own_page(house):
    for client, headers in (
        (house.client(), {"origin": SITE}),
        (house.signed_in(), {"origin": "https://evil.example"}),
        (house.signed_in(), {}),
    ):
        with (
            pytest.raises(WebSocketDisconnect) as caught,
            client.websocket_connect("/_stcore/stream", headers=headers),
        ):
            pass
        assert caught.value.code == 4401


@pytest.mark.parametrize("speaks", [True, False])
def test_a_socket_ends_with_its_sign_in(house, speaks):
    client = house.signed_in()
    with client.websocket_connect(
        "ws://localhost/_stcore/stream", headers={"origin": SITE}
    ) as socket:
        socket.receive_bytes()
        socket.send_text("hello")
        assert b"hello" in socket.receive_bytes()
        with house.runtime.session() as session:
            people.disable(session, people.find(session, "ann@example.com"))
        time.sleep(1.1)
        if speaks:
            socket.send_text("again")

        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive_bytes()

    assert caught.value.code == 4401


def test_uploads_and_media_are_for_whom_they_were_made(house):
    media = "/media/" + "ab" * 28 + ".png"
    upload = "/_stcore/upload_file/5e551011/1"
    ann, bob = house.signed_in("ann"), house.signed_in("bob")
    with ann.websocket_connect("ws://localhost/_stcore/stream", headers={"origin": SITE}) as socket:
        socket.receive_bytes()
        socket.send_text(media)
        socket.receive_bytes()

    assert ann.get(media).status_code == 200
    assert ann.put(upload, headers={"origin": SITE}).status_code == 200
    assert bob.get(media).status_code == 404
    assert bob.put(upload, headers={"origin": SITE}).status_code == 404


def test_an_address_that_somebody_types_is_not_theirs(house):
    media = "/media/" + "ab" * 28 + ".png"
    bob = house.signed_in("bob")
    with bob.websocket_connect("ws://localhost/_stcore/stream", headers={"origin": SITE}) as socket:
        socket.receive_bytes()
        socket.send_text(f"look: {media}")
        socket.receive_bytes()

    assert bob.get(media).status_code == 404


def test_signing_out_ends_the_sign_in_at_once(house):
    client = house.signed_in()
    secret = client.cookies["buttress"]

    assert "Sign out?" in client.get("/sign-out").text
    assert client.post("/sign-out", headers={"origin": SITE}).status_code == 303

    assert house.client(cookies={"buttress": secret}).get("/").status_code == 401


def test_a_page_that_is_open_gets_its_scripts_while_the_database_is_away(house, monkeypatch):
    client = house.signed_in()
    secret = client.cookies["buttress"]
    assert client.get("/").status_code == 200

    def away() -> None:
        raise Unavailable("no answer")

    monkeypatch.setattr(house.gate.identities, "transaction", away)
    monkeypatch.setattr(lookup, "SECONDS", 0)

    assert client.get("/static/js/chart.js").json()["name"] == "ann@example.com"
    assert client.get("/").status_code == 503
    other = house.client(cookies={"buttress": secret[:-1] + "?"})
    assert other.get("/static/js/chart.js").status_code == 503
    assert house.client().get("/static/js/chart.js").status_code == 401


def test_the_inside_is_told_the_sign_in_and_not_the_person(house):
    (told,) = house.signed_in().get("/").json()["ours"]

    assert house.runtime.identities.of_sign_in(UUID(told)).name == "ann@example.com"


def test_what_is_refused_is_logged_without_the_secret(house, caplog):
    caplog.set_level("INFO")
    house.client().get("/api/x", headers={"authorization": "Bearer bt_canary_secret"})

    assert "request refused" in caplog.text
    assert "canary" not in json.dumps([record.__dict__ for record in caplog.records], default=str)


def test_details_of_the_health_are_for_who_may_see_them(house):
    stranger = house.client(client=("198.51.100.9", 1)).get("/health/detailed")
    ours = house.client(client=("198.51.100.9", 1)).get(
        "/health/detailed", headers=token(house, "bob", "health.read")
    )
    others = house.client(client=("198.51.100.9", 1)).get(
        "/health/detailed", headers=token(house, "bob", "apps.read")
    )

    assert [answer.status_code for answer in (stranger, ours, others)] == [401, 200, 401]


KINDS = {
    "picture": lambda m, url: setattr(m.delta.new_element.imgs.imgs.add(), "url", url),
    "download": lambda m, url: setattr(m.delta.new_element.download_button, "url", url),
    "made later": lambda m, url: setattr(m.backend_operation_response.deferred_file, "url", url),
    "sound": lambda m, url: setattr(m.delta.new_element.audio, "url", url),
    "film": lambda m, url: setattr(m.delta.new_element.video, "url", url),
    "logo": lambda m, url: setattr(m.logo, "image", url),
    "favicon": lambda m, url: setattr(m.page_config_changed, "favicon", url),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_media_belongs_to_who_was_sent_it(kind):
    message, owners, ann, bob = ForwardMsg(), Owners(), uuid4(), uuid4()
    KINDS[kind](message, "/media/abcdef0123456789.png?title=x")

    owners.note(message.SerializeToString(), ann)

    assert owners.may("/media/abcdef0123456789.png", ann)
    assert not owners.may("/media/abcdef0123456789.png", bob)


def test_a_line_of_the_log_says_for_whom_it_was(house):
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(JsonLines().format(record))
    logging.getLogger("inside").addHandler(handler)

    answer = house.signed_in().get("/logs", headers={"x-request-id": "request-0001"})

    logging.getLogger("inside").removeHandler(handler)
    assert answer.headers["x-request-id"] == "request-0001"
    (line,) = map(json.loads, lines)
    assert (line["person"], line["request_id"]) == ("ann@example.com", "request-0001")


def test_a_page_that_renews_itself_keeps_nobody_signed_in(house):
    auto, clicked, alive = BackMsg(), BackMsg(), BackMsg()
    auto.rerun_script.is_auto_rerun = True
    clicked.rerun_script.query_string = ""
    alive.app_heartbeat = True

    told = [
        is_by_person({"bytes": message.SerializeToString()}) for message in (auto, clicked, alive)
    ]

    assert told == [False, True, False]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/health", "/health/x", "/health/live"])
def test_below_the_health_nothing_but_questions_comes_in(house, method, path):
    assert house.client().request(method, path, headers={"origin": SITE}).status_code == 404


def test_a_token_is_no_cookie_and_a_cookie_no_token(house):
    ours = token(house, "ann", "apps.read")
    secret = ours["authorization"].removeprefix("Bearer ")
    assert house.client().get("/api/v1/openapi.json", headers=ours).status_code == 200
    cookie = house.signed_in()
    assert cookie.get("/").status_code == 200

    assert house.client(cookies={"buttress": secret}).get("/").status_code == 401
    bearer = {"authorization": f"Bearer {cookie.cookies['buttress']}"}
    assert house.client().get("/api/v1/openapi.json", headers=bearer).status_code == 401


def test_an_addresss_host_may_be_an_ipv6_one(house):
    base = AccessSettings(base_url="http://[fd00::5]:8501")
    house.runtime.settings = house.runtime.settings.model_copy(update={"access": base})
    client = TestClient(opened(house.runtime), base_url="http://[fd00::5]:8501")

    assert client.get("/sign-in").status_code == 200


@pytest.mark.parametrize("address", ["app.example.com", "https://", "ftp://x", "https://x/y"])
def test_an_address_that_is_none_is_refused_at_the_start(address):
    with pytest.raises(ValidationError):
        AccessSettings(base_url=address)


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.9:4711", "203.0.113.9"), ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"), ("anything, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, anything", "127.0.0.1"), ("", "127.0.0.1"),
    ],
)  # fmt: skip
def test_an_address_is_read_however_a_proxy_writes_it(forwarded, address):
    scope = {"type": "http", "scheme": "http", "client": ("127.0.0.1", 1)}
    headers = Headers({"x-forwarded-for": forwarded, "host": "x"})

    came = arrival(scope, headers, parse_networks("127.0.0.1"))

    assert came.origin.address == address


def test_a_download_keeps_its_own_stricter_policy(house):
    ours = token(house, "ann", "files.read", "files.write")
    made = house.client().post("/api/v1/files?name=a.txt", content=b"text", headers=ours).json()

    answer = house.client().get(f"/api/v1/files/{made['id']}", headers=ours)

    assert "sandbox" in answer.headers["content-security-policy"]


def test_the_tabs_uploads_stay_theirs_whatever_others_see(monkeypatch):
    monkeypatch.setattr(owners_module, "MOST", 10)
    owners, ann = Owners(), uuid4()
    first = ForwardMsg()
    first.new_session.initialize.session_id = "5e551011"
    owners.note_session(first.SerializeToString(), ann)
    for number in range(20):
        picture = ForwardMsg()
        picture.delta.new_element.imgs.imgs.add().url = f"/media/{number:032x}.png"
        owners.note(picture.SerializeToString(), uuid4())

    assert owners.may("/_stcore/upload_file/5e551011/1", ann)

"""Signing in with an organisation's account, at a provider on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import SecretStr
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.testclient import TestClient

from buttress.access import oidc, people
from buttress.access.oidc import Claims, Provider, Ticket
from buttress.errors import ConfigurationError, Forbidden, NotSignedIn, Unavailable
from buttress.gate import Gate
from buttress.runtime import Runtime
from buttress.settings import OIDCSettings

USERS = {
    "ann": {"email": "ann@example.com", "email_verified": True},
    "eve": {"email": "root@example.com", "email_verified": False},
    "new": {"email": "new@example.com", "email_verified": True},
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The address of a provider that knows three people and asks for no password."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    known = [
        argument
        for name, claims in USERS.items()
        for argument in ("--user-claims", json.dumps({"sub": name, **claims}))
    ]
    program = Path(sys.executable).with_name("oidc-provider-mock")
    process = subprocess.Popen(
        [program, "--port", str(port), "--require-nonce", "true", *known],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://localhost:{port}"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{address}/.well-known/openid-configuration")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            break
    yield address
    process.kill()
    process.wait()


@pytest.fixture
def runtime(modules_runtime: Runtime, issuer: str, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    settings = OIDCSettings(issuer=issuer, client_id="us", client_secret=SecretStr("canary"))
    monkeypatch.setattr(
        modules_runtime, "settings", modules_runtime.settings.model_copy(update={"oidc": settings})
    )
    with modules_runtime.session() as session:
        session.execute(text("delete from buttress_person"))
        people.create(session, "root@example.com", "admin")
        people.create(session, "ann@example.com", "analyst")
    return modules_runtime


@pytest.fixture
def browser(runtime: Runtime) -> TestClient:
    return TestClient(
        Gate(Starlette(), runtime), base_url="http://localhost", follow_redirects=False
    )


def come_back(browser: TestClient, name: str, *, there: str = "/") -> httpx.Response:
    """Leave for the provider, sign in there as that person, and come back."""
    left = browser.get("/sign-in/provider", params={"next": there})
    assert left.status_code == 303, left.text
    answer = httpx.post(left.headers["location"], data={"sub": name})
    back = urlsplit(answer.headers["location"])
    return browser.get(f"{back.path}?{back.query}")


def test_whoever_the_provider_knows_signs_in_and_is_led_back(runtime, browser):
    assert "organisation" in browser.get("/sign-in").text

    answer = come_back(browser, "ann", there="/moves")

    assert (answer.status_code, answer.headers["location"]) == (303, "/moves")
    identity = runtime.identities.of_cookie(browser.cookies["buttress"], None)
    assert (identity.name, identity.role) == ("ann@example.com", "analyst")
    with runtime.session() as session:
        assert people.find(session, "ann@example.com").subject == "ann"


def test_an_address_nobody_vouches_for_opens_nobody_elses_account(browser):
    answer = come_back(browser, "eve")

    assert answer.status_code == 403
    assert "buttress" not in browser.cookies


def test_strangers_get_in_only_where_they_may(runtime, browser, monkeypatch):
    assert come_back(browser, "new").status_code == 403

    open_to_all = runtime.settings.oidc.model_copy(update={"role": "viewer"})
    monkeypatch.setattr(
        runtime, "settings", runtime.settings.model_copy(update={"oidc": open_to_all})
    )

    assert come_back(
        TestClient(Gate(Starlette(), runtime), base_url="http://localhost", follow_redirects=False),
        "new",
    ).is_redirect


def test_an_address_that_changed_hands_opens_nothing(runtime):
    with runtime.session() as session:
        first = Claims("https://issuer", "1", "ann@example.com")
        second = Claims("https://issuer", "2", "ann@example.com")
        oidc.person_for(session, first, role="")

        assert oidc.person_for(session, first, role="").name == "ann@example.com"
        with pytest.raises(Forbidden):
            oidc.person_for(session, second, role="viewer")


@pytest.mark.parametrize(
    "change", [{"state": "another"}, {"code": "another"}, {"iss": "https://evil.example"}]
)
def test_an_answer_to_something_else_is_refused(browser, change):
    left = browser.get("/sign-in/provider")
    answer = httpx.post(left.headers["location"], data={"sub": "ann"})
    back = urlsplit(answer.headers["location"])
    query = {name: found[0] for name, found in parse_qs(back.query).items()} | change

    refused = browser.get(f"{back.path}?{urlencode(query)}")

    assert refused.status_code in (401, 503)
    assert "buttress" not in browser.cookies
    assert "canary" not in refused.text


def test_whoever_never_left_does_not_come_back(browser):
    assert browser.get("/sign-in/back?code=x&state=y").status_code == 200
    assert "buttress" not in browser.cookies


def test_a_no_of_the_provider_is_told(browser):
    left = browser.get("/sign-in/provider")
    answer = httpx.post(left.headers["location"], data={"action": "deny"})
    back = urlsplit(answer.headers["location"])

    refused = browser.get(f"{back.path}?{back.query}")

    assert refused.status_code == 401
    assert "The sign-in was refused" in refused.text


def test_a_provider_that_is_away_is_told():
    away = OIDCSettings(issuer="http://127.0.0.1:9", client_id="us")
    with pytest.raises(Unavailable):
        Provider(away).begin("http://x/back", "/")


def test_a_provider_under_another_name_is_refused(issuer):
    renamed = OIDCSettings(issuer=f"{issuer}/", client_id="us")
    with pytest.raises(ConfigurationError, match="calls itself"):
        Provider(renamed).begin("http://x/back", "/")


KEY, FOREIGN = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
NOW = int(time.time())
GOOD = {"iss": "https://issuer", "aud": "us", "sub": "1", "exp": NOW + 86_400, "nonce": "n"}


def signed(claims: dict[str, object], key: RSAKey = KEY, algorithm: str = "RS256") -> str:
    return jwt.encode({"alg": algorithm}, claims, key, algorithms=[algorithm])


@pytest.mark.parametrize(
    "token",
    [
        signed(GOOD, FOREIGN),
        signed(GOOD | {"iss": "https://evil.example"}),
        signed(GOOD | {"aud": "others"}),
        signed(GOOD | {"exp": NOW - 86_400}),
        signed(GOOD | {"nonce": "another"}),
        signed({name: value for name, value in GOOD.items() if name != "nonce"}),
        signed({name: value for name, value in GOOD.items() if name != "sub"}),
        signed(GOOD).rpartition(".")[0] + ".",
        "eyJhbGciOiJub25lIn0.e30.",
        "",
        "x.y.z",
    ],
)
def test_a_token_that_is_not_the_providers_for_us_and_now_is_refused(token):
    from joserfc.jwk import KeySet

    provider = Provider(OIDCSettings(issuer="https://issuer", client_id="us"))
    keys = KeySet([RSAKey.import_key(KEY.as_dict(private=False))])

    assert provider._claims(signed(GOOD), "n", keys).subject == "1"
    with pytest.raises(NotSignedIn):
        provider._claims(token, "n", keys)


def test_a_ticket_holds_nothing_two_share():
    provider = Provider(OIDCSettings(issuer="https://issuer", client_id="us"))
    provider._metadata = (
        time.monotonic() + 1e6, {"authorization_endpoint": "https://issuer/a"}, None,
    )  # type: ignore[assignment]  # fmt: skip
    (_, first), (_, second) = provider.begin("b", "/"), provider.begin("b", "/")

    assert isinstance(first, Ticket)
    assert not {first.state, first.nonce, first.verifier} & {
        second.state, second.nonce, second.verifier,
    }  # fmt: skip

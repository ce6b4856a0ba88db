"""Each provider's own way of speaking, where its client is installed (`buttress[groq]` and so on)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from buttress.errors import ConfigurationError, ModelUnavailable
from buttress.llm import Providers, asking
from buttress.testing.models import Answer, Failure, Malformed, ModelServer, Silence, ToolCall
from llm_world import KEY, Gateway, Offer, gateway

ASK = {"purpose": "catalog.extract", "max_tokens": 50}
CLIENTS = {"groq": "groq", "anthropic": "anthropic", "gemini": "google.genai"}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "FIRST_WAIT_SECONDS", 0.01)


@pytest.fixture
def llm(calls_url: str, model_server: ModelServer) -> Iterator[Gateway]:
    """All providers are at the server."""
    with gateway(calls_url, model_server) as opened:
        root = model_server.url.removesuffix("/v1")
        opened.providers = Providers(
            dict.fromkeys(CLIENTS, SecretStr(KEY)), dict.fromkeys(CLIENTS, root)
        )
        yield opened


def spoken(provider: str, text: str, arguments: dict[str, Any] | None) -> Any:
    """An answer as the provider words it: 10 tokens in, 5 out."""
    match provider:
        case "groq":
            usage = (10, 5, 0)
            return Answer(text, usage=usage) if arguments is None else ToolCall(arguments, usage)
        case "anthropic":
            part = {"type": "text", "text": text}
            if arguments is not None:
                part = {"type": "tool_use", "id": "t1", "name": "Offer", "input": arguments}
            body: dict[str, Any] = {
                "id": "m1", "type": "message", "role": "assistant", "content": [part],
                "model": "claude-haiku-5-5", "stop_reason": "end_turn", "stop_sequence": None,
                "usage": {"input_tokens": 10, "output_tokens": 5},
            }  # fmt: skip
        case _:
            said: dict[str, Any] = {"text": text}
            if arguments is not None:
                said = {"functionCall": {"name": "Offer", "args": arguments}}
            body = {
                "candidates": [{"content": {"role": "model", "parts": [said]}, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5},
                "modelVersion": "gemini-2.5-flash",
            }  # fmt: skip
    return Malformed(json.dumps(body).encode())


@pytest.fixture(params=CLIENTS)
def provider(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(CLIENTS[request.param])
    return str(request.param)


MODELS = {
    "groq": "groq:llama-3.3-70b-versatile",
    "anthropic": "anthropic:claude-haiku-5-5",
    "gemini": "gemini:gemini-2.5-flash",
}


def test_it_answers_and_has_a_price(llm: Gateway, model_server: ModelServer, provider: str) -> None:
    model_server.script(spoken(provider, "Quercus", None))

    answer = llm.complete("What is an oak?", model=MODELS[provider], **ASK)

    assert answer.text == "Quercus"
    assert (answer.tokens.input, answer.tokens.output) == (10, 5)
    assert answer.cost is not None
    assert answer.cost > 0


def test_it_fills_a_type(llm: Gateway, model_server: ModelServer, provider: str) -> None:
    model_server.script(
        spoken(provider, "", {"name": "Oak"}), spoken(provider, "", {"name": "Oak", "price": 2})
    )

    answer = llm.complete("?", model=MODELS[provider], into=Offer, **ASK)

    assert answer.value == Offer(name="Oak", price=2)
    assert answer.attempts == 2


def test_its_troubles_are_ours(llm: Gateway, model_server: ModelServer, provider: str) -> None:
    echo = json.dumps({"error": {"message": KEY, "code": 401, "type": "authentication_error"}})
    model_server.script(Failure(401, body=echo.encode()))
    with pytest.raises(ConfigurationError) as caught:
        llm.complete("?", model=MODELS[provider], **ASK)
    assert KEY not in f"{caught.value} {caught.value.__cause__}"

    model_server.script(Failure(503), Failure(429), spoken(provider, "at last", None))
    assert llm.complete("?", model=MODELS[provider], **ASK).attempts == 3

    model_server.script(Silence())
    with pytest.raises(ModelUnavailable, match="within"):
        llm.complete("?", model=MODELS[provider], deadline_seconds=0.4, **ASK)
    assert llm.outcomes == ["failed", "ok", "failed"]

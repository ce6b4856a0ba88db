"""Calls of language models, answered by a scripted server, as they come back and are written down."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import update

from buttress import telemetry
from buttress.errors import (
    BadInput,
    ConfigurationError,
    ModelOutputInvalid,
    ModelRefused,
    ModelUnavailable,
    NotFound,
)
from buttress.llm import LLM, Message, Providers, asking
from buttress.llm.tables import LLMAnswer
from buttress.testing.models import (
    Answer,
    Failure,
    Malformed,
    ModelServer,
    Refusal,
    Silence,
    ToolCall,
)
from llm_world import A_CALL, KEY, OWN, PRICED, Gateway, Offer, gateway

NARROW = {"purpose": "catalog.extract"}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits half a second between two attempts."""
    monkeypatch.setattr(asking, "FIRST_WAIT_SECONDS", 0.01)


@pytest.fixture(scope="module")
def opened(calls_url: str) -> Iterator[tuple[ModelServer, Gateway]]:
    """One server and one gateway for all tests: a client takes long to open."""
    with ModelServer() as server, gateway(calls_url, server) as llm:
        yield server, llm


@pytest.fixture
def model_server(opened: tuple[ModelServer, Gateway]) -> ModelServer:
    opened[0].forget()
    return opened[0]


@pytest.fixture
def llm(opened: tuple[ModelServer, Gateway]) -> Gateway:
    opened[1].forget()
    return opened[1]


def test_an_answer_comes_with_what_it_took(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(Answer("Quercus", usage=(100, 20, 40)))

    answer = llm.complete(
        "What is an oak?", system="Be brief.", temperature=0.1, max_tokens=50, purpose="garden.ask"
    )

    assert (answer.text, answer.value, answer.model) == ("Quercus", None, OWN)
    assert (answer.tokens.input, answer.tokens.output, answer.tokens.cached) == (100, 20, 40)
    assert answer.cost == Decimal("0.00014")
    assert (answer.attempts, answer.cached, answer.offline) == (1, False, False)
    assert 0 < answer.latency_seconds < 10
    asked = model_server.requests[0]
    assert [turn["role"] for turn in asked["messages"]] == ["system", "user"]
    assert asked["temperature"] == 0.1
    assert model_server.keys == [KEY]
    (row,) = llm.calls()
    assert row["id"] == answer.id
    assert (row["provider"], row["model"], row["app"]) == ("openai-compatible", "acorn", "garden")
    assert (row["outcome"], row["error"], row["cost"]) == ("ok", None, answer.cost)
    assert (row["input_tokens"], row["output_tokens"], row["cached_tokens"]) == (100, 20, 40)


def test_the_price_of_a_known_model_is_looked_up(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(Answer("hi", usage=(1_000_000, 0, 0)))

    answer = llm.complete("hello", model=PRICED, **NARROW)

    assert answer.cost == Decimal("0.15")


def test_an_unknown_price_is_unknown_and_not_nothing(llm: Gateway) -> None:
    answer = llm.complete("hello", model="openai-compatible:nobody-knows", **NARROW)

    assert answer.cost is None
    assert llm.calls()[0]["cost"] is None


def test_it_is_written_down_for_whom_a_call_was(llm: Gateway) -> None:
    with telemetry.working_for(person="p1", request_id="r1", job_id="j1"):
        llm.complete("hello", purpose="catalog.extract")
        with telemetry.working_for(app="margins"):
            llm.complete("hello", purpose="catalog.extract")

    first, second = llm.calls()
    assert [first[name] for name in ("app", "person", "request_id", "job_id")] == [
        "catalog", "p1", "r1", "j1",
    ]  # fmt: skip
    assert (second["app"], second["person"]) == ("margins", "p1")


def test_a_conversation_keeps_its_turns(llm: Gateway, model_server: ModelServer) -> None:
    turns = [Message("user", "one"), Message("assistant", "two"), Message("user", "three")]

    answer = llm.complete(turns, **NARROW)

    assert answer.text == "three"
    assert [turn["content"] for turn in model_server.requests[0]["messages"]] == [
        "one", "two", "three",
    ]  # fmt: skip


@pytest.mark.parametrize("prompt", ["", "  ", []])
def test_no_prompt_is_no_call(llm: Gateway, prompt: Any) -> None:
    with pytest.raises(BadInput, match="no prompt"):
        llm.complete(prompt, **NARROW)
    assert llm.calls() == []


@pytest.mark.parametrize("model", [OWN, PRICED, "perplexity:sonar"])
def test_an_answer_becomes_the_type_that_was_asked_for(
    llm: Gateway, model_server: ModelServer, model: str
) -> None:
    model_server.script(ToolCall({"name": "Oak", "price": 12.5}))

    answer = llm.complete("An oak costs 12.50", into=Offer, model=model, **NARROW)

    assert answer.value == Offer(name="Oak", price=12.5)


@dataclass
class Tree:
    """A type that is no pydantic model."""

    height: int


@pytest.mark.parametrize(
    ("into", "arguments", "value"),
    [
        (list[int], {"value": [1, 2]}, [1, 2]),
        (Tree, {"height": 3}, Tree(3)),
        (dict[str, int], {"value": {"a": 1}}, {"a": 1}),
        (bool, {"value": True}, True),
    ],
)
def test_any_type_that_pydantic_knows_can_be_asked_for(
    llm: Gateway, model_server: ModelServer, into: Any, arguments: dict[str, Any], value: Any
) -> None:
    model_server.script(ToolCall(arguments))

    assert llm.complete("?", into=into, **NARROW).value == value


def test_json_in_words_and_fences_is_read(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(Answer('Here it is:\n```json\n{"name": "Oak", "price": 1}\n```\nEnjoy!'))

    assert llm.complete("?", into=Offer, **NARROW).value.name == "Oak"


def test_a_model_is_told_what_does_not_fit(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(ToolCall({"name": "Oak"}), ToolCall({"name": "Oak", "price": 2}))

    answer = llm.complete("?", into=Offer, **NARROW)

    assert answer.value.price == 2
    assert answer.attempts == 2
    assert answer.cost == 2 * A_CALL
    objection = model_server.requests[1]["messages"][-1]
    assert objection["role"] == "tool"
    assert "price: field required" in objection["content"]


def test_an_answer_that_never_fits_is_an_error_with_its_places(
    llm: Gateway, model_server: ModelServer
) -> None:
    model_server.script(*[ToolCall({"name": 3, "price": "much"})] * 3)

    with pytest.raises(ModelOutputInvalid) as caught:
        llm.complete("?", into=Offer, **NARROW)

    assert len(model_server.requests) == 3
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["name", "price"]
    (row,) = llm.calls()
    assert (row["outcome"], row["attempts"], row["cost"]) == ("invalid", 3, 3 * A_CALL)


def test_an_answer_that_was_cut_off_says_so(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(*[ToolCall('{"name": "Oa', finish="length")] * 3)

    with pytest.raises(ModelOutputInvalid, match="cut off at the limit of tokens"):
        llm.complete("?", into=Offer, **NARROW)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=st.text(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
).map(repr))  # fmt: skip
def test_whatever_a_model_answers_is_a_value_or_our_error(
    llm: Gateway, model_server: ModelServer, text: str
) -> None:
    model_server.script(Answer(text), ToolCall(text), Answer(text))
    try:
        answer = llm.complete("?", into=Offer, **NARROW)
    except ModelOutputInvalid as error:
        fits = bool(error.problems)
    else:
        fits = isinstance(answer.value, Offer)
    model_server.forget()
    assert fits


@pytest.mark.parametrize(
    "failure",
    [Failure(429, "rate_limit_exceeded"), Failure(500), Failure(503), Failure(408), Malformed()],
)
def test_what_may_pass_is_tried_again(
    llm: Gateway, model_server: ModelServer, failure: Any
) -> None:
    model_server.script(failure, failure, Answer("at last"))

    answer = llm.complete("?", **NARROW)

    assert (answer.text, answer.attempts) == ("at last", 3)
    assert [(row["outcome"], row["attempts"]) for row in llm.calls()] == [("ok", 3)]


def test_what_does_not_pass_is_given_up(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(*[Failure(500)] * asking.ATTEMPTS)

    with pytest.raises(ModelUnavailable, match=r"acorn \(500\)"):
        llm.complete("?", **NARROW)

    (row,) = llm.calls()
    assert (row["outcome"], row["attempts"]) == ("failed", asking.ATTEMPTS)


def test_the_wait_a_provider_asks_for_is_kept(llm: Gateway, model_server: ModelServer) -> None:
    llm.complete("warm", **NARROW)
    model_server.script(Failure(429, headers={"retry-after": "1"}), Answer("now"))
    began = time.monotonic()

    llm.complete("?", **NARROW)

    assert time.monotonic() - began >= 1


def test_a_wait_longer_than_the_deadline_is_not_begun(
    llm: Gateway, model_server: ModelServer
) -> None:
    model_server.script(Failure(429, headers={"retry-after": "60"}))
    began = time.monotonic()

    with pytest.raises(ModelUnavailable):
        llm.complete("?", deadline_seconds=5, **NARROW)

    assert time.monotonic() - began < 3


@pytest.mark.parametrize("step", [Silence(), Answer("late", delay_seconds=5)])
def test_a_server_that_does_not_answer_is_left_at_the_deadline(
    llm: Gateway, model_server: ModelServer, step: Any
) -> None:
    llm.complete("warm", **NARROW)
    model_server.script(step)
    began = time.monotonic()

    with pytest.raises(ModelUnavailable, match=r"within 0\.3 seconds"):
        llm.complete("?", deadline_seconds=0.3, **NARROW)

    assert time.monotonic() - began < 1.5
    row = llm.calls()[-1]
    assert (row["outcome"], row["tokens_estimated"]) == ("failed", True)


def test_the_next_model_is_asked_when_one_is_away(
    llm: Gateway, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    model_server.script(*[Failure(503)] * asking.ATTEMPTS, Answer("from the second"))

    answer = llm.complete("?", fallback=[PRICED], **NARROW)

    assert (answer.text, answer.model) == ("from the second", PRICED)
    assert answer.attempts == asking.ATTEMPTS + 1
    assert llm.outcomes == ["failed", "ok"]
    assert any("the next is asked" in message for message in caplog.messages)


def test_the_fallback_of_the_settings_is_for_calls_that_name_no_model(
    calls_url: str, model_server: ModelServer
) -> None:
    with gateway(calls_url, model_server, fallback=f" {PRICED} ,") as llm:
        model_server.script(Failure(401), Answer("from the second"), Failure(401))

        assert llm.complete("?", **NARROW).model == PRICED
        with pytest.raises(ConfigurationError):
            llm.complete("?", model=OWN, **NARROW)


def test_a_silent_model_leaves_time_for_the_next(llm: Gateway, model_server: ModelServer) -> None:
    llm.complete("warm", model=PRICED, **NARROW)
    model_server.script(Silence(), Answer("in time"))

    answer = llm.complete("?", fallback=[PRICED], deadline_seconds=2, **NARROW)

    assert answer.text == "in time"


def test_rules_can_be_the_last_to_be_asked(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(Failure(401))

    answer = llm.complete("An oak grows.", fallback=["offline"], **NARROW)

    assert answer.offline
    assert llm.outcomes == ["failed", "offline"]


@pytest.mark.parametrize(
    ("step", "error", "outcome"),
    [
        (Refusal(), ModelRefused, "refused"),
        (Answer("", finish="content_filter"), ModelRefused, "refused"),
        (Failure(400, "context_length_exceeded"), ModelRefused, "refused"),
        (Failure(400, "invalid_request_error"), ModelRefused, "refused"),
        (Failure(401, "invalid_api_key"), ConfigurationError, "failed"),
        (Failure(404, "model_not_found"), NotFound, "failed"),
        (Failure(429, "insufficient_quota"), ModelUnavailable, "failed"),
    ],
)
def test_what_trying_again_does_not_mend_is_told_at_once(
    llm: Gateway, model_server: ModelServer, step: Any, error: type[Exception], outcome: str
) -> None:
    model_server.script(step)

    with pytest.raises(error):
        llm.complete("?", fallback=[], **NARROW)

    assert len(model_server.requests) == 1
    (row,) = llm.calls()
    assert (row["outcome"], row["error"]) == (outcome, error.__name__)


@pytest.mark.parametrize("model", ["gpt-4o", "nobody:gpt", "openai:", ":x"])
def test_a_name_that_means_no_model_is_refused(llm: Gateway, model: str) -> None:
    with pytest.raises(NotFound, match="names no model"):
        llm.complete("?", model=model, **NARROW)
    assert llm.outcomes == ["failed"]


def test_a_provider_without_key_names_its_variable(llm: Gateway) -> None:
    with pytest.raises(ConfigurationError) as caught:
        llm.complete("?", model="groq:llama-3.3-70b-versatile", **NARROW)

    assert caught.value.hint == "Set GROQ_API_KEY."


@pytest.mark.parametrize(
    ("provider", "package", "extra"),
    [
        ("groq", "groq", "groq"),
        ("anthropic", "anthropic", "anthropic"),
        ("gemini", "google.genai", "google"),
    ],
)
def test_a_client_that_is_not_installed_names_its_extra(
    calls_url: str, monkeypatch: pytest.MonkeyPatch, provider: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with gateway(calls_url) as llm:
        llm.providers = Providers({provider: SecretStr(KEY)}, {})
        with pytest.raises(ConfigurationError) as caught:
            llm.complete("?", model=f"{provider}:any", **NARROW)

    assert caught.value.hint == f'Run: pip install "buttress[{extra}]"'


def test_an_answer_is_kept_when_a_call_says_so(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(ToolCall({"name": "Oak", "price": 1}))
    first = llm.complete("?", into=Offer, cache=True, **NARROW)

    again = llm.complete("?", into=Offer, cache=True, **NARROW)

    assert (again.value, again.cached, again.cost) == (first.value, True, Decimal(0))
    assert len(model_server.requests) == 1
    assert llm.outcomes == ["ok", "cached"]


@pytest.mark.parametrize(
    "other",
    [
        {"temperature": 1.0},
        {"system": "Be brief."},
        {"max_tokens": 5},
        {"model": PRICED},
        {"cache": False},
    ],
)
def test_another_question_is_not_answered_by_a_kept_answer(
    llm: Gateway, model_server: ModelServer, other: dict[str, Any]
) -> None:
    llm.complete("?", cache=True, **NARROW)

    answer = llm.complete("?", **{"cache": True, **other}, **NARROW)

    assert not answer.cached
    assert len(model_server.requests) == 2


def test_twelve_threads_are_answered_at_the_same_time(
    llm: Gateway, model_server: ModelServer
) -> None:
    llm.complete("warm", **NARROW)
    model_server.script(
        *[lambda body: Answer(body["messages"][-1]["content"], delay_seconds=0.5)] * 12
    )
    began = time.monotonic()

    with ThreadPoolExecutor(12) as threads:
        texts = list(threads.map(lambda n: llm.complete(f"n{n}", **NARROW).text, range(12)))

    assert texts == [f"n{n}" for n in range(12)]
    assert time.monotonic() - began < 4, "one after the other takes six seconds"
    assert llm.outcomes == ["ok"] * 13


def test_closing_ends_what_is_under_way(calls_url: str, model_server: ModelServer) -> None:
    ended: list[Exception] = []
    model_server.script(Silence())

    with gateway(calls_url, model_server) as llm:

        def wait() -> None:
            try:
                llm.complete("?", **NARROW)
            except ModelUnavailable as error:
                ended.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        while not model_server.requests:
            time.sleep(0.01)
        llm.close()
        thread.join(5)
        assert not thread.is_alive()
        assert llm.outcomes == ["cancelled"]
    assert len(ended) == 1


def test_the_key_and_the_prompt_are_nowhere(
    llm: Gateway, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    prompt = "the-secret-prompt"
    echo = f'{{"error": {{"message": "{KEY} {prompt}", "code": "{prompt}", "type": "{KEY}"}}}}'.encode()
    told: list[str] = []
    caplog.set_level(logging.DEBUG)
    for name in telemetry.TALKATIVE:
        caplog.set_level(logging.WARNING, logger=name)
    for status in (400, 401, 404, 429, 500):
        model_server.script(*[Failure(status, body=echo)] * asking.ATTEMPTS)
        with pytest.raises(Exception) as caught:  # noqa: PT011  # of many kinds
            llm.complete(prompt, **NARROW)
        told.append(str(caught.getrepr(style="long", chain=True).reprcrash))
        told.append(f"{caught.value} {vars(caught.value)} {caught.value.__cause__}")
        model_server.forget()

    everything = "\n".join(
        [*told, caplog.text, repr(llm.calls()), repr(llm.providers), repr(llm._clients._open)]
    )
    assert KEY not in everything
    assert prompt not in everything


def test_a_key_that_reads_like_a_code_is_not_told_either(
    llm: Gateway, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "gsk_canary_1234"
    keys = {"openai": SecretStr(key)}
    monkeypatch.setattr(llm, "providers", Providers(keys, {"openai": model_server.url}))
    model_server.script(Failure(400, code=key))

    with pytest.raises(ModelRefused) as caught:
        llm.complete("?", model=PRICED, **NARROW)

    assert "(400)" in str(caught.value)
    assert model_server.keys == [key]


def test_an_old_answer_is_not_given(llm: Gateway, model_server: ModelServer) -> None:
    llm.complete("?", cache=True, **NARROW)
    with llm.database.connection() as connection:
        connection.execute(update(LLMAnswer).values(expires_at=datetime.now(UTC)))

    again = llm.complete("?", cache=True, **NARROW)

    assert (again.cached, len(model_server.requests)) == (False, 2)
    assert llm.complete("?", cache=True, **NARROW).cached


def test_text_that_cannot_be_sent_is_bad_input(llm: Gateway) -> None:
    with pytest.raises(BadInput, match="no text that can be sent"):
        llm.complete("half a pair: \ud800", **NARROW)
    assert llm.outcomes == ["failed"]


def test_an_answer_that_was_cut_off_is_marked_and_not_kept(
    llm: Gateway, model_server: ModelServer
) -> None:
    model_server.script(Answer("Once up", finish="length"), Answer("Once upon a time"))

    first = llm.complete("?", cache=True, **NARROW)
    second = llm.complete("?", cache=True, **NARROW)

    assert (first.text, first.truncated) == ("Once up", True)
    assert (second.text, second.truncated, second.cached) == ("Once upon a time", False, False)


def test_asking_needs_a_type_with_a_schema(llm: Gateway) -> None:
    with pytest.raises(BadInput, match="no answer can be read into"):
        llm.complete("?", into=LLM, **NARROW)

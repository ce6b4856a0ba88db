"""Answers while they are written: to threads, to coroutines, and to readers who go away."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from buttress.errors import BadInput, Conflict, ModelRefused, ModelUnavailable
from buttress.llm import asking
from buttress.testing.models import Answer, Broken, Failure, ModelServer, Refusal, Silence
from llm_world import A_CALL, OWN, PRICED, Gateway, gateway

CHAT = {"purpose": "assistant.chat"}
SLOW = Answer(pieces=tuple("abcdefgh"), delay_seconds=0.2)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
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


def until(holds: object, seconds: float = 5.0) -> bool:
    """Whether something comes to hold within the time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if holds():  # type: ignore[operator]
            return True
        time.sleep(0.01)
    return False


def test_pieces_come_as_they_are_written(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(Answer(pieces=("Once ", "upon ", "a time")))

    with llm.stream("Tell me a story", **CHAT) as stream:
        pieces = list(stream)

    assert pieces == ["Once ", "upon ", "a time"]
    assert stream.completion.text == stream.text == "Once upon a time"
    assert (stream.completion.cost, stream.completion.attempts) == (A_CALL, 1)
    assert llm.outcomes == ["ok"]


def test_the_first_piece_does_not_wait_for_the_last(
    llm: Gateway, model_server: ModelServer
) -> None:
    llm.complete("warm", **CHAT)
    model_server.script(SLOW)
    began = time.monotonic()

    with llm.stream("?", **CHAT) as stream:
        next(stream)

    assert time.monotonic() - began < 1.2, "all eight take 1.6 seconds"


def test_a_completion_is_there_only_at_the_end(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(Answer(pieces=("a", "b")))
    stream = llm.stream("?", **CHAT)
    next(stream)

    with pytest.raises(Conflict, match="not come to its end"):
        _ = stream.completion
    stream.close()


@pytest.mark.parametrize("leave", ["close", "drop", "block"])
def test_a_reader_who_goes_away_ends_the_request(
    llm: Gateway, model_server: ModelServer, leave: str
) -> None:
    model_server.script(SLOW)
    stream = llm.stream("a question", **CHAT)
    first = next(stream)

    if leave == "close":
        stream.close()
    elif leave == "block":
        with stream:
            pass
    else:
        del stream

    assert first == "a"
    assert until(model_server.gone.is_set), "the server still writes"
    (row,) = llm.calls()
    assert (row["outcome"], row["error"], row["tokens_estimated"]) == ("cancelled", None, True)
    assert (row["input_tokens"], row["output_tokens"]) == (3, 1)
    assert row["cost"] > 0


def test_another_thread_can_stop_a_reader(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(Silence())
    stream = llm.stream("?", **CHAT)
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(next, stream)
        assert until(lambda: model_server.requests)
        began = time.monotonic()

        stream.close()

        with pytest.raises(ModelUnavailable):
            reading.result(timeout=5)
    assert time.monotonic() - began < 2
    assert llm.outcomes == ["cancelled"]


def test_closing_the_gateway_ends_a_stream_nobody_reads(
    calls_url: str, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    model_server.script(SLOW)
    with gateway(calls_url, model_server) as llm:
        stream = llm.stream("?", **CHAT)
        next(stream)

        llm.close()

        assert llm.outcomes == ["cancelled"]
        with pytest.raises(ModelUnavailable):
            list(stream)
        assert llm.outcomes == ["cancelled"]
        assert caplog.messages == [], "it was written twice"


def test_a_stream_begins_again_before_its_first_piece(
    llm: Gateway, model_server: ModelServer
) -> None:
    model_server.script(Failure(503), Failure(429), Answer(pieces=("a", "b")))

    with llm.stream("?", **CHAT) as stream:
        assert list(stream) == ["a", "b"]

    assert stream.completion.attempts == 3


def test_another_model_writes_when_one_does_not_begin(
    llm: Gateway, model_server: ModelServer
) -> None:
    model_server.script(*[Failure(500)] * asking.ATTEMPTS, Answer(pieces=("a", "b")))

    with llm.stream("?", fallback=[PRICED], **CHAT) as stream:
        assert list(stream) == ["a", "b"]

    assert stream.completion.model == PRICED
    assert llm.outcomes == ["failed", "ok"]


def test_what_broke_off_is_not_begun_again(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(Broken(("Once ", "upon ")))
    stream = llm.stream("?", model=OWN, fallback=[PRICED], **CHAT)

    with pytest.raises(ModelUnavailable):
        list(stream)

    assert stream.text == "Once upon "
    assert len(model_server.requests) == 1
    assert llm.outcomes == ["failed"]


def test_a_stream_ends_at_its_deadline(llm: Gateway, model_server: ModelServer) -> None:
    llm.complete("warm", **CHAT)
    model_server.script(SLOW)
    stream = llm.stream("?", deadline_seconds=0.5, **CHAT)

    with pytest.raises(ModelUnavailable, match=r"within 0\.5 seconds"):
        list(stream)

    assert 1 <= len(stream.text) <= 3
    assert llm.outcomes == ["ok", "failed"]


def test_a_refusal_in_a_stream_is_a_refusal(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(Refusal())

    with pytest.raises(ModelRefused):
        list(llm.stream("?", **CHAT))

    assert llm.outcomes == ["refused"]


def test_a_server_that_tells_no_numbers_is_estimated(
    llm: Gateway, model_server: ModelServer
) -> None:
    model_server.script(Answer(pieces=("x" * 30, "y" * 10), usage=None))

    with llm.stream("four characters a token!", **CHAT) as stream:
        list(stream)

    tokens = stream.completion.tokens
    assert (tokens.input, tokens.output, tokens.estimated) == (6, 10, True)


def test_coroutines_read_on_their_own_loop(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(*[Answer(pieces=("a", "b"), delay_seconds=0.05)] * 5)

    async def read() -> str:
        async with llm.astream("?", **CHAT) as stream:
            pieces = [piece async for piece in stream]
        assert stream.completion.text == "".join(pieces)
        return stream.text

    async def all_at_once() -> list[str]:
        return await asyncio.gather(*(read() for _ in range(5)))

    assert asyncio.run(all_at_once()) == ["ab"] * 5
    assert llm.outcomes == ["ok"] * 5


def test_a_cancelled_coroutine_ends_the_request(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(Answer(pieces=("a",)), Silence())

    async def give_up() -> None:
        [piece async for piece in llm.astream("warm", **CHAT)]
        stream = llm.astream("?", **CHAT)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), stream:
                await anext(stream)

    asyncio.run(give_up())

    assert llm.outcomes == ["ok", "cancelled"]
    assert until(lambda: threading.active_count() < 30)


def test_a_coroutine_that_is_cancelled_while_it_waits_ends_the_request(
    llm: Gateway, model_server: ModelServer
) -> None:
    model_server.script(Answer(pieces=("a",)), Silence())

    async def give_up() -> None:
        [piece async for piece in llm.astream("warm", **CHAT)]
        stream = llm.astream("?", **CHAT)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.3)
        assert await asyncio.to_thread(until, lambda: llm.outcomes == ["ok", "cancelled"])
        await stream.aclose()

    asyncio.run(give_up())


def test_a_stream_without_a_prompt_is_refused_at_once(llm: Gateway) -> None:
    with pytest.raises(BadInput, match="no prompt"):
        llm.astream(" ", **CHAT)


def test_a_stream_nobody_begins_is_no_call(llm: Gateway, model_server: ModelServer) -> None:
    llm.stream("?", **CHAT).close()
    llm.astream("?", **CHAT)

    assert (model_server.requests, llm.calls()) == ([], [])


def test_an_error_reaches_a_coroutine(llm: Gateway, model_server: ModelServer) -> None:
    model_server.script(Refusal())

    async def read() -> None:
        async for _ in llm.astream("?", **CHAT):
            pass

    with pytest.raises(ModelRefused):
        asyncio.run(read())


def test_rules_stream_too(calls_url: str) -> None:
    with gateway(calls_url) as llm:
        stream = llm.stream("Oaks are trees. They grow. Slowly. Very slowly.", **CHAT)

        text = "".join(stream)

    assert text.startswith("No language model is configured.")
    assert text.endswith("Oaks are trees. They grow. Slowly.")
    assert stream.completion.offline

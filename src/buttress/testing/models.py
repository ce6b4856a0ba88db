"""A server that answers like OpenAI's, by a script: for tests of what calls language models.

    def test_extraction(model_server, llm):
        model_server.script(Failure(503), ToolCall({"name": "Oak", "price": 12}))
        ...
        assert model_server.requests[0]["model"] == "gpt-test"

It listens on a free port of loopback, on threads of its own. When the script is at its end it
answers with the last words it was sent.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

USAGE = (11, 7, 0)


@dataclass(frozen=True)
class Answer:
    """Text, whole or in pieces when it is streamed; `usage` is tokens in, out, and cached.

    `delay_seconds` comes before each piece. Without `usage` the server tells none.
    """

    text: str = ""
    pieces: tuple[str, ...] = ()
    usage: tuple[int, int, int] | None = USAGE
    finish: str = "stop"
    delay_seconds: float = 0.0

    @property
    def parts(self) -> tuple[str, ...]:
        """What a stream sends."""
        return self.pieces or (self.text,)


@dataclass(frozen=True)
class ToolCall:
    """A structured answer: an object, or the text that stands for one."""

    arguments: dict[str, Any] | str
    usage: tuple[int, int, int] | None = USAGE
    finish: str = "tool_calls"


@dataclass(frozen=True)
class Failure:
    """An error as OpenAI words it, or any other body."""

    status: int
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class Silence:
    """The request is taken, and never answered."""


@dataclass(frozen=True)
class Malformed:
    """200, and something that is no answer."""

    body: bytes = b'{"choices": [{"index": 0, "mess'


@dataclass(frozen=True)
class Refusal:
    """The model refuses, as OpenAI's do."""

    text: str = "I cannot help with that."


@dataclass(frozen=True)
class Broken:
    """A stream whose connection breaks after these pieces."""

    pieces: tuple[str, ...] = ("Once upon",)


Step = Answer | ToolCall | Failure | Silence | Malformed | Refusal | Broken


class ModelServer:
    """The server; `requests` are the bodies it was sent, `keys` the bearer tokens."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.gone = threading.Event()
        """Set when a client went away before it had its answer."""
        self._script: deque[Step | Callable[[dict[str, Any]], Step]] = deque()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Conversation)
        self._server.models = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """What BUTTRESS_LLM__BASE_URL is set to."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def script(self, *steps: Step | Callable[[dict[str, Any]], Step]) -> None:
        """Answer the next requests like this; a function gets the body of the request."""
        with self._lock:
            self._script.extend(steps)

    def forget(self) -> None:
        """Begin anew: no script, and nobody has asked anything."""
        with self._lock:
            for gathered in (self._script, self.requests, self.keys):
                gathered.clear()
        self.gone.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_step(self, body: dict[str, Any], key: str) -> Step:
        """What the script says to this request."""
        with self._lock:
            self.requests.append(body)
            self.keys.append(key)
            step = self._script.popleft() if self._script else _echo
        return step(body) if callable(step) else step

    def wait(self, seconds: float | None = None) -> bool:
        """Pause; tells whether the server ends."""
        return self._stop.wait(seconds)


def _echo(body: dict[str, Any]) -> Answer:
    return Answer(str(body["messages"][-1].get("content")))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    models: ModelServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of what is tested."""
        self.models.gone.set()


class _Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # 40 ms a request otherwise
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what is asked is in `requests`."""

    def do_POST(self) -> None:
        """Chat completions, whatever the path."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        step = self.server.models.next_step(body, key)
        match step:
            case Failure():
                told = step.body if step.body is not None else error_body(step)
                self._send(step.status, told, step.headers)
            case Malformed():
                self._send(200, step.body)
            case Silence():
                self.server.models.wait()
            case Broken():
                self._stream(body, [text_chunk(piece) for piece in step.pieces], whole=False)
            case _ if body.get("stream"):
                self._stream(body, list(chunks(step)), pause=getattr(step, "delay_seconds", 0.0))
            case _:
                time.sleep(getattr(step, "delay_seconds", 0.0))
                self._send(200, json.dumps(completion(step, body)).encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(
        self,
        body: dict[str, Any],
        events: list[dict[str, Any]],
        *,
        pause: float = 0.0,
        whole: bool = True,
    ) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in events:
            if pause and self.server.models.wait(pause):
                return
            head = {"id": "call", "object": "chat.completion.chunk", "created": 1}
            self._chunk(f"data: {json.dumps(head | {'model': body['model']} | event)}\n\n")
        if whole:
            self._chunk("data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def completion(step: Step, body: dict[str, Any]) -> dict[str, Any]:
    """A whole answer."""
    finish = getattr(step, "finish", "stop")
    choice = {"index": 0, "message": message(step, body), "finish_reason": finish}
    head = {"id": "call", "object": "chat.completion", "created": 1, "model": body["model"]}
    return head | {"choices": [choice]} | usage(step)


def message(step: Step, body: dict[str, Any]) -> dict[str, Any]:
    """What the assistant says."""
    match step:
        case ToolCall(arguments=arguments):
            text = arguments if isinstance(arguments, str) else json.dumps(arguments)
            if not body.get("tools"):  # asked by schema, it answers with text
                return {"role": "assistant", "content": text}
            function = {"name": body["tools"][0]["function"]["name"], "arguments": text}
            call = {"id": "call_1", "type": "function", "function": function}
            return {"role": "assistant", "content": None, "tool_calls": [call]}
        case Refusal(text=text):
            return {"role": "assistant", "content": None, "refusal": text}
        case Answer():
            return {"role": "assistant", "content": "".join(step.parts)}
        case _:
            raise AssertionError(f"{step} is no message")


def chunks(step: Step) -> Iterator[dict[str, Any]]:
    """The same in pieces."""
    match step:
        case Answer():
            yield from (text_chunk(piece) for piece in step.parts)
        case Refusal(text=text):
            yield {"choices": [{"index": 0, "delta": {"refusal": text}}]}
        case _:
            raise AssertionError(f"{step} is not streamed")
    finish = getattr(step, "finish", "stop")
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    if told := usage(step):
        yield {"choices": []} | told


def text_chunk(piece: str) -> dict[str, Any]:
    """A piece of text."""
    return {"choices": [{"index": 0, "delta": {"role": "assistant", "content": piece}}]}


def usage(step: Step) -> dict[str, Any]:
    """The numbers, where the step has some."""
    numbers: tuple[int, int, int] | None = getattr(step, "usage", USAGE)
    if numbers is None:
        return {}
    inward, outward, cached = numbers
    told = {"prompt_tokens": inward, "completion_tokens": outward, "total_tokens": inward + outward}
    return {"usage": told | {"prompt_tokens_details": {"cached_tokens": cached}}}


def error_body(step: Failure) -> bytes:
    """How OpenAI words an error; the key is not repeated, other servers do."""
    error = {"message": f"status {step.status}", "type": step.code, "code": step.code}
    return json.dumps({"error": error}).encode()

"""Bodies larger than allowed are refused while they arrive, not after."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Send

from buttress.errors import ButtressError


class TooLarge(ButtressError):
    """A request's body is larger than allowed."""

    http_status = 413


class LimitedBody:
    """What an application reads of a request and answers to it."""

    def __init__(self, receive: Receive, send: Send, limit_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self._limit_bytes = limit_bytes
        self._read = 0
        self.exceeded = False
        self.answered = False

    def refuse_announced(self, headers: Headers) -> None:
        """Raise TooLarge when the length it announces is too much already."""
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length) > self._limit_bytes:
            raise self.error()

    async def receive(self) -> Message:
        """The next part; once there was too much, that the browser has left."""
        if self.exceeded:
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._limit_bytes:
            self.exceeded = True
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Pass on the answer, unless another is due."""
        if self.exceeded and not self.answered:
            return
        self.answered = True
        await self._send(message)

    def error(self) -> TooLarge:
        """What to answer."""
        return TooLarge(
            f"the request is larger than {self._limit_bytes:,} bytes",
            hint="Send less at once; files go to the files' own address.",
        )

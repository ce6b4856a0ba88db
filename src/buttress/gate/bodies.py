"""Bodies larger or slower than allowed are refused while they arrive, not after."""

from __future__ import annotations

import time

import anyio
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Send

from buttress.errors import ButtressError, TooLarge

GRACE_SECONDS = 30.0
SLOWEST_BYTES_A_SECOND = 25_000
"""A body has the grace, and a second more for each so many bytes that came: whoever sends a byte
now and then holds nothing for longer than the grace."""


class TooSlow(ButtressError):
    """A request's body does not arrive in time."""

    http_status = 408


class LimitedBody:
    """What an application reads of a request and answers to it; `limit_bytes` None for no limit."""

    def __init__(self, receive: Receive, send: Send, limit_bytes: int | None) -> None:
        self._receive = receive
        self._send = send
        self._limit_bytes = limit_bytes
        self._read = 0
        self._ended = False
        self._began = time.monotonic()
        self.refused: ButtressError | None = None
        self.answered = False
        self.status = 0

    def refuse_announced(self, headers: Headers) -> None:
        """Raise TooLarge when the length it announces is too much already."""
        length = headers.get("content-length", "")
        if self._limit_bytes is None or not (length.isascii() and length.isdigit()):
            return
        # As many digits as anybody likes: they are not made a number.
        if len(length.lstrip("0")) > 18 or int(length) > self._limit_bytes:
            raise self._too_large(self._limit_bytes)

    async def receive(self) -> Message:
        """The next part; once there was too much or it is too late, that the browser has left."""
        if self.refused:
            return {"type": "http.disconnect"}
        if self._ended:
            return await self._receive()
        allowed = GRACE_SECONDS + self._read / SLOWEST_BYTES_A_SECOND
        left = self._began + allowed - time.monotonic()
        with anyio.move_on_after(max(left, 0)) as waiting:
            message = await self._receive()
        if waiting.cancelled_caught:
            self.refused = TooSlow(
                f"the request did not arrive within {allowed:.0f} seconds",
                hint="Send it again over a faster connection, or less at once.",
            )
            return {"type": "http.disconnect"}
        self._read += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        if self._limit_bytes is not None and self._read > self._limit_bytes:
            self.refused = self._too_large(self._limit_bytes)
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Pass on the answer, unless another is due."""
        if self.refused and not self.answered:
            return
        self.answered = True
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    def _too_large(self, limit_bytes: int) -> TooLarge:
        return TooLarge(
            f"the request is larger than {limit_bytes:,} bytes",
            hint="Send less at once; files go to the files' own address.",
        )

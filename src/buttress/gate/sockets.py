"""A WebSocket that ends when the sign-in it was opened with does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from buttress.access import Identity
from buttress.gate.owners import Owners

ENDED = 4401
"""The close code: of the range for applications, after HTTP's 401."""
LOOKED_EVERY_SECONDS = 1.0

Still = Callable[[bool], Awaitable[bool]]
"""Whether the identity may still be here; told whether the person has just done something."""


class WatchedSocket:
    """One connection, looked after until it ends."""

    def __init__(
        self, receive: Receive, send: Send, identity: Identity, still: Still, owners: Owners
    ) -> None:
        self._receive = receive
        self._send = send
        self._identity = identity
        self._still = still
        self._owners = owners
        self._closed = False
        self._named = False

    async def serve(self, app: ASGIApp, scope: Scope) -> None:
        """Let the application have the connection."""
        await app(scope, self.receive, self.send)

    async def receive(self) -> Message:
        """What the browser says; once the sign-in has ended, that it has left."""
        arriving = asyncio.ensure_future(self._receive())
        try:
            while True:
                done, _ = await asyncio.wait({arriving}, timeout=LOOKED_EVERY_SECONDS)
                if done and arriving.result()["type"] != "websocket.receive":
                    return arriving.result()
                if not await self._still(bool(done) and is_by_person(arriving.result())):
                    await self._close()
                    return {"type": "websocket.disconnect", "code": ENDED}
                if done:
                    return arriving.result()
        finally:
            arriving.cancel()

    async def send(self, message: Message) -> None:
        """Pass on what the application says, as long as it may be heard."""
        if self._closed:
            return
        if message["type"] == "websocket.send":
            if not await self._still(False):
                await self._close()
                return
            if frame := message.get("bytes"):
                self._note(frame)
        await self._send(message)

    def _note(self, frame: bytes) -> None:
        person = self._identity.person
        self._named = self._named or self._owners.note_session(frame, person)
        self._owners.note(frame, person)

    async def _close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._send({"type": "websocket.close", "code": ENDED})


def is_by_person(message: Message) -> bool:
    """Whether a browser says something because its person did something.

    Parts of pages renew themselves, and browsers tell that they are still there.
    """
    frame = message.get("bytes")
    if not frame:
        return bool(message.get("text"))
    try:
        said = BackMsg.FromString(frame)
    except DecodeError:
        return False
    kind = said.WhichOneof("type")
    return kind == "rerun_script" and not said.rerun_script.is_auto_rerun

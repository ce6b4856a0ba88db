"""What parent, keeper and child say to each other: msgpack behind its length, with descriptors.

Nothing is ever unpickled: what a child sends is data from whoever made the file it read.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

LENGTH = struct.Struct("!I")
DESCRIPTORS = 3


class Request(msgspec.Struct, frozen=True):
    """What the keeper is asked to fork a child for; limits are those of the child.

    `path` is where modules are found, `readable` what may be read of the file system.
    """

    module: str
    function: str
    path: list[str]
    readable: list[str]
    memory_bytes: int
    cpu_seconds: int
    result_bytes: int
    with_file: bool


class Arguments(msgspec.Struct, frozen=True):
    """What the function is called with."""

    values: list[Any]


class Answer(msgspec.Struct, frozen=True):
    """What a child says: the function's value, or how it failed.

    `cause` is that of a `Refused` which the function raised.
    """

    kind: Literal["value", "bad input", "error", "memory", "output", "missing", "no room"]
    value: Any = None
    text: str = ""
    hint: str | None = None
    cause: str | None = None


class Ended(msgspec.Struct, frozen=True):
    """How a child ended, told by the keeper: its wait status, CPU and largest memory."""

    status: int
    cpu_seconds: float
    peak_bytes: int


class TooLong(Exception):
    """A message is longer than the reader takes."""


def send(to: socket.socket, message: msgspec.Struct, descriptors: Sequence[int] = ()) -> None:
    """Send one message as a whole."""
    body = msgspec.msgpack.encode(message)
    head = LENGTH.pack(len(body))
    if descriptors:
        socket.send_fds(to, [head], list(descriptors))
        to.sendall(body)
    else:
        to.sendall(head + body)


def receive(of: socket.socket, limit: int, deadline: float | None = None) -> bytes | None:
    """One message; None when the other side has gone.

    Raises `TimeoutError` past the deadline (of `time.monotonic`), `TooLong` beyond `limit` bytes.
    """
    head = _exactly(of, LENGTH.size, deadline)
    return None if head is None else _body(of, head, limit, deadline)


def receive_with_descriptors(of: socket.socket, limit: int) -> tuple[bytes | None, list[int]]:
    """One message and the descriptors that came with it."""
    head, descriptors, _, _ = socket.recv_fds(of, LENGTH.size, DESCRIPTORS)
    if len(head) < LENGTH.size:
        rest = _exactly(of, LENGTH.size - len(head), None) if head else None
        if rest is None:
            return None, descriptors
        head += rest
    return _body(of, head, limit, None), descriptors


def _body(of: socket.socket, head: bytes, limit: int, deadline: float | None) -> bytes | None:
    (length,) = LENGTH.unpack(head)
    if length > limit:
        raise TooLong
    return _exactly(of, length, deadline)


def _exactly(of: socket.socket, length: int, deadline: float | None) -> bytes | None:
    taken = bytearray()
    while len(taken) < length:
        if deadline is not None:
            of.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            block = of.recv(min(length - len(taken), 1 << 20))
        except ConnectionError:
            return None
        if not block:
            return None
        taken += block
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError
    return bytes(taken)

"""Connections that go where was judged: names are resolved once, every address is looked at."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterable
from typing import Any

import httpcore2

from buttress.errors import Refused, Unavailable
from buttress.fetch.addresses import is_allowed, is_public

PORTS = (80, 443)


class Deadline:
    """When a fetch must be over, on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that remain; raises `Unavailable` when none do."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> Unavailable:
        """The error of a fetch that took too long."""
        return Unavailable(
            f"the page did not arrive within {self.seconds:g} seconds",
            hint="Try again later, or allow more seconds.",
        )


class JudgedBackend(httpcore2.NetworkBackend):
    """Connects to public addresses, and to those `allow` names; to nothing else."""

    def __init__(self, deadline: Deadline, allow: Collection[str]) -> None:
        self._deadline = deadline
        self._allow = allow
        self._tcp = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address of the host that answers, after all were judged."""
        failure: Exception | None = None
        for address in self.judged(host, port):
            try:
                stream = self._tcp.connect_tcp(
                    address, port, self._deadline.left(), None, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _HurriedStream(stream, self._deadline)
        raise failure or httpcore2.ConnectError(f"{host} has no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.NetworkStream:
        """Never: raises `Refused`."""
        raise Refused("sockets of this machine are not fetched from", cause="address")

    def judged(self, host: str, port: int) -> list[str]:
        """The addresses of a host; raises `Refused` when one of them is not to be connected to.

        One is enough: a name that leads inside and outside was made to do so.
        """
        if port not in PORTS and not any(one.endswith(f":{port}") for one in self._allow):
            raise _no_port(port)
        addresses = resolve(host, port, self._deadline)
        for address in addresses:
            if is_allowed(address, port, self._allow):
                continue
            if port not in PORTS:
                raise _no_port(port)
            if not is_public(address):
                raise Refused(
                    f"{host} leads to {address}, which is no address of the public Internet",
                    cause="address",
                    hint="Pages are fetched from public addresses alone.",
                )
        return addresses


class _HurriedStream(httpcore2.NetworkStream):
    """A connection whose every read and write ends by the deadline, however slow the drops."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        secure = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        return _HurriedStream(secure, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _no_port(port: int) -> Refused:
    return Refused(
        f"port {port} is not fetched from",
        cause="port",
        hint="Pages are fetched from ports 80 and 443.",
    )


def resolve(host: str, port: int, deadline: Deadline) -> list[str]:
    """All addresses of a host, asked once; raises `Unavailable` when there are none in time."""
    found: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError, ValueError, OverflowError) as error:
            found.put(error)

    # The resolver has no time limit of its own.
    threading.Thread(target=ask, daemon=True, name="buttress-resolve").start()
    try:
        answer = found.get(timeout=deadline.left())
    except queue.Empty:
        raise deadline.passed() from None
    if isinstance(answer, Exception):
        raise Unavailable(
            f"{host} cannot be found", hint="Check the address of the page."
        ) from answer
    return list(dict.fromkeys(str(entry[4][0]) for entry in answer))

"""Pages of the web, fetched so that nobody can have this machine ask its own network.

    page = fetch("https://shop.example/item/7", limit_bytes=5_000_000, types=("text/html",))
    page.text

Every name is resolved once, every address it has must be public, and the connection goes to the
address that was judged, for each redirect anew. Proxies and credentials of the environment are not
used.
"""

from __future__ import annotations

import functools
import re
import ssl
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import version

import httpcore2
import httpx2

from buttress.errors import BadInput, ButtressError, NotFound, Refused, Unavailable
from buttress.fetch.connecting import Deadline, JudgedBackend
from buttress.fetch.decoding import ACCEPTED, body, charset_of

__all__ = ["Fetched", "fetch"]

LIMIT_BYTES = 10_000_000
URL_CHARACTERS = 4096
REDIRECTS = (301, 302, 303, 307, 308)

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\\s]")


@dataclass(frozen=True)
class Fetched:
    """A page: what was asked for, where redirects led, and what came from there."""

    url: str
    final_url: str
    status: int
    media_type: str
    charset: str | None
    content: bytes

    @property
    def text(self) -> str:
        """The content as text; bytes that are none in its character set show as U+FFFD."""
        return self.content.decode(self.charset or "utf-8", "replace")


def fetch(
    url: str,
    *,
    limit_bytes: int = LIMIT_BYTES,
    seconds: float = 20.0,
    types: Collection[str] | None = None,
    max_redirects: int = 5,
    polite_seconds: float = 0.0,
    allow: Collection[str] = (),
    trust: ssl.SSLContext | None = None,
) -> Fetched:
    """GET a page.

    Parameters
    ----------
    limit_bytes
        Of the content, unpacked.
    seconds
        For all of it: finding the host, connecting, redirects, the last byte.
    types
        Media types that are taken, such as `text/html` or `image/*`; all when None.
    polite_seconds
        How long after this process's last fetch from the same host this one waits, at least.
    allow
        Addresses inside that may be connected to all the same, with their port:
        `("10.0.0.5:8080",)`, for hosts of an intranet and for tests.
    trust
        What certificates are checked against; the public authorities unless given.

    Raises
    ------
    Refused
        The page, or a redirect of it, leads to an address (`address`), port (`port`) or scheme
        (`scheme`) that is not fetched from, the URL is none (`url`), carries a password
        (`password`), redirects too often (`redirects`), or is of another type (`type`).
    NotFound
        The server has no such page.
    Unavailable
        The host cannot be found or does not answer in time, or has no answer now.
    BadInput
        The server refuses, or what it sends is broken; `TooLarge` beyond the limit.
    """
    deadline = Deadline(seconds)
    backend = JudgedBackend(deadline, allow)
    with httpcore2.ConnectionPool(
        ssl_context=trust or _public_authorities(), network_backend=backend, retries=0
    ) as pool:
        here = url
        for _ in range(max_redirects + 1):
            target = checked(here)
            _turns.wait(target.host, polite_seconds, deadline)
            reply = _ask(pool, target, deadline, limit_bytes, types)
            if isinstance(reply, str):
                here = _joined(target, reply)
                continue
            return Fetched(url, str(target), *reply)
    raise Refused(
        f"the page redirects more than {max_redirects} times",
        cause="redirects",
        hint="Open it in a browser and give the address it ends at.",
    )


def checked(url: str) -> httpx2.URL:
    """A URL that may be asked for, apart from where it leads; raises `Refused`."""
    if len(url) > URL_CHARACTERS or _FORBIDDEN.search(url):
        raise _no_url("it is too long, or has spaces, backslashes or control characters in it")
    try:
        parsed = httpx2.URL(url)
        host = parsed.raw_host.decode("ascii")
    except (httpx2.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise _no_url("it cannot be read") from error
    if parsed.scheme not in ("http", "https"):
        raise Refused(
            f"{parsed.scheme[:20] or 'no scheme'!r} is not fetched",
            cause="scheme",
            hint="Give an address that begins with https:// or http://.",
        )
    if not host:
        raise _no_url("it names no host")
    if parsed.port == 0:
        raise _no_url("there is no port 0")
    if parsed.userinfo:
        raise Refused(
            "an address with a name or password in it is not fetched",
            cause="password",
            hint="Leave out what stands before the @.",
        )
    return parsed.copy_with(fragment=None)


def _joined(target: httpx2.URL, location: str) -> str:
    try:
        return str(target.join(location))
    except (httpx2.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise _no_url("a redirect leads to what cannot be read") from error


def _ask(
    pool: httpcore2.ConnectionPool,
    target: httpx2.URL,
    deadline: Deadline,
    limit_bytes: int,
    types: Collection[str] | None,
) -> str | tuple[int, str, str | None, bytes]:
    """Where it redirects to, or status, media type, character set and content."""
    headers: list[tuple[bytes | str, bytes | str]] = [
        ("Host", target.netloc),
        ("User-Agent", f"buttress/{_version()}"),
        ("Accept", ", ".join(types) if types else "*/*"),
        ("Accept-Encoding", ACCEPTED),
    ]
    address = httpcore2.URL(
        scheme=target.raw_scheme,
        host=target.raw_host,
        port=target.port,
        target=target.raw_path,
    )
    try:
        with pool.stream("GET", address, headers=headers) as response:
            told = _headers(response.headers)
            if response.status in REDIRECTS and "location" in told:
                return told["location"]
            _refuse_status(response.status, target)
            media_type, declared = _type(told.get("content-type", ""))
            _refuse_type(media_type, types)
            content = body(response.iter_stream(), told.get("content-encoding", ""), limit_bytes)
    except ButtressError:
        raise
    except httpcore2.TimeoutException as error:
        raise deadline.passed() from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError, OSError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise Unavailable(
                f"the certificate of {target.host} is not to be trusted",
                hint="Open the address in a browser to see what is wrong with it.",
            ) from error
        raise Unavailable(
            f"{target.host} does not answer as a web server does: {type(error).__name__}",
            hint="Open the address in a browser; try again later.",
        ) from error
    return response.status, media_type, charset_of(media_type, declared, content), content


def _refuse_status(status: int, target: httpx2.URL) -> None:
    if 200 <= status < 300:
        return
    if status in (404, 410):
        raise NotFound(f"{target.host} has no such page", hint="Check the address of the page.")
    if status == 429 or status >= 500:
        raise Unavailable(f"{target.host} answers {status} now", hint="Try again later.")
    raise BadInput(
        f"{target.host} answers {status}", hint="The page may want a person who is signed in."
    )


def _refuse_type(media_type: str, types: Collection[str] | None) -> None:
    if types is None or media_type in types or f"{media_type.partition('/')[0]}/*" in types:
        return
    raise Refused(
        f"the page is of type {media_type}",
        cause="type",
        hint=f"What is taken here: {', '.join(types)}.",
    )


def _headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """The first of each name, in lower case."""
    found: dict[str, str] = {}
    for name, value in raw:
        found.setdefault(name.decode("ascii", "replace").lower(), value.decode("utf-8", "replace"))
    return found


def _type(header: str) -> tuple[str, str | None]:
    """Media type and character set."""
    message = Message()
    message["Content-Type"] = header or "application/octet-stream"
    return message.get_content_type(), message.get_content_charset()


def _no_url(why: str) -> Refused:
    return Refused(
        f"that is no address of a page: {why}",
        cause="url",
        hint="Give an address such as https://example.com/page.",
    )


class _Turns:
    """When this process may ask a host again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def wait(self, host: str, seconds: float, deadline: Deadline) -> None:
        """Wait for a turn; raises `Unavailable` when it comes after the deadline."""
        if seconds <= 0:
            return
        with self._lock:
            now = time.monotonic()
            self._last = {name: at for name, at in self._last.items() if at > now - 3600}
            turn = max(now, self._last.get(host, now - seconds) + seconds)
            if turn - now > deadline.left():
                raise deadline.passed()
            self._last[host] = turn
        time.sleep(turn - now)


_turns = _Turns()


@functools.cache
def _public_authorities() -> ssl.SSLContext:
    """Made once: it takes longer than most fetches."""
    return httpcore2.default_ssl_context()


@functools.cache
def _version() -> str:
    return version("buttress")

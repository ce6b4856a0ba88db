"""The second level: values in Valkey, which may be away, slow, full, flushed or full of garbage.

Nothing here raises. The first call that fails takes at most 50 ms and opens a breaker; while that
is open a call costs a comparison; then one call tries again.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, cast

import msgspec

log = logging.getLogger(__name__)

Word = str | bytes | int

TIMEOUT_SECONDS = 0.024
"""For connecting, and for each answer: both and some are 50 ms."""
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
LOCK_SECONDS = 3.0
"""How long a lock outlives the process that took it; one that lives renews it."""
RENEW_SECONDS = 1.0
LARGEST_BYTES = 4_000_000
FORMAT = 1
PREFIX = "buttress:cache:"

RENEW = "if redis.call('get',KEYS[1])==ARGV[1] then redis.call('pexpire',KEYS[1],ARGV[2]) end"
UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """An entry as it lies in Valkey."""

    format: int
    epoch: str
    """The server the snapshot belongs to."""
    snapshot: str
    """What was committed before the value began to be computed."""
    tags: list[str]
    created: float
    expires: float
    value: bytes


@dataclass(frozen=True)
class SharedStats:
    """How the second level fares."""

    state: str
    """`ok`, or what went wrong last while the breaker is open, or `off`."""
    failures: int
    garbage: int
    """Entries that were not ours, or of another version."""


class Shared:
    """Entries by name; `url` empty for none."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: Any = None  # valkey's classes have no types
        self._idle: deque[Any] = deque()
        self._errors: tuple[type[Exception], ...] = ()
        self._lost: type[Exception] = OSError
        self._open_until = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._problem = ""
        self.failures = 0
        self.garbage = 0
        self._held: dict[str, str] = {}
        """Locks of this process, by name."""
        self._renewing: threading.Thread | None = None
        self._closed = threading.Event()
        self._decode = msgspec.msgpack.Decoder(Kept).decode
        self._encode = msgspec.msgpack.Encoder().encode

    @property
    def usable(self) -> bool:
        """Whether a call would be tried now."""
        return bool(self._url) and time.monotonic() >= self._open_until

    def get(self, name: str) -> Kept | None:
        """The entry of that name, unless it is missing, foreign or expired."""
        found = self._try("GET", PREFIX + name)
        if found is None:
            return None
        try:
            kept = self._decode(cast("bytes", found))
        except msgspec.MsgspecError:
            self.garbage += 1
            return None
        if kept.format != FORMAT or time.time() >= kept.expires:
            return None
        return kept

    def put(self, name: str, kept: Kept) -> None:
        """Keep an entry until it expires."""
        encoded = self._encode(kept)
        left = round((kept.expires - time.time()) * 1000)
        if left > 0 and len(encoded) <= LARGEST_BYTES:
            self._try("SET", PREFIX + name, encoded, "PX", left)

    def lock(self, name: str) -> str | None:
        """A token when the lock was free or nobody can tell, None while another process has it."""
        if not self.usable:
            return ""
        token = secrets.token_hex(8)
        failures = self.failures
        locked = self._try(
            "SET", f"{PREFIX}{name}:lock", token, "NX", "PX", round(LOCK_SECONDS * 1000)
        )
        if self.failures != failures:
            return ""
        if not locked:
            return None
        self._held[name] = token
        self._start_renewing()
        return token

    def unlock(self, name: str, token: str) -> None:
        """Give the lock back, if it is still ours."""
        self._held.pop(name, None)
        if token:
            self._try("EVAL", UNLOCK, 1, f"{PREFIX}{name}:lock", token)

    def delete(self, names: list[str]) -> None:
        """Remove entries."""
        if names:
            self._try("UNLINK", *(PREFIX + name for name in names))

    def ping(self) -> bool:
        """Whether it takes a value now; tries even while the breaker is open."""
        self._open_until = 0.0
        return bool(self._try("SET", f"{PREFIX}probe", b"", "PX", 1000))

    def stats(self) -> SharedStats:
        """How it fares now."""
        if not self._url:
            return SharedStats("off", self.failures, self.garbage)
        return SharedStats(self._problem or "ok", self.failures, self.garbage)

    def close(self) -> None:
        """Close its connections."""
        self._closed.set()
        self._disconnect()

    def start_anew(self) -> None:
        """In a forked child: use none of the parent's connections, hold none of its locks."""
        self._pool, self._idle = None, deque()
        self._held, self._renewing = {}, None

    def _start_renewing(self) -> None:
        if self._renewing is None:
            self._renewing = threading.Thread(
                target=self._renew, name="buttress-cache-locks", daemon=True
            )
            self._renewing.start()

    def _renew(self) -> None:
        while not self._closed.wait(RENEW_SECONDS):
            for name, token in list(self._held.items()):
                milliseconds = round(LOCK_SECONDS * 1000)
                self._try("EVAL", RENEW, 1, f"{PREFIX}{name}:lock", token, milliseconds)

    def _prepare(self) -> Any:
        # Slow to import for who only migrates.
        from valkey import ConnectionError as ConnectionLost
        from valkey import ConnectionPool, ValkeyError
        from valkey.backoff import NoBackoff
        from valkey.retry import Retry

        self._errors, self._lost = (ValkeyError, OSError), ConnectionLost
        self._pool = ConnectionPool.from_url(  # type: ignore[no-untyped-call]
            self._url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            lib_name=None,
            lib_version=None,
        )
        return self._pool

    def _try(self, *words: Word) -> object:
        """What the server answers to a command, None when it does not."""
        now = time.monotonic()
        if not self._url or now < self._open_until:
            return None
        pool = self._pool or self._prepare()
        if self._problem:  # one call tries; meanwhile the others find the breaker open
            self._open_until = now + self._pause
        try:
            answer = self._ask(pool, words)
        except self._errors as error:
            self._fail(error)
            return None
        if self._problem:
            log.info("shared cache is back")
            self._problem, self._pause, self._open_until = "", FIRST_PAUSE_SECONDS, 0.0
        return answer

    def _ask(self, pool: Any, words: tuple[Word, ...]) -> object:
        # The client's own way through its pool takes as long as the round trip itself.
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._ask_over(pool.make_connection(), words)
        try:
            return self._ask_over(connection, words)
        except self._lost:  # it had lain idle while the server went and came back
            self._disconnect()
            return self._ask_over(pool.make_connection(), words)

    def _ask_over(self, connection: Any, words: tuple[Word, ...]) -> object:
        connection.send_command(*words)
        answer: object = connection.read_response()
        self._idle.append(connection)
        return answer

    def _disconnect(self) -> None:
        while self._idle:
            self._idle.pop().disconnect()

    def _fail(self, error: Exception) -> None:
        self.failures += 1
        self._open_until = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        if not self._problem:
            log.warning("shared cache is away", extra={"reason": type(error).__name__})
        self._problem = f"{type(error).__name__}: {error}"[:200]

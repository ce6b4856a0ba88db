"""Waiting for a server that restarts, instead of failing while it does.

A server that answered before and is away now is usually back within seconds. Whoever needs a new
connection meanwhile waits, until the outage has lasted `seconds`; from then on each caller fails at
once, so that a server that is gone for good keeps nobody. One caller of the process knocks at a
time: a server that is coming up has better things to do than to turn everybody away.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.util import await_

SHORTEST_PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 0.25
PAUSE_SHARE = 0.05
"""Pauses grow with the outage: nobody notices its end later than this share of it."""


Opened = TypeVar("Opened")


class Outage:
    """Whether the server is away, for all pools of one database.

    `is_away(error)` tells an error of a server that may be back in a moment from all others.
    """

    def __init__(self, seconds: float, is_away: Callable[[BaseException], bool]) -> None:
        self.seconds = seconds
        self._is_away = is_away
        self._answered_once = False
        self._since: float | None = None
        self._knocking = threading.Lock()

    def guard(self, engine: Engine) -> None:
        """Have the connections of this engine opened patiently."""
        # The dialect is the engine's own. Its events would not do: other listeners come after.
        dialect: Any = engine.dialect
        connect = dialect.connect

        def connect_patiently(*arguments: Any, **options: Any) -> Any:
            return self.open(
                lambda: connect(*arguments, **options), lambda: pause(dialect, self._age())
            )

        dialect.connect = connect_patiently

    def open(self, attempt: Callable[[], Opened], pause: Callable[[], None]) -> Opened:
        """What `attempt` returns; raises its error when it is of another kind or lasts too long."""
        while True:
            known = self._worth_waiting()
            if known and not self._knocking.acquire(blocking=False):
                pause()
                continue
            try:
                connection = attempt()
            except Exception as error:
                if not self._is_away(error) or not self._answered_once:
                    raise
                self._since = self._since or time.monotonic()
                if not self._worth_waiting():
                    raise
            else:
                self._answered_once, self._since = True, None
                return connection
            finally:
                if known:
                    self._knocking.release()
            pause()

    def _age(self) -> float:
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def _worth_waiting(self) -> bool:
        return self._since is not None and self._age() < self.seconds


def pause(dialect: Any, age_seconds: float) -> None:
    """Wait a little, the longer the older the outage is, without blocking an event loop."""
    share = age_seconds * PAUSE_SHARE
    seconds = min(max(share, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
    (pause_task if dialect.is_async else time.sleep)(seconds)


def pause_task(seconds: float) -> None:
    """Sleep inside SQLAlchemy's sync code of an async engine, without blocking its event loop."""
    await_(asyncio.sleep(seconds))

"""One clock for all hosts: the database's, carried on between two heartbeats.

The engine asks the host's clock for when a job has taken too long, a delay is over or a schedule
is due. A host whose clock is wrong would cancel the jobs of others, and one whose clock jumps its
own.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from types import ModuleType
from typing import Any

log = logging.getLogger(__name__)

APART_SECONDS = 5.0
"""How far a host's clock may be from the database's before it is told."""


class DatabaseClock:
    """Seconds since 1970 by the database's clock, as it was told last."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()
        self._told = False

    def time(self) -> float:
        """Now; the host's clock does not matter, only that its seconds are seconds."""
        return self._ahead + time.monotonic()

    def set(self, now: float) -> None:
        """What the database's clock shows now."""
        self._ahead = now - time.monotonic()
        apart = time.time() - now
        if abs(apart) <= APART_SECONDS:
            self._told = False
        elif not self._told:
            self._told = True
            log.warning(
                "clock of this host is wrong",
                extra={
                    "seconds_ahead_of_the_database": round(apart, 1),
                    "hint": "Jobs go by the database's clock; set this one by NTP all the same.",
                },
            )


class TimeModule:
    """The module `time` with another clock."""

    def __init__(self, clock: DatabaseClock) -> None:
        self.time = clock.time

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def datetime_by(clock: DatabaseClock) -> type[dt.datetime]:
    """The class `datetime` with another clock."""

    class DateTime(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> DateTime:
            return cls.fromtimestamp(clock.time(), tz)

    return DateTime


def put_into(modules: list[ModuleType], clock: DatabaseClock) -> list[tuple[ModuleType, str, Any]]:
    """Let modules go by a clock; what they had before, to be put back."""
    before = []
    for module in modules:
        for name, own in (("time", TimeModule(clock)), ("datetime", datetime_by(clock))):
            # Some of them import the module `datetime`, which they ask nothing of.
            there = vars(module).get(name)
            if there is time or there is dt.datetime:
                before.append((module, name, there))
                setattr(module, name, own)
    return before

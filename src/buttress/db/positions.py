"""Positions in the primary's log: what a caller has written, and how old a standby's data is.

A position is the number of bytes the primary has ever logged. A standby that has replayed up to a
position shows every commit the primary had acknowledged before it.
"""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass

from sqlalchemy import text

PRIMARY = text("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
# Under a stricter isolation level this very question would fix what the session sees.
STANDBY = text(
    "SELECT CASE WHEN pg_is_in_recovery() AND current_setting('transaction_isolation') = "
    "'read committed' THEN pg_last_wal_replay_lsn() - '0/0'::pg_lsn END"
)


@dataclass
class Bookmark:
    """What one caller must see: shared by the threads and tasks that work for it."""

    position: int = 0
    wrote: bool = False
    """It committed since `position` was looked up."""

    @property
    def token(self) -> str:
        """What a client may carry; empty when there is nothing to see."""
        return f"{self.position:x}" if self.position else ""

    def note_commit(self) -> None:
        """Called after each COMMIT, which does not tell its position."""
        self.wrote = True

    def advance(self, position: int) -> None:
        """Take the primary's position, asked for after `wrote` was set to False."""
        self.position = max(self.position, position)


def bookmark_from(token: str | None) -> Bookmark:
    """A bookmark a client brought; what cannot be read asks for all the primary has."""
    if not token:
        return Bookmark()
    if not re.fullmatch(r"[0-9A-Fa-f]{1,16}", token):
        return Bookmark(wrote=True)
    return Bookmark(int(token, 16))


class PositionHistory:
    """Where the primary was, and when: the clock a standby's lag is told by.

    The standbys' own clock, the time of the last transaction replayed, stands still when nobody
    writes and when the network is cut; from here both look different.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._seen: deque[tuple[float, int]] = deque(maxlen=10_000)

    def add(self, asked_at: float, position: int) -> None:
        """Note a position that was asked for at that moment of `time.monotonic()`."""
        self._seen.append((asked_at, position))
        while self._seen and self._seen[0][0] < asked_at - 10 * self.seconds:
            self._seen.popleft()

    def floor(self) -> int | None:
        """What a standby must have replayed to be `seconds` behind at most; None when not known."""
        since = time.monotonic() - self.seconds
        return next((position for at, position in list(self._seen) if at >= since), None)

    def behind(self, replayed: int) -> float:
        """How many seconds at most are missing there; infinite beyond the history."""
        reached = [at for at, position in list(self._seen) if position <= replayed]
        return time.monotonic() - max(reached) if reached else float("inf")

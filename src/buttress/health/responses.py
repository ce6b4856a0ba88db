"""How long this process took for its latest answers, and how many were errors of ours."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

KEPT = 2_000


@dataclass(frozen=True)
class ResponseStats:
    """The answers of a stretch of time."""

    count: int
    errors: int
    """Answered with a status of 500 or more."""
    p95_seconds: float


class Responses:
    """The last 2,000 answers."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, float, bool]] = deque(maxlen=KEPT)

    def add(self, seconds: float, *, error: bool) -> None:
        """Note one that has just begun to be sent."""
        self._kept.append((time.monotonic(), seconds, error))

    def lately(self, seconds: float) -> ResponseStats:
        """Those of the last seconds."""
        since = time.monotonic() - seconds
        # A copy: other threads append meanwhile.
        found = [(took, error) for at, took, error in self._kept.copy() if at >= since]
        times = sorted(took for took, _ in found)
        p95 = times[int((len(times) - 1) * 0.95)] if times else 0.0
        return ResponseStats(len(found), sum(error for _, error in found), p95)

"""How often somebody may ask: so many times a minute."""

from __future__ import annotations

import time
from collections import OrderedDict

MOST = 50_000
WINDOW_SECONDS = 60.0


class Rates:
    """Counts in this process: with several processes behind one address each allows as many.

    An asker's allowance refills steadily, so that a burst after a pause is served at once.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def seconds_to_wait(self, who: str) -> float:
        """Count one request; 0 when it may go on, else how long to wait."""
        now = time.monotonic()
        left, at = self._left.pop(who, (float(self.per_minute), now))
        left = min(self.per_minute, left + (now - at) * self.per_minute / WINDOW_SECONDS)
        wait = 0.0 if left >= 1 else (1 - left) * WINDOW_SECONDS / self.per_minute
        self._left[who] = (left - 1 if not wait else left, now)
        if len(self._left) > MOST:
            self._left.popitem(last=False)
        return wait

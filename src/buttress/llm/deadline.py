"""How much time a call has left."""

from __future__ import annotations

import time


class Deadline:
    """A moment on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then; 0 when it is over."""
        return max(0.0, self._ends - time.monotonic())

    def share(self, of: int) -> Deadline:
        """An equal part of what is left, so that the models that follow get theirs."""
        return Deadline(self.left / of)

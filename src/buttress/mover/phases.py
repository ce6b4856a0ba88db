"""What is told of a move's phases while it runs, and how long each took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol


class Progress(Protocol):
    """Told how far the move is.

    `phase` is one of snapshot, plan, copy, index, proof, switch; the counts are rows or objects.
    """

    def __call__(self, phase: str, done: int, total: int, note: str = "") -> None: ...


def silent(phase: str, done: int, total: int, note: str = "") -> None:
    """The progress of callers who do not want any."""


class Clock:
    """Seconds spent in each phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Add the time the block takes to the phase's."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[phase] = round(
                self.seconds.get(phase, 0.0) + time.perf_counter() - began, 3
            )

"""Where a stream is cut into chunks: by its content, so that a change moves no cut but its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

SHORTEST, LONGEST = 1 << 18, 1 << 22
AVERAGE = 1 << 20
WINDOW = 8
"""Bytes that decide whether a cut follows them."""
SEARCHED = 1 << 20
"""Bytes looked at in one go; the arrays for them stay in the processor's cache."""

# The upper bits of such a sum depend on all bits of both halves of the window.
_FIRST, _SECOND = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77)
# Large, not small: bytes that are all zero, of which files have many, ask for no cut.
_ABOVE = np.uint32((1 << 32) - 1 - (1 << 32) // AVERAGE)


def cut(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in chunks of `SHORTEST` to `LONGEST` bytes, `AVERAGE` after the shortest.

    The last chunk may be shorter. Equal stretches of two streams are cut at the same places.
    """
    finder = _Finder()
    held, looked = bytearray(), SHORTEST
    for block in blocks:
        held += block
        while len(held) > looked:
            stop = min(len(held), LONGEST)
            place = finder.first(held, looked, stop)
            if place is None and stop < LONGEST:
                looked = stop
                break
            place = place or LONGEST
            yield bytes(memoryview(held)[:place])
            del held[:place]
            looked = SHORTEST
    if held:
        yield bytes(held)


class _Finder:
    """Looks for windows whose hash is large, four of every sixteen bytes at a time."""

    def __init__(self) -> None:
        words = SEARCHED // 4
        self._words = np.empty(words + 1, np.uint32)
        self._sums, self._products = np.empty(words, np.uint32), np.empty(words, np.uint32)
        self._large = np.empty(words, np.bool_)

    def first(self, held: bytearray, after: int, stop: int) -> int | None:
        """The first end of a window that asks for a cut, behind `after` and up to `stop`."""
        seen = np.frombuffer(held, np.uint8)
        for start in range(after, stop, SEARCHED):
            end = min(start + SEARCHED, stop)
            found = self._first(seen[start - WINDOW + 1 : end])
            if found is not None:
                return start + 1 + found
        return None

    def _first(self, seen: npt.NDArray[np.uint8]) -> int | None:
        """Where the first such window of these bytes starts."""
        windows = len(seen) - WINDOW + 1
        found = [
            4 * int(places[0]) + shift
            for shift in range(4)
            if len(places := self._places(seen[shift:], -((shift - windows) // 4)))
        ]
        return min(found, default=None)

    def _places(self, seen: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.intp]:
        """Which of `count` windows, each four bytes after the one before, are large."""
        words, sums = self._words[: count + 1], self._sums[:count]
        products, large = self._products[:count], self._large[:count]
        # Aligned first: numpy copies an array that is not, and slower.
        words.view(np.uint8)[:] = seen[: 4 * (count + 1)]
        np.multiply(words[:-1], _FIRST, out=sums)
        np.multiply(words[1:], _SECOND, out=products)
        np.add(sums, products, out=sums)
        np.greater(sums, _ABOVE, out=large)
        return np.flatnonzero(large)

"""The last hours in bounded memory: minutes for the last one, five minutes each for five more."""

from __future__ import annotations

from collections import deque
from threading import Lock

from buttress.db.monitor.slot import Slot, merged, pack, unpack

MINUTES = 60
MINUTE_SECONDS = 60
COARSE = 60
COARSE_SECONDS = 300
KEPT_SERIES = 200
KEPT_SLOW = 20
KEPT_REPEATED = 50
UNPACKED = 5
"""Closed minutes that may wait to be packed; packing takes a millisecond that no query should."""


class Ring:
    """Closed minutes, newest last. Adding never packs unless nobody else has for a while."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._new: deque[Slot] = deque()
        self._minutes: deque[tuple[float, bytes]] = deque()
        self._coarse: dict[float, bytes] = {}

    def add(self, minute: Slot) -> None:
        """Take a minute that has ended and that nobody changes any more."""
        self._new.append(minute)
        if len(self._new) > UNPACKED:
            self.settle()

    def settle(self) -> None:
        """Pack what is new and make what is old coarser."""
        with self._lock:
            while self._new:
                slot = self._new[0]
                slot.shorten(series=KEPT_SERIES, slow=KEPT_SLOW, repeated=KEPT_REPEATED)
                self._minutes.append((slot.start, pack(slot)))
                self._new.popleft()
            while len(self._minutes) > MINUTES:
                self._make_coarser(*self._minutes.popleft())

    def slots(self, since: float, until: float) -> list[Slot]:
        """What is known of the time between, in seconds of Unix time; the first may begin before.

        The age of what is asked for decides how fine it is.
        """
        self.settle()
        with self._lock:
            chosen = [
                payload
                for start, payload in self._coarse.items()
                if start + COARSE_SECONDS > since and start < until
            ]
            chosen += [
                payload
                for start, payload in self._minutes
                if start + MINUTE_SECONDS > since and start < until
            ]
        return [unpack(payload) for payload in chosen]

    @property
    def packed_bytes(self) -> int:
        """Memory the packed slots take."""
        with self._lock:
            packed = [*self._coarse.values(), *(payload for _, payload in self._minutes)]
        return sum(map(len, packed))

    def _make_coarser(self, minute_start: float, payload: bytes) -> None:
        start = minute_start - minute_start % COARSE_SECONDS
        known = self._coarse.pop(start, None)
        parts = [unpack(known)] if known else []
        whole = merged([*parts, unpack(payload)], start=start, seconds=COARSE_SECONDS)
        whole.shorten(series=KEPT_SERIES, slow=KEPT_SLOW, repeated=KEPT_REPEATED)
        self._coarse[start] = pack(whole)
        while len(self._coarse) > COARSE:
            del self._coarse[min(self._coarse)]

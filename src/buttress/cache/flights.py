"""One computation per key at a time in a process; the others wait, threads and tasks alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Hashable
from contextlib import suppress


class Flight:
    """A computation under way."""

    def __init__(self) -> None:
        self._landed = threading.Event()
        self._loops: dict[asyncio.AbstractEventLoop, asyncio.Event] = {}
        self._joining = threading.Lock()

    def wait(self, seconds: float) -> None:
        """Return when it is over, or after that time."""
        self._landed.wait(seconds)

    async def wait_async(self, seconds: float) -> None:
        """The same without blocking the event loop."""
        loop = asyncio.get_running_loop()
        with self._joining:
            if self._landed.is_set():
                return
            event = self._loops.setdefault(loop, asyncio.Event())
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)

    def land(self) -> None:
        """Wake those who wait."""
        with self._joining:
            self._landed.set()
            loops = dict(self._loops)
        for loop, event in loops.items():
            with suppress(RuntimeError):  # that loop has ended
                loop.call_soon_threadsafe(event.set)


class Flights:
    """The computations under way in this process, by key."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, Flight] = {}
        self._changing = threading.Lock()

    def join(self, key: Hashable) -> tuple[Flight, bool]:
        """The flight of a key, and whether the caller is the one who computes."""
        with self._changing:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = Flight()
            return flight, True

    def land(self, key: Hashable, flight: Flight) -> None:
        """The one who computes is done, whatever came of it."""
        with self._changing:
            if self._flights.get(key) is flight:
                del self._flights[key]
        flight.land()

    def start_anew(self) -> None:
        """In a forked child: the parent's threads do not land here."""
        self._flights, self._changing = {}, threading.Lock()

"""The barrier: one question that tells a process everything that was committed before it.

Barriers of a process are numbered. `changed_at[tag]` is the number of the first barrier that saw a
change of the tag. A value computed after barrier m ended is right at barrier n as long as none of
its tags changed at a barrier after m.

Readers at the same time share one barrier. Whoever arrives while one is under way waits for the
next: the one under way may have looked before that reader's question began.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue

from buttress.cache.snapshot import Snapshot
from buttress.cache.watch import EVERYTHING
from buttress.errors import ButtressError, Unavailable

log = logging.getLogger(__name__)

MOST_TAGS = 200_000
"""With more tags remembered than this, all are forgotten, and every entry with them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one barrier found."""

    number: int
    snapshot: Snapshot | None
    """What PostgreSQL shows since; None on SQLite, whose barriers no other process can use."""
    horizon: int = 0
    """Changes of transactions below it are no longer in the log."""
    epoch: str = ""
    """The server that said so, in its present life."""


@dataclass(slots=True)
class Round:
    """One barrier and those who wait for it."""

    reading: Reading | None = None
    error: ButtressError | None = None
    loops: dict[asyncio.AbstractEventLoop, asyncio.Event] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return self.reading is not None or self.error is not None

    def result(self) -> Reading:
        if self.reading is not None:
            return self.reading
        assert self.error is not None
        raise self.error


class Barrier(ABC):
    """The barriers of one process; one backend answers them."""

    def __init__(self) -> None:
        self.number = 0
        self.floor = 0
        """What was computed before this barrier is worth nothing."""
        self.changed_at: dict[str, int] = {}
        self._wire = threading.Lock()
        self._next = Round()
        self._joining = threading.Lock()
        self._asked: SimpleQueue[Round | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    @abstractmethod
    def _ask(self) -> Reading:
        """Ask the database and note what changed; called by one thread at a time.

        Raises Unavailable when it does not answer.
        """

    @abstractmethod
    def disconnect(self) -> None:
        """Let go of the connection."""

    def ask(self) -> Reading:
        """A barrier that begins after this call; raises Unavailable."""
        mine = self._next
        self._lead(mine)
        return mine.result()

    async def ask_async(self) -> Reading:
        """The same without blocking the event loop."""
        loop = asyncio.get_running_loop()
        with self._joining:
            mine = self._next
            event = mine.loops.get(loop)
            if event is None:
                event = mine.loops[loop] = asyncio.Event()
                self._start_thread()
                self._asked.put(mine)
        await event.wait()
        return mine.result()

    def valid(self, stamp: int, tags: Iterable[str]) -> bool:
        """Whether what was computed after barrier `stamp` is still right at the last barrier."""
        # In this order: the floor rises before what was noted is thrown away.
        changed_at = self.changed_at
        if stamp < self.floor:
            return False
        return all(changed_at.get(tag, 0) <= stamp for tag in tags)

    def forget(self) -> None:
        """Distrust everything computed so far; the caller holds the wire or is alone."""
        self.floor = self.number + 1
        self.changed_at = {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No barrier is under way meanwhile."""
        with self._wire:
            yield

    def change(self, tags: Collection[str]) -> None:
        """Count these tags as changed, in this process."""
        with self._wire:
            self.note(tags, self.number + 1)
            self.number += 1

    def close(self) -> None:
        """End the thread and the connection."""
        self._closed = True
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join(timeout=5)
            self._thread = None
        with self._wire:
            self.disconnect()

    def start_anew(self) -> None:
        """In a forked child: nothing of the parent's connection or threads is ours."""
        self._wire, self._joining = threading.Lock(), threading.Lock()
        self._next = Round()
        self._asked, self._thread = SimpleQueue(), None
        self.forget()

    def note(self, tags: Collection[str], number: int) -> None:
        """Remember that these tags changed; before the number is made known."""
        if EVERYTHING in tags or len(self.changed_at) > MOST_TAGS:
            self.floor = number
            self.changed_at = {}
            return
        for tag in tags:
            self.changed_at[tag] = number

    def _lead(self, mine: Round) -> None:
        with self._wire:
            if mine.over:
                return
            if self._closed:
                mine.error = Unavailable("the cache is closed")
                return
            with self._joining:
                self._next = Round()  # who comes from now on takes the next one
            try:
                mine.reading = self._ask()
            except ButtressError as error:
                mine.error = error
            except BaseException:
                mine.error = Unavailable("the barrier was interrupted")
                raise

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._serve, args=(self._asked,), name="buttress-cache-barrier", daemon=True
            )
            self._thread.start()

    def _serve(self, asked: SimpleQueue[Round | None]) -> None:
        while (mine := asked.get()) is not None:
            try:
                self._lead(mine)
            except Exception:  # this thread must live: others wait for it
                log.exception("the barrier failed")
            for loop, event in list(mine.loops.items()):
                with suppress(RuntimeError):  # the loop was closed meanwhile
                    loop.call_soon_threadsafe(event.set)

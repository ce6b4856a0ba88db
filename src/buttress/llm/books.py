"""The calls that are under way, and that each of them is written down once, however it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from buttress.llm.entry import Entry
from buttress.llm.ledger import Ledger
from buttress.llm.loop import Stopped
from buttress.llm.metrics import LLMCollector

CLOSE_SECONDS = 5.0


class Books:
    """The entries of this process; `open` are those of calls that have not ended."""

    def __init__(self, ledger: Ledger, metrics: LLMCollector) -> None:
        self.ledger = ledger
        self.metrics = metrics
        self._lock = threading.Lock()
        self._open: set[Entry] = set()
        self._claimed: set[Entry] = set()
        self._closed = False

    @property
    def open(self) -> list[Entry]:
        """What is in flight, and what is being written."""
        with self._lock:
            return list(self._open)

    @contextmanager
    def entry(self, model: str, purpose: str) -> Iterator[Entry]:
        """One model, as provider:name, that is asked; raises `Stopped` on closed books."""
        provider, _, name = model.partition(":")
        entry = Entry.begun(provider, name, purpose)
        with self._lock:
            if self._closed:
                raise Stopped("the model gateway is closed")
            self._open.add(entry)
        try:
            yield entry
        except BaseException as error:
            self._write(entry, error)
            raise
        self._write(entry)

    def close(self) -> None:
        """Write what somebody still has open as cancelled, and close the ledger."""
        with self._lock:
            self._closed = True
        for entry in self.open:
            self._write(entry, Stopped("the model gateway was closed"))
        until = time.monotonic() + CLOSE_SECONDS
        while self.open and time.monotonic() < until:  # other threads write theirs
            time.sleep(0.01)
        self.ledger.close()

    def _write(self, entry: Entry, error: BaseException | None = None) -> None:
        with self._lock:
            if entry not in self._open or entry in self._claimed:
                return
            self._claimed.add(entry)
        try:
            entry.end(error)
            self.metrics.count(entry)
            self.ledger.write(entry)
        finally:
            with self._lock:  # only now: what is not written must be in flight for budgets
                self._open.discard(entry)
                self._claimed.discard(entry)

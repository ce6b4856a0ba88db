"""What every process of a run knows: which versions have been acknowledged, and when to stop."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

ITEMS = 40
WRITERS = 4
"""Slots a row of the record has: two writers, one `psql`, one to spare."""
PROCESSES = 16


class Record:
    """Numbers in a file mapped by all processes; each slot has one writer, so nothing is locked.

    A slot is eight aligned bytes, which processors store and load whole.
    """

    def __init__(self, path: Path) -> None:
        count = 1 + ITEMS * WRITERS + PROCESSES
        if not path.exists():
            path.write_bytes(bytes(8 * count))
        self._file = os.open(path, os.O_RDWR)
        self._slots = memoryview(mmap.mmap(self._file, 8 * count)).cast("Q")

    def acknowledge(self, writer: int, item: int, version: int) -> None:
        """The commit of this version has returned to the writer."""
        self._slots[1 + item * WRITERS + writer] = version

    def acknowledged(self, item: int) -> int:
        """The newest version of an item that some writer knows to be committed."""
        first = 1 + item * WRITERS
        return max(self._slots[first : first + WRITERS])

    def is_ready(self, process: int) -> None:
        """This process is about to begin its work."""
        self._slots[1 + ITEMS * WRITERS + process] = 1

    @property
    def ready(self) -> int:
        """How many processes have begun."""
        return sum(self._slots[1 + ITEMS * WRITERS :])

    def end_writes(self) -> None:
        """Tell writers to finish."""
        self._slots[0] = 1

    def end_reads(self) -> None:
        """Tell readers to look at every item once more, and to finish."""
        self._slots[0] = 2

    @property
    def writing(self) -> bool:
        """Whether writers go on."""
        return self._slots[0] < 1

    @property
    def reading(self) -> bool:
        """Whether readers go on."""
        return self._slots[0] < 2

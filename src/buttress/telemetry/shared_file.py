"""The log file: it starts anew when it is full, whichever of several processes filled it."""

from __future__ import annotations

import fcntl
import logging
import os
from logging.handlers import RotatingFileHandler

NAME = "buttress.log"
FILE_BYTES = 5_000_000
FILES_KEPT = 5


class SharedFile(RotatingFileHandler):
    """A rotating file that the web process and workers of one data folder write together.

    Left to themselves, each would rename the others' files away, and go on writing to the one that
    was renamed.
    """

    def shouldRollover(self, record: logging.LogRecord) -> int:  # noqa: N802  # logging's name
        """Whether the line does not fit any more; writes to the file that bears the name now."""
        self._follow()
        return super().shouldRollover(record)

    def doRollover(self) -> None:  # noqa: N802
        """Rename the files, unless another process has just done so."""
        with open(f"{self.baseFilename}.lock", "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._follow():
                super().doRollover()

    def _follow(self) -> bool:
        """Open the file that bears the name, if it is another; whether it was."""
        if self.stream is None:
            return False
        ours = os.fstat(self.stream.fileno())
        try:
            named = os.stat(self.baseFilename)
        except FileNotFoundError:
            named = None
        if named is not None and os.path.samestat(ours, named):
            return False
        self.stream.close()
        self.stream = self._open()
        return True

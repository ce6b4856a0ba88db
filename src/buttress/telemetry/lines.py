"""The log file read back, from its end."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from buttress.telemetry.shared_file import FILE_BYTES, FILES_KEPT, NAME

BLOCK_BYTES = 65_536
LINE_BYTES = 1_000_000
"""A longer line is passed over when the file is read back."""
LOOK_BYTES = FILE_BYTES


@dataclass(frozen=True)
class LogLine:
    """One line of the log file, read back."""

    at: datetime
    level: str
    logger: str
    event: str
    fields: dict[str, Any]
    traceback: str = ""


@dataclass(frozen=True)
class RecentLines:
    """Lines of the log file, the newest first; not `whole` when older ones were not looked at."""

    lines: list[LogLine]
    whole: bool


def recent_lines(
    folder: Path,
    wanted: Callable[[LogLine], bool] = lambda line: True,
    *,
    most: int = 200,
    look_bytes: int = LOOK_BYTES,
) -> RecentLines:
    """The last lines that are wanted, from the end of the log file and of those before it.

    At most `look_bytes` are read, a block at a time. What is no line of ours is passed over, and
    a file that is not there has no lines.
    """
    found: list[LogLine] = []
    left = look_bytes
    seen: set[int] = set()
    for name in (
        NAME,
        *(f"{NAME}.{number}" for number in range(1, 1 + FILES_KEPT)),
    ):
        try:
            file = (folder / name).open("rb")
        except FileNotFoundError:
            continue
        with file:
            status = os.fstat(file.fileno())
            if status.st_ino in seen:  # it was given its next name while we read
                continue
            seen.add(status.st_ino)
            for raw in _backwards(file, max(status.st_size - left, 0)):
                line = _read_line(raw)
                if line is not None and wanted(line):
                    if len(found) == most:
                        return RecentLines(found, whole=False)
                    found.append(line)
            left -= status.st_size
        if left < 0:
            return RecentLines(found, whole=False)
    return RecentLines(found, whole=True)


def _backwards(file: IO[bytes], until: int) -> Iterator[bytes]:
    """The lines after a position, the last one first, and the one it falls into left out."""
    position, rest, too_long = file.seek(0, os.SEEK_END), b"", False
    while position > until:
        begin = max(position - BLOCK_BYTES, until)
        file.seek(begin)
        first, *lines = (file.read(position - begin) + rest).split(b"\n")
        position = begin
        if lines and too_long:
            lines.pop()
            too_long = False
        yield from reversed(lines)
        too_long = too_long or len(first) > LINE_BYTES
        rest = b"" if too_long else first
    if position == 0 and not too_long:
        yield rest


def _read_line(raw: bytes) -> LogLine | None:
    """What `JsonLines` wrote; None for anything else."""
    try:
        entry = json.loads(raw)
        at = datetime.fromisoformat(entry.pop("at"))
        names = ("level", "logger", "event")
        level, logger, event = (str(entry.pop(name)) for name in names)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return LogLine(at, level, logger, event, entry, str(entry.pop("traceback", "")))

"""Segments of the write-ahead log: their names, their order, and whether the archive has them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from buttress.pitr.archive import Archive, Base

BLOCK_BYTES = 1 << 20
DAMAGE = (OSError, EOFError, zlib.error)
"""What reading a compressed segment raises that is not what was compressed."""


def name_of(timeline: int, position: int, segment_bytes: int) -> str:
    """The segment that holds a position of the log."""
    return _name(timeline, position // segment_bytes, segment_bytes)


def following(name: str, segment_bytes: int) -> str:
    """The segment after it on the same timeline."""
    return _moved(name, 1, segment_bytes)


def preceding(name: str, segment_bytes: int) -> str:
    """The segment before it on the same timeline."""
    return _moved(name, -1, segment_bytes)


def _moved(name: str, by: int, segment_bytes: int) -> str:
    per_file = (1 << 32) // segment_bytes
    number = int(name[8:16], 16) * per_file + int(name[16:], 16)
    return _name(int(name[:8], 16), number + by, segment_bytes)


def _name(timeline: int, number: int, segment_bytes: int) -> str:
    high, low = divmod(number, (1 << 32) // segment_bytes)
    return f"{timeline:08X}{high:08X}{low:08X}"


@dataclass(frozen=True)
class Reach:
    """How far the log goes on from a base backup."""

    segments: list[str]
    """Those that follow one another and are sound."""
    problem: str
    """What ends them, when segments are there beyond: one is missing or damaged. Else empty."""


def reach(archive: Archive, base: Base, *, read: bool = True) -> Reach:
    """How far the log in the archive goes on from `base`; every byte is read if `read` says so."""
    there = archive.segments()
    found: list[str] = []
    for name in _from(base):
        if name not in there:
            beyond = [one for one in there if one[:8] == name[:8] and one > name]
            problem = f"segment {name} of the log is missing" if beyond else ""
            return Reach(found, problem)
        if read and not is_sound(archive.wal / f"{name}.gz", base.segment_bytes):
            return Reach(found, f"segment {name} of the log is damaged")
        found.append(name)
    raise AssertionError("the log has no end")


def unbroken(archive: Archive, newest: Base) -> str:
    """The segment from which on none is missing, up to the newest base backup and beyond it.

    That segment need not be there yet: the server hands it over when it is full.
    """
    there = archive.segments()
    first = name_of(newest.timeline, newest.start, newest.segment_bytes)
    while (before := preceding(first, newest.segment_bytes)) in there:
        first = before  # ends at the first segment of all: it is number 1, there is no 0
    return first


def _from(base: Base) -> Iterator[str]:
    name = name_of(base.timeline, base.start, base.segment_bytes)
    while True:
        yield name
        name = following(name, base.segment_bytes)


def is_sound(path: Path, segment_bytes: int) -> bool:
    """Whether a compressed segment is whole and what was compressed: gzip keeps a checksum."""
    size = 0
    try:
        with gzip.open(path) as file:
            while block := file.read(BLOCK_BYTES):
                size += len(block)
    except DAMAGE:
        return False
    return size == segment_bytes

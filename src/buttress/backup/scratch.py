"""Folders for what a backup unpacks, locked for as long as whoever made them lives."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

PREFIX = ".buttress-scratch-"
NAMES = re.compile(re.escape(PREFIX) + r"\d{8}T\d{6}-[0-9a-f]{8}")


@contextmanager
def folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent` that nobody takes for a leftover; deleted when the block ends."""
    parent.mkdir(parents=True, exist_ok=True)
    path, lock = _locked_folder(parent)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _locked_folder(parent: Path) -> tuple[Path, int]:
    while True:
        path = parent / f"{PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        path.mkdir(mode=0o700)
        # Until it is locked somebody may take it for a leftover and delete it.
        with suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path, lock
            os.close(lock)


def abandoned(parent: Path) -> list[Path]:
    """The folders in `parent` whose makers have died."""
    return [path for path in _scratch_folders(parent) if _unlocked(path)]


def delete_abandoned(parent: Path, *, spared: Path | None) -> list[Path]:
    """Delete them, but for those in which `spared` lies; what was deleted."""
    gone = []
    for path in _scratch_folders(parent):
        if spared is not None and spared.resolve().is_relative_to(path.resolve()):
            continue
        with _lock_of(path) as locked:
            if locked:
                shutil.rmtree(path, ignore_errors=True)
                gone.append(path)
    return gone


def _scratch_folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(
        path
        for path in parent.iterdir()
        if NAMES.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
    )


def _unlocked(path: Path) -> bool:
    with _lock_of(path) as locked:
        return locked


@contextmanager
def _lock_of(path: Path) -> Iterator[bool]:
    """Whether nobody held it; it is held during the block then."""
    try:
        lock = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(lock)

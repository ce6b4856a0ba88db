"""Who uses, starts and keeps the servers of a data folder, as locks the kernel gives back.

users.lock     shared by every process that uses the servers; the keeper waits to have it alone
start.lock     held by the process that looks whether they run, and starts them
keeper.lock    held by the keeper for as long as it works

A lock belongs to an open file, so a process that is killed holds none.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from buttress.db.server_files import explained
from buttress.errors import Unavailable

START_SECONDS = 90.0
POLL_SECONDS = 0.02


@dataclass
class _Use:
    """This process's share in `users.lock`, however many callers there are."""

    lock: int
    callers: int = 0


_uses: dict[Path, _Use] = {}
_one_thread = threading.Lock()


@contextmanager
def used(home: Path) -> Iterator[None]:
    """Keep the servers of `home` from being stopped; callers of one process share one lock."""
    with _one_thread:
        if home not in _uses:
            _uses[home] = _Use(_lock(home / "run" / "users.lock", fcntl.LOCK_SH))
        _uses[home].callers += 1
    try:
        yield
    finally:
        with _one_thread:
            _uses[home].callers -= 1
            if _uses[home].callers == 0:
                os.close(_uses.pop(home).lock)  # a forked child keeps its copy of the lock


@contextmanager
def starting(home: Path) -> Iterator[None]:
    """Be the only thread of the only process that starts the servers of `home`."""
    lock = _lock(home / "run" / "start.lock", fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)


def keeper_is_at_work(home: Path) -> bool:
    """Whether a keeper runs. Ask inside `starting`: a new one takes the question for a keeper."""
    with (home / "run" / "keeper.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _lock(path: Path, kind: int) -> int:
    """A descriptor that holds the lock until it is closed, be it by the end of the process.

    Waits for whoever starts or stops the servers at this moment.
    """
    deadline = time.monotonic() + START_SECONDS
    with explained(path.parent):
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(lock)
                raise Unavailable(
                    "another process has been starting or stopping the servers for too long",
                    hint=f"See which one holds {path}: `fuser {path}`.",
                ) from None
            time.sleep(POLL_SECONDS)
        else:
            return lock

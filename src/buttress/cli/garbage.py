"""When a process that serves looks for garbage: not as it starts, nor among what it loaded."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SETTLED_SECONDS = 10.0
"""How long a process has served by when it has loaded its libraries, its worker's too."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Inside, Python looks for no garbage, until `settling` lets it.

    While libraries are imported there is little to find among much that is looked at.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def settling(seconds: float = SETTLED_SECONDS) -> Iterator[None]:
    """So many seconds later, take what is there for what stays, and look only at what comes.

    Libraries make some 300,000 objects. Looking through them is a third of a second in which nobody
    is answered, again and again while people work: frozen, they are left alone (`gc.freeze`).
    """
    timer = threading.Timer(seconds, _settle)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _settle() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()

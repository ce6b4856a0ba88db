"""When a process that serves looks for garbage."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SETTLED_SECONDS = 15.0
"""By when a process has loaded its libraries, its worker's too."""


@contextmanager
def collected_late(seconds: float = SETTLED_SECONDS) -> Iterator[None]:
    """Inside, Python looks for no garbage for a while, and never again among what is there by then.

    Libraries make some 300,000 objects, which stay. Looking through them is a third of a second in
    which nobody is answered, again and again while people work: frozen, they are left alone
    (`gc.freeze`). Until then, while they are being made, there is little to find.
    """
    settling = threading.Timer(seconds, _settle)
    settling.daemon = True
    gc.disable()
    settling.start()
    try:
        yield
    finally:
        settling.cancel()
        gc.enable()


def _settle() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()

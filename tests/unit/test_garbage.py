"""When a process looks for garbage: late, and not among what it began with."""

from __future__ import annotations

import subprocess
import sys

PROCESS = """
import gc, time, weakref
from buttress.cli.garbage import settling, uncollected

class Node: pass

with uncollected():
    node = Node(); node.itself = node
    known = weakref.ref(node); del node
    print(gc.isenabled(), gc.get_freeze_count())
    with settling(0.2):
        while not gc.isenabled():
            time.sleep(0.01)
    print(gc.get_freeze_count() > 10_000, known() is None)
with uncollected():
    pass
print(gc.isenabled())
"""


def test_what_a_process_began_with_is_not_looked_through_again() -> None:
    # In a process of its own: what is frozen stays so.
    told = subprocess.run(
        [sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True, timeout=60
    )

    assert told.stdout.splitlines() == ["False 0", "True True", "True"]

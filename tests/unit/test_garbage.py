"""When a process looks for garbage: late, and not among what it began with."""

from __future__ import annotations

import subprocess
import sys

PROCESS = """
import gc, time
from buttress.cli.garbage import collected_late

class Node: pass

with collected_late(0.2):
    node = Node(); node.self = node; del node
    print(gc.isenabled(), gc.get_freeze_count())
    while not gc.isenabled():
        time.sleep(0.01)
    print(gc.get_freeze_count() > 10_000, any(isinstance(o, Node) for o in gc.get_objects()))
with collected_late():
    pass
print(gc.isenabled())
"""


def test_what_a_process_began_with_is_not_looked_through_again() -> None:
    # In a process of its own: what is frozen stays so.
    told = subprocess.run(
        [sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True, timeout=60
    )

    assert told.stdout.splitlines() == ["False 0", "True False", "True"]

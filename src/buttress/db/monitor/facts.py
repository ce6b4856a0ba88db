"""What is known of the last hour, here or in the whole deployment: for reports and pages."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from buttress.db.database import Database
from buttress.db.monitor import rollups
from buttress.db.monitor.monitor import Monitor
from buttress.db.monitor.server import Server, look
from buttress.db.monitor.slot import Pool, Slot, merged

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Facts:
    """What reports and pages are made from."""

    slot: Slot
    pool: Pool
    source: str
    """Where it comes from: `this process`, or how many processes told how long ago."""
    before: Slot | None = None
    """The same stretch of time a day earlier."""
    server: Server | None = None
    at: float = field(default_factory=time.time)
    steps: list[Slot] = field(default_factory=list)
    """What `slot` sums up, in steps of a minute or more; several may lie side by side."""


def of_process(monitor: Monitor, seconds: float) -> Facts:
    """The last seconds of this process, up to this moment."""
    now = time.time()
    steps = monitor.slots(now - seconds, now)
    return Facts(
        merged(steps, start=now - seconds, seconds=seconds),
        monitor.pool(),
        "this process",
        steps=steps,
    )


def of_deployment(database: Database, seconds: float) -> Facts:
    """The last seconds of all processes, as they wrote them down, and the server at this moment.

    Raises `Unavailable` when the database does not answer.
    """
    now = time.time()
    recorded = rollups.read(database, now - seconds, now)
    before = rollups.read(database, now - seconds - DAY_SECONDS, now - DAY_SECONDS)
    if recorded.age_seconds is None:
        source = "nothing was written down"
    else:
        number = len(recorded.processes)
        source = (
            f"{number} running {'process' if number == 1 else 'processes'}, "
            f"written {recorded.age_seconds:.0f} s ago"
        )
    return Facts(
        recorded.slot, recorded.pool, source, before.slot, look(database), steps=recorded.steps
    )

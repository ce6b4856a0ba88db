"""What a check said lately, in bounded memory."""

from __future__ import annotations

import datetime as dt
import threading
from collections import deque
from dataclasses import dataclass

from buttress.health.finding import Finding, Status

MEASUREMENTS = 120
CHANGES = 50


@dataclass(frozen=True)
class Measurement:
    """One answer."""

    at: dt.datetime
    status: Status
    milliseconds: float


@dataclass(frozen=True)
class Change:
    """When the status became another, and what was said then."""

    at: dt.datetime
    status: Status
    detail: str


class History:
    """The last answers and the last changes of one check, the newest last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._measurements: deque[Measurement] = deque(maxlen=MEASUREMENTS)
        self._changes: deque[Change] = deque(maxlen=CHANGES)

    def add(self, finding: Finding) -> None:
        """Note an answer given at this moment."""
        at = dt.datetime.now(dt.UTC)
        with self._lock:
            self._measurements.append(Measurement(at, finding.status, finding.milliseconds))
            if not self._changes or self._changes[-1].status != finding.status:
                self._changes.append(Change(at, finding.status, finding.detail))

    @property
    def measurements(self) -> list[Measurement]:
        """The last 120 at most."""
        with self._lock:
            return list(self._measurements)

    @property
    def changes(self) -> list[Change]:
        """The last 50 at most; the first one known is what it said at first."""
        with self._lock:
            return list(self._changes)

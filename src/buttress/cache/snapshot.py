"""A PostgreSQL snapshot: which transactions it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What `pg_current_snapshot()` says."""

    xmin: int
    xmax: int
    running: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `100:104:100,102`; raises ValueError for anything else."""
        xmin, xmax, running = text.split(":")
        return cls(
            int(xmin), int(xmax), frozenset(int(xid) for xid in running.split(",") if running)
        )

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, sorted(self.running)))}"

    def shows(self, xid: int) -> bool:
        """Whether this transaction, if it was committed, is seen."""
        return xid < self.xmax and xid not in self.running

    def covers(self, other: Snapshot) -> bool:
        """Whether everything the other shows is shown here too."""
        return self.xmax >= other.xmax and not any(other.shows(xid) for xid in self.running)

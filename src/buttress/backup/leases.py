"""Backups that reuse chunks and a prune that deletes chunks keep out of each other's way.

Each writes a note into the store, then looks for notes of the other kind: of two that start at the
same time at least one sees the other. A prune that sees a backup deletes no chunk, and looks again
while it deletes; a backup that sees a prune waits, which is at most `PRUNE_SECONDS`, as a prune
stops deleting by then. The store's clock tells how old a note is: those of machines may differ.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from buttress.backup.store import UNFINISHED, Store
from buttress.errors import Conflict

LEASES = "leases"
ABANDONED_AFTER = timedelta(days=1)
"""What is older and not finished belongs to nobody who still runs."""
PRUNE_SECONDS = 300.0
MARGIN_SECONDS = 60.0
"""For the last object that a prune deletes."""
PAUSE_SECONDS = 0.5

Kind = Literal["backup", "prune"]


@dataclass(frozen=True)
class Lease:
    """A note that somebody backs up or prunes."""

    name: str
    store: Store
    put_at: datetime
    """By the clock of the store."""
    began: float
    """By the monotonic clock of this machine."""

    @property
    def now(self) -> datetime:
        """By the clock of the store."""
        return self.put_at + timedelta(seconds=time.monotonic() - self.began)

    def running(self, kind: Kind, *, within: timedelta = ABANDONED_AFTER) -> list[str]:
        """The notes of that kind that are not too old to be true."""
        return [
            name
            for name, put_at in _notes(self.store).items()
            if f"-{kind}-" in name and UNFINISHED not in name and put_at > self.now - within
        ]

    def wait_for_prunes(self) -> None:
        """Return once nobody deletes chunks; raises Conflict when a prune does not end."""
        within = timedelta(seconds=PRUNE_SECONDS + MARGIN_SECONDS)
        until = time.monotonic() + within.total_seconds() + MARGIN_SECONDS
        while found := self.running("prune", within=within):
            if time.monotonic() > until:
                raise Conflict(
                    f"{self.store.label} is being pruned and that does not end",
                    hint=f"See that no `buttress backup prune` runs, then delete {found[0]} there.",
                )
            time.sleep(PAUSE_SECONDS)

    def forget_abandoned(self) -> None:
        """Delete the notes of those that were killed."""
        for name, put_at in _notes(self.store).items():
            if put_at < self.now - ABANDONED_AFTER:
                self.store.delete(name)


@contextmanager
def held(store: Store, kind: Kind) -> Iterator[Lease]:
    """A note that somebody backs up or prunes, for as long as the block."""
    moment = datetime.now(UTC)
    name = f"{LEASES}/{moment:%Y%m%dT%H%M%S}-{kind}-{secrets.token_hex(4)}"
    store.put(name, b"")
    began = time.monotonic()
    try:
        yield Lease(name, store, _notes(store).get(name, moment), began)
    finally:
        store.delete(name)


def _notes(store: Store) -> dict[str, datetime]:
    return {name: lying.modified for name, lying in store.below(LEASES).items()}

"""Backups that reuse chunks and a prune that deletes chunks keep out of each other's way.

Each writes a note into the store, then looks for notes of the other kind: of two that start at the
same time at least one sees the other. A prune that sees a backup deletes no chunk; a backup that
sees a prune waits, which is at most `PRUNE_SECONDS`, as a prune stops deleting by then.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal

from buttress.backup.store import UNFINISHED, Store
from buttress.errors import Conflict

LEASES = "leases"
ABANDONED_AFTER = timedelta(days=1)
"""What is older and not finished belongs to nobody who still runs."""
PRUNE_SECONDS = 300.0
MARGIN_SECONDS = 60.0
"""Between the clocks of two machines."""
PAUSE_SECONDS = 0.5

Kind = Literal["backup", "prune"]


@contextmanager
def held(store: Store, kind: Kind) -> Iterator[str]:
    """A note that somebody backs up or prunes, for as long as the block; its name."""
    name = f"{LEASES}/{datetime.now(UTC):%Y%m%dT%H%M%S}-{kind}-{secrets.token_hex(4)}"
    store.put(name, b"")
    try:
        yield name
    finally:
        store.delete(name)


def running(store: Store, kind: Kind, *, within: timedelta = ABANDONED_AFTER) -> list[str]:
    """The notes of that kind that are not too old to be true."""
    return [
        name
        for name in _notes(store)
        if f"-{kind}-" in name and UNFINISHED not in name and _moment(name) > _ago(within)
    ]


def wait_for_prunes(store: Store) -> None:
    """Return once nobody deletes chunks; raises Conflict when a prune does not end."""
    within = timedelta(seconds=PRUNE_SECONDS + MARGIN_SECONDS)
    until = time.monotonic() + within.total_seconds() + MARGIN_SECONDS
    while found := running(store, "prune", within=within):
        if time.monotonic() > until:
            raise Conflict(
                f"{store.label} is being pruned and that does not end",
                hint=f"See that no `buttress backup prune` runs, then delete {found[0]} there.",
            )
        time.sleep(PAUSE_SECONDS)


def forget_abandoned(store: Store) -> None:
    """Delete the notes of those that were killed."""
    for name in _notes(store):
        if _moment(name) < _ago(ABANDONED_AFTER):
            store.delete(name)


def _notes(store: Store) -> list[str]:
    return [name for name in store.names() if name.startswith(f"{LEASES}/")]


def _moment(name: str) -> str:
    return name.removeprefix(f"{LEASES}/").removeprefix(UNFINISHED)


def _ago(age: timedelta) -> str:
    return f"{datetime.now(UTC) - age:%Y%m%dT%H%M%S}"

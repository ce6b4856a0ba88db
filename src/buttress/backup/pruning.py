"""Deleting what nothing needs: backups no rule keeps, and the chunks no backup names any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import timedelta

from buttress.backup import leases
from buttress.backup.chunks import Chunk, read_index
from buttress.backup.leases import Lease
from buttress.backup.manifest import Manifest
from buttress.backup.shelf import MANIFEST
from buttress.backup.store import Store
from buttress.errors import BadInput

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks for a backup that has begun."""


def delete_unnamed_chunks(lease: Lease, manifests: Iterable[Manifest]) -> tuple[int, int]:
    """Delete the chunks that none of these manifests needs; how many, and their bytes.

    Chunks younger than a day stay, and all of them once a backup runs. Raises BadInput when the
    list of a backup's chunks is damaged: then nobody knows what it needs.
    """
    store, looked = lease.store, -LOOK_SECONDS
    limit = lease.now - leases.ABANDONED_AFTER
    named = named_by(store, manifests)
    gone = bytes_gone = 0
    for name, lying in store.chunks().items():
        if name in named or lying.modified >= limit:
            continue
        # A request to a bucket may take longer than all that was looked at before.
        if store.folder is None or time.monotonic() - looked >= LOOK_SECONDS:
            if why := _reason_to_stop(lease):
                log.info("prune stopped", extra={"reason": why, "chunks": gone})
                break
            looked = time.monotonic()
        store.delete(name)
        gone += 1
        bytes_gone += lying.bytes
    return gone, bytes_gone


def _reason_to_stop(lease: Lease) -> str:
    """Why the next prune has to go on; empty when there is none."""
    if lease.now > lease.put_at + timedelta(seconds=leases.PRUNE_SECONDS):
        return f"it has run for {leases.PRUNE_SECONDS:.0f} s"
    return "a backup runs" if lease.running("backup") else ""


def named_by(store: Store, manifests: Iterable[Manifest]) -> set[str]:
    """The objects that the backups are read from."""
    named: set[str] = set()
    for manifest in manifests:
        if manifest.chunked:
            named.update(name for chunk in _chunks_of(store, manifest) for name in chunk.names)
    return named


def _chunks_of(store: Store, manifest: Manifest) -> list[Chunk]:
    try:
        return read_index(store, manifest.files[0])
    except BadInput:
        if f"{manifest.id}/{MANIFEST}" in store.names():
            raise
        return []  # another prune has deleted the backup meanwhile

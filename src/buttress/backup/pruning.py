"""Deleting what nothing needs: backups no rule keeps, and the chunks no backup names any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from buttress.backup import leases
from buttress.backup.chunks import Chunk, read_index
from buttress.backup.manifest import Manifest
from buttress.backup.shelf import MANIFEST
from buttress.backup.store import Store
from buttress.errors import BadInput

log = logging.getLogger(__name__)


def delete_unnamed_chunks(store: Store, manifests: Iterable[Manifest]) -> tuple[int, int]:
    """Delete the chunks that none of these manifests needs; how many, and their bytes.

    Chunks younger than a day stay, and all of them while a backup runs. Raises BadInput when the
    list of a backup's chunks is damaged: then nobody knows what it needs.
    """
    began = time.monotonic()
    limit = datetime.now(UTC) - leases.ABANDONED_AFTER
    named = named_by(store, manifests)
    gone = bytes_gone = 0
    for name, lying in store.chunks().items():
        if time.monotonic() - began > leases.PRUNE_SECONDS:
            # The next one goes on.
            log.info("prune stopped", extra={"seconds": leases.PRUNE_SECONDS, "chunks": gone})
            break
        if name not in named and lying.modified < limit:
            store.delete(name)
            gone += 1
            bytes_gone += lying.bytes
    return gone, bytes_gone


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

"""Backups whose checksums are right and whose data is not what was backed up."""

from __future__ import annotations

import msgspec

from buttress.backup import Backup, Backups, database
from buttress.backup.backups import no_progress
from buttress.backup.keys import Key
from buttress.backup.manifest import Chunked, Manifest, encode
from buttress.backup.writing import ChunkWriter, Known


def data_of(backups: Backups, backup: Backup, secret: str = "") -> bytes:
    """The dump of a backup."""
    encryption = backup.manifest.encryption
    key = Key.of(encryption, secret) if encryption else None
    stored = backup.manifest.files[0]
    return b"".join(database.read_back(backups.store, stored, key, no_progress))


def forge(backups: Backups, backup: Backup, data: bytes) -> None:
    """Put other data behind the manifest of a backup, and every checksum right."""
    writer = ChunkWriter(backups.store, Known({}), None)
    writer.write([data], progress=no_progress)
    index, chunked = writer.finish(f"{backup.id}/chunks.list")
    assert isinstance(chunked, Chunked)
    rewrite(backups, msgspec.structs.replace(backup.manifest, files=[index], chunked=chunked))


def rewrite(backups: Backups, manifest: Manifest) -> None:
    with backups.store.write(f"{manifest.id}/manifest.json") as file:
        file.write(encode(manifest))

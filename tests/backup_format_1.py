"""Writes backups as Buttress did before there were chunks, to see that they can be restored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import msgspec
import zstandard

from buttress.backup import Backup, Backups
from buttress.backup.keys import Key
from buttress.backup.manifest import StoredFile, encode
from buttress.backup.packing import FRAME_BYTES, PREFIX_BYTES, nonce


def seal(data: bytes, bound_to: str, key: Key) -> bytes:
    prefix = os.urandom(PREFIX_BYTES)
    return prefix + b"".join(
        key.cipher.encrypt(nonce(prefix, number, last), frame, bound_to.encode())
        for number, (frame, last) in enumerate(frames(data))
    )


def frames(data: bytes) -> Iterator[tuple[bytes, bool]]:
    starts = range(0, len(data), FRAME_BYTES) if data else [0]
    for start in starts:
        yield data[start : start + FRAME_BYTES], start + FRAME_BYTES >= len(data)


def as_format_1(backups: Backups, backup: Backup, data: bytes, secret: str = "") -> None:
    """Replace a backup by one of format 1 that holds `data`."""
    name = f"{backup.id}/database.dump"
    packed = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data)
    key = Key.new(secret) if secret else None
    if key is not None:
        packed = seal(packed, name, key)
    manifest = msgspec.structs.replace(
        backup.manifest,
        format=1,
        chunked=msgspec.UNSET,
        encryption=key.encryption if key else None,
        files=[StoredFile(name, len(packed), hashlib.sha256(packed).hexdigest())],
    )
    for path, content in ((name, packed), (f"{backup.id}/manifest.json", encode(manifest))):
        with backups.store.write(path) as file:
            file.write(content)

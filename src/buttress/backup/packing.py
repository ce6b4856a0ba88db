"""The data of a backup of format 1: one file, read back and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import IO

import zstandard
from cryptography.exceptions import InvalidTag

from buttress.backup.keys import Key
from buttress.backup.manifest import StoredFile
from buttress.errors import BadInput

FRAME_BYTES = 1 << 20
TAG_BYTES = 16
PREFIX_BYTES = 7


def unpack(
    blocks: Iterator[bytes], file: IO[bytes], *, stored: StoredFile, key: Key | None
) -> None:
    """Write the dump into a scratch file; nothing in it may be used on an error.

    Raises
    ------
    BadInput
        Size, checksum, frame or compression is not what was written.
    """
    unpacked = _checked(blocks, stored)
    if key is not None:
        unpacked = unseal(unpacked, stored.name, key)
    for block in _decompress(unpacked, stored.name):
        file.write(block)
    file.flush()


def unseal(blocks: Iterator[bytes], bound_to: str, key: Key) -> Iterator[bytes]:
    """Decrypt frames; raises BadInput when a byte of them was changed or is missing."""
    associated = bound_to.encode()
    first = bytearray()
    while len(first) < PREFIX_BYTES and (block := next(blocks, b"")):
        first += block
    prefix, rest = bytes(first[:PREFIX_BYTES]), bytes(first[PREFIX_BYTES:])
    frames = _frames(_chain(rest, blocks), FRAME_BYTES + TAG_BYTES)
    for number, (frame, last) in enumerate(frames):
        try:
            yield key.cipher.decrypt(nonce(prefix, number, last), frame, associated)
        except (InvalidTag, ValueError):
            raise damaged(bound_to) from None


def check(blocks: Iterator[bytes], stored: StoredFile) -> None:
    """Raises BadInput unless the stored file is what was written."""
    for _ in _checked(blocks, stored):
        pass


def damaged(name: str) -> BadInput:
    """The error for a file whose bytes are not what was written."""
    return BadInput(
        f"{name} is damaged or cut off; nothing was restored from it",
        hint="Restore another backup; `buttress backup list` names them.",
    )


def nonce(prefix: bytes, number: int, last: bool) -> bytes:
    """A frame that was left out, moved or cut off at the end gets another one and is refused."""
    return prefix + number.to_bytes(4, "big") + bytes([last])


def _checked(blocks: Iterator[bytes], stored: StoredFile) -> Iterator[bytes]:
    digest, size = hashlib.sha256(), 0
    for block in blocks:
        digest.update(block)
        size += len(block)
        yield block
    if size != stored.bytes or digest.hexdigest() != stored.sha256:
        raise damaged(stored.name)


def _decompress(blocks: Iterator[bytes], name: str) -> Iterator[bytes]:
    stream = zstandard.ZstdDecompressor().decompressobj()
    for block in blocks:
        if stream.eof:
            raise damaged(name)
        try:
            if decompressed := stream.decompress(block):
                yield decompressed
        except zstandard.ZstdError:
            raise damaged(name) from None
    if not stream.eof or stream.unused_data:
        raise damaged(name)


def _frames(blocks: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """Frames of one size, then one that is at most as long, with whether it is the last."""
    buffer = bytearray()
    for block in blocks:
        buffer += block
        while len(buffer) > size:
            yield bytes(buffer[:size]), False
            del buffer[:size]
    yield bytes(buffer), True


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest

"""Data on its way into a store and back: compressed, encrypted if there is a key, checked."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from buttress.backup.manifest import Encryption, StoredFile
from buttress.errors import BadInput, ConfigurationError

FRAME_BYTES = 1 << 20
TAG_BYTES = 16
PREFIX_BYTES = 7
# Level 1 is faster than the dump arrives; higher ones save 4 % for twice the time.
LEVEL = 1


@dataclass(frozen=True)
class Key:
    """A key of one backup, and what its manifest says of it."""

    encryption: Encryption
    _key: bytes = field(repr=False)

    @classmethod
    def new(cls, secret: str) -> Key:
        """Derived from a secret and a new salt."""
        return cls._derive(secret, os.urandom(16))

    @classmethod
    def of(cls, encryption: Encryption, secret: str) -> Key:
        """The key a backup was encrypted with; raises ConfigurationError for another secret."""
        if not secret:
            raise ConfigurationError(
                "the backup is encrypted and there is no key",
                hint="Set BUTTRESS_BACKUP__KEY to what it was when the backup was made.",
            )
        key = cls._derive(secret, bytes.fromhex(encryption.salt))
        if not hmac.compare_digest(key.encryption.check, encryption.check):
            raise ConfigurationError(
                "the backup was encrypted with another key",
                hint="Set BUTTRESS_BACKUP__KEY to what it was when the backup was made.",
            )
        return key

    @classmethod
    def _derive(cls, secret: str, salt: bytes) -> Key:
        derived = hashlib.scrypt(
            secret.encode(), salt=salt, n=1 << 15, r=8, p=1, maxmem=1 << 26, dklen=48
        )
        return cls(Encryption(salt.hex(), derived[32:].hex()), derived[:32])

    def seal(self, blocks: Iterable[bytes], bound_to: str) -> Iterator[bytes]:
        """Encrypt in frames, each bound to its place and to the name of the whole."""
        cipher, associated = AESGCM(self._key), bound_to.encode()
        prefix = os.urandom(PREFIX_BYTES)
        yield prefix
        for number, (frame, last) in enumerate(_frames(blocks, FRAME_BYTES)):
            yield cipher.encrypt(_nonce(prefix, number, last), frame, associated)

    def unseal(self, blocks: Iterator[bytes], bound_to: str) -> Iterator[bytes]:
        """What `seal` was given; raises BadInput when a byte of it was changed or is missing."""
        cipher, associated = AESGCM(self._key), bound_to.encode()
        first = bytearray()
        while len(first) < PREFIX_BYTES and (block := next(blocks, b"")):
            first += block
        prefix, rest = bytes(first[:PREFIX_BYTES]), bytes(first[PREFIX_BYTES:])
        frames = _frames(_chain(rest, blocks), FRAME_BYTES + TAG_BYTES)
        for number, (frame, last) in enumerate(frames):
            try:
                yield cipher.decrypt(_nonce(prefix, number, last), frame, associated)
            except (InvalidTag, ValueError):
                raise damaged(bound_to) from None


def pack(blocks: Iterable[bytes], file: IO[bytes], *, name: str, key: Key | None) -> StoredFile:
    """Write blocks, compressed and encrypted, and tell what the file has become."""
    packed = _compress(blocks)
    if key is not None:
        packed = key.seal(packed, name)
    digest, size = hashlib.sha256(), 0
    for block in packed:
        file.write(block)
        digest.update(block)
        size += len(block)
    return StoredFile(name, size, digest.hexdigest())


def unpack(
    blocks: Iterator[bytes], file: IO[bytes], *, stored: StoredFile, key: Key | None
) -> None:
    """Write what `pack` was given into a scratch file; nothing in it may be used on an error.

    Raises
    ------
    BadInput
        Size, checksum, frame or compression is not what was written.
    """
    unpacked = _checked(blocks, stored)
    if key is not None:
        unpacked = key.unseal(unpacked, stored.name)
    for block in _decompress(unpacked, stored.name):
        file.write(block)
    file.flush()


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


def _checked(blocks: Iterator[bytes], stored: StoredFile) -> Iterator[bytes]:
    digest, size = hashlib.sha256(), 0
    for block in blocks:
        digest.update(block)
        size += len(block)
        yield block
    if size != stored.bytes or digest.hexdigest() != stored.sha256:
        raise damaged(stored.name)


def _compress(blocks: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zstandard.ZstdCompressor(level=LEVEL, threads=2, write_checksum=True)
    stream = compressor.compressobj()
    for block in blocks:
        if compressed := stream.compress(block):
            yield compressed
    yield stream.flush()


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


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    # A frame that was left out, moved or cut off at the end gets another nonce and is refused.
    return prefix + number.to_bytes(4, "big") + bytes([last])

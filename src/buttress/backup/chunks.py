"""Pieces of a dump, each in the store once: named by their content, compressed, encrypted.

A chunk that is not there yet, but starts or ends like one of an earlier backup, is kept as what
differs from that one. How far such a line of differences goes back is bounded: the chunk of
generation n is written against the one of generation n without its lowest bit, so that a chunk is
read through at most as many others as n has bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
import xxhash
import zstandard

from buttress.backup.cutting import LONGEST
from buttress.backup.keys import Key
from buttress.backup.manifest import StoredFile
from buttress.backup.packing import damaged
from buttress.backup.store import CHUNKS, Store, read_all
from buttress.errors import BadInput, NotFound

# Level 1 is faster than the dump arrives; higher ones save 4 % for twice the time.
LEVEL = 1
EDGE_BYTES = 64
CHECK_BYTES = 16
GENERATIONS = 64
# As many places of the base as it has bytes: fewer, and most of what is equal is not found.
_DIFFERENCE = {"window_log": 23, "hash_log": 20}


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """One piece, in the order of the dump."""

    id: bytes
    size: int
    """In bytes."""
    stored: int
    """What it takes in the store."""
    packed: int
    """What it would take if it were kept whole."""
    head: bytes
    tail: bytes
    """What it starts and ends with, as names that tell nothing when there is a key."""
    generation: int = 0
    lineage: tuple[bytes, ...] = ()
    """The ids it is read through, the one that is kept whole first."""

    @property
    def names(self) -> list[str]:
        """The objects it is read from, its own last."""
        ids = [*self.lineage, self.id]
        return [_name(one, base) for one, base in zip(ids, [b"", *ids], strict=False)]

    @property
    def name(self) -> str:
        """The object it lies in."""
        return _name(self.id, self.lineage[-1] if self.lineage else b"")

    def next_lineage(self) -> tuple[int, tuple[bytes, ...]]:
        """Generation and lineage of the chunk that comes in its place."""
        generation = self.generation + 1
        if generation == GENERATIONS:
            return 1, (*self.lineage, self.id)[:1]
        before = generation & (generation - 1)
        return generation, (*self.lineage, self.id)[: before.bit_count() + 1]


def _name(id: bytes, base: bytes) -> str:
    against = f".{base[:8].hex()}" if base else ""
    return f"{CHUNKS}/{id.hex()[:2]}/{id.hex()}{against}"


class DamagedChunk(BadInput):
    """An object of the store is not what was written; the next backup writes it again."""

    def __init__(self, name: str) -> None:
        error = damaged(name)
        super().__init__(error.message, hint=error.hint)
        self.name = name


def name_of(data: bytes, key: Key | None) -> bytes:
    """The id of a chunk."""
    return key.name(data) if key else hashlib.sha256(data).digest()


def edges(data: bytes, key: Key | None) -> tuple[bytes, bytes]:
    """What it starts and ends with."""
    return (
        name_of(b"head" + data[:EDGE_BYTES], key)[:8],
        name_of(b"tail" + data[-EDGE_BYTES:], key)[:8],
    )


def pack(data: bytes, name: str, base: bytes | None, key: Key | None) -> bytes:
    """What is stored of a chunk: all of it, or how it differs from `base`."""
    if base is None:
        packed = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(data)
    else:
        parameters = zstandard.ZstdCompressionParameters.from_level(
            LEVEL, source_size=len(data), dict_size=len(base), write_checksum=True, **_DIFFERENCE
        )
        packed = zstandard.ZstdCompressor(
            compression_params=parameters, dict_data=_as_dictionary(base)
        ).compress(data)
    return key.seal(packed, name) if key else packed + xxhash.xxh3_128_digest(packed)


def unpack(packed: bytes, name: str, base: bytes | None, key: Key | None) -> bytes:
    """What `pack` was given; raises DamagedChunk."""
    compressed = key.open(packed, name) if key else _checked(packed)
    try:
        if compressed is None or zstandard.frame_content_size(compressed) > LONGEST:
            raise DamagedChunk(name)
        dictionary = None if base is None else _as_dictionary(base)
        return zstandard.ZstdDecompressor(dict_data=dictionary).decompress(
            compressed, max_output_size=LONGEST, allow_extra_data=False
        )
    except zstandard.ZstdError:
        raise DamagedChunk(name) from None


def _checked(packed: bytes) -> bytes | None:
    # Some bits of a compressed chunk can be flipped and it reads the same; the next may be worse.
    compressed, digest = packed[:-CHECK_BYTES], packed[-CHECK_BYTES:]
    return compressed if xxhash.xxh3_128_digest(compressed) == digest else None


def _as_dictionary(base: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def read(store: Store, chunk: Chunk, key: Key | None) -> bytes:
    """A chunk as it was in the dump, its id compared with its content.

    Raises
    ------
    DamagedChunk
        It, or one it is read through, is missing or not what was written.
    """
    data = read_through(store, [*chunk.lineage, chunk.id], key)
    if len(data) != chunk.size:
        raise DamagedChunk(chunk.name)
    return data


def read_through(store: Store, ids: Sequence[bytes], key: Key | None) -> bytes:
    """The last of a line of chunks, each of which differs from the one before it."""
    data = None
    for id, before in zip(ids, [b"", *ids], strict=False):
        name = _name(id, before)
        try:
            data = unpack(read_all(store, name), name, data, key)
        except NotFound:
            raise DamagedChunk(name) from None
        if name_of(data, key) != id:
            raise DamagedChunk(name)
    assert data is not None
    return data


def write_index(store: Store, name: str, chunks: Sequence[Chunk]) -> StoredFile:
    """Put the list of a backup's chunks into the store."""
    packed = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(
        msgspec.msgpack.encode(chunks)
    )
    with store.write(name) as file:
        file.write(packed)
    return StoredFile(name, len(packed), hashlib.sha256(packed).hexdigest())


def read_index(store: Store, stored: StoredFile) -> list[Chunk]:
    """The chunks of a backup; raises BadInput unless the list is what was written."""
    try:
        packed = read_all(store, stored.name)
    except NotFound:
        raise damaged(stored.name) from None
    if hashlib.sha256(packed).hexdigest() != stored.sha256:
        raise damaged(stored.name)
    return msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(packed), type=list[Chunk])

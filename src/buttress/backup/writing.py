"""A dump on its way into the store: cut, and of each chunk what the store has not yet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import msgspec

from buttress.backup import chunks as objects
from buttress.backup import leases
from buttress.backup.chunks import Chunk, DamagedChunk
from buttress.backup.content import Progress
from buttress.backup.cutting import cut
from buttress.backup.keys import Key
from buttress.backup.manifest import Chunked, Encryption, Manifest, StoredFile
from buttress.backup.parallel import in_threads
from buttress.backup.store import Store
from buttress.errors import BadInput, Conflict

# A difference that is not clearly smaller makes reading slower and saves little.
WORTH = 0.6
LEARNT_FROM = 3
"""Newest backups whose chunks are known by their edges; of older ones only whole chunks are."""
DAMAGED = "damaged"
"""Where the names of objects are noted that turned out not to be what was written."""


@dataclass
class Known:
    """What lies in the store already, and the chunks of recent backups under the same key."""

    present: dict[str, int]
    """The bytes of every chunk's object that counts as whole."""
    by_id: dict[bytes, Chunk] = field(default_factory=dict)
    by_edge: dict[bytes, Chunk] = field(default_factory=dict)

    def learn(self, chunks: Iterable[Chunk]) -> None:
        """Remember those of a backup whose objects are all there; the newest backup goes last."""
        for chunk in chunks:
            if chunk.stored == self.present.get(chunk.name) and all(
                name in self.present for name in chunk.names
            ):
                self.by_id[chunk.id] = chunk
                self.by_edge[chunk.head] = self.by_edge[chunk.tail] = chunk


class ChunkWriter:
    """Puts the chunks of one backup into a store.

    Attributes
    ----------
    chunks
        All of the backup so far, in order.
    put
        The objects that this backup has put, and their bytes.
    expected_bytes
        What the last backup's dump had; 0 when there was none.
    """

    def __init__(
        self, store: Store, known: Known, key: Key | None, *, expected_bytes: int = 0
    ) -> None:
        self.chunks: list[Chunk] = []
        self.put: dict[str, int] = {}
        self.expected_bytes = expected_bytes
        self._store, self._known, self._key = store, known, key
        self._lock = threading.Lock()

    def write(self, blocks: Iterable[bytes], *, progress: Progress) -> None:
        """Cut a dump and store it; raises what the store raises."""
        done = 0
        for chunk in in_threads(self._store.threads, self._keep, cut(blocks)):
            self.chunks.append(chunk)
            done += chunk.size
            progress("dump", done, self.expected_bytes)

    def finish(self, index: str) -> tuple[StoredFile, Chunked]:
        """Write the list of chunks; raises Conflict unless the store has all that it names."""
        self._check(present_in(self._store))
        for name in {_mark(name) for name in self.put} & set(self._store.names()):
            self._store.delete(name)  # what was damaged is whole again
        return objects.write_index(self._store, index, self.chunks), Chunked(
            chunks=len(self.chunks),
            bytes=sum(chunk.size for chunk in self.chunks),
            packed_bytes=sum({chunk.id: chunk.packed for chunk in self.chunks}.values()),
            new_chunks=len(self.put),
            new_bytes=sum(self.put.values()),
        )

    def _check(self, present: dict[str, int]) -> None:
        for chunk in self.chunks:
            if present.get(chunk.name) != chunk.stored or any(
                name not in present for name in chunk.names
            ):
                raise Conflict(
                    f"{chunk.name} vanished from {self._store.label} during the backup",
                    hint="Somebody deletes there without `buttress backup prune`; back up again.",
                )

    def _keep(self, data: bytes) -> Chunk:
        id = objects.name_of(data, self._key)
        head, tail = objects.edges(data, self._key)
        with self._lock:
            known = self._known.by_id.get(id)
        if known is not None:
            return known
        whole = Chunk(id, len(data), 0, 0, head, tail)
        if (stored := self._known.present.get(whole.name)) is not None:
            return self._remember(whole, stored, stored)
        before = self._known.by_edge.get(head) or self._known.by_edge.get(tail)
        packed = objects.pack(data, whole.name, None, self._key)
        if before is not None:
            generation, lineage = before.next_lineage()
            against = Chunk(id, len(data), 0, 0, head, tail, generation, lineage)
            difference = self._difference(data, against)
            if difference is not None and len(difference) < WORTH * len(packed):
                return self._put(against, difference, len(packed))
        return self._put(whole, packed, len(packed))

    def _put(self, chunk: Chunk, stored: bytes, packed: int) -> Chunk:
        self._store.put(chunk.name, stored)
        with self._lock:
            self.put[chunk.name] = len(stored)
        return self._remember(chunk, len(stored), packed)

    def _difference(self, data: bytes, chunk: Chunk) -> bytes | None:
        """`None` when what it would differ from cannot be read any more."""
        try:
            base = objects.read_through(self._store, chunk.lineage, self._key)
        except DamagedChunk:
            return None
        return objects.pack(data, chunk.name, base, self._key)

    def _remember(self, chunk: Chunk, stored: int, packed: int) -> Chunk:
        chunk = msgspec.structs.replace(chunk, stored=stored, packed=packed)
        with self._lock:
            return self._known.by_id.setdefault(chunk.id, chunk)


@contextmanager
def writing(
    store: Store, secret: str, manifests: Callable[[], list[Manifest]]
) -> Iterator[tuple[ChunkWriter, Key | None]]:
    """A writer that knows what the store holds, which nobody deletes before the block ends.

    What it has put stays when the block raises, as another backup may name it already; `prune`
    deletes what none names. `manifests` are those of all backups, the newest first.
    """
    with leases.held(store, "backup") as lease:
        lease.wait_for_prunes()
        found = [manifest for manifest in manifests() if manifest.chunked]
        used = [manifest.encryption for manifest in found if manifest.encryption]
        key = Key.shared(secret, used) if secret else None
        known = _known(store, found, key.encryption if key else None)
        expected = next((one.chunked.bytes for one in found if one.chunked), 0)
        yield ChunkWriter(store, known, key, expected_bytes=expected), key


def _known(store: Store, manifests: list[Manifest], encryption: Encryption | None) -> Known:
    marked = set(store.names())
    known = Known({name: size for name, size in present_in(store).items()
                   if _mark(name) not in marked})  # fmt: skip
    same = [manifest for manifest in manifests if manifest.encryption == encryption]
    for manifest in reversed(same[:LEARNT_FROM]):
        with suppress(BadInput):  # a damaged list teaches nothing
            known.learn(objects.read_index(store, manifest.files[0]))
    return known


def present_in(store: Store) -> dict[str, int]:
    """The objects of chunks and their bytes."""
    return {name: lying.bytes for name, lying in store.chunks().items()}


def mark_damaged(store: Store, name: str) -> None:
    """Note that an object is not what was written, so that the next backup writes it again."""
    store.put(_mark(name), b"")


def _mark(name: str) -> str:
    return f"{DAMAGED}/{name.rpartition('/')[2]}"

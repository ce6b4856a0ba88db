"""Contents by their digest, in a folder or a bucket: written once, shared, checked when read."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from buttress.backup.store import Store, open_store
from buttress.errors import ConfigurationError, NotFound, TooLarge, Unavailable

BLOCK_BYTES = 256 << 10
MEMORY_BYTES = 1 << 20
"""An upload up to this size does not touch the disk before it is kept."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Readable(Protocol):
    """An open file, an uploaded one, a socket's."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


@dataclass(frozen=True)
class Taken:
    """An upload that has arrived as a whole."""

    file: IO[bytes]
    sha256: str
    bytes: int


@contextmanager
def taken(stream: Readable | Iterable[bytes], limit_bytes: int) -> Iterator[Taken]:
    """Read a stream into a file without a name; raises `TooLarge` as soon as it is."""
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as file:
        digest = hashlib.sha256()
        size = 0
        for block in _blocks(stream):
            size += len(block)
            if size > limit_bytes:
                raise TooLarge(
                    f"the file has more than {limit_bytes:,} bytes",
                    hint="Upload a smaller one, or raise BUTTRESS_FILES__LIMIT_BYTES.",
                )
            digest.update(block)
            file.write(block)
        file.seek(0)
        yield Taken(file, digest.hexdigest(), size)


def _blocks(stream: Any) -> Iterator[bytes]:
    if not hasattr(stream, "read"):
        yield from stream
        return
    while block := stream.read(BLOCK_BYTES):
        yield block


class Contents:
    """The contents of all files; `place` is as in BUTTRESS_FILES__STORE."""

    def __init__(self, place: str, *, default: Path) -> None:
        try:
            self._store: Store = open_store(place, default=default)
        except ConfigurationError as error:
            text = error.message.partition(": ")[2] or error.message
            raise ConfigurationError(f"BUTTRESS_FILES__STORE: {text}", hint=error.hint) from error

    def keep(self, sha256: str, file: IO[bytes]) -> None:
        """Write a content; one that is there already is written over with the same."""
        file.seek(0)
        with _explained("keep a file"), self._store.write(_name(sha256)) as target:
            while block := file.read(BLOCK_BYTES):
                target.write(block)

    def blocks(self, sha256: str) -> Iterator[bytes]:
        """A content; raises `Unavailable` at its end when it is not what was kept."""
        digest = hashlib.sha256()
        with _explained("read a file"):
            for block in self._store.read(_name(sha256)):
                digest.update(block)
                yield block
        if digest.hexdigest() != sha256:
            raise Unavailable(
                "the content of a file is damaged in its store",
                hint="Restore the store of files, or upload the file again.",
            )

    def forget(self, sha256: str) -> None:
        """Delete a content; none is fine."""
        with _explained("delete a file"):
            self._store.delete(_name(sha256))

    def digests(self) -> list[str]:
        """Of all contents."""
        with _explained("list files"):
            names = (name.rpartition("/")[2] for name in self._store.names())
            return [name for name in names if _DIGEST.fullmatch(name)]


def _name(sha256: str) -> str:
    if not _DIGEST.fullmatch(sha256):
        raise NotFound("there is no such file")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


class _explained:  # noqa: N801 — read as a phrase, like contextlib's
    """Put what the store raises, which speaks of backups, into words about files."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, NotFound | Unavailable):
            raise Unavailable(
                f"the store of files could not {self._what}: {error.message}",
                hint="Check the folder or bucket in BUTTRESS_FILES__STORE, and the space left.",
            ) from error

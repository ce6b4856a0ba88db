"""Where backups lie: a folder, or a bucket of an object storage."""

from __future__ import annotations

import errno
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

import obstore
from obstore.exceptions import BaseError, NotFoundError

from buttress.errors import ConfigurationError, NotFound, Unavailable

BLOCK_BYTES = 1 << 20
UNFINISHED = ".unfinished-"
CHUNKS = "chunks"
ATTEMPTS = 10


@dataclass(frozen=True)
class Lying:
    """An object as a listing tells of it."""

    bytes: int
    modified: datetime


class Store(Protocol):
    """Named objects; one is there whole or not at all."""

    label: str
    threads: int
    """How many objects are best put or read at a time."""

    @property
    def folder(self) -> Path | None:
        """Where it lies on this machine, if it does."""
        ...

    def write(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """A file to write to, published under its name when the block ends without an error."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """An object at once."""
        ...

    def read(self, name: str) -> Iterator[bytes]:
        """Its content in blocks; raises `NotFound`."""
        ...

    def names(self) -> list[str]:
        """Of all objects but chunks, sorted."""
        ...

    def chunks(self) -> dict[str, Lying]:
        """All objects of chunks, those that were never finished too."""
        ...

    def below(self, folder: str) -> dict[str, Lying]:
        """All objects whose names start with `folder/`, those that were never finished too."""
        ...

    def delete(self, name: str) -> None:
        """Forget it; raises nothing when there is none."""
        ...


def open_store(place: str, *, default: Path) -> Store:
    """A store from its setting: empty for the folder `default`, a folder, or s3://, gs://, az://.

    Credentials of object storage come from the variables and files its own tools read.
    """
    if not place:
        return FolderStore(default)
    if not re.match(r"[a-z0-9+]+://", place):
        return FolderStore(Path(place).expanduser())
    try:
        return BucketStore(obstore.store.from_url(place), place)
    except (BaseError, ValueError) as error:
        raise ConfigurationError(
            f"BUTTRESS_BACKUP__STORE: {_first_line(error)}",
            hint="Write a folder, or s3://bucket/prefix, gs://bucket/prefix or az://container.",
        ) from error


class FolderStore:
    """A folder of this machine, or one mounted here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.label = str(folder)
        self.threads = 2

    @contextmanager
    def write(self, name: str) -> Iterator[IO[bytes]]:
        path = self.folder / name
        unfinished = path.with_name(f"{UNFINISHED}{path.name}-{secrets.token_hex(4)}")
        with self._explained():
            try:
                with _created(unfinished) as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
            _sync_folder(path.parent)
            _sync_folder(self.folder)

    def put(self, name: str, data: bytes) -> None:
        with self.write(name) as file:
            file.write(data)

    def read(self, name: str) -> Iterator[bytes]:
        try:
            file = (self.folder / name).open("rb")
        except (FileNotFoundError, NotADirectoryError):
            raise _missing(name, self.label) from None
        with self._explained(), file:
            while block := file.read(BLOCK_BYTES):
                yield block

    def names(self) -> list[str]:
        with self._explained():
            return sorted(
                str(path.relative_to(self.folder))
                for top in _children(self.folder)
                if top.name != CHUNKS
                for path in _files(top)
            )

    def chunks(self) -> dict[str, Lying]:
        return self.below(CHUNKS)

    def below(self, folder: str) -> dict[str, Lying]:
        found = {}
        top = self.folder / folder
        with self._explained():
            for path in _files(top) if top.is_dir() else ():
                with suppress(FileNotFoundError):  # deleted or published meanwhile
                    status = path.stat()
                    modified = datetime.fromtimestamp(status.st_mtime, UTC)
                    found[str(path.relative_to(self.folder))] = Lying(status.st_size, modified)
        return found

    def delete(self, name: str) -> None:
        path = self.folder / name
        with self._explained():
            path.unlink(missing_ok=True)
            if path.parent != self.folder and path.parent.exists():
                _remove_if_empty(path.parent)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Unavailable(
                    f"no space left for backups in {self.label}",
                    hint="Free some there, prune backups, or set BUTTRESS_BACKUP__STORE.",
                ) from error
            raise Unavailable(
                f"backups in {self.label} cannot be read or written: {error.strerror or error}",
                hint="Check the folder, or set BUTTRESS_BACKUP__STORE.",
            ) from error


class BucketStore:
    """A bucket of S3, Google Cloud Storage or Azure, or whatever obstore opens."""

    def __init__(self, bucket: obstore.store.ObjectStore, label: str) -> None:
        self._bucket = bucket
        self.label = label
        self.threads = 8
        self.folder: Path | None = None

    @contextmanager
    def write(self, name: str) -> Iterator[IO[bytes]]:
        # An upload that is cut short leaves nothing: the object appears when all has arrived.
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            with self._explained(name):
                obstore.put(self._bucket, name, file)

    def put(self, name: str, data: bytes) -> None:
        with self._explained(name):
            obstore.put(self._bucket, name, data)

    def read(self, name: str) -> Iterator[bytes]:
        with self._explained(name):
            for block in obstore.get(self._bucket, name).stream(min_chunk_size=BLOCK_BYTES):
                yield bytes(block)

    def names(self) -> list[str]:
        with self._explained(self.label):
            top = obstore.list_with_delimiter(self._bucket)
            folders = {one.strip("/") for one in top["common_prefixes"]}
            if CHUNKS not in folders:
                return sorted(item["path"] for item in self._list(None))
            # One request a folder: the chunks, which are many, are not asked for.
            with ThreadPoolExecutor(self.threads) as pool:
                listed = pool.map(self._list, folders - {CHUNKS})
                inside = [item["path"] for items in listed for item in items]
            return sorted([*(item["path"] for item in top["objects"]), *inside])

    def chunks(self) -> dict[str, Lying]:
        return self.below(CHUNKS)

    def below(self, folder: str) -> dict[str, Lying]:
        with self._explained(self.label):
            return {
                item["path"]: Lying(item["size"], item["last_modified"])
                for item in self._list(folder)
            }

    def _list(self, prefix: str | None) -> list[obstore.ObjectMeta]:
        return [item for batch in obstore.list(self._bucket, prefix) for item in batch]

    def delete(self, name: str) -> None:
        with self._explained(name):
            try:
                obstore.delete(self._bucket, name)
            except (NotFoundError, FileNotFoundError):
                return

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except (NotFoundError, FileNotFoundError):
            raise _missing(name, self.label) from None
        except BaseError as error:
            raise Unavailable(
                f"{self.label} does not take or give backups: {_first_line(error)}",
                hint="Check the address and the credentials, then do it again.",
            ) from error


def read_all(store: Store, name: str) -> bytes:
    """A small object as a whole."""
    return b"".join(store.read(name))


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _files(top: Path) -> Iterator[Path]:
    """All files below a folder, or the file itself; others may delete there meanwhile."""
    if not top.is_dir():
        yield from [top] if top.is_file() else []
    for folder, _, names in os.walk(top, onerror=_unless_gone):
        yield from (Path(folder, name) for name in names)


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _created(path: Path) -> IO[bytes]:
    """A new file; its folder is made, again if somebody deletes it for being empty."""
    for attempt in range(ATTEMPTS):
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        except (FileNotFoundError, FileExistsError):
            if attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError


def _missing(name: str, label: str) -> NotFound:
    return NotFound(f"there is no {name} in {label}", hint="`buttress backup list` names them.")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise

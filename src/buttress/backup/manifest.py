"""What a backup says of itself: one JSON file beside its data, written last."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import msgspec

from buttress.errors import BadInput, Unsupported

FORMAT = 2
"""1: one file with the whole dump. 2: a list of chunks that backups share."""
PRODUCT = "buttress backup"


class TableContent(msgspec.Struct, frozen=True):
    """One table's rows: how many, and the sum mod 2^64 of xxh3 over each, so that order is
    free."""

    schema: str
    name: str
    rows: int
    digest: str

    @property
    def label(self) -> str:
        """As people write it."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


class Content(msgspec.Struct, frozen=True):
    """All that a restore has to bring back, in a form that can be compared."""

    tables: list[TableContent] = []
    sequences: dict[str, int] = {}
    """The last value each sequence that was used had given out."""
    objects: list[str] = []
    """Tables, columns, indexes, constraints, policies, triggers, grants …, by kind and name."""

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables)


class StoredFile(msgspec.Struct, frozen=True):
    """A file of the backup as it lies in the store."""

    name: str
    bytes: int
    sha256: str


class Chunked(msgspec.Struct, frozen=True):
    """How a dump lies in the store: in chunks that other backups may name too."""

    chunks: int
    bytes: int
    """Of the dump."""
    packed_bytes: int
    """What its chunks would take in the store if no other backup were there."""
    new_chunks: int
    new_bytes: int
    """What this backup had to put."""


class Encryption(msgspec.Struct, frozen=True):
    """How the key is derived from the secret, and how to see that it is the right one."""

    salt: str
    check: str
    cipher: str = "AES-256-GCM"


class Privilege(msgspec.Struct, frozen=True):
    """A right on the database itself, which no dump carries."""

    grantee: str
    privilege: str
    grantable: bool


class Locale(msgspec.Struct, frozen=True):
    """By what rules a database sorts and changes case; fixed when it is created."""

    provider: str
    """As PostgreSQL says: c is libc, i ICU, b its own."""
    collate: str
    ctype: str
    name: str | None = None
    """Of ICU's or PostgreSQL's own."""
    rules: str | None = None
    """Added to ICU's."""


class DatabaseProperties(msgspec.Struct, frozen=True):
    """What belongs to the database and not to anything in it."""

    encoding: str = "UTF8"
    privileges: list[Privilege] | None = None
    """`None`: PostgreSQL's defaults."""
    settings: list[str] = []
    """As `name=value`, set by ALTER DATABASE."""
    locale: Locale | None = None
    """`None`: not known, as in SQLite and in manifests made before it was recorded."""


class Manifest(msgspec.Struct, frozen=True):
    """Everything about one backup; holds no secret and no value of a row."""

    id: str
    backend: Literal["postgresql", "sqlite"]
    database: str
    server_version: str
    server_version_number: int
    """As PostgreSQL counts: 180006 is 18.6; SQLite 3054000 is 3.54.0."""
    revisions: list[str]
    """The newest migration of each app."""
    content: Content
    properties: DatabaseProperties
    database_bytes: int
    started_at: str
    seconds: float
    by: str
    reason: str
    written_by: str
    files: list[StoredFile]
    encryption: Encryption | None
    product: str = PRODUCT
    format: int = FORMAT
    chunked: Chunked | msgspec.UnsetType = msgspec.UNSET
    """Of format 2, whose only file is the list of chunks."""

    @property
    def stored_bytes(self) -> int:
        """What it would take in the store if it were alone there."""
        return self.files_bytes + (self.chunked.packed_bytes if self.chunked else 0)

    @property
    def new_bytes(self) -> int:
        """What it took more in the store when it was made."""
        return self.files_bytes + (self.chunked.new_bytes if self.chunked else 0)

    @property
    def files_bytes(self) -> int:
        """What it takes beside its chunks and its manifest."""
        return sum(file.bytes for file in self.files)


class Drill(msgspec.Struct, frozen=True):
    """A restore into a scratch database that was compared with the manifest."""

    backup: str
    manifest: str
    """Checksum of the manifest it was compared with."""
    at: str
    seconds: float
    server_version: str
    tables: int
    rows: int
    differences: list[str]
    """Empty when everything arrived."""

    def raise_if_different(self) -> None:
        """Raises BadInput when the restore was not what was backed up."""
        if self.differences:
            raise BadInput(
                f"a restore of {self.backup} is not what was backed up: "
                f"{'; '.join(self.differences[:3])}",
                hint=f"`buttress backup show {self.backup}` lists all differences.",
            )


Document = TypeVar("Document", Manifest, Drill)


@dataclass(frozen=True)
class Signed(Generic[Document]):
    """A document with the checksum over its bytes as they were written."""

    checksum: str
    content: Document


class _SignedBytes(msgspec.Struct, frozen=True):
    checksum: str
    content: msgspec.Raw


class _Head(msgspec.Struct, frozen=True):
    product: str = ""
    format: int = 0


class _SignedHead(msgspec.Struct, frozen=True):
    content: _Head


def checksum(document: Manifest | Drill) -> str:
    """What changes when anything in it does."""
    return _checksum(msgspec.json.encode(document))


def encode(document: Manifest | Drill) -> bytes:
    """As JSON with its own checksum."""
    return _formatted(checksum(document), msgspec.json.encode(document))


def decode(data: bytes, kind: type[Document], *, name: str) -> Signed[Document]:
    """Read what `encode` wrote, to the byte, here or in a version that had other fields.

    Raises
    ------
    BadInput
        It is not what was written.
    Unsupported
        A newer Buttress wrote it.
    """
    damaged = BadInput(
        f"{name} is damaged", hint="Restore another backup; `buttress backup list` names them."
    )
    if kind is Manifest:
        _refuse_strangers(data, name, damaged)
    try:
        signed = msgspec.json.decode(data, type=_SignedBytes)
        written = msgspec.json.format(bytes(signed.content), indent=-1)
        content = msgspec.json.decode(written, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise damaged from None
    # Over the bytes: written again, it would have fields that nobody knew then.
    if _checksum(written) != signed.checksum or _formatted(signed.checksum, written) != data:
        raise damaged
    return Signed(signed.checksum, content)


def _checksum(written: bytes) -> str:
    return hashlib.sha256(written).hexdigest()


def _formatted(checksum: str, written: bytes) -> bytes:
    signed = _SignedBytes(checksum, msgspec.Raw(written))
    return msgspec.json.format(msgspec.json.encode(signed), indent=1)


def _refuse_strangers(data: bytes, name: str, damaged: BadInput) -> None:
    try:
        head = msgspec.json.decode(data, type=_SignedHead).content
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise damaged from None
    if head.product != PRODUCT:
        raise BadInput(f"{name} is no manifest of a Buttress backup")
    if head.format > FORMAT:
        raise Unsupported(
            f"{name} has format {head.format}, this version reads up to {FORMAT}",
            hint="Upgrade Buttress; if it is the newest, the file is damaged.",
        )

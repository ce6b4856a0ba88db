"""Uploads: taken as streams, told by their content, kept once, given back to their owner."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol
from uuid import UUID, uuid4

from sqlalchemy import delete, event, func, select, text
from sqlalchemy.orm import Session, SessionTransaction

from buttress.db.database import Database
from buttress.db.tenancy import as_system
from buttress.errors import ButtressError, NotFound, TooLarge
from buttress.files.archives import check_archive
from buttress.files.contents import MEMORY_BYTES, Contents, Readable, taken
from buttress.files.names import normalised
from buttress.files.tables import File
from buttress.files.types import DOCX, PPTX, XLSX, ZIP, check_allowed, type_of
from buttress.settings import FilesSettings

log = logging.getLogger(__name__)

ARCHIVES = (ZIP, XLSX, DOCX, PPTX)
SWEPT = "buttress.files"
"""Where a session remembers which contents to look at when its transaction has ended."""


class Stored(Protocol):
    """What has a content: a `File`, or `Content`."""

    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True)
class Content:
    """A content by its digest, for an app that shares what one person has uploaded with others.

    Keep the upload too: without one the content goes.
    """

    sha256: str


class Files:
    """The files of a deployment.

        file = runtime.files.put(session, stream, name="prices.xlsx", app="catalog", owner=me.id)
        with runtime.files.open(file) as opened:
            rows = jailed(read_rows, file=opened)

    A content is in the store once, however many uploads have it, and goes with the last of them,
    after the transaction that deleted it has been committed.
    """

    def __init__(self, database: Database, settings: FilesSettings, *, default: Path) -> None:
        self._database = database
        self._settings = settings
        self._contents = Contents(settings.store, default=default)

    def put(
        self,
        session: Session,
        stream: Readable | Iterable[bytes],
        *,
        name: str,
        app: str,
        owner: UUID | None = None,
        allowed: Collection[str] | None = None,
        limit_bytes: int | None = None,
    ) -> File:
        """Take an upload.

        Parameters
        ----------
        stream
            An open binary file, or blocks; read once, in memory of bounded size.
        name
            As the person called it; kept to be shown, after `normalised`.
        allowed
            Media types that are taken, such as `application/pdf` or `image/*`; all when None.
        limit_bytes
            The largest size; BUTTRESS_FILES__LIMIT_BYTES unless given.

        Raises
        ------
        TooLarge
            It is larger than that, or the owner's files together are larger than
            BUTTRESS_FILES__QUOTA_BYTES.
        BadInput
            It is empty, of another type, or named otherwise than its content is.
        Refused
            It is an archive that unpacks to too much, or leads out of its folder.
        """
        shown = normalised(name)
        limit = self._settings.limit_bytes if limit_bytes is None else limit_bytes
        with taken(stream, limit) as upload:
            kind = type_of(upload.file, shown)
            check_allowed(kind, allowed)
            if kind in ARCHIVES:
                check_archive(upload.file)
            self._refuse_beyond_quota(session, owner, upload.bytes)
            self._sweep_after(session, upload.sha256)
            lock_content(session, upload.sha256)
            # It sees the uploads of who acts: another's content is written once more, unchanged.
            if not _is_used(session, upload.sha256):
                self._contents.keep(upload.sha256, upload.file)
        file = File(
            id=uuid4(),
            sha256=upload.sha256,
            bytes=upload.bytes,
            media_type=kind,
            name=shown,
            app=app,
            owner=owner,
        )
        session.add(file)
        session.flush()
        return file

    @contextmanager
    def open(self, file: Stored) -> Iterator[IO[bytes]]:
        """The content as a file of one's own, checked against its digest; raises `Unavailable`."""
        with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as opened:
            for block in self.blocks(file):
                opened.write(block)
            opened.seek(0)
            yield opened

    def blocks(self, file: Stored) -> Iterator[bytes]:
        """The content in blocks; the last one comes before a damage is found and raised."""
        return self._contents.blocks(file.sha256)

    def read(self, file: Stored) -> bytes:
        """The content of a small file as a whole."""
        return b"".join(self.blocks(file))

    def delete(self, session: Session, file: File) -> None:
        """Delete an upload; its content follows after the commit when no other upload has it."""
        self._sweep_after(session, file.sha256)
        lock_content(session, file.sha256)
        session.execute(delete(File).where(File.id == file.id))

    def sweep(self) -> int:
        """Delete contents that no upload has, as crashes leave them; gives how many."""
        return sum(self._forget_unused(sha256) for sha256 in self._contents.digests())

    def _forget_unused(self, sha256: str) -> bool:
        # Another person's upload may have the same content.
        with as_system("contents that no upload has"), self._database.session() as session:
            lock_content(session, sha256)
            if _is_used(session, sha256):
                return False
            # Under the lock: an upload of the same content waits, and then writes it again.
            self._contents.forget(sha256)
            return True

    def _refuse_beyond_quota(self, session: Session, owner: UUID | None, more: int) -> None:
        quota = self._settings.quota_bytes
        if not quota or owner is None:
            return
        used = session.scalar(select(func.coalesce(func.sum(File.bytes), 0)).filter_by(owner=owner))
        if int(used or 0) + more > quota:
            raise TooLarge(
                f"your files would be larger than {quota:,} bytes together",
                hint="Delete some that you no longer need.",
            )

    def _sweep_after(self, session: Session, sha256: str) -> None:
        """Look at a content when the transaction has ended, whichever way it does."""
        key = (SWEPT, id(self))
        if key in session.info:
            session.info[key].add(sha256)
            return
        session.info[key] = {sha256}

        def ended(_: Session, transaction: SessionTransaction) -> None:
            if transaction.parent is None:
                contents, session.info[key] = session.info[key], set()
                self._sweep_quietly(contents)

        event.listen(session, "after_transaction_end", ended)

    def _sweep_quietly(self, contents: set[str]) -> None:
        """What was committed stays so: a content that cannot be deleted now waits for `sweep`."""
        for sha256 in contents:
            try:
                self._forget_unused(sha256)
            except ButtressError as error:
                log.warning("content not deleted", extra={"sha256": sha256, "error": error.message})


def for_owner(session: Session, id: UUID, owner: UUID) -> File:
    """The one way to a file from outside; raises `NotFound` for a foreign one as for none."""
    file = session.scalar(select(File).where(File.id == id, File.owner == owner))
    if file is None:
        raise NotFound(f"there is no file {id}", hint="It may have been deleted.")
    return file


def lock_content(session: Session, sha256: str) -> None:
    """Be the only one to keep or delete a content until the transaction ends.

    SQLite has one writer at a time in any case.
    """
    if session.connection().dialect.name == "postgresql":
        session.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended('buttress file ' || :digest, 0))"),
            {"digest": sha256},
        )


def _is_used(session: Session, sha256: str) -> bool:
    session.flush()
    return session.scalar(select(File.id).filter_by(sha256=sha256).limit(1)) is not None

"""The backups of one deployment: make, list, prove, restore, prune, pin."""

from __future__ import annotations

import getpass
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version

import buttress.backup.manifest as documents
from buttress.backup import database, leases, leftovers, retention, tables
from buttress.backup.chunks import DamagedChunk
from buttress.backup.content import Progress
from buttress.backup.database import Restored
from buttress.backup.keys import Key
from buttress.backup.manifest import Drill, Manifest
from buttress.backup.packing import check
from buttress.backup.pruning import delete_unnamed_chunks
from buttress.backup.shelf import DRILL, INDEX, LATEST, MANIFEST, Backup, Shelf, abandoned
from buttress.backup.site import Site, open_site
from buttress.backup.store import Store, open_store
from buttress.backup.tables import RestoredTable
from buttress.backup.writing import mark_damaged, writing
from buttress.errors import ButtressError, Unavailable
from buttress.settings import BackupSettings, Settings

log = logging.getLogger(__name__)


def no_progress(phase: str, done: int, total: int) -> None:
    """For whoever does not care."""


class Backups(Shelf):
    """What `buttress backup` and `runtime.backup` offer.

    Attributes
    ----------
    store
        Where they lie.
    """

    def __init__(self, site: Site, store: Store, settings: BackupSettings) -> None:
        super().__init__(store)
        self.site = site
        self._settings = settings
        self._secret = settings.key.get_secret_value()

    def create(
        self,
        reason: str = "by hand",
        *,
        drill: bool | None = None,
        progress: Progress = no_progress,
    ) -> Backup:
        """Back the database up; proven by a restore unless `drill` or the setting says no.

        Raises
        ------
        ConfigurationError
            The role does not see every row.
        Unavailable
            Server, tool or disk failed; no backup was published.
        BadInput
            The drill found differences; the backup stays, and is not verified.
        """
        self._tidy()
        began, moment = time.monotonic(), datetime.now(UTC)
        # Sorted by name they are sorted by time, also two of one second.
        stamp = f"{moment:%Y%m%dT%H%M%S%f}"[:-3]
        name = f"{stamp}-{secrets.token_hex(2)}"
        with writing(self.store, self._secret, self.manifests) as (writer, key):
            write = partial(writer.write, progress=progress)
            taken = database.dump(self.site, write, progress=progress)
            index, chunked = writer.finish(f"{name}/{INDEX}")
            manifest = Manifest(
                id=name,
                backend=self.site.owner.backend,
                database=self.site.owner.label,
                server_version=taken.server_version,
                server_version_number=taken.server_version_number,
                revisions=taken.revisions,
                content=taken.content,
                properties=taken.properties,
                database_bytes=taken.database_bytes,
                started_at=moment.isoformat(timespec="seconds"),
                seconds=round(time.monotonic() - began, 3),
                by=getpass.getuser(),
                reason=reason,
                written_by=f"buttress {version('buttress')}",
                files=[index],
                encryption=key.encryption if key else None,
                chunked=chunked,
            )
            self.write(name, MANIFEST, documents.encode(manifest))
        if self._settings.drill if drill is None else drill:
            self.verify(name, progress=progress).raise_if_different()
        return self.find(name)

    def verify(self, name: str = LATEST, *, progress: Progress = no_progress) -> Drill:
        """Restore into a scratch database, compare everything, and record what was found.

        Raises
        ------
        BadInput
            The files are not what was written.
        """
        began = time.monotonic()
        self._tidy()
        backup = self.find(name)
        manifest = backup.manifest
        with self._unpacked(manifest, progress) as archive:
            found = database.drill(self.site, manifest, archive, progress)
        record = Drill(
            backup=manifest.id,
            manifest=backup.checksum,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - began, 3),
            server_version=manifest.server_version,
            tables=len(manifest.content.tables),
            rows=manifest.content.rows,
            differences=found,
        )
        self.write(manifest.id, DRILL, documents.encode(record))
        return record

    def check(self, name: str = LATEST, *, progress: Progress = no_progress) -> None:
        """Read every byte and compare it with its checksum; raises BadInput. This proves less than
        `verify`."""
        manifest = self.find(name).manifest
        stored = manifest.files[0]
        if not manifest.chunked:
            check(self.store.read(stored.name), stored)
            return
        key = Key.of(manifest.encryption, self._secret) if manifest.encryption else None
        with self._marking():
            for _ in database.read_back(self.store, stored, key, progress):
                pass

    def restore(
        self,
        name: str = LATEST,
        *,
        to: str | None = None,
        dry_run: bool = False,
        progress: Progress = no_progress,
    ) -> Restored:
        """Restore into a new database, compare it, then put it in the place of the live one.

        The live one is kept under another name. With `to` nothing is replaced: the new database
        bears that name. With `dry_run` all is done but the last step, and the new one dropped.

        Raises
        ------
        BadInput
            Files are damaged, or what was restored differs from the manifest.
        Unsupported
            A newer server, or another database product, made the backup.
        ConfigurationError
            The key is missing or another one.
        Conflict
            `to` exists, or the live database is in use and cannot be freed.
        """
        self._tidy()
        manifest = self.find(name).manifest
        database.refuse(self.site, manifest, to)
        with self._unpacked(manifest, progress) as archive:
            return database.restore(
                self.site, manifest, archive, to=to, dry_run=dry_run, progress=progress
            )

    def restore_table(
        self,
        table: str,
        name: str = LATEST,
        *,
        to: str | None = None,
        dry_run: bool = False,
        progress: Progress = no_progress,
    ) -> RestoredTable:
        """Put one table of a backup beside the live ones, as `TABLE_restored_MOMENT` or `to`.

        No live table is touched: the new one holds the rows as they were, to compare with or to
        take from. It has no keys, indexes or policies, and only its owner may read it.

        Raises
        ------
        NotFound
            The backup has no such table.
        BadInput
            Files are damaged, or the rows differ from the manifest.
        Conflict
            The new table exists, or does not fit the live database.
        """
        self._tidy()
        manifest = self.find(name).manifest
        database.refuse(self.site, manifest, None)
        wanted = tables.choose(manifest.content, table)
        with self._unpacked(manifest, progress) as archive:
            return database.restore_table(
                self.site, manifest, archive, wanted, to=to, dry_run=dry_run, progress=progress
            )

    def prune(
        self, *, dry_run: bool = False, tell: Callable[[str], None] = log.warning
    ) -> list[Backup]:
        """Delete what the retention does not keep, and return that; also what was never finished.

        Chunks that no backup names any more go too, unless a backup runs, or the manifest or list
        of one cannot be read: `tell` is given why they all stay.
        """
        backups = self.all()
        kept = retention.to_keep(
            backups, daily=self._settings.daily, monthly=self._settings.monthly
        )
        gone = [backup for backup in backups if backup.id not in kept]
        if not dry_run:
            names = self.store.names()
            for name in [*(backup.id for backup in gone), *abandoned(names)]:
                self.delete(name, names)
            if why := self._delete_chunks():
                tell(f"no chunk was deleted: {why}")
        return gone

    def _delete_chunks(self) -> str:
        """Why they all stay; empty when those that nothing needs were deleted."""
        with leases.held(self.store, "prune") as lease:
            lease.forget_abandoned()
            if lease.running("backup"):
                return "a backup runs"
            if damaged := self.damaged():
                return f"what {damaged[0]} needs is not known, as its manifest is damaged"
            if newer := self.newer():
                return f"only the newer Buttress that made {newer[0]} knows what it needs"
            delete_unnamed_chunks(lease, [backup.manifest for backup in self.all()])
            return ""

    def leftovers(self) -> list[str]:
        """What killed restores and drills left, which the next one deletes; raises Unavailable."""
        return leftovers.find(self.site)

    def _tidy(self) -> None:
        try:
            gone = leftovers.clear(self.site, spared=self.store.folder)
        except ButtressError as error:
            # Worth no more than a warning: what is asked for can be done without it.
            log.warning("leftovers not deleted", extra={"reason": error.message})
        else:
            if gone:
                log.info("leftovers deleted", extra={"names": gone})

    @contextmanager
    def _unpacked(self, manifest: Manifest, progress: Progress) -> Iterator[database.Archive]:
        """The data of a backup, after every byte of it was checked."""
        with (
            self._marking(),
            database.unpacked(self.site, self.store, manifest, self._secret, progress) as archive,
        ):
            yield archive

    @contextmanager
    def _marking(self) -> Iterator[None]:
        """Note damaged chunks, so that the next backup writes them again."""
        try:
            yield
        except DamagedChunk as error:
            with suppress(Unavailable):
                mark_damaged(self.store, error.name)
            raise


@contextmanager
def open_backups(settings: Settings) -> Iterator[Backups]:
    """The backups of a deployment; its database need not answer, or exist, for them to be read."""
    with open_site(settings) as site:
        yield backups_of(settings, site)


def backups_of(settings: Settings, site: Site) -> Backups:
    """The same, for a site that is open."""
    store = open_store(settings.backup.store, default=settings.home / "backups")
    return Backups(site, store, settings.backup)

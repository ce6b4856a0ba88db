"""The backups of one deployment: make, list, prove, restore, prune, pin."""

from __future__ import annotations

import getpass
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version

import buttress.backup.manifest as documents
from buttress.backup import database, leases, retention
from buttress.backup.chunks import DamagedChunk
from buttress.backup.content import Progress
from buttress.backup.database import Restored
from buttress.backup.keys import Key
from buttress.backup.manifest import Drill, Manifest
from buttress.backup.packing import check
from buttress.backup.pruning import delete_unnamed_chunks
from buttress.backup.site import Site, open_site
from buttress.backup.store import Store, open_store, read_all
from buttress.backup.writing import mark_damaged, present_in, writing
from buttress.errors import BadInput, Conflict, NotFound, Unavailable, Unsupported
from buttress.settings import BackupSettings, Settings

MANIFEST, DRILL, PINNED = "manifest.json", "drill.json", "pinned"
INDEX = "chunks.list"
LATEST = "latest"


def no_progress(phase: str, done: int, total: int) -> None:
    """For whoever does not care."""


@dataclass(frozen=True)
class Backup:
    """A backup that is whole: its manifest is there."""

    manifest: Manifest
    drill: Drill | None
    pinned: bool

    @property
    def id(self) -> str:
        """Starts with the moment it was made."""
        return self.manifest.id

    @property
    def verified(self) -> bool:
        """Whether a restore of it into a scratch database equalled the manifest."""
        return (
            self.drill is not None
            and not self.drill.differences
            and self.drill.manifest == documents.checksum(self.manifest)
        )


class Backups:
    """What `buttress backup` and `runtime.backup` offer.

    Attributes
    ----------
    store
        Where they lie.
    """

    def __init__(self, site: Site, store: Store, settings: BackupSettings) -> None:
        self.site = site
        self.store = store
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
        began, moment = time.monotonic(), datetime.now(UTC)
        # Sorted by name they are sorted by time, also two of one second.
        stamp = f"{moment:%Y%m%dT%H%M%S%f}"[:-3]
        name = f"{stamp}-{secrets.token_hex(2)}"
        with writing(self.store, self._secret, self._manifests) as (writer, key):
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
            self._write(name, MANIFEST, documents.encode(manifest))
        if self._settings.drill if drill is None else drill:
            record = self.verify(name, progress=progress)
            if record.differences:
                raise BadInput(
                    f"a restore of {name} is not what was backed up: "
                    f"{'; '.join(record.differences[:3])}",
                    hint=f"`buttress backup show {name}` lists all differences.",
                )
        return self.find(name)

    def all(self) -> list[Backup]:
        """All that are whole and readable, the newest first."""
        names = self.store.names()
        found = []
        for name in _ids(names):
            try:
                found.append(self._read(name, names))
            except BadInput:
                continue  # told by `damaged`
        return sorted(found, key=lambda backup: backup.id, reverse=True)

    def damaged(self) -> list[str]:
        """The ids whose manifest or record cannot be read."""
        names = self.store.names()
        found = []
        for name in _ids(names):
            try:
                self._read(name, names)
            except BadInput:
                found.append(name)
        return found

    def find(self, name: str = LATEST) -> Backup:
        """One by its id, or by the start of it, or `latest`; raises NotFound."""
        names = self.store.names()
        ids = sorted(_ids(names))
        if name == LATEST:
            matching = ids[-1:]
        else:
            matching = [one for one in ids if one == name] or [
                one for one in ids if one.startswith(name)
            ]
        if len(matching) > 1:
            raise Conflict(f"{name} is the start of {len(matching)} backups", hint="Write more.")
        if not matching:
            raise NotFound(
                f"there is no backup {name} in {self.store.label}",
                hint="`buttress backup list` names them; `buttress backup` makes one.",
            )
        return self._read(matching[0], names)

    def verify(self, name: str = LATEST, *, progress: Progress = no_progress) -> Drill:
        """Restore into a scratch database, compare everything, and record what was found.

        Raises
        ------
        BadInput
            The files are not what was written.
        """
        began = time.monotonic()
        manifest = self.find(name).manifest
        with self._unpacked(manifest, progress) as archive:
            found = database.drill(self.site, manifest, archive, progress)
        record = Drill(
            backup=manifest.id,
            manifest=documents.checksum(manifest),
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - began, 3),
            server_version=manifest.server_version,
            tables=len(manifest.content.tables),
            rows=manifest.content.rows,
            differences=found,
        )
        self._write(manifest.id, DRILL, documents.encode(record))
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
        manifest = self.find(name).manifest
        database.refuse(self.site, manifest, to)
        with self._unpacked(manifest, progress) as archive:
            return database.restore(
                self.site, manifest, archive, to=to, dry_run=dry_run, progress=progress
            )

    def prune(self, *, dry_run: bool = False) -> list[Backup]:
        """Delete what the retention does not keep, and tell what; also what was never finished.

        Chunks that no backup names any more go too, unless a backup runs, or the manifest or list
        of one cannot be read.
        """
        backups = self.all()
        kept = retention.to_keep(
            backups, daily=self._settings.daily, monthly=self._settings.monthly
        )
        gone = [backup for backup in backups if backup.id not in kept]
        if not dry_run:
            names = self.store.names()
            for name in [*(backup.id for backup in gone), *_abandoned(names)]:
                self._delete(name, names)
            self._delete_chunks()
        return gone

    def _delete_chunks(self) -> None:
        leases.forget_abandoned(self.store)
        with leases.held(self.store, "prune"):
            if leases.running(self.store, "backup") or self.damaged():
                return
            delete_unnamed_chunks(self.store, [backup.manifest for backup in self.all()])

    def stored_bytes(self) -> int:
        """What all backups take in the store together."""
        files = sum(backup.manifest.files_bytes for backup in self.all())
        return files + sum(present_in(self.store).values())

    def pin(self, name: str, *, pinned: bool = True) -> Backup:
        """Keep it for ever, or no longer."""
        backup = self.find(name)
        if pinned:
            self._write(backup.id, PINNED, b"")
        else:
            self.store.delete(f"{backup.id}/{PINNED}")
        return self.find(backup.id)

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

    def _manifests(self) -> list[Manifest]:
        names, found = self.store.names(), []
        for name in sorted(_ids(names), reverse=True):
            with suppress(BadInput, Unsupported):  # one that cannot be read shares no chunks
                found.append(self._read(name, names).manifest)
        return found

    def _read(self, name: str, names: list[str]) -> Backup:
        path = f"{name}/{MANIFEST}"
        manifest = documents.decode(read_all(self.store, path), Manifest, name=path)
        if manifest.id != name:
            raise BadInput(f"{path} is the manifest of {manifest.id}")
        drill = None
        if f"{name}/{DRILL}" in names:
            drill = documents.decode(
                read_all(self.store, f"{name}/{DRILL}"), Drill, name=f"{name}/{DRILL}"
            )
        return Backup(manifest, drill, f"{name}/{PINNED}" in names)

    def _write(self, name: str, part: str, data: bytes) -> None:
        with self.store.write(f"{name}/{part}") as file:
            file.write(data)

    def _delete(self, name: str, names: list[str]) -> None:
        # The manifest first: what is cut short here is no backup any more.
        parts = [one for one in names if one.startswith(f"{name}/")]
        for part in sorted(parts, key=lambda part: not part.endswith(MANIFEST)):
            self.store.delete(part)


@contextmanager
def open_backups(settings: Settings) -> Iterator[Backups]:
    """The backups of a deployment; its database need not answer, or exist, for them to be read."""
    with open_site(settings) as site:
        yield backups_of(settings, site)


def backups_of(settings: Settings, site: Site) -> Backups:
    """The same, for a site that is open."""
    store = open_store(settings.backup.store, default=settings.home / "backups")
    return Backups(site, store, settings.backup)


def _ids(names: list[str]) -> list[str]:
    return [name.partition("/")[0] for name in names if name.endswith(f"/{MANIFEST}")]


def _abandoned(names: list[str]) -> list[str]:
    """Ids without a manifest that are too old to be under way."""
    limit = f"{datetime.now(UTC) - leases.ABANDONED_AFTER:%Y%m%dT%H%M%S}"
    whole = set(_ids(names))
    begun = {name.partition("/")[0] for name in names if "/" in name}
    return sorted(name for name in begun - whole if name[:1].isdigit() and name < limit)

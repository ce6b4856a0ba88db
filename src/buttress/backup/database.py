"""One way to dump and restore for both databases."""

from __future__ import annotations

import errno
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from buttress.backup import chunks, postgresql, scratch, sqlite, tables, unended
from buttress.backup.content import Progress, differences
from buttress.backup.keys import Key
from buttress.backup.manifest import DatabaseProperties, Manifest, StoredFile, TableContent
from buttress.backup.packing import unpack
from buttress.backup.parallel import in_threads
from buttress.backup.postgresql import Dumped
from buttress.backup.site import Site
from buttress.backup.store import BLOCK_BYTES, Store
from buttress.backup.swap import swap
from buttress.backup.tables import RestoredTable
from buttress.db.url import DatabaseURL
from buttress.errors import BadInput, Conflict, Unavailable, Unsupported

Archive = IO[bytes]


@dataclass(frozen=True)
class Restored:
    """Where a backup was restored to."""

    backup: str
    database: str
    """Its name, or its file."""
    kept: str | None
    """What the database that was replaced is called now."""
    tables: int
    rows: int
    dry_run: bool = False
    unended_jobs: int = 0
    """That were waiting or running at the snapshot: workers begin them again."""


def dump(site: Site, write: postgresql.Write, *, progress: Progress) -> Dumped:
    """Hand the data of a backup to `write`; see `postgresql.dump`."""
    if site.owner.backend == "postgresql":
        return postgresql.dump(site.reader, write, progress=progress)
    with _scratch_folder(site) as folder:
        copied = folder / sqlite.FILE
        sqlite.copy(_file(site), copied, progress)
        with copied.open("rb") as source:
            write(iter(lambda: source.read(BLOCK_BYTES), b""))
        return Dumped(
            sqlite.read_content(copied, progress),
            DatabaseProperties(),
            sqlite.revisions(copied),
            sqlite3.sqlite_version,
            _sqlite_number(),
            copied.stat().st_size,
        )


@contextmanager
def unpacked(
    site: Site, store: Store, manifest: Manifest, secret: str, progress: Progress
) -> Iterator[Archive]:
    """The data of a backup in a file without a name, after every byte was checked.

    Raises
    ------
    BadInput
        A byte is not what was written; DamagedChunk when it is one of a chunk.
    ConfigurationError
        The key is missing or another one.
    """
    key = Key.of(manifest.encryption, secret) if manifest.encryption else None
    if len(manifest.files) != 1:
        raise BadInput(f"{manifest.id} has {len(manifest.files)} files instead of one")
    stored = manifest.files[0]
    with _room(site), tempfile.TemporaryFile(dir=_home(site)) as file:
        if manifest.chunked:
            for block in read_back(store, stored, key, progress):
                file.write(block)
            file.flush()
        else:
            unpack(store.read(stored.name), file, stored=stored, key=key)
        file.seek(0)
        yield file


def read_back(
    store: Store, index: StoredFile, key: Key | None, progress: Progress
) -> Iterator[bytes]:
    """The dump that lies in chunks, each compared with its id; raises as `unpacked`."""
    named = chunks.read_index(store, index)
    done, total = 0, sum(chunk.size for chunk in named)
    for data in in_threads(store.threads, lambda chunk: chunks.read(store, chunk, key), named):
        done += len(data)
        progress("read", done, total)
        yield data


def refuse(site: Site, manifest: Manifest, to: str | None) -> None:
    """Raise what forbids a restore and can be known before it starts."""
    if manifest.backend != site.owner.backend:
        raise Unsupported(
            f"{manifest.id} is a backup of {manifest.backend}, this is {site.owner.backend}",
            hint="Restore it into a database of its kind, then move it: `buttress move --help`.",
        )
    if manifest.backend == "sqlite":
        if manifest.server_version_number // 1_000_000 > _sqlite_number() // 1_000_000:
            raise Unsupported(
                f"{manifest.id} was made by SQLite {manifest.server_version}, this is "
                f"{sqlite3.sqlite_version}",
                hint="Restore it with a Python that has that SQLite; nothing was changed.",
            )
        if to is not None and Path(to).exists():
            raise Conflict(f"{to} exists", hint="Choose another name.")
        return
    postgresql.refuse_newer(manifest, site.owner)
    if to is not None and postgresql.exists(site.owner, to):
        raise Conflict(f"there is a database {to}", hint="Choose another name, or drop it.")


def drill(site: Site, manifest: Manifest, archive: Archive, progress: Progress) -> list[str]:
    """Restore into a scratch database and tell how it differs from the manifest."""
    refuse(site, manifest, None)
    if manifest.backend == "sqlite":
        with _scratch_folder(site) as folder:
            path = folder / sqlite.FILE
            _save(archive, path)
            return _compare_sqlite(manifest, path, progress)
    with postgresql.scratch(manifest, archive, site.owner, progress=progress) as new:
        return postgresql.compare(manifest, _as_reader(site, new.label), progress)


def restore(
    site: Site,
    manifest: Manifest,
    archive: Archive,
    *,
    to: str | None,
    dry_run: bool,
    progress: Progress,
) -> Restored:
    """Restore beside the live database, compare, and only then swap."""
    if manifest.backend == "sqlite":
        return _restore_sqlite(site, manifest, archive, to, dry_run, progress)
    live = postgresql.name_of(site.owner)
    name = postgresql.new_name(site.owner, "restore")
    kept, replaced = _kept_name(to or live), False
    with postgresql.restored(manifest, archive, site.owner, name, progress=progress) as new:
        _refuse_differences(
            manifest, postgresql.compare(manifest, _as_reader(site, new.label), progress)
        )
        jobs = unended.in_postgresql(_as_reader(site, new.label))
        if dry_run:
            postgresql.drop(site.owner, name)
        else:
            replaced = swap(site.admin, new=name, live=to or live, kept=kept)
    return _result(manifest, to or live, kept if replaced else None, dry_run, jobs)


def _restore_sqlite(
    site: Site,
    manifest: Manifest,
    archive: Archive,
    to: str | None,
    dry_run: bool,
    progress: Progress,
) -> Restored:
    live = Path(to) if to else _file(site)
    kept = live.with_name(f"{_kept_name(live.stem)}{live.suffix}")
    # Beside the live one, as a rename goes no further than its file system.
    with scratch.folder(live.parent) as folder:
        new = folder / sqlite.FILE
        _save(archive, new)
        _refuse_differences(manifest, _compare_sqlite(manifest, new, progress))
        jobs = unended.in_sqlite(new)
        if dry_run:
            return _result(manifest, str(live), None, dry_run, jobs)
        replaced = sqlite.swap(new, live, kept)
    return _result(manifest, str(live), str(kept) if replaced else None, dry_run, jobs)


def restore_table(
    site: Site,
    manifest: Manifest,
    archive: Archive,
    table: TableContent,
    *,
    to: str | None,
    dry_run: bool,
    progress: Progress,
) -> RestoredTable:
    """Put one table of a backup beside the live ones; see `tables`."""
    to = to or tables.new_name(table)
    if manifest.backend == "postgresql":
        return tables.restore_postgresql(
            site, manifest, archive, table, to=to, dry_run=dry_run, progress=progress
        )
    with _scratch_folder(site) as folder:
        path = folder / sqlite.FILE
        _save(archive, path)
        sqlite.check(path)
        return tables.restore_sqlite(_file(site), manifest, path, table, to=to, dry_run=dry_run)


def _result(manifest: Manifest, name: str, kept: str | None, dry_run: bool, jobs: int) -> Restored:
    content = manifest.content
    return Restored(manifest.id, name, kept, len(content.tables), content.rows, dry_run, jobs)


def _refuse_differences(manifest: Manifest, found: list[str]) -> None:
    if found:
        raise BadInput(
            f"what {manifest.id} brings is not what was backed up: {'; '.join(found[:3])}",
            hint="The live database was left as it was; restore another backup.",
        )


def _compare_sqlite(manifest: Manifest, path: Path, progress: Progress) -> list[str]:
    sqlite.check(path)
    blobs = b"x" if manifest.chunked else sqlite.TEXT
    return differences(manifest.content, sqlite.read_content(path, progress, blobs=blobs))


def _as_reader(site: Site, label: str) -> DatabaseURL:
    return postgresql.database_url(site.admin, label.rpartition("/")[2])


def _kept_name(name: str) -> str:
    return f"{postgresql.shortened(name, 35)}_before_{datetime.now(UTC):%Y%m%dt%H%M%S}"


def _sqlite_number() -> int:
    major, minor, patch = sqlite3.sqlite_version_info
    return major * 1_000_000 + minor * 1000 + patch


def _file(site: Site) -> Path:
    assert site.owner.path is not None
    return site.owner.path


def _save(archive: Archive, path: Path) -> None:
    archive.seek(0)
    with path.open("wb") as file:
        while block := archive.read(BLOCK_BYTES):
            file.write(block)


def _home(site: Site) -> Path:
    site.home.mkdir(parents=True, exist_ok=True)
    return site.home


@contextmanager
def _scratch_folder(site: Site) -> Iterator[Path]:
    with _room(site), scratch.folder(site.home) as folder:
        yield folder


@contextmanager
def _room(site: Site) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(
                f"no space left in {site.home} to unpack a backup",
                hint="Free some there, or point BUTTRESS_HOME elsewhere; nothing was changed.",
            ) from error
        raise

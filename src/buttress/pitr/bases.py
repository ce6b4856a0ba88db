"""Base backups: taken from the running server, compared with their own manifest, combined."""

from __future__ import annotations

import json
import secrets
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from buttress.errors import BadInput, Unavailable
from buttress.pitr.archive import Archive, Base
from buttress.pitr.archiving import one
from buttress.pitr.programs import Failed, Programs

FULL_EVERY = timedelta(days=6, hours=12)
"""A chain of incremental backups gets no longer than this; one damaged link breaks the rest.

Less than a week by half a day: taken daily at one hour, the eighth is a full one again."""


def take(
    programs: Programs,
    archive: Archive,
    connection: psycopg.Connection,
    conninfo: str,
    *,
    full: bool,
) -> Base:
    """Take a base backup and verify it; an incremental one if a chain is young enough.

    Raises
    ------
    Unavailable
        pg_basebackup failed; nothing was published.
    BadInput
        What it wrote is not what the server sent.
    """
    before = None if full else to_continue(archive, _now(connection))
    started_at = _now(connection)
    name = f"{started_at:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    unfinished = archive.unfinished(name)
    arguments = [
        "--pgdata", str(unfinished), "--dbname", conninfo, "--format=plain", "--wal-method=stream",
        "--checkpoint=fast", "--manifest-checksums=SHA256", "--no-password",
    ]  # fmt: skip
    if before is not None:
        arguments += ["--incremental", str(archive.path(before) / "backup_manifest")]
    try:
        programs.run("pg_basebackup", *arguments)
        verify(programs, unfinished)
        base = _describe(unfinished, name, before, started_at, connection)
        unfinished.rename(archive.base / name)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    archive.publish(base)
    return base


def verify(programs: Programs, folder: Path) -> None:
    """Compare every file with the backup's manifest, and read its part of the log.

    Raises
    ------
    BadInput
        Something is missing, too much, or changed.
    """
    try:
        programs.run("pg_verifybackup", "--exit-on-error", str(folder))
    except Failed as error:
        raise BadInput(
            f"base backup {folder.name} is damaged: {error.message}",
            hint="Recover from an earlier one with `--base`, and make a new one: "
            "`buttress pitr base --full`.",
        ) from error


def combine(programs: Programs, archive: Archive, base: Base, target: Path) -> None:
    """Verify the chain of a base backup and put it together as a data folder.

    Raises
    ------
    BadInput
        A backup of the chain is damaged.
    NotFound
        One is gone.
    Unavailable
        It cannot be written.
    """
    folders = [archive.path(link) for link in archive.chain(base)]
    for folder in folders:
        verify(programs, folder)
    programs.run("pg_combinebackup", "--no-sync", "--output", str(target), *map(str, folders))


def to_continue(archive: Archive, now: datetime) -> Base | None:
    """The newest backup, if the full one it rests on is young enough."""
    bases = archive.bases()
    if not bases or now - archive.chain(bases[-1])[0].finished_at > FULL_EVERY:
        return None
    return bases[-1]


def _describe(
    folder: Path,
    name: str,
    before: Base | None,
    started_at: datetime,
    connection: psycopg.Connection,
) -> Base:
    manifest: dict[str, Any] = json.loads((folder / "backup_manifest").read_bytes())
    if not manifest["WAL-Ranges"]:
        raise Unavailable(f"the manifest of {name} names no range of the log")
    begin = manifest["WAL-Ranges"][0]
    high, _, low = begin["Start-LSN"].partition("/")
    return Base(
        id=name,
        after=before.id if before else None,
        timeline=int(begin["Timeline"]),
        start=int(high, 16) << 32 | int(low, 16),
        segment_bytes=int(
            one(connection, "SELECT pg_size_bytes(current_setting('wal_segment_size'))")
        ),
        started_at=started_at,
        finished_at=_now(connection),
        bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        server_version=str(one(connection, "SELECT current_setting('server_version')")).split()[0],
    )


def _now(connection: psycopg.Connection) -> datetime:
    moment: datetime = one(connection, "SELECT clock_timestamp()")
    return moment.astimezone(UTC)

"""Point-in-time recovery of one deployment: switch it on, take bases, go back, prune."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from buttress.backup import Backups
from buttress.backup.backups import no_progress
from buttress.backup.content import Progress
from buttress.backup.database import Restored
from buttress.backup.postgresql import name_of as name_of_database
from buttress.backup.site import Site, site_of
from buttress.backup.store import FolderStore
from buttress.db.embedded import Servers, start_servers
from buttress.errors import BadInput, Conflict, NotFound, Unavailable, Unsupported
from buttress.pitr import bases, recovery
from buttress.pitr.archive import DUMP, Archive, Base, latest_before
from buttress.pitr.archiving import hand_over, is_on, one, switch_on
from buttress.pitr.programs import Programs, programs_for
from buttress.pitr.recovery import Plan
from buttress.pitr.segments import name_of, reach, unbroken
from buttress.settings import BackupSettings, Settings

FOLDER = "pitr"
WEEKS = 4
RESTART_SECONDS = 30.0
# The keeper takes a server that ends twice within five seconds for one that cannot run.
SETTLED_SECONDS = 6.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Status:
    """What can be recovered at this moment."""

    folder: Path
    on: bool
    bases: list[Base]
    since: datetime | None
    """From then on every moment up to now can be recovered; None when there is no such moment.

    Older base backups may be kept because that one rests on them."""
    archived_at: datetime | None
    """When the server last handed a segment over."""
    failed: str
    """The segment it could not hand over last, empty when the last one went well."""
    segments: int
    bytes: int
    """What base backups and log take together."""
    problem: str
    """What is missing between the newest base backup and now; empty when nothing is."""


@dataclass(frozen=True)
class Recovered:
    """What a recovery brought."""

    database: str
    """The database that holds it now."""
    kept: str | None
    """What the live one is called since; None when none was replaced."""
    base: str
    until: datetime
    """No commit after this is in it."""
    tables: int
    rows: int


@dataclass(frozen=True)
class Pruned:
    """What was no longer needed."""

    bases: list[str]
    segments: list[str]


class PointInTime:
    """What `buttress pitr` offers, for an embedded server that runs."""

    def __init__(self, servers: Servers, settings: Settings) -> None:
        self.servers = servers
        self.site: Site = site_of(settings, servers)
        self._programs: Programs = programs_for(servers.home)
        with self._connect() as connection:
            identifier = one(connection, "SELECT system_identifier FROM pg_control_system()")
        # Where a link leads the server must find it as well.
        place = servers.home / FOLDER
        place.mkdir(mode=0o711, exist_ok=True)
        self.archive = Archive(place.resolve() / str(identifier))

    def enable(self) -> bool:
        """Have the server archive its log from now on; whether it was restarted for that.

        Who uses the server meanwhile waits for a moment, as at any restart.

        Raises
        ------
        Unavailable
            The server does not come back, or cannot write into the archive.
        """
        self.archive.create(self._programs.user.uid, self._programs.user.gid)
        with self._connect() as connection:
            must_restart = switch_on(connection, self.archive)
            started = one(connection, "SELECT pg_postmaster_start_time()")
        if must_restart:
            self._restart(started)
        with self._connect() as connection:
            hand_over(connection, self.archive)
        return must_restart

    def base(self, *, full: bool = False) -> Base:
        """Take a base backup; an incremental one unless the last full one is a week old.

        Raises
        ------
        Conflict
            The server does not archive its log, or somebody else works on the archive.
        """
        with self._connect() as connection:
            self._refuse_off(connection)
            with self.archive.alone("base"):
                return bases.take(
                    self._programs, self.archive, connection, self._conninfo, full=full
                )

    def status(self) -> Status:
        """What can be recovered; the archived log is counted, not read."""
        found = self.archive.bases()
        with self._connect() as connection:
            on = is_on(connection)
            row = connection.execute(
                "SELECT last_archived_time, CASE WHEN last_failed_time > "
                "coalesce(last_archived_time, '-infinity') THEN last_failed_wal END "
                "FROM pg_stat_archiver"
            ).fetchone()
        assert row is not None
        files = [path for path in self.archive.folder.rglob("*") if path.is_file()]
        return Status(
            folder=self.archive.folder,
            on=on,
            bases=found,
            since=_since(self.archive, found),
            archived_at=row[0].astimezone(UTC) if row[0] else None,
            failed=row[1] or "",
            segments=len(self.archive.segments()),
            bytes=sum(path.stat().st_size for path in files),
            problem=reach(self.archive, found[-1], read=False).problem if found else "",
        )

    def restore(
        self,
        at: datetime | None,
        *,
        to: str | None = None,
        base: str | None = None,
        archive: Path | None = None,
        dry_run: bool = False,
        progress: Progress = no_progress,
    ) -> Recovered:
        """Bring the database back as it was at `at`; None for the end of the log.

        A server of that moment is started on a folder and a socket of its own. What is in it is
        dumped, restored beside the live database, compared, and swapped with it by rename; the live
        one is kept under another name. With `to` nothing is replaced, with `dry_run` nothing stays.
        `base` names the base backup to start from; else it is the newest that fits. `archive` is
        the folder of a server whose own data is lost.

        Raises
        ------
        BadInput
            The moment is in the future, or a base backup is damaged.
        Conflict
            The log does not reach that moment; the message says how far it does. Or somebody else
            works on the archive.
        NotFound
            No base backup is old enough.
        Unavailable
            The moment is not archived yet, and the archive takes no more.
        """
        with self._connect() as connection:
            now = one(connection, "SELECT clock_timestamp()").astimezone(UTC)
            if at is not None and at > now:
                raise BadInput(
                    f"{at.isoformat(sep=' ')} is in the future",
                    hint="Name an earlier moment; without a time zone it is taken as UTC.",
                )
        source = Archive(archive.resolve()) if archive else self.archive
        with source.alone("restore"):
            chosen = _chosen(source, at, base)
            if archive is None:
                self._have_archived(chosen, at)
            plan = recovery.plan(self._programs, source, chosen, at)
            done = self._put_back(source, plan, to=to, dry_run=dry_run, progress=progress)
        return Recovered(
            done.database, done.kept, chosen.id, plan.until or plan.last_commit, done.tables,
            done.rows,
        )  # fmt: skip

    def _have_archived(self, base: Base, at: datetime | None) -> None:
        """Have the server hand its log over, if that moment is not archived yet.

        One that is can be recovered while the archive takes no more.
        """
        with self._connect() as connection:
            if is_on(connection) and recovery.lies_beyond(self._programs, self.archive, base, at):
                hand_over(connection, self.archive)

    def _put_back(
        self, source: Archive, plan: Plan, *, to: str | None, dry_run: bool, progress: Progress
    ) -> Restored:
        name = name_of_database(self.site.owner)
        with (
            recovery.recovered(self._programs, source, plan, database=name) as past,
            tempfile.TemporaryDirectory(prefix=DUMP, dir=source.folder) as folder,
        ):
            store, settings = FolderStore(Path(folder)), BackupSettings.model_validate({})
            site = Site(past, past, past, self.site.home)
            Backups(site, store, settings).create("recovery", drill=False, progress=progress)
            return Backups(self.site, store, settings).restore(
                to=to, dry_run=dry_run, progress=progress
            )

    def prune(self, *, weeks: int = WEEKS, dry_run: bool = False) -> Pruned:
        """Delete what no moment of the last `weeks` needs; never the newest base backup.

        Raises
        ------
        Conflict
            Somebody else works on the archive.
        NotFound
            There is none.
        """
        with self.archive.alone("prune"):
            gone, segments = self._not_needed(datetime.now(UTC) - timedelta(weeks=weeks))
            if not dry_run:
                # The later ones first: one that others rest on goes last.
                for base in reversed(gone):
                    self.archive.delete(base)
                for name in segments:
                    (self.archive.wal / f"{name}.gz").unlink(missing_ok=True)
        return Pruned([base.id for base in gone], segments)

    def _not_needed(self, limit: datetime) -> tuple[list[Base], list[str]]:
        """Base backups and segments that no moment since `limit` needs."""
        found = self.archive.bases()
        if not found:
            return [], []
        old_enough = [base for base in found if base.finished_at <= limit]
        first = old_enough[-1] if old_enough else found[0]
        needed = {
            link.id for base in found[found.index(first) :] for link in self.archive.chain(base)
        }
        gone = [base for base in found if base.id not in needed]
        oldest = name_of(first.timeline, first.start, first.segment_bytes)
        segments = sorted(name for name in self.archive.segments() if name[8:] < oldest[8:])
        return gone, segments

    def _refuse_off(self, connection: psycopg.Connection) -> None:
        if not is_on(connection):
            raise Conflict(
                "the server does not archive its log", hint="Run `buttress pitr enable` first."
            )

    @property
    def _conninfo(self) -> str:
        return self.site.admin.conninfo

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            self.servers.postgres_url("postgres", "postgres"), autocommit=True, connect_timeout=5
        )

    def _restart(self, started: datetime) -> None:
        """End the server as `pg_ctl stop -m fast` does; its keeper starts it anew."""
        age = (datetime.now(UTC) - started).total_seconds()
        time.sleep(max(SETTLED_SECONDS - age, 0))
        file = self.servers.home / "postgresql" / "postmaster.pid"
        os.kill(int(file.read_text().split("\n", 1)[0]), signal.SIGINT)
        give_up = time.monotonic() + RESTART_SECONDS
        while True:
            time.sleep(POLL_SECONDS)
            try:
                with self._connect() as connection:
                    if is_on(connection):
                        return
            except psycopg.OperationalError:
                pass  # it is on its way
            if time.monotonic() > give_up:
                raise Unavailable(
                    f"the server was not back within {RESTART_SECONDS:g} seconds",
                    hint=f"Read {self.servers.home / 'logs' / 'postgresql.log'}.",
                )


def _since(archive: Archive, found: list[Base]) -> datetime | None:
    """When the first base backup was finished whose log is there without a gap."""
    if not found or reach(archive, found[-1], read=False).problem:
        return None
    first = unbroken(archive, found[-1])
    whole: set[str | None] = {None}
    for base in found:
        if base.after not in whole:
            continue
        whole.add(base.id)
        name = name_of(base.timeline, base.start, base.segment_bytes)
        if name[:8] == first[:8] and name >= first:
            return base.finished_at
    return None


def _chosen(archive: Archive, at: datetime | None, base: str | None) -> Base:
    found = archive.bases()
    if base is None:
        return latest_before(found, at)
    named = [one for one in found if one.id == base]
    if not named:
        raise NotFound(f"there is no base backup {base}", hint="See `buttress pitr status`.")
    return latest_before(named, at)


@contextmanager
def open_pitr(settings: Settings) -> Iterator[PointInTime]:
    """The same, with the embedded servers running meanwhile.

    Raises
    ------
    Unsupported
        The database is not the embedded one.
    """
    if settings.database_url.get_secret_value() != "embedded":
        raise Unsupported(
            "DATABASE_URL is not the embedded server, and only its files are ours",
            hint="Use what runs your server: docs/howto/point-in-time.md names the usual ways.",
        )
    with start_servers(settings.home) as servers:
        yield PointInTime(servers, settings)

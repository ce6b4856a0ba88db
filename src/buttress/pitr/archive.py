"""The folder of one server's base backups and write-ahead log.

wal/NAME.gz       a segment of the log, or a timeline's history
base/ID/          a base backup as pg_basebackup wrote it
base/ID.json      what it is; written last, so a backup without it never counts
lock              held, and who holds it, while bases are taken, deleted or recovered from
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from buttress.errors import BadInput, Conflict, NotFound

LOCK = "lock"
UNFINISHED = ".unfinished"
RECOVERY, DUMP, WAL = "recovery-", "dump-", "buttress-wal-"
"""How the names of folders begin that are gone when what made them ends."""


@dataclass(frozen=True)
class Base:
    """One base backup; times are UTC and the server's."""

    id: str
    after: str | None
    """The backup it holds the differences to; None for a full one."""
    timeline: int
    start: int
    """Position in the log from which it needs the log."""
    segment_bytes: int
    started_at: datetime
    finished_at: datetime
    """The earliest moment it can be recovered to."""
    bytes: int
    server_version: str

    @property
    def kind(self) -> str:
        """full or incremental."""
        return "incremental" if self.after else "full"


class Archive:
    """What lies in the folder of one server.

    `folder` bears the server's system identifier: segments of another server have the same names.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wal = folder / "wal"
        self.base = folder / "base"

    def create(self, uid: int, gid: int) -> None:
        """The folders, for the server's user alone."""
        for folder in (self.folder, self.wal, self.base):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chown(folder, uid, gid)

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Be the only one who works on it, as `what`; what killed ones have left goes first.

        The system gives the lock back when the process ends, however it ends.

        Raises
        ------
        Conflict
            Another one is at work.
        NotFound
            The folder is not there.
        """
        if not self.folder.is_dir():
            raise NotFound(
                f"there is no archive in {self.folder}", hint="`buttress pitr enable` makes one."
            )
        with (self.folder / LOCK).open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise Conflict(
                    f"{lock.read() or 'another process'} is at work in {self.folder}",
                    hint="Try again when it has ended.",
                ) from None
            lock.truncate(0)
            lock.write(f"pitr {what} of process {os.getpid()}")
            lock.flush()
            self._tidy()
            yield

    def _tidy(self) -> None:
        """Delete what was cut short. Only for who holds the lock: else somebody works in it."""
        left = [path for begin in (RECOVERY, DUMP, WAL) for path in self.folder.glob(f"{begin}*")]
        for path in [*left, *self.base.glob(f"*{UNFINISHED}")]:
            shutil.rmtree(path, ignore_errors=True)

    def bases(self) -> list[Base]:
        """All that are whole, the oldest first; raises BadInput when one cannot be read."""
        return sorted(
            (_read(path) for path in self.base.glob("*.json")), key=lambda base: base.finished_at
        )

    def publish(self, base: Base) -> None:
        """Have a backup count whose files are in place and on the disk."""
        unfinished = self.base / f".{base.id}.json"
        with unfinished.open("wb") as file:
            file.write(msgspec.json.encode(base))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.base / f"{base.id}.json")

    def delete(self, base: Base) -> None:
        """First it counts no longer, then it goes."""
        (self.base / f"{base.id}.json").unlink(missing_ok=True)
        gone = self.unfinished(base.id)
        with suppress(FileNotFoundError):
            self.path(base).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def chain(self, base: Base) -> list[Base]:
        """The full backup it rests on, what lies between, and itself.

        Raises
        ------
        NotFound
            One of them is gone.
        """
        known = {one.id: one for one in self.bases()}
        found = [base]
        while found[0].after is not None:
            before = known.get(found[0].after)
            if before is None:
                raise NotFound(
                    f"base backup {found[0].after}, on which {base.id} rests, is gone",
                    hint="Recover from an earlier base backup, or bring it back.",
                )
            found.insert(0, before)
        return found

    def path(self, base: Base) -> Path:
        """Where its files are."""
        return self.base / base.id

    def unfinished(self, name: str) -> Path:
        """Where the files of a base backup are that is being made or deleted."""
        return self.base / f"{name}{UNFINISHED}"

    def segments(self) -> set[str]:
        """The names of all segments that were archived."""
        return {
            path.name.removesuffix(".gz")
            for path in self.wal.glob("*.gz")
            if len(path.name) == len("000000010000000000000001.gz")
        }


def latest_before(bases: Sequence[Base], moment: datetime | None) -> Base:
    """The newest base backup a moment can be reached from; the newest of all for None.

    Raises
    ------
    NotFound
        There is none.
    """
    if not bases:
        raise NotFound("there is no base backup", hint="`buttress pitr base` makes one.")
    found = [base for base in bases if moment is None or base.finished_at <= moment]
    if not found:
        raise NotFound(
            f"the oldest base backup is of {bases[0].finished_at:%Y-%m-%d %H:%M:%S} UTC: nothing "
            "before that can be recovered",
            hint="Choose a later moment, or a backup: `buttress backup list`.",
        )
    return max(found, key=lambda base: base.finished_at)


def _read(path: Path) -> Base:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Base)
    except msgspec.MsgspecError as error:
        raise BadInput(
            f"{path} cannot be read: {error}",
            hint="Move it away with its folder, and make a new base backup.",
        ) from error

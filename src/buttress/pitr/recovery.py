"""A server of a past moment: a base backup, and the log replayed up to there."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from buttress.db import keeper
from buttress.db.embedded import SETTINGS
from buttress.db.server_files import PORT
from buttress.db.url import DatabaseURL, parse_database_url
from buttress.errors import Conflict, Unavailable
from buttress.pitr import bases
from buttress.pitr.archive import RECOVERY, Archive, Base
from buttress.pitr.archiving import restore_command
from buttress.pitr.commits import last_commit
from buttress.pitr.programs import Programs
from buttress.pitr.segments import DAMAGE, reach

POLL_SECONDS = 0.05
LOG_LINES = 6
HBA = "local all all trust\n"  # the folder of the socket is its user's alone


@dataclass(frozen=True)
class Plan:
    """What a recovery starts from, and where it stops."""

    base: Base
    until: datetime | None
    """It stops before the first commit after this moment; None for the end of the log."""
    last_commit: datetime
    """The last one that can be recovered."""
    last_segment: str
    """The last one that was read; empty when the base backup's own log is all there is."""


def lies_beyond(programs: Programs, archive: Archive, base: Base, moment: datetime | None) -> bool:
    """Whether the moment may be reached only if the server hands over more of its log.

    Only the end of the archived log is read. Where a segment is missing more of it is of no use.
    """
    found = reach(archive, base, read=False)
    if found.problem or moment is None:
        return not found.problem
    try:
        last = last_commit(programs, archive, found.segments)
    except DAMAGE:
        return False  # `plan` reads all, and says which
    return last is None or moment > last


def plan(programs: Programs, archive: Archive, base: Base, moment: datetime | None) -> Plan:
    """Read all of the log from the base backup on, and see whether it reaches the moment.

    Raises
    ------
    Conflict
        A segment is missing or damaged, or the log ends before; the message says up to which
        moment recovery is possible.
    """
    found = reach(archive, base)
    last = last_commit(programs, archive, found.segments) or base.finished_at
    if found.problem and (moment is None or moment > last):
        raise Conflict(
            f"{found.problem}: recovery from base backup {base.id} is possible up to "
            f"{last.isoformat(sep=' ')}",
            hint=f'Use --at "{last.isoformat(sep=" ")}", bring the segment back, or use a later '
            "base backup.",
        )
    if moment is not None and moment > last:
        raise Conflict(
            f"the log ends with a commit at {last.isoformat(sep=' ')}",
            hint="Use --at latest for all there is.",
        )
    last_segment = found.segments[-1] if found.segments else ""
    return Plan(base, moment if moment != last else None, last, last_segment)


@contextmanager
def recovered(
    programs: Programs, archive: Archive, plan: Plan, *, database: str
) -> Iterator[DatabaseURL]:
    """A server of that moment on a socket of its own, gone afterwards; its superuser's URL.

    Raises
    ------
    BadInput
        A base backup is damaged.
    Unavailable
        The server did not get there; the end of its log says why.
    """
    with (
        tempfile.TemporaryDirectory(prefix=RECOVERY, dir=archive.folder) as folder,
        programs.socket_folder() as sockets,
    ):
        place = Path(folder)
        programs.give(place)
        data, log = place / "data", place / "log"
        bases.combine(programs, archive, plan.base, data)
        (data / "recovery.signal").touch()
        (place / "hba").write_text(HBA)
        (place / "hba").chmod(0o644)
        arguments = _arguments(archive, plan, data, Path(sockets), place / "hba")
        with programs.running(arguments, log) as process:
            answers = keeper.postgresql_answers(data)
            while not answers(process.pid):
                if process.poll() is not None:
                    raise Unavailable(
                        f"the log could not be replayed: {_end(log)}",
                        hint="The live database was left as it was.",
                    )
                time.sleep(POLL_SECONDS)
            host = quote(sockets, safe="")
            yield parse_database_url(
                f"postgresql://postgres@/{quote(database, safe='')}?host={host}&port={PORT}"
            )


def _arguments(archive: Archive, plan: Plan, data: Path, sockets: Path, hba: Path) -> list[str]:
    settings = SETTINGS | {
        "unix_socket_directories": f'"{sockets}"',
        "hba_file": str(hba),
        "archive_mode": "off",
        "summarize_wal": "off",
        "restore_command": restore_command(archive.wal, plan.last_segment),
        "recovery_target_timeline": "current",
        "recovery_target_action": "promote",
        # Nobody asks it before it is there, and nothing on it is kept.
        "hot_standby": "off",
        "fsync": "off",
    }
    if plan.until is not None:
        settings["recovery_target_time"] = plan.until.isoformat(sep=" ")
    arguments = ["-D", str(data)]
    for name, value in settings.items():
        arguments += ["-c", f"{name}={value}"]
    return arguments


def _end(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return "\n".join(lines[-LOG_LINES:])

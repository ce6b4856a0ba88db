"""Having a server hand over its write-ahead log, segment by segment."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from buttress.errors import Unavailable
from buttress.pitr.archive import Archive

ARCHIVE_SECONDS = 60
"""A segment is handed over after so long even if it is not full: that much may be lost."""
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.05


def archive_command(wal: Path) -> str:
    """What the server runs for each segment.

    The copy is on the disk, under its own name and whole, before the server may forget the
    segment. One that is there already is accepted if it is the same, and never replaced. Level 4
    makes 16 kB of a segment with little in it, level 1 73 kB in half the time.
    """
    folder = shlex.quote(str(wal)).replace("%", "%%")
    return (
        f'd={folder}; t="$d/%f.gz"; '
        'if test -e "$t"; then gzip -dc "$t" | cmp -s - "%p"; '
        'else gzip -4 -nc "%p" > "$t.part" && sync "$t.part" && mv "$t.part" "$t" && sync "$d"; fi'
    )


def restore_command(wal: Path, last: str) -> str:
    """What a recovering server runs for each segment it wants, up to `last`.

    What the live server hands over meanwhile is not part of what was planned.
    """
    folder = shlex.quote(str(wal)).replace("%", "%%")
    return (
        f'd={folder}; test ! "%f" \\> "{last}" && test -e "$d/%f.gz" && gzip -dc "$d/%f.gz" > "%p"'
    )


def switch_on(connection: psycopg.Connection, archive: Archive) -> bool:
    """Write it into the server's configuration; whether the server must be restarted for it."""
    wanted = {
        "archive_mode": "on",
        "archive_command": archive_command(archive.wal),
        "archive_timeout": str(ARCHIVE_SECONDS),
        "summarize_wal": "on",
    }
    for name, value in wanted.items():
        connection.execute(
            sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
        )
    connection.execute("SELECT pg_reload_conf()")
    return not is_on(connection)


def is_on(connection: psycopg.Connection) -> bool:
    """Whether the server hands its log over at this moment."""
    return bool(one(connection, "SELECT current_setting('archive_mode') = 'on'"))


def hand_over(connection: psycopg.Connection, archive: Archive) -> None:
    """Have everything committed so far archived, and a commit after it.

    Recovery up to a moment stops at the first commit after it: there must be one.

    Raises
    ------
    Unavailable
        The server did not get rid of its log in time.
    """
    connection.execute("SELECT pg_current_xact_id()")
    name = one(connection, "SELECT pg_walfile_name(pg_switch_wal())")
    give_up = time.monotonic() + WAIT_SECONDS
    while not (archive.wal / f"{name}.gz").exists():
        if time.monotonic() > give_up:
            failed = one(connection, "SELECT last_failed_wal FROM pg_stat_archiver")
            raise Unavailable(
                f"segment {name} was not archived within {WAIT_SECONDS:g} seconds"
                + (f", and {failed} failed" if failed else ""),
                hint="See postgresql.log: is the folder of the archive full, or not the server's?",
            )
        time.sleep(POLL_SECONDS)


def one(connection: psycopg.Connection, statement: str) -> Any:
    """The first value of the first row."""
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]

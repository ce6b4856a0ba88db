"""A restored database takes the place of the live one: two renames, in one transaction."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
from psycopg import sql

from buttress.backup.content import explained
from buttress.backup.postgresql import maintenance
from buttress.db.url import DatabaseURL
from buttress.errors import Conflict

ATTEMPTS = 3
PAUSE_SECONDS = 0.01

LOCKED = """
    SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.objid
    WHERE l.classid = 'pg_database'::regclass AND l.mode = 'AccessExclusiveLock' AND l.granted
        AND d.datname = %s
"""
SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = %s AND pid <> pg_backend_pid()
"""


def swap(admin: DatabaseURL, *, new: str, live: str, kept: str) -> bool:
    """Rename `live` to `kept` and `new` to `live`; both or neither. Whether there was a `live`.

    Whoever is connected to `live` is disconnected, and who comes meanwhile waits, then finds the
    new one. A `live` that does not exist is no error: there is nothing to keep then.

    Raises
    ------
    ConfigurationError
        The role may not rename databases or end the sessions of others.
    Conflict
        Somebody's session could not be ended.
    """
    with explained(admin):
        for attempt in range(ATTEMPTS):
            try:
                return _rename(admin, new=new, live=live, kept=kept)
            except psycopg.errors.ObjectInUse as error:
                if attempt + 1 == ATTEMPTS:
                    raise Conflict(
                        f"{live} is in use and its sessions do not end",
                        hint="Stop what uses it, then restore again; it was left as it was.",
                    ) from error
    raise AssertionError


def _rename(admin: DatabaseURL, *, new: str, live: str, kept: str) -> bool:
    renamed = threading.Event()
    with maintenance(admin) as connection, maintenance(admin) as terminator:
        exists = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", (live,)
        ).fetchone()

        def end_sessions() -> None:
            # Renaming locks the database against newcomers first, then waits five seconds for
            # the sessions that are there to end. Ended before, they would be back at once.
            while not renamed.wait(PAUSE_SECONDS):
                if terminator.execute(LOCKED, (live,)).fetchone():
                    terminator.execute(SESSIONS, (live,))

        with ThreadPoolExecutor(1) as thread:
            ending = thread.submit(end_sessions)
            try:
                with connection.transaction():
                    if exists:
                        connection.execute(_rename_statement(live, kept))
                    connection.execute(_rename_statement(new, live))
            except psycopg.errors.ObjectInUse:
                renamed.set()
                ending.result()  # why they could not be ended, if that is the reason
                raise
            finally:
                renamed.set()
        return exists is not None


def _rename_statement(old: str, new: str) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
        sql.Identifier(old), sql.Identifier(new)
    )

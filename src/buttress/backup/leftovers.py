"""What restores and drills that were killed have left behind."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

from buttress.backup import postgresql, scratch
from buttress.backup.content import explained
from buttress.backup.site import Site

UNUSED = """
    SELECT datname FROM pg_database d
    WHERE starts_with(datname, %(start)s)
        AND substr(datname, length(%(start)s) + 1) ~ '^(restore|drill)_\\d{8}t\\d{6}_[0-9a-f]{4}$'
        AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname)
    ORDER BY 1
"""


def find(site: Site) -> list[str]:
    """Databases, or folders, of restores and drills that nobody carries on.

    Raises
    ------
    Unavailable
        The server does not answer.
    """
    if site.owner.backend == "sqlite":
        return [str(path) for parent in _parents(site) for path in scratch.abandoned(parent)]
    with explained(site.owner), postgresql.maintenance(site.owner) as connection:
        return [name for name in _unused(connection, site) if _is_dead(connection, name)]


def clear(site: Site, *, spared: Path | None) -> list[str]:
    """Delete them, but for a folder in which `spared` lies; what was deleted. Raises as `find`."""
    if site.owner.backend == "sqlite":
        return [
            str(path)
            for parent in _parents(site)
            for path in scratch.delete_abandoned(parent, spared=spared)
        ]
    gone = []
    with explained(site.owner), postgresql.maintenance(site.owner) as connection:
        for name in _unused(connection, site):
            # Between the look and the drop somebody may have connected: then it stays.
            with suppress(psycopg.errors.ObjectInUse):
                if _is_dead(connection, name):
                    connection.execute(
                        sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
                    )
                    gone.append(name)
    return gone


def _is_dead(connection: psycopg.Connection, name: str) -> bool:
    """Who restores into a database claims its name for as long as they live."""
    lock = {"name": name, "claims": postgresql.CLAIMS}
    row = connection.execute(
        "SELECT pg_try_advisory_lock(%(claims)s, hashtext(%(name)s))", lock
    ).fetchone()
    if row is None or not row[0]:
        return False
    connection.execute("SELECT pg_advisory_unlock(%(claims)s, hashtext(%(name)s))", lock)
    return True


def _unused(connection: psycopg.Connection, site: Site) -> list[str]:
    start = {"start": postgresql.start_of_names(site.owner)}
    return [str(name) for (name,) in connection.execute(UNUSED.encode(), start)]


def _parents(site: Site) -> list[Path]:
    """Where scratch folders are made."""
    assert site.owner.path is not None
    return sorted({site.home.resolve(), site.owner.path.parent.resolve()})

"""Jobs that had not ended when a backup was made: after a restore workers begin them again."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import psycopg

from buttress.backup import sqlite
from buttress.backup.content import connect
from buttress.db.url import DatabaseURL

COUNT = "SELECT count(*) FROM {} WHERE status IN ('ENQUEUED', 'DELAYED', 'PENDING')"


def in_postgresql(url: DatabaseURL) -> int:
    """How many a restored database holds; 0 when it has no jobs."""
    # A table of that name that is nobody's jobs is no reason to fail.
    with suppress(psycopg.errors.ProgrammingError), connect(url) as connection:
        row = connection.execute(COUNT.format("buttress_jobs.workflow_status").encode()).fetchone()
        return int(row[0]) if row else 0
    return 0


def in_sqlite(path: Path) -> int:
    """The same of a file."""
    with (
        suppress(sqlite3.OperationalError),
        closing(sqlite.open_file(path, read_only=True)) as connection,
    ):
        connection.execute("SELECT 1 FROM buttress_job_lease LIMIT 1")
        return int(connection.execute(COUNT.format("workflow_status")).fetchone()[0])
    return 0

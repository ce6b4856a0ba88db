"""What PostgreSQL itself knows: its connections, what runs now, and pg_stat_statements."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from buttress.db.database import Database
from buttress.db.monitor.statement import statement_of

CONNECTIONS = text(
    "SELECT coalesce(state, 'other') AS state, count(*) AS number FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 1"
)
LIMIT = text("SELECT current_setting('max_connections')::int")
RUNNING = text(
    "SELECT extract(epoch FROM now() - query_start)::float8 AS seconds, query,"
    " coalesce(wait_event_type, '') AS waits_for, cardinality(pg_blocking_pids(pid)) AS blocked_by"
    " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND state = 'active' AND query_start < now() - interval '1 second'"
    " ORDER BY query_start LIMIT 10"
)
STATEMENTS = text(
    "SELECT query, calls, total_exec_time AS total, rows, shared_blks_read AS blocks_read"
    " FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname ="
    " current_database()) AND toplevel ORDER BY total_exec_time DESC LIMIT 1000"
)


@dataclass(frozen=True)
class Running:
    """A statement that has been running for more than a second."""

    seconds: float
    text: str
    waits_for: str
    blocked_by: int


@dataclass(frozen=True)
class Measured:
    """A statement as the server measured it since its statistics were reset; milliseconds."""

    calls: int
    total: float
    rows: int
    blocks_read: int


@dataclass(frozen=True)
class Server:
    """The server at this moment."""

    connections: dict[str, int]
    """How many sessions of this database are in which state."""
    limit: int
    running: list[Running]
    measured: dict[str, Measured] | None
    """By fingerprint of the statement; None without pg_stat_statements."""


def look(database: Database) -> Server | None:
    """Ask the server; None when it is no PostgreSQL. Raises `Unavailable` when it is away."""
    if database.backend.name != "postgresql":
        return None
    with database.session(read_only=True) as session:
        connections = {row.state: row.number for row in session.execute(CONNECTIONS)}
        limit = session.scalar(LIMIT) or 0
        running = [
            Running(row.seconds, statement_of(row.query).text, row.waits_for, row.blocked_by)
            for row in session.execute(RUNNING)
        ]
    return Server(connections, limit, running, measured(database))


def measured(database: Database) -> dict[str, Measured] | None:
    """What pg_stat_statements holds, by the fingerprint the monitor gives the same statement."""
    found: dict[str, Measured] = {}
    try:
        with database.session(read_only=True) as session:
            for row in session.execute(STATEMENTS):
                key = statement_of(row.query).fingerprint
                known = found.get(key, Measured(0, 0.0, 0, 0))
                found[key] = Measured(
                    known.calls + row.calls,
                    known.total + row.total,
                    known.rows + row.rows,
                    known.blocks_read + row.blocks_read,
                )
    except SQLAlchemyError:  # the extension is not installed in this database, or not loaded
        return None
    return found

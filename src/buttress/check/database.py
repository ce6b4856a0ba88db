"""Checks of the connection to the database, and of what migrations made of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from buttress.check.facts import LOOPBACK, Facts
from buttress.check.registry import NotApplicable, NotChecked, check
from buttress.db.url import DatabaseURL, parse_database_url
from buttress.errors import ButtressError

OLDEST_MAJOR = 15
"""PostgreSQL 14 gets no corrections since November 2026."""
CLOCK_SECONDS = 2.0
OTHERS = 12
"""Connections of a process beside its pool: cache, health, monitor, jobs' client."""


@check(
    "BT-301", "database", "error", "The database does not answer",
    cure="Start it, or correct DATABASE_URL; `buttress up` starts the embedded one.",
)  # fmt: skip
def reachable(facts: Facts) -> str | None:
    """Without it nothing works, and most other checks cannot look."""
    if facts.runtime is None:
        return facts.away
    try:
        with facts.database.connection(read_only=True) as connection:
            connection.execute(text("SELECT 1"))
    except ButtressError as error:
        return error.message
    return None


@check(
    "BT-302", "database", "warning", "Old version of PostgreSQL",
    cure=f"Upgrade to PostgreSQL {OLDEST_MAJOR} or later; 18 is what we test on.",
)  # fmt: skip
def version(facts: Facts) -> str | None:
    """A major version gets corrections, those for security among them, for five years."""
    number = int(facts.server["server_version_num"])
    return f"the server is PostgreSQL {number // 10000}" if number // 10000 < OLDEST_MAJOR else None


@check(
    "BT-303", "database", "error", "Unverified connection to another host",
    cure="Add sslmode=verify-full&sslrootcert=FILE to the URL; providers offer their certificate.",
    deploy=True,
)  # fmt: skip
def verified_tls(facts: Facts) -> Iterator[str]:
    """Any other sslmode sends the password to whoever answers at that address: `require` encrypts,
    but does not ask who is there."""
    settings = facts.settings
    places = [
        ("DATABASE_URL", settings.database_url.get_secret_value()),
        ("BUTTRESS_BACKUP__DATABASE_URL", settings.backup.database_url.get_secret_value()),
        *(("BUTTRESS_REPLICA_URLS", url) for url in settings.replicas),
    ]
    for name, given in places:
        if given in ("", "embedded"):
            continue
        url = parse_database_url(given)
        mode = conninfo_to_dict(url.conninfo).get("sslmode", "prefer")
        if is_remote(url) and mode != "verify-full":
            yield f"{name} has sslmode {mode}"


def is_remote(url: DatabaseURL) -> bool:
    """Whether a URL leads to another machine."""
    if url.backend == "sqlite":
        return False
    hosts = str(conninfo_to_dict(url.conninfo).get("host") or "/").split(",")
    return any(not host.startswith(("/", "@", *LOOPBACK)) for host in hosts)


@check(
    "BT-304", "database", "error", "Pending migrations",
    cure="Run `buttress migrate upgrade`; `buttress up` does so itself for the embedded server.",
)  # fmt: skip
def pending(facts: Facts) -> str | None:
    """The code expects tables and columns that are not there; `/health/ready` answers 503."""
    found = migrations(facts, "pending")
    return f"not applied: {', '.join(found)}" if found else None


@check(
    "BT-305", "database", "warning", "Database newer than the code",
    cure="Install the version that made these migrations.",
)  # fmt: skip
def ahead(facts: Facts) -> str | None:
    """It holds revisions this code does not know. That is so for minutes while a deployment is
    replaced; longer, an old version is running."""
    found = migrations(facts, "newer")
    return f"unknown here: {', '.join(found)}" if found else None


def migrations(facts: Facts, which: str) -> list[str]:
    """Revisions that are `pending`, or `newer` than the code."""
    runtime = facts.open
    finding = runtime.health.ask(runtime.health.migrations)[0]
    if which not in finding.figures:
        raise NotChecked(finding.detail)
    found = finding.figures[which]
    assert isinstance(found, list)
    return found


@check(
    "BT-306", "database", "warning", "Schema differs from its migrations",
    cure="`buttress migrate check` lists the differences: write a migration, or undo them.",
    deploy=True,
)  # fmt: skip
def drift(facts: Facts) -> Iterator[str]:
    """Something was changed by hand, or a migration was edited after it was applied: the next one
    may fail here and nowhere else. A scratch database is migrated to compare."""
    from buttress.db.migrations import drift

    owner = facts.open.owner_database
    if facts.database.backend.name == "postgresql":
        with owner.connection(read_only=True) as connection:
            allowed = connection.scalar(
                text("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
            )
        if not allowed:
            raise NotChecked("the role may not create the scratch database to compare with")
    for difference in drift(owner, facts.open.migrations):
        yield f"{difference.item} is {difference.change}"


@check(
    "BT-307", "database", "error", "A pooler the URL does not tell of",
    cure="If it pools transactions, add ?pgbouncer=true to DATABASE_URL; else connect directly.",
)  # fmt: skip
def untold_pooler(facts: Facts) -> str | None:
    """Behind a pooler that gives each transaction another server connection, prepared statements
    and session settings get lost or meet somebody else's. The number of the server process in the
    greeting is not that of the process which answers: something stands in between."""
    if facts.postgresql.url.transaction_pooler:
        return None
    with facts.database.connection(read_only=True) as connection:
        answering = connection.scalar(text("SELECT pg_backend_pid()"))
        driver = connection.connection.driver_connection
    greeted = getattr(getattr(driver, "info", None), "backend_pid", answering)
    return None if greeted == answering else "another program answers in the server's name"


@check(
    "BT-308", "database", "error", "More connections than the server allows",
    cure="Lower BUTTRESS_POOL__SIZE and BUTTRESS_POOL__OVERFLOW, raise max_connections, or put "
    "PgBouncer in between.",
)  # fmt: skip
def connections(facts: Facts) -> str | None:
    """Under load a process opens all its settings allow. Past the server's limit some request gets
    an error; with several processes that comes earlier."""
    if facts.postgresql.url.transaction_pooler:
        raise NotApplicable
    server, pool = facts.server, facts.settings.pool
    reserved = int(server["superuser_reserved_connections"])
    free = int(server["max_connections"]) - reserved - int(server.get("reserved_connections", 0))
    wanted = pool.size + pool.overflow + OTHERS
    if wanted <= free:
        return None
    return f"one process may open {wanted} connections, the server takes {free}"


@check(
    "BT-309", "database", "warning", "Statements without a limit",
    cure="Set BUTTRESS_TIMEOUTS__STATEMENT_SECONDS, say to 60.",
)  # fmt: skip
def statement_timeout(facts: Facts) -> str | None:
    """A forgotten condition keeps a connection busy for hours, and its locks with it."""
    if facts.settings.timeouts.statement_seconds:
        return None
    return "BUTTRESS_TIMEOUTS__STATEMENT_SECONDS is 0"


@check(
    "BT-310", "database", "warning", "Locks waited for without a limit",
    cure="Set BUTTRESS_TIMEOUTS__LOCK_SECONDS, say to 10.",
)  # fmt: skip
def lock_timeout(facts: Facts) -> str | None:
    """Whoever waits for a lock keeps all that come later waiting too."""
    if facts.settings.timeouts.lock_seconds:
        return None
    return "BUTTRESS_TIMEOUTS__LOCK_SECONDS is 0"


@check(
    "BT-311", "database", "warning", "Clocks that differ",
    cure="Have both machines' clocks set by NTP.",
)  # fmt: skip
def clock(facts: Facts) -> str | None:
    """What is compared across machines, when a token or a schedule is due, is off by as much."""
    asked = time.time()
    [row] = facts.sql("SELECT extract(epoch FROM clock_timestamp())::float8")
    skew = float(row[0]) - (asked + time.time()) / 2
    if abs(skew) <= CLOCK_SECONDS:
        return None
    return f"the server's clock is {abs(skew):.1f} s {'ahead' if skew > 0 else 'behind'}"


@check(
    "BT-312", "database", "warning", "Standby that cannot take reads",
    cure="Bring it back, or take it out of BUTTRESS_REPLICA_URLS.", deploy=True,
)  # fmt: skip
def standbys(facts: Facts) -> Iterator[str]:
    """Reads it was meant to take go to the primary. What is named as a standby and is none would
    take them without following the primary."""
    import psycopg

    for given in facts.settings.replicas:
        url = parse_database_url(given)
        try:
            with psycopg.connect(url.conninfo, connect_timeout=2) as connection:
                row = connection.execute(
                    "SELECT pg_is_in_recovery(), extract(epoch FROM now() -"
                    " pg_last_xact_replay_timestamp())::float8"
                ).fetchone()
        except psycopg.Error as error:
            yield f"{url.label} does not answer ({type(error).__name__})"
            continue
        assert row is not None
        if not row[0]:
            yield f"{url.label} is no standby"
        elif (row[1] or 0.0) > max(facts.settings.replica_lag_seconds, 60.0):
            yield f"{url.label} has replayed nothing for {row[1]:.0f} s"

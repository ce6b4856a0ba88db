"""Checks of how the PostgreSQL server is set up, and of what it keeps that nobody asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from buttress.check.facts import Facts
from buttress.check.registry import check

PREPARED_SECONDS = 300.0


@check(
    "BT-321", "database", "error", "Commits that a crash may undo for good",
    cure="Set fsync = on and restart the server.", deploy=True,
)  # fmt: skip
def fsync(facts: Facts) -> str | None:
    """With fsync off a crash of the machine may leave the database damaged beyond repair."""
    return "fsync is off" if facts.server["fsync"] == "off" else None


@check(
    "BT-322", "database", "error", "Pages that a crash may tear",
    cure="Set full_page_writes = on.", deploy=True,
)  # fmt: skip
def full_page_writes(facts: Facts) -> str | None:
    """A page half written when the power fails cannot be repaired from the log without it."""
    return "full_page_writes is off" if facts.server["full_page_writes"] == "off" else None


@check(
    "BT-323", "database", "warning", "Commits acknowledged too early",
    cure="Set synchronous_commit = on, for this role and this database too.", deploy=True,
)  # fmt: skip
def synchronous_commit(facts: Facts) -> str | None:
    """The server says done before the commit is on disk: a crash loses the last half second."""
    return "synchronous_commit is off" if facts.server["synchronous_commit"] == "off" else None


@check(
    "BT-324", "database", "warning", "No checksums on pages",
    cure="Stop the server and run pg_checksums --enable, or restore into a new one.", deploy=True,
)  # fmt: skip
def checksums(facts: Facts) -> str | None:
    """A disk that returns other bytes than were written is not noticed, and backups copy them."""
    return "data_checksums is off" if facts.server["data_checksums"] == "off" else None


@check(
    "BT-325", "database", "error", "Autovacuum switched off",
    cure="Set autovacuum = on.",
)  # fmt: skip
def autovacuum(facts: Facts) -> str | None:
    """Tables grow with every update, statistics get old, and in the end the server refuses to
    write."""
    return "autovacuum is off" if facts.server["autovacuum"] == "off" else None


@check(
    "BT-326", "database", "warning", "Prepared transactions left behind",
    cure="COMMIT PREPARED or ROLLBACK PREPARED each by its name.",
)  # fmt: skip
def prepared_transactions(facts: Facts) -> list[str]:
    """A transaction that was prepared and forgotten keeps its locks for ever, and vacuum from
    cleaning up."""
    return facts.names(
        "SELECT 'transaction ' || gid FROM pg_prepared_xacts WHERE database = current_database()"
        " AND prepared < now() - make_interval(secs => :seconds)",
        seconds=PREPARED_SECONDS,
    )


@check(
    "BT-327", "database", "error", "Replication slot nobody reads",
    cure="Start its reader, or drop it: SELECT pg_drop_replication_slot('NAME').",
)  # fmt: skip
def inactive_slots(facts: Facts) -> list[str]:
    """The server keeps its log from the slot's position on, until the disk is full."""
    return facts.names(
        "SELECT 'slot ' || slot_name || ' keeps ' || pg_size_pretty(pg_wal_lsn_diff("
        " CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
        " ELSE pg_current_wal_lsn() END, restart_lsn)) || ' of log'"
        " FROM pg_replication_slots WHERE NOT active AND NOT temporary"
        " AND restart_lsn IS NOT NULL ORDER BY restart_lsn"
    )


@check(
    "BT-328", "database", "error", "Collation changed under the data",
    cure="REINDEX what sorts by it, then ALTER DATABASE … REFRESH COLLATION VERSION or ALTER "
    "COLLATION … REFRESH VERSION.",
)  # fmt: skip
def collations(facts: Facts) -> list[str]:
    """The operating system sorts text otherwise than when indexes were made: they miss rows, and
    unique ones let duplicates in."""
    return facts.names(
        "SELECT 'database ' || datname FROM pg_database WHERE datname = current_database()"
        " AND datcollversion <> pg_database_collation_actual_version(oid)"
        " UNION ALL SELECT 'collation ' || collname FROM pg_collation"
        " WHERE collversion <> pg_collation_actual_version(oid)"
    )


@check(
    "BT-329", "database", "warning", "Extensions behind their software",
    cure="ALTER EXTENSION … UPDATE, as the owner.",
)  # fmt: skip
def extensions(facts: Facts) -> list[str]:
    """The server's software was upgraded and the extension in the database was not."""
    return facts.names(
        "SELECT name || ' is ' || installed_version || ', ' || default_version || ' is there'"
        " FROM pg_available_extensions WHERE installed_version <> default_version"
    )


@check(
    "BT-330", "database", "warning", "Text that is not UTF-8",
    cure="Move into a database with ENCODING 'UTF8'.",
)  # fmt: skip
def encoding(facts: Facts) -> Iterator[str]:
    """Letters the encoding does not have cannot be stored; SQL_ASCII stores any bytes unchecked."""
    # Asked of the driver: in SQL_ASCII it would answer a query with bytes.
    with facts.postgresql.connection(read_only=True) as connection:
        driver: Any = connection.connection.driver_connection
        found = driver.info.parameter_status("server_encoding")
    if found != "UTF8":
        yield f"server_encoding is {found}"

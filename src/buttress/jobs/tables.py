"""The tables of jobs: the engine's and ours, in a schema of their own, made by the owner."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.schema import CreateSchema

from buttress.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

    from buttress.db.database import Database

SCHEMA = "buttress_jobs"
"""Where the tables lie on PostgreSQL; SQLite has none and keeps them beside the others."""


class Tables:
    """Our own tables, and the one of the engine's that leases look at."""

    def __init__(self, database: Database) -> None:
        self.schema = SCHEMA if database.backend.name == "postgresql" else None
        ours = MetaData(schema=self.schema)
        self.metadata = ours
        self.lease = Table(
            "buttress_job_lease",
            ours,
            Column("executor", Text, primary_key=True),
            Column("host", Text, nullable=False),
            Column("process", Integer, nullable=False),
            Column("beat_at", Double, nullable=False),
        )
        self.progress = Table(
            "buttress_job_progress",
            ours,
            Column("job", Text, primary_key=True),
            Column("done", Integer, nullable=False),
            Column("total", Integer),
            Column("note", Text, nullable=False),
            Column("at", Double, nullable=False),
        )
        self.installed = Table("buttress_job_engine", ours, Column("version", Text, nullable=False))
        self.work = Table(
            "workflow_status",
            MetaData(schema=self.schema),
            Column("workflow_uuid", Text, primary_key=True),
            Column("status", Text),
            Column("executor_id", Text),
            Column("queue_name", Text),
            Column("deduplication_id", Text),
        )

    def now(self) -> ColumnElement[float]:
        """Seconds since 1970 by the clock of the database, which all hosts share."""
        if self.schema is None:
            return (func.julianday("now") - 2_440_587.5) * 86_400.0
        return func.date_part("epoch", func.clock_timestamp())

    def version(self, connection: Connection) -> str | None:
        """The version of the engine the tables were made for; None when there are none."""
        if not inspect(connection).has_table(self.installed.name, schema=self.schema):
            return None
        found: str | None = connection.scalar(select(self.installed.c.version))
        return found


def install(database: Database) -> bool:
    """Make or renew the tables, connected as the owner; whether anything had to be done.

    What needs no change costs one question and does not import the engine.
    """
    tables = Tables(database)
    wanted = version("dbos")
    with database.connection(read_only=True) as connection:
        if tables.version(connection) == wanted:
            return False
    with database.lock("jobs", wait_seconds=60):
        from buttress.jobs.engine import install_engine

        if tables.schema:
            with database.connection() as connection:
                connection.execute(CreateSchema(tables.schema, if_not_exists=True))
        install_engine(database)
        with database.connection() as connection:
            tables.metadata.create_all(connection)
            if connection.scalar(select(func.count()).select_from(tables.installed)):
                connection.execute(update(tables.installed).values(version=wanted))
            else:
                connection.execute(insert(tables.installed).values(version=wanted))
    return True


def require_installed(database: Database) -> Tables:
    """The tables; raises `ConfigurationError` when the owner has not made them."""
    tables = Tables(database)
    with database.connection(read_only=True) as connection:
        if tables.version(connection) != version("dbos"):
            raise ConfigurationError(
                f"the tables of jobs in {database.url.label} are missing or of another version",
                hint="Run `buttress migrate`.",
            )
    return tables

"""The tables of jobs: the engine's and ours, in a schema of their own, made by the owner."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    cast,
    func,
    insert,
    inspect,
    literal_column,
    select,
    update,
)
from sqlalchemy.schema import CreateSchema

from buttress.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

    from buttress.db.database import Database

REVISION = 2
"""Of our own tables: it rises when one is added."""
SCHEMA = "buttress_jobs"
"""Where the tables lie on PostgreSQL; SQLite has none and keeps them beside the others."""


class Tables:
    """Our own tables, and those of the engine's that we look at."""

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
        self.mark = Table(
            "buttress_job_mark",
            ours,
            Column("job", Text, primary_key=True),
            Column("number", Integer, primary_key=True),
            Column("done", BigInteger, nullable=False),
            Column("total", BigInteger),
            Column("note", Text, nullable=False),
            Column("at", Double, nullable=False),
        )
        self.child = Table(
            "buttress_job_child",
            ours,
            Column("job", Text, primary_key=True),
            Column("parent", Text, nullable=False, index=True),
        )
        self.paused = Table(
            "buttress_job_paused",
            ours,
            Column("job", Text, primary_key=True),
            Column("at", Double, nullable=False),
        )
        self.paused_queue = Table(
            "buttress_job_paused_queue",
            ours,
            Column("queue", Text, primary_key=True),
            Column("at", Double, nullable=False),
        )
        self.installed = Table("buttress_job_engine", ours, Column("version", Text, nullable=False))
        engines = MetaData(schema=self.schema)
        self.work = Table(
            "workflow_status",
            engines,
            Column("workflow_uuid", Text, primary_key=True),
            Column("status", Text),
            Column("executor_id", Text),
            Column("owner_xid", Text),
            Column("queue_name", Text),
            Column("deduplication_id", Text),
            Column("delay_until_epoch_ms", BigInteger),
            Column("started_at_epoch_ms", BigInteger),
            Column("updated_at", BigInteger),
            Column("completed_at", BigInteger),
            Column("workflow_deadline_epoch_ms", BigInteger),
            Column("recovery_attempts", BigInteger),
            Column("attributes", JSON),
        )
        self.transaction = Table(
            "datasource_outputs",
            engines,
            Column("workflow_id", Text, primary_key=True),
            Column("step_id", Integer, primary_key=True),
        )

    @property
    def now_sql(self) -> str:
        """Seconds since 1970 by the clock of the database, which all hosts share, as SQL."""
        if self.schema is None:
            return "((julianday('now') - 2440587.5) * 86400.0)"
        return "date_part('epoch', clock_timestamp())"

    def now(self) -> ColumnElement[float]:
        """The same for statements that are put together."""
        return literal_column(self.now_sql, Double())

    def now_ms(self) -> ColumnElement[int]:
        """The same as the engine keeps it: whole milliseconds."""
        return cast(self.now() * 1000, BigInteger)

    def version(self, connection: Connection) -> str | None:
        """The version the tables were made for; None when there are none."""
        if not inspect(connection).has_table(self.installed.name, schema=self.schema):
            return None
        found: str | None = connection.scalar(select(self.installed.c.version))
        return found


def wanted_version() -> str:
    """The version the tables must be of: the engine's and ours."""
    return f"{version('dbos')} {REVISION}"


def install(database: Database) -> bool:
    """Make or renew the tables, connected as the owner; whether anything had to be done.

    What needs no change costs one question and does not import the engine.
    """
    tables = Tables(database)
    wanted = wanted_version()
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
        if tables.version(connection) != wanted_version():
            raise ConfigurationError(
                f"the tables of jobs in {database.url.label} are missing or of another version",
                hint="Run `buttress migrate`.",
            )
    return tables

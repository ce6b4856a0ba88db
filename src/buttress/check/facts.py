"""What checks look at: settings, the servers as far as they answer, and the apps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import text

from buttress.check.registry import NotApplicable, NotChecked
from buttress.errors import ButtressError
from buttress.runtime import Runtime
from buttress.settings import Given, Settings

if TYPE_CHECKING:
    import psycopg
    from valkey import Valkey

    from buttress.app import App
    from buttress.backup import Backup, Backups
    from buttress.db.database import Database
    from buttress.db.url import DatabaseURL

START_SECONDS = 0.0
CACHE_SECONDS = 1.0
LOOPBACK = ("localhost", "127.", "::1", "[::1]")


@dataclass
class Facts:
    """A deployment, as far as it can be looked at.

    `runtime` is None when it does not open; `away` says why.
    """

    settings: Settings
    given: Given = field(default_factory=Given)
    folder: Path = Path()
    """The working folder, where `.env`, `uv.lock` and `.streamlit` would lie."""
    runtime: Runtime | None = None
    away: str = ""

    @property
    def open(self) -> Runtime:
        """The open runtime; raises NotChecked."""
        if self.runtime is None:
            raise NotChecked(self.away or "the deployment is not open")
        return self.runtime

    @property
    def database(self) -> Database:
        """The database as role `app`; raises NotChecked."""
        return self.open.database

    @property
    def url(self) -> DatabaseURL | None:
        """Where DATABASE_URL leads; None for the embedded server."""
        from buttress.db.url import parse_database_url

        given = self.settings.database_url.get_secret_value()
        return None if given == "embedded" else parse_database_url(given)

    @property
    def is_embedded(self) -> bool:
        """Whether the database is the embedded server."""
        return self.settings.database_url.get_secret_value() == "embedded"

    @property
    def apps(self) -> list[App]:
        """The apps of the deployment."""
        return self.open.apps

    @property
    def is_public(self) -> bool:
        """Whether `buttress up` listens on an address others can reach."""
        return not self.settings.host.startswith(LOOPBACK)

    @property
    def postgresql(self) -> Database:
        """The database when it is PostgreSQL."""
        if self.database.backend.name != "postgresql":
            raise NotApplicable
        return self.database

    def sql(self, statement: str, **values: object) -> Sequence[Any]:
        """The rows PostgreSQL answers to role `app`; NotApplicable for SQLite."""
        with self.postgresql.connection(read_only=True) as connection:
            return connection.execute(text(statement), values).all()

    def names(self, statement: str, **values: object) -> list[str]:
        """The first column of these rows."""
        return [str(row[0]) for row in self.sql(statement, **values)]

    @cached_property
    def server(self) -> dict[str, str]:
        """PostgreSQL's own settings, as role `app` sees them."""
        return {row.name: row.setting for row in self.sql("SELECT name, setting FROM pg_settings")}

    @cached_property
    def valkey(self) -> Valkey:
        """A client of the cache server, which answers; raises NotChecked."""
        from valkey import Valkey, ValkeyError

        client = Valkey.from_url(
            self.open.cache_url,
            socket_timeout=CACHE_SECONDS,
            socket_connect_timeout=CACHE_SECONDS,
            decode_responses=True,
        )
        try:
            client.ping()
        except (ValkeyError, OSError) as error:
            raise NotChecked(f"no answer from the cache: {type(error).__name__}") from error
        return client

    @cached_property
    def valkey_memory(self) -> dict[str, Any]:
        """What the cache server says of its memory."""
        return cast("dict[str, Any]", self.valkey.info("memory"))

    @cached_property
    def backups(self) -> Backups:
        """The backups of the deployment, which need a store and no database."""
        from buttress.backup import backups_of
        from buttress.backup.site import site_of

        servers = None if self.runtime is None else self.runtime.servers
        if servers is None and self.is_embedded:
            raise NotChecked(self.away or "the embedded server does not run")
        return backups_of(self.settings, site_of(self.settings, servers))

    @cached_property
    def made(self) -> list[Backup]:
        """The backups there are, the newest first."""
        return self.backups.all()

    @contextmanager
    def reader(self) -> Iterator[psycopg.Connection]:
        """The database as the role that backs it up."""
        import psycopg

        site = self.backups.site
        if site.reader.backend != "postgresql":
            raise NotApplicable
        try:
            connection = psycopg.connect(site.reader.conninfo, connect_timeout=2)
        except psycopg.Error as error:
            raise NotChecked(
                f"the role that backs up cannot connect: {type(error).__name__}"
            ) from error
        with closing(connection):
            yield connection

    def close(self) -> None:
        """Close what was opened for checks alone."""
        if "valkey" in vars(self):
            self.valkey.close()  # type: ignore[no-untyped-call]


@contextmanager
def facts_of(settings: Settings, given: Given, folder: Path) -> Iterator[Facts]:
    """The facts of a deployment, opened meanwhile if its servers answer."""
    # Opened as in development, which refuses nothing: what production would refuse is told too.
    hasty = settings.model_copy(
        update={
            "environment": "development",
            "timeouts": settings.timeouts.model_copy(
                update={"start_seconds": START_SECONDS, "restart_seconds": 0.0}
            ),
        }
    )
    facts = Facts(settings, given, folder)
    runtime = Runtime(hasty)
    try:
        facts.runtime = runtime.__enter__()
    except ButtressError as error:
        facts.away = error.message
    try:
        yield facts
    finally:
        facts.close()
        runtime.close()

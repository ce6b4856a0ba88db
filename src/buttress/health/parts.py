"""What readiness depends on: the database, its migrations, the cache, and what apps add."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

from sqlalchemy import inspect, text

from buttress.errors import Unavailable
from buttress.health.finding import Answer, Check
from buttress.health.line import Line

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory
    from sqlalchemy import Connection

    from buttress.app import App
    from buttress.app import Check as AppCheck
    from buttress.runtime import Runtime

LABELS = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
CACHE_SECONDS = 0.4
UPGRADE = "Run `buttress migrate upgrade`."


def database(line: Line) -> Check:
    """The database's name and version."""

    def question() -> str:
        with line.connection() as connection:
            connection.execute(text("SELECT 1"))
            version = connection.dialect.server_version_info or ()
            label = LABELS[connection.dialect.name]
            return f"{label} {'.'.join(str(part) for part in version[:2])}"

    return Check("database", question)


class Migrations:
    """Whether the database is as the code of this process expects it.

    A newer database is a warning: while a deployment is replaced, its old processes go on beside
    what the new one has migrated.
    """

    def __init__(self, runtime: Runtime, line: Line) -> None:
        self._runtime = runtime
        self._line = line
        self._there = False

    def question(self) -> Answer:
        """Compare the applied revisions with those of the code."""
        script, every, apps = self.known
        with self._line.connection() as connection:
            heads = self._heads(connection)
        newer = sorted(
            head for head in heads if head not in every and head.rpartition("_")[0] in apps
        )
        ahead = {head.rpartition("_")[0] for head in newer}
        from buttress.db.migration_scripts import ancestors

        applied = ancestors(script, [head for head in heads if head in every])
        pending = [one for one in sorted(every - applied) if one.rpartition("_")[0] not in ahead]
        figures = {"applied": sorted(heads), "pending": pending, "newer": newer}
        if pending:
            return Answer(f"pending: {', '.join(pending)}", "fail", figures, UPGRADE)
        if newer:
            return Answer(
                f"the database is newer than this process: {', '.join(newer)}",
                "warn",
                figures,
                "Replace this process by the new version.",
            )
        return Answer("as the code expects", figures=figures)

    @property
    def are_known(self) -> bool:
        """Whether `known` was read."""
        return "known" in vars(self)

    @cached_property
    def known(self) -> tuple[ScriptDirectory, set[str], set[str]]:
        """The revisions of this process's apps and the apps' names; reads their folders once."""
        from buttress.db.migration_scripts import script_directory, with_foundation

        sources = with_foundation(self._runtime.migrations)
        script = script_directory(sources)
        every = {found.revision for found in script.walk_revisions()}
        return script, every, {source.name for source in sources}

    def _heads(self, connection: Connection) -> list[str]:
        from buttress.db.migration_scripts import VERSION_TABLE

        # A table that was there once is asked straight away: one question, not two.
        if not self._there and not inspect(connection).has_table(VERSION_TABLE):
            return []
        self._there = True
        return list(connection.scalars(text(f"SELECT version_num FROM {VERSION_TABLE}")))


def cache(runtime: Runtime) -> Check:
    """The cache server's name and version; without it reads are slower, and nothing is wrong."""

    def question() -> str:
        from valkey import Valkey, ValkeyError

        try:
            with Valkey.from_url(
                runtime.cache_url,
                socket_timeout=CACHE_SECONDS,
                socket_connect_timeout=CACHE_SECONDS,
            ) as client:
                server = cast("dict[str, str]", client.info("server"))
        except (ValkeyError, OSError) as error:
            raise Unavailable(
                "no answer from the cache", hint="Reads go to the database meanwhile."
            ) from error
        runtime.cache.start()
        own = runtime.cache.health()
        if own.status == "warn":
            raise Unavailable(own.detail)
        if "valkey_version" in server:
            return f"Valkey {server['valkey_version']}"
        return f"Redis {server['redis_version']}"

    return Check("cache", question, otherwise="warn")


def of_app(app: App, check: AppCheck, line: Line) -> Check:
    """A check an app declared, named `<app>: <check>`; failing, it is a warning."""

    def question() -> str | None:
        with line.session() as session:
            return check.probe(session)

    return Check(f"{app.name}: {check.name}", question, "warn", limit_seconds=check.limit_seconds)

"""One process, one runtime: all a deployment needs, opened in order and closed in reverse."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Self

from buttress.app import App
from buttress.errors import ConfigurationError
from buttress.settings import Settings
from buttress.telemetry import exporting

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from buttress.backup import Backups
    from buttress.cache import Cache
    from buttress.db.database import Database
    from buttress.db.embedded import Servers
    from buttress.db.migration_scripts import MigrationSource
    from buttress.db.monitor.monitor import Monitor
    from buttress.files import Files
    from buttress.health import Health
    from buttress.jobs import Jobs
    from buttress.llm import LLM

log = logging.getLogger(__name__)

GROUP = "buttress.apps"

_opened: list[Runtime] = []


class Runtime:
    """The open deployment: its servers, its database, its apps.

        with Runtime(Settings()) as runtime, runtime.session() as session:
            ...

    Attributes
    ----------
    settings
        What it was opened with.
    apps
        The installed apps that `settings.apps` selects, by name.
    servers
        The embedded servers, None when both URLs name real ones.
    database
        The database as role `app`: no superuser, owns nothing.
    owner_database
        The same database as its owner, for migrations and moves.
    monitor
        What every statement and all timed work of this process took.
    cache_url
        Where Valkey or Redis listens, password included.
    cache
        What functions declared with `buttress.cache.cached` are read through.
    jobs
        Background work: enqueue it, follow it, cancel it.
    identities
        Whose a cookie or a token is.
    llm
        Language models: ask them, and see what they took.
    health
        What probes ask.

    Raises
    ------
    ConfigurationError
        Settings contradict each other, or an app cannot be loaded; nothing was started.
    Unavailable
        A server does not answer.
    """

    servers: Servers | None
    database: Database
    owner_database: Database
    monitor: Monitor
    cache_url: str
    cache: Cache
    jobs: Jobs
    llm: LLM
    health: Health

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._exits = ExitStack()
        self.apps: list[App] = []

    def __enter__(self) -> Self:
        refuse_development_defaults(self.settings)
        self.apps = select_apps(self.settings.apps)
        with ExitStack() as exits:
            self._open(exits)
            _opened.append(self)
            exits.callback(_opened.remove, self)
            self._exits = exits.pop_all()
        log.debug("runtime opened", extra={"apps": ",".join(app.name for app in self.apps)})
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pools, then the servers; closing twice is fine."""
        self._exits.close()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction as role `app`: committed at the end, rolled back on an error."""
        with self.database.session() as session:
            yield session

    @property
    def backup(self) -> Backups:
        """The backups of this deployment: `runtime.backup.create("before the import")`."""
        from buttress.backup import backups_of
        from buttress.backup.site import site_of

        return backups_of(self.settings, site_of(self.settings, self.servers))

    @cached_property
    def files(self) -> Files:
        """What people uploaded: `runtime.files.put(session, stream, name=…, app=…)`."""
        from buttress.files import Files

        return Files(self.database, self.settings.files, default=self.settings.home / "files")

    @property
    def migrations(self) -> list[MigrationSource]:
        """The revisions of every app, for `buttress.db.migrations`."""
        return [app.migrations for app in self.apps]

    def _open(self, exits: ExitStack) -> None:
        from buttress.access.later import Later
        from buttress.access.lookup import Identities
        from buttress.access.signing_in import Lifetimes
        from buttress.cache import Cache
        from buttress.db.database import Database
        from buttress.db.embedded import start_servers
        from buttress.db.monitor.watching import watching
        from buttress.health import Health
        from buttress.housekeeping import housekeeping
        from buttress.jobs import Jobs
        from buttress.llm import LLM, Providers

        settings = self.settings
        exits.enter_context(exporting(settings))
        app_url = owner_url = settings.database_url.get_secret_value()
        self.cache_url = settings.redis_url.get_secret_value()
        self.servers = None
        data_folder = None
        if "embedded" in (app_url, self.cache_url):
            self.servers = start_servers(settings.home)
            exits.callback(self.servers.close)
            if app_url == "embedded":
                app_url = self.servers.postgres_url("app")
                owner_url = self.servers.postgres_url("owner")
                data_folder = self.servers.home / "postgresql"
            if self.cache_url == "embedded":
                self.cache_url = self.servers.valkey_url
        self.database = Database(
            app_url,
            pool=settings.pool,
            timeouts=settings.timeouts,
            replica_urls=settings.replicas,
            replica_lag_seconds=settings.replica_lag_seconds,
        )
        exits.callback(self.database.close)
        self.owner_database = self.database
        if owner_url != app_url:
            self.owner_database = Database(
                owner_url, pool=settings.pool, timeouts=settings.timeouts
            )
            exits.callback(self.owner_database.close)
        self.monitor = exits.enter_context(
            watching(
                self.database,
                [self.owner_database],
                settings=settings.monitor,
                app_folders=[str(app.folder) for app in self.apps],
            )
        )
        self.database.wait_until_ready()
        self.identities = Identities(
            self.session,
            Lifetimes(
                timedelta(hours=settings.access.idle_hours),
                timedelta(days=settings.access.absolute_days),
            ),
        )
        self.cache = Cache(
            self.database,
            url=self.cache_url,
            settings=settings.cache,
            data_folder=data_folder,
            development=settings.environment == "development",
        )
        exits.enter_context(self.cache)
        own_jobs = housekeeping(self)
        self.jobs = exits.enter_context(
            Jobs(
                self.database,
                lambda: [*own_jobs, *(job for app in self.apps for job in app.jobs)],
                lambda: [queue for app in self.apps for queue in app.queues],
                people=Later(self.session),
            )
        )
        self.llm = exits.enter_context(LLM(self.database, settings.llm, Providers.of(settings)))
        self.health = exits.enter_context(Health(self))


def current_runtime() -> Runtime:
    """The runtime of this process, for the jobs and routes of apps; the newest of several.

    Raises
    ------
    ConfigurationError
        None is open.
    """
    if not _opened:
        raise ConfigurationError(
            "no runtime is open in this process",
            hint="Open one with `with Runtime(Settings()):`, or start `buttress up`.",
        )
    return _opened[-1]


def refuse_development_defaults(settings: Settings) -> None:
    """Raise one `ConfigurationError` that lists everything production does not allow."""
    if settings.environment != "production":
        return
    problems = []
    database_url = settings.database_url.get_secret_value()
    if database_url == "embedded":
        problems.append("DATABASE_URL is the embedded server")
    if database_url.startswith("sqlite"):
        problems.append("DATABASE_URL is a SQLite file")
    if settings.redis_url.get_secret_value() == "embedded":
        problems.append("REDIS_URL is the embedded server")
    if problems:
        raise ConfigurationError(
            f"not fit for production: {'; '.join(problems)}",
            hint="Point DATABASE_URL at PostgreSQL and REDIS_URL at Valkey or Redis, "
            "or set BUTTRESS_ENVIRONMENT=development.",
        )


@dataclass(frozen=True)
class InstalledApp:
    """An app some installed package offers; nothing of it has been imported."""

    name: str
    distribution: str
    entry_point: EntryPoint


def installed_apps() -> list[InstalledApp]:
    """Every app the installed packages offer, by name.

    Raises
    ------
    ConfigurationError
        Two packages offer an app of the same name.
    """
    found = [
        InstalledApp(
            entry_point.name,
            f"{entry_point.dist.name} {entry_point.dist.version}" if entry_point.dist else "",
            entry_point,
        )
        for entry_point in entry_points(group=GROUP)
    ]
    for name, times in Counter(installed.name for installed in found).items():
        if times > 1:
            packages = sorted(app.distribution for app in found if app.name == name)
            raise ConfigurationError(
                f"{times} packages offer an app {name!r}: {', '.join(packages)}",
                hint="Uninstall all but one of them.",
            )
    return sorted(found, key=lambda installed: installed.name)


def select_apps(selection: str) -> list[App]:
    """The installed apps that a setting like `catalog,assistant` selects; all when it is empty.

    Raises
    ------
    ConfigurationError
        The selection names an app that is not installed, or an app cannot be imported.
    """
    installed = {app.name: app for app in installed_apps()}
    names = [name.strip() for name in selection.split(",") if name.strip()] or list(installed)
    unknown = [name for name in names if name not in installed]
    if unknown:
        raise ConfigurationError(
            f"BUTTRESS_APPS names {_listed(unknown)}, which no installed package offers",
            hint=f"Installed apps: {', '.join(installed) or 'none'}.",
        )
    return [load_app(installed[name]) for name in dict.fromkeys(names)]


def load_app(installed: InstalledApp) -> App:
    """Import one app.

    Raises
    ------
    ConfigurationError
        It fails to import, is not an `App`, or bears another name than its entry point.
    """
    others = "Mend it, uninstall it, or leave it out of BUTTRESS_APPS."
    try:
        app = installed.entry_point.load()
    except Exception as error:  # the code of an app may fail in any way
        raise ConfigurationError(
            f"app {installed.name!r} ({installed.distribution}) cannot be imported: "
            f"{type(error).__name__}: {error}",
            hint=others,
        ) from error
    if not isinstance(app, App):
        raise ConfigurationError(
            f"app {installed.name!r}: {installed.entry_point.value} is no buttress.App", hint=others
        )
    if app.name != installed.name:
        raise ConfigurationError(
            f"app {app.name!r} is offered under the name {installed.name!r}",
            hint=f"Its entry point must read: {app.name} = {installed.entry_point.value!r}.",
        )
    return app


def _listed(names: Sequence[str]) -> str:
    return " and ".join(repr(name) for name in names)

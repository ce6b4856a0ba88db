"""What an app is: a name, tables, routes, pages, jobs and checks, and where to find them.

    app = App("tickets", title="Support tickets", summary="Who asked what, and is it answered?")

An app is a package. Importing it costs nothing but this object; its modules `models`, `api`,
`pages`, `jobs` and `checks` are imported when a process needs that surface, and register what they
add:

    @app.api.get("/open")                    # api.py, served under /api/v1/tickets/open
    @app.page("Tickets", icon="inbox")       # pages.py, a page of the workspace
    @app.job                                 # jobs.py, done by workers
    @app.check                               # checks.py, asked by /health/ready

An installed package becomes an app of the deployment through an entry point of the group
`buttress.apps`.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from buttress.access.roles import Permission
from buttress.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import MetaData
    from sqlalchemy.orm import Session

    from buttress.db.migration_scripts import MigrationSource
    from buttress.jobs.declaration import Declared, Job, Step
    from buttress.jobs.queues import Queue

P = ParamSpec("P")
R = TypeVar("R")
Surface = Literal["models", "api", "pages", "jobs", "checks"]
Endpoint = TypeVar("Endpoint", bound=Callable[..., object])
Render = TypeVar("Render", bound=Callable[[], None])
Probe = TypeVar("Probe", bound="Callable[[Session], str | None]")

NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")


@dataclass(frozen=True)
class Route:
    """One HTTP route; `path` is relative to `/api/v1/<app>`."""

    method: str
    path: str
    endpoint: Callable[..., object]
    status: int
    summary: str | None
    needs: Permission
    """What whoever asks must be allowed."""
    media_type: str | None = None
    """Of an endpoint that answers with bytes; None for JSON."""


@dataclass(frozen=True)
class Page:
    """One page of the workspace."""

    title: str
    path: str
    icon: str
    render: Callable[[], None]
    needs: Permission


@dataclass(frozen=True)
class Check:
    """One health check: returns a line to show or None, raises when something is wrong."""

    name: str
    probe: Callable[[Session], str | None]
    limit_seconds: float = 0.5
    """How long it may take; beyond that it counts as failed."""


@dataclass(frozen=True)
class Method:
    """Records the routes of one HTTP method: `@app.api.get("/open")`."""

    name: str
    status: int
    needs: Permission
    recorded: list[Route]

    def __call__(
        self,
        path: str,
        *,
        status: int | None = None,
        summary: str | None = None,
        needs: Permission | None = None,
        media_type: str | None = None,
    ) -> Callable[[Endpoint], Endpoint]:
        """Answer on this path with what the function returns; `status` and `needs` are the
        method's own unless given. With a `media_type` it returns a response of such bytes."""

        def record(endpoint: Endpoint) -> Endpoint:
            self.recorded.append(
                Route(
                    self.name,
                    path,
                    endpoint,
                    status or self.status,
                    summary,
                    needs or self.needs,
                    media_type,
                )
            )
            return endpoint

        return record


class Routes:
    """Records the routes of an app; the API turns them into real ones when it starts."""

    def __init__(self) -> None:
        self.recorded: list[Route] = []
        self.get = Method("GET", 200, "apps.read", self.recorded)
        self.post = Method("POST", 201, "apps.write", self.recorded)
        self.put = Method("PUT", 200, "apps.write", self.recorded)
        self.patch = Method("PATCH", 200, "apps.write", self.recorded)
        self.delete = Method("DELETE", 204, "apps.write", self.recorded)


class App:
    """One app.

    Parameters
    ----------
    name
        Lower-case identifier of at most 30 characters. It prefixes the app's tables
        (`tickets_ticket`), its routes (`/api/v1/tickets`) and its pages, and names its branch of
        migrations.
    title
        What people call it.
    summary
        One sentence for the list of apps.
    package
        The package the app lives in; the module that calls this, unless told otherwise.
    metadata
        The tables of the app, when they are not those of `buttress.Base` whose names start with
        `<name>_`.

    Raises
    ------
    ConfigurationError
        The name cannot be used.
    """

    def __init__(
        self,
        name: str,
        *,
        title: str,
        summary: str = "",
        package: str | None = None,
        metadata: MetaData | None = None,
    ) -> None:
        if not NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name!r} cannot name an app",
                hint="Use lower-case letters, digits and underscores, at most 30, a letter first.",
            )
        self.name = name
        self.title = title
        self.summary = summary
        # As enum and namedtuple do: the module that defines the app is the one that calls.
        self.package = package or str(sys._getframe(1).f_globals["__name__"])
        self.api = Routes()
        self._metadata = metadata
        self._pages: list[Page] = []
        self._checks: list[Check] = []
        self._jobs: Declared | None = None

    def __repr__(self) -> str:
        return f"App({self.name!r}, title={self.title!r})"

    def page(
        self, title: str, *, icon: str = "article", needs: Permission = "apps.read"
    ) -> Callable[[Render], Render]:
        """Add a page to the workspace, for who has that permission; `icon` is the name of a
        Material symbol."""

        def record(render: Render) -> Render:
            path = f"{self.name}-{render.__name__.replace('_', '-')}"
            self._pages.append(Page(title, path, icon, render, needs))
            return render

        return record

    @overload
    def check(self, probe: Probe, /) -> Probe: ...

    @overload
    def check(self, *, limit_seconds: float = ...) -> Callable[[Probe], Probe]: ...

    def check(self, probe: Probe | None = None, *, limit_seconds: float = 0.5) -> Any:
        """Add a health check, named after the function, which raises when something is wrong.

        One that takes longer than its limit counts as failed; probes wait no longer for it.
        """

        def record(wrapped: Probe) -> Probe:
            name = wrapped.__name__.replace("_", " ")
            self._checks.append(Check(name, wrapped, limit_seconds))
            return wrapped

        return record if probe is None else record(probe)

    @overload
    def job(self, function: Callable[P, R], /) -> Job[P, R]: ...

    @overload
    def job(
        self,
        *,
        queue: Queue | str = ...,
        timeout_seconds: float | None = ...,
        schedule: str | None = ...,
        time_zone: str = ...,
        catch_up: bool = ...,
    ) -> Callable[[Callable[P, R]], Job[P, R]]: ...

    def job(self, function: Callable[..., Any] | None = None, **options: Any) -> Any:
        """Declare a job, named `<app>.<function>`; `buttress.jobs.Job` tells what the options mean.

        Raises
        ------
        ConfigurationError
            The name is taken, or an option cannot be used.
        """
        declared = self._declared()
        if function is not None:
            return declared.job(function, **options)
        return lambda wrapped: declared.job(wrapped, **options)

    def queue(
        self,
        name: str,
        *,
        concurrency: int | None = None,
        worker_concurrency: int | None = None,
        rate: tuple[int, float] | None = None,
    ) -> Queue:
        """Declare a queue, for `@app.job(queue=…)`; `buttress.jobs.Queue` tells what limits mean.

        Queues belong to the deployment: jobs of other apps may name it.

        Raises
        ------
        ConfigurationError
            The limits contradict each other; those of another declaration, when a worker starts.
        """
        from buttress.jobs.queues import Queue

        queue = Queue(name, concurrency, worker_concurrency, rate)
        self._declared().queues.append(queue)
        return queue

    @overload
    def step(self, function: Callable[..., R], /) -> Step[R]: ...

    @overload
    def step(
        self, *, transaction: bool = ..., retries: int = ..., backoff_seconds: float = ...
    ) -> Callable[[Callable[..., R]], Step[R]]: ...

    def step(self, function: Callable[..., Any] | None = None, **options: Any) -> Any:
        """Make a function a step of jobs; `buttress.jobs.Step` tells what the options mean."""
        from buttress.jobs.declaration import Step

        def declare(wrapped: Callable[..., Any]) -> Step[Any]:
            return Step(f"{self.name}.{wrapped.__name__}", wrapped, **options)

        return declare if function is None else declare(function)

    def _declared(self) -> Declared:
        from buttress.jobs.declaration import Declared

        if self._jobs is None:
            self._jobs = Declared(self.name)
        return self._jobs

    def load(self, surface: Surface) -> None:
        """Import the app's module of that name, if it has one; errors inside it are not hidden."""
        module = sys.modules.get(self.package) or importlib.import_module(self.package)
        if not hasattr(module, "__path__"):
            return  # an app in one file: importing it registered everything
        if importlib.util.find_spec(f"{self.package}.{surface}") is not None:
            importlib.import_module(f"{self.package}.{surface}")

    @property
    def routes(self) -> list[Route]:
        """The routes of the app, in the order they were declared."""
        self.load("api")
        return list(self.api.recorded)

    @property
    def pages(self) -> list[Page]:
        """The pages of the app, in the order they were declared."""
        self.load("pages")
        return list(self._pages)

    @property
    def jobs(self) -> list[Job[Any, Any]]:
        """The jobs of the app, in the order they were declared."""
        self.load("jobs")
        return [] if self._jobs is None else list(self._jobs.jobs.values())

    @property
    def queues(self) -> list[Queue]:
        """The queues the app declares."""
        self.load("jobs")
        return [] if self._jobs is None else list(self._jobs.queues)

    @property
    def checks(self) -> list[Check]:
        """The health checks of the app, in the order they were declared."""
        self.load("checks")
        return list(self._checks)

    @property
    def folder(self) -> Path:
        """The folder the app's code lies in."""
        module = sys.modules.get(self.package) or importlib.import_module(self.package)
        return Path(str(module.__file__)).parent

    @property
    def migrations(self) -> MigrationSource:
        """The app's revisions, in the folder `versions` beside its code, and its tables."""
        from buttress.db.base import Base
        from buttress.db.migration_scripts import MigrationSource

        self.load("models")
        metadata = self._metadata if self._metadata is not None else Base.metadata
        return MigrationSource(self.name, self.folder / "versions", metadata)

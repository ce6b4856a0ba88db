"""`buttress up`: the workspace and the API in one process on one port."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import threading
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from buttress.cli.address import address, sign_in_link
from buttress.cli.context import err, load_settings, out, plain
from buttress.cli.garbage import settling, uncollected
from buttress.errors import ConfigurationError

if TYPE_CHECKING:
    from types import FrameType

    from starlette.types import ASGIApp

    from buttress.runtime import Runtime
    from buttress.settings import Settings

STOP_SECONDS = 3
"""How long open requests may take to finish once the process is asked to stop."""

WORK_SECONDS, HOUSEKEEPING_SECONDS = 2.0, 5.0
"""How long a process serves before its worker begins: the engine is slow to import, and nobody is
to wait for a page meanwhile. Where apps have no jobs there is only housekeeping to do."""


def up(
    port: Annotated[
        int | None, typer.Option(help="Port to listen on.", show_default="BUTTRESS_PORT or 8501")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    apps: Annotated[
        str | None, typer.Option(help="Apps to start, comma separated.", show_default="all")
    ] = None,
) -> None:
    """Start the workspace and the API of this deployment, on one port, until Ctrl-C.

    Example: buttress up --port 8600
    """
    from buttress.runtime import Runtime
    from buttress.telemetry import configure_logging

    settings = load_settings(port=port, host=host, apps=apps)
    with listen(settings) as listening, stopping_on_sigterm(), uncollected():
        configure_logging(settings)
        with Runtime(settings) as runtime:
            migrate_embedded(runtime)
            with working(runtime):
                serve(runtime, listening)
    err.print("stopped")


def listen(settings: Settings) -> socket.socket:
    """The socket to serve on, bound before anything else is started.

    Raises
    ------
    ConfigurationError
        The port is in use or not allowed, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server(
            (settings.host, settings.port), family=family, backlog=2048
        )
    except OSError as error:
        where = f"port {settings.port} on {settings.host}"
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"{where} is in use",
                hint=f"Stop what uses it, or choose another: BUTTRESS_PORT={settings.port + 1}.",
            ) from error
        raise ConfigurationError(
            f"cannot listen on {where}: {error.strerror or error}",
            hint="Set BUTTRESS_HOST and BUTTRESS_PORT to what this machine has free.",
        ) from error
    # asyncio does this for sockets it makes itself. Without it the second half of an answer waits
    # until the client acknowledges the first, which it puts off for 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


class stopping_on_sigterm:  # noqa: N801  # used like a function
    """Inside, SIGTERM does what Ctrl-C does: everything is closed on the way out."""

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGTERM, signal.default_int_handler)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._before)


def migrate_embedded(runtime: Runtime) -> None:
    """Bring the embedded database up to date; a real one waits for `buttress migrate upgrade`."""
    from buttress.deployment import prepare
    from buttress.runtime import select_apps

    if runtime.settings.database_url.get_secret_value() != "embedded":
        return
    # All installed apps, whichever of them this process starts: the database belongs to all.
    apps = select_apps("")
    # The worker makes the tables of jobs, after the first page was served.
    later = worker_wanted(runtime)
    for revision in prepare(runtime.owner_database, apps, jobs=not later).revisions:
        out.print(f"applied {revision.id}: {plain(revision.message)}")
    runtime.cache.look()


def worker_wanted(runtime: Runtime) -> bool:
    """Whether this process does jobs too."""
    return runtime.settings.jobs.worker


def working(runtime: Runtime) -> AbstractContextManager[None]:
    """A worker in this process meanwhile, if the settings allow it."""
    from buttress.jobs import background

    if not worker_wanted(runtime):
        return contextlib.nullcontext()
    embedded = runtime.settings.database_url.get_secret_value() == "embedded"
    return background.working(
        runtime.jobs,
        concurrency=runtime.settings.jobs.concurrency,
        owner=runtime.owner_database if embedded else None,
        wait_seconds=WORK_SECONDS
        if any(app.jobs for app in runtime.apps)
        else HOUSEKEEPING_SECONDS,
    )


def serve(runtime: Runtime, listening: socket.socket) -> None:
    """Serve an open runtime until the process is asked to stop."""
    import uvicorn

    class Server(uvicorn.Server):
        """Tells probes to send nothing more before it stops listening."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            seconds = runtime.settings.health.drain_seconds
            if sig != signal.SIGTERM or runtime.health.draining or not seconds:
                super().handle_exit(sig, frame)
                return
            runtime.health.drain()
            threading.Timer(seconds, super().handle_exit, (sig, frame)).start()

    server = Server(
        uvicorn.Config(
            application(runtime),
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            # The gate reads what a proxy adds, from the proxies it is told to trust.
            proxy_headers=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )
    warming = threading.Thread(target=runtime.cache.warm, name="buttress-cache-warm", daemon=True)
    warming.start()
    out.print(f"Buttress is ready at [bold]{address(runtime.settings)}[/bold]  (Ctrl-C stops it)")
    if link := first_link(runtime):
        out.print("Nobody can sign in yet. Become the first admin at:")
        out.print(f"  [bold]{link}[/bold]", soft_wrap=True)
    # Once it has closed every connection, uvicorn passes the signal on.
    with contextlib.suppress(KeyboardInterrupt), settling():
        server.run(sockets=[listening])


def application(runtime: Runtime) -> ASGIApp:
    """The API with the workspace mounted beside it, behind the gate, and what counts around it."""
    from buttress.api.app import create_api
    from buttress.api.observed import Observed
    from buttress.gate import Gate
    from buttress.ui.app import create_workspace

    workspace = create_workspace(runtime)
    api = create_api(runtime, lifespan=workspace.lifespan())
    api.mount("/", workspace)
    return Observed(Gate(api, runtime))


def first_link(runtime: Runtime) -> str | None:
    """The address by which the first admin signs up, None once there is one."""
    from buttress.access import links, people

    with runtime.session() as session:
        if people.any_admin(session):
            return None
        return sign_in_link(runtime.settings, links.for_first_admin(session))

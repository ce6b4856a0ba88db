"""`buttress worker`: a process that does the jobs of this deployment."""

from __future__ import annotations

import contextlib
import threading
from typing import Annotated

import typer

from buttress.cli.context import err, load_settings, out
from buttress.cli.up import stopping_on_sigterm

DRAIN_SECONDS = 10


def worker(
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Jobs of one queue done at a time.",
            show_default="BUTTRESS_JOBS__CONCURRENCY or 10",
        ),
    ] = None,
    drain: Annotated[
        int, typer.Option(min=0, help="Seconds to let jobs finish when asked to stop.")
    ] = DRAIN_SECONDS,
) -> None:
    """Do the jobs of this deployment until Ctrl-C. Start any number, on any number of hosts.

    Jobs of a worker that dies are taken over by the others within seconds.

    Example: buttress worker --concurrency 4
    """
    from buttress.runtime import Runtime
    from buttress.telemetry import configure_logging

    settings = load_settings()
    configure_logging(settings)
    with stopping_on_sigterm(), Runtime(settings) as runtime:
        names = [job.name for job in runtime.jobs.declared()]
        from buttress.jobs.worker import Worker

        with Worker(
            runtime.jobs,
            concurrency=concurrency or settings.jobs.concurrency,
            drain_seconds=drain,
        ):
            out.print(f"working on {', '.join(sorted(names))}  (Ctrl-C stops it)", markup=False)
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
    err.print("stopped")

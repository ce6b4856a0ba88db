"""`buttress jobs`: what is waiting, running and done, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from buttress.cli.context import load_settings, out
from buttress.errors import BadInput, NotFound

if TYPE_CHECKING:
    from buttress.jobs import Jobs, JobStatus

app = typer.Typer(help="The background work of this deployment.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="ID", help="As `buttress jobs list` shows it.")]


@app.command("list")
def list_jobs(
    state: Annotated[
        str | None,
        typer.Option(help="waiting, delayed, running, done, failed, cancelled or 'given up'."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
) -> None:
    """List jobs, newest first.

    Example: buttress jobs list --state failed
    """
    from rich.table import Table

    from buttress.jobs.jobs import STATES

    known = {str(name): name for name in STATES.values()}
    if state is not None and state not in known:
        raise BadInput(f"{state!r} is no state of a job", hint=f"States: {', '.join(known)}.")
    with opened() as jobs:
        found = jobs.find(state=known[state] if state else None, limit=limit)
    if not found:
        out.print("no jobs")
        return
    table = Table("id", "job", "state", "since", "progress", box=None, pad_edge=False)
    for job in found:
        since = f"{job.ended_at or job.created_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(job.id, job.name, job.state, since, progress(job))
    out.print(table)


@app.command()
def show(job_id: JobId) -> None:
    """Show one job.

    Example: buttress jobs show 1f0c…
    """
    with opened() as jobs:
        job = jobs.show(job_id)
    ended = f"{job.ended_at:%Y-%m-%d %H:%M:%S}" if job.ended_at else "-"
    for name, value in (
        ("job", job.name),
        ("state", job.state),
        ("queue", job.queue or "none: started at once"),
        ("created", f"{job.created_at:%Y-%m-%d %H:%M:%S}"),
        ("ended", ended),
        ("begun", f"{job.attempts} times"),
        ("progress", progress(job) or "-"),
        ("error", job.error or "-"),
    ):
        out.print(f"{name:10}{value}", markup=False)


@app.command()
def cancel(job_id: JobId) -> None:
    """Stop a job: it does not begin, or does not begin another step.

    Example: buttress jobs cancel 1f0c…
    """
    with opened() as jobs:
        jobs.cancel(job_id)
    out.print(f"cancelled {job_id}", markup=False)


@app.command()
def retry(job_id: JobId) -> None:
    """Do a job that did not succeed again; what it had finished is not repeated.

    Example: buttress jobs retry 1f0c…
    """
    with opened() as jobs:
        jobs.retry(job_id)
    out.print(f"waiting again: {job_id}", markup=False)


@app.command()
def prune(
    days: Annotated[float, typer.Option(min=0, help="Keep those that ended since.")] = 30.0,
) -> None:
    """Delete jobs that ended long ago, with their results.

    Example: buttress jobs prune --days 90
    """
    with opened() as jobs:
        deleted = jobs.prune(days=days)
    out.print(f"deleted {deleted}")


def progress(job: JobStatus) -> str:
    """`3/10 resizing`, or nothing."""
    if job.progress is None:
        return ""
    total = "" if job.progress.total is None else f"/{job.progress.total}"
    return f"{job.progress.done}{total} {job.progress.note}".strip()


@contextmanager
def opened() -> Iterator[Jobs]:
    """The jobs of this deployment."""
    from buttress.runtime import Runtime

    with Runtime(load_settings()) as runtime:
        if not any(app.jobs for app in runtime.apps):
            raise NotFound(
                "no installed app has jobs",
                hint="A job is a function of an app under @app.job: see docs/howto/run-jobs.md.",
            )
        yield runtime.jobs

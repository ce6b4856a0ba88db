"""`buttress jobs`: what is waiting, running and done, and what to do about it."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from buttress.cli.context import load_settings, out
from buttress.errors import BadInput

if TYPE_CHECKING:
    from buttress.jobs import Jobs
    from buttress.jobs.status import State

LOOK_SECONDS = 1.0
FILE_WIDTH = 250

app = typer.Typer(help="The background work of this deployment.", no_args_is_help=True)

JobId = Annotated[
    str, typer.Argument(metavar="ID", help="As `buttress jobs list` shows it, or its beginning.")
]
MaybeJobId = Annotated[
    str, typer.Argument(metavar="[ID]", help="As `buttress jobs list` shows it, or its beginning.")
]
QueueName = Annotated[
    str | None, typer.Option("--queue", metavar="NAME", help="A whole queue instead of a job.")
]


@app.command("list")
def list_jobs(
    state: Annotated[
        str | None,
        typer.Option(
            help="waiting, delayed, running, paused, done, failed, cancelled or 'given up'."
        ),
    ] = None,
    queue: Annotated[str | None, typer.Option(help="Only those of this queue.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every second, until Ctrl-C.")
    ] = False,
) -> None:
    """List jobs, newest first.

    Example: buttress jobs list --state failed
    """
    wanted = known_state(state)
    with opened() as jobs:
        if watch:
            keep_showing(jobs, wanted, queue, limit)
            return
        from rich.console import Console

        from buttress.cli.job_tables import jobs_table

        found = jobs.find(state=wanted, queue=queue, limit=limit)
        # What is no terminal has no width: lines are not cut to that of one.
        wide = out if out.is_terminal else Console(width=FILE_WIDTH, highlight=False)
        wide.print(jobs_table(found) if found else "no jobs")


@app.command()
def show(
    job_id: JobId,
    arguments: Annotated[
        bool, typer.Option("--arguments", help="Also the values it was given, which are data.")
    ] = False,
) -> None:
    """Show one job: how it stands, its steps, what it said of its progress, and its family.

    Example: buttress jobs show 1f0c9a52
    """
    from buttress.cli import job_tables as tables

    with opened() as jobs:
        job = jobs.show(full_id(jobs, job_id))
        out.print(tables.facts(job, dt.datetime.now(dt.UTC)))
        args, kwargs = jobs.arguments(job.id)
        if args or kwargs:
            out.print()
            out.print(tables.arguments_table(args, kwargs, values=arguments))
        steps = jobs.steps(job.id)
        if steps:
            out.print()
            out.print(tables.steps_table(steps))
        said = jobs.history(job.id)
        if len(said) > 1:
            out.print("\n[bold]progress[/bold]")
            for line in tables.history_lines(said):
                out.print(line, markup=False)
        if job.parent or jobs.children(job.id):
            out.print()
            out.print(tables.family(jobs, job))


@app.command()
def cancel(
    job_id: JobId,
    children: Annotated[
        bool, typer.Option("--children", help="Also the jobs it made, and those they made.")
    ] = False,
) -> None:
    """Stop a job: it does not begin, or does not begin another step.

    Example: buttress jobs cancel 1f0c9a52 --children
    """
    with opened() as jobs:
        stopped = jobs.cancel(full_id(jobs, job_id), children=children)
    for each in stopped:
        out.print(f"cancelled {each}", markup=False)
    if not stopped:
        out.print("all of them have ended")


@app.command()
def retry(
    job_id: JobId,
    from_step: Annotated[
        int | None,
        typer.Option(min=1, help="Do this step and all after it again, whatever was done."),
    ] = None,
) -> None:
    """Do a job that did not succeed again; what it had finished is not repeated.

    Example: buttress jobs retry 1f0c9a52
    """
    with opened() as jobs:
        job_id = full_id(jobs, job_id)
        jobs.retry(job_id, from_step=from_step)
    out.print(f"waiting again: {job_id}", markup=False)


@app.command()
def pause(job_id: MaybeJobId = "", queue: QueueName = None) -> None:
    """Have a job wait before its next step, or let no job of a queue begin.

    Example: buttress jobs pause 1f0c9a52
    Example: buttress jobs pause --queue mail
    """
    with opened() as jobs:
        if one_of(job_id, queue):
            jobs.pause_queue(queue or "")
            out.print(f"queue {queue} is paused; what runs goes on", markup=False)
            return
        job_id = full_id(jobs, job_id)
        jobs.pause(job_id)
    out.print(f"paused {job_id}", markup=False)


@app.command()
def resume(job_id: MaybeJobId = "", queue: QueueName = None) -> None:
    """Let a paused job or queue go on.

    Example: buttress jobs resume 1f0c9a52
    Example: buttress jobs resume --queue mail
    """
    with opened() as jobs:
        if one_of(job_id, queue):
            jobs.resume_queue(queue or "")
            out.print(f"queue {queue} goes on", markup=False)
            return
        job_id = full_id(jobs, job_id)
        jobs.resume(job_id)
    out.print(f"goes on: {job_id}", markup=False)


@app.command()
def queues() -> None:
    """List the queues, their limits, and what waits and runs in them.

    Example: buttress jobs queues
    """
    from buttress.cli.job_tables import queues_table

    with opened() as jobs:
        out.print(queues_table(jobs.queues()))


@app.command()
def prune(
    days: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Keep those that ended since.",
            show_default="BUTTRESS_JOBS__KEEP_DAYS or 30",
        ),
    ] = None,
) -> None:
    """Delete jobs that ended long ago, with their results.

    Example: buttress jobs prune --days 90
    """
    keep_days = load_settings().jobs.keep_days if days is None else days
    with opened() as jobs:
        deleted = jobs.prune(days=keep_days)
    out.print(f"deleted {deleted}")


def keep_showing(jobs: Jobs, state: State | None, queue: str | None, limit: int) -> None:
    """The list, renewed until the process is interrupted."""
    from rich.live import Live

    from buttress.cli.job_tables import jobs_table

    with contextlib.suppress(KeyboardInterrupt), Live(console=out, auto_refresh=False) as live:
        while True:
            found = jobs.find(state=state, queue=queue, limit=limit)
            live.update(jobs_table(found) if found else "no jobs", refresh=True)
            time.sleep(LOOK_SECONDS)


def known_state(state: str | None) -> State | None:
    """The state of that name; raises `BadInput`."""
    from typing import get_args

    from buttress.jobs.status import State

    known: dict[str, State] = {name: name for name in get_args(State)}
    if state is not None and state not in known:
        raise BadInput(f"{state!r} is no state of a job", hint=f"States: {', '.join(known)}.")
    return known[state] if state else None


def one_of(job_id: str, queue: str | None) -> bool:
    """Whether a queue is meant; raises `BadInput` when both or none is named."""
    if bool(job_id) == bool(queue):
        raise BadInput("name either a job or a queue", hint="A queue is named by --queue NAME.")
    return bool(queue)


def full_id(jobs: Jobs, beginning: str) -> str:
    """The whole id of the job that is meant."""
    from buttress.jobs import status

    return status.full_id(jobs, beginning)


@contextmanager
def opened() -> Iterator[Jobs]:
    """The jobs of this deployment."""
    from buttress.runtime import Runtime

    with Runtime(load_settings()) as runtime:
        yield runtime.jobs

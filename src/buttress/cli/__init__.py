"""The terminal edge: `buttress`, and the one place that puts an error into words for a terminal."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from buttress.cli import apps, audit, backup, jobs, llm, metrics, migrate, people, pitr
from buttress.cli.check import check
from buttress.cli.context import err, out, plain
from buttress.cli.cutover import cutover
from buttress.cli.demo import demo
from buttress.cli.health import health
from buttress.cli.logs import logs
from buttress.cli.move import move, verify
from buttress.cli.stats import stats
from buttress.cli.up import up
from buttress.cli.worker import worker
from buttress.errors import ButtressError

INTERRUPTED = 130

cli = typer.Typer(
    name="buttress",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli.command()(move)
cli.command()(verify)
cli.command()(cutover)
cli.command()(up)
cli.command()(stats)
cli.command()(health)
cli.command()(check)
cli.command()(logs)
cli.command()(demo)
cli.command()(worker)
cli.add_typer(migrate.app, name="migrate")
cli.add_typer(apps.app, name="apps")
cli.add_typer(people.app, name="people")
cli.add_typer(audit.app, name="audit")
cli.add_typer(backup.app, name="backup")
cli.add_typer(jobs.app, name="jobs")
cli.add_typer(llm.app, name="llm")
cli.add_typer(pitr.app, name="pitr")
cli.add_typer(metrics.app, name="metrics")


def show_version(wanted: bool) -> None:
    """Print the version and leave."""
    from importlib.metadata import version as installed_version

    if wanted:
        out.print(f"buttress {installed_version('buttress')}")
        raise typer.Exit


@cli.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """From a SQLite prototype to PostgreSQL, proven row by row.

    Example: buttress move prototype.db
    """


def main() -> None:
    """Run the command line; the process ends with the exit code of what happened."""
    try:
        cli()
    except ButtressError as error:
        err.print(f"[bold red]error:[/bold red] {plain(error.message)}")
        if error.hint:
            err.print(f"[dim]hint:[/dim] {plain(error.hint)}")
        sys.exit(error.exit_code)
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:
            err.print("interrupted")
        raise

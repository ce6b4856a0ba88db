"""`buttress apps`: what is installed, and a new one that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from buttress.cli.context import load_settings, out

app = typer.Typer(help="The apps of this deployment.", invoke_without_command=True)


@app.callback()
def list_apps(context: typer.Context) -> None:
    """List the installed apps, or write a new one with `new`.

    Example: buttress apps
    """
    if context.invoked_subcommand is not None:
        return
    from rich.table import Table

    from buttress.runtime import installed_apps, select_apps

    found = installed_apps()
    if not found:
        out.print("no app is installed; `buttress apps new tickets` writes one that runs")
        return
    started = {app.name: app for app in select_apps(load_settings().apps)}
    table = Table("name", "title", "package", "started", box=None, pad_edge=False)
    for installed in found:
        chosen = started.get(installed.name)
        title = chosen.title if chosen else ""
        table.add_row(installed.name, title, installed.distribution, "yes" if chosen else "no")
    out.print(table)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Its name: lower case, like tickets.")],
    folder: Annotated[
        Path | None, typer.Option(help="Where to write it.", show_default="./NAME")
    ] = None,
) -> None:
    """Write a working app: tables, a migration, routes, a page, a health check and a test.

    Example: buttress apps new tickets
    """
    from buttress.scaffold import write_app

    written = write_app(name, folder or Path(name))
    out.print(f"wrote [bold]{written}[/bold]; now:\n")
    out.print(f"  pip install --editable {written}     offer it to this deployment")
    out.print("  buttress migrate upgrade" + " " * 12 + "create its table")
    out.print("  buttress up" + " " * 25 + f"see it, and its routes under /api/{name}")
    out.print(f"  pytest {written}" + " " * 20 + "run its test on a real PostgreSQL")

"""`buttress migrate`: bring the database to what the apps expect, and keep watch over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from buttress.cli.context import load_settings, out

if TYPE_CHECKING:
    from buttress.cache.lint import Uncovered
    from buttress.db.database import Database
    from buttress.db.migration_lint import Finding
    from buttress.db.migrations import MigrationSource, Revision
    from buttress.runtime import Runtime

FOUND = 1
"""Exit code of `drift` and `lint` when there is something to tell."""

app = typer.Typer(
    help="Bring the database to what the apps expect; without a command, apply what is pending.",
    invoke_without_command=True,
)


@app.callback()
def migrate(context: typer.Context) -> None:
    """Apply all pending revisions of all installed apps.

    Example: buttress migrate
    """
    if context.invoked_subcommand is None:
        upgrade()


@app.command()
def upgrade(
    target: Annotated[
        str, typer.Argument(help="heads, catalog@head or the id of a revision.")
    ] = "heads",
) -> None:
    """Apply the revisions up to a target; all of them when none is named.

    A database that has tables is backed up first, unless BUTTRESS_BACKUP__BEFORE_CHANGES is false.
    Then the tables whose models say `__cache_tags__` are watched, so that the cache hears of every
    change.

    Example: buttress migrate upgrade catalog@head
    """
    from buttress.backup import before_migration
    from buttress.deployment import prepare

    with every_app() as runtime:
        database = runtime.owner_database
        made_before = before_migration(runtime.settings, database, runtime.migrations)
        if made_before is not None:
            out.print(f"backed up as {made_before.id}", markup=False)
        done = prepare(database, runtime.apps, target=target)
    tell("applied", done.revisions, "the database is up to date")
    for table in done.watched:
        out.print(f"watching {table} for the cache", markup=False)
    for table in done.unwatched:
        out.print(f"no longer watching {table}", markup=False)
    if done.jobs:
        out.print("made the tables of jobs")


@app.command()
def downgrade(
    target: Annotated[
        str, typer.Argument(help="catalog@-1, catalog@base or the id of a revision.")
    ],
) -> None:
    """Undo revisions down to a target. What they had created is dropped, with its rows.

    Example: buttress migrate downgrade catalog@-1
    """
    from buttress.db import migrations

    with owned_database() as (database, sources):
        done = migrations.downgrade(database, sources, target)
    tell("undone", done, "nothing to undo")


@app.command()
def current() -> None:
    """Show the newest applied revision of each app.

    Example: buttress migrate current
    """
    from buttress.db import migrations

    with owned_database() as (database, sources):
        tell("", migrations.current(database, sources), "no revision has been applied")


@app.command()
def history() -> None:
    """Show all revisions in the order they are applied.

    Example: buttress migrate history
    """
    from buttress.db import migrations

    with owned_database() as (database, sources):
        revisions = migrations.history(database, sources)
    for revision in revisions:
        tell("applied" if revision.applied else "pending", [revision], "")
    if not revisions:
        out.print("no app has revisions")


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="APP", help="The app, like catalog.")],
    message: Annotated[str, typer.Argument(help="What changes, like 'add price'.")],
    empty: Annotated[
        bool, typer.Option("--empty", help="Write an empty revision to be filled by hand.")
    ] = False,
) -> None:
    """Write the next revision of an app: what brings its tables to its models.

    Example: buttress migrate new catalog "add price"
    """
    from buttress.db import migrations

    with owned_database() as (database, sources):
        path = migrations.new_revision(database, sources, name, message, autogenerate=not empty)
    out.print(f"wrote {path}; read it before you apply it" if path else "no change in the models")


@app.command()
def drift() -> None:
    """Compare the schema with what the applied revisions make; exit code 1 when they differ.

    Example: buttress migrate drift
    """
    from buttress.db import migrations

    with owned_database() as (database, sources):
        differences = migrations.drift(database, sources)
    for difference in differences:
        out.print(str(difference), markup=False)
    if differences:
        raise typer.Exit(FOUND)
    out.print("the schema is what the migrations make")


@app.command()
def lint(
    everything: Annotated[
        bool, typer.Option("--all", help="Also check revisions that were applied already.")
    ] = False,
) -> None:
    """Tell what in pending revisions would disturb others who use the database; exit code 1 if so.

    Also names cached functions that read models their tags leave out.

    Example: buttress migrate lint
    """
    from buttress.db import migrations

    with owned_database() as (database, sources):
        findings: list[Finding | Uncovered] = [
            *migrations.lint(sources, None if everything else database),
            *lint_cached_functions(),
        ]
    for finding in findings:
        out.print(f"{finding}\n  {finding.cure}", markup=False)
    if findings:
        raise typer.Exit(FOUND)
    out.print("nothing unsafe")


def lint_cached_functions() -> list[Uncovered]:
    """What the cached functions of all installed apps read without saying so."""
    from buttress.cache.lint import lint
    from buttress.runtime import select_apps

    for installed in select_apps(""):
        installed.load("api")
    return lint()


@contextmanager
def every_app() -> Iterator[Runtime]:
    """The deployment with all installed apps.

    BUTTRESS_APPS selects what a process serves; the database belongs to all of them.
    """
    from buttress.runtime import Runtime

    with Runtime(load_settings(apps="")) as runtime:
        yield runtime


@contextmanager
def owned_database() -> Iterator[tuple[Database, list[MigrationSource]]]:
    """The database as its owner, and the revisions of all installed apps."""
    with every_app() as runtime:
        yield runtime.owner_database, runtime.migrations


def tell(word: str, revisions: list[Revision], otherwise: str) -> None:
    """Print revisions, one a line."""
    for revision in revisions:
        line = f"{word} {revision.id}  {revision.app}: {revision.message}"
        out.print(line.strip(), markup=False)
    if not revisions and otherwise:
        out.print(otherwise)

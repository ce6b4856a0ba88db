"""`buttress backup`: make, prove, list, restore and prune backups."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from buttress.cli.backup_progress import progress_on
from buttress.cli.backup_shown import described, facts, show_line, totals
from buttress.cli.context import err, load_settings, out

if TYPE_CHECKING:
    from buttress.backup import Backups

FOUND = 1
"""Exit code of `verify` when a restore differs, and of `list` when a backup is damaged."""

app = typer.Typer(
    help="Back up the database and prove it by a restore; without a command, make a backup.",
    invoke_without_command=True,
)

Name = Annotated[str, typer.Argument(metavar="BACKUP", help="Its id, the start of it, or latest.")]


@app.callback()
def backup(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why, kept with the backup.")] = "by hand",
    drill: Annotated[
        bool | None,
        typer.Option(
            "--drill/--no-drill", help="Prove it by a restore now, whatever the setting says."
        ),
    ] = None,
) -> None:
    """Back up the database, restore the backup into a scratch database and compare all of it.

    Example: buttress backup --reason "before the campaign"
    """
    if context.invoked_subcommand is not None:
        return
    from buttress.backup import open_backups

    with open_backups(load_settings()) as backups, progress_on(err) as progress:
        made = backups.create(reason, drill=drill, progress=progress)
    show_line(made)


@app.command("list")
def list_(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """List all backups, the newest first, and what they take; exit code 1 when one is damaged.

    Example: buttress backup list
    """
    from buttress.backup import open_backups

    with open_backups(load_settings()) as backups:
        found, damaged, newer = backups.all(), backups.damaged(), backups.newer()
        place, stored = backups.store.label, backups.stored_bytes()
        left = _leftovers(backups)
    if json:
        out.print_json(data=[facts(one) for one in found])
    else:
        for one in found:
            show_line(one)
        out.print(totals(found, place, stored), markup=False)
    for name in left:
        err.print(
            f"{name} is left of a restore that was killed; the next one deletes it", markup=False
        )
    for name in newer:
        err.print(f"{name} was made by a newer Buttress; upgrade to read it", markup=False)
    for name in damaged:
        err.print(f"{name} is damaged", markup=False)
    if damaged:
        raise typer.Exit(FOUND)


@app.command()
def show(
    name: Name = "latest",
    json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False,
) -> None:
    """Show what is known of one backup: whence, how large, how it was proven, which tables.

    Example: buttress backup show latest
    """
    from buttress.backup import open_backups

    with open_backups(load_settings()) as backups:
        found = backups.find(name)
    if json:
        out.print_json(data=facts(found, whole=True))
        return
    for line in described(found):
        out.print(line, markup=False, highlight=False)


@app.command()
def verify(name: Name = "latest") -> None:
    """Restore a backup into a scratch database and compare it with what was backed up.

    Exit code 1 when something differs.

    Example: buttress backup verify latest
    """
    from buttress.backup import open_backups

    with open_backups(load_settings()) as backups, progress_on(err) as progress:
        record = backups.verify(name, progress=progress)
    for difference in record.differences:
        out.print(difference, markup=False)
    if record.differences:
        raise typer.Exit(FOUND)
    out.print(
        f"{record.backup} verified: {record.tables} tables, {record.rows:,} rows, "
        f"{record.seconds:.1f} s"
    )


@app.command()
def restore(
    name: Name = "latest",
    to: Annotated[
        str | None,
        typer.Option(help="Name (SQLite: file) of a new database; the live one is not replaced."),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(help="Only this table, beside the live ones under a new name (or --to)."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Restore and compare, then drop it again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put a backup in the place of the live database, which is kept under another name.

    The backup is restored beside the live database and compared first; on any failure the live
    one stays as it was. With --table no live table is touched: the rows as they were come into
    TABLE_restored_MOMENT, which only its owner may read.

    Example: buttress backup restore latest --dry-run
    """
    from buttress.backup import open_backups

    if table is not None:
        _restore_table(table, name, to, dry_run)
        return
    with open_backups(load_settings()) as backups:
        found = backups.find(name)
        if not (yes or dry_run or to):
            typer.confirm(
                f"Replace {backups.site.owner.label} by {found.id}?", abort=True, err=True
            )
        with progress_on(err) as progress:
            done = backups.restore(found.id, to=to, dry_run=dry_run, progress=progress)
    what = f"{done.tables} tables, {done.rows:,} rows, equal to the backup"
    if done.unended_jobs:
        err.print(
            f"{done.unended_jobs} jobs of it had not ended: workers begin them again", markup=False
        )
    if done.dry_run:
        out.print(f"{done.backup} can be restored: {what}", markup=False)
        return
    out.print(f"{done.database} is {done.backup} now: {what}", markup=False)
    if done.kept:
        out.print(f"what was there is kept as {done.kept}; drop it when sure", markup=False)


def _restore_table(table: str, name: str, to: str | None, dry_run: bool) -> None:
    from buttress.backup import open_backups

    with open_backups(load_settings()) as backups, progress_on(err) as progress:
        done = backups.restore_table(table, name, to=to, dry_run=dry_run, progress=progress)
    where = "can be restored" if done.dry_run else f"restored as {done.name}"
    out.print(f"{done.table} of {done.backup} {where}: {done.rows:,} rows, equal", markup=False)


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Delete backups that no rule keeps: of each day, of each month, pinned, the newest verified.

    Example: buttress backup prune --dry-run
    """
    from buttress.backup import open_backups

    with open_backups(load_settings()) as backups:
        gone = backups.prune(dry_run=dry_run, tell=partial(err.print, markup=False))
    for one in gone:
        out.print(f"{'would delete' if dry_run else 'deleted'} {one.id}", markup=False)
    if not gone:
        out.print("nothing to delete")


@app.command()
def pin(
    name: Name,
    off: Annotated[bool, typer.Option("--off", help="Let it go like the others.")] = False,
) -> None:
    """Keep a backup for ever.

    Example: buttress backup pin 20261122
    """
    from buttress.backup import open_backups

    with open_backups(load_settings()) as backups:
        show_line(backups.pin(name, pinned=not off))


def _leftovers(backups: Backups) -> list[str]:
    from buttress.errors import Unavailable

    try:
        return backups.leftovers()
    except Unavailable:
        return []  # a list of backups is wanted most when the database is gone

"""`buttress backup`: make, prove, list, restore and prune backups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from buttress.cli.context import err, load_settings, out

if TYPE_CHECKING:
    from buttress.backup import Backup

FOUND = 1
"""Exit code of `verify` when a restore differs, and of `list` when a backup is damaged."""
MEGABYTE = 1_000_000

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

    with open_backups(load_settings()) as backups:
        show_line(backups.create(reason, drill=drill, progress=_Told()))


@app.command("list")
def list_(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """List all backups, the newest first, and what they take; exit code 1 when one is damaged.

    Example: buttress backup list
    """
    from buttress.backup import open_backups

    with open_backups(load_settings()) as backups:
        found, damaged = backups.all(), backups.damaged()
        place = backups.store.label
    if json:
        out.print_json(data=[_facts(one) for one in found])
    else:
        for one in found:
            show_line(one)
        _totals(found, place)
    for name in damaged:
        err.print(f"{name} is damaged", markup=False)
    if damaged:
        raise typer.Exit(FOUND)


@app.command()
def show(name: Name = "latest") -> None:
    """Show all that is known of one backup, as JSON.

    Example: buttress backup show latest
    """
    from buttress.backup import open_backups

    with open_backups(load_settings()) as backups:
        out.print_json(data=_facts(backups.find(name), whole=True))


@app.command()
def verify(name: Name = "latest") -> None:
    """Restore a backup into a scratch database and compare it with what was backed up.

    Exit code 1 when something differs.

    Example: buttress backup verify latest
    """
    from buttress.backup import open_backups

    with open_backups(load_settings()) as backups:
        record = backups.verify(name, progress=_Told())
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Restore and compare, then drop it again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put a backup in the place of the live database, which is kept under another name.

    The backup is restored beside the live database and compared first; on any failure the live
    one stays as it was.

    Example: buttress backup restore latest --dry-run
    """
    from buttress.backup import open_backups

    with open_backups(load_settings()) as backups:
        found = backups.find(name)
        if not (yes or dry_run or to):
            typer.confirm(
                f"Replace {backups.site.owner.label} by {found.id}?", abort=True, err=True
            )
        done = backups.restore(found.id, to=to, dry_run=dry_run, progress=_Told())
    what = f"{done.tables} tables, {done.rows:,} rows, equal to the backup"
    if done.dry_run:
        out.print(f"{done.backup} can be restored: {what}", markup=False)
        return
    out.print(f"{done.database} is {done.backup} now: {what}", markup=False)
    if done.kept:
        out.print(f"what was there is kept as {done.kept}; drop it when sure", markup=False)


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Delete backups that no rule keeps: of each day, of each month, pinned, the newest verified.

    Example: buttress backup prune --dry-run
    """
    from buttress.backup import open_backups

    with open_backups(load_settings()) as backups:
        gone = backups.prune(dry_run=dry_run)
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


def show_line(backup: Backup) -> None:
    """One backup on one line."""
    manifest = backup.manifest
    marks = [backup_state(backup), *(["pinned"] if backup.pinned else [])]
    out.print(
        f"{backup.id}  {manifest.stored_bytes / MEGABYTE:9.1f} MB  "
        f"{manifest.content.rows:>11,} rows  {manifest.seconds:6.1f} s  "
        f"{', '.join(marks)}  {manifest.reason}",
        markup=False,
    )


def backup_state(backup: Backup) -> str:
    """`verified` when a restore of it was equal, `differs` when it was not, else `not verified`."""
    if backup.verified:
        return "verified"
    return "differs" if backup.drill and backup.drill.differences else "not verified"


def _totals(found: list[Backup], place: str) -> None:
    stored = sum(one.manifest.stored_bytes for one in found)
    whole = sum(one.manifest.database_bytes for one in found)
    ratio = f", {whole / stored:.1f} times smaller than the databases" if stored else ""
    verified = sum(one.verified for one in found)
    out.print(
        f"{len(found)} in {place}, {verified} verified, {stored / MEGABYTE:,.1f} MB{ratio}",
        markup=False,
    )


def _facts(backup: Backup, *, whole: bool = False) -> dict[str, object]:
    import msgspec

    manifest: dict[str, object] = msgspec.to_builtins(backup.manifest)
    if not whole:
        manifest["content"] = {"tables": len(backup.manifest.content.tables),
                               "rows": backup.manifest.content.rows}  # fmt: skip
    drill = msgspec.to_builtins(backup.drill)
    return manifest | {"state": backup_state(backup), "pinned": backup.pinned, "drill": drill}


class _Told:
    """One line on standard error that says what is done now."""

    def __init__(self) -> None:
        self._phase = ""

    def __call__(self, phase: str, done: int, total: int) -> None:
        if phase == self._phase and not err.is_terminal:
            return
        self._phase = phase
        amount = f"{done / MEGABYTE:,.0f} MB" if phase == "dump" else f"{done} of {total}"
        if err.is_terminal:
            err.print(f"\r{phase} {amount}\x1b[K", end="", markup=False)
            if total and done == total:
                err.print()
        else:
            err.print(phase)

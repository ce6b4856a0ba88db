"""`buttress pitr`: bring the embedded database back as it was at a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from buttress.cli.context import err, load_settings, out
from buttress.errors import BadInput

if TYPE_CHECKING:
    from buttress.pitr import Base

MEGABYTE = 1_000_000
LATEST = "latest"
FOUND = 1
"""Exit code of `status` when something is missing."""

app = typer.Typer(
    help="Bring the embedded database back as it was at any moment (point-in-time recovery).",
    no_args_is_help=True,
)


@app.command()
def enable() -> None:
    """Have the embedded server archive its log from now on, and take the first base backup.

    The server restarts once; who uses it waits for a moment. Everything lies in `pitr` in the data
    folder: make that a link to another disk before, so that losing one disk does not lose both.
    A `buttress up` or worker started afterwards takes a base backup each day and prunes each week.

    Example: buttress pitr enable
    """
    from buttress.pitr import open_pitr

    with open_pitr(load_settings()) as pitr:
        restarted = pitr.enable()
        base_ = pitr.base(full=not pitr.archive.bases())
    out.print(f"the log is archived in {pitr.archive.folder}", markup=False)
    if restarted:
        out.print("the server was restarted for it")
        out.print("restart `buttress up`: it then takes a base backup each day, prunes each week")
    _show(base_)


@app.command()
def base(
    full: Annotated[
        bool, typer.Option("--full", help="A full one, also when the last one is young.")
    ] = False,
) -> None:
    """Take a base backup and verify it; a full one each week, else what changed since the last.

    The job buttress.base does it every day, where a worker runs: recovery replays the log from the
    base backup before the moment.

    Example: buttress pitr base
    """
    from buttress.pitr import open_pitr

    with open_pitr(load_settings()) as pitr:
        _show(pitr.base(full=full))


@app.command()
def status(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Show from when on the database can be brought back; exit code 1 when something is missing.

    Example: buttress pitr status
    """
    import msgspec

    from buttress.pitr import open_pitr

    with open_pitr(load_settings()) as pitr:
        found = pitr.status()
    if json:
        out.print_json(data=msgspec.to_builtins(found, enc_hook=str))
    else:
        out.print(f"the log is {'archived' if found.on else 'not archived'}")
        for one in found.bases:
            _show(one)
        if found.since:
            out.print(f"any moment since {found.since:%Y-%m-%d %H:%M:%S} UTC")
        out.print(
            f"{found.segments} segments, {found.bytes / MEGABYTE:,.1f} MB in {found.folder}",
            markup=False,
        )
    problems = [found.problem] if found.problem else []
    problems += [f"segment {found.failed} could not be archived"] if found.failed else []
    problems += ["the log is not archived: buttress pitr enable"] if not found.on else []
    for problem in problems:
        err.print(problem, markup=False)
    if problems:
        raise typer.Exit(FOUND)


@app.command()
def restore(
    at: Annotated[
        str,
        typer.Option(help="The moment, as 2026-11-22 10:00, UTC unless it says +01:00; or latest."),
    ],
    to: Annotated[
        str | None, typer.Option(help="Name of a new database; the live one is not replaced.")
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="The base backup to start from, instead of the newest.")
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(help="Folder of a server whose data is lost, as `status` named it."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Recover and compare, then drop it again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put the database as it was at a moment in the place of the live one, which is kept.

    A server of that moment is made beside the live one; what is in it is restored into a new
    database, compared, and swapped by rename. On any failure the live one stays as it was.

    Example: buttress pitr restore --at "2026-11-22 10:00" --to shop_at_ten
    """
    from buttress.pitr import open_pitr

    moment = _moment(at)
    with open_pitr(load_settings()) as pitr:
        if not (yes or dry_run or to):
            typer.confirm(
                f"Replace {pitr.site.owner.label} by what it was at {at}?", abort=True, err=True
            )
        done = pitr.restore(moment, to=to, base=base, archive=archive, dry_run=dry_run)
    what = f"{done.tables} tables, {done.rows:,} rows, as of {done.until:%Y-%m-%d %H:%M:%S.%f} UTC"
    if dry_run:
        out.print(f"can be recovered from {done.base}: {what}", markup=False)
        return
    out.print(f"{done.database} is recovered from {done.base}: {what}", markup=False)
    if done.kept:
        out.print(f"what was there is kept as {done.kept}; drop it when sure", markup=False)


@app.command()
def prune(
    weeks: Annotated[int, typer.Option(min=0, help="Weeks that stay recoverable.")] = 4,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Delete base backups and log that no moment of the last weeks needs.

    The job buttress.prune_archive does it every week and keeps four, where a worker runs.

    Example: buttress pitr prune --weeks 4
    """
    from buttress.pitr import open_pitr

    with open_pitr(load_settings()) as pitr:
        gone = pitr.prune(weeks=weeks, dry_run=dry_run)
    word = "would go" if dry_run else "deleted"
    out.print(f"{len(gone.bases)} base backups and {len(gone.segments)} segments {word}")


def _show(one: Base) -> None:
    out.print(
        f"{one.id}  {one.kind}  {one.bytes / MEGABYTE:,.1f} MB  "
        f"{one.finished_at:%Y-%m-%d %H:%M:%S} UTC",
        markup=False,
    )


def _moment(text: str) -> datetime | None:
    if text == LATEST:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(
            f"{text!r} is no moment", hint='Write --at "2026-11-22 10:00" or --at latest.'
        ) from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)

"""`buttress move` and `buttress verify`: from SQLite to PostgreSQL, with a proof."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from buttress.cli.context import err, load_settings, out
from buttress.errors import MoveMismatch

if TYPE_CHECKING:
    from buttress.mover.report import MoveReport

Source = Annotated[Path, typer.Argument(help="A SQLite 3 file. It is only read.")]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="URL",
        help="The target, postgresql://user:password@host/database.",
        show_default="DATABASE_URL, or the embedded server",
    ),
]
Schema = Annotated[
    str, typer.Option(metavar="NAME", help="The schema the tables end in; made when missing.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="How many copy and compare at once.",
        show_default="the cores, up to 4",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of words.")]


def move(
    source: Source,
    to: To = None,
    schema: Schema = "public",
    plan: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A plan written by --dry-run, edited or not."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show and write the plan; the target is not touched."),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for report.html, report.json and plan.toml.",
            show_default="a new one below var/moves",
        ),
    ] = None,
    workers: Workers = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue this source's interrupted move.")
    ] = False,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Allow a schema that holds tables; they are kept in a schema beside it.",
        ),
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(metavar="TABLE", help="Move this table; may be repeated.")
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(metavar="TABLE", help="Leave this table; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Move a SQLite file to PostgreSQL and prove that every value arrived.

    The file is read on one snapshot while others may write to it. Everything
    is built beside the target schema and switched in one moment after the
    proof: a move that fails or is interrupted leaves the target as it was, and
    --resume continues it. Rows PostgreSQL cannot hold exactly are kept in
    buttress_quarantine, each with its reason.

    Exit code: 0 every row is proven in place; 3 proven, with rows in
    quarantine or unreadable; 65 the proof found differences, or the source
    cannot be used.

    Examples:

      buttress move prototype.db

      buttress move prototype.db --dry-run

      buttress move prototype.db --plan var/moves/ID/plan.toml

      buttress move prototype.db --to postgresql://me:secret@host/shop

      buttress move prototype.db --schema shop --skip logs --skip cache
    """
    from buttress.cli.move_progress import progress_on
    from buttress.mover import move as move_file
    from buttress.mover.report import MoveReport

    settings = load_settings()
    try:
        with progress_on(err) as progress:
            result = move_file(
                source,
                to,
                schema=schema,
                plan=plan,
                dry_run=dry_run,
                report=report,
                workers=workers,
                resume=resume,
                replace=replace,
                only=tuple(only or ()),
                skip=tuple(skip or ()),
                progress=progress,
                settings=settings,
            )
    except MoveMismatch as mismatch:
        if isinstance(mismatch.report, MoveReport):
            _show(mismatch.report, json=json)
        raise
    _show(result, json=json)
    raise typer.Exit(result.exit_code)


def verify(
    source: Source,
    to: To = None,
    schema: Schema = "public",
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Repeat the proof of a move: read both sides again and compare every cell.

    The plan is kept in the target, so nothing else of the move is needed. Rows
    that were written on either side since the move are differences. Nothing is
    changed.

    Exit code: 0 every row is proven in place; 3 proven, with rows in
    quarantine or unreadable; 65 there are differences.

    Examples:

      buttress verify prototype.db

      buttress verify prototype.db --to postgresql://me:secret@host/shop
    """
    from buttress.cli.move_progress import progress_on
    from buttress.mover import check_again

    settings = load_settings()
    with progress_on(err) as progress:
        result = check_again(
            source, to, schema=schema, workers=workers, progress=progress, settings=settings
        )
    _show(result, json=json)
    raise typer.Exit(result.exit_code)


def _show(report: MoveReport, *, json: bool) -> None:
    from buttress.cli.move_summary import print_summary

    if json:
        import msgspec

        # Written as bytes: the terminal's width and markup have no say in it.
        typer.echo(msgspec.json.format(msgspec.json.encode(report), indent=1))
    else:
        print_summary(report, out)

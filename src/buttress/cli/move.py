"""`buttress move` and `buttress verify`: from SQLite to PostgreSQL, with a proof."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from buttress.cli.context import err, load_settings, out, plain
from buttress.errors import MoveMismatch

if TYPE_CHECKING:
    from buttress.mover.report import MoveReport
    from buttress.settings import Settings

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
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            help="Go on bringing over what the app writes, until `buttress cutover`. This puts"
            " triggers into the source.",
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

      buttress move prototype.db --follow
    """
    from buttress.backup import before_move
    from buttress.cli.move_progress import progress_on
    from buttress.mover import move as move_file
    from buttress.mover.live.follow import begin
    from buttress.mover.report import MoveReport

    if follow and (dry_run or resume):
        raise typer.BadParameter("--follow goes with neither --dry-run nor --resume")
    settings = load_settings()
    options: dict[str, Any] = {
        "schema": schema,
        "plan": plan,
        "report": report,
        "workers": workers,
        "replace": replace,
        "only": tuple(only or ()),
        "skip": tuple(skip or ()),
        "settings": settings,
    }
    try:
        with progress_on(err) as progress:
            if follow:
                result = begin(source, to, progress=progress, **options)
            else:
                if replace and not dry_run:
                    options["backup"] = before_move(settings)
                result = move_file(
                    source, to, dry_run=dry_run, resume=resume, progress=progress, **options
                )
    except MoveMismatch as mismatch:
        if isinstance(mismatch.report, MoveReport):
            _show(mismatch.report, json=json)
        raise
    except KeyboardInterrupt:
        if not dry_run:
            err.print("The target is as it was; the same command with --resume goes on from here.")
        raise
    _show(result, json=json)
    if follow:
        follow_source(source, to, schema, settings)
    raise typer.Exit(result.exit_code)


def follow_source(source: Path, to: str | None, schema: str, settings: Settings) -> None:
    """Replay the source's changes until Ctrl-C, or until another process cuts over."""
    from buttress.mover.live.follow import follow

    rows, quiet = 0, False

    def tell(changed: int, caught_up: bool) -> None:
        nonlocal rows, quiet
        rows += changed
        if changed:
            quiet = False
        if caught_up and not quiet:
            err.print(f"followed: {rows:,} changed rows, caught up")
            quiet = True

    out.print(
        f"\nFollowing {plain(str(source))}. When the app can pause, run in another terminal:\n"
        f"  buttress cutover {plain(str(source))}\n"
        "Ctrl-C only stops following: the cut-over knows where to go on."
    )
    follow(source, to, schema=schema, settings=settings, stop=threading.Event(), told=tell)
    out.print("The cut-over is done; nothing is left to follow.")


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

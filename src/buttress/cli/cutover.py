"""`buttress move --follow` once the rows are moved, and `buttress cutover`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated

import typer

from buttress.cli.context import err, load_settings, out, plain
from buttress.cli.move import Schema, Source, To, Workers

if TYPE_CHECKING:
    from pathlib import Path

    from buttress.settings import Settings


def follow(source: Path, to: str | None, schema: str, settings: Settings) -> None:
    """Replay the source's changes until Ctrl-C, or until another process cuts over."""
    from buttress.mover.live.follow import follow as replay_changes

    stop, rows, quiet = threading.Event(), 0, False

    def tell(changed: int, caught_up: bool) -> None:
        nonlocal rows, quiet
        rows += changed
        if caught_up and not quiet:
            err.print(f"followed: {rows:,} changed rows, caught up")
        quiet = caught_up and not changed

    out.print(
        f"Following [bold]{plain(str(source))}[/bold]. When the app can pause, run in another"
        f" terminal:\n  buttress cutover {plain(str(source))}\nCtrl-C stops following; `buttress"
        " cutover` still knows where to go on."
    )
    replay_changes(source, to, schema=schema, settings=settings, stop=stop, told=tell)
    out.print("The cut-over is done; nothing is left to follow.")


def cutover(
    source: Source,
    to: To = None,
    schema: Schema = "public",
    workers: Workers = None,
    abandon: Annotated[
        bool,
        typer.Option(
            "--abandon",
            help="Remove every trace of following from the source; it can be written to again.",
        ),
    ] = False,
) -> None:
    """Finish a move that follows its source: lock it, bring the last changes over, prove them.

    The source is locked for the last changes only; how long is printed. After
    that it refuses writes, and the app belongs on PostgreSQL. The proof of
    everything is repeated once the lock is gone.

    Examples:

      buttress cutover app.db --to postgresql://me:secret@host/shop

      buttress cutover app.db --abandon
    """
    from buttress.cli.move_progress import progress_on
    from buttress.cli.move_summary import print_summary
    from buttress.mover.live import changes
    from buttress.mover.live.follow import cutover as cut_over

    if abandon:
        removed = changes.remove(source)
        out.print(f"{plain(str(source))}: {removed} objects of the move removed")
        return
    settings = load_settings()
    with progress_on(err) as progress:
        result = cut_over(
            source, to, schema=schema, settings=settings, workers=workers, progress=progress
        )
    print_summary(result.report, out)
    out.print(
        f"\nThe source was locked for [bold]{result.pause_seconds:.2f} seconds[/bold];"
        f" {result.changes:,} rows changed meanwhile. It refuses writes now."
    )
    if result.copied_again:
        out.print(f"Copied again during the lock: {plain(', '.join(result.copied_again))}")
    for orphan in result.orphans:
        out.print(
            f"{plain(orphan.table)}: {orphan.rows:,} rows violate {plain(orphan.foreign_key)};"
            " it holds for new rows"
        )
    out.print("Next: set DATABASE_URL of the app to the target and start it.")
    raise typer.Exit(result.report.exit_code)

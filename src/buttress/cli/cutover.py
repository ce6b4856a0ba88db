"""`buttress cutover`: the end of a move that follows its source."""

from __future__ import annotations

from typing import Annotated

import typer

from buttress.cli.context import err, load_settings, out, plain
from buttress.cli.move import Schema, Source, To, Workers


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

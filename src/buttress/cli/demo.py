"""`buttress demo`: a SQLite prototype, moved and proven before your eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from buttress.cli.context import err, load_settings, out, plain
from buttress.cli.up import listen, migrate_embedded, serve, stopping_on_sigterm

if TYPE_CHECKING:
    from buttress.mover.report import MoveReport
    from buttress.runtime import Runtime

SCHEMA = "prototype"


def demo(
    port: Annotated[
        int | None, typer.Option(help="Port to listen on.", show_default="BUTTRESS_PORT or 8501")
    ] = None,
) -> None:
    """Build a SQLite prototype, move it to PostgreSQL, prove it, and show the report in a browser.

    It has 20,000 products, and the flaws real prototypes have: what PostgreSQL cannot hold ends in
    quarantine, with a reason.

    Example: buttress demo --port 8600
    """
    from buttress.cli.move_summary import print_summary
    from buttress.runtime import Runtime
    from buttress.telemetry import configure_logging

    settings = load_settings(port=port)
    with listen(settings) as listening, stopping_on_sigterm():
        configure_logging(settings)
        with Runtime(settings) as runtime:
            migrate_embedded(runtime)
            print_summary(move_prototype(runtime), out)
            serve(runtime, listening)
    err.print("stopped")


def move_prototype(runtime: Runtime) -> MoveReport:
    """Move the demo's prototype into its schema, whatever an earlier demo left there."""
    from buttress.cli.move_progress import progress_on
    from buttress.demo import build_prototype, forget_earlier_demo
    from buttress.mover import move

    source = runtime.settings.home / "demo" / "prototype.db"
    if not source.exists():
        out.print(f"building {plain(str(source))}, a prototype with 20,000 products")
        build_prototype(source)
    forget_earlier_demo(runtime.owner_database, SCHEMA)
    with progress_on(err) as progress:
        return move(
            source, schema=SCHEMA, replace=True, settings=runtime.settings, progress=progress
        )

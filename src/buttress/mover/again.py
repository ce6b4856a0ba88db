"""The proof of a move repeated later, from what the target itself holds."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from buttress.errors import NotFound
from buttress.mover import side_tables
from buttress.mover.folder import SNAPSHOT, folder_errors, new_id, remove_snapshot
from buttress.mover.phases import Clock, Progress, silent
from buttress.mover.proof.prove import prove
from buttress.mover.report import MoveReport, verdict_of
from buttress.mover.site import target_of
from buttress.mover.source.snapshot import take_snapshot
from buttress.settings import Settings


def check_again(
    source: str | Path,
    target: str | None = None,
    *,
    schema: str = "public",
    workers: int | None = None,
    progress: Progress = silent,
    settings: Settings | None = None,
) -> MoveReport:
    """Repeat the proof of the newest move into `schema`, against the source as it is now.

    The plan comes from the target, so neither the report nor this machine's files are needed.
    Returns the move's report with the new proof and verdict (also `mismatch`: nothing is raised for
    a difference).

    Raises
    ------
    NotFound
        No move into that schema is recorded in the target.
    """
    settings = settings or Settings()
    workers = workers or min(4, os.cpu_count() or 1)
    folder = settings.home / "moves" / f"verify-{new_id()}"
    with target_of(target, settings, schema, "verify") as (where, _):
        with where.connect(schema=schema) as connection:
            result = side_tables.newest_move(connection, schema)
        if result is None:
            raise NotFound(
                f"no move into schema {schema} of {where.label} is recorded",
                hint="Move the file first with `buttress move`, or name the schema with --schema.",
            )
        clock = Clock()
        try:
            with folder_errors(folder):
                folder.mkdir(parents=True)
            with clock("snapshot"):
                snapshot = take_snapshot(Path(source), folder)
            with clock("proof"):
                result.proof = prove(
                    result.plan,
                    snapshot,
                    where,
                    schema=schema,
                    unreadable=result.unreadable,
                    workers=workers,
                    progress=lambda done, total, note: progress("proof", done, total, note),
                )
        finally:
            remove_snapshot(folder / SNAPSHOT)
            with contextlib.suppress(OSError):
                folder.rmdir()
    result.verdict = verdict_of(result)
    result.seconds = clock.seconds
    result.source, result.target = str(source), where.label
    return result

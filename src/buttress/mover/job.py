"""A move from beginning to end: snapshot, plan, copy, finish, proof, switch, report.

Everything is built in a staging schema of the target and switched in one transaction after the
proof, so a failure at any moment leaves the target as it was. The snapshot and the plan stay in the
move's folder until the switch, which is what `resume` continues from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from buttress.errors import MoveMismatch
from buttress.mover import side_tables, stage
from buttress.mover.finishing import finish
from buttress.mover.folder import (
    SNAPSHOT,
    UNFINISHED,
    Unfinished,
    find_unfinished,
    folder_errors,
    new_id,
    remove_snapshot_unless_unfinished,
    write_report,
    write_unfinished,
)
from buttress.mover.live.changes import last_position
from buttress.mover.loading import copy
from buttress.mover.phases import Clock, Progress, silent
from buttress.mover.plan import NotCarried, Plan
from buttress.mover.planning.plan_file import read_plan, write_plan
from buttress.mover.planning.planner import make_plan
from buttress.mover.proof.prove import prove
from buttress.mover.report import MoveReport, verdict_of
from buttress.mover.site import Site, locked_site
from buttress.mover.source.snapshot import take_snapshot
from buttress.mover.target import Target
from buttress.settings import Settings


def move(
    source: str | Path,
    target: str | None = None,
    *,
    schema: str = "public",
    plan: Path | None = None,
    dry_run: bool = False,
    report: Path | None = None,
    workers: int | None = None,
    resume: bool = False,
    replace: bool = False,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    progress: Progress = silent,
    backup: Callable[[Target], None] | None = None,
    settings: Settings | None = None,
) -> MoveReport:
    """Move a SQLite file into PostgreSQL and prove that every value arrived.

    Parameters
    ----------
    source
        Any SQLite 3 file; opened read-only, on one snapshot, while others may write.
    target
        A PostgreSQL URL; None for the deployment's database (`DATABASE_URL`, or the embedded
        server).
    schema
        The schema the tables end in; made when missing.
    plan
        A plan file written by an earlier dry run, edited.
    dry_run
        Only plan: write `plan.toml` and stop. The target is not touched.
    report
        Folder for `report.json`, `report.html` and `plan.toml`; default `<home>/moves/<id>`.
    workers
        Processes that copy and prove; default one a core, at most four.
    resume
        Continue the newest unfinished move of this source into this schema.
    replace
        Allow a schema that already holds tables: they are kept in a schema beside it.
    only, skip
        Names of tables to move or to leave.
    progress
        Called with the phase and how far it is.
    backup
        Called with the target before `replace` moves existing tables aside.

    Returns
    -------
    MoveReport
        With verdict `proven`, `proven with rows in quarantine`, or `planned` after a dry run.

    Raises
    ------
    MoveMismatch
        The proof found differences; the target was left as it was, `error.report` names the rows.
    BadInput, NotFound
        The source or the plan file cannot be used.
    Conflict
        The schema is not empty, or another move into it is running.
    Unavailable
        A server, a disk or a lock failed; what was copied stays for `resume`.
    """
    settings = settings or Settings()
    workers = workers or min(4, os.cpu_count() or 1)
    source = Path(source)
    clock = Clock()
    with contextlib.ExitStack() as stack:
        if resume:
            folder, unfinished = find_unfinished(report or settings.home / "moves", source, schema)
            move_id = unfinished.id
        else:
            move_id, unfinished = new_id(), None
            folder = report or settings.home / "moves" / move_id
        site = None
        if not dry_run:
            site = stack.enter_context(
                locked_site(target, settings, schema, move_id, replace=replace)
            )
        if site is not None and site.finished is not None:
            # The server died while it confirmed the switch: the move is done.
            (folder / UNFINISHED).unlink()
            write_report(site.finished, folder)
            return site.finished
        with folder_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        stack.callback(remove_snapshot_unless_unfinished, folder)
        if unfinished is None:
            (folder / UNFINISHED).unlink(missing_ok=True)
            decided = _plan(source, folder, schema, plan, only, skip, workers, clock, progress)
        else:
            decided = unfinished.plan
        result = MoveReport(
            id=move_id,
            verdict="planned",
            source=str(source),
            source_bytes=(folder / SNAPSHOT).stat().st_size,
            target=site.target.label if site else "",
            schema=schema,
            started_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            seconds=clock.seconds,
            plan=decided,
            not_carried=list(decided.not_carried),
            folder=str(folder),
        )
        if site is not None:
            if site.occupied and backup is not None:
                backup(site.target)
            _build(result, site, unfinished, clock, progress, workers)
            if result.verdict == "mismatch" and _give_up_generated(result):
                stage.discard(site.control, site.target)
                _build(result, site, None, clock, progress, workers)
            if result.verdict == "mismatch":
                stage.discard(site.control, site.target)
            else:
                with clock("switch"):
                    progress("switch", 0, 1)
                    stage.switch(
                        site.control,
                        decided,
                        site.target,
                        result,
                        replace=replace,
                        grant_to=site.grant_to,
                    )
                    progress("switch", 1, 1)
            (folder / UNFINISHED).unlink(missing_ok=True)
    write_report(result, folder)
    if result.verdict == "mismatch":
        different = sum(table.different for table in result.proof.tables)
        raise MoveMismatch(
            f"the proof found {different:,} differences between {source} and what was copied",
            report=result,
            hint=f"The target was left as it was; {folder / 'report.html'} names the rows.",
        )
    return result


def _plan(
    source: Path,
    folder: Path,
    schema: str,
    edited: Path | None,
    only: Sequence[str],
    skip: Sequence[str],
    workers: int,
    clock: Clock,
    progress: Progress,
) -> Plan:
    with clock("snapshot"):
        progress("snapshot", 0, 1)
        snapshot = take_snapshot(source, folder)
        progress("snapshot", 1, 1)
    with clock("plan"):
        decided = make_plan(
            snapshot,
            source=str(source),
            schema=schema,
            only=only,
            skip=skip,
            workers=workers,
            progress=lambda note, done, total: progress("plan", done, total, note),
        )
        decided.followed_from = last_position(snapshot)
        if edited is not None:
            decided = read_plan(edited, decided)
        write_plan(decided, folder / "plan.toml")
    return decided


def _build(
    result: MoveReport,
    site: Site,
    unfinished: Unfinished | None,
    clock: Clock,
    progress: Progress,
    workers: int,
) -> None:
    _stage(result, site, unfinished)
    _copy(result, site, clock, progress, workers)
    _finish(result, site, clock, progress, workers)
    _prove(result, site, clock, progress, workers)


def _give_up_generated(result: MoveReport) -> bool:
    """Let the source compute what PostgreSQL computes differently; whether that may mend the proof.

    Only when every difference lies in a generated column: anything else is no fault of a formula.
    """
    found: dict[str, set[str]] = {}
    for proof in result.proof.tables:
        if proof.different > len(proof.differences):
            return False
        for difference in proof.differences:
            found.setdefault(proof.table, set()).add(difference.column)
    columns = [
        (table, column)
        for table in result.plan.moving
        for column in table.columns
        if column.generated and column.name in found.get(table.name, ())
    ]
    if not columns or sum(map(len, found.values())) != len(columns):
        return False
    for table, column in columns:
        result.not_carried.append(
            NotCarried(
                kind="generated column",
                name=column.name,
                table=table.name,
                source=column.generated,
                reason="PostgreSQL computes other values; the column holds SQLite's, as plain data",
            )
        )
        column.generated = ""
    return True


def _stage(result: MoveReport, site: Site, unfinished: Unfinished | None) -> None:
    """Make the staging schema, or go on with the one an interrupted move left."""
    for schema in stage.stale(site.control, site.target.schema):
        if schema != site.target.staging:
            stage.discard(site.control, dataclasses.replace(site.target, staging=schema))
    if unfinished is not None and site.target.staging in stage.stale(
        site.control, site.target.schema
    ):
        result.not_carried = list(unfinished.not_carried)
        return
    result.not_carried += stage.prepare(site.control, result.plan, site.target)
    site.control.commit()
    write_unfinished(result)


def _finish(result: MoveReport, site: Site, clock: Clock, progress: Progress, workers: int) -> None:
    with clock("index"):
        finished = finish.finish(
            result.plan,
            site.target,
            Path(result.folder) / SNAPSHOT,
            workers=workers,
            progress=lambda note, done, total: progress("index", done, total, note),
        )
    result.orphans = finished.orphans
    result.not_carried += finished.not_carried


def _prove(result: MoveReport, site: Site, clock: Clock, progress: Progress, workers: int) -> None:
    with clock("proof"):
        result.proof = prove(
            result.plan,
            Path(result.folder) / SNAPSHOT,
            site.target,
            schema=site.target.staging,
            unreadable=result.unreadable,
            workers=workers,
            progress=lambda done, total, note: progress("proof", done, total, note),
        )
    result.quarantined = side_tables.examples(site.control, site.target.staging)
    site.control.rollback()
    result.verdict = verdict_of(result)


def _copy(result: MoveReport, site: Site, clock: Clock, progress: Progress, workers: int) -> None:
    plan, control, target = result.plan, site.control, site.target
    snapshot = Path(result.folder) / SNAPSHOT
    already = stage.done(control, target)
    control.rollback()
    total = sum(table.rows for table in plan.moving)
    rows = sum(copied.rows + copied.quarantined for copied in already.values())
    progress("copy", rows, total)

    def copied(chunk: copy.Chunk, copied: copy.Copied) -> None:
        nonlocal rows
        rows += copied.rows + copied.quarantined
        progress("copy", rows, total, chunk.table)

    with clock("copy"):
        todo = [chunk for chunk in copy.chunks(plan) if (chunk.table, chunk.number) not in already]
        copy.copy_all(plan, snapshot, target, todo, workers=workers, progress=copied)
    done = stage.done(control, target)
    control.rollback()
    result.unreadable = [lost for one in done.values() for lost in one.unreadable]

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
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from buttress.errors import MoveMismatch, NotFound
from buttress.mover import side_tables, stage
from buttress.mover.finishing import finish
from buttress.mover.folder import (
    SNAPSHOT,
    UNFINISHED,
    Unfinished,
    find_unfinished,
    folder_errors,
    remove_snapshot,
    remove_snapshot_unless_unfinished,
    write_report,
    write_unfinished,
)
from buttress.mover.live.changes import last_position
from buttress.mover.loading import copy
from buttress.mover.plan import NotCarried, Plan
from buttress.mover.planning.plan_file import read_plan, write_plan
from buttress.mover.planning.planner import make_plan
from buttress.mover.proof.prove import prove
from buttress.mover.report import MoveReport, Verdict
from buttress.mover.site import Site, locked_site, target_of
from buttress.mover.source.snapshot import take_snapshot
from buttress.mover.target import Target
from buttress.settings import Settings


class Progress(Protocol):
    """Told how far the move is.

    `phase` is one of snapshot, plan, copy, index, proof, switch; the counts are rows or objects.
    """

    def __call__(self, phase: str, done: int, total: int, note: str = "") -> None: ...


def silent(phase: str, done: int, total: int, note: str = "") -> None:
    """The progress of callers who do not want any."""


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
    clock = _Clock()
    with contextlib.ExitStack() as stack:
        if resume:
            folder, unfinished = find_unfinished(report or settings.home / "moves", source, schema)
            move_id = unfinished.id
        else:
            move_id, unfinished = _new_id(), None
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
    clock: _Clock,
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
    clock: _Clock,
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


def _finish(
    result: MoveReport, site: Site, clock: _Clock, progress: Progress, workers: int
) -> None:
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


def _prove(result: MoveReport, site: Site, clock: _Clock, progress: Progress, workers: int) -> None:
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
    result.verdict = _verdict(result)


def _copy(result: MoveReport, site: Site, clock: _Clock, progress: Progress, workers: int) -> None:
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
    folder = settings.home / "moves" / f"verify-{_new_id()}"
    with target_of(target, settings, schema, "verify") as (where, _):
        with where.connect(schema=schema) as connection:
            result = side_tables.newest_move(connection, schema)
        if result is None:
            raise NotFound(
                f"no move into schema {schema} of {where.label} is recorded",
                hint="Move the file first with `buttress move`, or name the schema with --schema.",
            )
        clock = _Clock()
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
    result.verdict = _verdict(result)
    result.seconds = clock.seconds
    result.source, result.target = str(source), where.label
    return result


class _Clock:
    """Seconds spent in each phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[phase] = round(
                self.seconds.get(phase, 0.0) + time.perf_counter() - began, 3
            )


def _verdict(result: MoveReport) -> Verdict:
    if not result.proof.ok:
        return "mismatch"
    if result.rows_quarantined or result.unreadable:
        return "proven with rows in quarantine"
    return "proven"


def _new_id() -> str:
    return f"{dt.datetime.now(dt.UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(2)}"

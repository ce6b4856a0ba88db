"""`move --follow` and `cutover`: from the first trigger in the source to the last change in the
target.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec
import psycopg
from psycopg import sql

from buttress.errors import Conflict, MoveMismatch, NotFound
from buttress.mover import side_tables
from buttress.mover.again import check_again
from buttress.mover.finishing.constraints import add_constraints, validate_foreign_keys
from buttress.mover.finishing.identities import add_identities
from buttress.mover.folder import folder_errors, remove_snapshot
from buttress.mover.job import move
from buttress.mover.live import changes
from buttress.mover.live.replay import CutOverDone, position_of, replay
from buttress.mover.loading import copy
from buttress.mover.phases import Progress, silent
from buttress.mover.plan import NotCarried, Plan
from buttress.mover.planning.planner import make_plan
from buttress.mover.report import MoveReport, Orphans
from buttress.mover.site import target_of
from buttress.mover.source.read import quote
from buttress.mover.source.schema import fold
from buttress.mover.source.snapshot import take_snapshot
from buttress.mover.target import Target
from buttress.settings import Settings

PAUSE_SECONDS = 0.2
"""How long a follower waits when there is nothing to replay."""


class CutOver(msgspec.Struct, kw_only=True):
    """The result of a cut-over."""

    pause_seconds: float
    """How long the source was locked."""
    changes: int
    """Rows replayed while it was."""
    copied_again: list[str] = []
    """Tables without a key, copied whole while it was locked."""
    orphans: list[Orphans] = []
    not_carried: list[NotCarried] = []
    report: MoveReport
    """The proof of everything, taken after the pause."""


def begin(
    source: Path,
    target: str | None,
    *,
    settings: Settings,
    progress: Progress = silent,
    **options: Any,
) -> MoveReport:
    """Put the triggers into the source, move it and prove it; `options` are those of `move`.

    The target is then ready for `follow`. A move that fails takes the triggers out again.
    """
    planned = _plan_of(source, settings)
    changes.install(source, planned)
    try:
        report = move(source, target, settings=settings, progress=progress, **options)
        _require_same_keys(planned, report.plan)
        with target_of(target, settings, report.schema, report.id) as (where, _):
            _prepare_target(source, where, report)
    except BaseException:
        changes.remove(source)
        raise
    return report


def follow(
    source: Path,
    target: str | None,
    *,
    schema: str,
    settings: Settings,
    stop: threading.Event,
    told: Callable[[int, bool], None] = lambda rows, caught_up: None,
) -> None:
    """Replay the source's changes until `stop` is set or a cut-over has taken place.

    `told` hears of every batch: rows brought up to date, and whether nothing is left.
    """
    with _followed(source, target, schema, settings) as (_, plan, connection, digest):
        while not stop.is_set():
            with changes.reading(source) as lite:
                if not changes.is_followed(lite):
                    return
                _check_schema(source, lite, digest)
                try:
                    batch = replay(lite, connection, plan)
                except CutOverDone:
                    return
            told(batch.rows, batch.caught_up)
            if batch.caught_up:
                stop.wait(PAUSE_SECONDS)


def cutover(
    source: Path,
    target: str | None,
    *,
    schema: str,
    settings: Settings,
    workers: int | None = None,
    progress: Progress = silent,
) -> CutOver:
    """Lock the source, bring over its last changes, prove them, and fence the source off.

    Raises
    ------
    NotFound
        The source is not followed into this schema.
    Conflict
        The source's tables were altered since, or a row differs.
    MoveMismatch
        The proof of everything, after the pause, found a difference.
    """
    with _followed(source, target, schema, settings) as (where, plan, connection, digest):
        _catch_up(source, connection, plan, progress)
        began = time.perf_counter()
        with changes.writing(source) as lite:
            _check_schema(source, lite, digest)
            last = 0
            while True:
                batch = replay(lite, connection, plan)
                last += batch.rows
                if batch.caught_up:
                    break
            again = _copy_again(lite, where, plan)
            _continue_sequences(lite, plan)
            site = dataclasses.replace(where, staging=schema)
            refused = _settle(connection, plan, site)
            changes.fence(lite, plan)
        pause = time.perf_counter() - began
        orphans: list[Orphans] = []
        connection.commit()
        for table in plan.moving:
            if not table.impossible:
                found, more = validate_foreign_keys(connection, plan, table, site)
                orphans, refused = orphans + found, refused + more
        connection.commit()
        connection.execute("DROP TABLE buttress_follow")
        connection.commit()
    report = check_again(
        source, target, schema=schema, workers=workers, progress=progress, settings=settings
    )
    if report.verdict == "mismatch":
        raise MoveMismatch(
            f"the proof after the cut-over found differences between {source} and {where.label}",
            report=report,
            hint="Keep the app on the old file: run `buttress cutover --abandon` to open it again.",
        )
    return CutOver(
        pause_seconds=round(pause, 3),
        changes=last,
        copied_again=again,
        orphans=orphans,
        not_carried=refused,
        report=report,
    )


def _plan_of(source: Path, settings: Settings) -> Plan:
    """The keys of the source's tables, before anything is written into it."""
    folder = settings.home / "moves" / "follow"
    with folder_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    snapshot = take_snapshot(source, folder)
    try:
        return make_plan(snapshot, source=str(source), schema="public")
    finally:
        remove_snapshot(snapshot)
        with contextlib.suppress(OSError):
            folder.rmdir()


def _require_same_keys(planned: Plan, moved: Plan) -> None:
    """The triggers note the keys of the first plan; the copy is found by those of the second."""
    keys = [{table.name: table.key for table in plan.moving} for plan in (planned, moved)]
    if keys[0] != keys[1]:
        raise Conflict(
            f"the keys of {moved.source} changed while the triggers were put in",
            hint="Begin again.",
        )


def _prepare_target(source: Path, where: Target, report: MoveReport) -> None:
    """Remember where to go on; let foreign keys and triggers rest, as rows arrive in any order."""
    with where.connect(schema=report.schema) as connection, changes.reading(source) as lite:
        connection.execute(
            "CREATE TABLE buttress_follow (source text NOT NULL, position bigint NOT NULL, "
            "fingerprint text NOT NULL, replayed_at timestamptz NOT NULL DEFAULT now(), "
            "cut_over_at timestamptz)"
        )
        connection.execute(
            "INSERT INTO buttress_follow (source, position, fingerprint) VALUES (%s, %s, %s)",
            (str(source.resolve()), report.plan.followed_from, changes.schema_digest(lite)),
        )
        side_tables.create(connection, report.schema)
        for table in report.plan.moving:
            if table.impossible:
                continue
            name = sql.Identifier(table.target)
            for key in table.foreign_keys:
                connection.execute(
                    sql.SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}").format(
                        name, sql.Identifier(key.target)
                    )
                )
            connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name))


@contextlib.contextmanager
def _followed(
    source: Path, target: str | None, schema: str, settings: Settings
) -> Iterator[tuple[Target, Plan, psycopg.Connection, str]]:
    with (
        target_of(target, settings, schema, "follow") as (where, _),
        where.connect(schema=schema) as connection,
    ):
        found = connection.execute(
            "SELECT to_regclass(%s)", (f"{sql.Identifier(schema, 'buttress_follow').as_string()}",)
        ).fetchone()
        report = None if found == (None,) else side_tables.newest_move(connection, schema)
        if report is None:
            raise NotFound(
                f"{where.label} does not follow {source} into schema {schema}",
                hint="Begin with `buttress move --follow`, or name the schema with --schema.",
            )
        row = connection.execute("SELECT fingerprint FROM buttress_follow").fetchone()
        connection.commit()
        assert row is not None
        yield where, report.plan, connection, str(row[0])


def _check_schema(source: Path, lite: apsw.Connection, digest: str) -> None:
    if digest != changes.schema_digest(lite):
        raise Conflict(
            f"the tables of {source} were altered while it was followed",
            hint=f"Run `buttress cutover {source} --abandon`, then move it again.",
        )


def _catch_up(source: Path, connection: psycopg.Connection, plan: Plan, progress: Progress) -> None:
    done = 0
    while True:
        with changes.reading(source) as lite:
            batch = replay(lite, connection, plan)
        done += batch.rows
        progress("replay", done, done)
        if batch.caught_up:
            return


def _copy_again(lite: apsw.Connection, where: Target, plan: Plan) -> list[str]:
    """Copy whole the tables whose changes no trigger could note."""
    again = [
        table
        for table in plan.moving
        if not table.impossible and not changes.follows_by_key(table, lite)
    ]
    if not again:
        return []
    site = dataclasses.replace(where, staging=where.schema)
    with site.connect() as writer:
        side_tables.create(writer, where.schema)
        for table in again:
            writer.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table.target)))
            for side in ("buttress_quarantine", "buttress_cells", "buttress_progress"):
                writer.execute(
                    sql.SQL("DELETE FROM {} WHERE table_name = %s").format(sql.Identifier(side)),
                    (table.name,),
                )
        writer.commit()
        partial = msgspec.structs.replace(plan, tables=again)
        for chunk in copy.chunks(partial):
            copy.copy_chunk(lite, writer, plan, chunk)
        writer.execute("DROP TABLE buttress_progress")
        writer.commit()
    return [table.name for table in again]


def _continue_sequences(lite: apsw.Connection, plan: Plan) -> None:
    """The next ids as the source would give them now."""
    issued: dict[str, int] = {}
    if lite.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").fetchall():
        issued = {
            fold(str(name)): int(seq or 0)
            for name, seq in lite.execute("SELECT name, seq FROM sqlite_sequence")
        }
    for table in plan.moving:
        if table.identity_next is None:
            continue
        (last,) = lite.execute(
            f"SELECT max({quote(table.rowid_alias)}) FROM {quote(table.name)}"
        ).fetchall()[0]
        ids = [int(one) for one in (last, issued.get(fold(table.name))) if one is not None]
        table.identity_next = max(ids) + 1 if ids else 1


def _settle(connection: psycopg.Connection, plan: Plan, site: Target) -> list[NotCarried]:
    """Sequences, foreign keys and triggers, before the app may write."""
    refused = add_identities(connection, plan, site) + add_constraints(connection, plan, site)
    for table in plan.moving:
        if not table.impossible:
            connection.execute(
                sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(sql.Identifier(table.target))
            )
    row = connection.execute("SELECT count(*) FROM buttress_follow").fetchone()
    assert row is not None
    position_of(connection)
    connection.execute("UPDATE buttress_follow SET cut_over_at = now()")
    connection.commit()
    return refused

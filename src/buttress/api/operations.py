"""Backups, moves and health under `/api/v1`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from buttress.api.jobs import JobsDep
from buttress.api.paging import USUAL, Cursor, Limit, read_cursor, write_cursor
from buttress.api.permission import needs
from buttress.api.route import StrictRoute
from buttress.api.session import RuntimeDep, SessionDep
from buttress.api.types import Page, Text
from buttress.backup import Backup
from buttress.errors import Conflict
from buttress.mover.history import list_moves, load_report
from buttress.mover.report import Verdict

BACKUP_JOB = "buttress.backup"
JSON_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {"type": "object"}}}}
}

router = APIRouter(tags=["Operations"], route_class=StrictRoute)


class BackupOut(BaseModel):
    """One backup; `verified` says that a restore of it was equal to what it was taken from."""

    id: str
    made_at: str
    reason: str
    database: str
    tables: int
    rows: int
    new_bytes: int
    stored_bytes: int
    seconds: float
    encrypted: bool
    verified: bool
    differences: list[str]
    pinned: bool


class Begun(BaseModel):
    """The job that does it."""

    job: str


class MoveOut(BaseModel):
    """One finished move."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    schema_name: str
    source: str
    finished_at: datetime
    verdict: Verdict
    tables: int
    rows_proven: int
    rows_quarantined: int


def told(backup: Backup) -> BackupOut:
    """A backup as it is answered."""
    manifest = backup.manifest
    return BackupOut(
        id=backup.id, made_at=str(manifest.started_at), reason=manifest.reason,
        database=manifest.database, tables=len(manifest.content.tables),
        rows=manifest.content.rows, new_bytes=manifest.new_bytes,
        stored_bytes=manifest.stored_bytes, seconds=manifest.seconds,
        encrypted=manifest.encryption is not None, verified=backup.verified,
        differences=list(backup.drill.differences) if backup.drill else [],
        pinned=backup.pinned,
    )  # fmt: skip


@router.get("/backups", dependencies=[needs("backups.read")])
def list_backups(
    runtime: RuntimeDep,
    limit: Limit = USUAL,
    cursor: Cursor = None,
) -> Page[BackupOut]:
    """Backups that can be read, the newest first."""
    found = sorted(runtime.backup.all(), key=lambda backup: backup.id, reverse=True)
    if cursor is not None:
        (last,) = read_cursor(cursor, "backups", (str,))
        found = [backup for backup in found if backup.id < last]
    more = write_cursor("backups", (found[limit - 1].id,)) if found[limit:] else None
    return Page(items=[told(backup) for backup in found[:limit]], next=more)


@router.get("/backups/{backup_id}", dependencies=[needs("backups.read")])
def show_backup(backup_id: Text, runtime: RuntimeDep) -> BackupOut:
    """One backup by its id, the start of it, or `latest`."""
    return told(runtime.backup.find(backup_id))


@router.post("/backups", status_code=202, dependencies=[needs("backups.make")])
def make_backup(jobs: JobsDep, session: SessionDep) -> Begun:
    """Have a backup made by a worker; while one is being made, that one."""
    for job in jobs.declared():
        if job.name == BACKUP_JOB:
            return Begun(job=jobs.enqueue(job, key=BACKUP_JOB, session=session).id)
    raise Conflict(
        "backups are switched off here", hint="Set BUTTRESS_BACKUP__SCHEDULE, or `buttress backup`."
    )


@router.get("/moves", dependencies=[needs("moves.read")])
def all_moves(session: SessionDep) -> list[MoveOut]:
    """The moves into this database, the latest first; each schema keeps those that filled it."""
    return [
        MoveOut(
            schema_name=move.schema, id=move.id, source=move.source, finished_at=move.finished_at,
            verdict=move.verdict, tables=move.tables, rows_proven=move.rows_proven,
            rows_quarantined=move.rows_quarantined,
        )
        for move in list_moves(session)
    ]  # fmt: skip


@router.get(
    "/moves/{schema}/{move_id}",
    dependencies=[needs("moves.read")],
    response_class=Response,
    responses=JSON_ANSWER,
)
def move_report(schema: Text, move_id: Text, session: SessionDep) -> Response:
    """The whole report of one move, with its proof."""
    report = load_report(session, schema=schema, move_id=move_id)
    return Response(msgspec.json.encode(report), media_type="application/json")


@router.get("/health", dependencies=[needs("health.read")])
async def health_details(runtime: RuntimeDep) -> dict[str, Any]:
    """Every check with what it found, the version, and how it went lately."""
    reply = await runtime.health.async_answer("/health/detailed", permitted=True)
    found: dict[str, Any] = json.loads(reply.body)
    return found

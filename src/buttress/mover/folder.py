"""A move's folder: its snapshot, what a later `resume` needs to know, and its reports."""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec

from buttress.errors import BadInput, ConfigurationError, NotFound
from buttress.mover import page
from buttress.mover.plan import NotCarried, Plan
from buttress.mover.report import MoveReport

SNAPSHOT = "snapshot.db"
UNFINISHED = "unfinished.json"
"""Marks a folder whose move can be resumed: the move's id, source, target and plan."""


class Unfinished(msgspec.Struct):
    """What `resume` needs to know of an interrupted move."""

    id: str
    source: str
    target: str
    schema: str
    plan: Plan
    not_carried: list[NotCarried] = []


def write_unfinished(result: MoveReport) -> None:
    folder = Path(result.folder)
    state = Unfinished(
        result.id,
        str(Path(result.source).resolve()),
        result.target,
        result.schema,
        result.plan,
        result.not_carried,
    )
    partial = folder / f"{UNFINISHED}.partial"
    partial.write_bytes(msgspec.json.encode(state))
    partial.replace(folder / UNFINISHED)


def find_unfinished(where: Path, source: Path, schema: str) -> tuple[Path, Unfinished]:
    wanted = str(source.resolve())
    for path in sorted([where / UNFINISHED, *where.glob(f"*/{UNFINISHED}")], reverse=True):
        if not path.exists():
            continue
        try:
            state = msgspec.json.decode(path.read_bytes(), type=Unfinished)
        except (msgspec.DecodeError, OSError) as error:
            raise BadInput(
                f"{path} cannot be read: {error}", hint="Remove it and move without --resume."
            ) from error
        if state.source == wanted and state.schema == schema:
            if not (path.parent / SNAPSHOT).exists():
                raise NotFound(
                    f"the snapshot of move {state.id} is gone from {path.parent}",
                    hint="Move again without --resume.",
                )
            return path.parent, state
    raise NotFound(
        f"no unfinished move of {source} into schema {schema} lies in {where}",
        hint="Move without --resume, or name the folder of the interrupted move with --report.",
    )


def remove_snapshot_unless_unfinished(folder: Path) -> None:
    if not (folder / UNFINISHED).exists():
        remove_snapshot(folder / SNAPSHOT)


def remove_snapshot(snapshot: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{snapshot}{suffix}").unlink(missing_ok=True)


@contextlib.contextmanager
def folder_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to {folder}: {error.strerror}",
            hint="Name a folder you may write to with --report.",
        ) from error


def write_report(result: MoveReport, folder: Path) -> None:
    with folder_errors(folder):
        (folder / "report.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(result), indent=1)
        )
        (folder / "report.html").write_text(page.render(result), encoding="utf-8")


def new_id() -> str:
    """An identifier for a move or a repeated proof: when it began, and four random digits."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(2)}"

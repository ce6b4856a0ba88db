"""The audit log: who did what, in entries that nobody can change without it being seen.

Each entry's digest covers the entry and the digest before it, so that a changed, removed or
inserted one breaks the chain from there on. Entries removed from the end leave a chain that is
whole, and so does whoever computes it anew: keep the last digest elsewhere and `verify` against it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from buttress.access.identity import Origin, current
from buttress.access.tables import AuditEntry
from buttress.telemetry import collectors
from buttress.telemetry.metrics import Counts, of_process

Outcome = Literal["done", "refused", "failed"]
START = b"buttress audit log"
READ_AT_ONCE = 1000
ACTIONS = Counts(of_process.ACTIONS)
collectors.append(ACTIONS)
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('buttress_audit', 0))")


@dataclass(frozen=True)
class Verified:
    """What `verify` found."""

    entries: int
    broken_at: int | None
    """The number of the first entry that is not what was written, None when all are."""
    head: str
    """The last digest of the whole chain, in hexadecimal."""


def record(
    session: Session,
    action: str,
    object: str = "",
    *,
    outcome: Outcome = "done",
    actor: str | None = None,
    origin: Origin | None = None,
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Add an entry; it is there if and only if the session's transaction commits.

    Who acted and from where comes from the identity that is acting here, unless given. Others who
    record wait until this transaction ends: do it last.
    """
    identity = current()
    origin = origin or (identity.origin if identity else Origin())
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_LOCK)
    last = session.scalars(select(AuditEntry).order_by(AuditEntry.number.desc()).limit(1)).first()
    entry = AuditEntry(
        number=last.number + 1 if last else 1,
        at=datetime.now(UTC),
        actor=actor if actor is not None else identity.name if identity else "",
        action=action,
        object=object,
        outcome=outcome,
        address=origin.address,
        request_id=origin.request_id,
        details=dict(details or {}),
    )
    entry.digest = _digest(last.digest if last else START, entry)
    session.add(entry)
    session.flush()
    ACTIONS.add(action, outcome)
    return entry


def verify(session: Session, *, head: str | None = None) -> Verified:
    """Recompute the chain; `head` is a digest kept elsewhere that must be among its own."""
    number, before, seen = 0, START, head is None
    for entry in _all(session):
        if entry.number != number + 1 or entry.digest != _digest(before, entry):
            return Verified(number, number + 1, before.hex())
        number, before = entry.number, entry.digest
        seen = seen or before.hex() == head
    return Verified(number, None if seen else number + 1, before.hex() if number else "")


def entries(
    session: Session,
    *,
    actor: str | None = None,
    action: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[AuditEntry]:
    """The newest entries first, older than the number `before`; `action` may end with `*`."""
    chosen = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(limit)
    if actor is not None:
        chosen = chosen.where(AuditEntry.actor == actor)
    if action is not None and action.endswith("*"):
        chosen = chosen.where(AuditEntry.action.startswith(action[:-1], autoescape=True))
    elif action is not None:
        chosen = chosen.where(AuditEntry.action == action)
    if before is not None:
        chosen = chosen.where(AuditEntry.number < before)
    return list(session.scalars(chosen))


def count(session: Session) -> int:
    """How many entries there are."""
    return session.scalar(select(func.count()).select_from(AuditEntry)) or 0


def _all(session: Session) -> Iterator[AuditEntry]:
    number = 0
    while True:
        batch = session.scalars(
            select(AuditEntry)
            .where(AuditEntry.number > number)
            .order_by(AuditEntry.number)
            .limit(READ_AT_ONCE)
            .execution_options(populate_existing=True)
        ).all()
        yield from batch
        if len(batch) < READ_AT_ONCE:
            return
        number = batch[-1].number
        session.expunge_all()


def _digest(before: bytes, entry: AuditEntry) -> bytes:
    content = msgspec.json.encode(
        [
            entry.number, entry.at.isoformat(timespec="microseconds"), entry.actor, entry.action,
            entry.object, entry.outcome, entry.address, entry.request_id, entry.details,
        ],
        order="sorted",
    )  # fmt: skip
    return hashlib.sha256(before + content).digest()

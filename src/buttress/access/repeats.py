"""Requests that a program may send again because it got no answer, and that are done once.

The key a program chose is kept in the transaction that does the work: both are there or neither is,
whatever dies when. It counts for one person and a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from buttress.access.tables import Table
from buttress.errors import BadInput, Conflict

KEPT = timedelta(hours=24)
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:key, 0))")


class Repeat(Table):
    """One request of one person, with what was answered."""

    __tablename__ = "buttress_repeat"

    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request: Mapped[str]
    """Method and address."""
    digest: Mapped[bytes]
    """Of the body."""
    status: Mapped[int | None]
    media_type: Mapped[str | None]
    body: Mapped[bytes | None]
    """None when the answer held a secret."""
    created_at: Mapped[datetime] = mapped_column(index=True)


class BeingDone(Conflict):
    """The same request is being done; ask again after so many seconds."""

    after_seconds = 1.0


@dataclass(frozen=True)
class Answered:
    """What was answered the first time."""

    status: int
    media_type: str | None
    body: bytes


def begin(session: Session, person: UUID, key: str, request: str, digest: bytes) -> Answered | None:
    """Claim the key before anything is done: None when it is new, else the answer it has.

    Raises
    ------
    BadInput
        The key was used for another request.
    BeingDone
        The same request is being done.
    Conflict
        Its answer held a secret and is nowhere.
    """
    dialect = session.get_bind().dialect.name
    now = datetime.now(UTC)
    if dialect == "postgresql":
        lock = f"buttress repeat {person} {key}"
        if not session.scalar(_TRY_LOCK, {"key": lock}):
            raise BeingDone("the same request is being done", hint="Ask again in a second.")
    own = (Repeat.person_id == person, Repeat.key == key)
    session.execute(delete(Repeat).where(*own, Repeat.created_at < now - KEPT))
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    claimed = session.execute(
        insert(Repeat)
        .values(person_id=person, key=key, request=request, digest=digest, created_at=now)
        .on_conflict_do_nothing()
        .returning(Repeat.key)
    ).first()
    if claimed is not None:
        return None
    found = session.scalars(select(Repeat).where(*own)).one()
    if (found.request, found.digest) != (request, digest):
        raise BadInput(
            "this Idempotency-Key was used for another request",
            hint="Take a new key for each request; the same one only to send it again.",
        )
    if found.status is None or found.body is None:
        raise Conflict(
            "this request was done, and its answer is not told twice",
            hint="Look whether what it made is there; take a new key to have it done again.",
        )
    return Answered(found.status, found.media_type, found.body)


def keep(
    session: Session, person: UUID, key: str, *, status: int, media_type: str | None,
    body: bytes | None,
) -> None:  # fmt: skip
    """Keep the answer beside the key; `body` None for one that must not be kept."""
    session.execute(
        update(Repeat)
        .where(Repeat.person_id == person, Repeat.key == key)
        .values(status=status, media_type=media_type, body=body)
    )


def sweep(session: Session) -> None:
    """Delete keys that no longer count."""
    session.execute(delete(Repeat).where(Repeat.created_at < datetime.now(UTC) - KEPT))

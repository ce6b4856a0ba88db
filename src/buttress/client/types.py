"""What the API answers; members that a newer deployment adds are left out."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

ENDED = {"done", "failed", "cancelled", "given up"}


class Answer(msgspec.Struct, frozen=True):
    """Base of all."""


class Me(Answer, frozen=True):
    """Who is asking."""

    name: str
    role: str
    permissions: list[str]


class Person(Answer, frozen=True):
    """Somebody who may sign in."""

    id: UUID
    name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None


class Token(Answer, frozen=True):
    """A token, but for its secret."""

    id: str
    name: str
    permissions: list[str]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


class File(Answer, frozen=True):
    """An upload."""

    id: UUID
    name: str
    media_type: str
    bytes: int
    sha256: str
    app: str
    created_at: datetime


class Progress(Answer, frozen=True):
    """How far a job says it is."""

    done: int
    total: int | None
    note: str
    at: datetime | None


class Job(Answer, frozen=True):
    """One job as it stands."""

    id: str
    name: str
    state: str
    queue: str | None
    created_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    attempts: int
    error: str | None
    progress: Progress | None
    parent: str | None

    @property
    def ended(self) -> bool:
        """Whether it will do no more unless it is retried."""
        return self.state in ENDED


class Usage(Answer, frozen=True):
    """What calls of language models took; cost in USD."""

    calls: int
    failed: int
    cached: int
    unpriced: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: Decimal
    mean_latency_seconds: float
    day: date | None = None
    provider: str | None = None
    model: str | None = None
    app: str | None = None
    person: str | None = None
    purpose: str | None = None
    outcome: str | None = None


class Entry(Answer, frozen=True):
    """One entry of the audit log."""

    number: int
    at: datetime
    actor: str
    action: str
    object: str
    outcome: str
    address: str
    request_id: str
    details: dict[str, Any]

"""What the gateway keeps: a row for every call, and answers that were asked to be kept."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from buttress.db.base import Base


class LLMCall(Base):
    """One model that was asked, whatever came of it; never what it was asked or answered."""

    __tablename__ = "buttress_llm_call"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    provider: Mapped[str]
    model: Mapped[str]
    purpose: Mapped[str]
    app: Mapped[str]
    person: Mapped[str | None]
    job_id: Mapped[str | None]
    request_id: Mapped[str | None]
    outcome: Mapped[str]
    error: Mapped[str | None]
    """The type of the error that ended it."""
    attempts: Mapped[int]
    latency_ms: Mapped[int] = mapped_column(BigInteger)
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    tokens_estimated: Mapped[bool]
    cost: Mapped[Decimal | None] = mapped_column(Numeric(20, 10))
    """In USD; NULL when the price is unknown."""


class LLMAnswer(Base):
    """An answer kept because a call said `cache=True`."""

    __tablename__ = "buttress_llm_answer"

    key: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    text: Mapped[str]

"""One call in the books, from its beginning until it is written down."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID, uuid4

from buttress import telemetry
from buttress.errors import BudgetSpent, ModelOutputInvalid, ModelRefused
from buttress.llm.completion import Tokens
from buttress.llm.loop import Stopped

Outcome = Literal["ok", "invalid", "refused", "failed", "cancelled", "budget", "cached", "offline"]


@dataclass(eq=False)
class Entry:
    """What is known so far of a call; `reserved` is what it may come to cost, in USD."""

    provider: str
    model: str
    purpose: str
    app: str
    person: str | None
    job_id: str | None
    request_id: str | None
    id: UUID = field(default_factory=uuid4)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.perf_counter)
    latency_seconds: float = 0.0
    attempts: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    cost: Decimal | None = Decimal(0)
    reserved: Decimal = Decimal(0)
    outcome: Outcome = "ok"
    error: str | None = None

    @classmethod
    def begun(cls, provider: str, model: str, purpose: str) -> Entry:
        """A call that begins now, for whom `telemetry.context` says.

        A purpose reads `<app>.<what for>`, which tells the app where nobody else does.
        """
        context = telemetry.context()
        return cls(
            provider,
            model,
            purpose,
            context.app or purpose.partition(".")[0],
            context.person,
            context.job_id,
            context.request_id,
        )

    def spend(self, tokens: Tokens, cost: Decimal | None) -> None:
        """Add what one request took."""
        self.tokens += tokens
        self.cost = None if cost is None or self.cost is None else self.cost + cost

    def end(self, error: BaseException | None = None) -> None:
        """How it ended, and how long it took."""
        self.latency_seconds = time.perf_counter() - self.began
        if error is not None:
            self.outcome = outcome_of(error)
            self.error = None if self.outcome == "cancelled" else type(error).__name__

    def row(self) -> dict[str, Any]:
        """As the table takes it."""
        return {
            "id": self.id,
            "at": self.at,
            "provider": self.provider,
            "model": storable(self.model),
            "purpose": storable(self.purpose),
            "app": storable(self.app),
            "person": self.person and storable(self.person),
            "job_id": self.job_id and storable(self.job_id),
            "request_id": self.request_id and storable(self.request_id),
            "outcome": self.outcome,
            "error": self.error,
            "attempts": self.attempts,
            "latency_ms": round(self.latency_seconds * 1000),
            "input_tokens": self.tokens.input,
            "output_tokens": self.tokens.output,
            "cached_tokens": self.tokens.cached,
            "tokens_estimated": self.tokens.estimated,
            "cost": self.cost,
        }


def outcome_of(error: BaseException) -> Outcome:
    """Which outcome an error means for a call."""
    match error:
        case BudgetSpent():
            return "budget"
        case ModelRefused():
            return "refused"
        case ModelOutputInvalid():
            return "invalid"
        case Stopped():
            return "cancelled"
        case Exception():
            return "failed"
        case _:  # GeneratorExit, KeyboardInterrupt, a task that was cancelled
            return "cancelled"


def storable(text: str) -> str:
    """Text that PostgreSQL takes: no U+0000, no half of a surrogate pair."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()

"""Which evaluations a figure is about: a span of days, and the one before to compare it with."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec

from buttress.errors import BadInput

MOMENTS = "created_at >= :first AND created_at < :end"
"""The condition on rows that know neither type nor model."""
DAYS = "day BETWEEN :since AND :until"
"""The same on roll-ups."""


class Window(msgspec.Struct, frozen=True):
    """Days from `since` to `until`, both included, of one type of product or of one model."""

    since: date
    until: date
    product_type: str | None = None
    model: str | None = None

    @classmethod
    def last(cls, days: int, today: date, **narrowed: Any) -> Window:
        """That many days until today; raises `BadInput` for none."""
        if days < 1:
            raise BadInput("a window has one day at least")
        return cls(since=today - timedelta(days=days - 1), until=today, **narrowed)

    @property
    def days(self) -> int:
        """How many."""
        return (self.until - self.since).days + 1

    @property
    def before(self) -> Window:
        """As many days right before."""
        return msgspec.structs.replace(
            self,
            since=self.since - timedelta(days=self.days),
            until=self.since - timedelta(days=1),
        )

    @property
    def where(self) -> str:
        """The condition on a roll-up, for the parameters below."""
        return DAYS + self._narrowed

    @property
    def first(self) -> datetime:
        """The first moment."""
        return datetime.combine(self.since, time.min, UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.until + timedelta(days=1), time.min, UTC)

    @property
    def _narrowed(self) -> str:
        return (" AND product_type = :product_type" if self.product_type is not None else "") + (
            " AND model = :model" if self.model is not None else ""
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """What `where` names."""
        narrowed = {"product_type": self.product_type, "model": self.model}
        return {
            "since": self.since,
            "until": self.until,
            "first": self.first,
            "end": self.end,
            **{name: value for name, value in narrowed.items() if value is not None},
        }

"""The tables of support tickets."""

from datetime import UTC, datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from buttress import Base

PRIORITIES = ("high", "normal", "low")


class Ticket(Base):
    """A question somebody asked."""

    __tablename__ = "tickets_ticket"
    __cache_tags__ = ()  # the cache is told of every change of the table
    __table_args__ = (CheckConstraint("priority IN ('high', 'normal', 'low')", name="priority"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str]
    requester: Mapped[str]
    priority: Mapped[str] = mapped_column(server_default="normal")
    opened_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))
    answer: Mapped[str | None]
    answered_at: Mapped[datetime | None]

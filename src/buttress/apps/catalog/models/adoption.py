"""What of an older tool could not become products."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from buttress import Base


class LeftOut(Base):
    """A row of an older tool's table that fits no product: it is not offered again as it is."""

    __tablename__ = "catalog_left_out"

    old_row: Mapped[str] = mapped_column(primary_key=True)
    """Like `evaluations 17`, as in `Extraction.adopted_from`."""
    fingerprint: Mapped[str]
    """Of what the row said: one that was mended has another, and is offered again."""
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())

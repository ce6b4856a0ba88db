"""What models are told, in versions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Identity, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from buttress import Base
from buttress.db.base import BigKey


class Prompt(Base):
    """One version of a prompt; changing one makes the next."""

    __tablename__ = "catalog_prompt"
    __cache_tags__ = ()
    __table_args__ = (
        UniqueConstraint("name", "version"),
        Index(
            "uq_catalog_prompt_active",
            "name",
            unique=True,
            postgresql_where=text("active"),
            sqlite_where=text("active"),
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    text: Mapped[str]
    note: Mapped[str] = mapped_column(server_default="")
    """What changed, and why."""
    active: Mapped[bool]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

"""The documents products are read from."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Identity, func
from sqlalchemy.orm import Mapped, mapped_column

from buttress import Base
from buttress.db.base import BigKey

KINDS = ("pdf", "sheet", "web")


class Source(Base):
    """A PDF, a workbook or a page of the web, as it was when it came in."""

    __tablename__ = "catalog_source"
    __cache_tags__ = ()
    __table_args__ = (CheckConstraint("kind IN ('pdf', 'sheet', 'web')", name="kind"),)

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    """What people call it: the file's name, or the page's title."""
    url: Mapped[str | None]
    file_id: Mapped[UUID | None]
    """The content in `buttress.files`; of a page of the web what the server sent, None before."""
    sha256: Mapped[str | None] = mapped_column(index=True)
    outline: Mapped[dict[str, Any]]
    """What can be chosen from: `pages` of a PDF; `sheets` with name, rows, header and columns."""
    notes: Mapped[list[Any]]
    """What a reader should know: pages without text, formulas without values."""
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)

"""The table of files: one row for each upload, whose content others may share."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, MetaData, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from buttress.db.base import NAMING_CONVENTION, Base


class FileBase(DeclarativeBase):
    """Metadata of its own: apps' tables are compared without it."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = Base.type_annotation_map


class File(FileBase):
    """One upload: whose it is, what it is called, and which content it has.

    `name` is what people see, never a path. `owner` is the person's id; None belongs to nobody.
    """

    __tablename__ = "buttress_file"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str]
    name: Mapped[str]
    app: Mapped[str]
    owner: Mapped[UUID | None] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

"""What is to be extracted, from what, how, and how far it has come; where results were sent."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from buttress import Base
from buttress.apps.catalog.models.sources import Source
from buttress.db.base import BigKey

STATES = ("draft", "waiting", "working", "done", "failed")
SCOPES = ("full", "hs-code")


class Batch(Base):
    """Requests that are put together and carried out together."""

    __tablename__ = "catalog_batch"
    __cache_tags__ = ()

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    name: Mapped[str]
    created_by: Mapped[UUID | None] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    executed_at: Mapped[datetime | None]
    """None while it is a draft."""
    job_id: Mapped[str | None]
    """The job that carries it out, in `buttress.jobs`."""


class Request(Base):
    """One product to be extracted: its type, who extracts it, and from what."""

    __tablename__ = "catalog_request"
    __cache_tags__ = ("batch_id",)
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'waiting', 'working', 'done', 'failed')", name="state"),
        CheckConstraint("scope IN ('full', 'hs-code')", name="scope"),
        UniqueConstraint("batch_id", "position"),
        Index(
            "ix_catalog_request_unfinished",
            "batch_id",
            postgresql_where=text("state IN ('waiting', 'working')"),
        ),
        Index("ix_catalog_request_failed", "batch_id", postgresql_where=text("state = 'failed'")),
    )

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("catalog_batch.id", ondelete="CASCADE"))
    position: Mapped[int]
    product_type: Mapped[str]
    model: Mapped[str] = mapped_column(server_default="offline")
    """`provider:model`, or `offline`."""
    temperature: Mapped[Decimal] = mapped_column(Numeric(3, 2), server_default="0")
    prompt_id: Mapped[int | None] = mapped_column(ForeignKey("catalog_prompt.id"), index=True)
    """The version to be used; None takes the active one."""
    hint: Mapped[str] = mapped_column(server_default="")
    """What a person says about the product, as one more source."""
    scope: Mapped[str] = mapped_column(server_default="full")
    product_id: Mapped[int | None] = mapped_column(
        ForeignKey("catalog_product.id", ondelete="SET NULL"), index=True
    )
    """The product it made, or is to make anew."""
    state: Mapped[str] = mapped_column(server_default="draft")
    attempts: Mapped[int] = mapped_column(server_default="0")
    job_id: Mapped[str | None]
    """The job that works on it."""
    problem: Mapped[str | None]
    """Why it failed."""
    cure: Mapped[str | None]
    """What to do about that."""
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    batch: Mapped[Batch] = relationship()
    sources: Mapped[list[RequestSource]] = relationship(
        order_by="RequestSource.position", cascade="all, delete-orphan"
    )


class RequestSource(Base):
    """A part of a document a product is read from."""

    __tablename__ = "catalog_request_source"

    request_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_request.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    source_id: Mapped[int] = mapped_column(ForeignKey("catalog_source.id"), index=True)
    chosen: Mapped[dict[str, Any]]
    """`{"pages": [1, 2]}` of a PDF; `{"sheet": "Prices", "header": 3, "row": 17}` of a sheet;
    `{}` is all of it."""

    source: Mapped[Source] = relationship()


class Delivery(Base):
    """Products sent somewhere: to a folder, an object store, Dropbox or a webhook."""

    __tablename__ = "catalog_delivery"
    __cache_tags__ = ()
    __table_args__ = (CheckConstraint("state IN ('waiting', 'sent', 'failed')", name="state"),)

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    target: Mapped[str]
    """The name of a destination in the settings; never its secret."""
    format: Mapped[str]
    products: Mapped[list[Any]]
    state: Mapped[str] = mapped_column(server_default="waiting")
    place: Mapped[str | None]
    """Where it lies there."""
    problem: Mapped[str | None]
    cure: Mapped[str | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    sent_at: Mapped[datetime | None]

"""Reviewed products frozen into datasets, and what other settings make of them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Numeric, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from buttress import Base
from buttress.apps.catalog.models.evaluations import Score
from buttress.db.base import BigKey


class Dataset(Base):
    """Reviewed products with what they were read from, as they were on one day."""

    __tablename__ = "catalog_dataset"
    __cache_tags__ = ()

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str] = mapped_column(server_default="")
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DatasetItem(Base):
    """One product of a dataset: later corrections do not change it."""

    __tablename__ = "catalog_dataset_item"

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_dataset.id", ondelete="CASCADE"), index=True
    )
    product_id: Mapped[int | None] = mapped_column(
        ForeignKey("catalog_product.id", ondelete="SET NULL"), index=True
    )
    product_type: Mapped[str]
    name: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    """What the reviewers left: the truth other settings are measured by."""
    sources: Mapped[list[Any]] = mapped_column(deferred=True)


class Experiment(Base):
    """A dataset extracted anew by one model with one prompt."""

    __tablename__ = "catalog_experiment"
    __cache_tags__ = ()

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_dataset.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    model: Mapped[str]
    temperature: Mapped[Decimal] = mapped_column(Numeric(3, 2))
    prompt_id: Mapped[int | None] = mapped_column(ForeignKey("catalog_prompt.id"), index=True)
    job_id: Mapped[str | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ExperimentResult(Base):
    """What an experiment made of one item."""

    __tablename__ = "catalog_experiment_result"
    __cache_tags__ = ("experiment_id",)
    __table_args__ = (UniqueConstraint("experiment_id", "item_id"),)

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    experiment_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_experiment.id", ondelete="CASCADE")
    )
    item_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_dataset_item.id", ondelete="CASCADE"), index=True
    )
    content: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    structure: Mapped[Decimal | None] = mapped_column(Score)
    content_score: Mapped[Decimal | None] = mapped_column(Score)
    translation: Mapped[Decimal | None] = mapped_column(Score)
    overall: Mapped[Decimal | None] = mapped_column(Score)
    same_fields: Mapped[int | None]
    """How many fields are as the reviewers left them, of `fields`."""
    fields: Mapped[int | None]
    seconds: Mapped[float | None]
    cost_usd: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    problem: Mapped[str | None]

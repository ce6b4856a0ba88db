"""Products, each extraction of them, and what people corrected."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, Numeric, func, text
from sqlalchemy.orm import Mapped, mapped_column

from buttress import Base
from buttress.db.base import BigKey
from buttress.db.rollup import Rollup

HOUR = "CAST(substr(CAST(created_at AS text), 12, 2) AS integer)"
"""The hour in UTC in which a row was made, on either backend."""


class Product(Base):
    """One product, as it stands after its newest extraction and all corrections."""

    __tablename__ = "catalog_product"
    __cache_tags__ = ("id",)
    __table_args__ = (
        Index("ix_catalog_product_created_at", "created_at", "id"),
        Index("ix_catalog_product_overall", "overall", "id"),
        Index(
            "ix_catalog_product_queue",
            "doubt",
            "id",
            postgresql_where=text("reviewed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    product_type: Mapped[str] = mapped_column(index=True)
    brand: Mapped[str] = mapped_column(server_default="")
    name: Mapped[str] = mapped_column(server_default="")
    content: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    """`{"catalogA": …, "catalogB": …}`, as it is exported."""
    origins: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    """By path of the field: how its value came to be and where it stands in the sources."""
    extraction_id: Mapped[int | None]
    """The newest extraction; no foreign key, for both name each other."""
    evaluation_id: Mapped[int | None]
    """The evaluation of it."""
    overall: Mapped[Decimal | None] = mapped_column(Numeric(3, 2))
    doubt: Mapped[Decimal] = mapped_column(Numeric(4, 2), server_default="0")
    """What the review queue goes by: points lost, and how far rules, judge and people differ."""
    created_by: Mapped[UUID | None] = mapped_column(index=True)
    created_by_name: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    reviewed_at: Mapped[datetime | None]


PRODUCTS = Rollup(
    "catalog_products_daily",
    source=Product,
    by={"day": "date(created_at)", "person_name": "created_by_name"},
    sums={"waiting": "CASE WHEN reviewed_at IS NULL AND doubt >= 1 THEN 1 ELSE 0 END"},
)
"""Who made how many, and how many of them are doubtful and not reviewed."""

PRODUCTS_BY_HOUR = Rollup(
    "catalog_products_by_hour",
    source=Product,
    by={"day": "date(created_at)", "hour": HOUR},
)


class Extraction(Base):
    """One extraction of a product, never changed afterwards."""

    __tablename__ = "catalog_extraction"
    __cache_tags__ = ("product_id",)

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    product_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_product.id", ondelete="CASCADE"), index=True
    )
    request_id: Mapped[int | None] = mapped_column(
        ForeignKey("catalog_request.id", ondelete="SET NULL"), unique=True
    )
    """Unique: a request that is carried out twice makes one extraction."""
    adopted_from: Mapped[str | None] = mapped_column(unique=True)
    """The row of an older tool's table it was taken over from, like `evaluations 17`."""
    scope: Mapped[str]
    model: Mapped[str]
    temperature: Mapped[Decimal] = mapped_column(Numeric(3, 2))
    prompts: Mapped[dict[str, Any]]
    """By name the version of each prompt that was used."""
    content: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    origins: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    notes: Mapped[list[Any]]
    seconds: Mapped[float]
    cost_usd: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


EXTRACTIONS = Rollup(
    "catalog_extractions_daily",
    source=Extraction,
    by={"day": "date(created_at)", "model": "model"},
    sums=["seconds", "cost_usd"],
)
"""How long extractions take, and what they cost."""


class MaterialText(Base):
    """What an extraction was read from, apart from it: lists and dashboards never load it."""

    __tablename__ = "catalog_material"

    extraction_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_extraction.id", ondelete="CASCADE"), primary_key=True
    )
    sources: Mapped[list[Any]]


class Correction(Base):
    """A field a person changed, with both values."""

    __tablename__ = "catalog_correction"
    __cache_tags__ = ("product_id",)

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    product_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_product.id", ondelete="CASCADE"), index=True
    )
    extraction_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_extraction.id", ondelete="CASCADE"), index=True
    )
    path: Mapped[str]
    before: Mapped[dict[str, Any]]
    """`{"value": …}`: so that none and empty stay apart."""
    after: Mapped[dict[str, Any]]
    person: Mapped[UUID | None]
    person_name: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)

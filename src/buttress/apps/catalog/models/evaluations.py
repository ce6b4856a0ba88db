"""How good an extraction is, by rules, by a model and by people."""

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
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from buttress import Base
from buttress.db.base import BigKey
from buttress.db.rollup import Rollup

METRICS = ("structure", "content", "translation")
QUARTERS = range(4, 21)
"""The bars of histograms, from 1 to 5 in quarters of a point."""
Score = Numeric(3, 2)


class Evaluation(Base):
    """One evaluation: three metrics from 1 to 5, and why points were lost.

    What dashboards group by stands in the row itself: they add up, and join nothing.
    """

    __tablename__ = "catalog_evaluation"
    __cache_tags__ = ("product_id",)
    __table_args__ = (
        CheckConstraint("overall BETWEEN 1 AND 5", name="overall"),
        Index("ix_catalog_evaluation_created_at", "created_at", "id"),
        Index("ix_catalog_evaluation_overall", "overall", "id"),
    )

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    product_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_product.id", ondelete="CASCADE"), index=True
    )
    extraction_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_extraction.id", ondelete="CASCADE"), index=True
    )
    product_type: Mapped[str]
    brand: Mapped[str]
    name: Mapped[str]
    model: Mapped[str]
    """Who extracted."""
    temperature: Mapped[Decimal] = mapped_column(Numeric(3, 2))
    structure: Mapped[Decimal] = mapped_column(Score)
    content: Mapped[Decimal] = mapped_column(Score)
    translation: Mapped[Decimal] = mapped_column(Score)
    overall: Mapped[Decimal] = mapped_column(Score)
    issue_count: Mapped[int]
    rules_version: Mapped[int]
    judge: Mapped[str | None]
    """The model that judged besides the rules."""
    rubric_version: Mapped[int | None]
    judged: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    created_by: Mapped[UUID | None]
    created_by_name: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    issues: Mapped[list[Issue]] = relationship(order_by="Issue.position", lazy="raise")


DAILY = Rollup(
    "catalog_evaluations_daily",
    source=Evaluation,
    by={
        "day": "date(created_at)",
        "product_type": "product_type",
        "model": "model",
        "temperature": "temperature",
    },
    sums={
        **{name: name for name in (*METRICS, "overall", "issue_count")},
        "structure_squared": "structure * structure",
        "content_squared": "content * content",
        "translation_squared": "translation * translation",
        "structure_content": "structure * content",
        "structure_translation": "structure * translation",
        "content_translation": "content * translation",
        "good": "CASE WHEN overall >= 4 THEN 1 ELSE 0 END",
        "poor": "CASE WHEN overall < 3 THEN 1 ELSE 0 END",
    },
    histogram="overall",
)
"""What the dashboard adds up: means, trends, and correlations by the sums of products."""

SCORES = Rollup(
    "catalog_scores_daily",
    source=Evaluation,
    by={"day": "date(created_at)", "product_type": "product_type", "model": "model"},
    # Columns, for a row of each bar would make as many rows as there are evaluations.
    sums={
        f"{metric}_{quarter}": f"CASE WHEN round({metric} * 4) = {quarter} THEN 1 END"
        for metric in METRICS
        for quarter in QUARTERS
    },
)
"""How often each metric lay in each quarter of a point: `structure_17_count` is about 4.25."""

BY_PERSON = Rollup(
    "catalog_evaluations_by_person",
    source=Evaluation,
    by={"day": "date(created_at)", "person": "created_by", "person_name": "created_by_name"},
    sums=["overall"],
)


class Issue(Base):
    """One reason why an evaluation lost points."""

    __tablename__ = "catalog_issue"
    __cache_tags__ = ()

    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_evaluation.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    metric: Mapped[str]
    rule: Mapped[str]
    field: Mapped[str]
    message: Mapped[str]
    points: Mapped[Decimal] = mapped_column(Score)
    found: Mapped[str | None]
    expected: Mapped[str | None]
    product_type: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """That of its evaluation, so that issues are counted by day without it."""


ISSUES = Rollup(
    "catalog_issues_daily",
    source=Issue,
    by={
        "day": "date(created_at)",
        "metric": "metric",
        "rule": "rule",
        "product_type": "product_type",
    },
    sums=["points"],
)


class Feedback(Base):
    """What one person says of an evaluation: a rating and a note for each metric.

    What agreement is told by stands in the row itself: it is counted without the evaluations.
    """

    __tablename__ = "catalog_feedback"
    __cache_tags__ = ()
    __table_args__ = (
        UniqueConstraint("evaluation_id", "person"),
        CheckConstraint(
            "structure BETWEEN 1 AND 5 AND content BETWEEN 1 AND 5 AND translation BETWEEN 1 AND 5",
            name="ratings",
        ),
        Index("ix_catalog_feedback_evaluated_at", "evaluated_at", "evaluation_id"),
    )

    id: Mapped[int] = mapped_column(BigKey, Identity(), primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_evaluation.id", ondelete="CASCADE"), index=True
    )
    person: Mapped[UUID]
    person_name: Mapped[str]
    structure: Mapped[int]
    content: Mapped[int]
    translation: Mapped[int]
    overall: Mapped[Decimal] = mapped_column(Score)
    """By the weights that held when it was given."""
    notes: Mapped[dict[str, Any]]
    """By metric."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    evaluated_at: Mapped[datetime]
    """From here on as its evaluation has it, which never changes."""
    product_type: Mapped[str]
    model: Mapped[str]
    machine_structure: Mapped[Decimal] = mapped_column(Score)
    machine_content: Mapped[Decimal] = mapped_column(Score)
    machine_translation: Mapped[Decimal] = mapped_column(Score)
    machine_overall: Mapped[Decimal] = mapped_column(Score)

    @classmethod
    def of(cls, evaluation: Evaluation, **said: Any) -> Feedback:
        """What somebody says of a stored evaluation."""
        return cls(
            evaluation_id=evaluation.id,
            evaluated_at=evaluation.created_at,
            product_type=evaluation.product_type,
            model=evaluation.model,
            machine_structure=evaluation.structure,
            machine_content=evaluation.content,
            machine_translation=evaluation.translation,
            machine_overall=evaluation.overall,
            **said,
        )


class Claim(Base):
    """Who reviews a product now: others are told, and take another."""

    __tablename__ = "catalog_claim"

    product_id: Mapped[int] = mapped_column(
        ForeignKey("catalog_product.id", ondelete="CASCADE"), primary_key=True
    )
    person: Mapped[UUID]
    person_name: Mapped[str]
    until: Mapped[datetime]

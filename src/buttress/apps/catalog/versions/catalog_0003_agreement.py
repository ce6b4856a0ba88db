"""what agreement is told by stands with the feedback; indexes for the dashboard"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "catalog_0003"
down_revision = "catalog_0002"
branch_labels = None
depends_on = None

lint_allow = {
    "unbounded-change": "feedback is given by hand: some ten thousand rows take a second",
    "set-not-null-scans": "the same",
    "index-locks-writes": "the same; failed requests are few, corrections are made by hand",
}

SCORE = sa.Numeric(precision=3, scale=2)
Column = tuple[str, TypeEngine[Any]]
COPIED: dict[str, Column] = {
    "evaluated_at": ("created_at", sa.DateTime(timezone=True)),
    "product_type": ("product_type", sa.Text()),
    "model": ("model", sa.Text()),
    "machine_structure": ("structure", SCORE),
    "machine_content": ("content", SCORE),
    "machine_translation": ("translation", SCORE),
    "machine_overall": ("overall", SCORE),
}
"""By column of the feedback, the column of its evaluation."""


def upgrade() -> None:
    for name, (_, kind) in COPIED.items():
        op.add_column("catalog_feedback", sa.Column(name, kind, nullable=True))
    op.execute(
        f"UPDATE catalog_feedback SET ({', '.join(COPIED)}) = ("
        f"SELECT {', '.join(name for name, _ in COPIED.values())} FROM catalog_evaluation "
        "WHERE catalog_evaluation.id = catalog_feedback.evaluation_id)"
    )
    with op.batch_alter_table("catalog_feedback") as feedback:
        for name, (_, kind) in COPIED.items():
            feedback.alter_column(name, existing_type=kind, nullable=False)
    op.create_index(
        "ix_catalog_feedback_evaluated_at", "catalog_feedback", ["evaluated_at", "evaluation_id"]
    )
    op.create_index(op.f("ix_catalog_correction_created_at"), "catalog_correction", ["created_at"])
    op.create_index(
        "ix_catalog_request_failed",
        "catalog_request",
        ["batch_id"],
        postgresql_where=sa.text("state = 'failed'"),
    )


def downgrade() -> None:
    op.drop_index("ix_catalog_request_failed", "catalog_request")
    op.drop_index(op.f("ix_catalog_correction_created_at"), "catalog_correction")
    op.drop_index("ix_catalog_feedback_evaluated_at", "catalog_feedback")
    with op.batch_alter_table("catalog_feedback") as feedback:
        for name in reversed(COPIED):
            feedback.drop_column(name)

"""calls of language models"""

import sqlalchemy as sa
from alembic import op

revision = "buttress_0004"
down_revision = "buttress_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "buttress_llm_call",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("person", sa.Text()),
        sa.Column("job_id", sa.Text()),
        sa.Column("request_id", sa.Text()),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("latency_ms", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("tokens_estimated", sa.Boolean(), nullable=False),
        sa.Column("cost", sa.Numeric(20, 10)),
        sa.PrimaryKeyConstraint("id", name="pk_buttress_llm_call"),
    )
    op.create_index("ix_buttress_llm_call_at", "buttress_llm_call", ["at"])
    op.create_table(
        "buttress_llm_answer",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_buttress_llm_answer"),
    )
    op.create_index("ix_buttress_llm_answer_expires_at", "buttress_llm_answer", ["expires_at"])


def downgrade() -> None:
    op.drop_table("buttress_llm_answer")
    op.drop_table("buttress_llm_call")

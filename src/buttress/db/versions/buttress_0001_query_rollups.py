"""query roll-ups"""

import sqlalchemy as sa
from alembic import op

revision = "buttress_0001"
down_revision = None
branch_labels = ("buttress",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "buttress_query_rollup",
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("start", "seconds", "process", name="pk_buttress_query_rollup"),
    )


def downgrade() -> None:
    op.drop_table("buttress_query_rollup")

"""requests that were answered, so that the same one again is not done twice"""

import sqlalchemy as sa
from alembic import op

revision = "buttress_0007"
down_revision = "buttress_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "buttress_repeat",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("media_type", sa.Text()),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "key", name="pk_buttress_repeat"),
    )
    op.create_index("ix_buttress_repeat_created_at", "buttress_repeat", ["created_at"])
    op.enable_tenancy("buttress_repeat", owner="person_id")  # type: ignore[attr-defined]


def downgrade() -> None:
    op.drop_table("buttress_repeat")

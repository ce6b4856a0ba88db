"""uploaded files"""

import sqlalchemy as sa
from alembic import op

revision = "buttress_0005"
down_revision = "buttress_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "buttress_file",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("owner", sa.Uuid()),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.PrimaryKeyConstraint("id", name="pk_buttress_file"),
    )
    op.create_index("ix_buttress_file_sha256", "buttress_file", ["sha256"])
    op.create_index("ix_buttress_file_owner", "buttress_file", ["owner"])


def downgrade() -> None:
    op.drop_table("buttress_file")

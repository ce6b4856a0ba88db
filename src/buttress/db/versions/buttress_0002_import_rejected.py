"""rows that imports refused"""

import sqlalchemy as sa
from alembic import op

from buttress.db.base import JSONDocument

revision = "buttress_0002"
down_revision = "buttress_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "buttress_import_rejected",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("row", JSONDocument, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "rejected_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.PrimaryKeyConstraint("import_id", "row_number", name="pk_buttress_import_rejected"),
    )


def downgrade() -> None:
    op.drop_table("buttress_import_rejected")

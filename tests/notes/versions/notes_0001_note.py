"""note"""

import sqlalchemy as sa
from alembic import op

revision = "notes_0001"
down_revision = None
branch_labels = ("notes",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notes_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notes_note"),
    )
    op.create_index("ix_notes_note_owner_id", "notes_note", ["owner_id"])
    op.enable_tenancy("notes_note")


def downgrade() -> None:
    op.disable_tenancy("notes_note")
    op.drop_table("notes_note")

"""priority"""

import sqlalchemy as sa
from alembic import op

revision = "tickets_0002"
down_revision = "tickets_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("tickets_ticket") as table:
        table.add_column(sa.Column("priority", sa.Text(), server_default="normal", nullable=False))
        table.create_check_constraint(
            op.f("ck_tickets_ticket_priority"), "priority IN ('high', 'normal', 'low')"
        )


def downgrade() -> None:
    with op.batch_alter_table("tickets_ticket") as table:
        table.drop_constraint(op.f("ck_tickets_ticket_priority"))
        table.drop_column("priority")

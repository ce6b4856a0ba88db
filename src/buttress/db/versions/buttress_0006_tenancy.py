"""files are there for their owners only"""

from alembic import op

revision = "buttress_0006"
down_revision = "buttress_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.enable_tenancy("buttress_file", owner="owner", unowned=True)  # type: ignore[attr-defined]


def downgrade() -> None:
    op.disable_tenancy("buttress_file", owner="owner", unowned=True)  # type: ignore[attr-defined]

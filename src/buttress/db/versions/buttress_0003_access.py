"""people, sign-ins, tokens, audit log"""

import sqlalchemy as sa
from alembic import op

from buttress.db.base import JSONDocument, UTCDateTime

revision = "buttress_0003"
down_revision = "buttress_0002"
branch_labels = None
depends_on = None

# The log is only ever added to, by whomever: rights would not stop the owner of the table.
APPEND_ONLY = """
create function buttress_audit_append_only() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'the audit log is only ever added to' using errcode = 'insufficient_privilege';
end $$;
create trigger buttress_audit_append_only before update or delete or truncate on buttress_audit
    for each statement execute function buttress_audit_append_only();
create function buttress_audit_next() returns trigger language plpgsql as $$
begin
    if new.number <> (select coalesce(max(number), 0) + 1 from buttress_audit) then
        raise exception 'an entry of the audit log follows the last one'
            using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger buttress_audit_next before insert on buttress_audit
    for each row execute function buttress_audit_next();
"""


def upgrade() -> None:
    op.create_table(
        "buttress_person",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password", sa.Text()),
        sa.Column("issuer", sa.Text()),
        sa.Column("subject", sa.Text()),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("disabled_at", UTCDateTime()),
        sa.CheckConstraint(
            "role in ('viewer', 'analyst', 'admin')", name="ck_buttress_person_role"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_buttress_person"),
        sa.UniqueConstraint("name", name="uq_buttress_person_name"),
        sa.UniqueConstraint("issuer", "subject", name="uq_buttress_person_issuer_subject"),
    )
    op.create_table(
        "buttress_sign_in",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_buttress_sign_in"),
        sa.UniqueConstraint("id", name="uq_buttress_sign_in_id"),
        sa.ForeignKeyConstraint(
            ["person_id"], ["buttress_person.id"], ondelete="CASCADE",
            name="fk_buttress_sign_in_person_id_buttress_person",
        ),
    )  # fmt: skip
    op.create_index("ix_buttress_sign_in_person_id", "buttress_sign_in", ["person_id"])
    op.create_table(
        "buttress_token",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("permissions", JSONDocument, nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime()),
        sa.Column("used_at", UTCDateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_buttress_token"),
        sa.ForeignKeyConstraint(
            ["person_id"], ["buttress_person.id"], ondelete="CASCADE",
            name="fk_buttress_token_person_id_buttress_person",
        ),
    )  # fmt: skip
    op.create_index("ix_buttress_token_person_id", "buttress_token", ["person_id"])
    op.create_table(
        "buttress_link",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid()),
        sa.Column("name", sa.Text()),
        sa.Column("role", sa.Text()),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint(
            "purpose in ('first', 'invitation', 'reset')", name="ck_buttress_link_purpose"
        ),
        sa.PrimaryKeyConstraint("digest", name="pk_buttress_link"),
        sa.ForeignKeyConstraint(
            ["person_id"], ["buttress_person.id"], ondelete="CASCADE",
            name="fk_buttress_link_person_id_buttress_person",
        ),
    )  # fmt: skip
    op.create_index("ix_buttress_link_person_id", "buttress_link", ["person_id"])
    op.create_table(
        "buttress_throttle",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", UTCDateTime(), nullable=False),
        sa.Column("told_at", UTCDateTime()),
        sa.PrimaryKeyConstraint("key", name="pk_buttress_throttle"),
    )
    op.create_table(
        "buttress_audit",
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("details", JSONDocument, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_buttress_audit"),
    )
    op.create_index("ix_buttress_audit_at", "buttress_audit", ["at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(APPEND_ONLY)
        return
    # A gap could not be closed again, and what takes another's place would delete it.
    op.execute(
        "create trigger buttress_audit_next before insert on buttress_audit "
        "when new.number <> (select coalesce(max(number), 0) + 1 from buttress_audit) "
        "begin select raise(abort, 'an entry of the audit log follows the last one'); end"
    )
    for operation in ("update", "delete"):
        op.execute(
            f"create trigger buttress_audit_no_{operation} before {operation} on buttress_audit "
            "begin select raise(abort, 'the audit log is only ever added to'); end"
        )


def downgrade() -> None:
    op.drop_table("buttress_audit")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "drop function buttress_audit_append_only(); drop function buttress_audit_next()"
        )
    for table in ("throttle", "link", "token", "sign_in", "person"):
        op.drop_table(f"buttress_{table}")

"""products, their sources and evaluations"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "catalog_0001"
down_revision = None
branch_labels = ("catalog",)
depends_on = None


KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TABLES = (
    "catalog_issue",
    "catalog_feedback",
    "catalog_material",
    "catalog_evaluation",
    "catalog_correction",
    "catalog_request_source",
    "catalog_extraction",
    "catalog_experiment_result",
    "catalog_request",
    "catalog_experiment",
    "catalog_dataset_item",
    "catalog_claim",
    "catalog_source",
    "catalog_prompt",
    "catalog_product",
    "catalog_delivery",
    "catalog_dataset",
    "catalog_batch",
)
"""In the order in which they can be dropped."""


def upgrade() -> None:
    op.create_table(
        "catalog_batch",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_batch")),
    )
    op.create_index(op.f("ix_catalog_batch_created_at"), "catalog_batch", ["created_at"])
    op.create_index(op.f("ix_catalog_batch_created_by"), "catalog_batch", ["created_by"])

    op.create_table(
        "catalog_dataset",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_dataset")),
        sa.UniqueConstraint("name", name=op.f("uq_catalog_dataset_name")),
    )
    op.create_table(
        "catalog_delivery",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("products", JSON, nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("cure", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'failed')", name=op.f("ck_catalog_delivery_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_delivery")),
    )
    op.create_index(op.f("ix_catalog_delivery_created_at"), "catalog_delivery", ["created_at"])

    op.create_table(
        "catalog_product",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("product_type", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("origins", JSON, nullable=False),
        sa.Column("extraction_id", sa.Integer(), nullable=True),
        sa.Column("evaluation_id", sa.Integer(), nullable=True),
        sa.Column("overall", sa.Numeric(precision=3, scale=2), nullable=True),
        sa.Column("doubt", sa.Numeric(precision=4, scale=2), server_default="0", nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_by_name", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_product")),
    )
    op.create_index("ix_catalog_product_created_at", "catalog_product", ["created_at", "id"])
    op.create_index(op.f("ix_catalog_product_created_by"), "catalog_product", ["created_by"])
    op.create_index("ix_catalog_product_overall", "catalog_product", ["overall", "id"])
    op.create_index(op.f("ix_catalog_product_product_type"), "catalog_product", ["product_type"])
    op.create_index(
        "ix_catalog_product_queue",
        "catalog_product",
        ["doubt", "id"],
        postgresql_where=sa.text("reviewed_at IS NULL"),
    )

    op.create_table(
        "catalog_prompt",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_prompt")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_catalog_prompt_name_version")),
    )
    op.create_index(
        "uq_catalog_prompt_active",
        "catalog_prompt",
        ["name"],
        unique=True,
        postgresql_where=sa.text("active"),
        sqlite_where=sa.text("active"),
    )

    op.create_table(
        "catalog_source",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("file_id", sa.Uuid(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("outline", JSON, nullable=False),
        sa.Column("notes", JSON, nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.CheckConstraint("kind IN ('pdf', 'sheet', 'web')", name=op.f("ck_catalog_source_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_source")),
    )
    op.create_index(op.f("ix_catalog_source_created_at"), "catalog_source", ["created_at"])
    op.create_index(op.f("ix_catalog_source_sha256"), "catalog_source", ["sha256"])

    op.create_table(
        "catalog_claim",
        sa.Column("product_id", KEY, nullable=False),
        sa.Column("person", sa.Uuid(), nullable=False),
        sa.Column("person_name", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["catalog_product.id"],
            name=op.f("fk_catalog_claim_product_id_catalog_product"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_catalog_claim")),
    )
    op.create_table(
        "catalog_dataset_item",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("dataset_id", KEY, nullable=False),
        sa.Column("product_id", KEY, nullable=True),
        sa.Column("product_type", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("sources", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["catalog_dataset.id"],
            name=op.f("fk_catalog_dataset_item_dataset_id_catalog_dataset"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["catalog_product.id"],
            name=op.f("fk_catalog_dataset_item_product_id_catalog_product"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_dataset_item")),
    )
    op.create_index(
        op.f("ix_catalog_dataset_item_dataset_id"), "catalog_dataset_item", ["dataset_id"]
    )
    op.create_index(
        op.f("ix_catalog_dataset_item_product_id"), "catalog_dataset_item", ["product_id"]
    )

    op.create_table(
        "catalog_experiment",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("dataset_id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("temperature", sa.Numeric(precision=3, scale=2), nullable=False),
        sa.Column("prompt_id", KEY, nullable=True),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["catalog_dataset.id"],
            name=op.f("fk_catalog_experiment_dataset_id_catalog_dataset"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["prompt_id"],
            ["catalog_prompt.id"],
            name=op.f("fk_catalog_experiment_prompt_id_catalog_prompt"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_experiment")),
    )
    op.create_index(op.f("ix_catalog_experiment_dataset_id"), "catalog_experiment", ["dataset_id"])
    op.create_index(op.f("ix_catalog_experiment_prompt_id"), "catalog_experiment", ["prompt_id"])

    op.create_table(
        "catalog_request",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("batch_id", KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("product_type", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), server_default="offline", nullable=False),
        sa.Column(
            "temperature", sa.Numeric(precision=3, scale=2), server_default="0", nullable=False
        ),
        sa.Column("prompt_id", KEY, nullable=True),
        sa.Column("hint", sa.Text(), server_default="", nullable=False),
        sa.Column("scope", sa.Text(), server_default="full", nullable=False),
        sa.Column("product_id", KEY, nullable=True),
        sa.Column("state", sa.Text(), server_default="draft", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("cure", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("scope IN ('full', 'hs-code')", name=op.f("ck_catalog_request_scope")),
        sa.CheckConstraint(
            "state IN ('draft', 'waiting', 'working', 'done', 'failed')",
            name=op.f("ck_catalog_request_state"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["catalog_batch.id"],
            name=op.f("fk_catalog_request_batch_id_catalog_batch"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["catalog_product.id"],
            name=op.f("fk_catalog_request_product_id_catalog_product"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["prompt_id"],
            ["catalog_prompt.id"],
            name=op.f("fk_catalog_request_prompt_id_catalog_prompt"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_request")),
        sa.UniqueConstraint(
            "batch_id", "position", name=op.f("uq_catalog_request_batch_id_position")
        ),
    )
    op.create_index(op.f("ix_catalog_request_product_id"), "catalog_request", ["product_id"])
    op.create_index(op.f("ix_catalog_request_prompt_id"), "catalog_request", ["prompt_id"])
    op.create_index(
        "ix_catalog_request_unfinished",
        "catalog_request",
        ["batch_id"],
        postgresql_where=sa.text("state IN ('waiting', 'working')"),
    )

    op.create_table(
        "catalog_experiment_result",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("experiment_id", KEY, nullable=False),
        sa.Column("item_id", KEY, nullable=False),
        sa.Column("content", JSON, nullable=True),
        sa.Column("structure", sa.Numeric(precision=3, scale=2), nullable=True),
        sa.Column("content_score", sa.Numeric(precision=3, scale=2), nullable=True),
        sa.Column("translation", sa.Numeric(precision=3, scale=2), nullable=True),
        sa.Column("overall", sa.Numeric(precision=3, scale=2), nullable=True),
        sa.Column("same_fields", sa.Integer(), nullable=True),
        sa.Column("fields", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("cost_usd", sa.Numeric(precision=12, scale=6), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["catalog_experiment.id"],
            name=op.f("fk_catalog_experiment_result_experiment_id_catalog_experiment"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["catalog_dataset_item.id"],
            name=op.f("fk_catalog_experiment_result_item_id_catalog_dataset_item"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_experiment_result")),
        sa.UniqueConstraint(
            "experiment_id",
            "item_id",
            name=op.f("uq_catalog_experiment_result_experiment_id_item_id"),
        ),
    )
    op.create_index(
        op.f("ix_catalog_experiment_result_item_id"), "catalog_experiment_result", ["item_id"]
    )

    op.create_table(
        "catalog_extraction",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("product_id", KEY, nullable=False),
        sa.Column("request_id", KEY, nullable=True),
        sa.Column("adopted_from", sa.Text(), nullable=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("temperature", sa.Numeric(precision=3, scale=2), nullable=False),
        sa.Column("prompts", JSON, nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("origins", JSON, nullable=False),
        sa.Column("notes", JSON, nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("cost_usd", sa.Numeric(precision=12, scale=6), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["catalog_product.id"],
            name=op.f("fk_catalog_extraction_product_id_catalog_product"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["catalog_request.id"],
            name=op.f("fk_catalog_extraction_request_id_catalog_request"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_extraction")),
        sa.UniqueConstraint("adopted_from", name=op.f("uq_catalog_extraction_adopted_from")),
        sa.UniqueConstraint("request_id", name=op.f("uq_catalog_extraction_request_id")),
    )
    op.create_index(op.f("ix_catalog_extraction_created_at"), "catalog_extraction", ["created_at"])
    op.create_index(op.f("ix_catalog_extraction_product_id"), "catalog_extraction", ["product_id"])

    op.create_table(
        "catalog_request_source",
        sa.Column("request_id", KEY, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source_id", KEY, nullable=False),
        sa.Column("chosen", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["catalog_request.id"],
            name=op.f("fk_catalog_request_source_request_id_catalog_request"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["catalog_source.id"],
            name=op.f("fk_catalog_request_source_source_id_catalog_source"),
        ),
        sa.PrimaryKeyConstraint("request_id", "position", name=op.f("pk_catalog_request_source")),
    )
    op.create_index(
        op.f("ix_catalog_request_source_source_id"), "catalog_request_source", ["source_id"]
    )

    op.create_table(
        "catalog_correction",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("product_id", KEY, nullable=False),
        sa.Column("extraction_id", KEY, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("before", JSON, nullable=False),
        sa.Column("after", JSON, nullable=False),
        sa.Column("person", sa.Uuid(), nullable=True),
        sa.Column("person_name", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["extraction_id"],
            ["catalog_extraction.id"],
            name=op.f("fk_catalog_correction_extraction_id_catalog_extraction"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["catalog_product.id"],
            name=op.f("fk_catalog_correction_product_id_catalog_product"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_correction")),
    )
    op.create_index(
        op.f("ix_catalog_correction_extraction_id"), "catalog_correction", ["extraction_id"]
    )
    op.create_index(op.f("ix_catalog_correction_product_id"), "catalog_correction", ["product_id"])

    op.create_table(
        "catalog_evaluation",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("product_id", KEY, nullable=False),
        sa.Column("extraction_id", KEY, nullable=False),
        sa.Column("product_type", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("temperature", sa.Numeric(precision=3, scale=2), nullable=False),
        sa.Column("structure", sa.Numeric(precision=3, scale=2), nullable=False),
        sa.Column("content", sa.Numeric(precision=3, scale=2), nullable=False),
        sa.Column("translation", sa.Numeric(precision=3, scale=2), nullable=False),
        sa.Column("overall", sa.Numeric(precision=3, scale=2), nullable=False),
        sa.Column("issue_count", sa.Integer(), nullable=False),
        sa.Column("rules_version", sa.Integer(), nullable=False),
        sa.Column("judge", sa.Text(), nullable=True),
        sa.Column("rubric_version", sa.Integer(), nullable=True),
        sa.Column("judged", JSON, nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_by_name", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.CheckConstraint("overall BETWEEN 1 AND 5", name=op.f("ck_catalog_evaluation_overall")),
        sa.ForeignKeyConstraint(
            ["extraction_id"],
            ["catalog_extraction.id"],
            name=op.f("fk_catalog_evaluation_extraction_id_catalog_extraction"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["catalog_product.id"],
            name=op.f("fk_catalog_evaluation_product_id_catalog_product"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_evaluation")),
    )
    op.create_index("ix_catalog_evaluation_created_at", "catalog_evaluation", ["created_at", "id"])
    op.create_index(
        op.f("ix_catalog_evaluation_extraction_id"), "catalog_evaluation", ["extraction_id"]
    )
    op.create_index("ix_catalog_evaluation_overall", "catalog_evaluation", ["overall", "id"])
    op.create_index(op.f("ix_catalog_evaluation_product_id"), "catalog_evaluation", ["product_id"])

    op.create_table(
        "catalog_material",
        sa.Column("extraction_id", KEY, nullable=False),
        sa.Column("sources", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["extraction_id"],
            ["catalog_extraction.id"],
            name=op.f("fk_catalog_material_extraction_id_catalog_extraction"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("extraction_id", name=op.f("pk_catalog_material")),
    )
    op.create_table(
        "catalog_feedback",
        sa.Column("id", KEY, sa.Identity(always=False), nullable=False),
        sa.Column("evaluation_id", KEY, nullable=False),
        sa.Column("person", sa.Uuid(), nullable=False),
        sa.Column("person_name", sa.Text(), nullable=False),
        sa.Column("structure", sa.Integer(), nullable=False),
        sa.Column("content", sa.Integer(), nullable=False),
        sa.Column("translation", sa.Integer(), nullable=False),
        sa.Column("overall", sa.Numeric(precision=3, scale=2), nullable=False),
        sa.Column("notes", JSON, nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.CheckConstraint(
            "structure BETWEEN 1 AND 5 AND content BETWEEN 1 AND 5 AND translation BETWEEN 1 AND 5",
            name=op.f("ck_catalog_feedback_ratings"),
        ),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["catalog_evaluation.id"],
            name=op.f("fk_catalog_feedback_evaluation_id_catalog_evaluation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_feedback")),
        sa.UniqueConstraint(
            "evaluation_id", "person", name=op.f("uq_catalog_feedback_evaluation_id_person")
        ),
    )
    op.create_index(op.f("ix_catalog_feedback_created_at"), "catalog_feedback", ["created_at"])
    op.create_index(
        op.f("ix_catalog_feedback_evaluation_id"), "catalog_feedback", ["evaluation_id"]
    )

    op.create_table(
        "catalog_issue",
        sa.Column("evaluation_id", KEY, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("points", sa.Numeric(precision=3, scale=2), nullable=False),
        sa.Column("found", sa.Text(), nullable=True),
        sa.Column("expected", sa.Text(), nullable=True),
        sa.Column("product_type", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["catalog_evaluation.id"],
            name=op.f("fk_catalog_issue_evaluation_id_catalog_evaluation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("evaluation_id", "position", name=op.f("pk_catalog_issue")),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)

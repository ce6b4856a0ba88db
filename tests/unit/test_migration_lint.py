"""The rules for migrations, each with SQL that breaks it and SQL that does the same safely."""

from types import ModuleType

import pytest
from alembic import op
from sqlalchemy import text

from buttress.db import tenancy_operations  # noqa: F401  # op.enable_tenancy
from buttress.db.migration_lint import RevisionSQL, lint_revisions, lint_sql, render
from buttress.db.migration_rules import RULES

UNSAFE = [
    ("index-locks-writes", "CREATE INDEX i ON product (sku)"),
    ("index-locks-writes", "CREATE UNIQUE INDEX i ON shop.product (sku)"),
    ("index-locks-writes", "REINDEX TABLE product"),
    ("concurrently-in-transaction", "BEGIN; CREATE INDEX CONCURRENTLY i ON product (sku); COMMIT"),
    ("concurrently-in-transaction", "BEGIN; DROP INDEX CONCURRENTLY i; COMMIT"),
    ("not-null-without-default", "ALTER TABLE product ADD COLUMN price numeric NOT NULL"),
    ("not-null-without-default", "ALTER TABLE product ADD a int, ADD COLUMN b int NOT NULL"),
    ("column-rewrites-table", "ALTER TABLE product ADD COLUMN u uuid DEFAULT gen_random_uuid()"),
    ("column-rewrites-table", "ALTER TABLE product ADD COLUMN n bigserial"),
    ("column-rewrites-table", "ALTER TABLE p ADD b int GENERATED ALWAYS AS (a * 2) STORED"),
    ("set-not-null-scans", "ALTER TABLE product ALTER COLUMN price SET NOT NULL"),
    ("constraint-scans", "ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES b (id)"),
    ("constraint-scans", "ALTER TABLE a ADD CONSTRAINT c CHECK (price > 0)"),
    ("constraint-scans", "ALTER TABLE a ADD COLUMN b int REFERENCES b (id)"),
    ("key-builds-index", "ALTER TABLE product ADD PRIMARY KEY (id)"),
    ("key-builds-index", "ALTER TABLE product ADD CONSTRAINT u UNIQUE (sku)"),
    ("key-builds-index", "ALTER TABLE room ADD EXCLUDE USING gist (during WITH &&)"),
    ("type-rewrites-table", "ALTER TABLE p ALTER COLUMN n TYPE bigint USING n::bigint"),
    ("drop-table", "DROP TABLE IF EXISTS product"),
    ("drop-table", "TRUNCATE product"),
    ("drop-column", "ALTER TABLE product DROP COLUMN price"),
    ("rename", "ALTER TABLE product RENAME TO article"),
    ("rename", "ALTER TABLE product RENAME COLUMN sku TO code"),
    ("rename", "ALTER TABLE product RENAME sku TO code"),
    ("drop-column", "ALTER TABLE p ADD CONSTRAINT u UNIQUE USING INDEX i, DROP COLUMN c"),
    ("constraint-scans", "ALTER TABLE product ADD CONSTRAINT n NOT NULL price"),
    ("drop-table", "DROP SCHEMA shop CASCADE"),
    ("unbounded-change", "UPDATE product SET price = 0"),
    ("unbounded-change", "DELETE FROM product"),
    ("unbounded-change", "WITH x AS (SELECT 1) UPDATE product SET price = 0"),
    ("refresh-blocks-readers", "REFRESH MATERIALIZED VIEW sales"),
    ("rewrites-under-lock", "VACUUM FULL product"),
    ("rewrites-under-lock", "VACUUM (VERBOSE, FULL) product"),
    ("rewrites-under-lock", "CLUSTER product USING i"),
    ("rewrites-under-lock", "ALTER TABLE product SET UNLOGGED"),
    ("explicit-lock", "LOCK TABLE product IN ACCESS EXCLUSIVE MODE"),
    ("owner-without-tenancy", "CREATE TABLE note (id int, owner_id uuid)"),
    ("policy-asks-each-row", "CREATE POLICY p ON note USING (owner = current_setting('a.b'))"),
]

SAFE = [
    "CREATE TABLE note (id int, owner uuid); ALTER TABLE note ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY p ON note USING (owner = (SELECT current_setting('a.b')))",
    "CREATE INDEX CONCURRENTLY i ON product (sku)",
    "REINDEX TABLE CONCURRENTLY product",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY sales",
    "ALTER TABLE product ADD COLUMN price numeric",
    "ALTER TABLE product ADD COLUMN price numeric DEFAULT 0 NOT NULL",
    "ALTER TABLE product ADD COLUMN seen timestamptz DEFAULT now() NOT NULL",
    "ALTER TABLE product ADD COLUMN seen timestamptz DEFAULT CURRENT_TIMESTAMP",
    "ALTER TABLE product ADD COLUMN doc jsonb DEFAULT '{}'::jsonb",
    "ALTER TABLE product ALTER COLUMN price DROP NOT NULL",
    "ALTER TABLE product ALTER COLUMN price SET DEFAULT 0",
    "ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES b (id) NOT VALID",
    "ALTER TABLE a ADD CONSTRAINT c CHECK (price > 0) NOT VALID",
    "ALTER TABLE a VALIDATE CONSTRAINT c",
    "ALTER TABLE a ADD CONSTRAINT n NOT NULL price NOT VALID",
    "ALTER TABLE a ATTACH PARTITION b FOR VALUES IN (1)",
    "ALTER TABLE a SET (fillfactor = 70)",
    "ALTER TABLE a ADD CONSTRAINT u UNIQUE USING INDEX i",
    "ALTER TABLE a ADD CONSTRAINT p PRIMARY KEY USING INDEX i",
    "UPDATE product SET price = 0 WHERE id BETWEEN 1 AND 1000",
    "DELETE FROM product WHERE id < 1000",
    "VACUUM product",
    "ALTER TABLE product ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY own ON product USING (owner = current_user)",
    "CREATE VIEW v AS SELECT * FROM product",
    "COMMENT ON TABLE product IS 'LOCK TABLE; DROP TABLE product;'",
    "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM product; DROP TABLE x $$",
    "INSERT INTO note VALUES ('UPDATE product SET price = 0; --')",
]


def broken(sql: str) -> list[str]:
    return [finding.rule for finding in lint_sql(sql)]


@pytest.mark.parametrize(("rule", "sql"), UNSAFE)
def test_an_unsafe_statement_is_found_with_its_rule(rule, sql):
    assert broken(sql) == [rule]


@pytest.mark.parametrize("sql", SAFE)
def test_a_safe_statement_is_let_through(sql):
    assert broken(sql) == []


def test_every_rule_for_sql_has_an_example_that_breaks_it():
    assert {rule for rule, _ in UNSAFE} == set(RULES) - {"not-readable"}


def test_tables_made_by_the_same_sql_may_be_changed_at_will():
    sql = """
        CREATE TABLE Product (id int, sku text);
        CREATE INDEX i ON product (sku);
        ALTER TABLE "product" ADD CHECK (id > 0), ADD PRIMARY KEY (id), ALTER sku SET NOT NULL;
        UPDATE product SET sku = '';
        LOCK TABLE product;
        DROP TABLE product;
    """
    assert broken(sql) == []


def test_names_are_compared_as_postgresql_folds_them():
    assert broken('CREATE TABLE "Product" (id int); UPDATE product SET id = 1') == [
        "unbounded-change"
    ]


def test_set_not_null_is_safe_after_a_check_was_validated_in_an_earlier_revision():
    prepared = RevisionSQL(
        "a",
        'ALTER TABLE p ADD CONSTRAINT c CHECK ("Price" IS NOT NULL) NOT VALID;'
        "ALTER TABLE p VALIDATE CONSTRAINT c;",
    )
    required = RevisionSQL("b", 'ALTER TABLE p ALTER COLUMN "Price" SET NOT NULL')

    assert lint_revisions([prepared, required]) == []
    assert [finding.revision for finding in lint_revisions([required])] == ["b"]


def test_set_not_null_is_unsafe_while_the_check_is_not_validated():
    sql = """
        ALTER TABLE p ADD CONSTRAINT c CHECK (price IS NOT NULL) NOT VALID;
        ALTER TABLE p ALTER COLUMN price SET NOT NULL;
    """
    assert broken(sql) == ["set-not-null-scans"]


def test_a_revision_may_allow_what_it_means_to_do():
    sql = "DROP TABLE product; UPDATE price SET amount = 0"

    found = lint_revisions([RevisionSQL("a", sql, {"drop-table": "moved to another app"})])

    assert [finding.rule for finding in found] == ["unbounded-change"]


def test_a_finding_names_revision_statement_and_cure():
    (finding,) = lint_revisions([RevisionSQL("catalog_1", "SELECT 1;\nDROP TABLE product;")])

    assert str(finding).startswith("catalog_1: drop-table: ")
    assert finding.statement == "DROP TABLE product"
    assert finding.cure.endswith(".")


def test_operations_of_a_revision_are_rendered_and_judged():
    revision = ModuleType("revision")

    def upgrade() -> None:
        op.create_index("i", "product", ["sku"])
        with op.get_context().autocommit_block():
            op.create_index("j", "product", ["name"], postgresql_concurrently=True)

    revision.upgrade = upgrade

    (finding,) = lint_revisions([render("a", revision)])

    assert (finding.rule, finding.statement) == (
        "index-locks-writes",
        "CREATE INDEX i ON product (sku)",
    )


def test_a_revision_that_reads_data_is_reported_as_unchecked():
    revision = ModuleType("revision")
    revision.upgrade = lambda: op.get_bind().execute(text("SELECT 1")).all()

    (finding,) = lint_revisions([render("a", revision)])

    assert finding.rule == "not-readable"


def test_a_later_revision_may_guard_the_rows_of_owners():
    made = RevisionSQL("a_1", "CREATE TABLE note (id int, owner uuid)")
    guarded = RevisionSQL("a_2", "ALTER TABLE note ENABLE ROW LEVEL SECURITY")

    assert [f.revision for f in lint_revisions([made])] == ["a_1"]
    assert lint_revisions([made, guarded]) == []


def test_what_enable_tenancy_sends_breaks_no_rule():
    revision = ModuleType("revision")

    def upgrade() -> None:
        op.enable_tenancy("note", owner="owner", unowned=True)  # type: ignore[attr-defined]
        op.disable_tenancy("note", owner="owner", unowned=True)  # type: ignore[attr-defined]
        op.see_every_row()  # type: ignore[attr-defined]

    revision.upgrade = upgrade  # type: ignore[attr-defined]
    rendered = render("a_1", revision)

    assert rendered.problem == ""
    assert rendered.sql.count("CREATE POLICY") == 1
    assert lint_revisions([rendered]) == []

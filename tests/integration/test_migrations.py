"""Migrations of several apps, on real databases."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Numeric, Table, inspect, text

from buttress.db import migration_scripts, migrations
from buttress.db.backend import LockTimeout
from buttress.db.base import NAMING_CONVENTION, JSONDocument, UTCDateTime
from buttress.db.database import Database
from buttress.db.fingerprint import compare
from buttress.db.migrations import MigrationSource
from buttress.db.rollup import Rollup
from buttress.errors import ConfigurationError, Conflict, NotFound


class Apps:
    """Apps in a temporary folder, with revisions written as in a project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metadata = MetaData(naming_convention=NAMING_CONVENTION)
        self.sources: list[MigrationSource] = []
        self.heads: dict[str, str] = {}

    def add(self, app: str, metadata: MetaData | None = None) -> MigrationSource:
        source = MigrationSource(app, self.folder / app / "versions", metadata or self.metadata)
        source.versions.mkdir(parents=True)
        self.sources.append(source)
        return source

    def revise(
        self, app: str, upgrade: str, downgrade: str = "pass", after: str | None = None
    ) -> str:
        if app not in [source.name for source in self.sources]:
            self.add(app)
        last = self.heads.get(app)
        number = 1 + int(last.rpartition("_")[2]) if last else 1
        revision = self.heads[app] = f"{app}_{number:08d}"
        (self.folder / app / "versions" / f"{revision}.py").write_text(
            f'"""revision {number}"""\n'
            "import sqlalchemy as sa\nfrom alembic import op\n"
            f"revision = {revision!r}\ndown_revision = {last!r}\n"
            f"branch_labels = {None if last else (app,)!r}\ndepends_on = {after!r}\n\n"
            f"def upgrade():\n{indent(dedent(upgrade).strip(), '    ')}\n\n"
            f"def downgrade():\n{indent(dedent(downgrade).strip(), '    ')}\n"
        )
        return revision

    def make_table(self, app: str) -> str:
        return self.revise(
            app,
            f"op.create_table('{app}_thing', sa.Column('id', sa.Integer, primary_key=True))",
            f"op.drop_table('{app}_thing')",
        )


@pytest.fixture(autouse=True)
def no_revisions_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The foundation's own tables stay away: these tests tell what apps bring."""
    nothing = MigrationSource("buttress", tmp_path / "foundation", MetaData())
    monkeypatch.setattr(migration_scripts, "FOUNDATION", nothing)


@pytest.fixture
def apps(tmp_path: Path) -> Apps:
    return Apps(tmp_path / "apps")


@pytest.fixture(params=["database_url", "sqlite_url"])
def either(request: pytest.FixtureRequest) -> Iterator[Database]:
    database = Database(request.getfixturevalue(request.param))
    yield database
    database.close()


@pytest.fixture
def postgresql(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def tables(database: Database) -> list[str]:
    with database.connection() as connection:
        return sorted(set(inspect(connection).get_table_names()) - {"buttress_migrations"})


def run(database: Database, statement: str) -> None:
    with database.connection() as connection:
        connection.execute(text(statement))


def ids(revisions: list[migrations.Revision]) -> list[str]:
    return [revision.id for revision in revisions]


def test_apps_are_branches_that_go_up_down_and_up_alone(apps, either):
    names = ["catalog", "margins", "campaigns", "assistant", "podcasts"]
    for name in names:
        apps.make_table(name)
    everything = sorted(f"{name}_thing" for name in names)

    assert len(migrations.upgrade(either, apps.sources)) == 5
    for name in names:
        undone = migrations.downgrade(either, apps.sources, f"{name}@base")
        assert [revision.app for revision in undone] == [name]
        assert tables(either) == [table for table in everything if table != f"{name}_thing"]
        migrations.upgrade(either, apps.sources, target=f"{name}@head")
        assert tables(either) == everything
    assert migrations.upgrade(either, apps.sources) == []
    assert migrations.drift(either, apps.sources) == []


def test_history_and_current_tell_what_is_applied(apps, either):
    first = apps.make_table("catalog")
    assert migrations.current(either, apps.sources) == []
    migrations.upgrade(either, apps.sources)
    second = apps.revise("catalog", "pass")
    other = apps.make_table("margins")

    shown = {r.id: r.applied for r in migrations.history(either, apps.sources)}

    assert shown == {first: True, second: False, other: False}
    assert ids(migrations.current(either, apps.sources)) == [first]


def test_an_app_that_builds_on_another_comes_after_it_and_both_stay_current(apps, either):
    base = apps.make_table("tickets")
    link = apps.revise("assistant", "pass", after=base)

    assert ids(migrations.upgrade(either, apps.sources)) == [base, link]
    assert ids(migrations.current(either, apps.sources)) == [link, base]


def test_a_revision_that_fails_leaves_nothing_of_itself_and_keeps_what_came_before(apps, either):
    good = apps.make_table("catalog")
    apps.revise(
        "catalog",
        """
        op.create_table('catalog_half', sa.Column('id', sa.Integer, primary_key=True))
        op.execute("INSERT INTO catalog_half VALUES (1), (1)")
        """,
    )

    with pytest.raises(Conflict):
        migrations.upgrade(either, apps.sources)

    assert tables(either) == ["catalog_thing"]
    assert ids(migrations.current(either, apps.sources)) == [good]


def test_a_revision_of_an_app_that_is_not_installed_is_told_by_the_apps_name(apps, either):
    apps.make_table("catalog")
    apps.make_table("call_center")
    migrations.upgrade(either, apps.sources)

    for action in (migrations.upgrade, migrations.current, migrations.history, migrations.drift):
        with pytest.raises(Conflict, match="call_center that are not installed"):
            action(either, apps.sources[:1])


def test_an_unknown_target_is_not_found(apps, either):
    apps.make_table("catalog")

    with pytest.raises(NotFound, match="'nonsense'"):
        migrations.upgrade(either, apps.sources, target="nonsense")


def test_names_of_apps_may_be_as_long_as_apps_allow(apps, either):
    revision = apps.make_table("a" * 30)

    assert ids(migrations.upgrade(either, apps.sources)) == [revision]
    assert ids(migrations.current(either, apps.sources)) == [revision]


def test_a_new_revision_brings_the_tables_to_the_models(apps, either):
    product = Table(
        "catalog_product",
        apps.metadata,
        Column("id", Integer, primary_key=True),
        Column("added", UTCDateTime(), nullable=False),
        Column("facts", JSONDocument),
    )
    Table(
        "tickets_ticket",
        apps.metadata,
        Column("id", Integer, primary_key=True),
        Column("product_id", ForeignKey("catalog_product.id"), nullable=False),
    )
    apps.add("catalog")
    apps.add("tickets")

    catalog = migrations.new_revision(either, apps.sources, "catalog", "first tables")
    tickets = migrations.new_revision(either, apps.sources, "tickets", "first tables")
    assert tables(either) == []  # only a scratch database was touched
    assert len(migrations.upgrade(either, apps.sources)) == 2
    assert tables(either) == ["catalog_product", "tickets_ticket"]
    product.append_column(Column("price", Numeric(10, 2), server_default="0", nullable=False))
    price = migrations.new_revision(either, apps.sources, "catalog", "add price")
    assert len(migrations.upgrade(either, apps.sources)) == 1

    assert catalog.parent == price.parent != tickets.parent
    assert "tickets" not in catalog.read_text()
    assert "buttress" not in catalog.read_text()
    assert migrations.new_revision(either, apps.sources, "catalog", "nothing") is None
    assert migrations.drift(either, apps.sources) == []
    migrations.downgrade(either, apps.sources, "catalog@base")
    assert tables(either) == []


def test_what_was_tried_by_hand_does_not_get_into_a_new_revision(apps, either):
    apps.add("catalog")
    Table("catalog_product", apps.metadata, Column("id", Integer, primary_key=True))
    run(either, "CREATE TABLE catalog_product (id integer PRIMARY KEY, tried integer)")

    written = migrations.new_revision(either, apps.sources, "catalog", "first").read_text()

    assert "create_table" in written
    assert "tried" not in written


def test_an_app_with_metadata_of_its_own_may_name_its_tables_freely(apps, either):
    own = MetaData(naming_convention=NAMING_CONVENTION)
    Table("orders", own, Column("id", Integer, primary_key=True))
    apps.add("legacy", own)

    assert "'orders'" in migrations.new_revision(either, apps.sources, "legacy", "x").read_text()


def test_an_empty_revision_is_written_without_a_database(apps):
    apps.add("catalog")
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nowhere")

    path = migrations.new_revision(nowhere, apps.sources, "catalog", "fill", autogenerate=False)

    assert "def upgrade() -> None:\n    pass" in path.read_text()


def test_a_new_revision_of_an_unknown_app_is_not_found(apps, either):
    with pytest.raises(NotFound, match="'catalogue'"):
        migrations.new_revision(either, apps.sources, "catalogue", "x")


def test_rebuilding_a_table_on_sqlite_keeps_the_rows_that_refer_to_it(apps, sqlite_url):
    database = Database(sqlite_url)
    apps.revise(
        "shop",
        """
        op.execute("CREATE TABLE shop_order (id integer PRIMARY KEY, note text)")
        op.execute("CREATE TABLE shop_line (id integer PRIMARY KEY, "
                   "order_id integer REFERENCES shop_order ON DELETE CASCADE)")
        op.execute("INSERT INTO shop_order VALUES (1, 'n')")
        op.execute("INSERT INTO shop_line VALUES (1, 1)")
        """,
    )
    apps.revise(
        "shop",
        """
        with op.batch_alter_table('shop_order') as batch:
            batch.alter_column('note', nullable=False, existing_type=sa.Text())
        """,
    )
    migrations.upgrade(database, apps.sources)
    apps.revise("shop", "op.execute('DELETE FROM shop_order')")

    with pytest.raises(Conflict, match="shop_line"):
        migrations.upgrade(database, apps.sources)

    with database.connection() as connection:
        assert connection.scalar(text("SELECT count(*) FROM shop_line JOIN shop_order o")) == 1
    database.close()


def test_two_processes_that_migrate_at_once_apply_each_revision_once(apps, either):
    apps.revise("catalog", "op.execute('CREATE TABLE catalog_log (id integer)')")
    for number in range(3):
        apps.revise("catalog", f"op.execute('INSERT INTO catalog_log VALUES ({number})')")
    database, folder = either.url, apps.folder
    address = f"sqlite:///{database.path}" if database.path else database.conninfo
    program = dedent(f"""
        from pathlib import Path
        from sqlalchemy import MetaData
        from buttress.db import migration_scripts, migrations
        from buttress.db.database import Database

        migration_scripts.FOUNDATION = migrations.MigrationSource("buttress", Path("none"), MetaData())
        source = migrations.MigrationSource("catalog", Path({str(folder)!r}) / "catalog/versions", MetaData())
        print(len(migrations.upgrade(Database({address!r}), [source])))
    """)

    both = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    applied = [int(process.communicate(timeout=60)[0]) for process in both]

    assert sorted(applied) == [0, 4]
    with either.connection() as connection:
        assert connection.scalars(text("SELECT id FROM catalog_log")).all() == [0, 1, 2]


def test_a_revision_that_waits_for_a_busy_table_does_not_keep_readers_waiting(apps, postgresql):
    apps.make_table("catalog")
    migrations.upgrade(postgresql, apps.sources)
    apps.revise("catalog", "op.execute('ALTER TABLE catalog_thing ADD COLUMN note text')")
    stalls: list[float] = []
    upgraded = threading.Event()

    def read_again_and_again() -> None:
        while not upgraded.is_set():
            started = time.monotonic()
            run(postgresql, "SELECT count(*) FROM catalog_thing")
            stalls.append(time.monotonic() - started)

    reader = threading.Thread(target=read_again_and_again)
    with postgresql.connection() as slow_report:
        slow_report.execute(text("SELECT count(*) FROM catalog_thing"))
        reader.start()
        threading.Timer(3, slow_report.rollback).start()
        migrations.upgrade(postgresql, apps.sources, lock_timeout_seconds=0.1)
        upgraded.set()
    reader.join()

    assert max(stalls) < 1.0
    assert len(stalls) > 10
    assert migrations.drift(postgresql, apps.sources) == []


def test_a_table_that_stays_busy_ends_the_upgrade_without_a_trace(apps, postgresql):
    apps.make_table("catalog")
    migrations.upgrade(postgresql, apps.sources)
    apps.revise("catalog", "op.execute('ALTER TABLE catalog_thing ADD COLUMN note text')")

    with postgresql.connection() as slow_report:
        slow_report.execute(text("SELECT count(*) FROM catalog_thing"))
        with pytest.raises(LockTimeout, match=r"0\.1 seconds"):
            migrations.upgrade(
                postgresql, apps.sources, lock_timeout_seconds=0.1, patience_seconds=1
            )

    assert len(ids([r for r in migrations.history(postgresql, apps.sources) if r.applied])) == 1


def test_an_index_built_concurrently_may_wait_longer_than_the_lock_timeout(apps, postgresql):
    apps.make_table("catalog")
    migrations.upgrade(postgresql, apps.sources)
    apps.revise(
        "catalog",
        """
        with op.get_context().autocommit_block():
            op.create_index('catalog_i', 'catalog_thing', ['id'], postgresql_concurrently=True)
        """,
    )

    with postgresql.connection() as slow_report:
        slow_report.execute(text("INSERT INTO catalog_thing VALUES (1)"))
        threading.Timer(1, slow_report.commit).start()
        migrations.upgrade(postgresql, apps.sources, lock_timeout_seconds=0.1)

    with postgresql.connection() as connection:
        valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'catalog_i'::regclass"
        assert connection.scalar(text(valid)) is True


def test_a_revision_that_row_security_would_blind_fails_instead(apps, postgresql):
    apps.revise(
        "catalog",
        """
        op.execute("CREATE TABLE catalog_t AS SELECT 1 AS id")
        op.execute("ALTER TABLE catalog_t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        """,
    )
    migrations.upgrade(postgresql, apps.sources)
    apps.revise("catalog", "op.execute('UPDATE catalog_t SET id = 2')")

    with pytest.raises(ConfigurationError, match="row-level security"):
        migrations.upgrade(postgresql, apps.sources)


def test_tables_are_made_in_the_schema_the_url_names(apps, database_url):
    apps.make_table("catalog")
    database = Database(f"{database_url}&schema=shop")

    migrations.upgrade(database, apps.sources)

    with database.connection() as connection:
        assert inspect(connection).get_table_names(schema="shop") == [
            "buttress_migrations",
            "catalog_thing",
        ]
        assert inspect(connection).get_table_names(schema="public") == []
    assert migrations.drift(database, apps.sources) == []
    run(database, "ALTER TABLE catalog_thing ADD COLUMN tried integer")
    assert [str(d) for d in migrations.drift(database, apps.sources)] == [
        "column catalog_thing.tried: extra"
    ]
    database.close()


SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE SEQUENCE numbers;
CREATE TABLE catalog_product (
    id integer PRIMARY KEY, name varchar(40) NOT NULL DEFAULT '', price numeric(10, 2),
    CONSTRAINT positive CHECK (price > 0));
CREATE TABLE catalog_price (id integer PRIMARY KEY, product_id integer
    CONSTRAINT to_product REFERENCES catalog_product);
CREATE INDEX by_name ON catalog_product (name);
CREATE VIEW cheap WITH (security_invoker = true) AS SELECT * FROM catalog_product WHERE price < 10;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM catalog_product;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON catalog_product FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE catalog_product ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON catalog_product USING (true);
GRANT SELECT ON catalog_product TO buttress_backup;
"""

CHANGES = [
    ("ALTER TABLE catalog_product ADD COLUMN tried integer",
     "column catalog_product.tried: extra"),
    ("ALTER TABLE catalog_product DROP COLUMN name CASCADE",
     "column catalog_product.name: missing"),
    ("ALTER TABLE catalog_price ALTER product_id TYPE bigint",
     "column catalog_price.product_id: 'bigint' instead of 'integer'"),
    ("ALTER TABLE catalog_product ALTER name SET DEFAULT 'x'",
     "column catalog_product.name: \"character varying(40) not null default 'x'"),
    ("ALTER TABLE catalog_product ALTER name DROP NOT NULL",
     "column catalog_product.name: \"character varying(40) default ''"),
    ("ALTER TABLE catalog_product DROP CONSTRAINT positive",
     "constraint catalog_product.positive: missing"),
    ("ALTER TABLE catalog_product ADD CONSTRAINT short CHECK (length(name) < 9) NOT VALID",
     "constraint catalog_product.short: extra"),
    ("ALTER TABLE catalog_price DROP CONSTRAINT to_product",
     "constraint catalog_price.to_product: missing"),
    ("DROP INDEX by_name", "index catalog_product.by_name: missing"),
    ("CREATE UNIQUE INDEX hot ON catalog_product (price) WHERE price > 5",
     "index catalog_product.hot: extra"),
    ("CREATE OR REPLACE VIEW cheap AS SELECT * FROM catalog_product WHERE price < 11",
     "view cheap: "),
    ("DROP MATERIALIZED VIEW totals", "materialized view totals: missing"),
    ("CREATE VIEW by_hand AS SELECT 1", "view by_hand: extra"),
    ("CREATE TABLE by_hand (a integer, b integer)", "table by_hand: extra"),
    ("DROP TABLE catalog_price", "table catalog_price: missing"),
    ("DROP TRIGGER touched ON catalog_product", "trigger catalog_product.touched: missing"),
    ("ALTER TABLE catalog_product DISABLE TRIGGER touched", "trigger catalog_product.touched: "),
    ("CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS "
     "$$ BEGIN RETURN NULL; END $$", "function touch(): "),
    ("CREATE FUNCTION by_hand() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
     "function by_hand(): extra"),
    ("ALTER TABLE catalog_product DISABLE ROW LEVEL SECURITY",
     "row security catalog_product: 'disabled' instead of 'enabled'"),
    ("ALTER TABLE catalog_product FORCE ROW LEVEL SECURITY", "row security catalog_product: "),
    ("CREATE POLICY nobody ON catalog_price USING (false)", "policy catalog_price.nobody: extra"),
    ("ALTER POLICY everybody ON catalog_product USING (price > 1)",
     "policy catalog_product.everybody: "),
    ("GRANT UPDATE ON catalog_product TO buttress_backup",
     "grant catalog_product.UPDATE to buttress_backup: extra"),
    ("REVOKE SELECT ON catalog_product FROM buttress_backup",
     "grant catalog_product.SELECT to buttress_backup: missing"),
    ("GRANT UPDATE (price) ON catalog_product TO buttress_backup",
     "grant catalog_product.UPDATE (price) to buttress_backup: extra"),
    ("REVOKE EXECUTE ON FUNCTION touch FROM PUBLIC",
     "grant touch().EXECUTE to public: missing"),
    ("ALTER TYPE mood ADD VALUE 'bored'", "type mood: "),
    ("ALTER SEQUENCE numbers INCREMENT 2", "sequence numbers: "),
    ("ALTER TABLE catalog_price SET UNLOGGED", "table catalog_price: 'unlogged' instead of ''"),
]  # fmt: skip


def test_drift_tells_every_kind_of_change_made_by_hand(apps, postgresql):
    apps.revise("catalog", f"op.execute('''{SCHEMA}''')")
    migrations.upgrade(postgresql, apps.sources)
    expected = read_fingerprint(postgresql)
    assert migrations.drift(postgresql, apps.sources) == []

    missed = {}
    for change, told in CHANGES:
        lines = differences_after(change, postgresql, expected)
        if not any(line.startswith(told) for line in lines):
            missed[change] = lines

    assert missed == {}
    run(postgresql, CHANGES[0][0])
    assert [str(d) for d in migrations.drift(postgresql, apps.sources)] == [CHANGES[0][1]]


def read_fingerprint(database: Database) -> dict[Any, str]:
    with database.connection() as connection:
        return database.backend.fingerprint(connection)


def differences_after(change: str, database: Database, expected: dict[Any, str]) -> list[str]:
    """What a change makes different; the change itself is undone."""
    with database.engine.connect() as connection:
        connection.execute(text(change))
        found = database.backend.fingerprint(connection)
        connection.rollback()
    return [str(difference) for difference in compare(expected, found)]


def test_drift_on_sqlite_tells_changes_made_by_hand(apps, sqlite_url):
    database = Database(sqlite_url)
    apps.make_table("catalog")
    migrations.upgrade(database, apps.sources)
    for change in (
        "ALTER TABLE catalog_thing ADD COLUMN tried integer",
        "CREATE INDEX hot ON catalog_thing (id)",
        "CREATE VIEW by_hand AS SELECT 1",
    ):
        run(database, change)

    told = [str(difference) for difference in migrations.drift(database, apps.sources)]

    assert told[0] == "view by_hand: extra"
    assert told[1] == "index catalog_thing.hot: extra" or "tried" in told[1]
    assert len(told) == 3
    database.close()


def test_drift_leaves_no_scratch_database_behind(apps, postgresql):
    apps.make_table("catalog")
    migrations.upgrade(postgresql, apps.sources)
    migrations.drift(postgresql, apps.sources)

    with postgresql.connection() as connection:
        scratch = "SELECT count(*) FROM pg_database WHERE datname LIKE current_database() || '\\_%'"
        assert connection.scalar(text(scratch)) == 0


def test_drift_leaves_out_what_a_move_brought(apps, postgresql):
    apps.make_table("catalog")
    migrations.upgrade(postgresql, apps.sources)
    run(
        postgresql,
        """
        CREATE TABLE "Orders" (id integer);
        CREATE VIEW recent AS SELECT * FROM "Orders";
        CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
        CREATE TRIGGER s BEFORE INSERT ON "Orders" FOR EACH ROW EXECUTE FUNCTION stamp();
        CREATE TABLE buttress_moves (id text, plan jsonb);
        INSERT INTO buttress_moves VALUES ('1', '{"tables": [{"target": "Orders"}],
            "views": [{"target": "recent"}], "triggers": [{"target": "s"}]}');
        CREATE TABLE by_hand (id integer);
        """,
    )

    assert [str(d) for d in migrations.drift(postgresql, apps.sources)] == ["table by_hand: extra"]


def test_rollups_come_with_the_last_revision_and_are_neither_drift_nor_a_change(apps, either):
    thing = Table(
        "shop_thing", apps.metadata, Column("id", Integer, primary_key=True), Column("n", Integer)
    )
    apps.add("shop")
    first = migrations.new_revision(either, apps.sources, "shop", "things")
    Rollup("shop_things", source=thing, by=["n"], sums=["id"])

    migrations.upgrade(either, apps.sources)
    run(either, "INSERT INTO shop_thing (id, n) VALUES (1, 7), (2, 7)")

    assert first is not None
    with either.connection() as connection:
        assert connection.execute(text("SELECT n, rows, id_sum FROM shop_things")).all() == [
            (7, 2, 3)
        ]
    assert migrations.upgrade(either, apps.sources) == []
    assert migrations.drift(either, apps.sources) == []
    assert migrations.new_revision(either, apps.sources, "shop", "nothing") is None


def test_lint_judges_pending_revisions_or_all(apps, either):
    apps.make_table("catalog")
    apps.revise("catalog", "op.execute('DELETE FROM catalog_thing')")
    migrations.upgrade(either, apps.sources)
    pending = apps.revise(
        "catalog", "op.add_column('catalog_thing', sa.Column('n', sa.Integer, nullable=False))"
    )

    found = [(f.rule, f.revision) for f in migrations.lint(apps.sources, either)]

    assert found == [("not-null-without-default", pending)]
    assert [f.rule for f in migrations.lint(apps.sources)] == ["unbounded-change", found[0][0]]

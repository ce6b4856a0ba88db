"""The target, the staging schema and the switch, on a real PostgreSQL."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from buttress.db.embedded import Servers
from buttress.errors import BadInput, ConfigurationError, Conflict, Unavailable
from buttress.mover import side_tables, stage, switch
from buttress.mover.plan import Column, Plan, Table
from buttress.mover.report import MoveReport
from buttress.mover.statements import answering
from buttress.mover.target import Target, open_target, staging_name

ID = "20260102_030405_abcd"
BIGINT, TEXT = ("bigint", "integer"), ('text COLLATE "C"', "text")


def column(name: str, kind: tuple[str, str], **more: Any) -> Column:
    return Column(name=name, target=name, type=kind[0], rule=kind[1], **more)


def people(name: str = "People", **more: Any) -> Table:
    """A table of three columns with a key, as the planner describes one."""
    return Table(
        name=name,
        target=name,
        rows=2,
        rowid_alias="id",
        identity_next=3,
        columns=[column("id", BIGINT), column("name", TEXT, not_null=True), column("Age", BIGINT)],
        key=["id"],
        key_target=f"{name}_pkey",
        **more,
    )


def plan_of(*tables: Table, schema: str = "public", **more: Any) -> Plan:
    return Plan(source="app.db", schema=schema, tables=list(tables), **more)


def report_of(plan: Plan, move_id: str = ID) -> MoveReport:
    return MoveReport(id=move_id, verdict="proven", source="app.db", plan=plan)


def ask(connection: psycopg.Connection, query: str, *values: object) -> list[Any]:
    rows = connection.execute(query, values or None).fetchall()
    connection.commit()
    return [row[0] if len(row) == 1 else row for row in rows]


@pytest.fixture
def target(conninfo: str) -> Target:
    return open_target(conninfo, label="the test database", schema="public", move_id=ID)


@pytest.fixture
def control(target: Target) -> Iterator[psycopg.Connection]:
    with target.connect() as connection:
        yield connection


@pytest.fixture
def superuser(servers: Servers, conninfo: str) -> str:
    return servers.postgres_url("postgres", str(conninfo_to_dict(conninfo)["dbname"]))


@pytest.fixture
def mine(conninfo: str) -> str:
    """A name no other test uses at the same time."""
    return f"{conninfo_to_dict(conninfo)['dbname']}_too"


@pytest.fixture
def role(superuser: str, mine: str) -> Iterator[str]:
    """A role without rights."""
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {mine}")
        yield mine
        connection.execute(f"DROP OWNED BY {mine}; DROP ROLE {mine}")


def built(control: psycopg.Connection, target: Target, plan: Plan) -> None:
    """A staging schema with two rows in each table."""
    stage.prepare(control, plan, target)
    for table in plan.moving:
        control.execute(
            sql.SQL("INSERT INTO {} VALUES (1, 'Ada', 36), (2, 'Bob', NULL)").format(
                sql.Identifier(table.target)
            )
        )
    control.commit()


# --- the target ------------------------------------------------------------------------------


def test_a_connection_sees_only_the_staging_schema_and_reads_values_in_one_form(
    target: Target,
) -> None:
    with target.connect() as connection:
        assert ask(connection, "SHOW search_path") == [f'"{target.staging}"']
        assert ask(connection, "SELECT '2024-02-03'::timestamptz::text") == [
            "2024-02-03 00:00:00+00"
        ]
    with target.connect(schema="public", autocommit=True) as connection:
        assert ask(connection, "SHOW search_path") == ['"public"']


def test_the_password_is_never_shown(conninfo: str) -> None:
    target = Target(f"{conninfo} password=hush", "there", "public", "x")
    assert "hush" not in repr(target)
    with pytest.raises(ConfigurationError) as failure:
        Target("postgresql://ada:hush@[::1/x", "there", "public", "x").connect()
    assert "hush" not in failure.value.message + (failure.value.hint or "")
    assert failure.value.__suppress_context__


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    nowhere = "host=127.0.0.1 port=1 user=ada dbname=x connect_timeout=2"
    with pytest.raises(Unavailable, match="no answer from there"):
        open_target(nowhere, label="there", schema="public", move_id=ID)


def test_a_database_that_does_not_exist_is_a_matter_of_configuration(conninfo: str) -> None:
    wrong = make_conninfo(conninfo, dbname="no_such_database")
    with pytest.raises(ConfigurationError, match="no_such_database"):
        open_target(wrong, label="there", schema="public", move_id=ID)


@pytest.mark.parametrize("schema", ["", "pg_catalog", "information_schema", "é" * 40])
def test_schemas_a_move_cannot_go_to_are_refused(conninfo: str, schema: str) -> None:
    with pytest.raises(ConfigurationError):
        open_target(conninfo, label="there", schema=schema, move_id=ID)


def test_a_database_that_is_not_utf8_is_refused(superuser: str, mine: str) -> None:
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {mine} ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'"
        )
        try:
            latin = make_conninfo(superuser, dbname=mine)
            with pytest.raises(ConfigurationError, match="LATIN1"):
                open_target(latin, label="there", schema="public", move_id=ID)
        finally:
            connection.execute(f"DROP DATABASE {mine} WITH (FORCE)")


def test_missing_rights_are_named_with_the_grant_that_mends_them(superuser: str, role: str) -> None:
    guest = make_conninfo(superuser, options=f"-c role={role}")
    database = conninfo_to_dict(superuser)["dbname"]
    with pytest.raises(ConfigurationError) as failure:
        open_target(guest, label="there", schema="public", move_id=ID)
    assert f'GRANT CREATE ON DATABASE "{database}" TO "{role}"' in (failure.value.hint or "")
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f'GRANT CREATE ON DATABASE "{database}" TO {role}')
    with pytest.raises(ConfigurationError) as failure:
        open_target(guest, label="there", schema="public", move_id=ID)
    assert f'ON SCHEMA "public" TO "{role}"' in (failure.value.hint or "")
    open_target(guest, label="there", schema="a new one", move_id=ID)


def test_staging_names_keep_the_moves_id_however_long_the_schemas_name_is() -> None:
    assert staging_name("public", ID) == f"public__move_{ID}"
    long = staging_name("ü" * 31, ID)
    assert long.endswith(f"__move_{ID}")
    assert len(long.encode()) <= 63


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (psycopg.errors.DiskFull("x"), "no disk space left on the target there"),
        (psycopg.errors.OutOfMemory("x"), "there is out of memory"),
        (psycopg.errors.AdminShutdown("x"), "connection to there failed"),
        (psycopg.OperationalError("server closed the connection"), "connection to there failed"),
    ],
)
def test_a_server_in_trouble_is_told_from_one_that_refuses_an_object(
    error: psycopg.Error, words: str
) -> None:
    with pytest.raises(Unavailable, match=words) as failure, answering("there"):
        raise error
    assert failure.value.hint
    with pytest.raises(psycopg.errors.ProgramLimitExceeded), answering("there"):
        raise psycopg.errors.ProgramLimitExceeded("index row size exceeds btree maximum")


# --- prepare ---------------------------------------------------------------------------------


def test_prepare_makes_the_tables_with_odd_names_and_the_side_tables(
    control: psycopg.Connection, target: Target
) -> None:
    odd = 'a "quoted" name; 50%'
    table = Table(name=odd, target=odd, columns=[column(odd, TEXT, default="'50%'")])

    assert stage.prepare(control, plan_of(people(), table), target) == []

    control.rollback()
    assert set(stage.occupied(control, target.staging)) == {
        "People",
        odd,
        "buttress_quarantine",
        "buttress_cells",
        "buttress_progress",
    }
    control.rollback()
    assert ask(
        control,
        "SELECT column_name, data_type, is_nullable, collation_name FROM information_schema.columns "
        "WHERE table_name = 'People' ORDER BY ordinal_position",
    ) == [
        ("id", "bigint", "NO", None),
        ("name", "text", "NO", "C"),
        ("Age", "bigint", "YES", None),
    ]
    assert stage.done(control, target) == {}


def test_prepare_commits_also_when_the_caller_has_read_something(
    control: psycopg.Connection, target: Target
) -> None:
    control.execute("SELECT 1")
    stage.prepare(control, plan_of(people()), target)
    control.rollback()
    assert stage.stale(control, "public") == [target.staging]
    assert stage.stale(control, "publi") == []


def test_refused_defaults_and_generated_columns_are_taken_out_of_the_plan_and_told(
    control: psycopg.Connection, target: Target
) -> None:
    table = Table(
        name="t",
        target="t",
        columns=[
            column("a", BIGINT, default="no_such_function()"),
            column("b", BIGINT, default="1 / 0"),
            column("c", BIGINT, default="6 * 7"),
            column("d", BIGINT, generated="a + 1"),
            column("e", BIGINT, generated="random()::bigint"),
            column("f", BIGINT, generated="d + 1"),
        ],
    )

    refused = stage.prepare(control, plan_of(table), target)

    assert [(one.kind, one.name) for one in refused] == [
        ("default", "a"),
        ("default", "b"),
        ("generated column", "e"),
        ("generated column", "f"),
    ]
    assert "no_such_function" in refused[0].reason
    assert "division by zero" in refused[1].reason
    assert "not immutable" in refused[2].reason
    assert [one.name for one in table.stored] == ["a", "b", "c", "e", "f"]
    control.execute("INSERT INTO t (a) VALUES (1)")
    assert ask(control, "SELECT b, c, d FROM t") == [(None, 42, 2)]


def test_a_table_that_postgresql_refuses_becomes_impossible_and_the_others_are_made(
    control: psycopg.Connection, target: Target
) -> None:
    wide = Table(name="wide", target="wide", columns=[column(f"c{i}", BIGINT) for i in range(1701)])

    refused = stage.prepare(control, plan_of(wide, people()), target)

    assert [(one.kind, one.name) for one in refused] == [("table", "wide")]
    assert "1600" in wide.impossible
    assert "People" in stage.occupied(control, target.staging)


def test_a_type_that_is_none_names_the_table_of_the_plan(
    control: psycopg.Connection, target: Target
) -> None:
    table = Table(name="t", target="t", columns=[column("a", ("bigintt", "integer"))])
    with pytest.raises(BadInput, match='table t: type "bigintt" does not exist'):
        stage.prepare(control, plan_of(table), target)


def test_prepare_begins_anew_over_the_rest_of_an_attempt(
    control: psycopg.Connection, target: Target
) -> None:
    built(control, target, plan_of(people()))
    stage.prepare(control, plan_of(people()), target)
    assert ask(control, 'SELECT count(*) FROM "People"') == [0]


def test_discard_leaves_nothing_of_hundreds_of_tables(
    control: psycopg.Connection, target: Target
) -> None:
    stage.prepare(control, plan_of(*(people(f"t{i}") for i in range(210))), target)
    stage.discard(control, target)
    assert stage.stale(control, "public") == []
    assert ask(control, "SELECT nspname FROM pg_namespace WHERE nspname ~ '__move_'") == []
    stage.discard(control, target)


def test_copied_chunks_are_read_back(control: psycopg.Connection, target: Target) -> None:
    stage.prepare(control, plan_of(people()), target)
    side_tables.write_progress(control, "People", 2, rows=5, quarantined=1, unreadable=[])
    control.commit()
    done = stage.done(control, target)
    assert {key: (one.rows, one.quarantined) for key, one in done.items()} == {
        ("People", 2): (5, 1)
    }


# --- switch ----------------------------------------------------------------------------------


def test_the_switch_into_an_existing_schema_moves_everything_and_records_the_move(
    control: psycopg.Connection, target: Target
) -> None:
    plan = plan_of(people())
    built(control, target, plan)
    control.execute(
        """CREATE VIEW adults AS SELECT * FROM "People" WHERE "Age" > 18;
           CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN UPDATE "People" SET "Age" = 1 WHERE id = NEW.id; RETURN NULL; END $$;
           CREATE TRIGGER note AFTER INSERT ON "People" FOR EACH ROW EXECUTE FUNCTION note();
           CREATE SEQUENCE loose;
           ALTER TABLE "People" ALTER id ADD GENERATED BY DEFAULT AS IDENTITY (START 3)"""
    )
    control.commit()

    stage.switch(control, plan, target, report_of(plan), replace=False, grant_to=None)

    assert stage.stale(control, "public") == []
    assert ask(control, "SELECT nspname FROM pg_namespace WHERE nspname ~ '__move_'") == []
    assert stage.switched(control, "public", ID)
    assert not stage.switched(control, "public", "another")
    with target.connect(schema="public") as final:
        assert stage.occupied(final, "public") == ["People", "adults", "loose"]
        assert ask(final, "SELECT name FROM adults") == ["Ada"]
        final.execute("""INSERT INTO "People" (name) VALUES ('Eve')""")
        assert ask(final, 'SELECT id, "Age" FROM "People" WHERE name = \'Eve\'') == [(3, 1)]
        assert ask(final, "SELECT id, source, report ->> 'verdict' FROM buttress_moves") == [
            (ID, "app.db", "proven")
        ]


def test_the_switch_into_a_new_schema_renames_the_staging_one(conninfo: str) -> None:
    target = open_target(conninfo, label="there", schema="The App", move_id=ID)
    plan = plan_of(people(), schema="The App")
    with target.connect() as control:
        built(control, target, plan)
        stage.switch(control, plan, target, report_of(plan), replace=False, grant_to=None)
        assert stage.occupied(control, "The App") == ["People"]
        assert stage.switched(control, "The App", ID)


def test_side_tables_with_rows_are_kept(control: psycopg.Connection, target: Target) -> None:
    plan = plan_of(people())
    built(control, target, plan)
    control.execute("INSERT INTO buttress_cells VALUES ('People', 1, NULL, 'name', 'text')")
    stage.switch(control, plan, target, report_of(plan), replace=False, grant_to=None)
    assert stage.occupied(control, "public") == ["People", "buttress_cells"]


def test_an_occupied_schema_is_refused_and_stays_as_it_was(
    control: psycopg.Connection, target: Target
) -> None:
    plan = plan_of(people())
    built(control, target, plan)
    control.execute("CREATE TABLE public.mine (a int)")
    control.commit()
    with pytest.raises(Conflict, match="already holds mine"):
        stage.switch(control, plan, target, report_of(plan), replace=False, grant_to=None)
    control.rollback()
    assert stage.occupied(control, "public") == ["mine"]
    assert stage.stale(control, "public") == [target.staging]


def test_replace_keeps_what_was_there_in_a_schema_beside_it(
    control: psycopg.Connection, target: Target
) -> None:
    plan = plan_of(people())
    built(control, target, plan)
    control.execute(
        """CREATE TYPE public.mood AS ENUM ('calm');
           CREATE TABLE public."People" (id serial PRIMARY KEY, feels public.mood);
           INSERT INTO public."People" (feels) VALUES ('calm');
           CREATE VIEW public.v AS SELECT * FROM public."People";
           CREATE MATERIALIZED VIEW public.m AS SELECT * FROM public."People";
           CREATE SEQUENCE public.s;
           CREATE TABLE public.parted (a int) PARTITION BY LIST (a);
           CREATE TABLE public.part PARTITION OF public.parted FOR VALUES IN (1)"""
    )
    control.commit()

    stage.switch(control, plan, target, report_of(plan), replace=True, grant_to=None)

    kept = f"public__before_{ID}"
    assert stage.occupied(control, "public") == ["People"]
    assert stage.occupied(control, kept) == ["People", "m", "part", "parted", "s", "v"]
    assert ask(control, f'SELECT id, feels::text FROM "{kept}".v') == [(1, "calm")]
    assert ask(control, 'SELECT count(*) FROM public."People"') == [2]
    assert kept in plan.notes[0]


def test_a_second_move_with_replace_keeps_the_record_of_both(
    conninfo: str, control: psycopg.Connection, target: Target
) -> None:
    plan = plan_of(people())
    built(control, target, plan)
    stage.switch(control, plan, target, report_of(plan), replace=False, grant_to=None)
    later = "20260103_000000_ffff"
    again = open_target(conninfo, label="there", schema="public", move_id=later)
    with again.connect() as connection:
        built(connection, again, plan)
        stage.switch(connection, plan, again, report_of(plan, later), replace=True, grant_to=None)
        assert ask(connection, "SELECT id FROM public.buttress_moves ORDER BY 1") == [ID, later]


def test_a_role_may_use_what_was_moved_and_no_more(
    conninfo: str, superuser: str, role: str
) -> None:
    target = open_target(conninfo, label="there", schema="granted", move_id=ID)
    plan = plan_of(people(), schema="granted")
    with target.connect() as control:
        built(control, target, plan)
        control.execute('ALTER TABLE "People" ALTER id ADD GENERATED BY DEFAULT AS IDENTITY')
        stage.switch(control, plan, target, report_of(plan), replace=False, grant_to=role)
    with psycopg.connect(superuser, options=f"-c role={role}") as app:
        app.execute("""UPDATE granted."People" SET name = 'x'; DELETE FROM granted."People" """)
        app.execute("""INSERT INTO granted."People" (name) VALUES ('Eve')""")
        app.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute('DROP TABLE granted."People"')


def test_a_role_that_does_not_exist_stops_the_switch(
    control: psycopg.Connection, target: Target
) -> None:
    plan = plan_of(people())
    built(control, target, plan)
    with pytest.raises(ConfigurationError, match="no role nobody_here"):
        stage.switch(control, plan, target, report_of(plan), replace=False, grant_to="nobody_here")
    assert stage.stale(control, "public") == [target.staging]


def test_a_relation_of_an_extension_is_no_reason_to_refuse_but_its_name_is_taken(
    control: psycopg.Connection, target: Target, superuser: str
) -> None:
    with psycopg.connect(superuser) as administrator:
        administrator.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        administrator.execute("ALTER EXTENSION pg_stat_statements SET SCHEMA public")
    assert stage.occupied(control, "public") == []
    with pytest.raises(Conflict, match="owns pg_stat_statements"):
        stage.prepare(control, plan_of(people("pg_stat_statements")), target)


def test_the_switch_waits_for_a_lock_that_is_soon_free(
    control: psycopg.Connection, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "LOCK_TIMEOUT_SECONDS", 0.1)
    plan = plan_of(people())
    built(control, target, plan)
    with target.connect() as other:
        other.execute('LOCK TABLE "People" IN ACCESS SHARE MODE')
        timer = threading.Timer(0.5, other.rollback)
        timer.start()
        stage.switch(control, plan, target, report_of(plan), replace=False, grant_to=None)
        timer.join()
    assert stage.occupied(control, "public") == ["People"]


def test_a_lock_that_is_never_free_leaves_the_target_as_it_was(
    control: psycopg.Connection, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "LOCK_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(switch, "ATTEMPTS", 2)
    plan = plan_of(people())
    built(control, target, plan)
    with target.connect() as other:
        other.execute('LOCK TABLE "People" IN ACCESS SHARE MODE')
        with pytest.raises(Unavailable, match="stayed locked"):
            stage.switch(control, plan, target, report_of(plan), replace=False, grant_to=None)
        other.rollback()
    assert stage.occupied(control, "public") == []
    assert stage.stale(control, "public") == [target.staging]


@pytest.mark.slow
def test_a_backend_killed_at_any_moment_leaves_the_old_state_or_the_new_one(
    conninfo: str, target: Target
) -> None:
    plan = plan_of(*(people(f"t{i}") for i in range(12)))
    tables = sorted(table.target for table in plan.tables)
    chance = random.Random(7)
    finished = killed = 0
    with psycopg.connect(conninfo, autocommit=True) as observer:
        for round_ in range(40):
            move_id = f"20260102_030405_{round_:04}"
            one = open_target(conninfo, label="there", schema="public", move_id=move_id)
            with one.connect() as control:
                built(control, one, plan)
                victim = control.info.backend_pid
                killer = threading.Timer(
                    chance.uniform(0.0, 0.04),
                    observer.execute,
                    ("SELECT pg_terminate_backend(%s)", (victim,)),
                )
                killer.start()
                try:
                    stage.switch(
                        control, plan, one, report_of(plan, move_id), replace=True, grant_to=None
                    )
                except Unavailable:
                    killed += 1
                else:
                    finished += 1
                killer.join()
            while ask(observer, "SELECT 1 FROM pg_stat_activity WHERE pid = %s", victim):
                time.sleep(0.005)
            new = stage.switched(observer, "public", move_id)
            stale = stage.stale(observer, "public")
            assert stale == ([] if new else [one.staging])
            assert not new or stage.occupied(observer, "public") == tables
            if not new:
                for table in tables:
                    assert ask(observer, f'SELECT count(*) FROM "{one.staging}"."{table}"') == [2]
            with one.connect() as control:
                stage.discard(control, one)
    assert finished
    assert killed

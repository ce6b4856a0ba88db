"""Keys, indexes, constraints, identities, views and triggers after the data, on a real PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

from buttress.errors import Unavailable
from buttress.mover import stage
from buttress.mover.finishing.finish import Finished, finish, sequences
from buttress.mover.plan import (
    Check,
    Column,
    ForeignKey,
    Index,
    NotCarried,
    Plan,
    Table,
    Trigger,
    View,
)
from buttress.mover.report import MoveReport
from buttress.mover.target import Target, open_target

ID = "20260102_030405_abcd"


def column(name: str, rule: str = "integer", **more: Any) -> Column:
    types = {"integer": "bigint", "text": 'text COLLATE "C"', "boolean": "boolean"}
    return Column(name=name, target=name, type=types[rule], rule=rule, **more)


def authors(**more: Any) -> Table:
    more = {"identity_next": 3, **more}
    return Table(
        name="authors",
        target="authors",
        rows=2,
        rowid_alias="id",
        columns=[column("id"), column("name", "text", not_null=True)],
        key=["id"],
        key_target="authors_pkey",
        **more,
    )


def books(**more: Any) -> Table:
    return Table(
        name="books",
        target="books",
        rows=3,
        rowid_alias="id",
        identity_next=11,
        columns=[
            column("id"),
            column("author_id"),
            column("title", "text"),
            column("pages"),
            column("seen", default="0"),
        ],
        key=["id"],
        key_target="books_pkey",
        **more,
    )


def by_author(**more: Any) -> ForeignKey:
    return ForeignKey(
        target="books_author_id_fkey",
        columns=["author_id"],
        parent="authors",
        parent_columns=["id"],
        on_delete="CASCADE",
        **more,
    )


SOURCE = """
    CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    INSERT INTO authors VALUES (1, 'Ada'), (2, 'Bob');
    CREATE TABLE books (id INTEGER PRIMARY KEY, author_id, title, pages, seen DEFAULT 0);
    INSERT INTO books VALUES (1, 1, 'On engines', 70, 0), (2, 1, 'Notes', 3, 0), (10, 7, NULL, -1, 0);
    CREATE VIEW titles AS SELECT title FROM books WHERE title IS NOT NULL;
    CREATE VIEW long AS SELECT title FROM titles WHERE length(title) > 5;
"""
"""Book 10 is by no author and has a negative number of pages."""


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    path = tmp_path / "snapshot.db"
    connection = apsw.Connection(str(path))
    connection.execute(SOURCE)
    connection.close()
    return path


@pytest.fixture
def target(conninfo: str) -> Target:
    return open_target(conninfo, label="the test database", schema="public", move_id=ID)


@pytest.fixture
def control(target: Target) -> Iterator[psycopg.Connection]:
    with target.connect(autocommit=True) as connection:
        yield connection


def plan_of(*tables: Table, **more: Any) -> Plan:
    return Plan(source="app.db", tables=list(tables), **more)


def copied(control: psycopg.Connection, target: Target, plan: Plan) -> None:
    """The staging schema with the source's rows."""
    assert stage.prepare(control, plan, target) == []
    names = {table.name for table in plan.tables}
    if "authors" in names:
        control.execute("INSERT INTO authors VALUES (1, 'Ada'), (2, 'Bob')")
    if "books" in names:
        control.execute(
            "INSERT INTO books VALUES (1, 1, 'On engines', 70), (2, 1, 'Notes', 3), "
            "(10, 7, NULL, -1)"
        )


def ask(connection: psycopg.Connection, query: str) -> list[Any]:
    return [row[0] if len(row) == 1 else row for row in connection.execute(query).fetchall()]


def run(plan: Plan, target: Target, snapshot: Path) -> Finished:
    return finish(plan, target, snapshot, workers=2)


def told(finished: Finished) -> list[tuple[str, str]]:
    return [(one.kind, one.name) for one in finished.not_carried]


def test_keys_indexes_and_statistics_are_made_and_progress_is_told(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    plan = plan_of(
        authors(),
        books(
            indexes=[
                Index(
                    name="by title",
                    target="by title",
                    sql='CREATE INDEX "by title" ON books (lower(title)) WHERE pages > 0',
                ),
                Index(
                    name="auto",
                    target="books_title_key",
                    unique=True,
                    sql="CREATE UNIQUE INDEX books_title_key ON books (title)",
                ),
            ],
            foreign_keys=[by_author()],
        ),
    )
    copied(control, target, plan)
    control.execute("DELETE FROM books WHERE author_id = 7")
    steps: list[tuple[str, int, int]] = []

    finished = finish(plan, target, snapshot, workers=2, progress=lambda *step: steps.append(step))

    assert finished == Finished()
    assert steps[3][1:] == (4, 4)
    assert steps[-1][1:] == (2, 2)
    assert ask(
        control,
        "SELECT conname FROM pg_constraint WHERE contype IN ('p', 'f') AND convalidated "
        "AND connamespace = current_schema::regnamespace AND conname !~ '^buttress' ORDER BY 1",
    ) == ["authors_pkey", "books_author_id_fkey", "books_pkey"]
    assert "by title" in ask(control, "SELECT indexname FROM pg_indexes WHERE tablename = 'books'")
    assert ask(control, "SELECT count(*) FROM pg_stats WHERE tablename = 'books'") != [0]


def test_a_unique_index_that_rows_violate_is_told_with_an_example_and_the_rest_goes_on(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    unique = Index(
        name="one book each",
        target="one book each",
        unique=True,
        sql='CREATE UNIQUE INDEX "one book each" ON books (author_id)',
        source="CREATE UNIQUE INDEX 'one book each' ON books(author_id)",
    )
    broken = Index(name="b", target="b", sql="CREATE INDEX b ON books (no_such_column)")
    plan = plan_of(books(indexes=[unique, broken]))
    copied(control, target, plan)

    finished = run(plan, target, snapshot)

    assert sorted(told(finished)) == [("index", "b"), ("unique index", "one book each")]
    reason = next(one for one in finished.not_carried if one.kind == "unique index")
    assert "(author_id)=(1) is duplicated" in reason.reason
    assert reason.source.endswith("books(author_id)")
    assert ask(control, "SELECT conname FROM pg_constraint WHERE conname = 'books_pkey'")


def test_a_key_that_is_no_primary_key_gets_a_unique_index(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    table = books(key_is_primary=False)
    table.key, table.key_target, table.identity_next = ["title"], "books_key", None
    plan = plan_of(table)
    copied(control, target, plan)
    assert run(plan, target, snapshot) == Finished()
    assert ask(
        control, "SELECT indisunique, indisprimary FROM pg_index WHERE indrelid = 'books'::regclass"
    ) == [(True, False)]


def test_orphans_are_listed_by_key_and_their_foreign_key_holds_for_new_rows(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    plan = plan_of(authors(), books(foreign_keys=[by_author(deferrable=True)]))
    copied(control, target, plan)
    control.execute("INSERT INTO books SELECT i, i FROM generate_series(100, 140) i")

    finished = run(plan, target, snapshot)

    assert finished.not_carried == []
    (orphans,) = finished.orphans
    assert (orphans.table, orphans.foreign_key, orphans.rows) == (
        "books",
        "books_author_id_fkey",
        42,
    )
    assert orphans.examples[:3] == [
        "id 10, author_id 7",
        "id 100, author_id 100",
        "id 101, author_id 101",
    ]
    assert len(orphans.examples) == 20
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        control.execute("INSERT INTO books (author_id) VALUES (99)")


def test_foreign_keys_postgresql_cannot_have_are_told(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    def key(name: str, column: str, parent: str, parent_column: str) -> ForeignKey:
        return ForeignKey(
            target=name, columns=[column], parent=parent, parent_columns=[parent_column]
        )

    keys = [
        key("a", "title", "authors", "id"),
        key("b", "author_id", "Nowhere", "id"),
        key("c", "title", "authors", "name"),
        key("d", "author_id", "AUTHORS", "ID"),
        key("e", "author_id", "authors", "gone"),
    ]
    plan = plan_of(authors(), books(foreign_keys=keys))
    copied(control, target, plan)
    control.execute("DELETE FROM books WHERE author_id = 7")

    finished = run(plan, target, snapshot)

    assert told(finished) == [("foreign key", name) for name in "abce"]
    reasons = [one.reason for one in finished.not_carried]
    assert "incompatible types" in reasons[0]
    assert reasons[1] == "its parent table Nowhere is not in the target"
    assert "no unique constraint" in reasons[2]
    assert reasons[3] == "its parent table authors has no column gone"


def test_a_check_that_rows_violate_stays_not_valid_and_holds_for_new_rows(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    check = Check(target="books_pages_check", sql="pages > 0", source="CHECK (pages > 0)")
    fine = Check(target="books_id_check", sql="id > 0", source="id > 0")
    plan = plan_of(books(checks=[check, fine]))
    copied(control, target, plan)

    finished = run(plan, target, snapshot)

    assert finished.not_carried == [
        NotCarried(
            kind="check",
            name="books_pages_check",
            table="books",
            source="CHECK (pages > 0)",
            reason="kept NOT VALID: 1 rows violate it",
        )
    ]
    with pytest.raises(psycopg.errors.CheckViolation):
        control.execute("INSERT INTO books (pages) VALUES (0)")
    assert ask(
        control,
        "SELECT convalidated FROM pg_constraint WHERE conname ~ '^books_.*_check' ORDER BY conname",
    ) == [True, False]


def test_a_check_whose_translation_is_wrong_or_fails_is_dropped(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    wrong = Check(target="wrong", sql="pages > 5", source="CHECK (pages < 100)")
    fails = Check(target="fails", sql="1 / (pages - 3) < 9", source="CHECK (1 / (pages - 3) < 9)")
    broken = Check(target="broken", sql="no_such(pages)", source="CHECK (no_such(pages))")
    plan = plan_of(books(checks=[wrong, fails, broken]))
    copied(control, target, plan)

    finished = run(plan, target, snapshot)

    reasons = {one.name: one.reason for one in finished.not_carried}
    assert reasons["wrong"] == (
        "its translation refuses 2 rows that SQLite's check allows: pages > 5"
    )
    assert "division by zero" in reasons["fails"]
    assert "no_such" in reasons["broken"]
    control.execute("INSERT INTO books (pages) VALUES (3)")


@pytest.mark.parametrize("following", [1, 3, 2**63 - 1, -4, 0, -(2**63) + 1])
def test_the_next_id_is_the_one_sqlite_would_give(
    control: psycopg.Connection, target: Target, snapshot: Path, following: int
) -> None:
    plan = plan_of(authors(identity_next=following))
    copied(control, target, plan)
    control.execute("DELETE FROM authors")

    assert run(plan, target, snapshot) == Finished()

    assert sequences(control, plan, target.staging) == []
    control.execute("INSERT INTO authors (name) VALUES ('Eve')")
    assert ask(control, "SELECT id FROM authors") == [following]
    assert sequences(control, plan, target.staging) == ["authors.id"]


def test_a_used_up_sequence_is_used_up_here_too(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    plan = plan_of(authors(identity_next=2**63))
    copied(control, target, plan)
    assert run(plan, target, snapshot) == Finished()
    assert sequences(control, plan, target.staging) == []
    with pytest.raises(psycopg.errors.SequenceGeneratorLimitExceeded):
        control.execute("INSERT INTO authors (name) VALUES ('Eve')")


def test_sequences_that_do_not_continue_right_are_named(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    plan = plan_of(authors(), books())
    copied(control, target, plan)
    assert sequences(control, plan, target.staging) == ["authors.id", "books.id"]
    run(plan, target, snapshot)
    control.execute("ALTER TABLE books ALTER id RESTART WITH 5; INSERT INTO books VALUES (default)")
    assert sequences(control, plan, target.staging) == ["books.id"]
    report = MoveReport(id=ID, verdict="proven", source="app.db", plan=plan)
    stage.switch(control, plan, target, report, replace=False, grant_to=None)
    control.execute("INSERT INTO public.authors (name) VALUES ('later')")
    assert sequences(control, plan, "public") == ["books.id"]


def test_a_view_is_kept_when_both_sides_show_the_same_rows(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    long = "SELECT title FROM titles WHERE length(title) > 5"
    titles = "SELECT title FROM books WHERE title IS NOT NULL"
    plan = plan_of(
        books(),
        views=[
            View(name="long", target="long", sql=long, source="CREATE VIEW long ..."),
            View(name="titles", target="titles", sql=titles, source="CREATE VIEW titles ..."),
        ],
    )
    copied(control, target, plan)

    assert run(plan, target, snapshot) == Finished()

    assert ask(control, 'SELECT * FROM "long"') == ["On engines"]


def test_a_view_that_shows_other_rows_is_dropped_with_those_that_need_it(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    plan = plan_of(
        books(),
        views=[
            View(name="long", target="long", sql="SELECT title FROM titles", source="..."),
            View(name="titles", target="titles", sql="SELECT title FROM books", source="..."),
        ],
    )
    copied(control, target, plan)

    finished = run(plan, target, snapshot)

    assert sorted(told(finished)) == [("view", "long"), ("view", "titles")]
    assert any('relation "titles" does not exist' in one.reason for one in finished.not_carried)
    assert ask(control, "SELECT viewname FROM pg_views WHERE schemaname = current_schema") == []


def trigger_of(name: str, event: str, body: str, on: str = "books") -> Trigger:
    return Trigger(
        name=name,
        target=name,
        table=on,
        sql=f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} "
        f"RETURN NULL; END $$; CREATE TRIGGER {name} {event} ON {on} FOR EACH ROW "
        f"EXECUTE FUNCTION {name}()",
        source=f"CREATE TRIGGER {name} ...",
    )


def test_triggers_work_after_the_switch_and_their_trial_leaves_no_trace(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    plan = plan_of(
        authors(),
        books(foreign_keys=[by_author()]),
        triggers=[
            trigger_of("added", "AFTER INSERT", "INSERT INTO books (title) VALUES (NEW.name);",
                       on="authors"),
            trigger_of("gone", "AFTER DELETE", "UPDATE authors SET name = OLD.title;"),
            trigger_of("no", "AFTER UPDATE OF pages", "RAISE EXCEPTION 'fixed';"),
        ],
    )  # fmt: skip
    copied(control, target, plan)
    control.execute("DELETE FROM books WHERE author_id = 7")

    assert run(plan, target, snapshot) == Finished()

    assert sequences(control, plan, target.staging) == []
    assert ask(control, "SELECT count(*) FROM books") == [2]
    report = MoveReport(id=ID, verdict="proven", source="app.db", plan=plan)
    stage.switch(control, plan, target, report, replace=False, grant_to=None)
    # Whatever the search path of the session is.
    control.execute("SET search_path = pg_catalog")
    control.execute("INSERT INTO public.authors (name) VALUES ('Eve')")
    assert ask(control, "SELECT id, title FROM public.books WHERE title = 'Eve'") == [(11, "Eve")]
    control.execute("DELETE FROM public.books WHERE title = 'Notes'")
    assert ask(control, "SELECT DISTINCT name FROM public.authors") == ["Notes"]
    with pytest.raises(psycopg.errors.RaiseException):
        control.execute("UPDATE public.books SET pages = 1")


def test_triggers_that_fail_or_never_end_are_dropped_and_told(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    log = Table(name="log", target="log", columns=[column("what", "text", not_null=True)], rows=0)
    plan = plan_of(
        books(),
        log,
        triggers=[
            trigger_of("endless", "AFTER UPDATE", "UPDATE books SET seen = 1 WHERE id = NEW.id;"),
            trigger_of("nowhere", "AFTER INSERT", "INSERT INTO no_such_table VALUES (1);"),
            trigger_of("nothing", "AFTER DELETE", "UPDATE books SET pages = OLD.no_such_column;"),
            trigger_of("empty", "BEFORE INSERT", "PERFORM NEW.no_such_column;", on="log"),
            trigger_of("kept", "AFTER INSERT", "INSERT INTO log VALUES (NEW.title);"),
        ],
    )
    copied(control, target, plan)

    finished = run(plan, target, snapshot)

    assert [one.name for one in finished.not_carried] == ["endless", "nowhere", "nothing", "empty"]
    assert "without end" in finished.not_carried[0].reason
    assert "no_such_table" in finished.not_carried[1].reason
    assert "no_such_column" in finished.not_carried[3].reason
    assert ask(control, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == ["kept"]
    assert ask(
        control, "SELECT proname FROM pg_proc WHERE pronamespace = current_schema::regnamespace"
    ) == ["kept"]
    assert ask(control, "SELECT count(*) FROM log") == [0]


def everything() -> Plan:
    return plan_of(
        authors(),
        books(
            indexes=[Index(name="t", target="t", sql="CREATE INDEX t ON books (title)")],
            checks=[Check(target="pages_check", sql="pages > 0", source="pages > 0")],
            foreign_keys=[by_author()],
        ),
        views=[
            View(
                name="titles",
                target="titles",
                sql="SELECT title FROM books WHERE title IS NOT NULL",
                source="...",
            )
        ],
        triggers=[trigger_of("added", "AFTER INSERT", "UPDATE authors SET name = 'x';")],
    )


def test_finishing_twice_gives_the_same_result(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    copied(control, target, everything())
    first = run(everything(), target, snapshot)
    assert told(first) == [("check", "pages_check")]
    assert [one.rows for one in first.orphans] == [1]
    assert run(everything(), target, snapshot) == first
    assert sequences(control, everything(), target.staging) == []


def test_a_finish_whose_server_connections_are_killed_is_unavailable_and_can_be_repeated(
    control: psycopg.Connection, target: Target, snapshot: Path
) -> None:
    plan = everything()
    plan.tables.append(
        Table(name="numbers", target="numbers", rows=300_000, columns=[column("n")],
              indexes=[Index(name=f"n{i}", target=f"n{i}", sql=f"CREATE INDEX n{i} ON numbers (n)")
                       for i in range(6)])
    )  # fmt: skip
    copied(control, target, plan)
    control.execute("INSERT INTO numbers SELECT i FROM generate_series(1, 300000) i")

    def kill() -> None:
        while not ask(
            control,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query ~ '^CREATE INDEX n' AND datname = current_database() "
            "AND pid <> pg_backend_pid()",
        ):
            time.sleep(0.002)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(Unavailable, match="the test database"):
        run(plan, target, snapshot)
    killer.join()

    finished = run(plan, target, snapshot)

    assert told(finished) == [("check", "pages_check")]
    assert [one.rows for one in finished.orphans] == [1]
    assert len(ask(control, "SELECT 1 FROM pg_indexes WHERE tablename = 'numbers'")) == 6

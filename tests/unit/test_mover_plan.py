"""Plans of small databases: what the mover decides, says and lists, and plan files edited by people."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from buttress.errors import BadInput, NotFound
from buttress.mover import translate, values
from buttress.mover.plan import Column, NotCarried, Plan
from buttress.mover.planning import exact
from buttress.mover.planning.plan_file import read_plan, write_plan
from buttress.mover.planning.planner import make_plan
from buttress.mover.source.snapshot import take_snapshot

Planned = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    """Make a database of statements and rows, and the plan of moving it."""

    def plan(sql: str, /, **tables: list[tuple[values.SqliteValue, ...]]) -> Plan:
        path = tmp_path / "app.db"
        connection = apsw.Connection(str(path))
        connection.create_collation("unicase", lambda a, b: (a > b) - (a < b))
        connection.create_scalar_function("own", lambda value: value, 1, deterministic=True)
        connection.execute(sql)
        with connection:
            for table, rows in tables.items():
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        connection.close()
        snapshot = take_snapshot(path, tmp_path / "snapshot")
        return make_plan(snapshot, source="app.db", schema="public", workers=2)

    return plan


def only_column(planned: Planned, declared: str, *found: values.SqliteValue) -> Column:
    plan = planned(f"CREATE TABLE t(a {declared})", t=[(value,) for value in found])
    return plan.table("t").columns[0]


def reasons(plan: Plan, kind: str) -> list[NotCarried]:
    return [one for one in plan.not_carried if one.kind == kind]


@pytest.mark.parametrize(
    ("declared", "found", "rule", "type_"),
    [
        ("BOOLEAN", (0, 1, None), "boolean", "boolean"),
        ("BOOL", (0, 1, 2), "integer", "bigint"),
        ("DATE", ("2024-02-29", "0001-01-01"), "date", "date"),
        ("DATE", ("2024-02-29", "2023-02-29"), "text", 'text COLLATE "C"'),
        ("DATETIME", ("2024-01-01 00:00:00",), "timestamp(space, 0)", ""),
        (
            "DATETIME",
            ("2024-01-01 00:00:00", "2024-01-01 00:00:00.000001"),
            "timestamp(space, auto)",
            "timestamp without time zone",
        ),
        (
            "TIMESTAMP",
            ("2024-01-01T00:00:00.123Z", "2024-01-01T00:00:00.000Z"),
            "timestamp(T, 3, Z)",
            "timestamp with time zone",
        ),
        ("DATETIME", ("2024-01-01 24:00:00",), "text", ""),
        ("DATETIME", ("0000-01-01 00:00:00",), "text", ""),
        ("DATETIME", ("2024-01-01 00:00:00", "2024-01-01T00:00:00"), "text", ""),
        ("DATETIME", (1_700_000_000, 1_800_000_000), "unix seconds", ""),
        ("DATETIME", (1_700_000_000_000,), "unix milliseconds", ""),
        ("DATETIME", (0, 1_700_000_000), "integer", "bigint"),
        ("DATETIME", (2460000.5,), "julian day", ""),
        ("DATETIME", (1.5,), "real", "double precision"),
        ("TIME", ("10:00:00",), "text", ""),
        ("UUID", ("f47ac10b-58cc-4372-a567-0e02b2c3d479",), "uuid", "uuid"),
        ("UUID", ("F47AC10B-58CC-4372-A567-0E02B2C3D479",), "text", ""),
        ("GUID", (b"0123456789abcdef",), "uuid(blob)", "uuid"),
        ("CHAR(32)", ("f47ac10b58cc4372a5670e02b2c3d479",), "uuid(hex)", "uuid"),
        ("CHAR(32)", ("00000000000000000000000000000000",), "text", ""),
        ("JSON", ('{"a": [1, 2.5, null]}', "[]"), "json", "json"),
        ("JSON", ("{'a': 1}",), "text", ""),
        ("JSON", ('{"a": NaN}',), "text", ""),
        ("DECIMAL(10, 2)", (1.25, 3, -0.5), "decimal(10, 2)", "numeric(10,2)"),
        ("DECIMAL(4, 2)", (1.25, 100), "numeric", "numeric"),
        ("DECIMAL(20, 4)", (12345678901234.5678, 10**16 - 1), "decimal(20, 4)", "numeric(20,4)"),
        ("DECIMAL", (1, 2), "numeric", "numeric"),
        ("INTEGER", (1, -(2**63), 2**63 - 1), "integer", "bigint"),
        ("INT", (1, 2.5), "numeric", "numeric"),
        ("INT", (1, "x"), "mixed", 'text COLLATE "C"'),
        ("", (1.5, -0.0, 1), "mixed", ""),
        ("REAL", (1, 2.5), "real", "double precision"),
        ("TEXT", (1, "x"), "text", 'text COLLATE "C"'),
        ("", (b"x", b"y"), "blob", "bytea"),
        ("VARCHAR(2)", ("longer than two",), "text", 'text COLLATE "C"'),
        ("(= 1 (LENGTH x))", ("odd type",), "text", ""),
    ],
)
def test_the_type_fits_what_is_really_there(
    planned: Planned,
    declared: str,
    found: tuple[values.SqliteValue, ...],
    rule: str,
    type_: str,
) -> None:
    declared = "" if declared.startswith("(") else declared

    column = only_column(planned, declared, *found)

    assert column.rule == rule
    assert column.type == (type_ or values.rule(rule).type)
    assert column.why


@pytest.mark.parametrize(
    ("declared", "rule"),
    [
        ("INTEGER", "integer"),
        ("TEXT", "text"),
        ("", "text"),
        ("BLOB", "blob"),
        ("REAL", "real"),
        ("NUMERIC", "numeric"),
        ("STRING", "text"),
        ("BOOLEAN", "boolean"),
        ("DATE", "date"),
        ("DATETIME", "timestamp(space, auto)"),
        ("UUID", "uuid"),
        ("CHAR(36)", "text"),
        ("JSON", "json"),
        ("DECIMAL(8, 3)", "decimal(8, 3)"),
    ],
)
def test_a_column_without_values_follows_its_declared_type(
    planned: Planned, declared: str, rule: str
) -> None:
    assert only_column(planned, declared, None).rule == rule


def test_a_refused_hint_names_the_value_that_forbids_it(planned: Planned) -> None:
    column = only_column(planned, "DATE", "2024-01-01", "unknown" * 20, "2024-01-02")

    assert column.why.startswith("declared DATE, but rowid 2 holds 'unknownunknown")
    assert column.why.endswith("…; all 3 values are texts")


def test_the_counts_of_a_column_are_those_of_its_classes(planned: Planned) -> None:
    column = only_column(planned, "", 1, 2, 3, 2.5, "x", b"y", None, None)

    assert column.seen == {"integer": 3, "real": 1, "text": 1, "blob": 1, "null": 2}
    assert (column.rule, column.usual) == ("mixed", "integer")


def test_rows_are_counted_alike_whatever_their_rowids_are(planned: Planned) -> None:
    sparse = [(-(2**63), "a"), (0, "b"), (2**62, None), (2**63 - 2, "c")]
    dense = [(number, number % 3 or None) for number in range(100_000)]
    plan = planned(
        "CREATE TABLE sparse(id INTEGER PRIMARY KEY, v); CREATE TABLE dense(id INTEGER PRIMARY KEY, v)",
        sparse=sparse,
        dense=dense,
    )

    table = plan.table("sparse")
    assert (table.rows, table.first_rowid, table.last_rowid) == (4, -(2**63), 2**63 - 2)
    assert table.column("v").seen == {"text": 3, "null": 1}
    assert table.identity_next == 2**63 - 1
    assert plan.table("dense").column("v").seen == {"integer": 66_666, "null": 33_334}


def test_keys_are_what_names_every_row(planned: Planned) -> None:
    plan = planned(
        """
        CREATE TABLE alias(id INTEGER PRIMARY KEY, a);
        CREATE TABLE pair(a TEXT, b INT, v, PRIMARY KEY (b, a)) WITHOUT ROWID;
        CREATE TABLE with_null(k TEXT PRIMARY KEY);
        CREATE TABLE stand_in(a INT NOT NULL, b TEXT NOT NULL, UNIQUE (a, b));
        CREATE TABLE same_text(k PRIMARY KEY);
        CREATE TABLE descending(id INTEGER PRIMARY KEY DESC);
        CREATE TABLE none(a);
        CREATE TABLE no_case(k TEXT PRIMARY KEY COLLATE NOCASE);
        """,
        alias=[(7, 1)],
        with_null=[("a",), (None,)],
        same_text=[(1,), ("1",)],
    )

    keys = {table.name: (table.key, table.key_is_primary) for table in plan.tables}
    assert keys == {
        "alias": (["id"], True),
        "pair": (["b", "a"], True),
        "with_null": ([], True),
        "stand_in": (["a", "b"], False),
        "same_text": ([], True),
        "descending": (["id"], True),
        "none": ([], True),
        "no_case": (["k"], True),
    }
    assert plan.table("alias").identity_next == 8
    assert plan.table("descending").rowid_alias == ""
    assert plan.table("stand_in").key_target == plan.table("stand_in").indexes[0].target
    assert [index.unique for index in plan.table("with_null").indexes] == [True]
    assert [one.table for one in reasons(plan, "unique index")] == ["same_text"]
    assert "lower(" in plan.table("no_case").indexes[0].sql


def test_ids_continue_where_sqlite_would(planned: Planned) -> None:
    plan = planned(
        """
        CREATE TABLE kept(id INTEGER PRIMARY KEY AUTOINCREMENT);
        INSERT INTO kept VALUES (41);
        DELETE FROM kept;
        CREATE TABLE forgot(id INTEGER PRIMARY KEY);
        INSERT INTO forgot VALUES (41);
        DELETE FROM forgot;
        CREATE TABLE negative(id INTEGER PRIMARY KEY);
        INSERT INTO negative VALUES (-5);
        CREATE TABLE full(id INTEGER PRIMARY KEY);
        INSERT INTO full VALUES (9223372036854775807);
        """
    )

    following = {table.name: table.identity_next for table in plan.moving}
    assert following == {"kept": 42, "forgot": 1, "negative": -4, "full": None}
    assert [one.table for one in reasons(plan, "identity")] == ["full"]


def test_foreign_keys_find_their_parents_or_say_why_not(planned: Planned) -> None:
    plan = planned(
        """
        CREATE TABLE Parent(id INTEGER PRIMARY KEY, code TEXT UNIQUE, plain TEXT);
        CREATE TABLE pair(a INT, b INT, PRIMARY KEY (a, b));
        CREATE TABLE child(
            p REFERENCES parent,
            q TEXT REFERENCES PARENT(CODE) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            r TEXT REFERENCES parent(plain),
            s INT REFERENCES nowhere(id),
            t TEXT REFERENCES parent(id),
            u INT, v INT,
            FOREIGN KEY (u, v) REFERENCES pair,
            FOREIGN KEY (u) REFERENCES pair
        );
        """,
        Parent=[(1, "a", "b")],
        child=[(1, "a", "b", 1, "1", None, None)],
    )

    carried = [
        (key.columns, key.parent, key.parent_columns, key.on_delete, key.deferrable)
        for key in plan.table("child").foreign_keys
    ]
    assert carried == [
        (["p"], "Parent", ["id"], "NO ACTION", False),
        (["q"], "Parent", ["code"], "CASCADE", True),
        (["u", "v"], "pair", ["a", "b"], "NO ACTION", False),
    ]
    assert {one.name: one.reason for one in reasons(plan, "foreign key")} == {
        "r": "parent (plain) is not unique in PostgreSQL",
        "s": "there is no table nowhere",
        "t": 't is text COLLATE "C" and id is bigint',
        "u": "it has 1 columns and references 2",
    }


def test_both_ends_of_a_foreign_key_get_the_same_type(planned: Planned) -> None:
    key = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
    plan = planned(
        """
        CREATE TABLE parent(id UUID PRIMARY KEY);
        CREATE TABLE other(id TEXT REFERENCES parent);
        CREATE TABLE whole(id INTEGER PRIMARY KEY);
        CREATE TABLE unused(id TEXT REFERENCES whole);
        """,
        parent=[(key,)],
        other=[(key,)],
        whole=[(1,)],
    )

    assert plan.table("parent").columns[0].rule == "text"
    assert plan.table("other").columns[0].rule == "text"
    assert plan.table("unused").columns[0].rule == "integer"


def test_a_foreign_key_to_a_column_of_mixed_classes_compares_as_text(planned: Planned) -> None:
    plan = planned(
        """
        CREATE TABLE parent(code INTEGER_OR_TEXT PRIMARY KEY);
        CREATE TABLE child(code INTEGER REFERENCES parent);
        """,
        parent=[(1,), ("a",)],
        child=[(1,)],
    )

    child = plan.table("child")
    assert (child.columns[0].rule, child.columns[0].usual) == ("mixed", "integer")
    assert [key.parent for key in child.foreign_keys] == ["parent"]


def test_virtual_tables_move_their_content_or_give_a_reason(planned: Planned) -> None:
    plan = planned(
        """
        CREATE VIRTUAL TABLE notes USING fts5(title, body);
        INSERT INTO notes VALUES ('a', 'b');
        CREATE VIRTUAL TABLE three USING fts3(x);
        CREATE VIRTUAL TABLE bare USING fts4(x, content="");
        CREATE VIRTUAL TABLE outside USING fts5(x, content='posts');
        CREATE VIRTUAL TABLE boxes USING rtree(id, low, high, +label);
        INSERT INTO boxes VALUES (5, 1, 2, 'x');
        CREATE VIRTUAL TABLE stats USING dbstat;
        """
    )

    notes, boxes = plan.table("notes"), plan.table("boxes")
    assert (notes.kind, notes.rows, notes.rowid_alias, notes.key) == ("fts", 1, "rowid", ["rowid"])
    assert [column.name for column in notes.columns] == ["rowid", "title", "body"]
    assert (boxes.kind, boxes.rows, boxes.rowid_alias, boxes.last_rowid) == ("rtree", 1, "id", 5)
    assert [column.rule for column in boxes.columns] == ["integer", "real", "real", "text"]
    assert plan.table("three").kind == "fts"
    skipped = {table.name: table.skip for table in plan.tables if table.skip}
    assert skipped["bare"] == "a full-text index without content"
    assert skipped["outside"] == "a full-text index over posts, which moves itself"
    assert skipped["stats"] == "a virtual table of the module dbstat"
    assert skipped["notes_content"] == "the inside of a virtual table"


def test_odd_names_and_hidden_rowids_are_no_obstacle(planned: Planned) -> None:
    plan = planned(
        """
        CREATE TABLE "a ""b"" 😀"("" INT, "x
        y" TEXT, xmin INT);
        CREATE TABLE hidden(rowid TEXT, oid INT, _rowid_ INT);
        CREATE TABLE half(rowid TEXT);
        CREATE TABLE buttress_cells(a);
        """,
        half=[("x",)],
    )

    odd = plan.table('a "b" 😀')
    assert odd.target == 'a "b" 😀'
    assert [column.target for column in odd.columns][1] == "x\n        y"
    assert plan.table("hidden").rowid == ""
    assert plan.table("half").rowid == "_rowid_"
    assert len([note for note in plan.notes if "is called" in note]) == 3


def test_what_only_the_application_can_compute_does_not_stop_the_rest(planned: Planned) -> None:
    plan = planned(
        """
        CREATE TABLE t(a INT, b AS (own(a)), c COLLATE unicase);
        CREATE INDEX by_own ON t(own(a));
        CREATE INDEX by_c ON t(c);
        CREATE TABLE u(a);
        CREATE VIEW broken AS SELECT * FROM gone;
        """,
        u=[(1,)],
    )

    assert [column.name for column in plan.table("t").columns] == ["a", "c"]
    assert plan.table("u").rows == 1
    assert {one.kind for one in plan.not_carried} == {"generated column", "index", "view"}
    assert len(reasons(plan, "index")) == 2


def test_a_failing_translation_is_listed_and_stops_nothing(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(text: str, column: Column) -> str:
        raise RecursionError(text)

    monkeypatch.setattr(translate, "default", fail)

    plan = planned("CREATE TABLE t(a DEFAULT 1, b INT)")

    (one,) = plan.not_carried
    assert (one.kind, one.name, one.source) == ("default", "t.a", "1")


def test_more_columns_than_postgresql_has_are_impossible(planned: Planned) -> None:
    columns = ", ".join(f"c{number} INT DEFAULT 1" for number in range(1701))

    plan = planned(f"CREATE TABLE wide({columns}); INSERT INTO wide(c0) VALUES (1)")

    assert plan.table("wide").impossible == "it has 1,701 columns, PostgreSQL at most 1,600"
    assert plan.table("wide").columns[1700].seen == {"integer": 1}


def test_damage_is_noted_and_the_rest_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE u(a)")
    with connection:
        connection.executemany("INSERT INTO t(a) VALUES (?)", [("x" * 400,)] * 2000)
    connection.execute("INSERT INTO u VALUES (1)")
    connection.close()
    with path.open("r+b") as file:
        file.seek(4096 * 100)
        file.write(b"\xff" * 4096)

    plan = make_plan(take_snapshot(path, tmp_path / "copy"), source="app.db", schema="public")

    assert 1980 <= plan.table("t").rows < 2000
    assert plan.table("u").rows == 1
    (note,) = plan.notes
    assert note.startswith("table t is damaged (database disk image is malformed): 1,9")


def test_a_column_full_of_bytes_that_are_no_text_is_noted(planned: Planned) -> None:
    plan = planned(
        "CREATE TABLE t(a TEXT, b TEXT)",
        t=[(f"with\0{number}", "fine") for number in range(200)],
    )

    assert plan.notes == [
        "about 100% of the texts in t.a are bytes PostgreSQL's text cannot hold; "
        "their rows go to quarantine"
    ]


def test_tables_can_be_chosen_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE a(x INTEGER PRIMARY KEY); CREATE TABLE b(x REFERENCES a)")
    connection.execute("CREATE TABLE c(x)")
    connection.close()
    snapshot = take_snapshot(path, tmp_path / "copy")

    chosen = make_plan(snapshot, source="app.db", schema="public", only=["B"])
    left_out = make_plan(snapshot, source="app.db", schema="public", skip=["a"])

    assert [table.name for table in chosen.moving] == ["b"]
    assert [table.name for table in left_out.moving] == ["b", "c"]
    assert reasons(chosen, "foreign key")[0].reason == "a does not move"
    with pytest.raises(NotFound, match="no table 'd'"):
        make_plan(snapshot, source="app.db", schema="public", only=["d"])


SHOP = """
CREATE TABLE users(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, active BOOLEAN DEFAULT 1,
    age INT CHECK (age > 0)
);
CREATE TABLE orders(id INTEGER PRIMARY KEY, user_id INT REFERENCES users, total DECIMAL(10, 2));
CREATE INDEX by_user ON orders(user_id);
CREATE VIEW names AS SELECT name FROM users;
"""


@pytest.fixture
def shop(planned: Planned) -> Plan:
    return planned(SHOP, users=[(1, "a", 1, 20)], orders=[(1, 1, 9.5)])


def copy_of(plan: Plan) -> Plan:
    return msgspec.convert(msgspec.to_builtins(plan), Plan)


def edited(shop: Plan, path: Path, change: Callable[[str], str]) -> Plan:
    write_plan(shop, path)
    path.write_text(change(path.read_text()))
    return read_plan(path, copy_of(shop))


def test_a_plan_comes_back_from_its_file_as_it_was(shop: Plan, tmp_path: Path) -> None:
    assert edited(shop, tmp_path / "plan.toml", lambda text: text) == shop


def test_a_plan_file_says_what_was_decided_and_why(shop: Plan, tmp_path: Path) -> None:
    write_plan(shop, tmp_path / "plan.toml")

    document = tomllib.loads((tmp_path / "plan.toml").read_text())
    column = document["tables"][0]["columns"][2]
    assert column["type"] == "boolean"
    assert column["why"] == "declared BOOLEAN and its one value fits (0 or 1)"


def test_an_edited_plan_renames_and_its_sql_follows(shop: Plan, tmp_path: Path) -> None:
    plan = edited(
        shop,
        tmp_path / "plan.toml",
        lambda text: (
            text.replace('target = "users"', 'target = "people"')
            .replace('target = "age"', 'target = "years"')
            .replace('target = "user_id"', 'target = "person_id"')
            .replace('target = "orders"', 'target = "sales"')
        ),
    )

    users, orders = plan.table("users"), plan.table("orders")
    assert (users.target, users.column("age").target) == ("people", "years")
    assert '"years"' in users.checks[0].sql
    assert '"sales"' in orders.indexes[0].sql
    assert '("person_id")' in orders.indexes[0].sql
    assert '"people"' in plan.views[0].sql


def test_an_edited_type_brings_its_rule(shop: Plan, tmp_path: Path) -> None:
    plan = edited(
        shop,
        tmp_path / "plan.toml",
        lambda text: (
            text.replace('name = "age"\ntarget = "age"\ntype = "bigint"', AGE_AS_INTEGER)
            .replace('type = "boolean"\nrule = "boolean"', 'type = "bigint"\nrule = "boolean"')
            .replace('type = "numeric(10,2)"', 'type = "numeric(12, 4)"')
        ),
    )

    age = plan.table("users").column("age")
    assert (age.type, age.rule) == ("integer", "integer")
    active = plan.table("users").column("active")
    assert (active.type, active.rule) == ("bigint", "integer")
    assert plan.table("orders").column("total").rule == "decimal(12, 4)"


AGE_AS_INTEGER = 'name = "age"\ntarget = "age"\ntype = "integer"'


def test_what_is_removed_from_a_plan_file_is_not_carried(shop: Plan, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    write_plan(shop, path)
    document = tomllib.loads(path.read_text())
    document["tables"][0]["checks"] = []
    document["tables"][1]["skip"] = "not needed"
    document["views"] = []

    path.write_text(tomli_w.dumps(document))
    plan = read_plan(path, copy_of(shop))

    assert plan.table("users").checks == []
    assert len(plan.table("users").indexes) == 1
    assert [table.name for table in plan.moving] == ["users"]
    assert plan.views == []


def test_a_short_plan_file_changes_only_what_it_mentions(shop: Plan, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('[[tables]]\nname = "ORDERS"\nskip = "later"\n')

    plan = read_plan(path, copy_of(shop))

    assert plan.table("orders").skip == "later"
    assert plan.table("users") == shop.table("users")
    assert plan.views == shop.views


def test_skipping_a_parent_lists_the_foreign_keys_to_it(shop: Plan, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('[[tables]]\nname = "users"\nskip = "later"\n')

    plan = read_plan(path, copy_of(shop))

    assert plan.table("orders").foreign_keys == []
    assert reasons(plan, "foreign key")[0].reason == "users does not move"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tables = 1", "`tables` is a list"),
        ("what = 1", "the plan: there is no key `what`"),
        ('[[tables]]\nname = "x"', "table 'x': the source has none of that name"),
        ('[[tables]]\ntarget = "x"', "a table: `name` is missing"),
        ('[[tables]]\nname = "users"\ncolour = "red"', "table 'users': there is no key `colour`"),
        ('[[tables]]\nname = "users"\ntarget = ""', "cannot have the name ''"),
        ('[[tables]]\nname = "users"\ntarget = "orders"', "'orders' is there 2 times"),
        ("[[tables", "is no plan"),
        (
            '[[tables]]\nname = "users"\n[[tables.columns]]\nname = "x"',
            "column users.x: the source has none of that name",
        ),
        (
            '[[tables]]\nname = "users"\n[[tables.columns]]\nname = "age"\nrule = "x"',
            "column users.age: there is no rule 'x'",
        ),
        (
            '[[tables]]\nname = "users"\n[[tables.columns]]\nname = "age"\ntype = "point"',
            "column users.age: no rule leads to the type 'point'",
        ),
        (
            '[[tables]]\nname = "users"\n[[tables.columns]]\nname = "age"\n'
            'rule = "real"\ntype = "uuid"',
            "the rule 'real' cannot produce the type 'uuid'",
        ),
        (
            '[[tables]]\nname = "users"\n[[tables.columns]]\nname = "age"\ntarget = "ctid"',
            "cannot have the name 'ctid'",
        ),
    ],
)
def test_a_plan_file_that_cannot_be_is_refused_with_the_place(
    shop: Plan, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)

    with pytest.raises(BadInput) as caught:
        read_plan(path, shop)

    assert message in caught.value.message
    assert caught.value.hint


def test_a_plan_file_that_is_not_there_is_not_found(shop: Plan, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_plan(tmp_path / "none.toml", shop)


MOMENTS = st.from_regex(
    r"\A[0-2]\d{3}-[01]\d-[0-3]\d([ T][0-2]\d:[0-6]\d:[0-6]\d(\.\d{3}|\.\d{6}|\.000000)?)?"
    r"(Z|\+00:00|\0x?|x)?\Z"
)
UUIDS = st.uuids().map(str) | st.uuids(version=4).map(lambda found: found.hex)
NUMBERS = (
    st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.decimals(-(10**9), 10**9, places=2).map(float)
    | st.sampled_from([-0.0, 0.0, 1e15, 99999999.99, 100000000.0, 0.1 + 0.2])
)
JSONS = st.sampled_from(
    ["{}", '{"a": 1}', "[1,]", "NaN", '"\\ud800"', "1e999", "{}\0", " [] ", "'x'", "01", "\ufeff1"]
)
RULES = [
    *(rule.name for rule in values.timestamp_rules()),
    *("boolean", "date", "json", "numeric", "uuid", "uuid(hex)", "uuid(blob)"),
    *("unix seconds", "unix milliseconds", "julian day"),
    *("decimal(10, 2)", "decimal(18, 4)", "decimal(38, 20)", "decimal(4, 0)", "decimal(30, 2)"),
]
_CLASSES = {
    "boolean": (int,),
    "numeric": (int, float),
    "decimal": (int, float),
    "unix seconds": (int,),
    "unix milliseconds": (int,),
    "julian day": (float,),
    "uuid(blob)": (bytes,),
}


@given(MOMENTS | UUIDS | NUMBERS | JSONS | st.binary(max_size=17), st.sampled_from(["BLOB", ""]))
def test_the_test_in_sql_never_accepts_what_the_rule_refuses(
    value: values.SqliteValue, declared: str
) -> None:
    for encoding, width in (("UTF-8", 1), ("UTF-16le", 2)):
        connection = apsw.Connection(":memory:")
        connection.pragma("encoding", encoding)
        connection.execute(f"CREATE TABLE t(c {declared})")
        connection.execute("INSERT INTO t VALUES (?)", (value,))
        for rule in RULES:
            allowed = _CLASSES.get(rule, _CLASSES.get(rule.split("(")[0], (str,)))
            if not isinstance(value, allowed):
                continue
            condition = exact._sufficient(exact.Candidate(rule), '"c"', width)
            ((accepted,),) = connection.execute(f"SELECT ({condition}) IS TRUE FROM t").fetchall()
            assert not accepted or exact.Candidate(rule).accepts(value), (rule, value)
        connection.close()

"""The proof against planted faults: every one is caught and named, and undoing it makes the proof pass."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest

from buttress.mover.plan import Column, Plan, Table, Unreadable
from buttress.mover.proof.prove import prove
from buttress.mover.report import Difference, Proof, TableProof
from buttress.mover.target import Target

SOURCE = """
CREATE TABLE item (id INTEGER PRIMARY KEY, real, text TEXT, blob BLOB, moment TEXT, day TEXT,
    flag BOOLEAN, json TEXT, seconds INTEGER, short TEXT);
INSERT INTO item VALUES
 (1, 0.1, 'plain', x'00ff10', '2024-02-29 10:11:12.000001', '2024-02-29', 1, '{"a": [1, 2]}', 1, '2024-02-29T10:11:12Z'),
 (2, 0.0, '', x'', '0001-01-01 00:00:00.000000', '0001-01-01', 0, '1e5', 0, '0001-01-01T00:00:00Z'),
 (3, -0.0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (4, 5e-324, 'caf' || char(233), x'00', '9999-12-31 23:59:59.999999', '9999-12-31', 1, '"x"', -1, NULL),
 (5, 1.7976931348623157e308, ' spaces ', x'deadbeef', '2024-02-29 10:11:12.000000', '1999-12-31', 0,
  '[]', 1709201472, NULL),
 (-6, 9e999, 'same', x'01', NULL, NULL, NULL, 'null', NULL, NULL),
 (9223372036854775807, -9e999, 'same', x'01', NULL, NULL, NULL, 'null', 253402300799, NULL);
CREATE TABLE odd (id INTEGER PRIMARY KEY, number NUMERIC, price NUMERIC, mixed, real, text TEXT);
INSERT INTO odd VALUES
 (1, 1, 19.99, 1, 0.1, 'plain'),
 (2, 1.5, 2, '1', 0.0, ''),
 (3, NULL, NULL, NULL, -0.0, NULL),
 (4, 9007199254740993, 0.01, 2.5, 5e-324, 'x'),
 (5, -9223372036854775808, -1, x'31', NULL, NULL),
 (-6, 1e-300, 100, 'text', NULL, NULL),
 (9223372036854775807, 1.0e22, NULL, 1.0, NULL, NULL);
CREATE TABLE money (id INTEGER PRIMARY KEY, amount NUMERIC, rate);
INSERT INTO money VALUES (1, NULL, NULL), (2, 12.5, 1), (3, 3, 1.0), (4, -0.01, 1e308), (5, 7, 5e-324);
CREATE TABLE coins (amount);
INSERT INTO coins VALUES (1), (1.0), (1.5), (NULL), (1.0);
CREATE TABLE pair (a TEXT, b INTEGER, payload TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
INSERT INTO pair VALUES ('A', 1, 'first'), ('A', 2, 'second'), ('a', 1, 'third'), (char(233), 0, 'fourth');
CREATE TABLE log (level INTEGER, line TEXT, cost);
INSERT INTO log VALUES (1, 'started', 0.5), (1, 'started', 0.5), (2, NULL, -0.0), (NULL, NULL, NULL);
CREATE TABLE loose (x, note TEXT);
INSERT INTO loose VALUES (1, 'one'), ('1', 'one'), (1, 'one'), (NULL, 'none'), (x'61', 'blob');
CREATE TABLE dirty (id INTEGER PRIMARY KEY, text TEXT);
INSERT INTO dirty VALUES (1, 'fine'), (2, 'a' || char(0) || 'b'), (3, CAST(x'ff41' AS TEXT)), (4, 'fine too');
"""

TARGET = """
CREATE TABLE item (id bigint PRIMARY KEY, "real" float8, text text COLLATE "C", blob bytea,
    moment timestamp, day date, flag boolean, json json, seconds timestamptz,
    short timestamptz);
INSERT INTO item VALUES
 (1, 0.1, 'plain', '\\x00ff10', '2024-02-29 10:11:12.000001', '2024-02-29', true, '{"a": [1, 2]}',
  to_timestamp(1), '2024-02-29T10:11:12Z'),
 (2, 0.0, '', '', '0001-01-01 00:00:00', '0001-01-01', false, '1e5', to_timestamp(0), '0001-01-01T00:00:00Z'),
 (3, '-0', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (4, 5e-324, 'caf\u00e9', '\\x00', '9999-12-31 23:59:59.999999', '9999-12-31', true, '"x"',
  to_timestamp(-1), NULL),
 (5, 1.7976931348623157e308, ' spaces ', '\\xdeadbeef', '2024-02-29 10:11:12', '1999-12-31', false,
  '[]', to_timestamp(1709201472), NULL),
 (-6, 'inf', 'same', '\\x01', NULL, NULL, NULL, 'null', NULL, NULL),
 (9223372036854775807, '-inf', 'same', '\\x01', NULL, NULL, NULL, 'null', to_timestamp(253402300799),
  NULL);
CREATE TABLE odd (id bigint PRIMARY KEY, number numeric, price numeric(10,2),
    mixed text COLLATE "C", "real" float8, text text COLLATE "C");
INSERT INTO odd VALUES
 (1, 1, 19.99, '1', 0.1, 'plain'),
 (2, 1.5, 2, '1', 0.0, ''),
 (3, NULL, NULL, NULL, '-0', NULL),
 (4, 9007199254740993, 0.01, '2.5', 5e-324, 'x'),
 (5, -9223372036854775808, -1, '31', NULL, NULL),
 (-6, 1e-300, 100, 'text', NULL, NULL),
 (9223372036854775807, '1.0e22'::numeric(40,1), NULL, '1.0', NULL, NULL);
CREATE TABLE money (id bigint PRIMARY KEY, amount numeric(10,2), rate numeric);
INSERT INTO money VALUES (1, NULL, NULL), (2, 12.5, 1), (3, 3, 1.0), (4, -0.01, '1e308'::numeric(1000, 1)),
 (5, 7, 5e-324);
CREATE TABLE coins (amount numeric);
INSERT INTO coins VALUES (1.0), (1), (1.5), (NULL), (1.0);
CREATE TABLE pair (a text COLLATE "C", b bigint, payload text COLLATE "C", PRIMARY KEY (a, b));
INSERT INTO pair VALUES ('A', 1, 'first'), ('A', 2, 'second'), ('a', 1, 'third'), ('\u00e9', 0, 'fourth');
CREATE TABLE log (level bigint, line text COLLATE "C", cost float8);
INSERT INTO log VALUES (NULL, NULL, NULL), (2, NULL, '-0'), (1, 'started', 0.5), (1, 'started', 0.5);
CREATE TABLE loose (x text COLLATE "C", note text COLLATE "C");
INSERT INTO loose VALUES ('1', 'one'), ('1', 'one'), ('1', 'one'), (NULL, 'none'), ('61', 'blob');
CREATE TABLE dirty (id bigint PRIMARY KEY, text text COLLATE "C");
INSERT INTO dirty VALUES (1, 'fine'), (4, 'fine too');
CREATE TABLE buttress_cells (table_name text, row_id bigint, row_key text, column_name text,
    storage_class text);
INSERT INTO buttress_cells VALUES
 ('odd', 2, '[2]', 'mixed', 'text'), ('odd', 4, '[4]', 'mixed', 'real'),
 ('odd', 5, '[5]', 'mixed', 'blob'), ('odd', -6, '[-6]', 'mixed', 'text'),
 ('odd', 9223372036854775807, '[9223372036854775807]', 'mixed', 'real'),
 ('loose', 2, '["1","one"]', 'x', 'text'), ('loose', 5, '["61","blob"]', 'x', 'blob');
CREATE TABLE buttress_quarantine (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name text, row_id bigint, row_key text, column_name text, reason text, raw bytea,
    row_values jsonb, quarantined_at timestamptz DEFAULT now());
INSERT INTO buttress_quarantine (table_name, row_id, row_key, column_name, reason, raw, row_values)
VALUES
 ('dirty', 2, '[2]', 'text', 'U+0000', '\\x610062',
  '{"id": ["integer", "2"], "text": ["text:hex", "610062"]}'),
 ('dirty', 3, '[3]', 'text', 'invalid', '\\xff41',
  '{"id": ["integer", "3"], "text": ["text:hex", "ff41"]}');
"""


def columns(*rules: tuple[str, str]) -> list[Column]:
    return [
        Column(
            name=name, target=name, type="", rule=rule, usual="integer" if rule == "mixed" else ""
        )
        for name, rule in rules
    ]


PLAN = Plan(
    source="prototype.db",
    tables=[
        Table(
            name="item",
            target="item",
            rows=7,
            rowid="rowid",
            rowid_alias="id",
            key=["id"],
            columns=columns(
                ("id", "integer"),
                ("real", "real"),
                ("text", "text"),
                ("blob", "blob"),
                ("moment", "timestamp(space, 6)"),
                ("day", "date"),
                ("flag", "boolean"),
                ("json", "json"),
                ("seconds", "unix seconds"),
                ("short", "timestamp(T, 0, Z)"),
            ),
        ),
        Table(
            name="odd",
            target="odd",
            rows=7,
            rowid="rowid",
            rowid_alias="id",
            key=["id"],
            columns=columns(
                ("id", "integer"),
                ("number", "numeric"),
                ("price", "decimal(10, 2)"),
                ("mixed", "mixed"),
                ("real", "real"),
                ("text", "text"),
            ),
        ),
        Table(
            name="money",
            target="money",
            rows=5,
            rowid="rowid",
            rowid_alias="id",
            key=["id"],
            columns=columns(("id", "integer"), ("amount", "decimal(10, 2)"), ("rate", "numeric")),
        ),
        Table(
            name="coins",
            target="coins",
            rows=5,
            rowid="rowid",
            columns=columns(("amount", "numeric")),
        ),
        Table(
            name="pair",
            target="pair",
            rows=4,
            key=["a", "b"],
            columns=columns(("a", "text"), ("b", "integer"), ("payload", "text")),
        ),
        Table(
            name="log",
            target="log",
            rows=4,
            rowid="rowid",
            columns=columns(("level", "integer"), ("line", "text"), ("cost", "real")),
        ),
        Table(
            name="loose",
            target="loose",
            rows=5,
            rowid="rowid",
            columns=columns(("x", "mixed"), ("note", "text")),
        ),
        Table(
            name="dirty",
            target="dirty",
            rows=4,
            rowid="rowid",
            rowid_alias="id",
            key=["id"],
            columns=columns(("id", "integer"), ("text", "text")),
        ),
    ],
)


class Moved:
    """A source, its plan and a target that can be damaged and repaired."""

    def __init__(self, snapshot: Path, conninfo: str, plan: Plan, target_sql: str) -> None:
        self.snapshot, self.conninfo, self.plan = snapshot, conninfo, plan
        self.run(target_sql)
        self.tables = [
            row[0]
            for row in self.run(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = "
                "'public'::regnamespace"
            )
        ]
        self.run("CREATE SCHEMA kept")
        for table in self.tables:
            self.run(f'CREATE TABLE kept."{table}" AS TABLE public."{table}"')

    def run(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def repair(self) -> None:
        for table in self.tables:
            self.run(
                f'TRUNCATE public."{table}";'
                f'INSERT INTO public."{table}" OVERRIDING SYSTEM VALUE TABLE kept."{table}"'
            )

    def prove(self, *, unreadable: list[Unreadable] | None = None, workers: int = 1) -> Proof:
        target = Target(self.conninfo, "the target", "public", "public__move_1")
        return prove(
            self.plan,
            self.snapshot,
            target,
            schema="public",
            unreadable=unreadable or [],
            workers=workers,
        )


def differences(proof: Proof) -> list[Difference]:
    return [difference for table in proof.tables for difference in table.differences]


def of(proof: Proof, table: str) -> TableProof:
    return next(found for found in proof.tables if found.table == table)


def sqlite_file(path: Path, statements: str) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(statements)
    connection.close()
    return path


@pytest.fixture
def moved(tmp_path: Path, conninfo: str) -> Moved:
    return Moved(sqlite_file(tmp_path / "snapshot.db", SOURCE), conninfo, PLAN, TARGET)


def test_an_exact_copy_is_proven_with_its_quarantined_rows(moved):
    proof = moved.prove(workers=2)

    assert differences(proof) == []
    assert proof.ok
    assert [(t.table, t.rows, t.proven, t.quarantined, t.method) for t in proof.tables] == [
        ("item", 7, 7, 0, "by key"),
        ("odd", 7, 7, 0, "by key"),
        ("money", 5, 5, 0, "by key"),
        ("coins", 5, 5, 0, "by digest"),
        ("pair", 4, 4, 0, "by key"),
        ("log", 4, 4, 0, "by digest"),
        ("loose", 5, 5, 0, "by digest"),
        ("dirty", 4, 2, 2, "by key"),
    ]


FAULTS = {
    "one bit of a blob": (
        "UPDATE item SET blob = '\\x00ff11' WHERE id = 1",
        ("item", "id=1", "blob", "x'00ff10'", "x'00ff11'"),
    ),
    "one ulp of a real": (
        'UPDATE item SET "real" = 0.10000000000000002 WHERE id = 1',
        ("item", "id=1", "real", "0.1", "0.10000000000000002"),
    ),
    "0.0 for −0.0": (
        'UPDATE item SET "real" = 0.0 WHERE id = 3',
        ("item", "id=3", "real", "-0.0", "0.0"),
    ),
    "−0.0 for 0.0": (
        "UPDATE item SET \"real\" = '-0' WHERE id = 2",
        ("item", "id=2", "real", "0.0", "-0.0"),
    ),
    "NaN for a real": (
        "UPDATE item SET \"real\" = 'nan' WHERE id = 1",
        ("item", "id=1", "real", "0.1", "nan"),
    ),
    "−0.0 for 0.0 beside a mixed column": (
        "UPDATE odd SET \"real\" = '-0' WHERE id = 2",
        ("odd", "id=2", "real", "0.0", "-0.0"),
    ),
    "NULL for empty text beside a mixed column": (
        "UPDATE odd SET text = NULL WHERE id = 2",
        ("odd", "id=2", "text", "''", "NULL"),
    ),
    "one second": (
        "UPDATE item SET seconds = seconds + interval '1 second' WHERE id = 4",
        ("item", "id=4", "seconds", "-1", "0"),
    ),
    "one microsecond that the column's shape does not show": (
        "UPDATE item SET short = short + interval '1 microsecond' WHERE id = 1",
        (
            "item",
            "id=1",
            "short",
            "'2024-02-29T10:11:12Z'",
            "'2024-02-29 10:11:12.000001+00'",
        ),
    ),
    "a year before Christ": (
        "UPDATE item SET short = '0001-01-01 00:00:00+00 BC' WHERE id = 2",
        ("item", "id=2", "short", "'0001-01-01T00:00:00Z'", "'0001-01-01 00:00:00+00 BC'"),
    ),
    "a day before Christ": (
        "UPDATE item SET day = '0001-01-01 BC' WHERE id = 2",
        ("item", "id=2", "day", "'0001-01-01'", "'0001-01-01 BC'"),
    ),
    "a moment at infinity": (
        "UPDATE item SET seconds = 'infinity' WHERE id = 1",
        ("item", "id=1", "seconds", "1", "-9223372036854775808"),
    ),
    "half a second": (
        "UPDATE item SET seconds = seconds + interval '0.4 second' WHERE id = 4",
        ("item", "id=4", "seconds", "-1", "-9223372036854775808"),
    ),
    "empty text for NULL": (
        "UPDATE item SET text = '' WHERE id = 3",
        ("item", "id=3", "text", "NULL", "''"),
    ),
    "NULL for empty text": (
        "UPDATE item SET text = NULL WHERE id = 2",
        ("item", "id=2", "text", "''", "NULL"),
    ),
    "NULL for an empty blob": (
        "UPDATE item SET blob = NULL WHERE id = 2",
        ("item", "id=2", "blob", "x''", "NULL"),
    ),
    "a trailing space": (
        "UPDATE item SET text = 'plain ' WHERE id = 1",
        ("item", "id=1", "text", "'plain'", "'plain '"),
    ),
    "another case": (
        "UPDATE item SET text = 'Plain' WHERE id = 1",
        ("item", "id=1", "text", "'plain'", "'Plain'"),
    ),
    "another Unicode form": (
        "UPDATE item SET text = normalize(text, NFD) WHERE id = 4",
        ("item", "id=4", "text", "'caf\\xe9'", "'cafe\\u0301'"),
    ),
    "one microsecond": (
        "UPDATE item SET moment = moment + interval '1 microsecond' WHERE id = 5",
        (
            "item",
            "id=5",
            "moment",
            "'2024-02-29 10:11:12.000000'",
            "'2024-02-29 10:11:12.000001'",
        ),
    ),
    "one day": (
        "UPDATE item SET day = day - 1 WHERE id = 4",
        ("item", "id=4", "day", "'9999-12-31'", "'9999-12-30'"),
    ),
    "false for true": (
        "UPDATE item SET flag = false WHERE id = 1",
        ("item", "id=1", "flag", "1", "0"),
    ),
    "JSON with other white space": (
        "UPDATE item SET json = '{\"a\":[1,2]}' WHERE id = 1",
        ("item", "id=1", "json", "'{\"a\": [1, 2]}'", "'{\"a\":[1,2]}'"),
    ),
    "the real 1.0 for the integer 1": (
        "UPDATE odd SET number = 1.0 WHERE id = 1",
        ("odd", "id=1", "number", "1", "1.0"),
    ),
    "2⁵³ for 2⁵³ + 1": (
        "UPDATE odd SET number = 9007199254740992 WHERE id = 4",
        ("odd", "id=4", "number", "9007199254740993", "9007199254740992"),
    ),
    "a number SQLite cannot have": (
        "UPDATE odd SET number = 1e400 WHERE id = 1",
        ("odd", "id=1", "number", "1", "nan"),
    ),
    "an integer SQLite cannot have": (
        "UPDATE odd SET number = 9223372036854775808 WHERE id = 1",
        ("odd", "id=1", "number", "1", "nan"),
    ),
    "the integer 2 for the real 1.5": (
        "UPDATE odd SET number = 2 WHERE id = 2",
        ("odd", "id=2", "number", "1.5", "2"),
    ),
    "0 for NULL": (
        "UPDATE odd SET price = 0 WHERE id = 3",
        ("odd", "id=3", "price", "NULL", "0"),
    ),
    "NaN for a number": (
        "UPDATE odd SET number = 'NaN' WHERE id = 1",
        ("odd", "id=1", "number", "1", "nan"),
    ),
    "one cent read by Arrow": (
        "UPDATE money SET amount = 12.51 WHERE id = 2",
        ("money", "id=2", "amount", "12.5", "12.51"),
    ),
    "the integer 1 for the real 1.0 read by Arrow": (
        "UPDATE money SET rate = 1 WHERE id = 3",
        ("money", "id=3", "rate", "1.0", "1"),
    ),
    "the real 1.0 for the integer 1 without a key": (
        "UPDATE coins SET amount = 1.0 WHERE scale(amount) = 0",
        ("coins", "amount=1", "", "amount=1", "no such row"),
    ),
    "one cent": (
        "UPDATE odd SET price = 19.98 WHERE id = 1",
        ("odd", "id=1", "price", "19.99", "19.98"),
    ),
    "the integer 1 for the text '1'": (
        "DELETE FROM buttress_cells WHERE table_name = 'odd' AND row_id = 2",
        ("odd", "id=2", "mixed", "'1'", "1"),
    ),
    "another class for a cell": (
        "UPDATE buttress_cells SET storage_class = 'text' WHERE table_name = 'odd' AND row_id = 4",
        ("odd", "id=4", "mixed", "2.5", "'2.5'"),
    ),
    "a class for a cell that does not exist": (
        "INSERT INTO buttress_cells VALUES ('odd', 99, '[99]', 'mixed', 'text')",
        ("odd", "[99]", "mixed", "no such cell", "listed as text in buttress_cells"),
    ),
    "a trailing space in a mixed cell": (
        "UPDATE odd SET mixed = '1 ' WHERE id = 1",
        ("odd", "id=1", "mixed", "1", "'1 '"),
    ),
    "a missing row": (
        "DELETE FROM item WHERE id = -6",
        ("item", "id=-6", "", "id=-6, real=inf", "no such row"),
    ),
    "a missing last row": (
        "DELETE FROM pair WHERE a = '\u00e9'",
        ("pair", "a='\u00e9', b=0", "", "a='\u00e9', b=0, payload='fourth'", "no such row"),
    ),
    "an extra row": (
        "INSERT INTO pair VALUES ('A', 3, 'extra')",
        ("pair", "a='A', b=3", "", "no such row", "a='A', b=3, payload='extra'"),
    ),
    "an extra row behind all others": (
        "INSERT INTO pair VALUES ('\u00ea', 0, '')",
        ("pair", "a='\u00ea', b=0", "", "no such row", "a='\u00ea', b=0, payload=''"),
    ),
    "another row's key": (
        "UPDATE pair SET b = 7 WHERE b = 2",
        ("pair", "a='A', b=2", "", "a='A', b=2, payload='second'", "no such row"),
    ),
    "a duplicate too many": (
        "INSERT INTO log VALUES (1, 'started', 0.5)",
        (
            "log",
            "level=1, line='started', cost=0.5",
            "",
            "no such row",
            "level=1, line='started', cost=0.5",
        ),
    ),
    "a lost duplicate": (
        "DELETE FROM log WHERE ctid = (SELECT min(ctid) FROM log WHERE level = 1)",
        (
            "log",
            "level=1, line='started', cost=0.5",
            "",
            "level=1, line='started', cost=0.5",
            "no such row",
        ),
    ),
    "0.0 for −0.0 without a key": (
        "UPDATE log SET cost = 0.0 WHERE level = 2",
        (
            "log",
            "level=2, line=NULL, cost=-0.0",
            "",
            "level=2, line=NULL, cost=-0.0",
            "no such row",
        ),
    ),
    "the integer 1 for the text '1' without a key": (
        "DELETE FROM buttress_cells WHERE table_name = 'loose' AND row_id = 2",
        ("loose", "x='1', note='one'", "", "x='1', note='one'", "no such row"),
    ),
    "a quarantined row altered": (
        "UPDATE buttress_quarantine SET row_values = jsonb_set(row_values, '{text,1}', '\"610063\"') "
        "WHERE row_id = 2",
        ("dirty", "rowid 2 in quarantine", "text", "'a\x00b'", "'a\x00c'"),
    ),
    "a quarantined cell of another class": (
        "UPDATE buttress_quarantine SET row_values = jsonb_set(row_values, '{id,0}', '\"text\"') "
        "WHERE row_id = 2",
        ("dirty", "rowid 2 in quarantine", "id", "2", "'2'"),
    ),
    "the raw bytes of a quarantined cell altered": (
        "UPDATE buttress_quarantine SET raw = '\\xff42' WHERE row_id = 3",
        ("dirty", "rowid 3 in quarantine", "text", "invalid text x'ff41'", "x'ff42'"),
    ),
    "a quarantined row removed": (
        "DELETE FROM buttress_quarantine WHERE row_id = 3",
        ("dirty", "id=3", "", "id=3, text=invalid text x'ff41'", "no such row"),
    ),
    "a quarantined row twice": (
        "INSERT INTO buttress_quarantine (table_name, row_id, row_values) "
        "SELECT table_name, row_id, row_values FROM buttress_quarantine WHERE row_id = 3",
        ("dirty", "rowid 3 in quarantine", "", "one row", "the same row twice"),
    ),
    "a row in quarantine that the source does not have": (
        "INSERT INTO buttress_quarantine (table_name, row_id, row_values) "
        "SELECT table_name, 77, row_values FROM buttress_quarantine WHERE row_id = 3",
        ("dirty", "rowid 77 in quarantine", "", "no such row", "a row in quarantine"),
    ),
    "a row in both places": (
        "INSERT INTO dirty VALUES (2, 'ab')",
        ("dirty", "id=2", "", "no such row", "id=2, text='ab'"),
    ),
    "a table gone": (
        "ALTER TABLE log RENAME TO gone",
        ("log", "the whole table", "", "4 rows", 'relation "public.log" does not exist'),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_and_named_and_its_repair_proves_again(moved, fault):
    damage, (table, row, column, source, target) = FAULTS[fault]
    moved.run(damage)

    proof = moved.prove()

    assert not proof.ok
    found = differences(proof)[0]
    assert (found.table, found.row, found.column) == (table, row, column)
    assert found.source.startswith(source)
    assert target in found.target
    assert [t.table for t in proof.tables if not t.ok] == [table]

    if fault == "a table gone":
        moved.run("ALTER TABLE gone RENAME TO log")
    moved.repair()
    assert moved.prove().ok


def test_two_rows_that_exchanged_their_payloads_are_both_named(moved):
    moved.run(
        "UPDATE pair SET payload = CASE b WHEN 1 THEN 'second' ELSE 'first' END WHERE a = 'A'"
    )

    proof = moved.prove()

    assert [(d.row, d.column, d.source, d.target) for d in differences(proof)] == [
        ("a='A', b=1", "payload", "'first'", "'second'"),
        ("a='A', b=2", "payload", "'second'", "'first'"),
    ]


def test_duplicate_keys_in_the_target_do_not_confuse_the_comparison(moved):
    moved.run("ALTER TABLE item DROP CONSTRAINT item_pkey; INSERT INTO item TABLE kept.item")
    moved.run("ALTER TABLE kept.item RENAME TO twice")

    proof = moved.prove()

    assert of(proof, "item").different == 7
    assert {d.source for d in of(proof, "item").differences} == {"no such row"}
    assert of(proof, "item").proven == 7

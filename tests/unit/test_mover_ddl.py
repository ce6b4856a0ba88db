"""Reading CREATE TABLE statements: everything SQLite accepts."""

import apsw
import pytest

from buttress.mover.source.ddl import Generated, NamedText, parse_table


def test_checks_are_found_with_their_names_and_columns():
    found = parse_table(
        """CREATE TABLE t(a INT CONSTRAINT positive CHECK (a > 0) CHECK(a<9), b,
        CONSTRAINT "or der" CHECK (a < b), CHECK (b <> ')' /* ) */))"""
    )

    assert found.checks == [
        NamedText("positive", "a > 0", "a"),
        NamedText(None, "a<9", "a"),
        NamedText("or der", "a < b", None),
        NamedText(None, "b <> ')'", None),
    ]
    assert found.unparsed == []


def test_generated_columns_tell_whether_they_are_stored():
    found = parse_table(
        "CREATE TABLE t(a, b GENERATED ALWAYS AS (a*2) VIRTUAL, c INT AS (a||'(') STORED,"
        " d TEXT GENERATED ALWAYS AS (a) NOT NULL, e AS (1))"
    )

    assert found.generated == {
        "b": Generated("a*2", stored=False),
        "c": Generated("a||'('", stored=True),
        "d": Generated("a", stored=False),
        "e": Generated("1", stored=False),
    }


def test_a_column_may_be_called_generated():
    found = parse_table("CREATE TABLE t(generated, always TEXT, stored INT CHECK (stored > 0))")

    assert found.generated == {}
    assert [check.column for check in found.checks] == ["stored"]


@pytest.mark.parametrize("name", ['"a (b"', "`a (b`", "[a (b]", "'a (b'"])
def test_names_may_be_quoted_in_four_ways(name):
    found = parse_table(f"CREATE TABLE {name}({name} TEXT COLLATE nocase CHECK ({name} <> ''))")

    assert found.collations == {"a (b": "nocase"}
    assert found.checks == [NamedText(None, f"{name} <> ''", "a (b")]


def test_doubled_quotes_and_emoji_are_part_of_the_name():
    found = parse_table('CREATE TABLE "🐘"("a""b" COLLATE "RTRIM", 🦆 COLLATE [my own])')

    assert found.collations == {'a"b': "RTRIM", "🦆": "my own"}


def test_keywords_inside_quotes_are_names():
    found = parse_table('CREATE TABLE "table"("check" INT, "primary" TEXT, [unique] REFERENCES x)')

    assert found.checks == []
    assert found.unparsed == []


def test_comments_are_skipped_wherever_they_stand():
    found = parse_table(
        "CREATE /* ( */ TABLE -- x\n t /**/ ( a -- , CHECK (1)\n INT, b CHECK /* ( */ (b > 0))"
    )

    assert found.checks == [NamedText(None, "b > 0", "b")]


def test_commas_between_table_constraints_may_be_missing():
    found = parse_table(
        "CREATE TABLE t(a, b, PRIMARY KEY (a) UNIQUE (b) CHECK (a > b) CONSTRAINT f"
        " FOREIGN KEY (b) REFERENCES t(a) DEFERRABLE INITIALLY DEFERRED CHECK (b > 0))"
    )

    assert [check.text for check in found.checks] == ["a > b", "b > 0"]
    assert found.deferrable_foreign_keys == [("b",)]
    assert found.unparsed == []


def test_weird_and_missing_types_are_passed_over():
    found = parse_table(
        "CREATE TABLE t(a, b LONG VARCHAR (10, 5), c UNSIGNED BIG INT, d 'odd type'(3) CHECK (d),"
        " e \"x y\" NOT NULL DEFAULT (CASE WHEN 1 THEN ')' END), f DOUBLE PRECISION COLLATE BINARY)"
    )

    assert [check.column for check in found.checks] == ["d"]
    assert found.collations == {"f": "BINARY"}
    assert found.unparsed == []


def test_autoincrement_is_seen_beside_the_column_and_in_the_table_constraint():
    assert parse_table("CREATE TABLE t(id INTEGER PRIMARY KEY DESC AUTOINCREMENT)").autoincrement
    assert parse_table("CREATE TABLE t(id INTEGER, PRIMARY KEY(id AUTOINCREMENT))").autoincrement
    assert not parse_table("CREATE TABLE t(autoincrement INTEGER PRIMARY KEY)").autoincrement


def test_table_options_are_read():
    assert parse_table("CREATE TABLE t(a INT) STRICT").strict
    both = parse_table("CREATE TABLE t(a INT PRIMARY KEY) without ROWID, strict")
    assert both.strict
    assert both.without_rowid
    assert not parse_table("CREATE TABLE strict(a INT)").strict


def test_only_foreign_keys_checked_at_commit_are_deferrable():
    found = parse_table(
        "CREATE TABLE t(a REFERENCES p(x) ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE"
        " INITIALLY DEFERRED, b REFERENCES p DEFERRABLE, c REFERENCES p NOT DEFERRABLE INITIALLY"
        ' DEFERRED CHECK (c > 0), FOREIGN KEY (a, "b") REFERENCES p(x, y) MATCH FULL ON DELETE'
        " NO ACTION DEFERRABLE INITIALLY DEFERRED)"
    )

    assert found.deferrable_foreign_keys == [("a",), ("a", "b")]
    assert found.checks == [NamedText(None, "c > 0", "c")]
    assert found.unparsed == []


def test_conflict_clauses_are_noticed():
    found = parse_table(
        "CREATE TABLE t(a INTEGER PRIMARY KEY ON CONFLICT REPLACE AUTOINCREMENT, b NOT NULL ON"
        " CONFLICT IGNORE UNIQUE ON CONFLICT FAIL, UNIQUE (a, b) ON CONFLICT ROLLBACK)"
    )

    assert found.conflict_clauses == [
        "PRIMARY KEY ON CONFLICT REPLACE",
        "NOT NULL ON CONFLICT IGNORE",
        "UNIQUE ON CONFLICT FAIL",
        "UNIQUE (a, b) ON CONFLICT ROLLBACK",
    ]
    assert found.autoincrement


def test_defaults_of_every_form_are_passed_over():
    found = parse_table(
        "CREATE TABLE t(a DEFAULT -1 CHECK (a), b DEFAULT 'it''s' CHECK (b), c DEFAULT (1+(2)),"
        " d DEFAULT CURRENT_TIMESTAMP CHECK (d), e DEFAULT x'00' NOT NULL, f DEFAULT +1.5e3 CHECK (f),"
        ' g DEFAULT "q" CHECK (g))'
    )

    assert [check.column for check in found.checks] == ["a", "b", "d", "f", "g"]
    assert found.unparsed == []


def test_virtual_tables_give_their_module_and_arguments():
    found = parse_table(
        "CREATE VIRTUAL TABLE IF NOT EXISTS main.x USING fts5(a, b UNINDEXED, tokenize = 'a, (b')"
    )

    assert found.module == "fts5"
    assert found.arguments == ["a", "b UNINDEXED", "tokenize = 'a, (b'"]
    assert parse_table("CREATE VIRTUAL TABLE x USING dbstat").arguments == []


def test_the_schema_and_temp_words_before_a_name_are_passed_over():
    sql = 'CREATE TEMP TABLE IF NOT EXISTS "temp"."t x"(a CHECK (a > 0))'

    assert len(parse_table(sql).checks) == 1
    assert parse_table("CREATE TABLE x AS SELECT 1").unparsed == []


def test_everything_here_is_accepted_by_sqlite_too():
    connection = apsw.Connection(":memory:")
    for sql in (
        "CREATE TABLE a(a, b, PRIMARY KEY (a) UNIQUE (b) CHECK (a > b) CHECK (b > 0))",
        "CREATE TABLE b(a, b LONG VARCHAR (10, 5), d 'odd type'(3) CHECK (d))",
        "CREATE TABLE c(a INTEGER PRIMARY KEY ON CONFLICT REPLACE AUTOINCREMENT)",
        "CREATE TABLE d(generated, always TEXT, stored INT CHECK (stored > 0))",
    ):
        connection.execute(sql)
        assert parse_table(sql).unparsed == []

"""Statements without their values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttress.db.monitor.statement import kind_of, normalise, shapes, statement_of


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM t WHERE id = 5", "SELECT * FROM t WHERE id = ?"),
        ("select  a,b\nfrom t -- why\n where x='it''s' /* secret */", "select a, b from t where x=?"),
        ("SELECT E'it\\'s', $$a ' b$$, $x$ $$ $x$, 1.5e-3, .5, x1 FROM t2", "SELECT ?, ?, ?, ?, ?, x1 FROM t2"),
        ("SELECT a FROM t WHERE b IN (1, 2, 3)", "SELECT a FROM t WHERE b IN (?)"),
        ("SELECT a FROM t WHERE b IN (1)", "SELECT a FROM t WHERE b IN (?)"),
        ("SELECT a FROM t WHERE b IN (__[POSTCOMPILE_b_1])", "SELECT a FROM t WHERE b IN (?)"),
        ("SELECT a FROM t WHERE b IN ($1 /*, ... */)", "SELECT a FROM t WHERE b IN (?)"),
        ("INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')", "INSERT INTO t (a, b) VALUES (?)"),
        ("SELECT %(a_1)s::INTEGER, t.x FROM t WHERE y = %(b)s", "SELECT ?::INTEGER, t.x FROM t WHERE y = ?"),
        ("SELECT $1::INTEGER, t.x FROM t WHERE y = $2", "SELECT ?::INTEGER, t.x FROM t WHERE y = ?"),
        ("SELECT a FROM t WHERE b = ? AND c = :c", "SELECT a FROM t WHERE b = ? AND c = ?"),
        ('SELECT "We ird" FROM "T"', 'SELECT "We ird" FROM "T"'),
        ("SELECT 'never closed", "SELECT ?"),
        (r"SELECT 'C:\', 'SECRET'", "SELECT ?, ?"),
        ("CREATE ROLE r PASSWORD 'hunter2'", "CREATE ROLE r PASSWORD ?"),
    ],
)  # fmt: skip
def test_values_become_question_marks(sql, expected):
    assert normalise(sql) == expected


@given(st.text(alphabet="abc'\\\"$é \n;-/*%", max_size=12), st.text("ab ,()", max_size=5))
def test_a_quoted_value_never_gets_through(value, around):
    quoted = "'" + ("SECRET" + value).replace("'", "''") + "'"
    assert "SECRET" not in normalise(f"SELECT {around.replace('(', '')} {quoted} FROM t")


@given(st.text(max_size=200))
def test_any_text_has_a_statement(sql):
    assert statement_of(sql).kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1", "select"),
        ("(SELECT 1) UNION (SELECT 2)", "select"),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", "insert"),
        ("WITH a AS (DELETE FROM t RETURNING id) SELECT * FROM a", "select"),
        ("update t set a = ?", "update"),
        ("DELETE FROM t", "delete"),
        ("CREATE TABLE t ()", "ddl"),
        ("BEGIN IMMEDIATE", "other"),
        ("", "other"),
    ],
)
def test_the_kind_is_what_the_main_part_does(sql, kind):
    assert kind_of(sql) == kind


def test_parameters_are_told_as_types_and_sizes():
    assert shapes({"id": 5, "name": "secret", "none": None}) == "id=int, name=str(6), none=null"
    assert shapes((1.5, b"abc")) == "float, bytes(3)"
    assert shapes([{"a": 1}, {"a": 2}]) == "2 × (a=int)"
    assert shapes(None) == ""

"""Expressions, conditions, defaults and indexes: the same meaning on both sides, or refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import apsw
import msgspec
import psycopg
import pytest
from psycopg import sql

from buttress.mover import translate
from buttress.mover.plan import Column
from buttress.mover.translate import IndexedColumn, Untranslatable
from buttress.mover.values import rule
from two_sides import Sides, T, column, open_sides

SAME = {
    "arithmetic and literals": [
        "n + 1",
        "n * 2 - 1",
        "n / 3",
        "n / 0",
        "n % 4",
        "-n % 4",
        "-n",
        "- -n",
        "n / 2.0",
        "x / 2",
        "x * 1.1 + n",
        "x / 0",
        "2 / 3",
        "7.0 / 2",
        "n & 3",
        "n | 5",
        "~n",
        '"nosuch"',
        "'it''s'",
        "0x1F + n",
        "1e3",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "2147483647 + 1",
        "1000000 * 1000000",
        "'3' + 4",
        "'1.5' * 2",
        "n + '2'",
        "true",
        "false",
        "rowid",
        "_rowid_ + 1",
        "t.n",
        "main.t.n",
        "[n] + `x`",
        "n /* c */ + 1",
    ],
    "comparisons": [
        "n << 2",
        "n >> 1",
        "iif(n > 0, 'pos', 'neg')",
        "CASE WHEN n > 0 THEN 1 WHEN n < 0 THEN -1 ELSE 0 END",
        "n > 0",
        "n > 1.5",
        "n = 10.0",
        "n = '10'",
        "n = 'abc'",
        "s = 10",
        "s > 'a'",
        "s < 'b'",
        "s BETWEEN 'A' AND 'b'",
        "n BETWEEN 0 AND 10",
        "n NOT BETWEEN 0 AND 10",
        "n IN (1, 10, 0)",
        "n NOT IN (1, 10)",
        "n IN (10, NULL)",
        "s IN ('Apple', 'x')",
        "s IN ()",
        "s NOT IN ()",
        "n AND x",
        "n OR s = ''",
        "NOT n",
        "n IS NULL",
        "n IS NOT NULL",
        "n ISNULL",
        "n NOTNULL",
        "n IS 10",
        "n IS NOT 10",
        "n IS x",
        "n IS TRUE",
        "n IS NOT TRUE",
        "n IS FALSE",
        "n IS NOT DISTINCT FROM 10",
        "likely(n > 1)",
        "x'0102' = b",
        "b = x''",
        "n = true",
        "(n, s) = (10, 'Apple')",
        "length(s) > 3 AND length(s) < 10",
        "s >= 'a' AND s < 'b'",
        "n = n",
        "n <> n",
        "x = n",
        "s = raw",
        "n = s",
        "s <> id",
        "s = length(s)",
        "x = 1.5",
        "x IN (1.5, 2)",
        "n IN (1.0, 10.0)",
        "(n > 0) = (x > 0)",
        "(n > 0) + (x > 0)",
        "iif(n > 0, at, day)",
        "iif(u > 0, 'a', 'b')",
        "x = round(x, 2)",
        "n > 'abc'",
        "n IS 'abc'",
        "s > 5 + 1",
        "s IS NOT b",
        "length(s) > 'a'",
        "n + 1 IS 'x'",
    ],
    "functions": [
        "abs(n)",
        "abs(x)",
        "round(x)",
        "round(x, 2)",
        "round(2.675, 2)",
        "round(1.005, 2)",
        "round(0.125, 2)",
        "round(-0.125, 2)",
        "round(n)",
        "s || 'x'",
        "s || n",
        "x || ''",
        "n || ''",
        "s || NULL",
        "length(s)",
        "length(b)",
        "length(n)",
        "length(x)",
        "upper(s)",
        "lower(s)",
        'trim("Upper Case")',
        'ltrim("Upper Case")',
        "rtrim(\"Upper Case\", ' d')",
        "replace(s, 'p', 'PP')",
        "substr(s, 2)",
        "substr(s, 2, 2)",
        "substr(s, -3)",
        "substr(s, -3, 2)",
        "substr(s, -9, 7)",
        "substr(s, 0)",
        "substr(s, 0, 2)",
        "substr(s, id - 3, 2)",
        "instr(s, 'p')",
        "instr(s, '')",
        "hex(s)",
        "hex(b)",
        "hex(n)",
        "quote(s)",
        "quote(n)",
        "char(65, 66)",
        "typeof(n)",
        "typeof(s)",
        "typeof(x)",
        "typeof(at)",
        "typeof(NULL)",
        "coalesce(n, 0)",
        "coalesce(s, 'none')",
        "ifnull(n, 5)",
        "coalesce(x, 0)",
        "coalesce(x, 0) / 2",
        "coalesce(x, 1) * 2",
        "nullif(n, 0)",
        "nullif(s, '')",
        "CASE n WHEN 10 THEN 'ten' WHEN 0 THEN 'zero' END",
        "max(at, '2020-01-01 00:00:00')",
        "min(n, 5)",
        "max(n, x)",
        "max(s, 'B')",
        "printf('%d items', n)",
        "printf('%05d', n)",
        "printf('%5d', id)",
        "printf('%.2f', x)",
        "printf('%s-%s', id, s)",
        "format('100%%')",
        "sign(x)",
        "ceil(x)",
        "floor(x)",
        "sqrt(x)",
        "power(n, 2)",
        "concat(s, n, 'z')",
        "concat_ws('-', s, n)",
        "octet_length(s)",
        '"Upper Case"',
        "UPPER(S)",
        "max(1, 2, 3)",
        "abs(-5)",
        "coalesce(at, '1970-01-01 00:00:00')",
        "coalesce(at, 'never')",
        "round(x * 100) / 100",
        "round(n / 3.0, 3)",
    ],
    "casts and decimals": [
        "round(price, 1)",
        "price || ''",
        "CAST(n AS TEXT)",
        "CAST(x AS TEXT)",
        "CAST(s AS INTEGER)",
        "CAST(raw AS INTEGER)",
        "CAST(raw AS REAL)",
        "CAST(n AS REAL)",
        "CAST(n AS REAL) / 4",
        "CAST('12abc' AS INTEGER)",
        "CAST('1.5e1x' AS REAL)",
        "CAST(n AS NUMERIC)",
        "CAST(0 AS BOOLEAN)",
        "CAST(b AS TEXT)",
        "CAST(s AS BLOB)",
        "CAST(NULL AS TEXT)",
        "CAST(at AS TEXT)",
        "CAST(price AS INTEGER)",
        "CAST(price AS REAL)",
        "CAST(price AS TEXT)",
        "price * 2",
        "price + 0.5",
        "price / 2",
        "price * 1.2",
        "price > 2",
        "price = 2.5",
        "price = '2.5'",
        "n * price",
        "-price",
        "printf('%.2f', price)",
        "CAST(substr(at, 1, 4) AS INTEGER)",
    ],
    "booleans": [
        "flag || ''",
        "typeof(flag)",
        "ifnull(flag, 0)",
        "ifnull(flag, 2)",
        "iif(flag, 1, 2)",
        "iif(flag, n)",
        "CASE WHEN flag THEN x ELSE 0 END",
        "flag = 1",
        "flag = 0",
        "flag <> 1",
        "flag != 0",
        "flag == 1",
        "1 = flag",
        "flag IS 1",
        "flag IS NOT 0",
        "flag IN (0, 1)",
        "flag IN (1)",
        "flag IN (0, 2)",
        "flag > 0",
        "flag + 1",
        "flag",
        "NOT flag",
        "flag AND n",
        "flag IS TRUE",
        "CAST(flag AS INTEGER)",
        "n > 0 AND (s = 'Apple' OR x < 0) AND NOT flag",
        "flag = flag",
        "flag = (n > 0)",
    ],
    "native columns": [
        "at || ''",
        "day || '!'",
        "at = '2024-01-31 10:20:30'",
        "at > '2024-01-01'",
        "at >= '2023-12-31 23:59:59'",
        "at BETWEEN '2023-01-01 00:00:00' AND '2024-12-31 00:00:00'",
        "at BETWEEN '2023' AND '2025'",
        "day = '2024-01-31'",
        "day < '2024'",
        "day IN ('2024-01-31', 'x')",
        "u > 1000",
        "u = 1700000000",
        "u + 1",
        "u / 60",
        "at = raw",
        "length(at)",
        "substr(at, 1, 10)",
        "substr(at, 1, 7) = '2024-01'",
        "upper(at)",
        "instr(at, ' ')",
        "u % 60",
    ],
    "collations and mixed columns": [
        "unicode(s)",
        "nullif(nick, 'BOB')",
        "CASE nick WHEN 'BOB' THEN 1 ELSE 0 END",
        "nick = 'BOB'",
        "nick <> 'bob'",
        "nick > 'B'",
        "nick IN ('BOB', 'x')",
        "nick = s",
        "s = nick",
        "nick COLLATE BINARY = 'bob'",
        "s COLLATE NOCASE = 'APPLE'",
        "\"Upper Case\" COLLATE RTRIM = ' pad'",
        "code = 9001",
        "code = '9001'",
        "code = 'abc'",
        "code IS NULL",
        "code <> 'abc'",
        "code",
    ],
    "patterns": [
        "s LIKE 'a%'",
        "s LIKE '%P%'",
        "s NOT LIKE 'a%'",
        "s LIKE '%\\_%'",
        "s LIKE '%!_%' ESCAPE '!'",
        "s LIKE '%' || s || '%'",
        "s LIKE 'ÄPFEL%'",
        "n LIKE '1%'",
        "at LIKE '2024-%'",
        "s GLOB 'A*'",
        "s GLOB '[A-Z]*'",
        "s GLOB '*[^a-zA-Z]*'",
        "s GLOB '?pp*'",
        "s NOT GLOB '*[^0-9]*'",
    ],
    "dates": [
        "date(at)",
        "time(at)",
        "datetime(at)",
        "datetime(at, '+1 day')",
        "datetime(at, '-90 minutes')",
        "date(at, '+1 month')",
        "date(at, '-1 year')",
        "date(at, 'start of month')",
        "date(at, 'start of month', '+1 month', '-1 day')",
        "date(at, 'start of year')",
        "datetime(u, 'unixepoch')",
        "date(u, 'unixepoch', '+1 day')",
        "strftime('%Y', at)",
        "strftime('%Y-%m', at)",
        "strftime('%d/%m/%Y %H:%M:%S', at)",
        "strftime('%s', at)",
        "strftime('%j', at)",
        "strftime('%w', at)",
        "strftime('%W', at)",
        "strftime('%f', at)",
        "strftime('%H:%M', at)",
        "strftime('%Y-W%W', at)",
        "strftime('%F %T', at)",
        "CAST(strftime('%Y', at) AS INTEGER)",
        "strftime('%Y', at) + 1",
        "strftime('%s', at) - strftime('%s', day)",
        "julianday(at)",
        "julianday(at) - julianday(day)",
        "CAST(julianday(at) - julianday('2000-01-01') AS INTEGER)",
        "unixepoch(at)",
        "date(raw)",
        "datetime(raw)",
        "time(raw)",
        "strftime('%Y', raw)",
        "date(at) = '2024-01-31'",
        "date(at) = day",
        "date(at) > '2024-01-01'",
        "date(raw) = day",
        "strftime('%Y', at) = '2024'",
        "strftime('%m', at) = 1",
        "date(at) || ''",
        "coalesce(day, date(at))",
        "day || ' ' || time(at)",
    ],
    "json": [
        "json_extract(j, '$.a.b')",
        "json_extract(j, '$.l[0]')",
        "json_extract(j, '$.l[#-1]')",
        "json_extract(j, '$.s')",
        "json_extract(j, '$.s') = 'x'",
        "json_extract(j, '$.s') = '5'",
        "json_extract(j, '$.a') = 5",
        "json_extract(j, '$.a.b') > 4",
        "json_extract(j, '$.f') = 1",
        "json_extract(j, '$.z') IS NULL",
        "CAST(json_extract(j, '$.a.b') AS INTEGER)",
        "CAST(json_extract(j, '$.s') AS INTEGER)",
        "j ->> '$.s'",
        "j ->> 's'",
        "j -> 'a' ->> 'b'",
        "json_valid(j)",
        "json_array_length(j)",
        "json_extract(j, '$.s') IN ('x', 'y')",
    ],
}

REFUSED = {
    "total_changes()": "the function total_changes() has no counterpart",
    "random()": "the function random() has no counterpart",
    "soundex(s)": "the function soundex() has no counterpart",
    "n REGEXP 'a'": "uses n REGEXP 'a'",
    "s MATCH 'x'": "uses s MATCH 'x'",
    "n = s LIKE s": "mixes comparisons without parentheses",
    "+n = '10'": "uses a unary plus",
    "CASE WHEN n > 0 THEN 'x' ELSE 0 END": "gives integer in one row and text in another",
    "s || x'41'": "uses a blob as text",
    "s + 1": "computes with a text",
    "code + 1": "computes with a column of several storage classes",
    "code > 5": "orders a column of several storage classes",
    "json_extract(j, '$.a') || 'x'": "a JSON value whose type depends on the row",
    "n > raw": "orders numbers against text",
    "nosuch + 1": "uses the unknown column nosuch",
    "s COLLATE german = 'x'": "uses the collation GERMAN",
    "date(at, 'localtime')": "a date function with the modifier 'localtime'",
    "date(at, '-' || n || ' days')": "a date function with a modifier that is no constant",
    "strftime('%Q', at)": "strftime() with the conversion %Q",
    "json_object('a', n)": "the function json_object() has no counterpart",
    "(SELECT 1)": "holds a query",
    "n; DROP TABLE t": "cannot be read",
}


@pytest.fixture
def sides(conninfo: str) -> Iterator[Sides]:
    both = open_sides(conninfo)
    with closing(both.source), closing(both.target):
        yield both


def test_translated_expressions_give_what_sqlite_gives(sides: Sides) -> None:
    wrong = []
    for group, expressions in SAME.items():
        for expression in expressions:
            difference = sides.difference(expression, translate.expression(expression, T))
            if difference:
                wrong.append(f"{group}: {expression}: {difference}")

    assert wrong == []
    assert sum(len(expressions) for expressions in SAME.values()) >= 150


@pytest.mark.parametrize("expression", REFUSED)
def test_what_has_no_sure_counterpart_is_refused(expression: str) -> None:
    with pytest.raises(Untranslatable) as refusal:
        translate.expression(expression, T)

    assert REFUSED[expression] in str(refusal.value)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("flag = 1", '"flag"'),
        ("flag = 0", 'NOT "flag"'),
        ("flag IN (0, 1)", '"flag" IN (false, true)'),
        ("n > 0 AND x < 1.5", '("n" > 0) AND ("x" < 1.5)'),
        ("at >= '2024-01-01 00:00:00'", "\"at\" >= '2024-01-01 00:00:00'::timestamp"),
        ("day = '2024-01-31'", "\"day\" = '2024-01-31'::date"),
        ("u > 0", "\"u\" > '1970-01-01 00:00:00+00:00'::timestamptz"),
        ("price >= 0", '"price" >= 0'),
        ("length(s) <= 20", 'length("s")::bigint <= 20'),
        ("s LIKE 'a%'", "\"s\" ILIKE 'a%'"),
        ("n IN (1, 2)", '"n" IN (1, 2)'),
        ("n BETWEEN 1 AND 9", '"n" BETWEEN 1 AND 9'),
        ("S IS NOT NULL", '"s" IS NOT NULL'),
        ("json_valid(j)", '"j" IS JSON'),
        ("n", '"n" <> 0'),
    ],
)
def test_common_conditions_read_as_a_person_would_write_them(source: str, target: str) -> None:
    assert translate.condition(source, T) == target


def test_checks_accept_and_refuse_the_same_rows(sides: Sides) -> None:
    conditions = ["n > 0", "flag", "x", "s <> ''", "at > '2000'", "nick = 'BOB'", "n IS NOT NULL"]
    for condition in conditions:
        ours = sides.source.execute(f"SELECT id FROM t WHERE NOT ({condition})").fetchall()
        translated = translate.condition(condition, T)
        theirs = sides.target.execute(
            f"SELECT id FROM t WHERE NOT ({translated}) ORDER BY id"
        ).fetchall()
        assert sorted(ours) == theirs, condition


DEFAULTS = [
    ("1", "INT", "integer"),
    ("-1", "INT", "integer"),
    ("+1", "INT", "integer"),
    ("(1 + 2)", "INT", "integer"),
    ("0x1F", "INT", "integer"),
    ("'5'", "INT", "integer"),
    ("1", "REAL", "real"),
    ("1.5", "REAL", "real"),
    ("-2.5e3", "REAL", "real"),
    ("'it''s'", "TEXT", "text"),
    ('"quoted"', "TEXT", "text"),
    ("bare", "TEXT", "text"),
    ("5", "TEXT", "text"),
    ("''", "TEXT", "text"),
    ("'back\\slash'", "TEXT", "text"),
    ("('a' || 'b')", "TEXT", "text"),
    ("x'00ff'", "BLOB", "blob"),
    ("1", "BOOLEAN", "boolean"),
    ("0", "BOOLEAN", "boolean"),
    ("TRUE", "BOOLEAN", "boolean"),
    ("false", "INT", "integer"),
    ("'{}'", "TEXT", "json"),
    ("'2020-01-02 03:04:05'", "DATETIME", "timestamp(space, 0)"),
    ("'2020-01-02T03:04:05.123Z'", "TEXT", "timestamp(T, 3, Z)"),
    ("'2020-01-02'", "DATE", "date"),
    ("0", "INTEGER", "unix seconds"),
    ("1700000000123", "INTEGER", "unix milliseconds"),
    ("2.5", "DECIMAL(10,2)", "decimal(10, 2)"),
    ("2", "DECIMAL(10,2)", "decimal(10, 2)"),
    ("'0123'", "TEXT", "text"),
    ("7", "", "numeric"),
    ("'6b1b36cb-1c5c-4c31-a5a0-0a0e1d7e5c11'", "TEXT", "uuid"),
    ("5", "INTEGER", "mixed"),
]


def _column(declared: str, rule_name: str) -> Column:
    others = {"usual": "integer"} if rule_name == "mixed" else {}
    return column("v", declared, rule_name, **others)


def test_constant_defaults_give_the_value_sqlite_gives(sides: Sides) -> None:
    for text, declared, rule_name in DEFAULTS:
        found = _column(declared, rule_name)
        default = translate.default(text, found)
        sides.source.execute(
            f"DROP TABLE IF EXISTS d; CREATE TABLE d(k, v {declared} DEFAULT {text});"
            "INSERT INTO d(k) VALUES (1)"
        )
        ours = sides.source.execute("SELECT v FROM d").fetchall()[0][0]
        sides.target.execute("DROP TABLE IF EXISTS d")
        sides.target.execute(f"CREATE TABLE d(k int, v {found.type} DEFAULT {default})")
        sides.target.execute("INSERT INTO d(k) VALUES (1)")
        back = rule(rule_name).decode_sql.format(c="v")
        row = sides.target.execute(f"SELECT {back} FROM d", prepare=False).fetchone()
        assert row is not None
        theirs = row[0]
        decode = rule(rule_name).decode
        if decode is not None:
            theirs = decode(theirs, "integer")
        assert (theirs, type(theirs)) == (ours, type(ours)), (text, rule_name, default)


@pytest.mark.parametrize(
    ("text", "declared", "rule_name", "shape"),
    [
        ("CURRENT_TIMESTAMP", "DATETIME", "text", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
        ("(datetime('now'))", "TEXT", "text", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
        ("CURRENT_DATE", "TEXT", "text", r"\d{4}-\d\d-\d\d"),
        ("CURRENT_TIME", "TEXT", "text", r"\d\d:\d\d:\d\d"),
        ("(strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))", "TEXT", "text", r"\d{4}-\d\d-\d\dT.{8}Z"),
        ("(strftime('%Y-%m-%d %H:%M:%f', 'now'))", "TEXT", "text", r".{10} .{8}\.\d{3}"),
        ("CURRENT_TIMESTAMP", "DATETIME", "timestamp(space, 0)", r".{19}"),
        ("CURRENT_TIMESTAMP", "DATETIME", "timestamp(space, 6)", r".{19}\.\d{6}"),
        ("CURRENT_TIMESTAMP", "DATETIME", "timestamp(T, 3, Z)", r".{10}T.{8}\.\d{3}Z"),
        ("(date('now'))", "DATE", "date", r".{10}"),
        ("(strftime('%s', 'now'))", "INTEGER", "integer", r"\d{10}"),
        ("(unixepoch())", "INTEGER", "integer", r"\d{10}"),
        ("(unixepoch('now'))", "INTEGER", "unix seconds", r"\d{10}"),
        ("(CAST(strftime('%s', 'now') AS INT))", "INTEGER", "unix seconds", r"\d{10}"),
        ("(strftime('%s', 'now') * 1000)", "INTEGER", "unix milliseconds", r"\d{13}"),
        ("(julianday('now'))", "REAL", "real", r"246\d{4}\..*"),
        ("(lower(hex(randomblob(16))))", "TEXT", "text", r"[0-9a-f]{32}"),
        ("(hex(randomblob(4)))", "TEXT", "text", r"[0-9A-F]{8}"),
        ("(lower(hex(randomblob(16))))", "TEXT", "uuid(hex)", r"[0-9a-f]{32}"),
        ("(randomblob(20))", "BLOB", "blob", r"(?s)b.*"),
        ("(random())", "INTEGER", "integer", r"-?\d{12,19}"),
        ("(abs(random()) % 1000)", "INTEGER", "integer", r"\d{1,3}"),
        (
            "(lower(hex(randomblob(4))) || '-' || lower(hex(randomblob(2))) || '-4' ||"
            " substr(lower(hex(randomblob(2))), 2) || '-' ||"
            " substr('89ab', abs(random()) % 4 + 1, 1) || substr(lower(hex(randomblob(2))), 2) ||"
            " '-' || lower(hex(randomblob(6))))",
            "TEXT",
            "text",
            r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        ),
    ],
)
def test_defaults_that_change_have_the_shape_sqlite_gives_them(
    conninfo: str, text: str, declared: str, rule_name: str, shape: str
) -> None:
    found = column("v", declared, rule_name)
    default = translate.default(text, found)
    with psycopg.connect(conninfo) as connection:
        connection.execute(f"CREATE TABLE d(k int, v {found.type} DEFAULT {default})")
        connection.execute("INSERT INTO d(k) VALUES (1)")
        back = rule(rule_name).decode_sql.format(c="v")
        row = connection.execute(f"SELECT {back} FROM d").fetchone()
    source = apsw.Connection(":memory:")
    source.execute(f"CREATE TABLE d(k, v {declared} DEFAULT {text}); INSERT INTO d(k) VALUES (1)")
    ours = source.execute("SELECT v FROM d").fetchall()[0][0]

    assert row is not None
    assert re.fullmatch(shape, str(row[0])), row[0]
    if not rule_name.startswith("timestamp"):
        assert re.fullmatch(shape, str(ours)), ours
        assert type(row[0]) is type(ours)


@pytest.mark.parametrize(
    ("text", "declared", "rule_name"),
    [
        ("''", "INT", "integer"),
        ("'true'", "BOOLEAN", "boolean"),
        ("2", "BOOLEAN", "boolean"),
        ("''", "DATETIME", "timestamp(space, 0)"),
        ("1.5", "INT", "integer"),
        ("'text'", "INTEGER", "mixed"),
        ("(last_insert_rowid())", "INT", "integer"),
        ("x'00'", "TEXT", "text"),
        ("CURRENT_TIMESTAMP", "INT", "integer"),
        ("'not json'", "TEXT", "json"),
    ],
)
def test_defaults_the_column_cannot_hold_are_refused(
    text: str, declared: str, rule_name: str
) -> None:
    with pytest.raises(Untranslatable):
        translate.default(text, _column(declared, rule_name))


INDEXES = [
    ("CREATE INDEX i ON t(n)", [IndexedColumn("n")], False, None, '("n")'),
    ("CREATE INDEX i ON t(n DESC, s)", [IndexedColumn("n", descending=True), IndexedColumn("s")],
     False, None, '("n" DESC, "s")'),
    ("CREATE UNIQUE INDEX i ON t(nick)", [IndexedColumn("nick", collation="NOCASE")],
     False, None, '((lower("nick" COLLATE "C")))'),
    ("CREATE INDEX i ON t(s COLLATE RTRIM)", [IndexedColumn("s", collation="RTRIM")],
     False, None, "((rtrim(\"s\", ' ')))"),
    ("CREATE INDEX i ON t(n COLLATE NOCASE)", [IndexedColumn("n", collation="NOCASE")],
     False, None, '("n")'),
    ("CREATE INDEX i ON t(lower(s), n % 2 DESC)",
     [IndexedColumn(None), IndexedColumn(None, descending=True)],
     False, None, '((lower("s" COLLATE "C")), ("n" % 2) DESC)'),
    ("CREATE INDEX i ON t(date(at))", [IndexedColumn(None, "date(at)")],
     False, None, '(("at"::date))'),
    ("CREATE INDEX i ON t(strftime('%Y-%m', at))", [IndexedColumn(None)], False, None, None),
    ("CREATE INDEX i ON t(date(raw))", [IndexedColumn(None)], False, None, None),
    ("CREATE INDEX i ON t(json_array_length(j))", [IndexedColumn(None)], False, None, None),
    ("CREATE UNIQUE INDEX i ON t(s) WHERE flag = 1 AND n > 0", [IndexedColumn("s")],
     True, "flag = 1 AND n > 0", '("s") WHERE "flag" AND ("n" > 0)'),
    ("CREATE INDEX i ON t(at) WHERE at > '2000-01-01 00:00:00'", [IndexedColumn("at")],
     False, "at > '2000-01-01 00:00:00'", None),
    ("CREATE INDEX i ON t(\"Upper Case\" /* , */ COLLATE NOCASE ASC)",
     [IndexedColumn("upper case", collation="NOCASE")],
     False, None, '((lower("Upper Case" COLLATE "C")))'),
    ("CREATE INDEX i ON t(x * 2, round(x))", [IndexedColumn(None), IndexedColumn(None)],
     False, None, None),
    (None, [IndexedColumn("s"), IndexedColumn("n")], True, None, '("s", "n")'),
]  # fmt: skip


def test_indexes_are_accepted_by_postgresql(sides: Sides) -> None:
    for number, (source, columns, unique, where, parts) in enumerate(INDEXES):
        made = translate.index(source, T, columns, f"index {number}", unique, where)
        sides.target.execute(made)
        word = "CREATE UNIQUE INDEX" if unique else "CREATE INDEX"
        assert made.startswith(f'{word} "index {number}" ON "t" (')
        if parts is not None:
            assert made.endswith(parts), made


def test_a_nocase_unique_index_refuses_what_sqlite_refuses(sides: Sides) -> None:
    columns = [IndexedColumn("nick", collation="NOCASE")]
    made = translate.index(None, T, columns, "no_twins", unique=True, where=None)

    with pytest.raises(psycopg.errors.UniqueViolation):
        sides.target.execute(made)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ([IndexedColumn("j")], "PostgreSQL has no order for json"),
        ([IndexedColumn("s", collation="unicase")], "uses the collation UNICASE"),
        ([IndexedColumn(None, "json_extract(j, '$.a')")], "PostgreSQL has no order for json"),
    ],
)
def test_indexes_postgresql_cannot_have_are_refused(
    columns: list[IndexedColumn], reason: str
) -> None:
    with pytest.raises(Untranslatable, match=reason):
        translate.index(None, T, columns, "i", unique=False, where=None)


GENERATED = [
    ("n * 2", "INT", "integer"),
    ("s || '!'", "TEXT", "text"),
    ("upper(s)", "TEXT", "text"),
    ("x / 3", "REAL", "real"),
    ("n > 0", "BOOLEAN", "boolean"),
    ("coalesce(n, 0)", "INT", "integer"),
    ("substr(s, 1, 3)", "TEXT", "text"),
    ("date(at)", "TEXT", "date"),
    ("strftime('%Y', at)", "TEXT", "text"),
    ("CAST(strftime('%Y', at) AS INTEGER)", "INT", "integer"),
    ("CASE WHEN n > 5 THEN 'big' ELSE 'small' END", "TEXT", "text"),
    ("length(s)", "INT", "integer"),
    ("n IS NULL", "INT", "integer"),
]


def test_generated_columns_compute_what_sqlite_computes(sides: Sides) -> None:
    for number, (text, declared, rule_name) in enumerate(GENERATED):
        made = column(f"g{number}", declared, rule_name)
        sides.source.execute(f"ALTER TABLE t ADD COLUMN g{number} {declared} AS ({text})")
        computed = translate.generated(text, made, T)
        sides.target.execute(
            sql.SQL("ALTER TABLE t ADD COLUMN {} {} GENERATED ALWAYS AS ({}) STORED").format(
                sql.Identifier(made.target), sql.SQL(made.type), sql.SQL(computed)
            )
        )
        back = rule(rule_name).decode_sql.format(c=f"g{number}")
        assert not sides.difference(f"g{number}", back), text


def test_a_generated_column_that_cannot_hold_its_value_is_refused() -> None:
    with pytest.raises(Untranslatable, match="stores a text in a column of rule integer"):
        translate.generated("s", column("g", "", "integer"), T)


def test_a_column_whose_type_was_chosen_by_hand_still_computes_as_sqlite(sides: Sides) -> None:
    chosen = msgspec.structs.replace(T, columns=list(T.columns))
    number = next(place for place, part in enumerate(T.columns) if part.name == "n")
    chosen.columns[number] = msgspec.structs.replace(T.columns[number], type="numeric")
    sides.target.execute("ALTER TABLE t ALTER COLUMN n TYPE numeric")

    assert translate.expression("n / 4", chosen) == '"n"::bigint / 4'
    assert not sides.difference("n / 4", translate.expression("n / 4", chosen))

"""One small database on both sides: in SQLite as the source has it, in PostgreSQL as a plan moves it."""

from __future__ import annotations

from dataclasses import dataclass

import apsw
import psycopg
from psycopg import sql

from buttress.mover import translate
from buttress.mover.finishing import compare_views
from buttress.mover.plan import Column, Plan, Table, View
from buttress.mover.values import rule

SOURCE = """
CREATE TABLE t(
  id INTEGER PRIMARY KEY, n INT, x REAL, s TEXT, b BLOB, flag BOOLEAN, at DATETIME, day DATE,
  u INTEGER, price DECIMAL(10,2), j TEXT, nick TEXT COLLATE NOCASE, code INTEGER_OR_TEXT,
  raw TEXT, "Upper Case" TEXT);
CREATE TABLE o(id INTEGER PRIMARY KEY, t_id INT, name TEXT, t_key TEXT);
CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT, w REAL);
CREATE TABLE totals(flag BOOLEAN PRIMARY KEY, n INT, q INT);
CREATE TABLE tag(item INT, tag TEXT, PRIMARY KEY(item, tag));
INSERT INTO t VALUES
  (1, 10, 1.5, 'Apple', x'0102', 1, '2024-01-31 10:20:30', '2024-01-31', 1700000000, 2.5,
   '{"a":{"b":5},"l":[1,2],"s":"x","f":true,"z":null}', 'Bob', 9001, '2024-02-29 10:20:30', 'q'),
  (2, -7, -2.675, 'äpfel %_ x', x'', 0, '2023-12-31 23:59:59', '2023-12-31', 0, 3,
   '[1,2,3]', 'bob', 'abc', '12abc', 'Q'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, 0, 0.0, '', x'616263', 1, '2000-02-29 00:00:00', '2000-02-29', 86399, 0,
   '{"a":5,"s":"5"}', 'ÄB', 7, '2024-02-30', ''),
  (5, 9007199254740993, 1e18, 'it''s', x'7a7a', 0, '1969-07-20 20:17:40', '1969-07-20', -14182940,
   -1.25, '{}', 'alice', 'x y', '2024-01-01T05:06:07.891+02:00', ' pad ');
INSERT INTO o VALUES (1, 1, 'ann', '1'), (2, 1, 'Abe', 'x'), (3, 5, 'zed', '5.0'),
  (4, NULL, NULL, NULL), (5, 2, 'bo', ' 2');
INSERT INTO p VALUES (1, 'ann', 1.5), (2, 'nope', 2.5), (7, 'bo', 3.5);
INSERT INTO totals VALUES (1, 1, 5), (0, 1, 10);
INSERT INTO tag VALUES (1, 'x');
"""


def column(name: str, declared: str, rule_name: str, **others: str) -> Column:
    return Column(
        name=name,
        target=name,
        declared=declared,
        type=rule(rule_name).type,
        rule=rule_name,
        **others,  # type: ignore[arg-type]  # collation and usual
    )


def table(name: str, target: str, key: list[str], columns: list[Column]) -> Table:
    numbered = key == ["id"]
    return Table(
        name=name,
        target=target,
        columns=columns,
        key=key,
        rowid="rowid",
        rowid_alias="id" if numbered else "",
        identity_next=100 if numbered else None,
    )


T = table(
    "t",
    "t",
    ["id"],
    [
        column("id", "INTEGER", "integer"),
        column("n", "INT", "integer"),
        column("x", "REAL", "real"),
        column("s", "TEXT", "text"),
        column("b", "BLOB", "blob"),
        column("flag", "BOOLEAN", "boolean"),
        column("at", "DATETIME", "timestamp(space, 0)"),
        column("day", "DATE", "date"),
        column("u", "INTEGER", "unix seconds"),
        column("price", "DECIMAL(10,2)", "decimal(10, 2)"),
        column("j", "TEXT", "json"),
        column("nick", "TEXT", "text", collation="NOCASE"),
        column("code", "INTEGER_OR_TEXT", "mixed", usual="integer"),
        column("raw", "TEXT", "text"),
        column("Upper Case", "TEXT", "text"),
    ],
)
TABLES = [
    T,
    table(
        "o",
        "o",
        ["id"],
        [
            column("id", "INTEGER", "integer"),
            column("t_id", "INT", "integer"),
            column("name", "TEXT", "text"),
            column("t_key", "TEXT", "text"),
        ],
    ),
    table(
        "p",
        "P other",
        ["id"],
        [
            column("id", "INTEGER", "integer"),
            column("name", "TEXT", "text"),
            column("w", "REAL", "real"),
        ],
    ),
    table(
        "totals",
        "totals",
        ["flag"],
        [
            column("flag", "BOOLEAN", "boolean"),
            column("n", "INT", "integer"),
            column("q", "INT", "integer"),
        ],
    ),
    table(
        "tag",
        "tag",
        ["item", "tag"],
        [column("item", "INT", "integer"), column("tag", "TEXT", "text")],
    ),
]


@dataclass
class Sides:
    """Both sides, and the plan between them."""

    source: apsw.Connection
    target: psycopg.Connection
    plan: Plan

    def add_view(self, name: str, query: str) -> None:
        statement = f"CREATE VIEW {name} AS {query}"
        self.source.execute(statement)
        translated = translate.view(statement, self.plan, name)
        self.target.execute(f"CREATE VIEW {name} AS {translated}")
        self.plan.views.append(View(name=name, target=name, sql=translated, source=statement))

    def contents(self, name: str, *, numbers: bool = True) -> tuple[list[str], list[str]]:
        """All rows of a table as SQLite values, from both sides, sorted; or without their ids."""
        found = self.plan.table(name)
        start = 0 if numbers or not found.rowid_alias else 1
        decoded = [
            rule(column.rule).decode_sql.format(c=f'"{column.target}"') for column in found.columns
        ]
        ours = self.source.execute(f"SELECT * FROM {name}").fetchall()
        theirs = self.target.execute(
            f'SELECT {", ".join(decoded)} FROM "{found.target}"', prepare=False
        ).fetchall()
        left, right = ([repr(row[start:]) for row in rows] for rows in (ours, theirs))
        return sorted(left), sorted(right)

    def difference(self, expression: str, translated: str) -> str:
        """Empty when an expression gives the same value for every row of t."""
        ours = self.source.execute(f"SELECT ({expression}) FROM t ORDER BY t.id").fetchall()
        found = self.target.execute(f"SELECT ({translated}) FROM t ORDER BY t.id", prepare=False)
        kind = compare_views.cell_kinds(self.target, found.description)[0]
        for (left,), (right,) in zip(ours, found.fetchall(), strict=True):
            one = compare_views.source_cell(left, kind)
            if not compare_views.near((one,), (compare_views.target_cell(right),)):
                return f"{left!r} is {right!r} by {translated}"
        return ""


def make_plan(tables: list[Table], views: dict[str, str]) -> Plan:
    """A plan alone, for what needs no database."""
    plan = Plan(source="source.db", tables=list(tables))
    for name, query in views.items():
        statement = f"CREATE VIEW {name} AS {query}"
        translated = translate.view(statement, plan, name)
        plan.views.append(View(name=name, target=name, sql=translated, source=statement))
    return plan


def open_sides(conninfo: str, tables: list[Table] = TABLES, more: str = "") -> Sides:
    """Both sides with the tables above, or with these and the statements that make the rest."""
    source = apsw.Connection(":memory:")
    source.execute(SOURCE + more)
    target = psycopg.connect(conninfo, autocommit=True, options="-c timezone=UTC")
    for found in tables:
        _create(source, target, found)
    return Sides(source, target, Plan(source="source.db", tables=list(tables)))


def _create(source: apsw.Connection, target: psycopg.Connection, found: Table) -> None:
    definitions = []
    for part in found.columns:
        identity = " GENERATED BY DEFAULT AS IDENTITY" if part.name == found.rowid_alias else ""
        definitions.append(f'"{part.target}" {part.type}{identity}')
    definitions.append(f"PRIMARY KEY ({', '.join(found.key)})")
    target.execute(f'CREATE TABLE "{found.target}" ({", ".join(definitions)})')
    places = ["%s::" + part.type.replace(' COLLATE "C"', "") for part in found.columns]
    insert = sql.SQL(f"INSERT INTO {{}} VALUES ({', '.join(places)})").format(
        sql.Identifier(found.target)
    )
    for row in source.execute(f"SELECT * FROM {found.name}").fetchall():
        cells = zip(found.columns, row, strict=True)
        target.execute(
            insert, [None if cell is None else rule(part.rule).encode(cell) for part, cell in cells]
        )
    if found.rowid_alias:
        target.execute(
            f"""SELECT setval(pg_get_serial_sequence('"{found.target}"', 'id'), max(id))
            FROM "{found.target}" """
        )

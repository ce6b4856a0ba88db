"""Views: the same columns and rows on both sides, or refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from buttress.mover import translate
from buttress.mover.finishing.compare_views import same_rows
from buttress.mover.translate import Untranslatable
from two_sides import TABLES, Sides, make_plan, open_sides

QUERIES = [
    "select * from t",
    "select id, flag, at, day, u, price from t",
    "select t.* from t where flag",
    "select n, count(*) from t group by n",
    "select flag, count(*) c, sum(n) s, avg(x) a, min(s), max(s), total(x) from t group by flag",
    "select count(*) from t",
    "select count(*), sum(n), max(at) from t where 0",
    "select id, max(n) from t",
    "select id, s, min(x) from t",
    "select nick, count(*) from t group by nick",
    "select lower(nick) k, count(*) n from t group by k having n > 0 order by n desc",
    "select strftime('%Y', at) y, count(*) from t group by 1 order by 1",
    "select date(at) d, count(*) c from t group by date(at)",
    "select distinct flag from t",
    "select distinct j from t",
    "select * from t order by n limit 2",
    "select id from t order by x desc limit -1",
    "select id from t order by at limit 1 offset 1",
    "select a.id, b.id from t a join t b on a.id = b.id + 1",
    "select a.id, b.name from t a left join o b on b.t_id = a.id",
    "select a.id, b.name from t a, o b where b.t_id = a.id",
    "select a.id, b.id from t a cross join o b",
    "select id, name from t join o using (id)",
    "select * from o natural join p",
    "select * from (select id, n from t where n > 0) where id > 0",
    "select id, (select count(*) from o where t_id = t.id) cnt from t",
    "select id from t where id in (select t_id from o)",
    "select id from t where id not in (select t_id from o where t_id is not null)",
    "select id from t where exists (select 1 from o where o.t_id = t.id and o.name like 'a%')",
    "select id, (select name from o where t_id = t.id order by name desc) nm from t",
    (
        "with q as (select id, n from t), r(a, b) as (select id, n + 1 from q) select * from r "
        "join q on q.id = r.a"
    ),
    "with recursive c(i) as (select 1 union all select i + 1 from c where i < 5) select i from c",
    "select id, n from t union all select id, t_id from o",
    "select n from t union select t_id from o",
    "select id from t except select t_id from o",
    "select id from t intersect select t_id from o",
    "select id, flag from t union all select id, 0 from o",
    "select id, at from t union all select id, null from o",
    "select 'a' k, null v union all select 'b', 2",
    "select id, x from t union all select id, t_id from o order by 1",
    "select id a, id a, n from t",
    (
        "select id, row_number() over (order by n desc) rn, rank() over (partition by flag "
        "order by n) rk from t"
    ),
    (
        "select id, sum(n) over (order by id) running, lag(n) over (order by id) prev, lead(n, "
        "1, 0) over (order by id) nx from t"
    ),
    (
        "select id, count(*) over () total, ntile(2) over (order by id) nt, first_value(s) "
        "over (order by id) from t"
    ),
    "select sum(flag) flags, sum(n > 0) pos, avg(flag), count(distinct flag) from t",
    "select group_concat(s) from t",
    "select group_concat(s, ' | ') from (select s from t order by s)",
    "select flag, group_concat(n, ';' order by n desc) from t group by flag",
    "select count(*) filter (where n > 0), sum(x) filter (where flag = 1) from t",
    (
        "select case when n > 5 then 'big' when n is null then 'none' else 'small' end size, "
        "count(*) from t group by size"
    ),
    "select id, name as \"the name\", 'it''s' lit, 1.5 r, x'01' b from o",
    'select id, "nosuch" from o',
    "values (1, 'a'), (2, null)",
    "select * from (values (1, 'a'), (2, 'b'))",
    "select column1 + 1 from (values (1), (2))",
    "select id, j ->> '$.s' s from t where json_extract(j, '$.s') is not null",
    "select sum(price), avg(price), sum(price * 2), max(price) from t",
    "select sum(price) * 1.0 / count(*) from t",
    "select round(avg(x), 2), round(avg(n), 1) from t",
    "select julianday(at) - julianday(day) d from t",
    "select id from t where at >= date(at) and day = date(at)",
    "select id from t where datetime(u, 'unixepoch') > '2000-01-01'",
    (
        "select strftime('%Y-%m', at) m, sum(price) total, count(distinct nick) people from t "
        "where at is not null group by m order by m desc"
    ),
    "select code, count(*) from t group by code",
    "select a.id, b.id from t a join t b on a.code = b.code",
    "select id from t where code in (select code from t where code is not null)",
    "select o.name, t.s from o join t on t.id = o.t_key",
    "select max(id, coalesce(n, 0)) m from t",
    "select id from t group by id having count(*) > 0 and max(n) > 0",
    "select n > 0 as positive, count(*) from t group by n > 0",
    "select id, n, sum(n) from t group by flag",
    "select count(*), id from t group by 2 order by 2",
    'select "Upper Case", UPPER("upper case") from T',
    "select rowid, _rowid_ from o",
    "select coalesce(sum(x), 0) / count(*) from t",
    "select id % 2 parity, min(at) first, max(day) last from t group by parity",
    "select min(flag), max(flag), min(u) from t",
    "select total(price), total(n) from t",
    "select t.id, o.name from t left join (o join p on p.id = o.id) on o.t_id = t.id",
    "select id from t order by s collate nocase, id",
    "select * from t where id = (select max(id) from t)",
    "select name, (select n from t where t.id = o.t_id and n > 0) v from o order by v",
    "select x.id from (select id from t union select id from o) as x",
    "select count(*) from (select distinct flag, n from t)",
    "select id, iif(flag, 'yes', 'no') yn, printf('%.1f', x) px from t",
    "select id from t where (id, n) in (select t_id, 10 from o)",
    "select id, exists(select 1 from o where t_id = t.id) has from t",
    "select id, n is null as missing, flag and n > 0 as both from t",
    "select nullif(s, '') v, length(s) l from t where s like '%p%' or s glob '*it*'",
    "select cast(strftime('%Y', at) as integer) as y, cast(price as integer) from t",
    "select id, date('now') = date('now') from t",
    "select avg(julianday(at)) from t",
    "select id, cast(n as text) || '-' || s from t",
    (
        "select name, count(*) as n, count(*) * 100.0 / (select count(*) from o) as pct from o "
        "group by name"
    ),
    "select id, at from t where at > datetime('now', '-100 years')",
    "select * from v1",
    "select * from v1 join v2 on v1.id = v2.id",
    "select total_n + 1 from v2",
    (
        "with recursive tree(id, parent, depth) as (select id, t_id, 0 from o where t_id = 2 "
        "union all select o.id, o.t_id, depth + 1 from o join tree on o.t_id = tree.id where "
        "depth < 3) select * from tree"
    ),
    "select t.id, e.value from t, json_each(t.j) e where t.id = 2",
    "select id, avg(n) over (order by id rows between 1 preceding and current row) mean from t",
    "select id, code from t union all select id, n from t where n < 100",
]

REFUSED = {
    "SELECT DISTINCT nick FROM t": "tells rows apart by the collation NOCASE",
    "SELECT 1 UNION SELECT 'a'": "gives integer in one row and text in another",
    "SELECT random() FROM t": "the function random() has no counterpart",
    "SELECT id FROM missing": "reads missing, which is not carried",
    "SELECT n FROM t ORDER BY code": "orders a column of several storage classes",
    "SELECT e.key FROM t, json_each(t.j) e": "uses the unknown column key",
    "SELECT 1 UNION SELECT 2 INTERSECT SELECT 3": "mixes INTERSECT with other set operations",
    "SELECT id FROM other.t": "reads another database, other",
    "SELECT id FROM t LIMIT (SELECT 1)": "LIMIT that is no constant",
}


PLAN = make_plan(TABLES, {})


@pytest.fixture
def sides(conninfo: str) -> Iterator[Sides]:
    both = open_sides(conninfo)
    with closing(both.source), closing(both.target):
        both.add_view("v1", "select id, flag, at, n*2 dbl from t")
        both.add_view("v2", "select id, sum(n) total_n from t group by id")
        yield both


def test_translated_views_give_the_same_columns_and_rows(sides: Sides) -> None:
    wrong = []
    for number, query in enumerate(QUERIES):
        name = f"view_{number}"
        sides.source.execute(f"CREATE VIEW {name} AS {query}")
        translated = translate.view(f"CREATE VIEW {name} AS {query}", sides.plan, name)
        sides.target.execute(f"CREATE VIEW {name} AS {translated}")
        difference = same_rows(sides.source, sides.target, name, name)
        if difference:
            wrong.append(f"{query}: {difference}: {translated}")
        ours = [row[1] for row in sides.source.execute(f"PRAGMA table_info({name})").fetchall()]
        found = sides.target.execute(f"SELECT * FROM {name} LIMIT 0").description or []
        if ours != [column.name for column in found]:
            wrong.append(f"{query}: columns {[column.name for column in found]}, not {ours}")

    assert wrong == []
    assert len(QUERIES) >= 40


@pytest.mark.parametrize("query", REFUSED)
def test_views_without_a_sure_counterpart_are_refused(query: str) -> None:
    with pytest.raises(Untranslatable) as refusal:
        translate.view(f"CREATE VIEW v AS {query}", PLAN, "v")

    assert REFUSED[query] in str(refusal.value)


def test_a_view_may_name_its_columns_and_its_schema() -> None:
    source = (
        'CREATE TEMP VIEW IF NOT EXISTS main."a view"("first", [second]) AS SELECT id, n FROM t;'
    )

    translated = translate.view(source, PLAN, "a view")

    assert translated == 'SELECT "t"."id" AS "first", "t"."n" AS "second" FROM "t"'


def test_names_no_postgresql_column_can_have_are_replaced() -> None:
    source = f"CREATE VIEW v AS SELECT id AS a, n AS {'x' * 80} FROM t"

    assert translate.view(source, PLAN, "v").startswith(
        'SELECT "t"."id" AS "a", "t"."n" AS "column_2"'
    )


def test_views_read_naturally() -> None:
    source = "CREATE VIEW v AS SELECT id, s FROM t WHERE flag = 1 AND at >= '2024-01-01 00:00:00'"

    assert translate.view(source, PLAN, "v") == (
        'SELECT "t"."id", "t"."s" FROM "t" '
        'WHERE "t"."flag" AND ("t"."at" >= \'2024-01-01 00:00:00\'::timestamp)'
    )


DIFFERENT = [
        ("SELECT 1 a", "SELECT 2 AS a", "SQLite gives (1), PostgreSQL (2)"),
        ("SELECT 1 a", "SELECT 1 AS a, 2 AS b", "SQLite shows 1 columns, PostgreSQL 2"),
        ("SELECT id a FROM t", "SELECT 1 AS a", "SQLite gives 5 rows, PostgreSQL 1"),
        ("SELECT 1 a", "SELECT 1 AS a UNION ALL SELECT 1", "SQLite gives 1 rows, PostgreSQL more"),
        ("SELECT 1 a, 'x' b", "SELECT 1 AS a, NULL::text AS b", "PostgreSQL (1, NULL)"),
        ("SELECT 1 a UNION ALL SELECT 1 UNION ALL SELECT 2",
         "SELECT 1 AS a UNION ALL SELECT 2 UNION ALL SELECT 2", "SQLite gives (1), PostgreSQL (2)"),
        ("SELECT 'a' a", "SELECT 'b'::text AS a", "SQLite gives ('a'), PostgreSQL ('b')"),
        ("SELECT 1.5 a", "SELECT 1.5000001::float8 AS a", "SQLite gives (1.5)"),
        ("SELECT 9007199254740993 a", "SELECT 9007199254740992::bigint AS a", "9007199254740992"),
        ("SELECT x'00' a", "SELECT '\\x01'::bytea AS a", "SQLite gives (x'00')"),
        ("SELECT '2024-01-01 00:00:00' a", "SELECT timestamp '2024-01-01 00:00:01' AS a",
         "2024-01-01 00:00:01"),
        ("SELECT 1 a", "SELECT 1 / 0 AS a", "PostgreSQL cannot read it: division by zero"),
]  # fmt: skip


def test_different_rows_are_told_with_an_example(sides: Sides) -> None:
    for number, (source, target, reason) in enumerate(DIFFERENT):
        name = f"different_{number}"
        sides.source.execute(f"CREATE VIEW {name} AS {source}")
        sides.target.execute(f"CREATE VIEW {name} AS {target}")
        assert reason in same_rows(sides.source, sides.target, name, name), source


EQUAL = [
        ("SELECT 1 a UNION ALL SELECT 0", "SELECT true AS a UNION ALL SELECT false"),
        ("SELECT 2.0 a", "SELECT 2 AS a"),
        ("SELECT 2.5 a", "SELECT 2.50::numeric AS a"),
        ("SELECT 0.1 + 0.2 a", "SELECT 0.3::float8 AS a"),
        ("SELECT '2024-01-02T03:04:05.5Z' a", "SELECT timestamptz '2024-01-02 03:04:05.5Z' AS a"),
        ("SELECT '2024-01-02' a", "SELECT date '2024-01-02' AS a"),
        ("SELECT 1700000000 a", "SELECT to_timestamp(1700000000) AS a"),
        ("SELECT 1700000000123 a", "SELECT to_timestamp(1700000000.123) AS a"),
        ("SELECT 5 a UNION ALL SELECT 'x'", "SELECT '5'::text AS a UNION ALL SELECT 'x'"),
        ("SELECT '6B1B36CB-1C5C-4C31-A5A0-0A0E1D7E5C11' a",
         "SELECT '6b1b36cb-1c5c-4c31-a5a0-0a0e1d7e5c11'::uuid AS a"),
        ("SELECT 1 a, 2 b UNION ALL SELECT 3, 4", "SELECT 3 AS a, 4 AS b UNION ALL SELECT 1, 2"),
]  # fmt: skip


def test_equal_values_of_other_types_are_the_same_rows(sides: Sides) -> None:
    for number, (source, target) in enumerate(EQUAL):
        name = f"equal_{number}"
        sides.source.execute(f"CREATE VIEW {name} AS {source}")
        sides.target.execute(f"CREATE VIEW {name} AS {target}")
        assert same_rows(sides.source, sides.target, name, name) == "", source


def test_a_view_of_too_many_rows_or_too_slow_is_not_compared(sides: Sides) -> None:
    endless = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT i FROM c"
    sides.source.execute(f"CREATE VIEW endless AS {endless}")
    sides.target.execute("CREATE VIEW endless AS SELECT 1 AS i")

    many = same_rows(sides.source, sides.target, "endless", "endless", max_rows=1000)
    slow = same_rows(sides.source, sides.target, "endless", "endless", timeout_seconds=0.2)

    assert many == "has more than 1000 rows, too many to compare"
    assert slow == "could not be compared within 0.2 seconds"
    assert sides.source.execute("SELECT count(*) FROM t").fetchall() == [(5,)]
    assert sides.target.execute("SELECT count(*) FROM t").fetchone() == (5,)

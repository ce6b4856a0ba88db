"""Triggers: the same statements on both sides leave the same rows, or the trigger is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import apsw
import psycopg
import pytest

from buttress.mover import translate
from buttress.mover.translate import Untranslatable
from two_sides import TABLES, Sides, column, make_plan, open_sides, table

ITEMS = table(
    "items",
    "items",
    ["id"],
    [
        column("id", "INTEGER", "integer"),
        column("name", "TEXT", "text"),
        column("qty", "INT", "integer"),
        column("price", "REAL", "real"),
        column("flag", "BOOLEAN", "boolean"),
        column("upd", "DATETIME", "timestamp(space, 0)"),
    ],
)
LOG = table(
    "log",
    "Log book",
    ["id"],
    [
        column("id", "INTEGER", "integer"),
        column("what", "TEXT", "text"),
        column("item", "INT", "integer"),
        column("old", "TEXT", "text"),
        column("new", "TEXT", "text"),
    ],
)

STATEMENTS = [
    "insert into items(name, qty, price, flag) values ('d', 7, 1.0, true)",
    "insert into items(name, qty, price, flag) values ('a', 1, 1.0, false), ('e', 20, null, true)",
    "update items set qty = qty + 1",
    "update items set name = 'zz' where id = 1",
    "update items set flag = false where id = 1",
    "delete from items where id = 2",
    "update items set qty = -1 where id = 3",
    "insert into items(name, qty, flag) values ('neg', -5, true)",
    "delete from items where qty > 12",
]
ON_THE_VIEW = {
    "instead of insert": "insert into big(name, qty) values ('by view', 9)",
    "instead of update": "update big set qty = qty * 2",
    "instead of delete": "delete from big where name = 'd'",
}

TRIGGERS = [
    [
        (
            "create trigger a after insert on items begin insert into log(what,item,new) "
            "values('ins', new.id, new.name); end"
        ),
    ],
    [
        (
            "create trigger a after update on items begin insert into log(what,item,old,new) "
            "values('upd', new.id, old.name || ':' || old.qty, new.name); end"
        ),
    ],
    [
        (
            "create trigger a after delete on items for each row begin insert into "
            "log(what,item,old) values('del', old.id, old.name); delete from tag where item = "
            "old.id; end"
        ),
    ],
    [
        (
            "create trigger a after update of name on items when old.name is not new.name begin "
            "insert into log(what,item,old,new) values('name', new.id, old.name, new.name); end"
        ),
    ],
    [
        (
            "create trigger a before insert on items when new.qty < 0 begin select raise(abort, "
            "'negative quantity'); end"
        ),
    ],
    [
        (
            "create trigger a before update on items begin select raise(abort, 'it''s negative') "
            "where new.qty < 0; end"
        ),
    ],
    [
        (
            "create trigger a before insert on items begin select case when new.qty < 0 then "
            "raise(abort, 'neg') when new.name is null then raise(fail, 'noname') end; end"
        ),
    ],
    [
        (
            "create trigger a before insert on items begin select raise(rollback, 'twice') from "
            "items where name = new.name; end"
        ),
    ],
    [
        (
            "create trigger a before insert on items begin select raise(abort, 'twice') where "
            "exists (select 1 from items i where i.name = new.name); end"
        ),
    ],
    [
        (
            "create trigger a before delete on items begin select raise(ignore) where old.qty > "
            "9; end"
        ),
    ],
    [
        (
            "create trigger a before insert on items when new.qty > 10 begin insert into "
            "log(what) values('skip'); select raise(ignore); end"
        ),
    ],
    [
        (
            "create trigger a after update on items begin update items set upd = '2030-01-01 "
            "00:00:00' where id = new.id; end"
        ),
    ],
    [
        (
            "create trigger a after insert on items begin update totals set n = n + 1, q = q + "
            "coalesce(new.qty, 0) where flag = new.flag; end"
        ),
    ],
    [
        (
            "create trigger a after insert on items begin insert or ignore into tag "
            "values(new.id, lower(new.name)), (1, 'x'); end"
        ),
    ],
    [
        (
            "create trigger a after insert on items when new.flag is not null begin insert into "
            "totals(flag, n, q) values(new.flag, 1, new.qty) on conflict(flag) do update set n = "
            "n + 1, q = q + excluded.q; end"
        ),
    ],
    [
        (
            "create trigger a after delete on items begin update totals set n = (select count(*) "
            "from items where items.flag = totals.flag), q = (select sum(qty) from items where "
            "flag = totals.flag); end"
        ),
    ],
    [
        (
            "create trigger a after insert on items begin insert into tag select new.id, tag from "
            "tag where item = 1; end"
        ),
    ],
    [
        (
            "create trigger a after insert on items begin insert into log(what, item) "
            "values('one', new.id); end"
        ),
        (
            "create trigger b after insert on log when new.what = 'one' begin insert into "
            "log(what, item) values('two', new.item); update items set qty = 77 where id = "
            "new.item; end"
        ),
        (
            "create trigger c after update on items begin insert into log(what, item) "
            "values('one', new.id + 1000); end"
        ),
    ],
    [
        (
            "create trigger a instead of insert on big begin insert into items(name, qty, flag) "
            "values(new.name, new.qty, new.flag); end"
        ),
    ],
    [
        (
            "create trigger a instead of update on big when new.qty > 0 begin update items set "
            "qty = new.qty, flag = new.flag where id = old.id; end"
        ),
    ],
    [
        (
            "create trigger a instead of delete on big begin delete from items where id = old.id; "
            "insert into log(what) values('gone'); end"
        ),
    ],
    [
        (
            'create trigger if not exists main."a b" after insert on "items" /* c */ begin insert '
            "into log values(null, 'x', new.id, null, 'flag ' || new.flag || ' price ' || "
            "new.price); end"
        ),
    ],
    [
        (
            "create trigger a after update of qty, price on items begin insert into "
            "log(what,item,old,new) values('qp', new.id, cast(old.qty as text), printf('%.1f', "
            "new.price)); end"
        ),
    ],
    [
        (
            "create trigger a after insert on items when new.flag = 1 and new.qty between 1 and "
            "10 begin update totals set q = q + 1 where flag = 1; end"
        ),
    ],
    [
        (
            "create trigger a before insert on items begin select raise(ignore) from tag where "
            "tag = new.name; end"
        ),
    ],
    [
        (
            "create trigger a after update on items when new.flag <> old.flag begin insert into "
            "log(what) values(case when new.flag then 'on' else 'off' end); end"
        ),
    ],
    [
        "create trigger a after insert on items when new.flag is not null "
        "begin insert or replace into totals values (new.flag, 100, new.qty); end",
    ],
]


@pytest.fixture
def sides(conninfo: str) -> Iterator[Sides]:
    both = open_sides(conninfo, [*TABLES, ITEMS, LOG], SCHEMA)
    with closing(both.source), closing(both.target):
        both.add_view("big", "select id, name, qty, flag from items where qty > 5")
        yield both


SCHEMA = """
CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT, qty INT, price REAL, flag BOOLEAN,
  upd DATETIME);
CREATE TABLE log(id INTEGER PRIMARY KEY, what TEXT, item INT, old TEXT, new TEXT);
INSERT INTO items VALUES (1, 'a', 5, 1.5, 1, '2024-01-01 00:00:00'),
  (2, 'b', 10, 2.5, 0, '2024-01-01 00:00:00'), (3, 'c', NULL, NULL, NULL, NULL);
"""


def _do(sides: Sides, statement: str) -> tuple[str, str]:
    """What each side says when it refuses the statement."""
    ours = theirs = ""
    try:
        sides.source.execute(statement)
    except apsw.Error as error:
        ours = str(error).removeprefix("ConstraintError: ")
    try:
        sides.target.execute(statement.replace(" log", ' "Log book"'))
    except psycopg.Error as error:
        theirs = str(error).splitlines()[0]
    return ours, theirs


@pytest.mark.parametrize("triggers", TRIGGERS)
def test_statements_leave_the_same_rows_on_both_sides(sides: Sides, triggers: list[str]) -> None:
    for number, source in enumerate(triggers):
        sides.source.execute(source)
        sides.target.execute(translate.trigger(source, sides.plan, f"Trigger {number}"))

    refused = "raise(ignore)" in "".join(triggers)
    on_the_view = [sql for words, sql in ON_THE_VIEW.items() if words in triggers[0]]
    for statement in [*STATEMENTS, *on_the_view]:
        ours, theirs = _do(sides, statement)
        refused |= bool(ours)
        assert bool(ours) == bool(theirs), (statement, ours, theirs)
        assert ours in theirs, statement

    for name in ("items", "log", "totals", "tag"):
        # PostgreSQL does not give a number twice, not even when the row was refused.
        left, right = sides.contents(name, numbers=not refused)
        assert left == right, name


REFUSED = {
    "create trigger a after insert on items begin insert into log(what, item) "
    "select 'count', count(*) from items; end": "keeps what it reads from the table",
    "create trigger a before update on items begin update items set qty = 0 "
    "where id = new.id; end": "changes the table's rows before",
    "create trigger a after insert on items begin select 1; end": "runs a SELECT for nothing",
    "create trigger a after insert on items begin update items set price = new.name "
    "where id = new.id; end": "stores a text in a column of rule real",
    "create trigger a after insert on items begin insert into log(item) "
    "values (last_insert_rowid()); end": "the function last_insert_rowid() has no counterpart",
    "create trigger a after delete on items begin select raise(ignore) where old.qty > 1; "
    "end": "ignores a row that is already stored",
    "create trigger a after insert on items begin update items set flag = new.qty; "
    "end": "stores a integer in a column of booleans",
    "create trigger a after insert on missing begin select raise(abort, 'x'); "
    "end": "belongs to missing, which is not carried",
    "create trigger a after insert on items begin insert into log(item) values (1) "
    "on conflict(item) do nothing; end": "an upsert by (item), which no unique index has",
    "create trigger a after insert on items begin update items set (qty, price) = (1, 2); "
    "end": "sets several columns at once",
    "create trigger a after insert on items begin update or ignore items set qty = 1; "
    "end": "cannot be read",
    "create trigger a after insert on items begin insert into log(what) "
    "values (raise(abort, 'x')); end": "uses the unknown column abort",
}


@pytest.mark.parametrize("source", REFUSED)
def test_triggers_without_a_sure_counterpart_are_refused(source: str) -> None:
    plan = make_plan([*TABLES, ITEMS, LOG], {})

    with pytest.raises(Untranslatable) as refusal:
        translate.trigger(source, plan, "a")

    assert REFUSED[source] in str(refusal.value)


def test_a_raised_error_is_an_integrity_error_as_in_sqlite(sides: Sides) -> None:
    source = "create trigger a before insert on items begin select raise(abort, 'no'); end"
    sides.target.execute(translate.trigger(source, sides.plan, "a"))

    with pytest.raises(psycopg.errors.CheckViolation, match="no"):
        sides.target.execute("insert into items(name) values ('x')")


def test_the_current_moment_is_stored_by_a_trigger(sides: Sides) -> None:
    source = (
        "create trigger touch after update on items when new.qty > 3 "
        "begin update items set upd = current_timestamp, price = coalesce(price, 0) + 1 "
        "where rowid = new.rowid; end"
    )
    sides.target.execute(translate.trigger(source, sides.plan, "touch"))

    sides.target.execute("update items set qty = 9 where id = 1")

    row = sides.target.execute(
        "select price, upd > now() at time zone 'utc' - interval '1 minute' from items where id = 1"
    ).fetchone()
    assert row == (2.5, True)


def test_a_trigger_that_failed_can_fire_again(sides: Sides) -> None:
    source = (
        "create trigger a after insert on items begin insert into log(what) values (new.name); "
        "select raise(abort, 'no') where new.name = 'bad'; end"
    )
    sides.target.execute(translate.trigger(source, sides.plan, "a"))

    with sides.target.transaction():
        with pytest.raises(psycopg.errors.CheckViolation), sides.target.transaction():
            sides.target.execute("insert into items(name) values ('bad')")
        sides.target.execute("insert into items(name) values ('good')")

    assert sides.target.execute('select what from "Log book"').fetchall() == [("good",)]

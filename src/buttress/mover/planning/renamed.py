"""The SQL of a plan follows when somebody renames tables and columns or changes types in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

import msgspec

from buttress.mover import translate
from buttress.mover.plan import NotCarried, Plan, Table
from buttress.mover.planning.carried import attempt

_NAME = re.compile(r"""'(?:[^']|'')*'|"((?:[^"]|"")*)"|[^\W\d]\w*""")


def follow(plan: Plan, before: Plan) -> None:
    """Adapt what `plan` still says as `before` said it; SQL that was edited stays as it is.

    Foreign keys to tables that no longer move are listed in `plan.not_carried`, and so is what no
    longer translates.
    """
    changed = False
    for table in plan.moving:
        old = before.table(table.name)
        if _names_and_types(table) != _names_and_types(old):
            changed = True
            _follow_table(plan, table, old)
    moving = {table.name for table in plan.moving if not table.impossible}
    for table in plan.moving:
        for key in [key for key in table.foreign_keys if key.parent not in moving]:
            table.foreign_keys.remove(key)
            text = f"FOREIGN KEY ({', '.join(key.columns)}) REFERENCES {key.parent}"
            reason = f"{key.parent} does not move"
            plan.not_carried.append(
                NotCarried(
                    kind="foreign key",
                    name=key.target,
                    table=table.name,
                    source=text,
                    reason=reason,
                )
            )
    if changed or len(plan.moving) != len(before.moving):
        _follow_programs(plan, before)


def _names_and_types(table: Table) -> list[tuple[str, ...]]:
    columns = [(column.target, column.type, column.rule) for column in table.columns]
    return [(table.target,), *columns]


def _follow_table(plan: Plan, table: Table, old: Table) -> None:
    names = {
        was.target: column.target for column, was in zip(table.columns, old.columns, strict=True)
    }
    for index in table.indexes:
        was = next(one for one in old.indexes if one.target == index.target)
        if index.sql == was.sql:
            index.sql = _renamed_index(index.sql, old.target, table.target, names)
    for column, column_was in zip(table.columns, old.columns, strict=True):
        if column.generated == column_was.generated:
            column.generated = _renamed(column.generated, names)
    for check in list(table.checks):
        check_was = next(one for one in old.checks if one.target == check.target)
        if check.sql != check_was.sql:
            continue
        work = partial(translate.condition, check.source, table)
        sql = attempt(plan, "check", check.target, table.name, check.source, work)
        if sql is None:
            table.checks.remove(check)
        else:
            check.sql = sql


def _follow_programs(plan: Plan, before: Plan) -> None:
    views, triggers = plan.views, plan.triggers
    plan.views, plan.triggers = [], []
    old_sql = {view.target: view.sql for view in before.views}
    for view in views:
        if view.sql == old_sql[view.target]:
            work = partial(translate.view, view.source, plan, view.target)
            sql = attempt(plan, "view", view.name, "", view.source, work)
            if sql is None:
                continue
            view.sql = sql
        plan.views.append(view)
    old_sql = {trigger.target: trigger.sql for trigger in before.triggers}
    for trigger in triggers:
        if trigger.sql == old_sql[trigger.target]:
            work = partial(translate.trigger, trigger.source, plan, trigger.target)
            sql = attempt(plan, "trigger", trigger.name, trigger.table, trigger.source, work)
            if sql is None:
                continue
            trigger.sql = sql
        plan.triggers.append(trigger)


def _renamed_index(sql: str, was: str, now: str, names: Mapping[str, str]) -> str:
    """The statement up to the table's name keeps the index's own; the columns come after it."""
    place = re.search(rf"\sON\s+{_spelled(was)}", sql)
    if place is None:
        return sql
    start = sql[: place.start()]
    return f"{start} ON {_quoted(now)}{_renamed(sql[place.end() :], names)}"


def _renamed(sql: str, names: Mapping[str, str]) -> str:
    def swap(match: re.Match[str]) -> str:
        word = match[0]
        name = match[1].replace('""', '"') if match[1] is not None else word
        return _quoted(names[name]) if names.get(name, name) != name else word

    return _NAME.sub(swap, sql)


def _spelled(name: str) -> str:
    return f"(?:{re.escape(_quoted(name))}|{re.escape(name)}(?![\\w$]))"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def copy_of(plan: Plan) -> Plan:
    """A plan that shares nothing with this one."""
    return msgspec.convert(msgspec.to_builtins(plan), Plan)

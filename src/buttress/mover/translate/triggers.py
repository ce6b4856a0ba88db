"""Triggers: simple SQLite triggers as plpgsql functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from buttress.mover.plan import Plan
from buttress.mover.source.sqlite_tokens import Token, split, text_of, tokens
from buttress.mover.translate.expressions import condition
from buttress.mover.translate.scope import Relation, Scope, parsed, table_relation
from buttress.mover.translate.statements import LEAVE, Statement, statement
from buttress.mover.translate.terms import Untranslatable, quoted, string, without_parentheses
from buttress.mover.translate.views import plan_scope, view_query


@dataclass(frozen=True)
class _Header:
    """What stands before BEGIN."""

    when: str
    """BEFORE, AFTER or INSTEAD OF."""
    event: str
    """INSERT, UPDATE or DELETE."""
    columns: list[str]
    """The columns of UPDATE OF."""
    table: str
    condition: str
    """The text of WHEN; empty for none."""


def translate_trigger(source_sql: str, plan: Plan, target: str) -> str:
    """The function and the trigger of a CREATE TRIGGER statement; raises `Untranslatable`."""
    try:
        return _translated(source_sql, plan, target)
    except RecursionError:
        raise Untranslatable(f"{target} is nested too deeply") from None


def _translated(source_sql: str, plan: Plan, target: str) -> str:
    found = tokens(source_sql)
    begin = next((at for at, token in enumerate(found) if token.says("BEGIN")), None)
    if begin is None or not found[-1].says("END"):
        raise Untranslatable("has no body")
    header = _header(source_sql, found[:begin])
    scope, relation, columns = _rows(header, plan)
    lines: list[str] = []
    statements = [
        statement(parsed(text_of(source_sql, part)), scope)
        for part in split(found[begin + 1 : -1], ";")
        if part
    ]
    _refuse_differing(header, statements)
    result = _result(header)
    for done in statements:
        lines += done.lines
    if header.condition:
        tree = parsed(f"SELECT {header.condition}").args["expressions"][0]
        wanted = without_parentheses(condition(tree, scope))
        lines = [f"IF {wanted} THEN", *(f"  {line}" for line in lines), "END IF;"]
    if any(done.writes for done in statements):
        lines = _once(lines, target, result)
    body = "\n".join(f"  {line}" for line in [*lines, result])
    mark = "$body$"
    while mark in body:
        mark = f"{mark[:-1]}_$"
    events = header.event
    if header.columns:
        events += f" OF {', '.join(quoted(columns[name.lower()]) for name in header.columns)}"
    name = quoted(target)
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS {mark}\nBEGIN\n{body}\n"
        f"END\n{mark};\n"
        f"CREATE TRIGGER {name} {header.when} {events} ON {relation} "
        f"FOR EACH ROW EXECUTE FUNCTION {name}();"
    )


def _header(sql: str, found: Sequence[Token]) -> _Header:
    at = next(at for at, token in enumerate(found) if token.says("TRIGGER")) + 1
    at += 3 if found[at].says("IF") else 0
    at += 3 if found[at + 1].text == "." else 1
    when = "BEFORE"
    if found[at].says("BEFORE", "AFTER"):
        when = found[at].text.upper()
        at += 1
    elif found[at].says("INSTEAD"):
        when, at = "INSTEAD OF", at + 2
    event = found[at].text.upper()
    at += 1
    columns = []
    if found[at].says("OF"):
        end = next(place for place in range(at, len(found)) if found[place].says("ON"))
        columns = [token.name for token in found[at + 1 : end] if token.text != ","]
        at = end
    at += 3 if found[at + 2 : at + 3] and found[at + 2].text == "." else 1
    table = found[at].name
    at += 1
    if found[at : at + 1] and found[at].says("FOR"):
        at += 3
    text = text_of(sql, list(found[at + 1 :])) if found[at:] and found[at].says("WHEN") else ""
    return _Header(when, event, columns, table, text)


def _rows(header: _Header, plan: Plan) -> tuple[Scope, str, dict[str, str]]:
    """The scope with OLD and NEW, the trigger's relation quoted, and its columns' target names."""
    relation = None
    for table in plan.tables:
        if table.name.lower() == header.table.lower():
            relation, target = table_relation(table, "", ""), table.target
    for view in plan.views:
        if view.name.lower() == header.table.lower():
            relation = Relation("", "", view_query(view.source, plan).columns)
            target = view.target
    if relation is None:
        raise Untranslatable(f"belongs to {header.table}, which is not carried")
    names = {"INSERT": ["NEW"], "DELETE": ["OLD"], "UPDATE": ["NEW", "OLD"]}[header.event]
    rows = [replace(relation, name=name, sql=name, by_name_only=True) for name in names]
    columns = {column.name.lower(): column.target for column in relation.columns}
    return replace(plan_scope(plan), relations=rows), quoted(target), columns


def _refuse_differing(header: _Header, statements: list[Statement]) -> None:
    """Refuse what fires, counts or collides differently in PostgreSQL."""
    own = header.table.lower()
    for done in statements:
        if header.when == "BEFORE" and header.event != "INSERT" and own in done.writes:
            raise Untranslatable("changes the table's rows before they are changed themselves")
        if header.when == "AFTER" and done.kind == "INSERT" and own in done.reads:
            # SQLite fires after each row, PostgreSQL after the last row of the statement.
            raise Untranslatable("keeps what it reads from the table while the statement runs")
        if done.ignores and header.when == "AFTER":
            raise Untranslatable("ignores a row that is already stored")


def _result(header: _Header) -> str:
    if header.when == "AFTER":
        return "RETURN NULL;"
    return "RETURN OLD;" if header.event == "DELETE" else "RETURN NEW;"


def _once(lines: list[str], target: str, result: str) -> list[str]:
    """SQLite never fires a trigger that is running; a setting of the transaction says it is."""
    name = string("buttress.running_" + re.sub(r"\W", "_", target, flags=re.ASCII)).strip()
    start = [
        f"IF current_setting({name}, true) = 'yes' THEN",
        f"  {result}",
        "END IF;",
        f"PERFORM set_config({name}, 'yes', true);",
    ]
    stop = f"PERFORM set_config({name}, '', true);"
    kept = []
    for line in lines:
        if line.strip() == LEAVE:
            kept.append(line.replace(LEAVE, stop))
        kept.append(line)
    return [*start, *kept, stop]

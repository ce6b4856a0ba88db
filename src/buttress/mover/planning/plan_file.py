"""A plan as a TOML file that people read and edit, and the edited file applied to a fresh plan.

The file holds decisions, not facts: what may be changed stands under its own key, everything else
is there to be read (`source`, `why`, `seen`…) and ignored on the way back.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from buttress.errors import BadInput, NotFound
from buttress.mover import values
from buttress.mover.plan import Check, Column, ForeignKey, Index, Plan, Table, Trigger, View
from buttress.mover.planning import names, renamed
from buttress.mover.planning.type_names import rule_for_type, rule_produces
from buttress.mover.source.schema import fold

Entry = dict[str, Any]
Item = TypeVar("Item", Index, Check, ForeignKey, View, Trigger)

_HEADER = """\
# The plan of a move. Edit it and give it back with `buttress move --plan FILE`. Tables: `target`
# renames, `skip = "reason"` leaves out. Columns: `target`, `type`, `rule`, `not_null`, `default`
# and `generated` may be changed; `default = ""` takes a default away. Indexes, checks, foreign
# keys, views and triggers: remove an entry to leave it out, or edit its `sql`. All other keys are
# for reading. What the file does not mention stays as planned.

"""


def write_plan(plan: Plan, path: Path) -> None:
    """Write the plan as TOML."""
    document: Entry = {
        "source": plan.source,
        "encoding": plan.encoding,
        "schema": plan.schema,
        "notes": plan.notes,
        "tables": [_table_entry(table) for table in plan.tables],
        "views": [_program_entry(view) for view in plan.views],
        "triggers": [{**_program_entry(one), "table": one.table} for one in plan.triggers],
        "not_carried": [
            _without_empty(
                {
                    "kind": one.kind,
                    "name": one.name,
                    "table": one.table,
                    "reason": one.reason,
                    "source": one.source,
                }
            )
            for one in plan.not_carried
        ],
    }
    path.write_text(_HEADER + tomli_w.dumps(document, multiline_strings=True), encoding="utf-8")


def read_plan(path: Path, plan: Plan) -> Plan:
    """Apply the decisions of an edited file to a plan just made of the same source, and return it.

    Raises
    ------
    NotFound
        There is no such file.
    BadInput
        The file is no TOML, names something the source does not have, or asks for what cannot be;
        the message names the place.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"there is no plan {path}", hint="Give the path of a plan file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise BadInput(f"{path} is no plan: {error}", hint="Correct the file.") from error
    _refuse_unknown(document, {"source", "encoding", "schema", "notes", "not_carried"} | _LISTS, "")
    before = renamed.copy_of(plan)
    for entry in _entries(document, "tables", ""):
        _apply_table(entry, plan)
    if "not_carried" in document:
        # Written with every plan, so this file is a whole one and misses what was removed.
        plan.views = _kept(document, "views", "", plan.views, ())
        plan.triggers = _kept(document, "triggers", "", plan.triggers, ("table",))
    _refuse_doubles(_relations(plan), "the plan")
    renamed.follow(plan, before)
    return plan


_LISTS = {"tables", "views", "triggers"}
_TABLE_FACTS = {"kind", "rows", "key", "impossible"}
_COLUMN_FACTS = {"declared", "seen", "why", "usual", "collation"}


def _table_entry(table: Table) -> Entry:
    return _without_empty(
        {
            "name": table.name,
            "target": table.target,
            "skip": table.skip,
            "impossible": table.impossible,
            "kind": table.kind if table.kind != "table" else "",
            "rows": table.rows if not table.skip else None,
            "key": table.key,
            "columns": [_column_entry(column) for column in table.columns],
            "indexes": [
                _without_empty(
                    {
                        "name": index.name,
                        "target": index.target,
                        "sql": index.sql,
                        "source": index.source,
                        "note": index.note,
                    }
                )
                for index in table.indexes
            ],
            "checks": [
                {"target": check.target, "sql": check.sql, "source": check.source}
                for check in table.checks
            ],
            "foreign_keys": [
                _without_empty(
                    {
                        "target": key.target,
                        "columns": key.columns,
                        "parent": key.parent,
                        "parent_columns": key.parent_columns,
                        "on_update": key.on_update,
                        "on_delete": key.on_delete,
                        "deferrable": key.deferrable or None,
                    }
                )
                for key in table.foreign_keys
            ],
        }
    )


def _column_entry(column: Column) -> Entry:
    return _without_empty(
        {
            "name": column.name,
            "target": column.target,
            "type": column.type,
            "rule": column.rule,
            "not_null": column.not_null or None,
            "default": column.default,
            "generated": column.generated,
            "declared": column.declared,
            "collation": column.collation,
            "usual": column.usual,
            "seen": column.seen,
            "why": column.why,
        }
    )


def _program_entry(program: View | Trigger) -> Entry:
    return {
        "name": program.name,
        "target": program.target,
        "sql": program.sql,
        "source": program.source,
    }


def _without_empty(entry: Entry) -> Entry:
    # SQLite allows an empty name.
    empty: tuple[object, ...] = ("", None, [], {})
    return {key: value for key, value in entry.items() if key == "name" or value not in empty}


def _apply_table(entry: Entry, plan: Plan) -> None:
    name = _text(entry, "name", "a table")
    place = f"table {name!r}"
    table = _named(plan.tables, name, place)
    lists = {"columns", "indexes", "checks", "foreign_keys"}
    _refuse_unknown(entry, {"name", "target", "skip"} | _TABLE_FACTS | lists, place)
    if table.skip:
        if not entry.get("skip"):
            raise _bad(place, f"cannot move: {table.skip}")
        return
    table.skip = _text(entry, "skip", place, table.skip)
    table.target = _identifier(entry, place, table.target, names.relations())
    for column_entry in _entries(entry, "columns", place):
        _apply_column(column_entry, table)
    _refuse_doubles([column.target for column in table.columns], place)
    if "columns" in entry and "rows" in entry:
        # A whole entry misses what was removed.
        table.indexes = _kept(entry, "indexes", place, table.indexes, ("name", "note"))
        table.checks = _kept(entry, "checks", place, table.checks, ())
        facts = ("columns", "parent", "parent_columns", "on_update", "on_delete", "deferrable")
        table.foreign_keys = _kept(entry, "foreign_keys", place, table.foreign_keys, facts)


def _apply_column(entry: Entry, table: Table) -> None:
    name = _text(entry, "name", f"a column of table {table.name!r}")
    place = f"column {table.name}.{name}"
    column = _named(table.columns, name, place)
    editable = {"name", "target", "type", "rule", "not_null", "default", "generated"}
    _refuse_unknown(entry, editable | _COLUMN_FACTS, place)
    column.target = _identifier(entry, place, column.target, names.columns())
    _apply_type(entry, column, place)
    not_null = entry.get("not_null", column.not_null)
    if not isinstance(not_null, bool):
        raise _bad(place, "`not_null` is true or false")
    column.not_null = not_null
    column.default = _text(entry, "default", place, column.default)
    generated = _text(entry, "generated", place, column.generated)
    if generated and not column.generated:
        raise _bad(place, "only a column that SQLite computes can be `generated`")
    column.generated = generated


def _apply_type(entry: Entry, column: Column, place: str) -> None:
    """A new rule brings its type, a new type its rule; both must fit when both are new."""
    rule = _text(entry, "rule", place, column.rule)
    kind = _text(entry, "type", place, column.type)
    if rule != column.rule:
        try:
            natural = values.rule(rule).type
        except KeyError as error:
            raise _bad(place, f"there is no rule {rule!r}") from error
        if kind == column.type:
            kind = natural
    elif kind != column.type:
        found = rule_for_type(kind, column)
        if found is None:
            raise _bad(place, f"no rule leads to the type {kind!r}")
        rule = found
    if (rule, kind) == (column.rule, column.type):
        return
    if not rule_produces(rule, kind):
        raise _bad(place, f"the rule {rule!r} cannot produce the type {kind!r}")
    column.rule, column.type, column.why = rule, kind, "chosen in the plan file"
    column.usual = _usual(column) if rule == "mixed" else ""


def _usual(column: Column) -> str:
    """The most frequent storage class, for rule `mixed`."""
    counted = {kind: count for kind, count in column.seen.items() if kind != "null"}
    return max(counted, key=lambda kind: counted[kind], default="text")


def _kept(
    document: Entry, key: str, place: str, items: list[Item], facts: tuple[str, ...]
) -> list[Item]:
    """The items the file still has, each with the file's `sql`; they are known by their target."""
    of_target = {item.target: item for item in items}
    kept: list[Item] = []
    for entry in _entries(document, key, place):
        target = _text(entry, "target", f"{place} {key}".strip())
        here = f"{place} {key} {target!r}".strip()
        item = of_target.get(target)
        if item is None:
            raise _bad(here, "the plan has none of this target; the file can remove and edit them")
        has_sql = not isinstance(item, ForeignKey)
        readable = {"target", "source", "name"} | set(facts)
        _refuse_unknown(entry, readable | ({"sql"} if has_sql else set()), here)
        if not isinstance(item, ForeignKey):
            item.sql = _text(entry, "sql", here, item.sql)
        kept.append(item)
    return kept


def _entries(document: Entry, key: str, place: str) -> list[Entry]:
    found = document.get(key, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise _bad(place or "the plan", f"`{key}` is a list of tables in TOML's sense")
    return found


def _named(items: list[Any], name: str, place: str) -> Any:
    wanted = fold(name)
    for item in items:
        if fold(item.name) == wanted:
            return item
    raise _bad(place, "the source has none of that name")


def _text(entry: Entry, key: str, place: str, default: str | None = None) -> str:
    value = entry.get(key, default)
    if not isinstance(value, str):
        raise _bad(place, f"`{key}` is missing or is no text")
    return value


def _identifier(entry: Entry, place: str, default: str, namespace: names.Namespace) -> str:
    name = _text(entry, "target", place, default)
    if name != default and namespace.take(name) != name:
        raise _bad(place, f"PostgreSQL cannot have the name {name!r} here")
    return name


def _refuse_unknown(entry: Entry, known: set[str], place: str) -> None:
    for key in entry:
        if key not in known:
            raise _bad(place or "the plan", f"there is no key `{key}`")


def _bad(place: str, what: str) -> BadInput:
    return BadInput(f"plan file, {place}: {what}", hint="Correct the file and run the move again.")


def _relations(plan: Plan) -> list[str]:
    found = [view.target for view in plan.views]
    for table in plan.moving:
        found += [table.target, *(index.target for index in table.indexes)]
    return found


def _refuse_doubles(targets: list[str], place: str) -> None:
    for target, count in Counter(targets).items():
        if count > 1:
            raise _bad(place, f"the target {target!r} is there {count} times")

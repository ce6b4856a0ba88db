"""Defaults, generated columns, checks, indexes, foreign keys, views and triggers of a plan.

What translates is carried; what does not is listed with its source and the reason. One odd object
never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import apsw
import msgspec

from buttress.mover import translate
from buttress.mover.plan import (
    Check,
    Column,
    ForeignKey,
    Index,
    NotCarried,
    Plan,
    Table,
    Trigger,
    View,
)
from buttress.mover.planning import names
from buttress.mover.planning.draft import Draft
from buttress.mover.source.schema import (
    Schema,
    SourceColumn,
    SourceForeignKey,
    SourceIndex,
    fold,
    quoted,
)

_COMPUTED = {"integer", "real", "text", "blob", "boolean", "numeric"}
"""Rules of columns PostgreSQL may compute itself."""


def carry_table(connection: apsw.Connection, plan: Plan, draft: Draft) -> None:
    """Fill in all that belongs to one table but its foreign keys."""
    table, source = draft.table, draft.source
    plan.not_carried += source.not_carried
    if table.impossible:
        return
    if table.key_target:
        draft.constraints.take(table.key_target)
    for column in source.columns:
        _carry_column(plan, table, column)
    _carry_checks(plan, draft)
    for index in source.indexes:
        _carry_index(connection, plan, draft, index)
    if table.key and not table.key_target:
        table.key_target = draft.relations.take(f"{table.target}_key")
    text = source.text
    for clause in text.conflict_clauses:
        reason = "PostgreSQL decides at each INSERT: use ON CONFLICT there"
        _list(plan, "conflict clause", clause, table.name, clause, reason)
    for unread in text.unparsed:
        _list(plan, "constraint", unread, table.name, unread, "it was not understood")


def carry_foreign_keys(plan: Plan, drafts: list[Draft], found: Schema) -> None:
    """Fill in the foreign keys of all tables; needs the keys and indexes of all of them."""
    by_name = {fold(draft.table.name): draft for draft in drafts}
    known = {fold(table.name) for table in found.tables}
    for draft in drafts:
        if draft.table.impossible:
            continue
        for key in draft.source.foreign_keys:
            parent = by_name.get(fold(key.parent))
            carried = _foreign_key(draft, key, parent, fold(key.parent) in known)
            if isinstance(carried, ForeignKey):
                if any(_same(carried, other) for other in draft.table.foreign_keys):
                    continue
                carried.target = draft.constraints.take(carried.target)
                draft.table.foreign_keys.append(carried)
            else:
                said = f" ({', '.join(key.parent_columns)})" if key.parent_columns else ""
                text = f"FOREIGN KEY ({', '.join(key.columns)}) REFERENCES {key.parent}{said}"
                _list(plan, "foreign key", ", ".join(key.columns), draft.table.name, text, carried)


def carry_programs(
    connection: apsw.Connection, plan: Plan, found: Schema, drafts: list[Draft]
) -> None:
    """Fill in views and triggers; needs everything else."""
    relations = drafts[0].relations if drafts else names.relations()
    for view in found.views:
        try:
            connection.execute(f"SELECT * FROM {quoted(view.name)} LIMIT 0").fetchall()
        except (apsw.Error, UnicodeDecodeError) as error:
            reason = f"SQLite cannot run it either: {error}"
            _list(plan, "view", view.name, "", view.sql, reason)
            continue
        target = relations.take(view.name)
        work = partial(translate.view, view.sql, plan, target)
        sql = attempt(plan, "view", view.name, "", view.sql, work)
        if sql is not None:
            plan.views.append(View(name=view.name, target=target, sql=sql, source=view.sql))
    moving = {fold(table.name) for table in plan.moving if not table.impossible}
    moving |= {fold(view.name) for view in plan.views}
    functions = names.relations()
    for trigger in found.triggers:
        if fold(trigger.table) not in moving:
            reason = f"{trigger.table} does not move"
            _list(plan, "trigger", trigger.name, trigger.table, trigger.sql, reason)
            continue
        target = functions.take(trigger.name)
        work = partial(translate.trigger, trigger.sql, plan, target)
        sql = attempt(plan, "trigger", trigger.name, trigger.table, trigger.sql, work)
        if sql is not None:
            plan.triggers.append(
                Trigger(
                    name=trigger.name,
                    target=target,
                    table=trigger.table,
                    sql=sql,
                    source=trigger.sql,
                )
            )


def _carry_column(plan: Plan, table: Table, source: SourceColumn) -> None:
    column = table.column(source.name)
    if source.generated is not None:
        expression = source.generated
        place = f"{table.name}.{column.name}"
        if column.rule not in _COMPUTED:
            reason = f"its values are kept by rule {column.rule}; they move as an ordinary column"
            _list(plan, "generated column", place, table.name, expression, reason)
            return
        work = partial(translate.generated, expression, column, table)
        found = attempt(plan, "generated column", place, table.name, expression, work)
        column.generated = found or ""
    elif source.default is not None and (not table.rowid_alias or column.name != table.rowid_alias):
        column.default = _default(plan, table, column, source.default)


def _default(plan: Plan, table: Table, column: Column, text: str) -> str:
    if text.strip().strip("()").upper() == "NULL":
        return ""
    place = f"{table.name}.{column.name}"
    work = partial(translate.default, text, column)
    return attempt(plan, "default", place, table.name, text, work) or ""


def _carry_checks(plan: Plan, draft: Draft) -> None:
    table = draft.table
    for check in draft.source.text.checks:
        wanted = check.name or names.joined(
            table.target, *([check.column] if check.column else []), "check"
        )
        work = partial(translate.condition, check.text, table)
        sql = attempt(plan, "check", check.name or check.text, table.name, check.text, work)
        if sql is not None:
            target = draft.constraints.take(wanted)
            table.checks.append(Check(target=target, sql=sql, source=check.text))


def _carry_index(connection: apsw.Connection, plan: Plan, draft: Draft, index: SourceIndex) -> None:
    table = draft.table
    columns = [part.name for part in index.columns if part.name]
    collated = any(_is_collated(part) for part in index.columns)
    if index.primary and table.key and table.key_is_primary and not collated:
        return
    text = index.sql or f"UNIQUE ({', '.join(quoted(name) for name in columns)})"
    kind = "unique index" if index.unique else "index"
    if any(draft.source.column(name) is None for name in columns):
        _list(plan, kind, index.name, table.name, text, "SQLite cannot compute its column")
        return
    if index.unique and not index.primary and draft.collides(connection, columns):
        draft.refuse_key(plan, columns)
        return
    if index.primary and draft.collides(connection, columns):
        # Listed when the key was chosen.
        return
    wanted = index.name if index.sql else names.joined(table.target, *columns, "key")
    target = draft.relations.take(wanted)
    work = partial(
        translate.index, index.sql, table, index.columns, target, index.unique, index.where
    )
    sql = attempt(plan, kind, index.name, table.name, text, work)
    if sql is None:
        return
    table.indexes.append(
        Index(
            name=index.name,
            target=target,
            unique=index.unique,
            sql=sql,
            source=index.sql or "",
            note=_rename_note(index.name, target) if index.sql else "",
        )
    )
    if index.name == draft.key_index:
        table.key_target = target


def _rename_note(name: str, target: str) -> str:
    return "" if name == target else f"called {target!r} in PostgreSQL"


def _foreign_key(
    draft: Draft, key: SourceForeignKey, parent: Draft | None, exists: bool
) -> ForeignKey | str:
    """The foreign key, or why PostgreSQL cannot have it."""
    if parent is None:
        return f"{key.parent} does not move" if exists else f"there is no table {key.parent}"
    if parent.table.impossible:
        return f"{key.parent} does not move"
    referenced = key.parent_columns
    if referenced is None:
        referenced = parent.source.primary
        if not referenced:
            return f"{key.parent} has no primary key"
    if len(referenced) != len(key.columns):
        return f"it has {len(key.columns)} columns and references {len(referenced)}"
    for name in referenced:
        if parent.source.column(name) is None:
            return f"{key.parent} has no column {name}"
    if not _is_unique(parent, referenced):
        return f"{key.parent} ({', '.join(referenced)}) is not unique in PostgreSQL"
    columns = [draft.table.column(name) for name in key.columns]
    partners = [parent.table.column(name) for name in referenced]
    for ours, theirs in zip(columns, partners, strict=True):
        if (ours.type, ours.rule == "mixed") != (theirs.type, theirs.rule == "mixed"):
            return f"{ours.name} is {_described(ours)} and {theirs.name} is {_described(theirs)}"
    wanted = names.joined(draft.table.target, *(column.target for column in columns), "fkey")
    return ForeignKey(
        target=wanted,
        columns=[column.name for column in columns],
        parent=parent.table.name,
        parent_columns=[column.name for column in partners],
        on_update=key.on_update,
        on_delete=key.on_delete,
        deferrable=key.deferrable,
    )


def _same(left: ForeignKey, right: ForeignKey) -> bool:
    """Whether both say the same; a column may reference its parent twice in SQLite."""
    return msgspec.structs.replace(left, target="") == msgspec.structs.replace(right, target="")


def _is_collated(part: translate.IndexedColumn) -> bool:
    return part.collation.upper() != "BINARY"


def _described(column: Column) -> str:
    return "text of mixed classes" if column.rule == "mixed" else column.type


def _is_unique(parent: Draft, columns: list[str]) -> bool:
    """Whether PostgreSQL has a unique index on exactly these columns."""
    wanted = {fold(name) for name in columns}
    if {fold(name) for name in parent.table.key} == wanted:
        return True
    carried = {index.name for index in parent.table.indexes}
    return any(
        {fold(part.name or "") for part in index.columns} == wanted
        and not any(_is_collated(part) for part in index.columns)
        for index in parent.source.indexes
        if index.unique and not index.where and index.name in carried
    )


def attempt(
    plan: Plan, kind: str, name: str, table: str, source: str, work: Callable[[], str]
) -> str | None:
    """The translation `work` makes; None when there is none, which is then listed in the plan."""
    try:
        return work()
    except translate.Untranslatable as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  # one odd object must not stop the move
        reason = f"it cannot be translated ({type(error).__name__}: {error})"
    _list(plan, kind, name, table, source, reason)
    return None


def _list(plan: Plan, kind: str, name: str, table: str, source: str, reason: str) -> None:
    plan.not_carried.append(
        NotCarried(kind=kind, name=name, table=table, source=source, reason=reason)
    )

"""SQLite's expressions and objects in PostgreSQL's words.

Every function returns PostgreSQL text that means the same over the moved tables, or raises
`Untranslatable` with a reason a person can read. Whoever calls them still tries the result:
PostgreSQL may refuse it, and a view counts only when both sides give the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from buttress.mover.plan import Column, Plan, Table
from buttress.mover.source.sqlite_tokens import closing, split, text_of, tokens
from buttress.mover.translate.comparisons import folded
from buttress.mover.translate.defaults import default
from buttress.mover.translate.expressions import term
from buttress.mover.translate.scope import Scope, parsed, table_relation
from buttress.mover.translate.stores import assigned
from buttress.mover.translate.terms import (
    Term,
    Untranslatable,
    plain,
    quoted,
    regular,
    truth,
    without_parentheses,
)
from buttress.mover.translate.triggers import translate_trigger
from buttress.mover.translate.views import translate_view

__all__ = [
    "IndexedColumn",
    "Untranslatable",
    "condition",
    "default",
    "expression",
    "generated",
    "index",
    "trigger",
    "view",
]


@dataclass(frozen=True)
class IndexedColumn:
    """One part of an index.

    Parameters
    ----------
    name
        The column, or None for an expression.
    expression
        The expression as written, or None for a column; `index` also finds it in the statement.
    collation
        `BINARY`, `NOCASE`, `RTRIM` or a name SQLite does not bring.
    descending
        Written DESC.
    """

    name: str | None
    expression: str | None = None
    collation: str = "BINARY"
    descending: bool = False


def expression(text: str, table: Table) -> str:
    """The PostgreSQL expression of a SQLite expression over one table."""
    found = _term(text, table, immutable=False)
    return without_parentheses(regular(found))


def condition(text: str, table: Table) -> str:
    """The PostgreSQL condition of a CHECK or of a partial index's WHERE."""
    return _condition(text, table)


def generated(text: str, column: Column, table: Table) -> str:
    """The expression of a generated column, by functions PostgreSQL allows there.

    Raises for a value the column's rule cannot take.
    """
    found = _term(text, table, immutable=True)
    return without_parentheses(assigned(found, column))


def index(
    source_sql: str | None,
    table: Table,
    columns: list[IndexedColumn],
    target: str,
    unique: bool,
    where: str | None,
) -> str:
    """The CREATE INDEX statement, names unqualified.

    `source_sql` is SQLite's statement, None for the index of a constraint; `where` the condition of
    a partial index as SQLite has it. NOCASE and RTRIM become expressions over text.
    """
    parts = [
        _index_part(part, position, source_sql, table) for position, part in enumerate(columns)
    ]
    tail = f" WHERE {_condition(where, table, immutable=True)}" if where else ""
    return (
        f"CREATE {'UNIQUE ' if unique else ''}INDEX {quoted(target)} ON {quoted(table.target)} "
        f"({', '.join(parts)}){tail}"
    )


def view(source_sql: str, plan: Plan, target: str) -> str:
    """The PostgreSQL query of a view over moved tables and the views the plan already has."""
    return translate_view(source_sql, plan, target)


def trigger(source_sql: str, plan: Plan, target: str) -> str:
    """The plpgsql function and the CREATE TRIGGER of a trigger, in one text."""
    return translate_trigger(source_sql, plan, target)


def _term(text: str, table: Table, *, immutable: bool) -> Term:
    scope = Scope([table_relation(table, table.name, "")], immutable=immutable)
    try:
        return term(_tree(text), scope)
    except RecursionError:
        raise Untranslatable("is nested too deeply") from None


def _condition(text: str, table: Table, *, immutable: bool = False) -> str:
    return without_parentheses(truth(_term(text, table, immutable=immutable)))


def _tree(text: str) -> exp.Expr:
    selected = parsed(f"SELECT {text}").args["expressions"]
    if len(selected) != 1 or isinstance(selected[0], exp.Alias):
        raise Untranslatable("is no single expression")
    found: exp.Expr = selected[0]
    return found


def _index_part(part: IndexedColumn, position: int, source_sql: str | None, table: Table) -> str:
    if part.name is not None:
        column = table.column(part.name)
        found = table_relation(table, table.name, "").find(part.name)
        assert found is not None
        if column.rule == "json":
            raise Untranslatable("PostgreSQL has no order for json")
    else:
        text = part.expression or _indexed_text(source_sql or "", position)
        found = _term(text, table, immutable=True)
        if found.kind in ("json", "mixed") or found.rule == "json":
            raise Untranslatable("PostgreSQL has no order for json")
    collation = (part.collation or "BINARY").upper()
    sql = found.sql
    if collation != "BINARY":
        if plain(found).kind != "text":
            # A collation changes nothing for values that are not text.
            collation = "BINARY"
        else:
            sql = folded(plain(found), collation, ordering=False)
    simple = part.name is not None and collation == "BINARY"
    sql = sql if simple else f"({without_parentheses(sql)})"
    return f"{sql} DESC" if part.descending else sql


def _indexed_text(source_sql: str, position: int) -> str:
    """The text of one part of a CREATE INDEX statement, without COLLATE and ASC or DESC."""
    found = tokens(source_sql)
    on = next((at for at, token in enumerate(found) if token.says("ON")), len(found))
    opening = next((at for at in range(on, len(found)) if found[at].text == "("), len(found))
    parts = split(found[opening + 1 : closing(found, opening)], ",")
    if position >= len(parts):
        raise Untranslatable("the index's expression was not found")
    part = parts[position]
    while part and part[-1].says("ASC", "DESC"):
        part = part[:-1]
    if len(part) > 2 and part[-2].says("COLLATE"):
        part = part[:-2]
    return text_of(source_sql, part)

"""SELECT: its list, grouping, order and limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from buttress.mover.translate.aggregates import is_aggregate
from buttress.mover.translate.calls import ordered
from buttress.mover.translate.comparisons import groupable, sortable
from buttress.mover.translate.expressions import condition, term
from buttress.mover.translate.relations import from_clause
from buttress.mover.translate.scope import Output, Query, Scope
from buttress.mover.translate.terms import (
    ABSENT,
    Term,
    Untranslatable,
    plain,
    quoted,
    regular,
    without_parentheses,
)


def select(node: exp.Select, scope: Scope, texts: list[str], titles: list[str] | None) -> Query:
    """A SELECT; `texts` are its items as written, `titles` the names its columns get."""
    tables, relations, merged = from_clause(node, scope)
    scope = replace(scope, relations=relations)
    items = _items(node, scope, merged, texts)
    if titles is not None and len(titles) != len(items):
        raise Untranslatable("names another number of columns than it selects")
    named = [item for item in node.expressions if isinstance(item, exp.Alias)]
    scope = replace(scope, aliases={item.alias.lower(): item.this for item in named})
    group, having = node.args.get("group"), node.args.get("having")
    clauses = [f" FROM {tables}"] if tables else []
    where = node.args.get("where")
    if where is not None:
        clauses.append(f" WHERE {without_parentheses(condition(where.this, scope))}")
    grouped = group is not None or bool(_aggregates(node))
    if grouped:
        keys = _keys(group, items, scope)
        clauses += [f" GROUP BY {', '.join(keys)}"] if keys else []
        scope = replace(scope, keys=frozenset(keys), bare=_bare_column(node, scope))
    if having is not None:
        clauses.append(f" HAVING {without_parentheses(condition(having.this, scope))}")
    terms = [term(item, scope) for _, item in items]
    distinct = node.args.get("distinct") is not None
    if distinct:
        terms = [distinguishable(value) for value in terms]
    columns = outputs(titles or [name for name, _ in items], terms)
    clauses.append(order_clause(node, items, scope, by_position=distinct))
    tail, single = limit_clause(node, scope)
    word = "SELECT DISTINCT" if distinct else "SELECT"
    clauses.append(tail)

    def render(chosen: list[Term]) -> str:
        parts = [_item(value, column) for value, column in zip(chosen, columns, strict=True)]
        return f"{word} {', '.join(parts)}{''.join(clauses)}"

    return Query(columns, terms, render, single or (grouped and group is None))


def _item(value: Term, column: Output) -> str:
    sql = without_parentheses(regular(value))
    if value.stored and sql.endswith(f".{quoted(column.target)}"):
        return sql
    return f"{sql} AS {quoted(column.target)}"


def _items(
    node: exp.Select,
    scope: Scope,
    merged: frozenset[tuple[str, str]],
    texts: list[str],
) -> list[tuple[str, exp.Expr]]:
    """The select list with * written out; `merged` are columns that USING and NATURAL show once."""
    items: list[tuple[str, exp.Expr]] = []
    own = texts if len(texts) == len(node.expressions) else None
    for position, item in enumerate(node.expressions):
        star = isinstance(item, exp.Star)
        of_table = isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
        if star or of_table:
            table = item.table.lower() if of_table else ""
            for relation in scope.relations:
                if table and relation.name.lower() != table:
                    continue
                if not relation.shown:
                    raise Untranslatable(f"shows all columns of {relation.name}")
                items += [
                    (column.name, exp.column(column.name, relation.name, quoted=True))
                    for column in relation.shown
                    if of_table or (relation.name, column.name.lower()) not in merged
                ]
        elif isinstance(item, exp.Alias):
            items.append((item.alias, item.this))
        elif isinstance(item, exp.Column):
            found = scope.column(item.name, item.table)
            if not isinstance(found, Term) and item.this.quoted:
                items.append((f'"{item.name}"', item))
            else:
                items.append((_shown_name(item, scope), item))
        else:
            text = own[position] if own else str(item.sql(dialect="sqlite"))
            items.append((text, item))
    return items


def _shown_name(item: exp.Column, scope: Scope) -> str:
    """SQLite names a plain column as its table spells it."""
    for relation in scope.relations:
        if item.table and relation.name.lower() != item.table.lower():
            continue
        for column in relation.columns:
            if column.name.lower() == item.name.lower():
                return column.name
        if relation.find(item.name) is not None:
            return relation.rowid
    return str(item.name)


def outputs(names: list[str], terms: list[Term]) -> list[Output]:
    """Columns with names as SQLite and as PostgreSQL has them; a repeated name gets a number."""
    taken: set[str] = set()
    found = []
    for position, (name, value) in enumerate(zip(names, terms, strict=True)):
        unique, number = name, 0
        while unique.lower() in taken:
            number += 1
            unique = f"{name}:{number}"
        taken.add(unique.lower())
        target = unique if 0 < len(unique.encode()) <= 63 else f"column_{position + 1}"
        found.append(Output(unique, target, shown(value)))
    return found


def shown(value: Term) -> Term:
    """What is known of a term where it is a column of a query's result."""
    if value.kind == "json":
        return Term("", "text")
    return replace(value, sql="", value=ABSENT, small=False, stored=False, explicit=False)


def distinguishable(value: Term) -> Term:
    """A term that DISTINCT and UNION can compare."""
    if value.kind == "native" and value.rule == "json":
        return plain(value)
    if value.kind == "text" and (value.collation or "BINARY").upper() != "BINARY":
        raise Untranslatable(f"tells rows apart by the collation {value.collation}")
    return value


def _aggregates(node: exp.Select) -> list[exp.Anonymous]:
    """The aggregate calls that belong to this query itself."""
    places = [*node.expressions, node.args.get("having"), node.args.get("order")]
    found: list[exp.Anonymous] = []

    def search(part: exp.Expr) -> None:
        if isinstance(part, exp.Query | exp.Subquery):
            return
        if isinstance(part, exp.Window):
            for child in [*part.this.iter_expressions(), *(part.args.get("partition_by") or [])]:
                search(child)
            return
        if isinstance(part, exp.Anonymous) and is_aggregate(
            str(part.this).lower(), len(part.expressions)
        ):
            found.append(part)
        for child in part.iter_expressions():
            search(child)

    for place in places:
        if place is not None:
            search(place)
    return found


def _keys(group: exp.Expr | None, items: list[tuple[str, exp.Expr]], scope: Scope) -> list[str]:
    """The GROUP BY expressions; a number means that item of the select list."""
    keys = []
    for node in group.expressions if group is not None else []:
        place = _position(node, len(items))
        value = term(items[place][1] if place is not None else node, scope)
        if not value.constant:
            keys.append(groupable(value))
    return keys


def _position(node: exp.Expr, count: int) -> int | None:
    if isinstance(node, exp.Literal) and not node.is_string and str(node.this).isdigit():
        number = int(node.this)
        if 1 <= number <= count:
            return number - 1
    return None


def _bare_column(node: exp.Select, scope: Scope) -> Callable[[str], str]:
    """How a column outside GROUP BY gets its value: from the row of the only min() or max()."""
    extremes = [call for call in _aggregates(node) if str(call.this).lower() in ("min", "max")]
    if len(extremes) == 1:
        by = sortable(term(extremes[0].expressions[0], scope))
        way = "DESC NULLS LAST" if str(extremes[0].this).lower() == "max" else "NULLS LAST"
        return lambda sql: f"(array_agg({sql} ORDER BY {by} {way}))[1]"
    return lambda sql: f"any_value({sql})"


def order_clause(
    node: exp.Expr, items: list[tuple[str, exp.Expr]], scope: Scope, *, by_position: bool
) -> str:
    """ORDER BY; items of the select list go by their number where PostgreSQL asks for that."""
    order = node.args.get("order")
    parts = []
    for item in order.expressions if order is not None else []:
        place = _position(item.this, len(items))
        if place is None and isinstance(item.this, exp.Column) and not item.this.table:
            name = item.this.name.lower()
            place = next((at for at, (own, _) in enumerate(items) if own.lower() == name), None)
        wanted = items[place][1] if place is not None else item.this
        value = term(wanted, scope)
        if value.constant:
            continue
        if by_position:
            if place is None:
                place = next((at for at, (_, own) in enumerate(items) if own == wanted), None)
            if place is None or sortable(value) != value.sql:
                if node.args.get("limit") is None:
                    continue
                raise Untranslatable("orders a set by what it does not show")
            way = " DESC" if item.args.get("desc") else ""
            nulls = "FIRST" if item.args.get("nulls_first") else "LAST"
            parts.append(f"{place + 1}{way} NULLS {nulls}")
        else:
            copy = item.copy()
            copy.set("this", wanted.copy())
            parts.append(ordered(copy, scope, term))
    return f" ORDER BY {', '.join(parts)}" if parts else ""


def limit_clause(node: exp.Expr, scope: Scope) -> tuple[str, bool]:
    """LIMIT and OFFSET, and whether no more than one row can come."""
    parts, single = "", False
    limit, offset = node.args.get("limit"), node.args.get("offset")
    if limit is not None:
        value = term(limit.args["expression"], scope)
        if not isinstance(value.value, int):
            raise Untranslatable("LIMIT that is no constant")
        # A negative limit means none.
        if value.value >= 0:
            parts, single = f" LIMIT {value.value}", value.value <= 1
    if offset is not None:
        value = term(offset.args["expression"], scope)
        if not isinstance(value.value, int):
            raise Untranslatable("OFFSET that is no constant")
        parts += f" OFFSET {max(value.value, 0)}"
    return parts, single

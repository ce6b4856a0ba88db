"""Views: SQLite queries over moved tables and other views, as PostgreSQL queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from buttress.mover.plan import Plan, View
from buttress.mover.sqlite_tokens import split, text_of, tokens
from buttress.mover.translate_aggregates import is_aggregate
from buttress.mover.translate_comparisons import groupable, sortable
from buttress.mover.translate_expressions import condition, ordered, term, without_parentheses
from buttress.mover.translate_relations import from_clause
from buttress.mover.translate_scope import Output, Query, Relation, Scope, parsed
from buttress.mover.translate_terms import (
    ABSENT,
    Term,
    Untranslatable,
    plain,
    quoted,
    regular,
    sql_type,
    unify,
)


def translate_view(source_sql: str, plan: Plan, target: str) -> str:
    """The PostgreSQL query of a CREATE VIEW statement; raises `Untranslatable`."""
    try:
        return view_query(source_sql, plan).sql
    except RecursionError:
        raise Untranslatable(f"{target} is nested too deeply") from None


def view_query(source_sql: str, plan: Plan) -> Query:
    """A view's query and its columns."""
    found = tokens(source_sql)
    at = next(at for at, token in enumerate(found) if token.says("VIEW")) + 1
    at += 3 if found[at].says("IF") else 0
    at += 3 if found[at + 1].text == "." else 1
    titles = None
    if found[at].text == "(":
        end = next(end for end in range(at, len(found)) if found[end].text == ")")
        titles = [token.name for token in found[at + 1 : end] if token.text != ","]
        at = end + 1
    body = source_sql[found[at + 1].start :].rstrip().rstrip(";")
    return query(parsed(body), plan_scope(plan), texts=item_texts(body), titles=titles)


def plan_scope(plan: Plan) -> Scope:
    """The scope in which a plan's tables and views are known."""

    def columns(view: View) -> list[Output]:
        return view_query(view.source, plan).columns

    return Scope(plan=plan, queries=query, views=columns)


def item_texts(body: str) -> list[str]:
    """The texts of the first select list: SQLite names unnamed columns by them."""
    found = tokens(body)
    if not found or not found[0].says("SELECT"):
        return []
    depth, end = 0, len(found)
    for at, token in enumerate(found):
        depth += (token.text == "(") - (token.text == ")")
        ends = ("FROM", "WHERE", "UNION", "EXCEPT", "INTERSECT", "ORDER", "GROUP", "LIMIT")
        if depth == 0 and token.says(*ends):
            end = at
            break
    first = 2 if found[1].says("DISTINCT", "ALL") else 1
    return [text_of(body, part) for part in split(found[first:end], ",")]


def query(
    node: exp.Expr,
    scope: Scope,
    texts: list[str] | None = None,
    titles: list[str] | None = None,
) -> Query:
    """A SELECT, VALUES or compound of them.

    `texts` are the select list's items as written, `titles` the names the columns get.
    """
    if isinstance(node, exp.Subquery):
        node = node.this
    with_ = node.args.get("with_")
    prefix = ""
    if with_ is not None:
        prefix, scope = _common_tables(with_, scope)
    if isinstance(node, exp.Select):
        found = _select(node, scope, texts or [], titles)
    elif isinstance(node, exp.Values):
        found = _values(node, scope, titles)
    elif isinstance(node, exp.SetOperation):
        found = _compound(node, scope, texts or [], titles)
    else:
        raise Untranslatable("is no query")
    return replace(found, render=lambda terms: prefix + found.render(terms)) if prefix else found


def _common_tables(with_: exp.Expr, scope: Scope) -> tuple[str, Scope]:
    """WITH: its text, and the scope that knows its tables."""
    parts = []
    for number, table in enumerate(with_.expressions):
        name = table.alias
        titles = [column.name for column in table.args["alias"].args.get("columns") or []] or None
        sql_name = quoted(name)
        found = _recursive(table.this, name, scope, titles) if with_.args.get("recursive") else None
        if found is None:
            found = query(table.this, scope, titles=titles)
        names = ", ".join(quoted(column.target) for column in found.columns)
        parts.append(f"{sql_name} ({names}) AS ({found.sql})")
        relation = Relation(name, sql_name, found.columns)
        scope = replace(scope, ctes={**scope.ctes, name.lower(): relation})
        del number
    word = "RECURSIVE " if with_.args.get("recursive") else ""
    return f"WITH {word}{', '.join(parts)} ", scope


def _recursive(node: exp.Expr, name: str, scope: Scope, titles: list[str] | None) -> Query | None:
    """A recursive common table expression; None for one that does not name itself."""
    if not any(table.name.lower() == name.lower() for table in node.find_all(exp.Table)):
        return None
    leaves = _leaves(node)
    if len(leaves) != 2 or not isinstance(node, exp.Union) or node.args.get("limit"):
        raise Untranslatable("a recursive query of an unusual form")
    anchor = query(leaves[0], scope, titles=titles)
    relation = Relation(name, quoted(name), anchor.columns)
    inner = replace(scope, ctes={**scope.ctes, name.lower(): relation})
    step = query(leaves[1], inner)
    fitted = []
    for output, first, again in zip(anchor.columns, anchor.terms, step.terms, strict=True):
        pair, model = unify([first, again])
        if (model.kind, model.rule) != (output.term.kind, output.term.rule):
            raise Untranslatable("a recursive query whose kinds change")
        fitted.append(pair)
    word = "UNION" if node.args.get("distinct") else "UNION ALL"
    sides = (
        anchor.render([pair[0] for pair in fitted]),
        step.render([pair[1] for pair in fitted]),
    )
    return replace(anchor, render=lambda _: f"{sides[0]} {word} {sides[1]}")


def _select(node: exp.Select, scope: Scope, texts: list[str], titles: list[str] | None) -> Query:
    tables, relations, merged = from_clause(node, scope)
    scope = replace(scope, relations=relations)
    items = _items(node, scope, merged, texts)
    if titles is not None and len(titles) != len(items):
        raise Untranslatable("names another number of columns than it selects")
    own = [node for node in node.expressions if isinstance(node, exp.Alias)]
    scope = replace(scope, aliases={item.alias.lower(): item.this for item in own})
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
        terms = [_distinguishable(value) for value in terms]
    columns = _outputs(titles or [name for name, _ in items], terms)
    clauses.append(_order(node, items, scope, by_position=distinct))
    tail, single = _limit(node, scope)
    word = "SELECT DISTINCT" if distinct else "SELECT"
    clauses.append(tail)

    def render(chosen: list[Term]) -> str:
        shown = [
            f"{without_parentheses(regular(value))} AS {quoted(column.target)}"
            for value, column in zip(chosen, columns, strict=True)
        ]
        return f"{word} {', '.join(shown)}{''.join(clauses)}"

    return Query(columns, terms, render, single or (grouped and group is None))


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


def _outputs(names: list[str], terms: list[Term]) -> list[Output]:
    """Columns with names as SQLite and as PostgreSQL has them; a repeated name gets a number."""
    taken: set[str] = set()
    outputs = []
    for position, (name, value) in enumerate(zip(names, terms, strict=True)):
        unique, number = name, 0
        while unique.lower() in taken:
            number += 1
            unique = f"{name}:{number}"
        taken.add(unique.lower())
        target = unique if 0 < len(unique.encode()) <= 63 else f"column_{position + 1}"
        kept = replace(value, sql="", value=ABSENT, small=False, stored=False, explicit=False)
        if value.kind == "json":
            kept = Term("", "text")
        outputs.append(Output(unique, target.replace("\0", ""), kept))
    return outputs


def _distinguishable(value: Term) -> Term:
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


def _order(
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
            parts.append(ordered(copy, scope))
    return f" ORDER BY {', '.join(parts)}" if parts else ""


def _limit(node: exp.Expr, scope: Scope) -> tuple[str, bool]:
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


def _values(node: exp.Expr, scope: Scope, titles: list[str] | None) -> Query:
    rows = [[term(item, scope) for item in row.expressions] for row in node.expressions]
    fitted = [unify(list(column)) for column in zip(*rows, strict=True)]
    models = [model for _, model in fitted]
    lines = []
    for number in range(len(rows)):
        cells = [_typed(values[number], model) for values, model in fitted]
        lines.append(f"({', '.join(cells)})")
    columns = _outputs(titles or [f"column{at + 1}" for at in range(len(models))], models)
    text = f"VALUES {', '.join(lines)}"
    names = ", ".join(quoted(column.target) for column in columns)
    named = f"SELECT * FROM ({text}) AS rows ({names})"
    return Query(columns, models, lambda _: named, single=len(rows) == 1)


def _typed(value: Term, model: Term) -> str:
    """A value where the types of all rows must agree."""
    if value.kind == "null":
        return f"NULL::{sql_type(model)}"
    return without_parentheses(regular(value))


def _leaves(node: exp.Expr) -> list[exp.Expr]:
    """The simple queries of a compound, from left to right."""
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.SetOperation):
        node = node.this
    if not isinstance(node, exp.SetOperation):
        return [node]
    return [*_leaves(node.this), node.args["expression"]]


def _words(node: exp.Expr) -> list[str]:
    """The operators between a compound's queries."""
    if isinstance(node, exp.Subquery):
        node = node.this
    if not isinstance(node, exp.SetOperation):
        return []
    if isinstance(node, exp.Union):
        word = "UNION" if node.args.get("distinct") else "UNION ALL"
    else:
        word = "INTERSECT" if isinstance(node, exp.Intersect) else "EXCEPT"
    return [*_words(node.this), word]


def _compound(
    node: exp.SetOperation, scope: Scope, texts: list[str], titles: list[str] | None
) -> Query:
    """UNION, INTERSECT and EXCEPT, all of one precedence in SQLite."""
    words = _words(node)
    if "INTERSECT" in words and set(words) != {"INTERSECT"}:
        raise Untranslatable("mixes INTERSECT with other set operations")
    leaves = _leaves(node)
    sides = [query(leaves[0], scope, texts, titles)]
    sides += [query(leaf, scope) for leaf in leaves[1:]]
    if len({len(side.columns) for side in sides}) > 1:
        raise Untranslatable("joins queries of different numbers of columns")
    fitted, models = [], []
    for position in range(len(sides[0].columns)):
        column = [side.terms[position] for side in sides]
        if set(words) != {"UNION ALL"}:
            column = [_distinguishable(value) for value in column]
        values, model = unify([_text_of_json(value) for value in column])
        fitted.append([_null_as(value, model) for value in values])
        models.append(model)
    own = sides[0].columns
    columns = [replace(output, term=model) for output, model in zip(own, models, strict=True)]
    columns = [replace(column, term=_outputs(["x"], [column.term])[0].term) for column in columns]
    rendered = [
        side.render([values[number] for values in fitted]) for number, side in enumerate(sides)
    ]
    items: list[tuple[str, exp.Expr]] = [
        (column.name, exp.column(column.name, quoted=True)) for column in columns
    ]
    inside = replace(scope, relations=[Relation("", "", columns)], aliases={}, keys=None)
    order = _order(node, items, inside, by_position=True)
    tail, single = _limit(node, scope)
    text = rendered[0]
    for word, side in zip(words, rendered[1:], strict=True):
        text += f" {word} {side}"
    text += order + tail
    terms = [column.term for column in columns]
    return Query(columns, terms, lambda _: text, single)


def _text_of_json(value: Term) -> Term:
    return Term(regular(value), "text") if value.kind == "json" else value


def _null_as(value: Term, model: Term) -> Term:
    """A NULL of the type the other queries give."""
    if value.kind != "null" or model.kind == "null":
        return value
    return replace(model, sql=f"NULL::{sql_type(model)}", value=ABSENT)

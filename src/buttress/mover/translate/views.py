"""Views: SQLite queries over moved tables and other views, as PostgreSQL queries."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from buttress.mover.plan import Plan, View
from buttress.mover.source.sqlite_tokens import split, text_of, tokens
from buttress.mover.translate.expressions import term
from buttress.mover.translate.scope import Output, Query, Relation, Scope, parsed
from buttress.mover.translate.select import (
    distinguishable,
    limit_clause,
    order_clause,
    outputs,
    select,
    shown,
)
from buttress.mover.translate.terms import (
    ABSENT,
    Term,
    Untranslatable,
    quoted,
    regular,
    sql_type,
    unify,
    without_parentheses,
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
        found = select(node, scope, texts or [], titles)
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
    for table in with_.expressions:
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


def _values(node: exp.Expr, scope: Scope, titles: list[str] | None) -> Query:
    rows = [[term(item, scope) for item in row.expressions] for row in node.expressions]
    fitted = [unify(list(column)) for column in zip(*rows, strict=True)]
    models = [model for _, model in fitted]
    lines = []
    for number in range(len(rows)):
        cells = [_typed(values[number], model) for values, model in fitted]
        lines.append(f"({', '.join(cells)})")
    columns = outputs(titles or [f"column{at + 1}" for at in range(len(models))], models)
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
            column = [distinguishable(value) for value in column]
        values, model = unify([_text_of_json(value) for value in column])
        fitted.append([_null_as(value, model) for value in values])
        models.append(model)
    own = sides[0].columns
    columns = [
        replace(output, term=shown(model)) for output, model in zip(own, models, strict=True)
    ]
    rendered = [
        side.render([values[number] for values in fitted]) for number, side in enumerate(sides)
    ]
    items: list[tuple[str, exp.Expr]] = [
        (column.name, exp.column(column.name, quoted=True)) for column in columns
    ]
    inside = replace(scope, relations=[Relation("", "", columns)], aliases={}, keys=None)
    order = order_clause(node, items, inside, by_position=True)
    tail, single = limit_clause(node, scope)
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

"""FROM: tables, views, subqueries and joins."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from buttress.mover.translate.comparisons import compare
from buttress.mover.translate.expressions import condition, term
from buttress.mover.translate.json import document
from buttress.mover.translate.scope import Output, Relation, Scope, table_relation
from buttress.mover.translate.terms import Term, Untranslatable, quoted, without_parentheses

Merged = frozenset[tuple[str, str]]


def from_clause(node: exp.Expr, scope: Scope) -> tuple[str, list[Relation], Merged]:
    """The text after FROM (empty for none), its relations, and the columns * shows only once."""
    start = node.args.get("from_")
    if start is None:
        return "", [], frozenset()
    return _joined(start.this, node.args.get("joins") or [], scope)


def _joined(
    first: exp.Expr, joins: list[exp.Expr], scope: Scope
) -> tuple[str, list[Relation], Merged]:
    sql, relations, merged = _source(first, scope, [])
    for join in joins:
        text, new, inner = _source(join.this, scope, relations)
        merged |= inner
        side = str(join.args.get("side") or "").upper()
        common = _common_columns(join, relations, new)
        if common and side in ("RIGHT", "FULL"):
            raise Untranslatable(f"{side} JOIN with USING")
        if common and len(new) > 1:
            raise Untranslatable("USING with a group of joins")
        merged |= {(new[0].name, name.lower()) for name in common}
        conditions = [_equal(name, relations, new[0]) for name in common]
        relations = [*relations, *new]
        on = join.args.get("on")
        if on is not None:
            inside = replace(scope, relations=relations)
            conditions.append(without_parentheses(condition(on, inside)))
        if not conditions and not side:
            sql += f" CROSS JOIN {text}"
        else:
            sql += f" {side} JOIN {text}".replace("  ", " ")
            sql += f" ON {' AND '.join(conditions) or 'true'}"
    return sql, relations, merged


def _common_columns(join: exp.Expr, left: list[Relation], right: list[Relation]) -> list[str]:
    """The columns named by USING, or shared by both sides of NATURAL JOIN."""
    if str(join.args.get("method") or "").upper() == "NATURAL":
        known = {column.name.lower() for relation in left for column in relation.shown}
        return [
            column.name
            for relation in right
            for column in relation.shown
            if column.name.lower() in known
        ]
    return [identifier.name for identifier in join.args.get("using") or []]


def _equal(name: str, left: list[Relation], right: Relation) -> str:
    one = next((found for relation in left if (found := relation.find(name))), None)
    other = right.find(name)
    if one is None or other is None:
        raise Untranslatable(f"joins by the unknown column {name}")
    return without_parentheses(compare("=", one, other).sql)


def _source(
    node: exp.Expr, scope: Scope, before: list[Relation]
) -> tuple[str, list[Relation], Merged]:
    """One table, view, subquery or parenthesised join."""
    if isinstance(node, exp.Subquery | exp.Values):
        inner = node.this if isinstance(node, exp.Subquery) else node
        if isinstance(inner, exp.Table):
            if node.alias:
                raise Untranslatable("names a group of joins")
            text, relations, merged = _source(inner, scope, before)
            return f"({text})", relations, merged
        if scope.queries is None:
            raise Untranslatable("holds a query")
        found = scope.queries(inner, scope.inner())
        alias = node.alias or f"subquery_{len(before) + 1}"
        relation = Relation(alias, quoted(alias), found.columns)
        return f"({found.sql}) AS {quoted(alias)}", [relation], frozenset()
    if not isinstance(node, exp.Table):
        raise Untranslatable("reads from something that is no table")
    if node.args.get("joins"):
        alone = node.copy()
        alone.set("joins", None)
        return _joined(alone, node.args["joins"], scope)
    if isinstance(node.this, exp.Anonymous):
        return _table_function(node, scope, before)
    text, relation = named(node, scope)
    return text, [relation], frozenset()


def named(node: exp.Expr, scope: Scope) -> tuple[str, Relation]:
    """A table or view by its name, with its alias."""
    name, alias = node.name, node.alias or node.name
    if node.args.get("db") is not None and node.args["db"].name.lower() not in ("main", "temp"):
        raise Untranslatable(f"reads another database, {node.args['db'].name}")
    sql = quoted(alias)
    if name.lower() in scope.ctes:
        relation = scope.ctes[name.lower()]
        shown = relation.sql if relation.sql == sql else f"{relation.sql} AS {sql}"
        return shown, replace(relation, name=alias, sql=sql)
    if scope.plan is None:
        raise Untranslatable("reads a table")
    for table in scope.plan.tables:
        if table.name.lower() == name.lower():
            relation = table_relation(table, alias, sql)
            return _aliased(table.target, alias), relation
    for view in scope.plan.views:
        if view.name.lower() == name.lower() and scope.views is not None:
            return _aliased(view.target, alias), Relation(alias, sql, scope.views(view))
    raise Untranslatable(f"reads {name}, which is not carried")


def _aliased(target: str, alias: str) -> str:
    return quoted(target) if target == alias else f"{quoted(target)} AS {quoted(alias)}"


def _table_function(
    node: exp.Expr, scope: Scope, before: list[Relation]
) -> tuple[str, list[Relation], Merged]:
    """`json_each`: the values of an array or an object."""
    call = node.this
    if str(call.this).lower() != "json_each" or len(call.expressions) != 1:
        raise Untranslatable(f"reads from the function {call.this}()")
    alias = node.alias or "json_each"
    value = term(call.expressions[0], replace(scope, relations=before))
    sql = document(value)
    kind = f"json_typeof({sql})"
    text = (
        f"LATERAL (SELECT value FROM json_array_elements(CASE {kind} WHEN 'array' THEN {sql} END) "
        f"UNION ALL SELECT value FROM json_each(CASE {kind} WHEN 'object' THEN {sql} END) "
        f"UNION ALL SELECT {sql} WHERE {kind} NOT IN ('array', 'object')) AS {quoted(alias)}"
    )
    columns = [Output("value", "value", Term("", "json"))]
    relation = Relation(alias, quoted(alias), columns, hidden=frozenset(["value"]))
    return text, [relation], frozenset()

"""Calls of aggregates and window functions: DISTINCT, ORDER BY, FILTER and OVER."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from buttress.mover.translate.aggregates import WINDOW_ONLY, Call, aggregate, window
from buttress.mover.translate.comparisons import sortable
from buttress.mover.translate.scope import Scope
from buttress.mover.translate.terms import Term, Untranslatable, truth, without_parentheses

Compile = Callable[[exp.Expr, Scope], Term]
"""What translates an expression inside a call."""


def call(node: exp.Expr, scope: Scope, term: Compile) -> Call:
    """An aggregate's or window function's call, before FILTER and OVER."""
    name, nodes, inside = str(node.this).lower(), list(node.expressions), scope.ungrouped()
    if name in WINDOW_ONLY:
        return window(name, [term(item, scope) for item in nodes])
    star = bool(nodes) and isinstance(nodes[0], exp.Star)
    distinct = bool(nodes) and isinstance(nodes[0], exp.Distinct)
    if distinct:
        nodes = [*nodes[0].expressions, *nodes[1:]]
    order = ""
    if nodes and isinstance(nodes[-1], exp.Order):
        order = ", ".join(ordered(item, inside, term) for item in nodes[-1].expressions)
        nodes[-1] = nodes[-1].this
    arguments = [] if star else [term(item, inside) for item in nodes]
    return aggregate(
        name, arguments, distinct=distinct, star=star, order=order, scan_order=_scan_order(scope)
    )


def _scan_order(scope: Scope) -> str:
    """The order in which SQLite reads the rows when nothing else is asked for."""
    first = scope.relations[0] if scope.relations else None
    key = first.find(first.rowid) if first and first.rowid else None
    return key.sql if key else ""


def ordered(node: exp.Expr, scope: Scope, term: Compile) -> str:
    """One term of ORDER BY; NULLs come first in SQLite unless told otherwise."""
    descending = bool(node.args.get("desc"))
    nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
    sql = sortable(term(node.this, scope))
    return f"{sql}{' DESC' if descending else ''} NULLS {nulls}"


def window_term(node: exp.Expr, scope: Scope, term: Compile) -> Term:
    """A function with OVER."""
    if node.args.get("alias") is not None:
        raise Untranslatable("uses a named window")
    function, tail = node.this, ""
    if isinstance(function, exp.Filter):
        tail = _filter_clause(function, scope, term)
        function = function.this
    if not isinstance(function, exp.Anonymous):
        raise Untranslatable("uses an unknown window function")
    parts = []
    partitions = [sortable(term(item, scope)) for item in node.args.get("partition_by") or []]
    if partitions:
        parts.append(f"PARTITION BY {', '.join(partitions)}")
    order = node.args.get("order")
    if order is not None:
        items = [ordered(item, scope, term) for item in order.expressions]
        parts.append(f"ORDER BY {', '.join(items)}")
    if node.args.get("spec") is not None:
        parts.append(str(node.args["spec"].sql(dialect="postgres")))
    # Inside OVER aggregates see the grouped rows: their arguments are not aggregated again.
    opened = replace(scope, keys=None) if scope.keys is None else scope
    name = str(function.this).lower()
    if scope.keys is not None and name not in WINDOW_ONLY:
        raise Untranslatable("an aggregate over a window of groups")
    return call(function, opened, term).term(f"{tail} OVER ({' '.join(parts)})")


def filter_term(node: exp.Expr, scope: Scope, term: Compile) -> Term:
    """An aggregate with FILTER."""
    return call(node.this, scope, term).term(_filter_clause(node, scope, term))


def _filter_clause(node: exp.Expr, scope: Scope, term: Compile) -> str:
    inside = truth(term(node.args["expression"].this, scope.ungrouped()))
    return f" FILTER (WHERE {without_parentheses(inside)})"

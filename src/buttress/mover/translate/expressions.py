"""SQLite expressions, node by node; whatever is not listed here is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from sqlglot import exp

from buttress.mover.translate import json as translate_json
from buttress.mover.translate.aggregates import is_aggregate
from buttress.mover.translate.calls import call, filter_term, window_term
from buttress.mover.translate.comparisons import (
    compare,
    contained,
    glob,
    like,
    operands,
)
from buttress.mover.translate.dates import current, date_function
from buttress.mover.translate.functions import choice, random_function, scalar
from buttress.mover.translate.operators import (
    arithmetic,
    bitwise,
    cast_to,
    concatenated,
    negative,
)
from buttress.mover.translate.scope import Query, Scope
from buttress.mover.translate.terms import (
    Term,
    Untranslatable,
    literal,
    truth,
    without_parentheses,
)

_DATES = {"date", "time", "datetime", "julianday", "unixepoch", "strftime"}


def term(node: exp.Expr, scope: Scope) -> Term:
    """The PostgreSQL expression of a node."""
    if scope.keys:
        try:
            whole = term(node, scope.ungrouped())
        except Untranslatable:
            whole = None
        if whole is not None and whole.sql in scope.keys:
            return whole
    compile_node = _NODES.get(type(node))
    if compile_node is None:
        raise Untranslatable(f"uses {node.sql(dialect='sqlite')[:60]}")
    return compile_node(node, scope)


def condition(node: exp.Expr, scope: Scope) -> str:
    """The node as a PostgreSQL boolean."""
    return truth(term(node, scope))


def _column(node: exp.Expr, scope: Scope) -> Term:
    identifier = node.this
    if not isinstance(identifier, exp.Identifier):
        raise Untranslatable("uses * in an expression")
    table = node.args.get("table")
    found = scope.column(identifier.name, table.name if table else "")
    if isinstance(found, Term):
        return found
    if found is not None:
        return term(found, replace(scope, aliases={}))
    if identifier.quoted and not table:
        # SQLite takes "a name no column has" for a string.
        return literal(identifier.name)
    raise Untranslatable(f"uses the unknown column {identifier.name}")


def _literal(node: exp.Expr, _: Scope) -> Term:
    if node.is_string:
        return literal(str(node.this))
    spelled = str(node.this).replace("_", "")
    try:
        return literal(int(spelled))
    except ValueError:
        return literal(float(spelled))


def _compared(operator: str) -> Callable[[exp.Expr, Scope], Term]:
    def compile_node(node: exp.Expr, scope: Scope) -> Term:
        if isinstance(node.this, exp.Tuple) or isinstance(node.args["expression"], exp.Tuple):
            return _tuples(operator, node, scope)
        return _comparison(operator, term(node.this, scope), term(node.args["expression"], scope))

    return compile_node


def _comparison(operator: str, left: Term, right: Term) -> Term:
    if "json" in (left.kind, right.kind):
        if left.kind != "json":
            mirror = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
            left, right, operator = right, left, mirror.get(operator, operator)
        if right.kind == "null":
            return compare(operator, Term(f"({left.sql} #>> '{{}}')", "text"), right)
        return translate_json.compared(operator, left, right)
    return compare(operator, left, right)


def _tuples(operator: str, node: exp.Expr, scope: Scope) -> Term:
    left, right = node.this, node.args["expression"]
    if operator != "=" or not isinstance(left, exp.Tuple) or not isinstance(right, exp.Tuple):
        raise Untranslatable("compares rows")
    pairs = zip(left.expressions, right.expressions, strict=True)
    equal = [compare("=", term(one, scope), term(other, scope)).sql for one, other in pairs]
    return Term(f"({' AND '.join(equal)})", "boolean")


def _is(node: exp.Expr, scope: Scope) -> Term:
    value, other = term(node.this, scope), node.args["expression"]
    if isinstance(other, exp.Null):
        shown = f"({value.sql} #>> '{{}}')" if value.kind == "json" else value.sql
        return Term(f"({shown} IS NULL)", "boolean")
    if isinstance(other, exp.Boolean):
        return Term(f"({truth(value)} IS {'TRUE' if other.this else 'FALSE'})", "boolean")
    return _comparison("IS", value, term(other, scope))


def _not(node: exp.Expr, scope: Scope) -> Term:
    inner = node.this
    if isinstance(inner, exp.Is) and isinstance(inner.args["expression"], exp.Null):
        return Term(_is(inner, scope).sql.replace(" IS NULL)", " IS NOT NULL)"), "boolean")
    if isinstance(inner, exp.In):
        found = _in(inner, scope).sql
        head, found_in, tail = found.partition(" IN (")
        if found_in and " OR " not in found and head.count("(") == 1:
            return Term(f"{head} NOT IN ({tail}", "boolean")
        return Term(f"(NOT {found})", "boolean")
    return Term(f"(NOT {condition(inner, scope)})", "boolean")


def _logical(word: str) -> Callable[[exp.Expr, Scope], Term]:
    def compile_node(node: exp.Expr, scope: Scope) -> Term:
        sides = []
        for side in (node.this, node.args["expression"]):
            sql = condition(side, scope)
            sides.append(without_parentheses(sql) if type(side) is type(node) else sql)
        return Term(f"({f' {word} '.join(sides)})", "boolean")

    return compile_node


def _paren(node: exp.Expr, scope: Scope) -> Term:
    return term(node.this, scope)


def _between(node: exp.Expr, scope: Scope) -> Term:
    value = term(node.this, scope)
    low, high = term(node.args["low"], scope), term(node.args["high"], scope)
    try:
        first, bottom = operands(value, low, ordering=True)
        second, top = operands(value, high, ordering=True)
    except Untranslatable:
        first, second = "", "differ"
    if first == second:
        return Term(f"({first} BETWEEN {bottom} AND {top})", "boolean")
    above, below = _comparison(">=", value, low), _comparison("<=", value, high)
    return Term(f"({above.sql} AND {below.sql})", "boolean")


def _in(node: exp.Expr, scope: Scope) -> Term:
    query = node.args.get("query")
    field = node.args.get("field")
    if field is not None:
        query = exp.select("*").from_(exp.to_table(field.name, dialect="sqlite"))
    if query is not None:
        return _in_query(node.this, query, scope)
    value = term(node.this, scope)
    items = [term(item, scope) for item in node.expressions]
    if value.kind == "json":
        equal = " OR ".join(_comparison("=", value, item).sql for item in items)
        return Term(f"({equal or 'false'})", "boolean")
    return contained(value, items)


def _in_query(left: exp.Expr, query: exp.Expr, scope: Scope) -> Term:
    found = subquery(query, scope)
    lefts = left.expressions if isinstance(left, exp.Tuple) else [left]
    values = [term(item, scope) for item in lefts]
    if len(values) != len(found.columns):
        raise Untranslatable("IN with a query of another number of columns")
    shown = []
    for value, output in zip(values, found.columns, strict=True):
        right = replace(output.term, sql="r", collation=None, explicit=False)
        first, second = operands(value, right, ordering=False)
        if second != "r":
            raise Untranslatable(f"IN with a query that gives a {output.term.kind}")
        shown.append(first)
    row = f"({', '.join(shown)})" if len(shown) > 1 else shown[0]
    return Term(f"({row} IN ({found.sql}))", "boolean")


def subquery(node: exp.Expr, scope: Scope) -> Query:
    """A query inside an expression."""
    if scope.queries is None:
        raise Untranslatable("holds a query")
    inner = node.this if isinstance(node, exp.Subquery) else node
    return scope.queries(inner, scope.inner())


def _scalar_query(node: exp.Expr, scope: Scope) -> Term:
    found = subquery(node, scope)
    if len(found.columns) != 1:
        raise Untranslatable("a query of several columns as a value")
    # SQLite takes the first row where PostgreSQL would raise.
    sql = found.sql if found.single else f"{found.sql} LIMIT 1"
    return replace(found.columns[0].term, sql=f"({sql})", stored=False)


def _exists(node: exp.Expr, scope: Scope) -> Term:
    return Term(f"EXISTS ({subquery(node.this, scope).sql})", "boolean")


def _like(node: exp.Expr, scope: Scope) -> Term:
    negated = bool(node.args.get("negate"))
    return like(term(node.this, scope), term(node.args["expression"], scope), None, negated=negated)


def _escape(node: exp.Expr, scope: Scope) -> Term:
    inner = node.this
    if not isinstance(inner, exp.Like):
        raise Untranslatable("uses ESCAPE without LIKE")
    value, pattern = term(inner.this, scope), term(inner.args["expression"], scope)
    escape = term(node.args["expression"], scope)
    return like(value, pattern, escape, negated=bool(inner.args.get("negate")))


def _glob(node: exp.Expr, scope: Scope) -> Term:
    return glob(term(node.this, scope), term(node.args["expression"], scope))


def _case(node: exp.Expr, scope: Scope) -> Term:
    subject = term(node.this, scope) if node.this is not None else None
    conditions, values = [], []
    for arm in node.args["ifs"]:
        if subject is None:
            conditions.append(condition(arm.this, scope))
        else:
            conditions.append(_comparison("=", subject, term(arm.this, scope)).sql)
        values.append(term(arm.args["true"], scope))
    default = node.args.get("default")
    values.append(term(default, scope) if default is not None else literal(None))
    return choice([without_parentheses(sql) for sql in conditions], values)


def _cast(node: exp.Expr, scope: Scope) -> Term:
    wanted = node.args["to"]
    name = str(wanted.args.get("kind") or wanted.this.value)
    value = term(node.this, scope)
    # The parser's names for BLOB and NUMERIC.
    return cast_to(value, {"VARBINARY": "BLOB"}.get(name.upper(), name))


def _collate(node: exp.Expr, scope: Scope) -> Term:
    name = str(node.args["expression"].name)
    return replace(term(node.this, scope), collation=name, explicit=True)


def _function(node: exp.Expr, scope: Scope) -> Term:
    name = str(node.this).lower()
    if is_aggregate(name, len(node.expressions)):
        return call(node, scope, term).term()
    arguments = [term(argument, scope) for argument in node.expressions]
    if name in _DATES:
        return date_function(name, arguments, immutable=scope.immutable)
    if name.startswith("random") and scope.random:
        return random_function(name, arguments)
    if name.startswith("json"):
        return translate_json.json_function(name, arguments)
    return scalar(name, arguments)


def _json_step(*, as_text: bool) -> Callable[[exp.Expr, Scope], Term]:
    def compile_node(node: exp.Expr, scope: Scope) -> Term:
        path = node.args["expression"]
        if not isinstance(path, exp.JSONPath):
            raise Untranslatable("JSON with a path that is no constant")
        steps = []
        for part in path.expressions[1:]:
            if not isinstance(part, exp.JSONPathKey | exp.JSONPathSubscript):
                raise Untranslatable("JSON with an unusual path")
            steps.append(str(part.this))
        return translate_json.extracted(term(node.this, scope), steps, as_text=as_text)

    return compile_node


def _arithmetic(operator: str) -> Callable[[exp.Expr, Scope], Term]:
    return lambda node, scope: arithmetic(
        operator, term(node.this, scope), term(node.args["expression"], scope)
    )


def _bitwise(operator: str) -> Callable[[exp.Expr, Scope], Term]:
    return lambda node, scope: bitwise(
        operator, term(node.this, scope), term(node.args["expression"], scope)
    )


_NODES: dict[type[exp.Expr], Callable[[exp.Expr, Scope], Term]] = {
    exp.Add: _arithmetic("+"),
    exp.And: _logical("AND"),
    exp.Anonymous: _function,
    exp.Between: _between,
    exp.BitwiseAnd: _bitwise("&"),
    exp.BitwiseLeftShift: _bitwise("<<"),
    exp.BitwiseNot: lambda node, scope: bitwise("~", literal(0), term(node.this, scope)),
    exp.BitwiseOr: _bitwise("|"),
    exp.BitwiseRightShift: _bitwise(">>"),
    exp.Boolean: lambda node, _: literal(int(cast(bool, node.this))),
    exp.Case: _case,
    exp.Cast: _cast,
    exp.Collate: _collate,
    exp.Column: _column,
    exp.CurrentDate: lambda _, __: current("DATE"),
    exp.CurrentTime: lambda _, __: current("TIME"),
    exp.CurrentTimestamp: lambda _, __: current("TIMESTAMP"),
    exp.Div: _arithmetic("/"),
    exp.DPipe: lambda node, scope: concatenated(
        term(node.this, scope), term(node.args["expression"], scope)
    ),
    exp.EQ: _compared("="),
    exp.Escape: _escape,
    exp.Exists: _exists,
    exp.Filter: lambda node, scope: filter_term(node, scope, term),
    exp.Glob: _glob,
    exp.GT: _compared(">"),
    exp.GTE: _compared(">="),
    exp.HexString: lambda node, _: literal(bytes.fromhex(str(node.this))),
    exp.In: _in,
    exp.Is: _is,
    exp.JSONExtract: _json_step(as_text=True),
    exp.JSONExtractScalar: _json_step(as_text=False),
    exp.Like: _like,
    exp.Literal: _literal,
    exp.LT: _compared("<"),
    exp.LTE: _compared("<="),
    exp.Mod: _arithmetic("%"),
    exp.Mul: _arithmetic("*"),
    exp.Neg: lambda node, scope: negative(term(node.this, scope)),
    exp.NEQ: _compared("<>"),
    exp.Not: _not,
    exp.Null: lambda _, __: literal(None),
    exp.NullSafeEQ: _compared("IS"),
    exp.NullSafeNEQ: _compared("IS NOT"),
    exp.Or: _logical("OR"),
    exp.Paren: _paren,
    exp.Select: _scalar_query,
    exp.Sub: _arithmetic("-"),
    exp.Subquery: _scalar_query,
    exp.Window: lambda node, scope: window_term(node, scope, term),
}

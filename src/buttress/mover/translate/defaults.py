"""DEFAULT values: constants and the few functions people use there, by the column's rule."""

from __future__ import annotations

from sqlglot import exp

from buttress.mover.plan import Column
from buttress.mover.translate.dates import NOW
from buttress.mover.translate.expressions import term
from buttress.mover.translate.scope import Scope, parsed
from buttress.mover.translate.stores import assigned
from buttress.mover.translate.terms import (
    Term,
    Untranslatable,
    affinity_of,
    literal,
    native_literal,
    numeric_value,
    regular,
    string,
    without_parentheses,
)


def default(text: str, column: Column) -> str:
    """The PostgreSQL DEFAULT of a column, from the text SQLite keeps."""
    words = text.strip()
    if words.startswith("+"):
        words = words[1:].strip()
    tree = parsed(f"SELECT {words}").args["expressions"]
    if len(tree) != 1 or isinstance(tree[0], exp.Alias):
        raise Untranslatable("is no single expression")
    node = tree[0]
    while isinstance(node, exp.Paren):
        node = node.this
    moment = _moment(node, column)
    if moment:
        return moment
    made = _uuid(words, column)
    if made:
        return made
    value = _value(node)
    if value.constant:
        return _constant(value, column)
    # DEFAULT takes few operators without parentheses.
    return assigned(value, column)


def _uuid(words: str, column: Column) -> str:
    """A random UUID, in the forms people write it with randomblob(); empty when it is none."""
    compact = "".join(words.lower().split())
    while compact.startswith("(") and compact.endswith(")"):
        compact = compact[1:-1]
    if column.rule == "uuid(blob)" and compact == "randomblob(16)":
        return "gen_random_uuid()"
    if compact == "lower(hex(randomblob(16)))":
        hexadecimal = "replace(gen_random_uuid()::text, '-', '')"
        return {"uuid(hex)": "gen_random_uuid()", "text": hexadecimal}.get(column.rule, "")
    if compact.startswith("lower(hex(randomblob(4)))||'-'||lower(hex(randomblob(2)))||'-4'||"):
        made = {"uuid": "gen_random_uuid()", "text": "gen_random_uuid()::text"}
        return made.get(column.rule, "")
    return ""


def _value(node: exp.Expr) -> Term:
    if isinstance(node, exp.Column) and not node.args.get("table"):
        # A bare word or a double-quoted name is a string here.
        return literal(str(node.name))
    return term(node, Scope(random=True))


def _constant(value: Term, column: Column) -> str:
    if column.rule == "mixed":
        return _mixed(value, column)
    if column.rule.startswith(("decimal", "numeric")) and isinstance(value.value, str):
        number = numeric_value(value.value)
        value = value if number is None else literal(number)
    found = native_literal(value, column.rule)
    if found is not None and column.rule not in ("integer", "real", "text", "blob", "numeric"):
        if column.rule.startswith("decimal"):
            return value.sql
        return found.sql
    sql = without_parentheses(assigned(value, column))
    return regular(value) if value.kind == "blob" else sql


def _mixed(value: Term, column: Column) -> str:
    """A cell among several storage classes stands as text; new rows are of the usual class."""
    constant = value.value
    affinity = affinity_of(column.declared)
    if isinstance(constant, str) and affinity in ("integer", "real", "numeric"):
        number = numeric_value(constant)
        constant = constant if number is None else number
    kinds = {int: "integer", float: "real", str: "text"}
    if kinds.get(type(constant)) != column.usual:
        raise Untranslatable("is not of the class most cells of the column have")
    return string(constant if isinstance(constant, str) else repr(constant))


def _moment(node: exp.Expr, column: Column) -> str:
    """The current moment in the column's own type; empty when the default is something else."""
    shape = _now_shape(node)
    if not shape:
        return ""
    rule = column.rule
    if rule.startswith("timestamp(") and shape in ("datetime", "fraction", "T"):
        now = "now()" if rule.endswith(("Z)", "+00:00)")) else NOW
        digits = rule.split(", ")[1].rstrip(")")
        if digits in ("6", "auto"):
            return now
        return f"date_trunc('{'milliseconds' if digits == '3' else 'second'}', {now})"
    if rule == "date" and shape == "date":
        return f"{NOW}::date"
    if rule in ("unix seconds", "julian day") and shape == {"u": "epoch", "j": "julian"}[rule[0]]:
        return "date_trunc('second', now())" if shape == "epoch" else "now()"
    if rule == "unix milliseconds" and shape == "milliseconds":
        return "date_trunc('milliseconds', now())"
    pictures = {
        "datetime": "YYYY-MM-DD HH24:MI:SS",
        "date": "YYYY-MM-DD",
        "time": "HH24:MI:SS",
    }
    if rule == "text" and shape in pictures:
        return f"to_char({without_parentheses(NOW)}, '{pictures[shape]}')"
    if rule == "integer" and shape == "epoch":
        return "extract(epoch from now())::bigint"
    if rule == "real" and shape == "julian":
        return "(extract(epoch from now()) / 86400 + 2440587.5)::float8"
    return ""


_FORMATS = {
    "%s": "epoch",
    "%Y-%m-%d": "date",
    "%Y-%m-%d %H:%M:%S": "datetime",
    "%Y-%m-%d %H:%M:%f": "fraction",
    "%Y-%m-%dT%H:%M:%S": "T",
    "%Y-%m-%dT%H:%M:%SZ": "T",
    "%Y-%m-%dT%H:%M:%f": "T",
    "%Y-%m-%dT%H:%M:%fZ": "T",
}


def _now_shape(node: exp.Expr) -> str:
    """Which form of the current moment a node gives; empty for none."""
    words: dict[type[exp.Expr], str] = {
        exp.CurrentTimestamp: "datetime",
        exp.CurrentDate: "date",
        exp.CurrentTime: "time",
    }
    if type(node) in words:
        return words[type(node)]
    if isinstance(node, exp.Cast):
        return _now_shape(node.this) if _now_shape(node.this) == "epoch" else ""
    if isinstance(node, exp.Mul) and _is_thousand(node.args["expression"]):
        return "milliseconds" if _now_shape(node.this) == "epoch" else ""
    if not isinstance(node, exp.Anonymous):
        return ""
    name = str(node.this).lower()
    arguments = [item.this if isinstance(item, exp.Literal) else None for item in node.expressions]
    if name == "strftime" and arguments:
        pattern, *arguments = arguments
        shape = _FORMATS.get(str(pattern), "")
    else:
        shape = {"datetime": "datetime", "date": "date", "time": "time", "unixepoch": "epoch"}.get(
            name, "julian" if name == "julianday" else ""
        )
    return shape if [str(item).lower() for item in arguments] in ([], ["now"]) else ""


def _is_thousand(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.this == "1000"

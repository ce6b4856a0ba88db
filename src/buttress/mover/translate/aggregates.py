"""SQLite's aggregate and window functions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from buttress.mover.translate.comparisons import groupable, sortable
from buttress.mover.translate.terms import Term, Untranslatable, double, number, plain, text

AGGREGATES = {"count", "sum", "total", "avg", "min", "max", "group_concat", "string_agg"}
WINDOW_ONLY = {
    *("row_number", "rank", "dense_rank", "ntile", "percent_rank", "cume_dist"),
    *("lag", "lead", "first_value", "last_value", "nth_value"),
}


@dataclass(frozen=True)
class Call:
    """An aggregate's call, to which FILTER and OVER may be added, and what becomes of it."""

    sql: str
    result: Term
    """The kind of the result; its sql holds `{0}` for the call."""

    def term(self, tail: str = "") -> Term:
        """The finished term."""
        return replace(self.result, sql=self.result.sql.replace("{0}", self.sql + tail))


def is_aggregate(name: str, arguments: int) -> bool:
    """Whether the call is an aggregate: min and max of two values are not."""
    return name in AGGREGATES and (name not in ("min", "max") or arguments == 1)


def aggregate(
    name: str, arguments: list[Term], *, distinct: bool, star: bool, order: str, scan_order: str
) -> Call:
    """An aggregate's call.

    `order` is its own ORDER BY, `scan_order` the order SQLite would read the rows in, both as
    PostgreSQL text or empty.
    """
    word = "DISTINCT " if distinct else ""
    if name == "count":
        counted = "*" if star or not arguments else word + _counted(arguments[0], distinct=distinct)
        return Call(f"count({counted})", Term("{0}", "integer"))
    if not arguments:
        raise Untranslatable(f"{name}() without a value")
    value = arguments[0]
    if name in ("min", "max"):
        return _extreme(name, value)
    if name in ("group_concat", "string_agg"):
        return _joined(arguments, word, order or ("" if distinct else scan_order))
    return _summed(name, value, word)


def _counted(value: Term, *, distinct: bool) -> str:
    if distinct:
        return groupable(value)
    return value.sql if value.kind != "json" else f"({value.sql} #>> '{{}}')"


def _extreme(name: str, value: Term) -> Call:
    if value.kind == "boolean":
        function = "bool_and" if name == "min" else "bool_or"
        return Call(f"{function}({value.sql})", replace(_bare(value), sql="{0}"))
    if value.rule == "json" or value.rule.startswith("uuid") or value.rule.endswith("auto, Z)"):
        value = plain(value)
    if value.kind in ("mixed", "json"):
        plain(value)
    if value.kind == "text" and (value.collation or "BINARY").upper() != "BINARY":
        raise Untranslatable(f"{name}() with the collation {value.collation}")
    return Call(f"{name}({sortable(value)})", replace(_bare(value), sql="{0}"))


def _bare(value: Term) -> Term:
    """What remains known of a value when it no longer is a column."""
    return Term("", value.kind, rule=value.rule, digits=value.digits, small=value.small)


def _summed(name: str, value: Term, word: str) -> Call:
    if value.kind == "boolean":
        shown, known = f"{value.sql}::int", Term("", "integer")
    else:
        known = number(value)
        shown = known.sql
    if name == "total":
        return Call(f"sum({word}{double(known) if known.sql else shown + '::float8'})", _TOTAL)
    if name == "avg":
        if known.kind == "real":
            return Call(f"avg({word}{double(known)})", Term("{0}", "real"))
        return Call(f"avg({word}{shown})", Term("{0}::float8", "real"))
    if known.kind == "integer":
        return Call(f"sum({word}{shown})", Term("{0}::bigint", "integer"))
    if known.kind == "null":
        return Call(f"sum({shown})", Term("{0}::bigint", "integer"))
    if known.kind == "real":
        return Call(f"sum({word}{double(known)})", Term("{0}", "real"))
    return Call(f"sum({word}{shown})", Term("{0}", "number", real_or_zero=known.real_or_zero))


_TOTAL = Term("coalesce({0}, 0)", "real")


def _joined(arguments: list[Term], word: str, order: str) -> Call:
    separator = text(arguments[1]).sql if len(arguments) > 1 else "','"
    tail = f" ORDER BY {order}" if order else ""
    return Call(
        f"string_agg({word}{text(arguments[0]).sql}, {separator}{tail})", Term("{0}", "text")
    )


def window(name: str, arguments: list[Term]) -> Call:
    """A function that exists only with OVER."""
    if name in ("row_number", "rank", "dense_rank"):
        return Call(f"{name}()", Term("{0}", "integer"))
    if name in ("percent_rank", "cume_dist"):
        return Call(f"{name}()", Term("{0}", "real"))
    if name == "ntile":
        return Call(f"ntile({number(arguments[0]).sql}::int)", Term("{0}::bigint", "integer"))
    value, *others = arguments
    if value.kind == "json" or (value.kind == "null"):
        raise Untranslatable(f"{name}() of a {value.kind}")
    items = [value.sql if not value.small else f"{value.sql}::bigint"]
    if others:
        count = number(others[0])
        items.append(count.sql if count.constant else f"{count.sql}::int")
    if len(others) > 1:
        if others[1].kind not in (value.kind, "null") or others[1].rule != value.rule:
            raise Untranslatable(f"{name}() with a default of another kind")
        items.append(others[1].sql)
    result = replace(_bare(value), sql="{0}", small=False)
    return Call(f"{name}({', '.join(items)})", result)

"""SQLite's scalar functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from buttress.mover.translate.comparisons import compare, folded
from buttress.mover.translate.formats import formatted, rounded_term
from buttress.mover.translate.terms import (
    Term,
    Untranslatable,
    double,
    integer,
    literal,
    number,
    plain,
    text,
    truth,
    unify,
)

Scalar = Callable[[list[Term]], Term]


def scalar(name: str, arguments: list[Term]) -> Term:
    """The call of a scalar function; raises for one that is not known to mean the same."""
    counts, function = _SCALARS.get(name, (range(0), None))
    if function is None or len(arguments) not in counts:
        raise Untranslatable(f"the function {name}() has no counterpart")
    return function(arguments)


def random_function(name: str, arguments: list[Term]) -> Term:
    """`random()` and `randomblob(n)` of up to 32 bytes."""
    if name == "random" and not arguments:
        sql = "floor(random() * 18446744073709551616 - 9223372036854775808)::bigint"
        return Term(sql, "integer")
    count = arguments[0].value if len(arguments) == 1 else None
    if name != "randomblob" or not isinstance(count, int) or not 0 < count <= 32:
        raise Untranslatable(f"{name}() of a number that is no constant up to 32")
    made = "uuid_send(gen_random_uuid())"
    source = made if count <= 16 else f"sha256({made} || {made})"
    return Term(f"substr({source}, 1, {count})", "blob")


def choice(conditions: list[str], values: list[Term]) -> Term:
    """CASE: one value more than conditions, the last for ELSE."""
    fitting, model = unify(values)
    *chosen, otherwise = fitting
    arms = " ".join(
        f"WHEN {condition} THEN {value.sql}"
        for condition, value in zip(conditions, chosen, strict=True)
    )
    tail = "" if otherwise.kind == "null" else f" ELSE {otherwise.sql}"
    small = all(value.small or value.kind == "null" for value in values)
    return replace(model, sql=f"(CASE {arms}{tail} END)", affinity="", collation=None, small=small)


def _coalesce(arguments: list[Term]) -> Term:
    fitting, model = unify(arguments)
    items = ", ".join(term.sql for term in fitting)
    small = all(term.small or term.kind == "null" for term in fitting)
    return replace(model, sql=f"coalesce({items})", affinity="", collation=None, small=small)


def _iif(arguments: list[Term]) -> Term:
    if len(arguments) % 2 == 0:
        arguments = [*arguments, literal(None)]
    conditions = [truth(term) for term in arguments[:-1:2]]
    return choice(conditions, [*arguments[1:-1:2], arguments[-1]])


def _nullif(arguments: list[Term]) -> Term:
    value, other = arguments
    equal = compare("=", value, other)
    if equal.sql == f"({value.sql} = {other.sql})":
        return replace(value, sql=f"nullif({value.sql}, {other.sql})", affinity="", stored=False)
    found = replace(value, sql=f"(CASE WHEN {equal.sql} THEN NULL ELSE {value.sql} END)")
    return replace(found, affinity="", stored=False)


def _length(arguments: list[Term]) -> Term:
    value = arguments[0]
    value = value if value.kind == "mixed" else plain(value)
    sql = value.sql if value.kind == "blob" else text(value).sql
    return Term(f"length({sql})::bigint", "integer")


def _cased(name: str) -> Scalar:
    def apply(arguments: list[Term]) -> Term:
        # Under "C" only ASCII letters change, as in SQLite.
        return Term(f'{name}({text(arguments[0]).sql} COLLATE "C")', "text")

    return apply


def _trimmed(name: str) -> Scalar:
    def apply(arguments: list[Term]) -> Term:
        return Term(f"{name}({', '.join(text(term).sql for term in arguments)})", "text")

    return apply


def _replaced(arguments: list[Term]) -> Term:
    return Term(f"replace({', '.join(text(term).sql for term in arguments)})", "text")


def _substr(arguments: list[Term]) -> Term:
    value = plain(arguments[0])
    value = value if value.kind == "blob" else text(value)
    start = integer(plain(arguments[1]))
    if start.kind != "integer":
        raise Untranslatable("substr() from a place that is no integer")
    begins = f"{start.sql}::int"
    if isinstance(start.value, int):
        begins = str(start.value)
        if start.value < 0:
            begins = f"length({value.sql}) - {-start.value - 1}"
    elif not start.constant:
        begins = f"(CASE WHEN {start.sql} < 0 THEN length({value.sql}) + {start.sql} + 1 "
        begins += f"ELSE {start.sql} END)::int"
    if len(arguments) == 2:
        return Term(f"substr({value.sql}, {begins})", value.kind)
    length = integer(plain(arguments[2]))
    if length.kind != "integer" or (isinstance(length.value, int) and length.value < 0):
        raise Untranslatable("substr() of a length that is no positive integer")
    counted = length.sql if length.constant else f"{length.sql}::int"
    return Term(f"substr({value.sql}, {begins}, {counted})", value.kind)


def _instr(arguments: list[Term]) -> Term:
    if any(plain(term).kind == "blob" for term in arguments):
        raise Untranslatable("instr() of blobs")
    return Term(f"strpos({', '.join(text(term).sql for term in arguments)})::bigint", "integer")


def _hex(arguments: list[Term]) -> Term:
    value = plain(arguments[0])
    raw = value.sql if value.kind == "blob" else f"convert_to({text(value).sql}, 'UTF8')"
    return Term(f"coalesce(upper(encode({raw}, 'hex')), '')", "text")


def _abs(arguments: list[Term]) -> Term:
    value = number(arguments[0])
    if value.kind == "null":
        return literal(None)
    return replace(_result(value), sql=f"abs({value.sql})")


def _result(value: Term) -> Term:
    """The kind of a number computed from one, with nothing remembered of the column."""
    kept = value.rule if value.kind == "number" else ""
    return Term("", value.kind, rule=kept, real_or_zero=value.real_or_zero)


def _extreme(name: str) -> Scalar:
    def apply(arguments: list[Term]) -> Term:
        fitting, model = unify(arguments)
        if any(term.kind == "null" for term in fitting):
            return literal(None)
        if model.kind == "mixed" or model.rule == "json" or model.rule.endswith("auto, Z)"):
            raise Untranslatable(f"{name}() of a column that does not sort as SQLite sorts it")
        items = [term.sql for term in fitting]
        if model.kind == "text":
            collation = (arguments[0].collation or "BINARY").upper()
            if collation != "BINARY":
                raise Untranslatable(f"{name}() with the collation {collation}")
            items = [folded(term, "BINARY", ordering=True) for term in fitting]
        chosen = f"{name}({', '.join(items)})"
        # SQLite's min() and max() are NULL as soon as one value is.
        nullable = [term.sql for term in fitting if not term.constant]
        if nullable:
            missing = " OR ".join(f"{sql} IS NULL" for sql in nullable)
            chosen = f"(CASE WHEN {missing} THEN NULL ELSE {chosen} END)"
        small = all(term.small for term in fitting)
        return replace(model, sql=chosen, affinity="", collation=None, small=small)

    return apply


def _typeof(arguments: list[Term]) -> Term:
    value = integer(plain(arguments[0]))
    if value.kind == "null":
        return literal("null")
    if value.kind not in ("integer", "real", "text", "blob"):
        raise Untranslatable("typeof() of a number that is integer in some rows and real in others")
    return Term(f"(CASE WHEN {value.sql} IS NULL THEN 'null' ELSE '{value.kind}' END)", "text")


def _char(arguments: list[Term]) -> Term:
    codes = [term.value for term in arguments]
    if not all(isinstance(code, int) and 0 < code < 0x110000 for code in codes):
        raise Untranslatable("char() of a code that is no constant")
    return literal("".join(chr(code) for code in codes if isinstance(code, int)))


def _unicode(arguments: list[Term]) -> Term:
    return Term(f"ascii(nullif({text(arguments[0]).sql}, ''))::bigint", "integer")


def _quote(arguments: list[Term]) -> Term:
    value = integer(plain(arguments[0]))
    if value.kind == "integer":
        return Term(f"coalesce({value.sql}::text, 'NULL')", "text")
    if value.kind != "text":
        raise Untranslatable(f"quote() of a {value.kind}")
    doubled = f"replace({value.sql}, '''', '''''')"
    return Term(f"coalesce('''' || {doubled} || '''', 'NULL')", "text")


def _sign(arguments: list[Term]) -> Term:
    return Term(f"sign({number(arguments[0]).sql})::bigint", "integer")


def _stepped(name: str) -> Scalar:
    def apply(arguments: list[Term]) -> Term:
        value = number(arguments[0])
        if value.kind in ("integer", "null"):
            return literal(None) if value.kind == "null" else value
        return replace(_result(value), sql=f"{name}({value.sql})")

    return apply


def _real(pattern: str, domain: str = "") -> Scalar:
    """A function of reals; outside its domain SQLite gives NULL where PostgreSQL raises."""

    def apply(arguments: list[Term]) -> Term:
        values = [double(term) for term in arguments]
        sql = pattern.format(*values)
        return Term(
            f"(CASE WHEN {domain.format(*values)} THEN {sql} END)" if domain else sql, "real"
        )

    return apply


def _concat(arguments: list[Term]) -> Term:
    return Term(f"concat({', '.join(text(term).sql for term in arguments)})", "text")


def _concat_ws(arguments: list[Term]) -> Term:
    return Term(f"concat_ws({', '.join(text(term).sql for term in arguments)})", "text")


def _octets(arguments: list[Term]) -> Term:
    value = plain(arguments[0])
    sql = value.sql if value.kind == "blob" else text(value).sql
    return Term(f"octet_length({sql})::bigint", "integer")


def _same(arguments: list[Term]) -> Term:
    return replace(arguments[0], affinity="")


_ONE, _TWO, _MANY = range(1, 2), range(2, 3), range(2, 128)

_SCALARS: dict[str, tuple[range, Scalar]] = {
    "abs": (_ONE, _abs),
    "ceil": (_ONE, _stepped("ceil")),
    "ceiling": (_ONE, _stepped("ceil")),
    "char": (range(1, 128), _char),
    "coalesce": (_MANY, _coalesce),
    "concat": (range(1, 128), _concat),
    "concat_ws": (_MANY, _concat_ws),
    "exp": (_ONE, _real("exp({0})")),
    "floor": (_ONE, _stepped("floor")),
    "format": (range(1, 128), formatted),
    "hex": (_ONE, _hex),
    "if": (_MANY, _iif),
    "ifnull": (_TWO, _coalesce),
    "iif": (_MANY, _iif),
    "instr": (_TWO, _instr),
    "length": (_ONE, _length),
    "likelihood": (_TWO, _same),
    "likely": (_ONE, _same),
    "ln": (_ONE, _real("ln({0})", "{0} > 0")),
    "log": (_ONE, _real("log({0})", "{0} > 0")),
    "log10": (_ONE, _real("log({0})", "{0} > 0")),
    "lower": (_ONE, _cased("lower")),
    "ltrim": (range(1, 3), _trimmed("ltrim")),
    "max": (_MANY, _extreme("greatest")),
    "min": (_MANY, _extreme("least")),
    "nullif": (_TWO, _nullif),
    "octet_length": (_ONE, _octets),
    "pi": (range(1), _real("pi()")),
    "pow": (_TWO, _real("power({0}, {1})", "NOT ({0} < 0 AND {1} <> trunc({1}))")),
    "power": (_TWO, _real("power({0}, {1})", "NOT ({0} < 0 AND {1} <> trunc({1}))")),
    "printf": (range(1, 128), formatted),
    "quote": (_ONE, _quote),
    "replace": (range(3, 4), _replaced),
    "round": (range(1, 3), rounded_term),
    "rtrim": (range(1, 3), _trimmed("rtrim")),
    "sign": (_ONE, _sign),
    "sqrt": (_ONE, _real("sqrt({0})", "{0} >= 0")),
    "substr": (range(2, 4), _substr),
    "substring": (range(2, 4), _substr),
    "trim": (range(1, 3), _trimmed("btrim")),
    "trunc": (_ONE, _stepped("trunc")),
    "typeof": (_ONE, _typeof),
    "unicode": (_ONE, _unicode),
    "unlikely": (_ONE, _same),
    "upper": (_ONE, _cased("upper")),
}

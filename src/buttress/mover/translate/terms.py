"""A translated expression with what must be known of it, and the conversions between kinds.

SQLite decides by the value what an operator does; PostgreSQL decides by the type. So every
translated piece carries its kind, and wherever the two would disagree a conversion is written out
or the translation is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from buttress.mover.plan import Column
from buttress.mover.values import SqliteValue, Unholdable, rule

Kind = Literal[
    "integer", "real", "number", "text", "blob", "boolean", "null", "native", "mixed", "json"
]
Affinity = Literal["", "integer", "real", "numeric", "text"]


class Untranslatable(ValueError):
    """PostgreSQL has no expression that surely means the same; the message says why."""


class _Absent:
    """The type of `ABSENT`: the term is not a constant."""


ABSENT = _Absent()


@dataclass(frozen=True)
class Term:
    """One translated expression.

    Parameters
    ----------
    sql
        PostgreSQL text, safe to stand beside any operator.
    kind
        What PostgreSQL computes: `boolean` stands for SQLite's 1 and 0, `number` for a numeric or
        double precision that SQLite holds as integer or real, `native` for a type only `rule`
        explains, `mixed` for a column of several storage classes, `json` for a value inside JSON,
        whose class depends on the row.
    rule
        The rule of the column the value comes from unchanged, when it is not direct.
    affinity
        SQLite's affinity; expressions have none.
    collation
        The collation a comparison takes from this side; None when it brings none.
    explicit
        The collation was written as COLLATE.
    value
        The constant, for literals.
    digits
        Text that always spells an integer (`strftime('%s', …)`).
    words
        Text that never spells a number.
    small
        PostgreSQL may compute it in 32 bits.
    real_or_zero
        A `number` whose integers are all 0: dividing it as real is exact.
    spelled
        A `mixed` column whose every cell stands as the text SQLite would make of it.
    stored
        A column of the table itself: its text already has the collation "C".
    cast
        The type a column must be cast to, when a person chose another one for it.
    chosen
        The type a person chose where no cast leads back; the column can only be shown.
    """

    sql: str
    kind: Kind
    rule: str = ""
    affinity: Affinity = ""
    collation: str | None = None
    explicit: bool = False
    value: SqliteValue | _Absent = ABSENT
    digits: bool = False
    words: bool = False
    small: bool = False
    real_or_zero: bool = False
    spelled: bool = False
    stored: bool = False
    cast: str = ""
    chosen: str = ""

    @property
    def constant(self) -> bool:
        """Whether it is a literal."""
        return not isinstance(self.value, _Absent)


_DIRECT: dict[str, Kind] = {"integer": "integer", "real": "real", "text": "text", "blob": "blob"}


def quoted(name: str) -> str:
    """A PostgreSQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def string(text: str) -> str:
    """A PostgreSQL string literal, whatever standard_conforming_strings says."""
    if "\0" in text:
        raise Untranslatable("holds U+0000, which PostgreSQL's text cannot hold")
    body = "'" + text.replace("'", "''") + "'"
    return " E" + body.replace("\\", "\\\\") if "\\" in text else body


def affinity_of(declared: str) -> Affinity:
    """The affinity of a declared type, by SQLite's rules."""
    name = declared.upper()
    if "INT" in name:
        return "integer"
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")):
        return "text"
    if not name or "BLOB" in name:
        return ""
    return "real" if any(part in name for part in ("REAL", "FLOA", "DOUB")) else "numeric"


def without_parentheses(sql: str) -> str:
    """The expression without a pair of parentheses that encloses all of it."""
    if not sql.startswith("(") or sql.startswith(("(SELECT", "(WITH")):
        return sql
    depth, quote = 0, ""
    for position, character in enumerate(sql):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            depth += (character == "(") - (character == ")")
            if depth == 0:
                return sql[1:-1] if position == len(sql) - 1 else sql
    return sql


def column_term(sql: str, column: Column) -> Term:
    """A reference to a column of a moved table."""
    found = Term(
        sql,
        kind_of(column.rule),
        affinity=affinity_of(column.declared),
        collation=column.collation or "BINARY",
        rule="" if column.rule in _DIRECT else column.rule,
        stored=True,
    )
    own = short_type(column.rule)
    if _spelled(column.type) != own:
        # A type chosen by hand: PostgreSQL would compute in it, not in SQLite's.
        if column.rule not in _DIRECT:
            return replace(found, chosen=column.type)
        return replace(found, cast=own, stored=False)
    if column.rule == "mixed":
        # A blob's hexadecimal text could equal another cell's text; a real has another spelling.
        known = "" if column.seen.get("blob") else found.affinity
        spelled = not column.seen.get("blob") and not column.seen.get("real")
        return replace(found, affinity=known, spelled=spelled)
    return found


def kind_of(rule_name: str) -> Kind:
    """The kind of a column of that rule."""
    if rule_name in _DIRECT:
        return _DIRECT[rule_name]
    if rule_name in ("boolean", "mixed"):
        return "boolean" if rule_name == "boolean" else "mixed"
    return "number" if rule_name == "numeric" or rule_name.startswith("decimal") else "native"


def literal(value: SqliteValue) -> Term:
    """A constant."""
    if value is None:
        return Term("NULL", "null", value=None)
    if isinstance(value, bytes):
        return Term(f"'\\x{value.hex()}'::bytea", "blob", value=value)
    if isinstance(value, str):
        return Term(string(value), "text", value=value)
    if isinstance(value, float):
        if value in (float("inf"), float("-inf")):
            return Term(f"'{value}'::float8", "real", value=value)
        text = repr(value)
        return Term(f"({text})" if value < 0 else text, "real", value=value)
    if not -(2**63) <= value < 2**63:
        return literal(float(value))
    return Term(f"({value})" if value < 0 else str(value), "integer", value=value, small=True)


def plain(term: Term) -> Term:
    """The same value in one of SQLite's own classes: native types become what SQLite stores."""
    if term.kind == "mixed":
        raise Untranslatable("computes with a column of several storage classes")
    if term.kind == "json":
        raise Untranslatable("computes with a JSON value whose type depends on the row")
    if term.kind != "native":
        return term
    crossing = rule(term.rule)
    sql = crossing.decode_sql.format(c=term.sql)
    kind = _DIRECT[crossing.decoded]
    words = term.rule == "date" or term.rule.startswith("timestamp(")
    return replace(term, sql=f"({sql})", kind=kind, rule="", stored=False, words=words)


def integer(term: Term) -> Term:
    """A boolean as 1 or 0, everything else unchanged."""
    if term.kind != "boolean":
        return term
    return replace(term, sql=f"{term.sql}::int::bigint", kind="integer", rule="")


def number(term: Term) -> Term:
    """What arithmetic makes of it; raises for text whose value as a number depends on the row."""
    found = integer(plain(term))
    if found.kind == "null":
        return replace(found, sql="NULL::bigint")
    if found.kind in ("integer", "real", "number"):
        return found
    if found.kind == "text" and found.digits:
        return Term(f"{found.sql}::bigint", "integer")
    if isinstance(found.value, str):
        constant = numeric_value(found.value)
        if constant is not None:
            return literal(constant)
    raise Untranslatable(f"computes with a {found.kind}")


def double(term: Term) -> str:
    """A number as double precision."""
    found = number(term)
    return found.sql if found.kind == "real" and not found.constant else f"{found.sql}::float8"


def text(term: Term) -> Term:
    """What SQLite's `||` and text functions see."""
    if term.kind == "mixed" and term.spelled:
        return Term(term.sql, "text", collation=term.collation, stored=term.stored)
    found = integer(plain(term))
    if found.kind in ("text", "null"):
        return replace(found, sql="NULL::text") if found.kind == "null" else found
    if found.constant and isinstance(found.value, int):
        return replace(found, sql=string(str(found.value)), kind="text", value=str(found.value))
    if found.kind == "integer":
        return Term(f"{found.sql}::text", "text", collation=found.collation, digits=True)
    if found.kind == "real":
        return Term(_real_text(double(found)), "text", collation=found.collation)
    if found.rule.startswith("decimal"):
        return Term(f"trim_scale({found.sql})::text", "text", collation=found.collation)
    raise Untranslatable(f"uses a {found.kind} as text")


def _real_text(sql: str) -> str:
    """SQLite's text of a real: always a fraction, an exponent outside 1e-4 to 1e17."""
    digits = f"{sql}::text::numeric::text"
    return (
        f"(CASE WHEN abs({sql}) >= 1e-4 AND abs({sql}) < 1e17 OR {sql} = 0 "
        f"THEN {digits} || CASE WHEN {sql} = trunc({sql}) THEN '.0' ELSE '' END "
        f"WHEN abs({sql}) = 'Infinity' THEN replace({sql}::text, 'inity', '') "
        f"ELSE regexp_replace({sql}::text, '^(-?\\d)e', '\\1.0e') END)"
    )


def truth(term: Term) -> str:
    """A boolean: what SQLite's WHERE makes of it."""
    if term.kind == "boolean":
        return term.sql
    found = number(term)
    if found.kind == "integer" and isinstance(found.value, int):
        return "true" if found.value else "false"
    return f"({found.sql} <> 0)"


_NUMERIC = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def numeric_value(text: str) -> int | float | None:
    """The number NUMERIC affinity makes of a text; None when it stays text."""
    if not _NUMERIC.fullmatch(text):
        return None
    try:
        whole = int(text)
    except ValueError:
        whole = None
    if whole is not None and -(2**63) <= whole < 2**63:
        return whole
    real = float(text)
    return int(real) if real.is_integer() and abs(real) < 2**53 else real


def native_literal(term: Term, rule_name: str) -> Term | None:
    """The constant as the native type of that rule; None when the rule cannot hold it."""
    if isinstance(term.value, _Absent) or term.value is None:
        return None
    crossing = rule(rule_name)
    try:
        encoded = crossing.encode(term.value)
    except Unholdable:
        return None
    if crossing.name == "boolean":
        return Term("true" if encoded else "false", "boolean", rule=rule_name)
    return Term(f"{string(str(encoded))}::{short_type(rule_name)}", "native", rule=rule_name)


def short_type(rule_name: str) -> str:
    """The PostgreSQL type of a rule, spelled as people do."""
    return _spelled(rule(rule_name).type)


def _spelled(name: str) -> str:
    name = name.replace(' COLLATE "C"', "")
    names = {
        "timestamp with time zone": "timestamptz",
        "timestamp without time zone": "timestamp",
        "double precision": "float8",
    }
    return names.get(name, name)


def sql_type(term: Term) -> str:
    """The PostgreSQL type of a term."""
    if term.rule:
        return short_type(term.rule)
    names = {"integer": "bigint", "real": "float8", "blob": "bytea", "boolean": "boolean"}
    return names.get(term.kind, "float8" if term.kind == "number" else "text")


def regular(term: Term) -> str:
    """The term where types count (a select list): 64-bit integers, typed constants."""
    if term.kind == "null":
        return "NULL::text"
    if term.kind == "json":
        if term.rule:
            raise Untranslatable("shows JSON text, which SQLite and PostgreSQL space differently")
        return f"({term.sql} #>> '{{}}')"
    if term.kind == "integer" and term.small:
        return f"{term.sql}::bigint"
    if term.kind == "real" and term.constant:
        return f"{term.sql}::float8"
    if term.kind == "text" and term.constant:
        return f"{term.sql}::text"
    return term.sql


def unify(terms: list[Term]) -> tuple[list[Term], Term]:
    """Values of which one is taken (CASE, COALESCE, UNION): all brought to one kind, and that kind.

    Raises when SQLite would give numbers in one row and text in another.
    """
    known = [term for term in terms if term.kind != "null"]
    if not known:
        return terms, Term("", "null")
    native = next((term for term in known if term.kind in ("native", "mixed", "boolean")), None)
    if native is not None:
        native = next((term for term in known if term.kind == "mixed"), native)
        fitting = [_as_native(term, native) for term in terms]
        if all(fitting):
            return [term for term in fitting if term], replace(native, sql="", value=ABSENT)
        return unify([integer(plain(term)) for term in terms])
    kinds = {term.kind for term in known}
    model = replace(known[0], sql="", value=ABSENT, stored=False, small=False)
    model = replace(model, digits=all(term.digits for term in known))
    if len(kinds) == 1:
        if kinds == {"number"} and len({term.rule for term in known}) > 1:
            model = replace(model, rule="")
        return terms, model
    if kinds <= {"integer", "real", "number"}:
        zero = all(term.kind == "real" or term.value == 0 for term in known)
        cast = [replace(term, sql=double(term)) if term.kind == "real" else term for term in terms]
        return cast, replace(model, kind="number", rule="", real_or_zero=zero)
    raise Untranslatable(f"gives {' in one row and '.join(sorted(kinds))} in another")


def _as_native(term: Term, model: Term) -> Term | None:
    if term.kind == "null" or (term.kind, term.rule) == (model.kind, model.rule):
        return term
    if term.kind == model.kind == "boolean":
        return term
    if model.kind == "mixed" and term.affinity == model.affinity in ("integer", "numeric"):
        # Text under a numeric affinity never looks like a number: one spelling, one value.
        sql = f"{term.sql}::text" if term.kind == "integer" else term.sql
        return replace(model, sql=sql) if term.kind in ("integer", "text") else None
    if model.kind == "boolean" and term.value in (0, 1) and term.kind == "integer":
        return replace(term, sql="true" if term.value else "false", kind="boolean")
    if model.kind == "native":
        return native_literal(term, model.rule)
    return None

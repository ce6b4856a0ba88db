"""Comparisons: SQLite's affinities and collations written out in PostgreSQL's types."""

from __future__ import annotations

import re
from dataclasses import replace

from buttress.mover.translate.terms import (
    Term,
    Untranslatable,
    integer,
    literal,
    native_literal,
    numeric_value,
    plain,
    string,
    text,
)

_NUMERIC_AFFINITIES = ("integer", "real", "numeric")
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NUMERIC_TEXT = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


def compare(operator: str, left: Term, right: Term) -> Term:
    """`left operator right`; the operators are = <> < <= > >= and IS, IS NOT."""
    simple = _boolean(operator, left, right)
    if simple is not None:
        return simple
    spelled = {"IS": "IS NOT DISTINCT FROM", "IS NOT": "IS DISTINCT FROM"}.get(operator, operator)
    joined = _number_with_text(operator, left, right)
    if joined is not None:
        return joined
    constant = _by_class(operator, left, right)
    if constant is not None:
        return constant
    first, second = operands(left, right, ordering=operator in _MIRROR)
    return Term(f"({first} {spelled} {second})", "boolean")


def _boolean(operator: str, left: Term, right: Term) -> Term | None:
    """`flag = 1` as `flag`: what people write and indexes serve."""
    if left.constant and not right.constant and operator not in _MIRROR:
        left, right = right, left
    if left.kind != "boolean" or right.kind != "integer" or right.value not in (0, 1):
        return None
    if operator in ("IS", "IS NOT"):
        word = "TRUE" if right.value else "FALSE"
        return Term(f"({left.sql} {operator} {word})", "boolean")
    if operator not in ("=", "<>"):
        return None
    if (operator == "=") == bool(right.value):
        return replace(left, rule="")
    return Term(f"(NOT {left.sql})", "boolean")


def _number_with_text(operator: str, left: Term, right: Term) -> Term | None:
    """`number = text` between columns: SQLite reads the text as a number where it is one."""
    if {left.kind, right.kind} & {"mixed", "json", "null"}:
        return None
    whole, words = (integer(plain(term)) for term in (left, right))
    if whole.kind == "text":
        whole, words = words, whole
    numbers = ("integer", "real", "number")
    if whole.kind not in numbers or words.kind != "text" or words.constant:
        return None
    if left.affinity not in _NUMERIC_AFFINITIES and right.affinity not in _NUMERIC_AFFINITIES:
        return None
    if operator not in ("=", "<>"):
        raise Untranslatable("orders numbers against text")
    cast = "numeric" if whole.kind == "integer" else "float8"
    differs = f"NULLIF({whole.sql} IS NULL OR {words.sql} IS NULL, true)"
    otherwise = differs if operator == "=" else f"NOT {differs}"
    return Term(
        f"(CASE WHEN {words.sql} ~ {string(_NUMERIC_TEXT).strip()} "
        f"THEN {whole.sql} {operator} {words.sql}::{cast} ELSE {otherwise} END)",
        "boolean",
    )


_CLASS_ORDER = {"integer": 0, "real": 0, "number": 0, "boolean": 0, "text": 1, "blob": 2}


def _by_class(operator: str, left: Term, right: Term) -> Term | None:
    """A comparison of different storage classes: every number is less than every text."""
    if {left.kind, right.kind} & {"mixed", "json", "null"}:
        return None
    one, other = _affine(left, right), _affine(right, left)
    first, second = (_CLASS_ORDER[plain(term).kind] for term in (one, other))
    if first == second:
        return None
    nulls = [f"{term.sql} IS NULL" for term in (one, other) if not term.constant]
    missing = " OR ".join(nulls) or "false"
    if operator in ("IS", "IS NOT"):
        both = " AND ".join(nulls) if len(nulls) == 2 else "false"
        return Term(f"({both})" if operator == "IS" else f"(NOT ({both}))", "boolean")
    holds = {"=": False, "<>": True, "<": first < second, "<=": first < second}
    outcome = "true" if holds.get(operator, first > second) else "false"
    return Term(f"(CASE WHEN {missing} THEN NULL ELSE {outcome} END)", "boolean")


def operands(left: Term, right: Term, *, ordering: bool) -> tuple[str, str]:
    """Both sides brought to one PostgreSQL type so that they compare as SQLite compares them."""
    left, right = _affine(left, right), _affine(right, left)
    if left.kind == "null" or right.kind == "null":
        # No operator of PostgreSQL compares json, not even with NULL.
        sides = [plain(term) if term.rule == "json" else term for term in (left, right)]
        return sides[0].sql, sides[1].sql
    if left.kind == "boolean" and right.kind == "boolean":
        return left.sql, right.sql
    for one, other in ((left, right), (right, left)):
        if one.kind == "native" and other.constant:
            fitting = native_literal(other, one.rule)
            if fitting is not None and _ordered(one.rule, ordering=ordering):
                pair = (one.sql, fitting.sql)
                return pair if one is left else (pair[1], pair[0])
    if "mixed" in (left.kind, right.kind):
        return _mixed(left, right, ordering=ordering)
    same_rule = left.kind == right.kind == "native" and left.rule == right.rule
    if same_rule and _ordered(left.rule, ordering=ordering):
        return left.sql, right.sql
    left, right = integer(plain(left)), integer(plain(right))
    numbers = ("integer", "real", "number")
    if left.kind in numbers and right.kind in numbers:
        return left.sql, right.sql
    if left.kind != right.kind:
        raise Untranslatable(f"compares a {left.kind} with a {right.kind}")
    if left.kind == "blob":
        return left.sql, right.sql
    for one, other in ((left, right), (right, left)):
        column = bool(other.affinity) and not other.digits
        computed = not (other.constant or other.words or column)
        if ordering and one.affinity in _NUMERIC_AFFINITIES and computed:
            # Text that spells a number would be less than all text of such a column.
            raise Untranslatable("orders computed text against a column of numeric affinity")
    return collated(left, right, ordering=ordering)


def _ordered(rule_name: str, *, ordering: bool) -> bool:
    """Whether PostgreSQL compares the native type as SQLite compares what it stores."""
    if rule_name == "json":
        return False
    # Among moments with fractions left out, `…:00Z` sorts after `…:00.5Z` as text.
    return not (ordering and rule_name.endswith("auto, Z)"))


def _affine(term: Term, other: Term) -> Term:
    """Apply the affinity the other side imposes, as far as it can be known now."""
    if other.affinity in _NUMERIC_AFFINITIES and term.affinity not in _NUMERIC_AFFINITIES:
        if isinstance(term.value, str):
            constant = numeric_value(term.value)
            return term if constant is None else replace(literal(constant), affinity="")
        return term
    numbers = ("integer", "real", "number", "boolean")
    if other.affinity == "text" and term.affinity == "" and term.kind in numbers:
        return text(term)
    return term


def _mixed(left: Term, right: Term, *, ordering: bool) -> tuple[str, str]:
    """Equality of a column of several storage classes, which holds every cell as text.

    With a numeric affinity the text is unambiguous: SQLite has turned text that looks like a number
    into a number, so `12` is always the integer.
    """
    if ordering:
        raise Untranslatable("orders a column of several storage classes")
    if left.kind == right.kind == "mixed":
        if left.affinity == right.affinity and left.affinity in ("integer", "numeric"):
            return left.sql, right.sql
        raise Untranslatable("compares columns of several storage classes")
    mixed, other = (left, right) if left.kind == "mixed" else (right, left)
    if mixed.affinity not in ("integer", "numeric"):
        raise Untranslatable("compares a column of several storage classes")
    if other.kind == "integer":
        spelled = string(str(other.value)) if other.constant else f"{other.sql}::text"
    elif other.kind == "text" and (other.constant or other.affinity == mixed.affinity):
        spelled = other.sql
    else:
        raise Untranslatable(f"compares a column of several storage classes with a {other.kind}")
    return (mixed.sql, spelled) if mixed is left else (spelled, mixed.sql)


def collated(left: Term, right: Term, *, ordering: bool) -> tuple[str, str]:
    """Two texts under the collation SQLite compares them with."""
    name = collation_of(left, right)
    return (
        folded(left, name, ordering=ordering and not right.stored),
        folded(right, name, ordering=False),
    )


def collation_of(left: Term, right: Term) -> str:
    """An explicit COLLATE wins, then the left column's, then the right column's."""
    for term in (left, right):
        if term.explicit and term.collation:
            return term.collation.upper()
    return (left.collation or right.collation or "BINARY").upper()


def folded(term: Term, collation: str, *, ordering: bool) -> str:
    """The text as it compares under a collation; `ordering` when its order matters too."""
    if collation == "NOCASE":
        if isinstance(term.value, str):
            return string(_ascii_lower(term.value))
        return f'lower({term.sql} COLLATE "C")'
    if collation == "RTRIM":
        trimmed = f"rtrim({term.sql}, ' ')"
        return f'({trimmed} COLLATE "C")' if ordering and not term.stored else trimmed
    if collation != "BINARY":
        raise Untranslatable(f"uses the collation {collation}")
    return f'({term.sql} COLLATE "C")' if ordering and not term.stored else term.sql


def _ascii_lower(value: str) -> str:
    return re.sub("[A-Z]+", lambda match: match[0].lower(), value)


def sortable(term: Term) -> str:
    """An expression PostgreSQL orders as SQLite orders the term."""
    if term.kind == "mixed":
        raise Untranslatable("orders a column of several storage classes")
    if term.kind == "text" or term.rule == "json":
        return folded(plain(term), (term.collation or "BINARY").upper(), ordering=True)
    return term.sql


def groupable(term: Term) -> str:
    """An expression by which PostgreSQL groups rows as SQLite does."""
    if term.kind == "text" or term.rule == "json":
        return folded(plain(term), (term.collation or "BINARY").upper(), ordering=False)
    return term.sql


def contained(left: Term, items: list[Term]) -> Term:
    """`left IN (items)`; affinities and collations of the items do not count."""
    items = [replace(item, affinity="", collation=None) for item in items]
    if not items or left.kind == "null":
        return Term("NULL::boolean" if items else "false", "boolean")
    if left.kind == "boolean" and all(item.value in (0, 1, None) for item in items):
        words = ["NULL" if i.value is None else "true" if i.value else "false" for i in items]
        return Term(f"({left.sql} IN ({', '.join(words)}))", "boolean")
    try:
        pairs = [operands(left, item, ordering=False) for item in items]
    except Untranslatable:
        pairs = []
    if pairs and len({first for first, _ in pairs}) == 1:
        return Term(f"({pairs[0][0]} IN ({', '.join(second for _, second in pairs)}))", "boolean")
    return Term(f"({' OR '.join(compare('=', left, item).sql for item in items)})", "boolean")


def like(left: Term, pattern: Term, escape: Term | None, *, negated: bool) -> Term:
    """LIKE, which in SQLite ignores the case of ASCII letters and has no escape of its own."""
    subject, wanted = text(left), text(pattern)
    operator = "ILIKE"
    if isinstance(wanted.value, str) and not re.search("[A-Za-z]", wanted.value):
        operator = "LIKE"
    where = subject.sql if subject.stored else f'({subject.sql} COLLATE "C")'
    tail = ""
    if escape is not None:
        if not isinstance(escape.value, str) or len(escape.value) != 1:
            raise Untranslatable("LIKE with an escape that is no single character")
        tail = f" ESCAPE {string(escape.value)}"
    elif not isinstance(wanted.value, str) or "\\" in wanted.value:
        tail = " ESCAPE ''"
    word = f"NOT {operator}" if negated else operator
    return Term(f"({where} {word} {wanted.sql}{tail})", "boolean")


def glob(left: Term, pattern: Term) -> Term:
    """GLOB with a constant pattern, as a regular expression."""
    if not isinstance(pattern.value, str):
        raise Untranslatable("GLOB with a pattern that is no constant")
    subject = text(left)
    where = subject.sql if subject.stored else f'({subject.sql} COLLATE "C")'
    return Term(f"({where} ~ {string(_regex(pattern.value)).strip()})", "boolean")


def _regex(pattern: str) -> str:
    """The regular expression of a GLOB pattern."""
    parts, at = [], 0
    while at < len(pattern):
        character = pattern[at]
        if character == "[":
            # The first character of a set may be ] itself.
            end = pattern.find("]", at + (3 if pattern[at + 1 : at + 2] == "^" else 2))
            if end < 0:
                raise Untranslatable("GLOB with a set that does not end")
            inside = pattern[at + 1 : end]
            negated, inside = inside.startswith("^"), inside.removeprefix("^")
            body = inside.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
            parts.append(f"[{'^' if negated else ''}{body}]")
            at = end + 1
            continue
        parts.append({"*": ".*", "?": "."}.get(character, re.sub(r"\W", r"\\\g<0>", character)))
        at += 1
    return "^" + "".join(parts) + "$"

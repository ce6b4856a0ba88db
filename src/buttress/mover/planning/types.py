"""Which PostgreSQL type and rule each column gets.

The declared type only hints: a native type is chosen when it holds every value there really is,
exactly; otherwise the column keeps what SQLite stored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import apsw

from buttress.mover import values
from buttress.mover.planning.exact import (
    Candidate,
    Refused,
    first_refused,
    first_value,
    number_range,
)
from buttress.mover.source.profile import ColumnFacts
from buttress.mover.source.schema import SourceColumn, SourceTable, affinity

_NOUNS = {"integer": "an integer", "real": "a real", "text": "a text", "blob": "a blob"}

# Moments of these years are taken for what they are; other numbers may mean anything.
_SECONDS_1980, _SECONDS_2100 = 315_532_800, 4_102_444_800
_JULIAN_1980, _JULIAN_2100 = 2_444_239.5, 2_488_069.5

_HINTS = {
    "boolean": re.compile(r"BOOL"),
    "date": re.compile(r"DATE\b"),
    "moment": re.compile(r"(SMALL)?DATETIME|TIMESTAMP"),
    "uuid": re.compile(r"UUID|GUID|UNIQUEIDENTIFIER"),
    "uuid in text": re.compile(r"(NATIVE |N)?(VAR(YING )?)?CHAR(ACTER)?( VARYING)? ?\((32|36)\)"),
    "json": re.compile(r"JSONB?\b"),
    "decimal": re.compile(r"(DEC(IMAL)?|NUMERIC|NUMBER|MONEY)\b"),
}
_PRECISION = re.compile(r"\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")

_DESCRIBED = {
    "boolean": "0 or 1",
    "date": "dates",
    "unix seconds": "seconds since 1970 between 1980 and 2100",
    "unix milliseconds": "milliseconds since 1970 between 1980 and 2100",
    "julian day": "Julian days between 1980 and 2100",
    "json": "JSON",
    "numeric": "numbers",
}


@dataclass(frozen=True)
class Choice:
    """A rule, its type, and why; `usual` is the most frequent storage class under rule `mixed`."""

    rule: str
    type: str
    usual: str = ""
    why: str = ""


@dataclass(frozen=True)
class Decision:
    """What a column gets, and what it gets when a foreign key needs the plain type."""

    chosen: Choice
    faithful: Choice
    empty: bool = False
    """No value forbids another rule."""
    is_rowid: bool = False

    def fall_back(self, why: str) -> Decision:
        """The decision for the plain type."""
        return replace(self, chosen=replace(self.faithful, why=f"{self.faithful.why}; {why}"))

    def as_mixed(self) -> Decision:
        """The same values as text of mixed classes; a rowid stays an integer."""
        if self.chosen.rule not in ("integer", "real", "text") or self.is_rowid:
            return self
        mixed = values.rule("mixed").type
        chosen = replace(self.chosen, rule="mixed", type=mixed, usual=self.chosen.rule)
        return replace(self, chosen=chosen)


def decide(
    connection: apsw.Connection,
    table: SourceTable,
    column: SourceColumn,
    facts: ColumnFacts,
    *,
    encoding: str,
    compared: bool,
) -> Decision:
    """Choose by the values there are.

    `compared` says that an index or a foreign key compares the column, which PostgreSQL's json
    cannot do.
    """
    if table.rowid_alias and column.name == table.rowid_alias:
        choice = _choice("integer", "the rowid: always an integer")
        return Decision(choice, choice, is_rowid=True)
    if not facts.classes:
        return _without_values(column, compared)
    hint = hint_of(column.declared)
    refused: Refused | None = None
    for candidate in _candidates(connection, table, column, facts, hint, compared):
        refused = first_refused(connection, table, column, candidate, encoding)
        if refused is None:
            chosen = _choice(candidate.rule, _why_native(column, facts, candidate.rule))
            break
    else:
        chosen = None
    faithful = _faithful(connection, table, column, facts, encoding)
    if chosen is None:
        prefix = ""
        if hint and refused is None:
            refused = first_value(connection, table, column)
        if hint and refused is not None:
            prefix = f"declared {column.declared}, but {refused}; "
        chosen = replace(faithful, why=prefix + faithful.why)
    return Decision(chosen, faithful)


def hint_of(declared: str) -> str:
    """What the declared type hints at; empty for nothing beyond its affinity."""
    words = " ".join(declared.upper().split())
    return next((hint for hint, pattern in _HINTS.items() if pattern.match(words)), "")


def reconcile(
    decisions: dict[tuple[str, str], Decision],
    links: Sequence[tuple[tuple[str, str], tuple[str, str]]],
) -> None:
    """Give both ends of every foreign key the same type, where their values allow it.

    `links` are pairs of (table, column), child first. A column without values follows its partner;
    otherwise both take their plain type.
    """
    for _ in range(len(links) + 1):
        changed = False
        for child, parent in links:
            ours, theirs = decisions[child], decisions[parent]
            if _alike(ours.chosen, theirs.chosen):
                continue
            if ours.empty:
                why = f"no values; the type of {parent[0]}.{parent[1]}, which it references"
                decisions[child] = replace(ours, chosen=replace(theirs.chosen, why=why))
            elif theirs.empty:
                why = f"no values; the type of {child[0]}.{child[1]}, which references it"
                decisions[parent] = replace(theirs, chosen=replace(ours.chosen, why=why))
            else:
                why = f"{child[0]}.{child[1]} references {parent[0]}.{parent[1]}"
                decisions[child], decisions[parent] = _both_plain(ours, theirs, why)
            changed |= decisions[child] != ours or decisions[parent] != theirs
        if not changed:
            return


def _alike(left: Choice, right: Choice) -> bool:
    return left.type == right.type and (left.rule == "mixed") == (right.rule == "mixed")


def _both_plain(ours: Decision, theirs: Decision, why: str) -> tuple[Decision, Decision]:
    """The plain types of both; text of mixed classes compares only with its like."""
    plain = ours.fall_back(why), theirs.fall_back(why)
    rules = {decision.chosen.rule for decision in (ours, theirs, *plain)}
    if "mixed" in rules:
        return plain[0].as_mixed(), plain[1].as_mixed()
    return plain


def _choice(rule: str, why: str) -> Choice:
    return Choice(rule, values.rule(rule).type, why=why)


def _without_values(column: SourceColumn, compared: bool) -> Decision:
    declared = column.declared or "without a type"
    plain = {
        "INTEGER": "integer",
        "TEXT": "text",
        "REAL": "real",
        "BLOB": "blob" if column.declared else "text",
    }.get(affinity(column.declared), "text")
    hint = hint_of(column.declared)
    native = {
        "boolean": "boolean",
        "date": "date",
        "moment": "timestamp(space, auto)",
        "uuid": "uuid",
        "json": "text" if compared else "json",
        "decimal": _decimal_rule(column.declared) or "numeric",
    }.get(hint, plain)
    why = f"declared {declared}, and there are no values"
    return Decision(_choice(native, why), _choice(plain, why), empty=True)


def _candidates(
    connection: apsw.Connection,
    table: SourceTable,
    column: SourceColumn,
    facts: ColumnFacts,
    hint: str,
    compared: bool,
) -> list[Candidate]:
    """Native rules worth testing, the plainest first."""
    classes = facts.classes
    if hint == "decimal" and classes <= {"integer", "real"}:
        exact = _decimal_rule(column.declared)
        return [Candidate(name) for name in (exact, "numeric") if name]
    if hint == "boolean" and classes == {"integer"}:
        return [Candidate("boolean")]
    if hint == "json" and classes == {"text"} and not compared:
        return [Candidate("json")]
    if hint == "uuid" and classes == {"blob"}:
        return [Candidate("uuid(blob)")]
    if hint in ("uuid", "uuid in text") and classes == {"text"}:
        shapes = [Candidate(name, rfc=hint != "uuid") for name in ("uuid", "uuid(hex)")]
        return _that_hold_the_first(connection, table, column, shapes)
    if hint in ("date", "moment"):
        return _moments(connection, table, column, classes)
    return []


def _moments(
    connection: apsw.Connection, table: SourceTable, column: SourceColumn, classes: set[str]
) -> list[Candidate]:
    if classes == {"text"}:
        names = ["date", *(rule.name for rule in values.timestamp_rules())]
        shapes = [Candidate(name) for name in names]
        return _that_hold_the_first(connection, table, column, shapes)
    if classes not in ({"integer"}, {"real"}):
        return []
    low, high = number_range(connection, table, column)
    if classes == {"real"}:
        return [Candidate("julian day")] if low >= _JULIAN_1980 and high < _JULIAN_2100 else []
    if low >= _SECONDS_1980 and high < _SECONDS_2100:
        return [Candidate("unix seconds")]
    if low >= _SECONDS_1980 * 1000 and high < _SECONDS_2100 * 1000:
        return [Candidate("unix milliseconds")]
    return []


def _that_hold_the_first(
    connection: apsw.Connection,
    table: SourceTable,
    column: SourceColumn,
    shapes: list[Candidate],
) -> list[Candidate]:
    first = first_value(connection, table, column)
    if first is None:
        return []
    return [shape for shape in shapes if shape.accepts(first.value)]


def _decimal_rule(declared: str) -> str:
    match = _PRECISION.search(declared)
    if match is None:
        return ""
    precision, scale = int(match[1]), int(match[2] or 0)
    # PostgreSQL's numeric has at most 1,000 digits.
    return f"decimal({precision}, {scale})" if 0 < precision <= 1000 and scale <= precision else ""


def _faithful(
    connection: apsw.Connection,
    table: SourceTable,
    column: SourceColumn,
    facts: ColumnFacts,
    encoding: str,
) -> Choice:
    counted = facts.values
    if len(facts.classes) == 1:
        (kind,) = facts.classes
        why = (
            f"all {counted:,} values are {kind}s" if counted > 1 else f"its value is {_NOUNS[kind]}"
        )
        return _choice(kind, why)
    census = ", ".join(
        f"{facts.seen[kind]:,} {kind}{'s' if facts.seen[kind] > 1 else ''}"
        for kind in _NOUNS
        if kind in facts.seen
    )
    if facts.classes == {"integer", "real"}:
        refused = first_refused(connection, table, column, Candidate("numeric"), encoding)
        if refused is None:
            return _choice("numeric", census)
        census += f" ({refused})"
    usual = max(_NOUNS, key=lambda kind: facts.seen.get(kind, 0))
    why = f"{census}: kept as text, each cell's class beside it where it is not {usual}"
    return replace(_choice("mixed", why), usual=usual)


def _why_native(column: SourceColumn, facts: ColumnFacts, rule: str) -> str:
    described = _DESCRIBED.get(rule)
    if described is None:
        kind = rule.split("(")[0]
        described = {"uuid": "UUIDs", "timestamp": "dates and times of one shape"}.get(
            kind, f"numbers that fit {rule}"
        )
    if facts.values == 1:
        return f"declared {column.declared} and its one value fits ({described})"
    return f"declared {column.declared} and all {facts.values:,} values are {described}"

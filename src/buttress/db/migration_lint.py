"""Rules for migrations that run while others use the database.

Each statement of a revision's SQL is parsed and judged for what it locks and for how long. Tables
that the same revision creates are exempt: nobody uses them yet.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType

import sqlglot
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlglot import exp
from sqlglot.errors import SqlglotError

from buttress.db.migration_rules import RULES

# It warns of statements it keeps as text; these have rules of their own.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Finding:
    """One statement that breaks one rule."""

    rule: str
    message: str
    cure: str
    statement: str
    revision: str

    def __str__(self) -> str:
        return f"{self.revision}: {self.rule}: {self.message}: {self.statement}"


@dataclass(frozen=True)
class RevisionSQL:
    """The SQL of one revision, and the rules it may break, with reasons."""

    revision: str
    sql: str
    allow: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    """Why there is no SQL."""


def render(revision: str, module: ModuleType) -> RevisionSQL:
    """The statements a revision would run on PostgreSQL."""
    buffer = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql",
        opts={"as_sql": True, "output_buffer": buffer, "literal_binds": True},
    )
    allow = getattr(module, "lint_allow", {})
    try:
        with Operations.context(context), context.begin_transaction():
            module.upgrade()
    except Exception as error:  # noqa: BLE001 — the code of a revision may fail in any way
        return RevisionSQL(revision, "", allow, f"{type(error).__name__}: {error}")
    return RevisionSQL(revision, buffer.getvalue(), allow)


def lint_sql(sql: str, *, revision: str = "") -> list[Finding]:
    """What is unsafe in SQL for PostgreSQL."""
    return lint_revisions([RevisionSQL(revision, sql)])


def lint_revisions(revisions: Iterable[RevisionSQL]) -> list[Finding]:
    """What is unsafe in revisions, in the order they are applied; earlier ones may prepare.

    An allowed rule is left out.
    """
    findings = []
    not_null = _ProvenNotNull()
    revisions = list(revisions)
    unguarded = _tables_of_owners(revisions)
    for revision in revisions:
        if revision.problem:
            broken = [("not-readable", revision.problem)]
        else:
            broken = list(_judge(revision.sql, not_null))
        broken += [("owner-without-tenancy", text) for text in unguarded.get(revision.revision, ())]
        for rule, statement in broken:
            if rule not in revision.allow:
                message, cure = RULES[rule].message, RULES[rule].cure
                findings.append(Finding(rule, message, cure, statement, revision.revision))
    return findings


def _tables_of_owners(revisions: Sequence[RevisionSQL]) -> dict[str, list[str]]:
    """By revision, the statements that make tables with owners which none of them guards."""
    made: dict[str, tuple[str, str]] = {}
    for revision in revisions:
        for text in _statements(revision.sql):
            guarded = re.match(rf"{_ALTER}.*\bENABLE\s+ROW\s+LEVEL\b", text, re.I | re.S)
            if guarded:
                made.pop(_bare(guarded[1]), None)
            elif re.search(r"\bowner(_id)?\b", text, re.I):
                parsed = _parse(text)
                if isinstance(parsed, exp.Create) and parsed.kind == "TABLE":
                    columns = {column.name for column in parsed.find_all(exp.ColumnDef)}
                    if columns & {"owner", "owner_id"}:
                        made[_name(parsed.find(exp.Table))] = (revision.revision, text)
    found: dict[str, list[str]] = {}
    for id, text in made.values():
        found.setdefault(id, []).append(text)
    return found


class _ProvenNotNull:
    """Columns that a validated CHECK (column IS NOT NULL) covers."""

    def __init__(self) -> None:
        self.waiting: dict[tuple[str, str], str] = {}
        self.proven: set[tuple[str, str]] = set()

    def added(self, table: str, constraint: str, column: str, *, valid: bool) -> None:
        if valid:
            self.proven.add((table, column))
        else:
            self.waiting[table, constraint] = column

    def validated(self, table: str, constraint: str) -> None:
        column = self.waiting.get((table, constraint))
        if column is not None:
            self.proven.add((table, column))


def _judge(sql: str, not_null: _ProvenNotNull) -> Iterator[tuple[str, str]]:
    """Rules that statements break, with the statement."""
    created: set[str] = set()
    in_transaction = False
    for text in _statements(sql):
        word = text.split(maxsplit=1)[0].upper()
        if word in ("BEGIN", "START"):
            in_transaction = True
        elif word in ("COMMIT", "END", "ROLLBACK"):
            in_transaction = False
        else:
            concurrent = re.search(r"^(?!REFRESH).*\bCONCURRENTLY\b", text, re.I | re.S)
            if in_transaction and concurrent:
                yield "concurrently-in-transaction", text
            parsed = _parse(text)
            if isinstance(parsed, exp.Create) and parsed.kind in ("TABLE", "VIEW"):
                created.add(_name(parsed.find(exp.Table)))
            if word == "CREATE" and re.search(_ASKS_EACH_ROW, text, re.I):
                yield "policy-asks-each-row", text
            for rule in _rules(parsed, text, created, not_null):
                yield rule, text


def _statements(sql: str) -> Iterator[str]:
    """The statements as written; the tokenizer knows quotes, dollar quotes and comments."""
    start: int | None = None
    end = 0
    for token in sqlglot.tokenize(sql, read="postgres"):
        if token.token_type.name == "SEMICOLON":
            if start is not None:
                yield sql[start : end + 1]
            start = None
        else:
            start = token.start if start is None else start
            end = token.end
    if start is not None:
        yield sql[start : end + 1]


def _parse(text: str) -> exp.Expr | None:
    """The statement's tree; None for what sqlglot cannot or does not read."""
    try:
        parsed = sqlglot.parse_one(text, read="postgres")
    except SqlglotError:
        return None
    return None if isinstance(parsed, exp.Command) else parsed


def _rules(
    parsed: exp.Expr | None, text: str, created: set[str], not_null: _ProvenNotNull
) -> Iterator[str]:
    match parsed:
        case None:
            yield from _unparsed(text, created, not_null)
        case exp.Create() if parsed.kind == "INDEX":
            if not parsed.args.get("concurrently") and _name(parsed.find(exp.Table)) not in created:
                yield "index-locks-writes"
        case exp.Drop() if parsed.kind in ("TABLE", "SCHEMA"):
            if any(_name(table) not in created for table in parsed.find_all(exp.Table)):
                yield "drop-table"
        case exp.Update() | exp.Delete():
            if not parsed.args.get("where") and _name(parsed.this) not in created:
                yield "unbounded-change"
        case exp.TruncateTable():
            if any(_name(table) not in created for table in parsed.expressions):
                yield "drop-table"
        case exp.Alter() if parsed.args.get("kind") == "TABLE":
            table = _name(parsed.this)
            valid = not parsed.args.get("not_valid")
            for action in parsed.args.get("actions", []):
                found = list(_action(action, table, valid, not_null))
                if table not in created:
                    yield from found


def _action(action: exp.Expr, table: str, valid: bool, not_null: _ProvenNotNull) -> Iterator[str]:
    """One part of an ALTER TABLE."""
    match action:
        case exp.ColumnDef():
            yield from _added_column(action)
        case exp.AlterColumn():
            column = action.name
            if action.args.get("dtype"):
                yield "type-rewrites-table"
            elif action.args.get("allow_null") is False and (table, column) not in not_null.proven:
                yield "set-not-null-scans"
        case exp.AddConstraint():
            yield from _added_constraint(action, table, valid, not_null)
        case exp.Drop() if action.args.get("kind") == "COLUMN":
            yield "drop-column"
        case exp.AlterRename() | exp.RenameColumn():
            yield "rename"
        case exp.AlterSet() if action.args.get("option") or action.args.get("tablespace"):
            yield "rewrites-under-lock"  # LOGGED, UNLOGGED, or another place


def _added_column(column: exp.ColumnDef) -> Iterator[str]:
    kinds = [constraint.kind for constraint in column.constraints]
    default = next((kind for kind in kinds if isinstance(kind, exp.DefaultColumnConstraint)), None)
    generated = any(isinstance(kind, exp.ComputedColumnConstraint) for kind in kinds)
    identity = any(isinstance(k, exp.GeneratedAsIdentityColumnConstraint) for k in kinds)
    required = any(
        isinstance(kind, exp.NotNullColumnConstraint) and not kind.args.get("allow_null")
        for kind in kinds
    )
    serial = column.kind is not None and column.kind.sql().upper().endswith("SERIAL")
    if required and default is None and not (generated or identity or serial):
        yield "not-null-without-default"
    if generated or identity or serial or (default is not None and _volatile(default)):
        yield "column-rewrites-table"
    if any(isinstance(kind, exp.Reference | exp.CheckColumnConstraint) for kind in kinds):
        yield "constraint-scans"
    if any(
        isinstance(kind, exp.UniqueColumnConstraint | exp.PrimaryKeyColumnConstraint)
        for kind in kinds
    ):
        yield "key-builds-index"


# Stable within a transaction, so PostgreSQL stores one value instead of rewriting the table.
_STABLE = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.CurrentUser, exp.Cast)


def _volatile(default: exp.DefaultColumnConstraint) -> bool:
    return any(
        not isinstance(function, _STABLE) and function.sql_name().lower() != "now"
        for function in default.find_all(exp.Func)
    )


_KEYS = (exp.PrimaryKey, exp.UniqueColumnConstraint, exp.ExcludeColumnConstraint)


def _added_constraint(
    action: exp.AddConstraint, table: str, valid: bool, not_null: _ProvenNotNull
) -> Iterator[str]:
    for expression in action.expressions:
        named = isinstance(expression, exp.Constraint)
        parts = expression.expressions if named else [expression]
        for part in parts:
            if isinstance(part, exp.CheckColumnConstraint):
                column = _not_null_check(part)
                if column:
                    not_null.added(table, expression.name, column, valid=valid)
            if isinstance(part, _KEYS):
                yield "key-builds-index"
            elif valid and isinstance(part, exp.ForeignKey | exp.CheckColumnConstraint):
                yield "constraint-scans"


def _not_null_check(check: exp.CheckColumnConstraint) -> str:
    """The column of `CHECK (column IS NOT NULL)`; empty for any other check."""
    condition = check.this.unnest() if isinstance(check.this, exp.Paren) else check.this
    if isinstance(condition, exp.Not):  # NOT (column IS NULL)
        inner = condition.this.unnest()
        if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
            return str(inner.this.name)
    if isinstance(condition, exp.Is) and condition.args.get("negate"):
        return str(condition.this.name)
    return ""


_NAME = r'((?:"(?:[^"]|"")*"|[\w$]+)(?:\.(?:"(?:[^"]|"")*"|[\w$]+))?)'

_ALTER = rf"ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{_NAME}\s"

# Statements sqlglot keeps as text: a pattern whose first group is the table, and the rule.
_TEXTS: Sequence[tuple[str, str]] = (
    (rf"REFRESH\s+MATERIALIZED\s+VIEW\s+(?!CONCURRENTLY\b){_NAME}", "refresh-blocks-readers"),
    (rf"VACUUM\s+(?:\([^)]*\bFULL\b[^)]*\)|FULL\b)\s*(?:(?:VERBOSE|ANALYZE)\s+)*{_NAME}?",
     "rewrites-under-lock"),
    (rf"CLUSTER\b(?:\s+VERBOSE)?\s*{_NAME}?", "rewrites-under-lock"),
    (rf"REINDEX\s+(?:\([^)]*\)\s*)?\w+\s+(?!CONCURRENTLY\b){_NAME}", "index-locks-writes"),
    (rf"LOCK\s+(?:TABLE\s+)?(?:ONLY\s+)?{_NAME}", "explicit-lock"),
    (rf"{_ALTER}.*\bDROP\s+COLUMN\b", "drop-column"),
    (rf"{_ALTER}.*\bRENAME\b", "rename"),
    (rf"{_ALTER}.*\bTYPE\b", "type-rewrites-table"),
    (rf"{_ALTER}.*\bSET\s+NOT\s+NULL\b", "set-not-null-scans"),
    (rf"{_ALTER}.*\b(?:EXCLUDE|(?:PRIMARY\s+KEY|UNIQUE)(?!\s+USING\s+INDEX))\b",
     "key-builds-index"),
    (rf"{_ALTER}\s*ADD\b(?!.*\bNOT\s+VALID\b).*\b(?:FOREIGN\s+KEY|CHECK|NOT\s+NULL)\b",
     "constraint-scans"),
)  # fmt: skip
_ASKS_EACH_ROW = r"\ACREATE\s+POLICY\b(?s:.*)(?<!SELECT )(?<!nullif\()current_setting\("
_VALIDATE = rf"{_ALTER}\s*VALIDATE\s+CONSTRAINT\s+{_NAME}"


def _unparsed(text: str, created: set[str], not_null: _ProvenNotNull) -> Iterator[str]:
    validated = re.match(_VALIDATE, text, re.IGNORECASE)
    if validated:
        not_null.validated(_bare(validated[1]), _bare(validated[2]))
    for pattern, rule in _TEXTS:
        found = re.match(pattern, text, re.IGNORECASE | re.DOTALL)
        if found and _bare(found[1] or "") not in created:
            yield rule


def _name(table: exp.Expr | None) -> str:
    """The table's name without schema, as PostgreSQL folds it."""
    identifier = table.find(exp.Identifier) if table is not None else None
    if isinstance(table, exp.Table) and isinstance(table.this, exp.Identifier):
        identifier = table.this
    if identifier is None:
        return ""
    return identifier.name if identifier.quoted else identifier.name.lower()


def _bare(name: str) -> str:
    last = re.split(r"\.(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", name)[-1]
    return last[1:-1].replace('""', '"') if last.startswith('"') else last.lower()

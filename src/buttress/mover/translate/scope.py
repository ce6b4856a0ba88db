"""Names in scope: which relation and column a SQLite name means, and what it is in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from sqlglot import exp, parse
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import SqlglotError
from sqlglot.parsers.sqlite import SQLiteParser

from buttress.mover.plan import Plan, Table, View
from buttress.mover.source.sqlite_tokens import Token, tokens
from buttress.mover.translate.terms import Term, Untranslatable, column_term, quoted

_ROWID_NAMES = ("rowid", "oid", "_rowid_")


class Source(SQLite):
    """SQLite as read for translation: every function call stays a plain call with its arguments."""

    class Parser(SQLiteParser):
        FUNCTIONS: ClassVar[dict[str, Callable[..., exp.Expr]]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {"CAST": SQLiteParser.FUNCTION_PARSERS["CAST"]}
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            "CASE": SQLiteParser.NO_PAREN_FUNCTION_PARSERS["CASE"]
        }


@dataclass(frozen=True)
class Output:
    """A column a relation shows: its name on both sides, and the term it gives (without sql)."""

    name: str
    target: str
    term: Term


@dataclass(frozen=True)
class Relation:
    """A table, view or subquery in FROM; `sql` is the alias its columns are written with."""

    name: str
    sql: str
    columns: list[Output]
    rowid: str = ""
    """The column `rowid` means."""
    hidden: frozenset[str] = frozenset()
    """Columns `*` leaves out."""
    by_name_only: bool = False
    """Its columns must be written with its name: OLD and NEW of a trigger."""

    def find(self, name: str) -> Term | None:
        """The column of that name, as a term."""
        folded = name.lower()
        for column in self.columns:
            if column.name.lower() == folded:
                prefix = f"{self.sql}." if self.sql else ""
                return named_column(column.term, prefix + quoted(column.target))
        if folded in _ROWID_NAMES and self.rowid and self.rowid.lower() != folded:
            return self.find(self.rowid)
        return None

    @property
    def shown(self) -> list[Output]:
        """The columns `*` stands for."""
        return [column for column in self.columns if column.name not in self.hidden]


def named_column(term: Term, sql: str) -> Term:
    """The term of a column written as `sql`."""
    if term.chosen:
        raise Untranslatable(f"uses {sql}, whose type {term.chosen} was chosen by hand")
    return replace(term, sql=f"{sql}::{term.cast}" if term.cast else sql, cast="")


@dataclass(frozen=True)
class Query:
    """A translated query and the columns it gives."""

    columns: list[Output]
    terms: list[Term]
    """What it selects, in its own scope."""
    render: Callable[[list[Term]], str]
    """The query's text with these terms selected: compounds bring theirs to one type."""
    single: bool = False
    """It cannot give more than one row."""

    @property
    def sql(self) -> str:
        """The query's text."""
        return self.render(self.terms)


class Queries(Protocol):
    """What translates a query inside an expression."""

    def __call__(self, node: exp.Expr, scope: Scope) -> Query: ...


@dataclass(frozen=True)
class Scope:
    """Where names are looked up: this query's relations, then those of the queries around it."""

    relations: list[Relation] = field(default_factory=list)
    parent: Scope | None = None
    aliases: dict[str, exp.Expr] = field(default_factory=dict)
    """Expressions of the select list by name."""
    keys: frozenset[str] | None = None
    """In a grouped query the GROUP BY expressions; None elsewhere."""
    bare: Callable[[str], str] | None = None
    """In a grouped query, how a column that is no key gets its one value."""
    immutable: bool = False
    """Only what PostgreSQL allows in indexes and generated columns."""
    random: bool = False
    """Random values are wanted: in a default, not in a view."""
    queries: Queries | None = None
    plan: Plan | None = None
    views: Callable[[View], list[Output]] | None = None
    """The columns of a view of the plan."""
    ctes: dict[str, Relation] = field(default_factory=dict)

    def ungrouped(self) -> Scope:
        """The same names inside an aggregate's arguments."""
        return replace(self, keys=None)

    def inner(self) -> Scope:
        """The empty scope of a query inside this one."""
        return replace(self, relations=[], parent=self, aliases={}, keys=None, bare=None)

    def column(self, name: str, table: str) -> Term | exp.Expr | None:
        """A column, or the select-list expression of that name; None when there is neither."""
        for relation in self.relations:
            if relation.name.lower() != table.lower() if table else relation.by_name_only:
                continue
            found = relation.find(name)
            if found is not None:
                return self.of_group(found)
        if not table and name.lower() in self.aliases:
            return self.aliases[name.lower()]
        return self.parent.column(name, table) if self.parent else None

    def of_group(self, term: Term) -> Term:
        """In a grouped query a column that is no key takes its value from some row."""
        if self.keys is None or self.bare is None or term.sql in self.keys:
            return term
        return replace(term, sql=self.bare(term.sql), stored=False)


def table_relation(table: Table, name: str, sql: str) -> Relation:
    """A moved table in FROM."""
    if table.skip or table.impossible:
        raise Untranslatable(f"reads {table.name}, which is not moved")
    columns = [
        Output(column.name, column.target, column_term("", column)) for column in table.columns
    ]
    hidden = frozenset(["rowid"]) if table.kind == "fts" else frozenset[str]()
    return Relation(name, sql, columns, table.rowid_alias, hidden)


def parsed(sql: str) -> exp.Expr:
    """The statement as a tree; raises Untranslatable for what cannot be read without doubt."""

    found = tokens(sql)
    for before, token, after in zip(found, found[1:], found[2:], strict=False):
        # The tree forgets a unary plus, which takes a column's affinity away.
        unary = before.says(*_BEFORE_OPERAND) or (before.kind == "mark" and before.text != ")")
        if token.text == "+" and unary and after.kind != "number":
            raise Untranslatable("uses a unary plus")
    try:
        trees = parse(" ".join(_spelled(found)), dialect=Source)
    except (SqlglotError, RecursionError) as error:
        raise Untranslatable(f"cannot be read: {str(error).splitlines()[0]}") from error
    tree = trees[0] if len(trees) == 1 else None
    if tree is None or isinstance(tree, exp.Command):
        raise Untranslatable("cannot be read")
    _refuse_doubtful(tree)
    return tree


def _spelled(found: list[Token]) -> list[str]:
    """The tokens as the parser takes them: it knows ROLLBACK only as a statement."""
    return [f'"{token.text}"' if token.says("ROLLBACK") else token.text for token in found]


_BEFORE_OPERAND = (
    *("SELECT", "DISTINCT", "ALL", "WHERE", "HAVING", "BY", "ON", "LIMIT", "OFFSET", "SET"),
    *("AND", "OR", "NOT", "BETWEEN", "IN", "IS", "LIKE", "GLOB", "ESCAPE"),
    *("CASE", "WHEN", "THEN", "ELSE"),
)

_EQUALITIES = (
    exp.EQ,
    exp.NEQ,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.Is,
    exp.Like,
    exp.Escape,
    exp.Glob,
    exp.In,
    exp.Between,
)


def _refuse_doubtful(tree: exp.Expr) -> None:
    """`a = b LIKE c` groups from the left in SQLite; the tree does not say so."""
    for node in tree.find_all(*_EQUALITIES, exp.LT, exp.LTE, exp.GT, exp.GTE):
        ordered = isinstance(node, exp.LT | exp.LTE | exp.GT | exp.GTE)
        children = [node.args.get("expression"), node.this if ordered else None]
        for child in children:
            inner = child.this if isinstance(child, exp.Not) else child
            if isinstance(inner, _EQUALITIES) and not isinstance(node, exp.Escape):
                raise Untranslatable("mixes comparisons without parentheses")

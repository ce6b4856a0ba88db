"""What SQLite keeps of a table only as text: checks, generated columns, collations and options.

PRAGMAs tell the columns, keys and foreign keys; this reads the rest out of the CREATE TABLE
statement.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from buttress.mover.source.sqlite_tokens import Token, closing, split, text_of, tokens

_TABLE_CONSTRAINTS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")
_COLUMN_CONSTRAINTS = (
    *("CONSTRAINT", "PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE"),
    *("REFERENCES", "AS", "ON", "DEFERRABLE", "INITIALLY"),
)


@dataclass(frozen=True)
class NamedText:
    """A CHECK: its name if it has one, its condition, its column if written beside one."""

    name: str | None
    text: str
    column: str | None


@dataclass(frozen=True)
class Generated:
    """A generated column's expression; SQLite computes it on reading unless `stored`."""

    text: str
    stored: bool


@dataclass(frozen=True)
class TableText:
    """The parts of a CREATE TABLE or CREATE VIRTUAL TABLE statement that no PRAGMA tells."""

    checks: list[NamedText] = field(default_factory=list)
    generated: dict[str, Generated] = field(default_factory=dict)
    collations: dict[str, str] = field(default_factory=dict)
    """Collation by column, as written."""
    autoincrement: bool = False
    strict: bool = False
    without_rowid: bool = False
    deferrable_foreign_keys: list[tuple[str, ...]] = field(default_factory=list)
    """Child columns of the foreign keys SQLite checks at commit (DEFERRABLE INITIALLY DEFERRED)."""
    conflict_clauses: list[str] = field(default_factory=list)
    """Constraints with an ON CONFLICT clause, e.g. `UNIQUE ON CONFLICT REPLACE`."""
    module: str | None = None
    """The module of a virtual table."""
    arguments: list[str] = field(default_factory=list)
    """The arguments of a virtual table's module, as written."""
    unparsed: list[str] = field(default_factory=list)
    """Texts inside the statement that were not understood."""


def parse_table(sql: str) -> TableText:
    """Read a statement SQLite has accepted; what is not understood ends in `unparsed`."""
    return _Reader(sql).table()


class _Reader:
    """A cursor over the tokens of one statement that collects facts as it passes them."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.tokens = tokens(sql)
        self.at = 0
        self.checks: list[NamedText] = []
        self.generated: dict[str, Generated] = {}
        self.collations: dict[str, str] = {}
        self.deferred: list[tuple[str, ...]] = []
        self.conflicts: list[str] = []
        self.unparsed: list[str] = []
        self.autoincrement = False

    def says(self, *words: str, ahead: int = 0) -> bool:
        position = self.at + ahead
        return position < len(self.tokens) and self.tokens[position].says(*words)

    def take(self) -> Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def take_if(self, *words: str) -> bool:
        """Pass over these words if all of them come next, in this order."""
        if all(self.says(word, ahead=ahead) for ahead, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def group(self) -> list[Token]:
        """Pass over a parenthesised group and return what stands inside."""
        if not self.says("("):
            return []
        end = closing(self.tokens, self.at)
        inside = self.tokens[self.at + 1 : end]
        self.at = end + 1
        return inside

    def table(self) -> TableText:
        while self.at < len(self.tokens) and not self.says("TABLE"):
            self.at += 1
        virtual = self.at > 0 and self.tokens[self.at - 1].says("VIRTUAL")
        self.at += 1
        self.take_if("IF", "NOT", "EXISTS")
        self.at += 3 if self.says(".", ahead=1) else 1
        if virtual:
            return self.virtual_table()
        if not self.says("("):
            # CREATE TABLE … AS has no constraints.
            return TableText()
        end = closing(self.tokens, self.at)
        options = [token.text.upper() for token in self.tokens[end + 1 :]]
        del self.tokens[end:]
        self.at += 1
        self.definitions()
        return TableText(
            checks=self.checks,
            generated=self.generated,
            collations=self.collations,
            autoincrement=self.autoincrement,
            strict="STRICT" in options,
            without_rowid="WITHOUT" in options,
            deferrable_foreign_keys=self.deferred,
            conflict_clauses=self.conflicts,
            unparsed=self.unparsed,
        )

    def virtual_table(self) -> TableText:
        self.take_if("USING")
        module = self.take().name if self.at < len(self.tokens) else ""
        arguments = [text_of(self.sql, part) for part in split(self.group(), ",")]
        return TableText(module=module, arguments=[text for text in arguments if text])

    def definitions(self) -> None:
        while self.at < len(self.tokens):
            if self.take_if(","):
                continue
            if self.says(*_TABLE_CONSTRAINTS):
                self.table_constraint()
            else:
                self.column()

    def table_constraint(self) -> None:
        name = self.constraint_name()
        if self.take_if("CHECK"):
            self.check(name, None)
        elif self.take_if("FOREIGN", "KEY"):
            columns = tuple(part[0].name for part in split(self.group(), ",") if part)
            self.references(columns)
        elif self.says("PRIMARY", "UNIQUE"):
            start = self.at
            self.take_if("PRIMARY", "KEY") or self.take_if("UNIQUE")
            inside = self.group()
            self.autoincrement |= any(token.says("AUTOINCREMENT") for token in inside)
            self.conflict(start)
        elif not self.says(",", *_TABLE_CONSTRAINTS) and self.at < len(self.tokens):
            self.unparsed.append(self.take().text)

    def column(self) -> None:
        name = self.take().name
        # The type: any words and groups up to the first constraint.
        while self.at < len(self.tokens) and not self.says(",", *_COLUMN_CONSTRAINTS):
            if self.says("GENERATED") and self.says("ALWAYS", ahead=1):
                break
            if self.says("("):
                self.group()
            else:
                self.at += 1
        while self.at < len(self.tokens) and not self.says(","):
            self.column_constraint(name)

    def column_constraint(self, column: str) -> None:
        name = self.constraint_name()
        start = self.at
        if self.take_if("CHECK"):
            self.check(name, column)
        elif self.take_if("GENERATED", "ALWAYS", "AS") or self.take_if("AS"):
            text = text_of(self.sql, self.group())
            self.generated[column] = Generated(text, stored=self.take_if("STORED"))
            self.take_if("VIRTUAL")
        elif self.take_if("COLLATE"):
            self.collations[column] = self.take().name
        elif self.take_if("DEFAULT"):
            self.default()
        elif self.says("REFERENCES"):
            self.references((column,))
        elif self.take_if("PRIMARY", "KEY"):
            self.take_if("ASC") or self.take_if("DESC")
            self.conflict(start)
            self.autoincrement |= self.take_if("AUTOINCREMENT")
        elif self.take_if("UNIQUE") or self.take_if("NOT", "NULL") or self.take_if("NULL"):
            self.conflict(start)
        elif self.at < len(self.tokens) and not self.says(","):
            self.unparsed.append(self.take().text)

    def constraint_name(self) -> str | None:
        name = None
        while self.take_if("CONSTRAINT") and self.at < len(self.tokens):
            name = self.take().name
        return name

    def check(self, name: str | None, column: str | None) -> None:
        start = self.at - 1
        self.checks.append(NamedText(name, text_of(self.sql, self.group()), column))
        self.conflict(start)

    def default(self) -> None:
        if self.says("("):
            self.group()
            return
        if self.says("+", "-"):
            self.at += 1
        self.at += 1

    def references(self, columns: tuple[str, ...]) -> None:
        if self.take_if("REFERENCES"):
            self.at += 1
            self.group()
        deferred = False
        while True:
            if self.says("ON") and self.says("DELETE", "UPDATE", "INSERT", ahead=1):
                self.at += 2
                self.take_if("SET") or self.take_if("NO")
                self.at += 1
            elif self.take_if("MATCH"):
                self.at += 1
            elif self.take_if("NOT", "DEFERRABLE"):
                self.take_if("INITIALLY", "DEFERRED") or self.take_if("INITIALLY", "IMMEDIATE")
            elif self.take_if("DEFERRABLE"):
                deferred = self.take_if("INITIALLY", "DEFERRED")
                self.take_if("INITIALLY", "IMMEDIATE")
            else:
                break
        if deferred:
            self.deferred.append(columns)

    def conflict(self, start: int) -> None:
        if self.take_if("ON", "CONFLICT"):
            self.at += 1
            self.conflicts.append(text_of(self.sql, self.tokens[start : self.at]))

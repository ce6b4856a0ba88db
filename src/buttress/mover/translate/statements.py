"""The statements of a trigger's body: INSERT, UPDATE, DELETE and SELECT RAISE(…)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlglot import exp

from buttress.mover.plan import Column, Table
from buttress.mover.translate.expressions import condition, term
from buttress.mover.translate.relations import named
from buttress.mover.translate.scope import Output, Relation, Scope
from buttress.mover.translate.stores import assigned
from buttress.mover.translate.terms import (
    Term,
    Untranslatable,
    quoted,
    string,
    without_parentheses,
)

LEAVE = "RETURN NULL;"
"""RAISE(IGNORE): PostgreSQL does not do to the row what fired the trigger."""


@dataclass(frozen=True)
class Statement:
    """A translated statement."""

    kind: str
    lines: list[str]
    """plpgsql."""
    writes: set[str] = field(default_factory=set)
    """Tables it changes, in lower case."""
    reads: set[str] = field(default_factory=set)
    """Tables and views it reads, in lower case."""
    ignores: bool = False
    """It may skip the row: RAISE(IGNORE)."""


def statement(node: exp.Expr, scope: Scope) -> Statement:
    """One statement of a trigger's body; raises `Untranslatable`."""
    written = node.this.this if isinstance(node.this, exp.Schema) else node.this
    reads = {table.name.lower() for table in node.find_all(exp.Table) if table is not written}
    if isinstance(node, exp.Select):
        lines = _raised(node, scope)
        ignores = any(line.strip() == LEAVE for line in lines)
        return Statement("SELECT", lines, reads=reads, ignores=ignores)
    kinds = {exp.Insert: _insert, exp.Update: _update, exp.Delete: _delete}
    for kind, compile_node in kinds.items():
        if isinstance(node, kind):
            sql = compile_node(node, scope)
            return Statement(kind.__name__.upper(), [f"{sql};"], {written.name.lower()}, reads)
    raise Untranslatable(f"runs {node.key.upper()}")


def _target(node: exp.Expr, scope: Scope) -> tuple[str, Relation, Table]:
    """The table a statement changes: its text, its relation and its plan."""
    text, relation = named(node, scope)
    assert scope.plan is not None
    for table in scope.plan.tables:
        if table.name.lower() == node.name.lower():
            return text, relation, table
    raise Untranslatable(f"changes the view {node.name}")


def _column(table: Table, name: str) -> Column:
    try:
        column = table.column(name)
    except StopIteration:
        alias = table.rowid_alias if name.lower() in ("rowid", "oid", "_rowid_") else ""
        if not alias:
            raise Untranslatable(f"stores into the unknown column {name}") from None
        column = table.column(alias)
    if column.generated:
        raise Untranslatable(f"stores into the generated column {name}")
    return column


def _insert(node: exp.Expr, scope: Scope) -> str:
    schema = isinstance(node.this, exp.Schema)
    text, _, table = _target(node.this.this if schema else node.this, scope)
    if schema:
        columns = [_column(table, item.name) for item in node.this.expressions]
    else:
        columns = table.stored
    if node.args.get("default"):
        return f"INSERT INTO {text} DEFAULT VALUES{_conflict(node, table, scope)}"
    source = node.args["expression"]
    if isinstance(source, exp.Values):
        rows = [[term(cell, scope) for cell in row.expressions] for row in source.expressions]
        if any(len(row) != len(columns) for row in rows):
            raise Untranslatable("stores another number of values than there are columns")
        columns, rows = _without_null_identity(table, columns, rows)
        values = f"VALUES {', '.join(_row(row, columns) for row in rows)}"
    else:
        values = _selected(source, columns, scope)
    names = ", ".join(quoted(column.target) for column in columns)
    return f"INSERT INTO {text} ({names}) {values}{_conflict(node, table, scope)}"


def _row(cells: list[Term], columns: list[Column]) -> str:
    stored = [_stored(cell, column) for cell, column in zip(cells, columns, strict=True)]
    return f"({', '.join(stored)})"


def _stored(cell: Term, column: Column) -> str:
    return without_parentheses(assigned(cell, column))


def _without_null_identity(
    table: Table, columns: list[Column], rows: list[list[Term]]
) -> tuple[list[Column], list[list[Term]]]:
    """Leave out an INTEGER PRIMARY KEY that gets NULL: SQLite numbers the row then."""
    places = [at for at, column in enumerate(columns) if column.name == table.rowid_alias]
    if not places or not any(row[places[0]].kind == "null" for row in rows):
        return columns, rows
    if not all(row[places[0]].kind == "null" for row in rows):
        raise Untranslatable("numbers some of the rows it stores")
    kept = [at for at in range(len(columns)) if at != places[0]]
    return [columns[at] for at in kept], [[row[at] for at in kept] for row in rows]


def _selected(source: exp.Expr, columns: list[Column], scope: Scope) -> str:
    if scope.queries is None:
        raise Untranslatable("holds a query")
    found = scope.queries(source, scope.inner())
    if len(found.terms) != len(columns):
        raise Untranslatable("stores another number of values than there are columns")
    if isinstance(source, exp.Select):
        cells = [
            Term(assigned(value, column), "text")
            for value, column in zip(found.terms, columns, strict=True)
        ]
        return found.render(cells)
    for value, column in zip(found.terms, columns, strict=True):
        if assigned(replace(value, sql="x"), column) != "x":
            raise Untranslatable("stores a compound query in columns of other types")
    return found.sql


def _conflict(node: exp.Expr, table: Table, scope: Scope) -> str:
    """ON CONFLICT, from OR IGNORE, OR REPLACE and upsert clauses."""
    word = str(node.args.get("alternative") or "").upper()
    clause = node.args.get("conflict")
    if word == "IGNORE" and clause is None:
        return " ON CONFLICT DO NOTHING"
    if word == "REPLACE" and clause is None:
        return _replacing(table, scope)
    if word not in ("", "ABORT", "FAIL", "ROLLBACK") or (word and clause is not None):
        raise Untranslatable(f"uses INSERT OR {word}")
    if clause is None:
        return ""
    keys = [_column(table, key.this.name) for key in clause.args.get("conflict_keys") or []]
    if str(clause.args.get("action")).upper() == "DO NOTHING":
        return f" ON CONFLICT{_unique(keys, table) if keys else ''} DO NOTHING"
    if not keys or clause.args.get("index_predicate") is not None:
        raise Untranslatable("an upsert of an unusual form")
    own = Relation(table.name, quoted(table.target), _outputs(table, scope))
    excluded = Relation("excluded", "EXCLUDED", own.columns, by_name_only=True)
    inside = replace(scope, relations=[own, excluded, *scope.relations])
    text = f" ON CONFLICT{_unique(keys, table)} DO UPDATE SET "
    text += _assignments(clause.expressions, table, inside)
    where = clause.args.get("where")
    if where is not None:
        text += f" WHERE {without_parentheses(condition(where.this, inside))}"
    return text


def _outputs(table: Table, scope: Scope) -> list[Output]:
    return named(exp.to_table(quoted(table.name), dialect="sqlite"), scope)[1].columns


def _unique(keys: list[Column], table: Table) -> str:
    """The conflict target, when a unique constraint of just these columns is carried."""
    names = [column.name for column in keys]
    spelled = f"({', '.join(quoted(column.target) for column in keys)})"
    known = set(table.key) == set(names)
    known |= any(index.unique and index.sql.endswith(spelled) for index in table.indexes)
    if not known:
        raise Untranslatable(f"an upsert by ({', '.join(names)}), which no unique index has")
    return f" {spelled}"


def _replacing(table: Table, scope: Scope) -> str:
    """OR REPLACE: the row with the same key gets all the new row's values, defaults included."""
    assert scope.plan is not None
    parents = {key.parent.lower() for other in scope.plan.tables for key in other.foreign_keys}
    if any(index.unique for index in table.indexes) or table.name.lower() in parents:
        raise Untranslatable("uses INSERT OR REPLACE where more than one row may have to go")
    if not table.key:
        return ""
    key = [table.column(name) for name in table.key]
    others = [column for column in table.stored if column not in key]
    keys = ", ".join(quoted(column.target) for column in key)
    if not others:
        return f" ON CONFLICT ({keys}) DO NOTHING"
    changes = [f"{quoted(column.target)} = EXCLUDED.{quoted(column.target)}" for column in others]
    return f" ON CONFLICT ({keys}) DO UPDATE SET {', '.join(changes)}"


def _assignments(nodes: list[exp.Expr], table: Table, scope: Scope) -> str:
    changes = []
    for node in nodes:
        if not isinstance(node, exp.EQ) or not isinstance(node.this, exp.Column):
            raise Untranslatable("sets several columns at once")
        column = _column(table, node.this.name)
        value = _stored(term(node.args["expression"], scope), column)
        changes.append(f"{quoted(column.target)} = {value}")
    return ", ".join(changes)


def _update(node: exp.Expr, scope: Scope) -> str:
    unusual = ("from_", "order", "limit", "returning", "with_")
    if any(node.args.get(name) for name in unusual):
        raise Untranslatable("an UPDATE with FROM, ORDER BY, LIMIT or WITH")
    text, relation, table = _target(node.this, scope)
    inside = replace(scope, relations=[relation, *scope.relations])
    changes = _assignments(node.expressions, table, inside)
    return f"UPDATE {text} SET {changes}{_where(node, inside)}"


def _delete(node: exp.Expr, scope: Scope) -> str:
    if any(node.args.get(name) for name in ("order", "limit", "returning", "with_")):
        raise Untranslatable("a DELETE with ORDER BY, LIMIT or WITH")
    text, relation, _ = _target(node.this, scope)
    inside = replace(scope, relations=[relation, *scope.relations])
    return f"DELETE FROM {text}{_where(node, inside)}"


def _where(node: exp.Expr, scope: Scope) -> str:
    where = node.args.get("where")
    if where is None:
        return ""
    return f" WHERE {without_parentheses(condition(where.this, scope))}"


def _raised(node: exp.Select, scope: Scope) -> list[str]:
    """`SELECT RAISE(…) [FROM …] [WHERE …]` and `SELECT CASE WHEN … THEN RAISE(…) END`."""
    if len(node.expressions) != 1:
        raise Untranslatable("runs a SELECT for nothing")
    item = node.expressions[0]
    item = item.this if isinstance(item, exp.Alias | exp.Paren) else item
    if not isinstance(item, exp.Case):
        return _guarded(node, scope, [_raise(item)])
    if item.this is not None:
        raise Untranslatable("a CASE of an unusual form around RAISE()")
    arms = [(arm.this, _raise_or_nothing(arm.args["true"])) for arm in item.args["ifs"]]
    default = item.args.get("default")
    otherwise = _raise_or_nothing(default) if default is not None else ""
    if node.args.get("from_") is not None:
        if len(arms) > 1 or otherwise:
            raise Untranslatable("a CASE of several arms around RAISE() with FROM")
        narrowed = node.copy()
        assert isinstance(narrowed, exp.Select)
        return _guarded(narrowed.where(arms[0][0].copy()), scope, [arms[0][1]])
    lines = []
    for position, (when, line) in enumerate(arms):
        word = "ELSIF" if position else "IF"
        lines.append(f"{word} {without_parentheses(condition(when, scope))} THEN")
        lines.append(f"  {line or 'NULL;'}")
    lines += ["ELSE", f"  {otherwise}"] if otherwise else []
    return _guarded(node, scope, [*lines, "END IF;"])


def _guarded(node: exp.Select, scope: Scope, lines: list[str]) -> list[str]:
    """The lines under the query's condition."""
    where = node.args.get("where")
    if node.args.get("from_") is not None:
        if scope.queries is None:
            raise Untranslatable("holds a query")
        asked = node.copy()
        asked.set("expressions", [exp.Literal.number(1)])
        found = scope.queries(asked, scope.inner())
        wanted = f"EXISTS ({found.sql})"
    elif where is not None:
        wanted = without_parentheses(condition(where.this, scope))
    else:
        return lines
    return [f"IF {wanted} THEN", *(f"  {line}" for line in lines), "END IF;"]


def _raise_or_nothing(node: exp.Expr) -> str:
    """A RAISE, or empty for a constant whose value nobody sees."""
    if isinstance(node, exp.Null | exp.Literal):
        return ""
    return _raise(node)


def _raise(node: exp.Expr) -> str:
    if not isinstance(node, exp.Anonymous) or str(node.this).upper() != "RAISE":
        raise Untranslatable("runs a SELECT for nothing")
    kind = node.expressions[0].name.upper()
    if kind == "IGNORE":
        return LEAVE
    message = node.expressions[1] if len(node.expressions) > 1 else None
    if kind not in ("ABORT", "FAIL", "ROLLBACK") or not isinstance(message, exp.Literal):
        raise Untranslatable("RAISE() of an unusual form")
    # The class of error drivers call an IntegrityError, as SQLite's do.
    return (
        f"RAISE EXCEPTION USING MESSAGE = {string(str(message.this)).strip()}, "
        "ERRCODE = 'check_violation';"
    )

"""Reads a source's schema: what SQLite's PRAGMAs tell, and what only the CREATE text tells.

An object that cannot be understood is listed in `not_carried` or gets a reason in `skip`, and the
rest goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import apsw

from buttress.mover.marks import is_mark
from buttress.mover.plan import NotCarried
from buttress.mover.source.ddl import parse_table
from buttress.mover.source.schema import (
    Schema,
    SourceColumn,
    SourceForeignKey,
    SourceIndex,
    SourceObject,
    SourceTable,
    fold,
    quoted,
)
from buttress.mover.source.sqlite_tokens import closing, text_of, tokens
from buttress.mover.translate import IndexedColumn

_BUILT_IN = {"BINARY": "", "NOCASE": "NOCASE", "RTRIM": "RTRIM"}


def read_schema(connection: apsw.Connection) -> Schema:
    """Read the schema of an open snapshot."""
    schema = Schema(str(connection.pragma("encoding")))
    indexes_sql: dict[str, str] = {}
    tables: list[tuple[str, str]] = []
    for kind, name, table, sql in _objects(connection, schema):
        if kind == "index":
            indexes_sql[name] = sql
        elif kind == "table":
            tables.append((name, sql))
        elif kind == "view":
            schema.views.append(SourceObject(name, name, sql))
        elif kind == "trigger":
            schema.triggers.append(SourceObject(name, table, sql))
    for name, sql in tables:
        schema.tables.append(_table(connection, name, sql, indexes_sql))
    if any(fold(name) == "sqlite_sequence" for name, _ in tables):
        for name, last in connection.execute("SELECT name, seq FROM sqlite_sequence"):
            if isinstance(name, str) and isinstance(last, int):
                schema.sequences[fold(name)] = last
    return schema


def _objects(connection: apsw.Connection, schema: Schema) -> Iterator[tuple[str, str, str, str]]:
    """Type, name, table and text of every object; those whose text is not Unicode are reported."""
    for (rowid,) in connection.execute("SELECT rowid FROM sqlite_schema ORDER BY rowid").fetchall():
        try:
            row = connection.execute(
                "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema WHERE rowid = ?",
                (rowid,),
            ).fetchall()[0]
        except UnicodeDecodeError:
            reason = "its name or text is not valid Unicode"
            entry = NotCarried(kind="object", name=f"number {rowid} of the schema", reason=reason)
            schema.not_carried.append(entry)
        else:
            if is_mark(str(row[1])):
                continue
            yield str(row[0]), str(row[1]), str(row[2]), str(row[3])


def _table(
    connection: apsw.Connection, name: str, sql: str, indexes_sql: dict[str, str]
) -> SourceTable:
    if fold(name).startswith("sqlite_"):
        return SourceTable(name, sql, skip="SQLite's own bookkeeping")
    try:
        kind, without_rowid = connection.execute(
            "SELECT type, wr FROM pragma_table_list(?) WHERE schema = 'main'", (name,)
        ).fetchall()[0]
        if kind == "shadow":
            return SourceTable(name, sql, skip="the inside of a virtual table")
        text = parse_table(sql)
        if kind == "virtual":
            return _virtual_table(connection, SourceTable(name, sql, text=text))
        return _plain_table(
            connection,
            SourceTable(name, sql, without_rowid=bool(without_rowid), text=text),
            indexes_sql,
        )
    except (apsw.Error, UnicodeDecodeError, IndexError) as error:
        return SourceTable(name, sql, skip=f"SQLite cannot read it: {error}")


def _plain_table(
    connection: apsw.Connection, table: SourceTable, indexes_sql: dict[str, str]
) -> SourceTable:
    columns, primary = _columns(connection, table)
    # The rowid stands in for the index that every other primary key has.
    has_index = connection.execute(
        "SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'", (table.name,)
    ).fetchall()
    alias = primary[0] if primary and not has_index else ""
    names = {fold(column.name) for column in columns}
    free = [name for name in ("rowid", "_rowid_", "oid") if name not in names]
    found = replace(
        table,
        autoincrement=table.text.autoincrement,
        rowid="" if table.without_rowid else (free[0] if free else alias),
        rowid_alias=alias,
        primary=primary,
        columns=columns,
        foreign_keys=_foreign_keys(connection, table),
    )
    found = replace(found, indexes=_indexes(connection, found, indexes_sql))
    return _readable(connection, found)


def _columns(
    connection: apsw.Connection, table: SourceTable
) -> tuple[list[SourceColumn], list[str]]:
    collations = {fold(name): found for name, found in table.text.collations.items()}
    generated = {fold(name): found for name, found in table.text.generated.items()}
    columns: list[SourceColumn] = []
    primary: dict[int, str] = {}
    for name, declared, not_null, default, position, hidden in connection.execute(
        'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)',
        (table.name,),
    ):
        if hidden == 1:
            continue
        if position:
            primary[position] = name
        collation = collations.get(fold(name), "")
        expression = generated.get(fold(name))
        columns.append(
            SourceColumn(
                name,
                declared,
                bool(not_null),
                default,
                _BUILT_IN.get(collation.upper(), collation),
                (expression.text if expression else "") if hidden in (2, 3) else None,
                hidden == 3,
            )
        )
    return columns, [primary[position] for position in sorted(primary)]


def _virtual_table(connection: apsw.Connection, table: SourceTable) -> SourceTable:
    module = (table.text.module or "").lower()
    if module in ("fts3", "fts4", "fts5"):
        content = next(
            (found for argument in table.text.arguments if (found := _content_option(argument))),
            None,
        )
        if content is not None:
            elsewhere = content[1:-1].strip() if content[0] in "'\"`[" else content
            reason = (
                f"a full-text index over {elsewhere}, which moves itself"
                if elsewhere
                else "a full-text index without content"
            )
            return replace(table, skip=reason)
        columns = [SourceColumn("rowid", "INTEGER"), *_columns(connection, table)[0]]
        with_rowid = replace(table, kind="fts", columns=columns, rowid="rowid", rowid_alias="rowid")
        return _readable(connection, with_rowid)
    if module in ("rtree", "rtree_i32"):
        columns = _columns(connection, table)[0]
        return _readable(
            connection,
            replace(
                table, kind="rtree", columns=columns, rowid="rowid", rowid_alias=columns[0].name
            ),
        )
    return replace(table, skip=f"a virtual table of the module {table.text.module}")


def _content_option(argument: str) -> str | None:
    match = re.fullmatch(r"\s*content\s*=\s*(.+?)\s*", argument, re.IGNORECASE | re.DOTALL)
    return match[1] if match else None


def _readable(connection: apsw.Connection, table: SourceTable) -> SourceTable:
    """The table, without computed columns whose functions only the application knows."""
    try:
        _prepare(connection, table)
    except apsw.SQLError as error:
        kept = [c for c in table.columns if c.generated is None or c.stored]
        if len(kept) == len(table.columns):
            return replace(table, skip=f"SQLite cannot read it: {error}")
        lost = [
            NotCarried(
                kind="generated column",
                name=f"{table.name}.{column.name}",
                table=table.name,
                source=column.generated or "",
                reason=f"SQLite cannot compute it: {error}",
            )
            for column in table.columns
            if column not in kept
        ]
        stored_only = replace(table, columns=kept, not_carried=lost)
        _prepare(connection, stored_only)
        return stored_only
    return table


def _prepare(connection: apsw.Connection, table: SourceTable) -> None:
    # In parts, because a result may not have more than 2,000 columns.
    for first in range(0, len(table.columns), 1000):
        names = ", ".join(quoted(c.name) for c in table.columns[first : first + 1000])
        connection.execute(f"SELECT {names} FROM {quoted(table.name)} LIMIT 0").fetchall()


def _indexes(
    connection: apsw.Connection, table: SourceTable, indexes_sql: dict[str, str]
) -> list[SourceIndex]:
    indexes: list[SourceIndex] = []
    for name, unique, origin in connection.execute(
        'SELECT name, "unique", origin FROM pragma_index_list(?) ORDER BY seq DESC', (table.name,)
    ).fetchall():
        sql = indexes_sql.get(str(name)) or None
        # The index names the INTEGER PRIMARY KEY by number −1, and an expression by −2.
        columns = [
            IndexedColumn(
                name=None if number == -2 else str(table.rowid_alias if number == -1 else column),
                collation=str(collation),
                descending=bool(descending),
            )
            for column, number, collation, descending in connection.execute(
                'SELECT name, cid, coll, "desc" FROM pragma_index_xinfo(?)'
                " WHERE key ORDER BY seqno",
                (name,),
            )
        ]
        where = _condition(sql) if sql else None
        indexes.append(SourceIndex(str(name), sql, bool(unique), origin == "pk", columns, where))
    return indexes


def _foreign_keys(connection: apsw.Connection, table: SourceTable) -> list[SourceForeignKey]:
    deferrable = {
        tuple(fold(name) for name in names) for names in table.text.deferrable_foreign_keys
    }
    rows: dict[int, list[tuple[str, str, str | None, str, str]]] = {}
    for number, parent, child, parent_column, on_update, on_delete in connection.execute(
        'SELECT id, "table", "from", "to", on_update, on_delete'
        " FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq",
        (table.name,),
    ):
        rows.setdefault(number, []).append((parent, child, parent_column, on_update, on_delete))
    keys: list[SourceForeignKey] = []
    for parts in rows.values():
        parent, _, first, on_update, on_delete = parts[0]
        columns = [part[1] for part in parts]
        keys.append(
            SourceForeignKey(
                columns,
                parent,
                None if first is None else [part[2] or "" for part in parts],
                on_update,
                on_delete,
                tuple(fold(name) for name in columns) in deferrable,
            )
        )
    return keys


def _condition(sql: str) -> str | None:
    """The WHERE condition of a CREATE INDEX statement."""
    found = tokens(sql)
    on = next((at for at, token in enumerate(found) if token.says("ON")), len(found))
    opening = next((at for at in range(on, len(found)) if found[at].says("(")), len(found))
    rest = found[closing(found, opening) + 1 :]
    return text_of(sql, rest[1:]) if rest and rest[0].says("WHERE") else None

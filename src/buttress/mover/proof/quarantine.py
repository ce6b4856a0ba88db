"""The rows in quarantine, proven one by one: each must be kept as the source has it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from buttress.errors import BadInput
from buttress.mover.plan import Table
from buttress.mover.proof.cells import Cell, Row, same_cell, show, tag
from buttress.mover.proof.compare import Tally
from buttress.mover.proof.rows import RowReader
from buttress.mover.proof.source import Excluded, Source, quoted, rowid_name
from buttress.mover.report import Difference

Connection = psycopg.Connection[tuple[object, ...]]

_AT_ONCE = 500


@dataclass
class Kept:
    """What the quarantine holds of one table."""

    excluded: Excluded = field(default_factory=Excluded)
    """Source rows that the comparison leaves out."""
    rows: int = 0
    """Source rows found again, each counted once."""
    tally: Tally = field(default_factory=Tally)
    """`proven` are the rows kept exactly; differences name the others."""


def quarantine_counts(connection: Connection, schema: str) -> dict[str, int]:
    """Rows in quarantine by table; empty when the schema has no such table."""
    place = sql.Identifier(schema, "buttress_quarantine")
    row = connection.execute("SELECT to_regclass(%s)", (place.as_string(),)).fetchone()
    if row is None or row[0] is None:
        return {}
    statement = sql.SQL("SELECT table_name, count(*) FROM {} GROUP BY 1").format(place)
    return {str(name).lower(): int(str(count)) for name, count in connection.execute(statement)}


def prove_quarantine(connection: Connection, schema: str, source: Source) -> Kept:
    """Read every quarantined row of a table again in the source and compare all cells exactly.

    A row that the source does not have, that is kept twice or that was altered is a difference.
    """
    table = source.table
    kept = Kept()
    with (
        contextlib.closing(RowReader(source.snapshot, source.plan.encoding, table)) as reader,
        connection.cursor(name="buttress_proof") as cursor,
    ):
        cursor.itersize = _AT_ONCE
        cursor.execute(
            sql.SQL(
                "SELECT row_id, column_name, raw, row_values::text FROM {} "
                "WHERE table_name = %s ORDER BY row_id, id"
            ).format(sql.Identifier(schema, "buttress_quarantine")),
            (table.name,),
        )
        whole = None if rowid_name(table) or table.key else _whole_rows(reader, table)
        for row_id, column, raw, values in cursor:
            entry = _entry(source, str(values))
            name = f"rowid {row_id} in quarantine" if row_id is not None else _named(table, entry)
            if entry is None:
                kept.tally.add(_altered(table, name, "", "", "values that cannot be read"))
                row = _same_row(reader, table, row_id, None)
                _exclude(kept, table, row_id, row)
                continue
            if whole is not None:
                key = tuple(tag(entry[c.name.lower()]) for c in table.stored)
                row = _take(whole, key)
            else:
                row = _same_row(reader, table, row_id, entry)
            if row is None:
                kept.tally.add(_altered(table, name, "", "no such row", "a row in quarantine"))
                continue
            if not _exclude(kept, table, row_id, row):
                kept.tally.add(_altered(table, name, "", "one row", "the same row twice"))
                continue
            _compare(source, kept.tally, name, row, entry, column, raw)
    return kept


def _entry(source: Source, values: str) -> dict[str, Cell] | None:
    """The kept cells by lower-case column name; None when they cannot be read back."""
    try:
        kept = json.loads(values)
        cells = {
            name.lower(): _restored(kind, text, source.plan.encoding)
            for name, (kind, text) in kept.items()
        }
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
    if any(column.name.lower() not in cells for column in source.table.stored):
        return None
    return cells


def _restored(kind: str, text: str, encoding: str) -> Cell:
    if kind == "integer":
        return int(text)
    if kind == "real":
        return float(text)
    if kind == "text":
        return bytearray(text.encode())
    if kind == "text:hex":
        raw = bytes.fromhex(text)
        try:
            return bytearray(raw.decode(encoding).encode())
        except UnicodeError:
            return bytearray(raw if encoding == "UTF-8" else b"\xff" + raw)
    if kind == "blob":
        return bytes.fromhex(text)
    if kind == "null":
        return None
    raise ValueError(kind)


def _same_row(
    reader: RowReader, table: Table, row_id: object, entry: dict[str, Cell] | None
) -> Row | None:
    """The source row that a line of the quarantine speaks of."""
    names = [column.name for column in table.columns]
    bindings: list[object]
    if rowid_name(table):
        where, bindings = f"t.{quoted(rowid_name(table))} = ?", [row_id]
    elif entry is None:
        return None
    else:
        conditions, bindings = [], []
        for name in table.key:
            cell = entry[name.lower()]
            text = isinstance(cell, bytearray)
            value = "CAST(? AS TEXT)" if text else "?"
            conditions.append(f"t.{quoted(name)} IS {value} COLLATE BINARY")
            bindings.append(reader.encoded(cell) if isinstance(cell, bytearray) else cell)
        where = " AND ".join(conditions)
    try:
        for rows in reader.read(names, where, "", 1, bindings):
            return rows[0]
    except BadInput:
        # Damage: what cannot be read again is not proven.
        return None
    return None


def _whole_rows(reader: RowReader, table: Table) -> dict[tuple[bytes | None, ...], list[Row]]:
    """All rows of a table that has neither rowid nor key, by their stored cells."""
    found: dict[tuple[bytes | None, ...], list[Row]] = {}
    stored = [i for i, column in enumerate(table.columns) if not column.generated]
    for rows in reader.read([column.name for column in table.columns], many=100):
        for row in rows:
            found.setdefault(tuple(tag(row[i]) for i in stored), []).append(row)
    return found


def _take(
    rows: dict[tuple[bytes | None, ...], list[Row]], key: tuple[bytes | None, ...]
) -> Row | None:
    alike = rows.get(key)
    return alike.pop() if alike else None


def _exclude(kept: Kept, table: Table, row_id: object, row: Row | None) -> bool:
    """Leave the source row out of the comparison; False when it is left out already."""
    if row is None:
        return False
    excluded = kept.excluded
    if rowid_name(table):
        assert isinstance(row_id, int)
        if row_id in excluded.rowids:
            return False
        excluded.rowids.add(row_id)
    elif table.key:
        places = {column.name.lower(): i for i, column in enumerate(table.columns)}
        key = tuple(tag(row[places[name.lower()]]) for name in table.key)
        if key in excluded.keys:
            return False
        excluded.keys.add(key)
    else:
        stored = (i for i, column in enumerate(table.columns) if not column.generated)
        excluded.whole[tuple(tag(row[i]) for i in stored)] += 1
    kept.rows += 1
    return True


def _compare(
    source: Source,
    tally: Tally,
    name: str,
    row: Row,
    entry: dict[str, Cell],
    offending: object,
    raw: object,
) -> None:
    before = tally.different
    for column, cell in zip(source.table.columns, row, strict=True):
        kept = entry.get(column.name.lower(), cell if column.generated else None)
        if not same_cell(cell, kept):
            tally.add(_altered(source.table, name, column.name, show(cell, kept), show(kept, cell)))
        elif (
            str(offending).lower() == column.name.lower()
            and isinstance(raw, bytes)
            and cell is not None
            and raw != _raw(cell, source.plan.encoding)
        ):
            tally.add(_altered(source.table, name, column.name, show(cell), show(raw)))
    if tally.different == before:
        tally.proven += 1


def _raw(cell: int | float | bytes | bytearray, encoding: str) -> bytes:
    if isinstance(cell, int | float):
        return repr(cell).encode()
    if isinstance(cell, bytes) or encoding == "UTF-8":
        return bytes(cell)
    return bytes(cell[1:]) if cell[:1] == b"\xff" else cell.decode().encode(encoding)


def _named(table: Table, entry: dict[str, Cell] | None) -> str:
    if entry is None:
        return "a row in quarantine"
    names = table.key or [column.name for column in table.stored]
    return (
        ", ".join(f"{name}={show(entry[name.lower()])}" for name in names)[:160] + " in quarantine"
    )


def _altered(table: Table, name: str, column: str, source: str, target: str) -> Difference:
    return Difference(table=table.name, row=name, column=column, source=source, target=target)

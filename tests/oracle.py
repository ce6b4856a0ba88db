"""An independent judge of a move: reads both sides with other code than the mover and compares all rows.

It knows of the plan only which columns carry which rule, and looks at PostgreSQL's values as psycopg gives
them. Small databases only: everything is held in memory.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import sqlite3
import struct
from collections import Counter
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from buttress.mover.plan import Column, Plan, Table
from buttress.mover.values import row_key

Cell = tuple[str, Any]


def assert_every_row_is_accounted_for(
    source: Path, conninfo: str, plan: Plan, schema: str = "public"
) -> dict[str, tuple[int, int]]:
    """Fail unless every source row is in the target with the same values or in quarantine, and nothing else.

    Returns rows in place and rows in quarantine by table.
    """
    counts = {}
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as lite,
        psycopg.connect(conninfo) as connection,
    ):
        lite.text_factory = bytes
        # What every byte means must not depend on the session.
        connection.execute("set timezone = 'UTC'")
        for table in plan.moving:
            wanted = Counter(_source_rows(lite, plan, table))
            quarantined = Counter(_quarantined_rows(connection, schema, plan, table))
            found = (
                Counter() if table.impossible else Counter(_target_rows(connection, schema, table))
            )
            assert wanted == found + quarantined, (
                f"{table.name}: lost {list((wanted - found - quarantined).items())[:3]}, "
                f"invented {list(((found + quarantined) - wanted).items())[:3]}"
            )
            counts[table.name] = (found.total(), quarantined.total())
    return counts


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _source_rows(lite: sqlite3.Connection, plan: Plan, table: Table) -> list[tuple[Cell, ...]]:
    # A result has room for 2,000 columns: wide tables are read in parts, in the same order.
    parts = [
        _source_cells(lite, plan, table, table.columns[start : start + 500])
        for start in range(0, len(table.columns), 500)
    ]
    return [tuple(itertools.chain(*row)) for row in zip(*parts, strict=True)]


def _source_cells(
    lite: sqlite3.Connection, plan: Plan, table: Table, columns: list[Column]
) -> list[list[Cell]]:
    wanted = ", ".join(
        f"typeof({_quote(c.name)}), CASE typeof({_quote(c.name)}) WHEN 'text' "
        f"THEN CAST({_quote(c.name)} AS BLOB) ELSE {_quote(c.name)} END"
        for c in columns
    )
    return [
        [
            _cell(kind.decode(), value, plan.encoding)
            for kind, value in zip(row[::2], row[1::2], strict=True)
        ]
        for row in lite.execute(f"SELECT {wanted} FROM {_quote(table.name)}")
    ]


def _cell(kind: str, value: Any, encoding: str) -> Cell:
    """A hashable cell: class and exact content, text as UTF-8 or, when it is not valid, as it lies there."""
    if kind == "real":
        return kind, struct.pack(">d", value)
    if kind == "text":
        try:
            return kind, (value or b"").decode(encoding).encode()
        except UnicodeError:
            return "invalid text", value
    return kind, value


def _quarantined_rows(
    connection: psycopg.Connection, schema: str, plan: Plan, table: Table
) -> list[tuple[Cell, ...]]:
    exists = connection.execute(
        "select to_regclass(%s)", (f'"{schema}".buttress_quarantine',)
    ).fetchone()
    if exists is None or exists[0] is None:
        return []
    encoding = plan.encoding
    rows = []
    for (values,) in connection.execute(
        sql.SQL("select row_values::text from {}.buttress_quarantine where table_name = %s").format(
            sql.Identifier(schema)
        ),
        (table.name,),
    ):
        cells = json.loads(values)
        row = []
        for column in table.columns:
            if column.name not in cells:  # generated columns are computed, not kept
                continue
            kind, text = cells[column.name]
            if kind == "text:hex":
                row.append(_cell("text", bytes.fromhex(text), encoding))
            elif kind == "text":
                row.append(("text", text.encode()))
            elif kind == "blob":
                row.append(("blob", bytes.fromhex(text)))
            elif kind == "integer":
                row.append(("integer", int(text)))
            elif kind == "real":
                row.append(("real", struct.pack(">d", float(text))))
            else:
                row.append(("null", None))
        rows.append(tuple(row))
    return rows


def _target_rows(
    connection: psycopg.Connection, schema: str, table: Table
) -> list[tuple[Cell, ...]]:
    columns = sql.SQL(", ").join(
        sql.SQL("{}::text").format(sql.Identifier(c.target))
        if c.rule in ("json", "numeric") or c.rule.startswith("decimal")
        else sql.Identifier(c.target)
        for c in table.columns
    )
    classes = _classes(connection, schema, table)

    rows = []
    for row in connection.execute(
        sql.SQL("select {} from {}").format(columns, sql.Identifier(schema, table.target))
    ):
        key_columns = [table.column(name) for name in table.key] or table.stored
        by_name = dict(zip((c.name for c in table.columns), row, strict=True))
        key = None
        if any(c.rule == "mixed" for c in table.columns):
            key = row_key(
                [c.rule for c in key_columns],
                [
                    by_name[c.name]
                    if c.rule == "mixed" or by_name[c.name] is None
                    else _plain(_back(c, by_name[c.name], ""))
                    for c in key_columns
                ],
            )
        cells = []
        for column, value in zip(table.columns, row, strict=True):
            if value is None:
                cells.append(("null", None))
                continue
            kind = ""
            if column.rule == "mixed":
                queue = classes.get((key, column.name))
                kind = queue.pop() if queue else column.usual
            cells.append(_back(column, value, kind))
        rows.append(tuple(cells))

    return rows


def _classes(
    connection: psycopg.Connection, schema: str, table: Table
) -> dict[tuple[str | None, str], list[str]]:
    found: dict[tuple[str | None, str], list[str]] = {}
    if not any(c.rule == "mixed" for c in table.columns):
        return found
    exists = connection.execute(
        "select to_regclass(%s)", (f'"{schema}".buttress_cells',)
    ).fetchone()
    if exists is None or exists[0] is None:
        return found
    for key, column, kind in connection.execute(
        sql.SQL(
            "select row_key, column_name, storage_class from {}.buttress_cells where table_name = %s"
        ).format(sql.Identifier(schema)),
        (table.name,),
    ):
        found.setdefault((key, column), []).append(kind)
    return found


def _plain(cell: Cell) -> Any:
    kind, value = cell
    if kind == "text":
        return value.decode()
    if kind == "real":
        return struct.unpack(">d", value)[0]
    return value


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _back(column: Column, value: Any, kind: str) -> Cell:
    """A target value as the source cell it must have been."""
    name = column.rule
    if name == "mixed":
        return {
            "integer": lambda: ("integer", int(value)),
            "real": lambda: ("real", struct.pack(">d", float(value))),
            "blob": lambda: ("blob", bytes.fromhex(value)),
            "text": lambda: ("text", value.encode()),
        }[kind]()
    if name == "integer":
        return "integer", value
    if name == "real":
        return "real", struct.pack(">d", value)
    if name in ("text", "json"):
        return "text", value.encode()
    if name == "blob":
        return "blob", bytes(value)
    if name == "boolean":
        return "integer", int(value)
    if name == "date":
        return "text", value.isoformat().encode()
    if name == "numeric":
        if "." in value or value.strip("-") == "Infinity":
            return "real", struct.pack(">d", float(value))
        return "integer", int(value)
    if name.startswith("decimal"):
        number = Decimal(value)
        if number == int(number):
            return "integer", int(number)
        return "real", struct.pack(">d", float(number))
    if name.startswith("timestamp("):
        return "text", _moment(name, value)
    if name == "unix seconds":
        return "integer", (value - _EPOCH) // dt.timedelta(seconds=1)
    if name == "unix milliseconds":
        return "integer", (value - _EPOCH) // dt.timedelta(milliseconds=1)
    if name == "uuid":
        return "text", str(value).encode()
    if name == "uuid(hex)":
        return "text", value.hex.encode()
    if name == "uuid(blob)":
        return "blob", value.bytes
    if name == "julian day":
        micros = (value - _EPOCH) // dt.timedelta(microseconds=1)
        day = float(Decimal(micros) / 86_400_000_000 + Decimal("2440587.5"))
        return "real", struct.pack(">d", day)
    raise AssertionError(f"the oracle does not know rule {name}")


def _moment(rule: str, value: dt.datetime) -> bytes:
    separator, digits, *zone = rule[len("timestamp(") : -1].split(", ")
    spec = {"0": "seconds", "3": "milliseconds", "6": "microseconds", "auto": "auto"}[digits]
    text = value.replace(tzinfo=None).isoformat(" " if separator == "space" else "T", spec)
    return (text + (zone[0] if zone else "")).encode()

"""The source as Arrow batches, through ADBC's own SQLite.

ADBC guesses a column's type from its first rows and silently turns cells of another class into it,
so every statement carries a guard column that tells, and a first row that names the types where the
table may begin with NULLs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from buttress.mover.plan import Column
from buttress.mover.proof import adbc
from buttress.mover.proof.cells import Batch, key_positions, numbers
from buttress.mover.proof.source import (
    BATCH_BYTES,
    FEWEST_ROWS,
    NotArrow,
    Scan,
    Source,
    as_bytes,
    bounds,
    from_clause,
    quoted,
    rowid_name,
    uri,
)

_MOST_ROWS = 16_384

# SQLite's order of classes (numbers, text, blobs) tells without a function call.
_STRANGER = {
    "text": "({c} COLLATE BINARY < '' OR {c} COLLATE BINARY >= x'')",
    "blob": "{c} COLLATE BINARY < x''",
    "real": "typeof({c}) = 'integer'",
    "number": "{c} COLLATE BINARY >= ''",
}
_SEED = {"integer": "0", "real": "0.0", "text": "''", "blob": "x''", "number": "0, 0.0"}
_PARTS = {
    "number": "CASE typeof({c}) WHEN 'integer' THEN {c} END, "
    "CASE typeof({c}) WHEN 'real' THEN {c} END"
}
"""Cells of two classes come as two columns of one class each."""
_ARROW = {
    "integer": [pa.int64()],
    "real": [pa.float64()],
    "text": [pa.string()],
    "blob": [pa.binary()],
    "number": [pa.int64(), pa.float64()],
}


def arrow_batches(source: Source, scan: Scan) -> Iterator[Batch]:
    """The rows that are not in quarantine.

    Raises
    ------
    NotArrow
        Also after some batches: what was read must be forgotten.
    """
    table = source.table
    classes = source.classes
    many = max(FEWEST_ROWS, min(_MOST_ROWS, BATCH_BYTES // source.heaviest))
    wanted = [type_ for kind in classes for type_ in _ARROW[kind]]
    with contextlib.closing(adbc.Connection.sqlite(uri(source.snapshot))) as connection:
        try:
            with connection.read(
                _arrow_statement(source, scan), {adbc.SQLITE_BATCH_ROWS: str(many)}
            ) as reader:
                if list(reader.schema.types[:-1]) != wanted:
                    raise NotArrow
                for found in reader:
                    columns = _without_strangers(found)
                    if len(columns[0]):
                        yield Batch(joined(columns, classes), classes)
        except (adbc.Error, pa.ArrowException, OSError) as error:
            # A cell of another class than the first ones, a missing module, damage: rows will tell.
            raise NotArrow(f"{table.name}: {error}") from error


def joined(parts: list[pa.Array], classes: list[str]) -> list[pa.Array]:
    """One array a column, from arrays as a driver gives them: two for a column of numbers."""
    left = iter(parts)
    columns = []
    for kind in classes:
        array = next(left)
        if kind == "number":
            array = numbers(array, next(left))
        columns.append(array.view(pa.binary()) if kind == "text" else array)
    return columns


def _without_strangers(found: pa.RecordBatch) -> list[pa.Array]:
    guard = found.column(found.num_columns - 1)
    highest = pc.max(guard).as_py()
    if highest:
        seed = pc.equal(pc.fill_null(guard, 0), 2)
        if pc.any(pc.equal(guard, 1)).as_py():
            raise NotArrow
        found = found.filter(pc.invert(seed))
    return [found.column(i) for i in range(found.num_columns - 1)]


def _arrow_statement(source: Source, scan: Scan) -> str:
    table, classes = source.table, source.classes
    cells = [f"t.{quoted(column.name)}" for column in table.columns]
    guards = [
        _STRANGER[kind].format(c=cell)
        for column, cell, kind in zip(table.columns, cells, classes, strict=True)
        if kind in _STRANGER and not (kind == "real" and _converts_to_real(column))
    ]
    parts = [
        _PARTS.get(kind, "{c}").format(c=cell) for cell, kind in zip(cells, classes, strict=True)
    ]
    statement = f"SELECT {', '.join(parts)}, {' OR '.join(guards) or '0'} FROM {from_clause(table)}"
    conditions = [bounds(table, scan)] if bounds(table, scan) else []
    if source.excluded.rowids:
        rowids = ", ".join(map(str, sorted(source.excluded.rowids)))
        conditions.append(f"t.{quoted(rowid_name(table))} NOT IN ({rowids})")
    if conditions:
        statement += f" WHERE {' AND '.join(conditions)}"
    places = key_positions(table) if scan.ordered else []
    if any(
        kind == "number" or (kind != "integer" and (column.seen.get("null") or not column.seen))
        for column, kind in zip(table.columns, classes, strict=True)
    ):
        # A column that starts with NULLs would be taken for one of integers.
        seed = ["NULL" if i in places else _SEED[kind] for i, kind in enumerate(classes)]
        statement = f"SELECT {', '.join(seed)}, 2 UNION ALL {statement}"
    if places:
        ordinals = [1 + sum(len(_ARROW[kind]) for kind in classes[:i]) for i in places]
        statement += " ORDER BY " + ", ".join(
            f"{ordinal}{as_bytes(table.columns[i])}"
            for ordinal, i in zip(ordinals, places, strict=True)
        )
    return statement


def _converts_to_real(column: Column) -> bool:
    """Whether SQLite's affinity makes every number of the column a real."""
    declared = column.declared.upper()
    return (
        not column.generated
        and any(word in declared for word in ("REAL", "FLOA", "DOUB"))
        and not any(word in declared for word in ("INT", "CHAR", "CLOB", "TEXT", "BLOB"))
    )


def heaviest_rows(snapshot: Path) -> dict[str, int]:
    """Bytes of each table's largest row by lower-case name; empty when the file does not tell."""
    with contextlib.closing(adbc.Connection.sqlite(uri(snapshot))) as connection:
        try:
            found = connection.rows("SELECT name, max(mx_payload) FROM dbstat GROUP BY name")
            return {str(name).lower(): max(16, int(str(size or 0))) for name, size in found}
        except (adbc.Error, pa.ArrowException, OSError):
            # Damaged pages: every table is then read in the smallest steps.
            return {}

"""Many rows into a table at once: staged, checked, merged, and the refused ones kept.

report = import_rows(session, Campaign, frame)
report.inserted, report.updated, report.unchanged, report.rejected
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from buttress.contracts.reading import Rows
from buttress.db.database import Database
from buttress.errors import BadInput
from buttress.imports.fit import fit, fit_objects
from buttress.imports.merge import Merged, OnConflict, choose_key, merge, reject_unstorable
from buttress.imports.rejected import (
    EXAMPLES,
    REJECTED,
    Rejected,
    examples,
    install,
    keep,
    ready,
    row_as_json,
)
from buttress.imports.source import Batch, batches
from buttress.imports.staging import ROW, Staging
from buttress.imports.target import Column, Target, imported_columns, read_target

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["EXAMPLES", "ImportReport", "Rejected", "import_rows", "install"]

MERGE_MEMORY = "128MB"
"""What each sort and hash of the merge may take in the server before it uses temporary files."""


@dataclass(frozen=True)
class ImportReport:
    """What became of the rows: `rows` = inserted + updated + unchanged + rejected.

    `rejected_rows` are the first thousand; all are in `buttress_import_rejected`.
    """

    import_id: UUID
    table: str
    rows: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    seconds: float
    rejected_rows: list[Rejected] = field(default_factory=list)


def import_rows(
    where: Session | Database,
    table: str | sa.Table | type[Any],
    rows: Rows,
    *,
    on_conflict: OnConflict = "update",
    key: Sequence[str] | None = None,
    contract: type[BaseModel] | None = None,
    on_reject: Literal["keep", "fail"] = "keep",
    progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Bring rows into a table.

    A session's transaction is left open: its owner commits. A `Database` gets a transaction of its
    own.

    Parameters
    ----------
    table
        A name, `Table` or model.
    rows
        A pandas or polars frame, an Arrow table or stream, or an iterable of mappings, dataclasses,
        pydantic models or msgspec structs. Its columns are matched by name.
    on_conflict
        What happens to rows whose key is there already: `update` changes those that differ,
        `ignore` leaves them as they are, `error` raises `Conflict`.
    key
        The columns of the primary key or of a unique constraint; the primary key unless given.
    contract
        A pydantic model each row is validated by, or a `Contract`, which may judge all of them
        together; its fields are then the columns.
    on_reject
        `keep` imports the other rows and keeps those refused; `fail` raises `BadInput` at the
        first.
    progress
        Called with the number of rows taken so far.

    Raises
    ------
    BadInput
        Columns do not match, or a row was refused with `on_reject="fail"`.
    """
    if isinstance(where, Database):
        with where.session() as session:
            return import_rows(
                session,
                table,
                rows,
                on_conflict=on_conflict,
                key=key,
                contract=contract,
                on_reject=on_reject,
                progress=progress,
            )
    where.flush()
    began = time.perf_counter()
    connection = where.connection()
    work = _Import(connection, read_target(connection, table), on_reject == "fail")
    with _settings(connection):
        merged = work.run(batches(rows, contract), on_conflict, key, progress)
    where.expire_all()
    return ImportReport(
        import_id=work.id,
        table=work.target.label,
        rows=work.seen,
        inserted=merged.inserted,
        updated=merged.updated,
        unchanged=work.seen - work.rejected - merged.inserted - merged.updated,
        rejected=work.rejected,
        seconds=time.perf_counter() - began,
        rejected_rows=examples(connection, work.id) if work.rejected else [],
    )


@dataclass(frozen=True)
class _Prepared:
    """A batch ready to be sent."""

    encoded: Any
    count: int
    seen: int
    refused: list[tuple[int, Mapping[str, Any], str]]


class _Import:
    """One import under way."""

    def __init__(self, connection: Connection, target: Target, fail: bool) -> None:
        self.id = uuid4()
        self.connection = connection
        self.target = target
        self.fail = fail
        self.seen = 0
        self.rejected = 0

    def run(
        self,
        source: Iterator[Batch],
        on_conflict: OnConflict,
        asked: Sequence[str] | None,
        progress: Callable[[int], None] | None,
    ) -> Merged:
        first = next(source, None)
        if first is None:
            return Merged(0, 0)
        columns = imported_columns(self.target, first.names)
        key = choose_key(self.target, columns, asked, on_conflict)
        direct = on_conflict == "error" and self._asks_nothing(columns)
        staging = Staging(self.connection, self.target, columns, direct=direct)
        for prepared in _prepared(staging, columns, first, source):
            staging.add(prepared.encoded, prepared.count)
            self._keep(prepared.refused)
            self.seen += prepared.seen
            if progress is not None:
                progress(self.seen)
        if direct:
            return Merged(staging.rows, 0)
        staging.analyze()
        self._wait_for_other_imports()
        repeated_counts = () if on_conflict == "error" else key
        reject_unstorable(
            staging,
            self.target,
            repeated_counts,
            lambda condition, reason: self._reject(staging, condition, reason),
        )
        merged = merge(staging, self.target, key, on_conflict)
        staging.close()
        return merged

    def _asks_nothing(self, columns: Sequence[Column]) -> bool:
        """Whether every row the encoder takes goes in, or the whole import fails."""
        target = self.target
        return (
            self.connection.dialect.name == "postgresql"
            and not (target.checks or target.references or target.row_security)
            and not any(column.staged_as_text for column in columns)
        )

    def _keep(self, refused: Sequence[tuple[int, Mapping[str, Any], str]]) -> None:
        if not refused:
            return
        if self.fail:
            number, _, reason = min(refused, key=lambda one: one[0])
            raise _refusal(number, reason)
        keep(self.connection, self.id, self.target.label, refused)
        self.rejected += len(refused)

    def _reject(self, staging: Staging, condition: str, reason: str) -> int:
        if not staging.holds(condition):
            return 0
        if self.fail:
            row = self.connection.exec_driver_sql(
                f"SELECT {ROW}, {reason} FROM {staging.sql} s WHERE {condition} "
                f"ORDER BY {ROW} LIMIT 1",
                execution_options={"no_parameters": True},
            ).one()
            raise _refusal(row[0], row[1])
        ready(self.connection)
        named = [(column.name, column.kind == "bytes") for column in staging.columns]
        identifier = REJECTED.c.import_id.type.dialect_impl(self.connection.dialect)
        literal = identifier.literal_processor(self.connection.dialect)
        assert literal is not None
        id, label = literal(self.id), "'" + self.target.label.replace("'", "''") + "'"
        count = staging.run(
            f"INSERT INTO {REJECTED.name} (import_id, row_number, table_name, row, reason) "
            f"SELECT {id}, {ROW}, {label}, {row_as_json(self.connection.dialect, named)}, {reason} "
            f"FROM {staging.sql} s WHERE {condition}"
        )
        staging.rows -= staging.run(
            f"DELETE FROM {staging.sql} WHERE {ROW} IN "
            f"(SELECT row_number FROM {REJECTED.name} WHERE import_id = {id})"
        )
        self.rejected += count
        return count

    def _wait_for_other_imports(self) -> None:
        """Imports into one table take turns: two that updated the same rows in different orders
        would block each other. SQLite has one writer at a time in any case."""
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(
                text(
                    "SELECT pg_advisory_xact_lock("
                    "hashtextextended('buttress import ' || to_regclass(:table)::oid, 0))"
                ),
                {"table": self.target.sql},
            )


def _prepared(
    staging: Staging, columns: Sequence[Column], first: Batch, source: Iterator[Batch]
) -> Iterator[_Prepared]:
    """Batches encoded one ahead, while the server is busy with the one before.

    The source itself is only read here, in the caller's thread.
    """
    with ThreadPoolExecutor(1, "buttress-import") as beside:
        ahead = beside.submit(_prepare, staging, columns, first)
        for batch in source:
            if list(batch.names) != list(first.names):
                raise BadInput("batches of the rows have different columns")
            prepared, ahead = ahead.result(), beside.submit(_prepare, staging, columns, batch)
            yield prepared
        yield ahead.result()


def _prepare(staging: Staging, columns: Sequence[Column], batch: Batch) -> _Prepared:
    fitted = [
        fit_objects(column, values) if isinstance(values, list) else fit(column, values)
        for column, values in zip(columns, batch.columns, strict=True)
    ]
    reasons: dict[int, list[str]] = {}
    for one in fitted:
        for place, reason in one.refused.items():
            reasons.setdefault(place, []).append(reason)
    arrays = [one.array for one in fitted]
    numbers: Any = np.asarray(batch.numbers, np.int64)
    if reasons:
        good = np.ones(len(numbers), bool)
        good[list(reasons)] = False
        numbers, mask = numbers[good], pa.array(good)
        arrays = [array.filter(mask) for array in arrays]
    refused = batch.refused + [
        (batch.numbers[place], batch.row(place), "; ".join(reasons[place]))
        for place in sorted(reasons)
    ]
    return _Prepared(
        encoded=staging.encode(numbers, arrays) if len(numbers) else None,
        count=len(numbers),
        seen=len(batch.numbers) + len(batch.refused),
        refused=refused,
    )


def _refusal(number: int, reason: str) -> BadInput:
    return BadInput(
        f"row {number}: {reason}",
        hint='Mend the row, or import with on_reject="keep" to leave such rows out.',
    )


@contextmanager
def _settings(connection: Connection) -> Iterator[None]:
    """An import is long and asks for it: no time-outs, and memory for its sorts."""
    if connection.dialect.name != "postgresql":
        yield
        return
    wanted = {"statement_timeout": "0", "lock_timeout": "0", "work_mem": MERGE_MEMORY}
    set_one = text("SELECT set_config(:name, :value, true)")
    before = {
        name: connection.scalar(text("SELECT current_setting(:name)"), {"name": name})
        for name in wanted
    }
    for name, value in wanted.items():
        connection.execute(set_one, {"name": name, "value": value})
    yield
    for name, old in before.items():  # after an error the transaction is over anyway
        connection.execute(set_one, {"name": name, "value": old})

"""The proof: source and target are read again, both, and compared cell by cell.

Nothing is taken from the copy but the plan. The source comes through ADBC's SQLite and the standard
library's, the target through ADBC's PostgreSQL reader; the code that wrote used neither. Tables
whose key sorts alike on both sides are compared in key order, in ranges that threads share; the
others as multisets of whole rows. Rows in quarantine are read again in the source and compared with
what was kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from buttress.mover.finishing.identities import sequences as misplaced_sequences
from buttress.mover.plan import Plan, Table, Unreadable
from buttress.mover.proof.arrow import arrow_batches, heaviest_rows
from buttress.mover.proof.cells import Batch
from buttress.mover.proof.classes import CellClasses
from buttress.mover.proof.compare import OutOfOrder, Tally, compare
from buttress.mover.proof.crew import Crew, Piece, Progress
from buttress.mover.proof.digest import compare_digests
from buttress.mover.proof.quarantine import Kept, prove_quarantine, quarantine_counts
from buttress.mover.proof.rows import RowReader, key_range, row_batches
from buttress.mover.proof.source import NotArrow, Scan, Source, rowid_name
from buttress.mover.proof.target import Place, TableGone
from buttress.mover.report import Difference, Proof, TableProof
from buttress.mover.statements import answering
from buttress.mover.target import Target

_RANGE_ROWS = 25_000
"""Tables larger than twice this are compared in ranges, several at a time."""
_HEAVIEST_UNKNOWN = 4_000_000

_SORTED_ALIKE = {
    "integer",
    "real",
    "text",
    "blob",
    "boolean",
    "date",
    "unix seconds",
    "unix milliseconds",
    "julian day",
    "uuid",
    "uuid(hex)",
    "uuid(blob)",
}


def silent(done: int, total: int, note: str = "") -> None:
    """The progress of callers who do not want any."""


def prove(
    plan: Plan,
    snapshot: Path,
    target: Target,
    *,
    schema: str,
    unreadable: list[Unreadable],
    workers: int,
    progress: Progress = silent,
) -> Proof:
    """Compare every row of a snapshot with its copy in `schema` and in quarantine.

    Parameters
    ----------
    plan
        The plan the copy was made by.
    snapshot
        A private copy of the source that nobody writes.
    schema
        Where the copy is: the staging schema, or the final one.
    unreadable
        What a damaged source cannot give; left out.
    workers
        Threads, each with a connection of its own; the readers run without Python's lock.
    progress
        Called with rows done, rows in all and the table, from several threads but never at once.

    Returns
    -------
    Proof
        With every difference counted and the first hundred of each table named.

    Raises
    ------
    BadInput
        The snapshot cannot be read although the plan says it can.
    Unavailable
        The target does not answer.
    """
    began = time.perf_counter()
    with target.connect(schema=schema) as control, answering(target.label):
        control.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = control.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        place = Place(target, schema, str(row[0]))
        crew = Crew(place, workers, progress, sum(table.rows for table in plan.moving))
        with crew:
            proofs = _prove_tables(plan, snapshot, unreadable, control, schema, crew, workers)
        control.rollback()
        sequences = misplaced_sequences(control, plan, schema)
        control.rollback()
    seconds = time.perf_counter() - began
    return Proof(tables=proofs, sequences=sequences, seconds=round(seconds, 3))


@dataclass
class _Table:
    """The state of one table's proof."""

    source: Source
    kept: Kept = field(default_factory=Kept)
    tally: Tally = field(default_factory=Tally)
    pieces: list[Future[Piece]] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)
    method: str = "by key"
    began: float = 0.0
    ended: float = 0.0


def _prove_tables(
    plan: Plan,
    snapshot: Path,
    unreadable: list[Unreadable],
    control: psycopg.Connection[tuple[object, ...]],
    schema: str,
    crew: Crew,
    workers: int,
) -> list[TableProof]:
    counts = quarantine_counts(control, schema)
    weights = heaviest_rows(snapshot)
    heaviest = max(weights.values(), default=_HEAVIEST_UNKNOWN)
    states = []
    for table in plan.moving:
        source = Source(
            snapshot,
            plan,
            table,
            weights.get(table.name.lower(), heaviest),
            tuple(lost for lost in unreadable if lost.table.lower() == table.name.lower()),
        )
        states.append(_Table(source))
    # Quarantines are read in this thread, while the others are busy with the tables that have none.
    states_in_order = sorted(states, key=lambda state: _quarantined(state, counts))
    for state in states_in_order:
        if _quarantined(state, counts):
            state.kept = prove_quarantine(control, schema, state.source)
            state.source = dataclasses.replace(state.source, excluded=state.kept.excluded)
        _submit(state, crew, workers)
    for state in states:
        _collect(state, crew)
    return [_result(state) for state in states]


def _quarantined(state: _Table, counts: dict[str, int]) -> int:
    return counts.get(state.source.table.name.lower(), 0)


def _submit(state: _Table, crew: Crew, workers: int) -> None:
    source = state.source
    if source.table.impossible:
        state.method = "in quarantine"
        state.pieces = [crew.submit(_compare_with_nothing, source)]
    elif not sorts_alike(source):
        state.method = "by digest"
        state.pieces = [crew.submit(_compare_digests, source)]
    else:
        state.pieces = [
            crew.submit(_compare_range, source, scan) for scan in _ranges(source, workers)
        ]


def _collect(state: _Table, crew: Crew) -> None:
    pieces = crew.results(state.pieces)
    if any(piece.tally is None for piece in pieces):
        state.method = "by digest"
        state.notes.add("its key is not in order")
        pieces = crew.results([crew.submit(_compare_digests, state.source)])
    for piece in pieces:
        assert piece.tally is not None
        state.tally.join(piece.tally)
        state.notes |= {piece.note} - {""}
    state.began = min(piece.began for piece in pieces)
    state.ended = max(piece.ended for piece in pieces)


def _result(state: _Table) -> TableProof:
    table, kept = state.source.table, state.kept
    found = Tally()
    found.join(kept.tally)
    found.join(state.tally)
    notes = f" ({'; '.join(sorted(state.notes))})" if state.notes else ""
    return TableProof(
        table=table.name,
        target=table.target,
        rows=state.tally.rows + kept.rows,
        proven=state.tally.proven,
        quarantined=kept.tally.proven,
        method=state.method + notes,
        differences=found.differences,
        different=found.different,
        seconds=round(state.ended - state.began, 3),
    )


def sorts_alike(source: Source) -> bool:
    """Whether the table's key orders its rows the same way on both sides."""
    table = source.table
    if not table.key:
        return False
    if source.unreadable and [name.lower() for name in table.key] != [rowid_name(table).lower()]:
        # A damaged table is read in pieces of its rowid's order.
        return False
    columns = [table.column(name) for name in table.key]
    if source.plan.encoding != "UTF-8" and any(column.rule == "text" for column in columns):
        return False
    return all(
        column.rule in _SORTED_ALIKE
        or (column.rule.startswith("timestamp(") and "auto" not in column.rule)
        for column in columns
    )


def _ranges(source: Source, workers: int) -> list[Scan]:
    table = source.table
    pieces = min(workers * 4, table.rows // _RANGE_ROWS)
    first = table.column(table.key[0])
    mixed = any(column.rule == "mixed" for column in table.columns)
    if workers < 2 or pieces < 2 or first.rule != "integer" or mixed or source.unreadable:
        return [Scan()]
    bounds = key_range(source)
    if bounds is None:
        return [Scan()]
    low, high = bounds
    cuts = sorted({low + (high - low) * i // pieces for i in range(1, pieces)})
    edges = [None, *cuts, None]
    return [Scan(a, b) for a, b in itertools.pairwise(edges)]


def _compare_range(crew: Crew, source: Source, scan: Scan) -> tuple[Tally | None, str]:
    table = source.table

    def once(arrow: bool) -> Tally:
        with _classes(crew, table) as classes:
            tally = compare(
                table,
                crew.counted(_rows(source, scan, arrow), table),
                crew.reader().batches(table, scan, classes),
            )
            _report_left(table, classes, tally)
        return tally

    try:
        return _arrow_first(source, once, crew)
    except OutOfOrder:
        crew.forget()
        return None, ""


def _compare_digests(crew: Crew, source: Source) -> tuple[Tally | None, str]:
    table, scan = source.table, Scan(ordered=False)

    def once(arrow: bool) -> Tally:
        used: list[CellClasses] = []

        def target() -> Iterator[Batch]:
            with _classes(crew, table) as classes:
                yield from crew.reader().batches(table, scan, classes)
                if classes is not None and not used:
                    used.append(classes)
                    _report_left(table, classes, left)

        left = Tally()
        tally = compare_digests(
            table,
            source.classes,
            lambda: crew.counted(_rows(source, scan, arrow), table),
            target,
        )
        tally.join(left)
        return tally

    return _arrow_first(source, once, crew)


def _compare_with_nothing(crew: Crew, source: Source) -> tuple[Tally | None, str]:
    """A table PostgreSQL cannot have: whatever is not in quarantine is missing."""
    batches = row_batches(source, Scan(ordered=False))
    return compare(source.table, crew.counted(batches, source.table), iter(())), _note(source)


def _arrow_first(
    source: Source, once: Callable[[bool], Tally], crew: Crew
) -> tuple[Tally | None, str]:
    try:
        if source.as_arrow:
            try:
                return once(True), ""
            except NotArrow:
                crew.forget()
        return once(False), _note(source)
    except TableGone as gone:
        crew.forget()
        tally = _count(source)
        tally.add(
            Difference(
                table=source.table.name,
                row="the whole table",
                source=f"{tally.rows} rows",
                target=str(gone),
            )
        )
        return tally, ""


def _rows(source: Source, scan: Scan, arrow: bool) -> Iterator[Batch]:
    return arrow_batches(source, scan) if arrow else row_batches(source, scan)


def _count(source: Source) -> Tally:
    return Tally(rows=sum(batch.rows for batch in row_batches(source, Scan(ordered=False))))


def _note(source: Source) -> str:
    with contextlib.closing(
        RowReader(source.snapshot, source.plan.encoding, source.table)
    ) as reader:
        return reader.note


@contextlib.contextmanager
def _classes(crew: Crew, table: Table) -> Iterator[CellClasses | None]:
    if not any(column.rule == "mixed" for column in table.columns):
        yield None
        return
    with contextlib.closing(crew.cell_classes(table)) as classes:
        yield classes


def _report_left(table: Table, classes: CellClasses | None, tally: Tally) -> None:
    if classes is None:
        return
    for row, column, kind in classes.left():
        tally.add(
            Difference(
                table=table.name,
                row=row,
                column=column,
                source="no such cell",
                target=f"listed as {kind} in buttress_cells",
            )
        )

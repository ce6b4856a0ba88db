"""The threads that compare, each with a connection to the target of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from buttress.mover.plan import Table
from buttress.mover.proof.cells import Batch
from buttress.mover.proof.classes import CellClasses
from buttress.mover.proof.compare import Tally
from buttress.mover.proof.source import Source
from buttress.mover.proof.target import Place, TableGone, TargetReader

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Piece:
    """What the comparison of one range found; no tally when the rows were not in key order."""

    tally: Tally | None
    note: str
    began: float
    ended: float


class Crew:
    """Threads that compare, each with a connection to the target of its own."""

    def __init__(self, place: Place, workers: int, progress: Progress, total: int) -> None:
        self._place = place
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="proof")
        self._own = threading.local()
        self._readers: list[TargetReader] = []
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._progress, self._total, self._done = progress, total, 0

    def __enter__(self) -> None:
        self._progress(0, self._total, "")

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for reader in self._readers:
            reader.close()

    def submit(
        self, work: Callable[..., tuple[Tally | None, str]], source: Source, *arguments: object
    ) -> Future[Piece]:
        """Have `work(crew, source, …)` done by a thread."""

        def timed() -> Piece:
            began = time.perf_counter()
            self._own.counted = 0
            try:
                tally, note = work(self, source, *arguments)
            except BaseException:
                # Its transaction may have failed.
                self._own.reader = None
                raise
            return Piece(tally, note, began, time.perf_counter())

        return self._pool.submit(timed)

    def results(self, pieces: list[Future[Piece]]) -> list[Piece]:
        """Wait for pieces; the first failure of any is raised."""
        left = set(pieces)
        while left:
            finished, left = wait(left, return_when=FIRST_COMPLETED)
            for piece in finished:
                piece.result()
        return [piece.result() for piece in pieces]

    def reader(self) -> TargetReader:
        """This thread's connection."""
        reader: TargetReader | None = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = TargetReader(self._place)
            with self._lock:
                self._readers.append(reader)
        return reader

    def cell_classes(self, table: Table) -> CellClasses:
        """The table's lines of `buttress_cells`; none when the schema has no such table."""
        try:
            return self.reader().cell_classes(table)
        except TableGone:
            self._own.reader = None
            return CellClasses(table)

    def counted(self, batches: Iterator[Batch], table: Table) -> Iterator[Batch]:
        """Those batches, counted as progress; they end early when the proof failed elsewhere."""
        for batch in batches:
            if self._stopped.is_set():
                return
            self._tell(batch.rows, table.name)
            yield batch

    def forget(self) -> None:
        """Take back this piece's progress and its connection: it starts again."""
        self._own.reader = None
        self._tell(-self._own.counted, "")

    def _tell(self, rows: int, note: str) -> None:
        self._own.counted += rows
        with self._lock:
            self._done = max(0, self._done + rows)
            self._progress(min(self._done, self._total), self._total, note)

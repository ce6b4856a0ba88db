"""How far a backup or a restore is: a bar for each phase on a terminal, a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

Report = Callable[[str, int, int], None]
"""Called with what is done now, how much of it, and how much there is (0 when unknown)."""

MEGABYTE = 1_000_000
SECONDS_BETWEEN_LINES = 5.0

_WORDS = {
    "copy": "copy of the file",
    "dump": "dump",
    "digests": "tables digested",
    "read": "read and checked",
    "restore": "restore",
}
_BYTES = ("dump", "read")
"""Phases counted in bytes."""
_AFTER_ALL = ("read", "restore")
"""Phases that begin when all before them are over."""


@contextmanager
def progress_on(console: Console) -> Iterator[Report]:
    """A progress shown on that console until the block ends."""
    if console.is_terminal:
        with _Bars(console) as bars:
            yield bars
    else:
        yield _Lines(console)


class _Bars:
    """One bar a phase; dump and digests go on at the same time, and phases come again."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=28),
            _Counts(),
            console=console,
            refresh_per_second=8,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Bars:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for phase in list(self._tasks) if kind is None else []:
            self._end(phase)
        self._bars.stop()

    def __call__(self, phase: str, done: int, total: int) -> None:
        if phase in _AFTER_ALL and phase not in self._tasks:
            # What was dumped is read and written now; its digests are taken once more afterwards.
            for over in list(self._tasks):
                self._end(over)
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(
                _WORDS.get(phase, phase), total=total or None, phase=phase
            )
        self._bars.update(
            self._tasks[phase], completed=done, total=max(done, total) if total else None
        )

    def _end(self, phase: str) -> None:
        task = self._tasks.pop(phase)
        done = next(one.completed for one in self._bars.tasks if one.id == task) or 1
        self._bars.update(task, total=done, completed=done)
        self._bars.stop_task(task)


class _Counts(ProgressColumn):
    """`420 of 932 MB, 180 MB/s`; when done, how much and how long it took."""

    def render(self, task: Task) -> Text:
        elapsed = task.elapsed or 0.0
        amount = _amount(str(task.fields.get("phase", "")), task.completed, task.total or 0)
        if task.finished:
            return Text(f"{amount}{', ' if amount else ''}{elapsed:.1f} s", style="dim")
        rate = f", {task.completed / MEGABYTE / elapsed:,.0f} MB/s" if "MB" in amount else ""
        return Text(f"{amount}{rate}" if elapsed > 1 else amount)


class _Lines:
    """A line when a phase begins, and now and then while it lasts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, float] = {}

    def __call__(self, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told.get(phase, -SECONDS_BETWEEN_LINES) < SECONDS_BETWEEN_LINES:
            return
        self._told[phase] = now
        amount = _amount(phase, done, total)
        self._console.print(
            f"{_WORDS.get(phase, phase)}{f': {amount}' if amount else ''}", markup=False
        )


def _amount(phase: str, done: float, total: float) -> str:
    if phase in _BYTES:
        whole = f" of {total / MEGABYTE:,.0f}" if total > done else ""
        return f"{done / MEGABYTE:,.0f}{whole} MB"
    return f"{done:,.0f} of {total:,.0f}" if total > 1 else ""

"""How far a move is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

SECONDS_BETWEEN_LINES = 2.0

_WORDS = {
    "snapshot": "snapshot",
    "plan": "plan",
    "copy": "copy",
    "index": "keys and indexes",
    "objects": "views and triggers",
    "proof": "proof",
    "switch": "switch",
}
_ROWS = ("copy", "proof")
"""Phases counted in rows."""


class Report(Protocol):
    """What a move calls: the phase, how much of it is done, of how much, and with what."""

    def __call__(self, phase: str, done: int, total: int, note: str = "") -> None: ...


@contextmanager
def progress_on(console: Console) -> Iterator[Report]:
    """A progress shown on that console until the block ends."""
    if console.is_terminal:
        with _Bars(console) as bars:
            yield bars
    else:
        with _Lines(console) as lines:
            yield lines


class _Bars:
    """One bar a phase: finished ones stay as a line with their time."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=28),
            _Counts(),
            console=console,
            refresh_per_second=8,
        )
        self._phase = ""
        self._task: TaskID | None = None

    def __enter__(self) -> _Bars:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._finish()
        self._bars.stop()

    def __call__(self, phase: str, done: int, total: int, note: str = "") -> None:
        if phase != self._phase:
            self._finish()
            self._phase = phase
            self._task = self._bars.add_task(
                _WORDS.get(phase, phase), total=total or None, unit=_unit(phase)
            )
        assert self._task is not None
        self._bars.update(self._task, completed=done, total=total or None)

    def _finish(self) -> None:
        if self._task is None:
            return
        task = self._bars.tasks[self._task]
        self._bars.update(self._task, total=task.total or 1, completed=task.total or 1)
        self._bars.stop_task(self._task)


class _Counts(ProgressColumn):
    """`1,200,000 of 3,000,000 rows, 850,000/s, 2 s left`; when done, rows and time."""

    def render(self, task: Task) -> Text:
        elapsed = task.elapsed or 0.0
        unit = str(task.fields.get("unit", ""))
        if task.finished:
            counted = f"{task.completed:,.0f} {unit} in " if unit else ""
            return Text(f"{counted}{elapsed:.1f} s", style="dim")
        return Text(_so_far(int(task.completed), int(task.total or 0), elapsed, unit))


class _Lines:
    """A line every two seconds at most, and one at the end of each phase."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._began = self._told = 0.0
        self._done = self._total = 0

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._finish()

    def __call__(self, phase: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if phase != self._phase:
            self._finish()
            self._phase, self._began, self._told = phase, now, now
        self._done, self._total = done, total
        if now - self._told >= SECONDS_BETWEEN_LINES:
            self._told = now
            self._line(_so_far(done, total, now - self._began, _unit(phase)))

    def _finish(self) -> None:
        if self._phase:
            seconds = time.monotonic() - self._began
            counted = f"{self._done:,} rows in " if self._phase in _ROWS else ""
            self._line(f"{counted}{seconds:.1f} s")

    def _line(self, text: str) -> None:
        self._console.print(f"{_WORDS.get(self._phase, self._phase)}: {text}", markup=False)


def _unit(phase: str) -> str:
    return "rows" if phase in _ROWS else ""


def _so_far(done: int, total: int, elapsed: float, unit: str) -> str:
    if not total:
        return f"{elapsed:.0f} s"
    text = f"{done:,} of {total:,}{f' {unit}' if unit else ''}"
    if done and elapsed > 0.5 and done < total:
        rate = done / elapsed
        if unit:
            text += f", {rate:,.0f}/s"
        text += f", {_left((total - done) / rate)} left"
    return text


def _left(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"

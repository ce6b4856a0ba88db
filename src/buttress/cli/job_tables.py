"""Jobs as a terminal shows them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from buttress.errors import NotFound

if TYPE_CHECKING:
    from buttress.jobs import Jobs, JobStatus, Progress, QueueStatus, StepStatus

STYLES = {
    "waiting": "cyan",
    "delayed": "blue",
    "running": "yellow",
    "paused": "magenta",
    "done": "green",
    "failed": "red",
    "cancelled": "dim",
    "given up": "bold red",
}
OWN_ID = re.compile(r"[0-9a-f]{32}")
SHORT = 8
"""Digits of an id that tell jobs apart for people."""
MINUTE, HOUR, DAY = 60, 3_600, 86_400


def short(job_id: str) -> str:
    """As much of an id as commands need to know it by."""
    return job_id[:SHORT] if OWN_ID.fullmatch(job_id) else job_id


def state(name: str) -> Text:
    """A state in its colour."""
    return Text(name, style=STYLES[name])


def jobs_table(found: Sequence[JobStatus]) -> Table:
    """One job a line; what it says of itself has the room that is left."""
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for column in ("id", "job", "state", "age", "took", "queue", "begun"):
        table.add_column(column, no_wrap=True)
    table.add_column("progress", no_wrap=True, overflow="ellipsis", ratio=1)
    now = dt.datetime.now(dt.UTC)
    for job in found:
        table.add_row(
            Text(short(job.id)),
            Text(job.name),
            state(job.state),
            duration((now - job.created_at).total_seconds()),
            took(job, now),
            Text(job.queue or "-"),
            f"{job.attempts}×" if job.attempts else "-",
            Text(job.error if job.error else progress(job.progress)),
        )
    return table


def queues_table(found: Sequence[QueueStatus]) -> Table:
    """One queue a line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("queue", "state", "waiting", "running", "limits"):
        table.add_column(column)
    for status in found:
        how = state("paused") if status.paused else Text("open", style="green")
        table.add_row(
            Text(status.queue.name), how, str(status.waiting), str(status.running),
            status.queue.limits,
        )  # fmt: skip
    return table


def facts(job: JobStatus, now: dt.datetime) -> Table:
    """What is known of one job."""
    table = Table.grid(padding=(0, 2))
    rows: list[tuple[str, str | Text]] = [
        ("id", Text(job.id)),
        ("job", Text(job.name)),
        ("state", state(job.state)),
        ("queue", job.queue or "none: started at once"),
        ("created", moment(job.created_at, now)),
        ("begun", f"{moment(job.begun_at, now)}, {times(job.attempts)}" if job.attempts else "-"),
        ("ended", moment(job.ended_at, now)),
        ("took", took(job, now)),
        ("progress", Text(progress(job.progress) or "-")),
        ("error", Text(job.error or "-", style="red" if job.error else "")),
    ]
    for name, value in rows:
        table.add_row(Text(name, style="bold"), value)
    return table


def steps_table(steps: Sequence[StepStatus]) -> Table:
    """One finished step a line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("step", "name", "took", "error"):
        table.add_column(column)
    for step in steps:
        seconds = step.seconds
        table.add_row(
            str(step.number),
            Text(step.name),
            "-" if seconds is None else duration(seconds),
            Text(step.error or "", style="red"),
        )
    return table


def arguments_table(args: Sequence[Any], kwargs: dict[str, Any], *, values: bool) -> Table:
    """One argument a line: its type, and its value if it may be seen, without what is secret."""
    from buttress.telemetry import without_secrets

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("argument", "type", *(("value",) if values else ())):
        table.add_column(column)
    given = [(str(number), value) for number, value in enumerate(args, 1)]
    for name, value in [*given, *kwargs.items()]:
        shown = (Text(repr(without_secrets(value, name))),) if values else ()
        table.add_row(Text(name), type(value).__name__, *shown)
    return table


def history_lines(said: Sequence[Progress]) -> Iterator[str]:
    """What a job said of its progress, a line each."""
    for word in said:
        at = f"{word.at:%H:%M:%S}" if word.at else ""
        yield f"{at}  {progress(word)}"


def family(jobs: Jobs, job: JobStatus) -> Tree:
    """A job below those it comes from and above those it made."""
    ancestors: list[JobStatus] = []
    oldest = job
    while oldest.parent is not None:
        try:
            oldest = jobs.show(oldest.parent)
        except NotFound:  # it was pruned
            break
        ancestors.insert(0, oldest)
    root = tree = Tree(_leaf(ancestors[0] if ancestors else job, job))
    for other in [*ancestors[1:], job] if ancestors else []:
        tree = tree.add(_leaf(other, job))
    _add_children(jobs, tree, job)
    return root


def _add_children(jobs: Jobs, tree: Tree, job: JobStatus) -> None:
    for child in jobs.children(job.id):
        _add_children(jobs, tree.add(_leaf(child, job)), child)


def _leaf(job: JobStatus, shown: JobStatus) -> Text:
    name = Text(job.name, style="bold" if job.id == shown.id else "")
    return Text.assemble(short(job.id), " ", name, " ", state(job.state))


def progress(said: Progress | None) -> str:
    """`3/10 resizing`, or nothing."""
    if said is None:
        return ""
    total = "" if said.total is None else f"/{said.total}"
    return f"{said.done}{total} {said.note}".strip()


def took(job: JobStatus, now: dt.datetime) -> str:
    """How long it has been worked on since it was begun the last time."""
    if job.begun_at is None or job.state in ("waiting", "delayed", "paused"):
        return "-"
    return duration(((job.ended_at or now) - job.begun_at).total_seconds())


def moment(at: dt.datetime | None, now: dt.datetime) -> str:
    """`2026-11-22 03:00:00 UTC, 4 h ago`, or a dash."""
    if at is None:
        return "-"
    return f"{at:%Y-%m-%d %H:%M:%S} UTC, {duration((now - at).total_seconds())} ago"


def times(number: int) -> str:
    """`once` or `3 times`."""
    return "once" if number == 1 else f"{number} times"


def duration(seconds: float) -> str:
    """`35 ms`, `4.2 s`, `3 min`, `5 h` or `2 d`."""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    for unit, name, until in ((MINUTE, "min", HOUR), (HOUR, "h", 2 * DAY)):
        if seconds < until:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / DAY:.0f} d"

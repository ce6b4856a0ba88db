"""`buttress logs`: the last lines of the log of this deployment, and those that come."""

from __future__ import annotations

import json as codec
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from buttress.cli.context import load_settings, out

if TYPE_CHECKING:
    from buttress.telemetry import LogLine

FOLLOW_SECONDS = 0.5
MOST_AT_ONCE = 10_000
COLOURS = {"warning": "yellow", "error": "red", "critical": "bold red"}


class Level(StrEnum):
    """How serious a line is."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


def logs(
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many at most.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    level: Annotated[Level, typer.Option(help="At least as serious.")] = Level.INFO,
    logger: Annotated[str, typer.Option(help="What its logger's name begins with.")] = "",
    request: Annotated[str, typer.Option(help="A request id, as an error told it.")] = "",
    job: Annotated[str, typer.Option(help="The id of a job.")] = "",
    json: Annotated[
        bool, typer.Option("--json", help="Print the lines as they lie there.")
    ] = False,
) -> None:
    """Show the last lines of the log of all processes of this data folder, the oldest first.

    Example: buttress logs --request 0f3ac1d2e4b54f6f8a7b6c5d4e3f2a1b
    """
    from buttress.telemetry import recent_lines

    wanted = matching(level, logger, {"request_id": request, "job_id": job})
    folder = load_settings().home / "logs"
    show = print_json if json else print_line
    shown = recent_lines(folder, wanted, most=lines).lines
    for line in reversed(shown):
        show(line)
    last = shown[0] if shown else None
    while follow:
        time.sleep(FOLLOW_SECONDS)
        for line in reversed(newer(folder, wanted, last)):
            show(line)
            last = line


def matching(level: Level, logger: str, ids: dict[str, str]) -> Callable[[LogLine], bool]:
    """Whether a line is one of those asked for; what is empty asks for nothing."""
    levels = list(Level)[list(Level).index(level) :]

    def wanted(line: LogLine) -> bool:
        return (
            line.level in levels
            and line.logger.startswith(logger)
            and all(not value or line.fields.get(name) == value for name, value in ids.items())
        )

    return wanted


def newer(folder: Path, wanted: Callable[[LogLine], bool], last: LogLine | None) -> list[LogLine]:
    """The lines that came after one, the newest first."""
    from buttress.telemetry import recent_lines

    found = recent_lines(folder, wanted, most=MOST_AT_ONCE).lines
    return found[: found.index(last)] if last in found else found


def print_line(line: LogLine) -> None:
    """One line for people, and the traceback below it when there is one."""
    at = line.at.astimezone().strftime("%d %b %H:%M:%S")
    told = " ".join(f"{name}={value}" for name, value in line.fields.items())
    colour = COLOURS.get(line.level, "dim")
    out.print(
        f"[dim]{at}[/dim] [{colour}]{line.level:<7}[/{colour}] {escape(line.logger)}  "
        f"{escape(line.event)}  [dim]{escape(told)}[/dim]",
        soft_wrap=True,
    )
    if line.traceback:
        out.print(line.traceback, markup=False, highlight=False, soft_wrap=True)


def print_json(line: LogLine) -> None:
    """One line for programs."""
    entry = {
        "at": line.at.isoformat(timespec="milliseconds"), "level": line.level,
        "logger": line.logger, "event": line.event, **line.fields,
    }  # fmt: skip
    if line.traceback:
        entry["traceback"] = line.traceback
    out.file.write(codec.dumps(entry, ensure_ascii=False) + "\n")
    out.file.flush()

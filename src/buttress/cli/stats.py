"""`buttress stats`: what the queries of all running processes took."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated

import typer

from buttress.cli.context import load_settings, out
from buttress.errors import BadInput

if TYPE_CHECKING:
    from buttress.db.monitor.facts import Facts

WATCH_SECONDS = 5.0
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def stats(
    window: Annotated[str, typer.Option(help="How far back: 15m, 1h, 2d.")] = "1h",
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Print it again every five seconds until Ctrl-C.")
    ] = False,
) -> None:
    """Show what the queries of all running processes took, which are slow, and which repeat.

    Running processes write down what they counted every ten seconds; this command reads that, and
    asks the server what it knows itself.

    Example: buttress stats --window 15m
    """
    from buttress.db.monitor.facts import of_deployment
    from buttress.runtime import Runtime

    seconds = window_seconds(window)
    with Runtime(load_settings()) as runtime:
        while True:
            facts = of_deployment(runtime.database, seconds)
            if watch and out.is_terminal:
                out.clear()
            show(facts, as_json=json)
            if not watch:
                return
            time.sleep(WATCH_SECONDS)


def show(facts: Facts, *, as_json: bool) -> None:
    """Print the report, or the same figures as one JSON object."""
    from buttress.db.monitor.report import as_document, report

    if as_json:
        out.print_json(data=as_document(facts))
    else:
        out.print(report(facts), end="", markup=False, emoji=False)


def window_seconds(window: str) -> float:
    """`90s`, `15m`, `1h` or `2d` in seconds; raises `BadInput` for anything else."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", window.strip())
    if not found or int(found[1]) == 0:
        raise BadInput(f"{window!r} is no stretch of time", hint="Write it like 15m, 1h or 2d.")
    return float(int(found[1]) * UNITS[found[2]])

"""All figures, each beside its peer in the same run: `python -m benchmarks [--quick]`.

Prints the tables and writes them into docs/reference/benchmarks.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import tempfile
from pathlib import Path

from benchmarks import move
from buttress.db.embedded import start_servers

PAGE = Path("docs/reference/benchmarks.md")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, one round")
    quick = parser.parse_args().quick
    scale, rounds = (10, 1) if quick else (1, 3)
    parts = [
        "# Benchmarks",
        "",
        f"Made by `make bench` on {dt.datetime.now(dt.UTC):%Y-%m-%d}: {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, the embedded PostgreSQL, medians of {rounds} alternating rounds. "
        "Machines differ and this one is noisy: trust the ratios. Times are of whole commands, interpreter "
        "start, snapshot, plan and reports included; memory is the peak of the command and its workers.",
        "",
    ]
    with tempfile.TemporaryDirectory() as home, start_servers(Path(home)) as servers:
        parts += [
            "## The move beside pgloader",
            "",
            "Tables, rows, primary key, two indexes, a foreign key and ANALYZE.",
            "",
            "| data | program | time | memory | rows there | pgloader ÷ Buttress |",
            "| --- | --- | --- | --- | --- | --- |",
            *move.compare(servers, "narrow", 3_000_000 // scale, rounds),
            *move.compare(servers, "wide", 200_000 // scale, rounds),
            "",
            "## Growth",
            "",
            "| narrow rows | time with proof | a row | memory |",
            "| --- | --- | --- | --- |",
            *move.growth(servers, [1_000_000 // scale, 3_000_000 // scale, 10_000_000 // scale]),
            "",
            "## Real databases",
            "",
            "Files that packages carry (`tests/real_databases.py` says which).",
            "",
            "| file | tables | rows | Buttress | exit code | pgloader 3.6: rows there |",
            "| --- | --- | --- | --- | --- | --- |",
            *move.real(servers),
            "",
        ]
    text = "\n".join(parts)
    print(text)
    if not quick:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")


main()

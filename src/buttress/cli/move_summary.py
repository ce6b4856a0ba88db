"""A move's report in words, for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape

from buttress.mover.page import (
    duration,
    headline,
    left_out,
    plural,
    repeat_command,
    summary,
    visible,
)
from buttress.mover.plan import Table
from buttress.mover.report import MoveReport

_STYLES = {
    "proven": "bold green",
    "proven with rows in quarantine": "bold yellow",
    "mismatch": "bold red",
    "planned": "bold",
}
_TABLES = 40
_LISTED = 10


def print_summary(report: MoveReport, console: Console) -> None:
    """Verdict, tables, what needs attention, where the report lies and what to do next."""
    console.print(f"\n[{_STYLES[report.verdict]}]{headline(report)}[/]")
    route = f"{report.source} → {report.target}, schema {report.schema}"
    if report.verdict == "planned":
        route = f"{report.source}, for schema {report.schema}"
    console.print(f"[dim]{_shown(route)}, {duration(sum(report.seconds.values()))}[/dim]")
    console.print(_shown(summary(report)))
    if report.verdict == "planned":
        _print_plan(report, console)
    else:
        _print_tables(report, console)
        _print_differences(report, console)
        _print_quarantine(report, console)
        _print_unreadable(report, console)
        _print_orphans(report, console)
    _print_not_carried(report, console)
    _print_next(report, console)


def _print_tables(report: MoveReport, console: Console) -> None:
    found = report.proof.tables
    shown = found
    if len(found) > _TABLES:
        shown = [proof for proof in found if not proof.ok or proof.quarantined][:_TABLES]
    rows = [("table", "rows", "proven", "quarantined", "compared")]
    rows += [
        (p.table, f"{p.rows:,}", f"{p.proven:,}", f"{p.quarantined:,}", p.method) for p in shown
    ]
    console.print()
    _print_columns(rows, "<>>><", console)
    if len(shown) < len(found):
        console.print(f"  and {plural(len(found) - len(shown), 'table')} without quarantined rows")
    _print_left_out(report, console)


def _print_left_out(report: MoveReport, console: Console) -> None:
    for reason, names in left_out(report.plan):
        console.print(f"  left out: {_shown(', '.join(names))} ({_shown(reason)})")


def _print_differences(report: MoveReport, console: Console) -> None:
    different = sum(table.different for table in report.proof.tables)
    if different:
        found = [one for table in report.proof.tables for one in table.differences]
        _print_title("differences", different, console)
        for one in found[:_LISTED]:
            where = f"{one.table} {one.row}" + (f", {one.column}" if one.column else "")
            console.print(f"  {_shown(where)}: {_shown(one.source)} became {_shown(one.target)}")
        _print_more(different, console)
    for sequence in report.proof.sequences:
        console.print(f"  sequence: {_shown(sequence)}")


def _print_quarantine(report: MoveReport, console: Console) -> None:
    if not report.rows_quarantined:
        return
    _print_title("quarantined", report.rows_quarantined, console)
    reasons = Counter(
        (row.table + (f".{row.column}" if row.column else ""), row.reason)
        for row in report.quarantined
    )
    lines = [(f"{n:,}", where, reason) for (where, reason), n in reasons.most_common(_LISTED)]
    _print_columns(lines, "><<", console)
    if len(reasons) > _LISTED:
        console.print(f"  and {plural(len(reasons) - _LISTED, 'more reason')}; the report has all")


def _print_unreadable(report: MoveReport, console: Console) -> None:
    if report.unreadable:
        _print_title("unreadable in the source", len(report.unreadable), console)
        for lost in report.unreadable[:_LISTED]:
            rowids = "" if lost.first_rowid is None else f" rowids {lost.first_rowid}"
            if rowids and lost.last_rowid != lost.first_rowid:
                rowids += f" to {lost.last_rowid if lost.last_rowid is not None else 'the last'}"
            console.print(f"  {_shown(lost.table)}{rowids}: {_shown(lost.detail)}")
        _print_more(len(report.unreadable), console)


def _print_orphans(report: MoveReport, console: Console) -> None:
    if report.orphans:
        _print_title("foreign keys that rows violate, left NOT VALID", len(report.orphans), console)
        for key in report.orphans[:_LISTED]:
            example = f", for example {key.examples[0]}" if key.examples else ""
            console.print(
                f"  {_shown(key.table)} {_shown(key.foreign_key)}: "
                f"{plural(key.rows, 'row')}{_shown(example)}"
            )
        _print_more(len(report.orphans), console)


def _print_not_carried(report: MoveReport, console: Console) -> None:
    if report.not_carried:
        _print_title("not carried over", len(report.not_carried), console)
        for thing in report.not_carried[:_LISTED]:
            of = f" of {thing.table}" if thing.table else ""
            console.print(f"  {_shown(f'{thing.kind} {thing.name}{of}: {thing.reason}')}")
        _print_more(len(report.not_carried), console)


def _print_plan(report: MoveReport, console: Console) -> None:
    for table in report.plan.moving:
        console.print(f"\n[bold]{_shown(table.name)}[/bold]  [dim]{_shown(_facts(table))}[/dim]")
        _print_columns(
            [
                (column.name, column.declared or "-", f"→ {column.type}", column.why)
                for column in table.columns
            ],
            "<<<<",
            console,
        )
    console.print()
    _print_left_out(report, console)
    for note in report.plan.notes:
        console.print(f"note: {_shown(note)}")


def _facts(table: Table) -> str:
    facts = [plural(table.rows, "row"), f"key {', '.join(table.key)}" if table.key else "no key"]
    if table.target != table.name:
        facts.insert(0, f"as {table.target}")
    if table.identity_next is not None:
        facts.append(f"next {table.rowid_alias} {table.identity_next}")
    for count, word in (
        (len(table.indexes), "index"),
        (len(table.checks), "check"),
        (len(table.foreign_keys), "foreign key"),
    ):
        if count:
            facts.append(f"{count} {word}{'' if count == 1 else 'es' if word == 'index' else 's'}")
    if table.impossible:
        facts.append(table.impossible)
    return ", ".join(facts)


def _print_next(report: MoveReport, console: Console) -> None:
    console.print()
    if (
        report.folder
        and report.verdict != "planned"
        and (Path(report.folder) / "report.html").exists()
    ):
        console.print(f"report: {_shown(report.folder)}/report.html, report.json, plan.toml")
    if report.verdict == "planned":
        plan = f"{report.folder}/plan.toml"
        console.print(f"plan: {_shown(plan)}")
        console.print(
            f"next: Edit it where you know better, then: "
            f"buttress move {_shown(report.source)} --plan {_shown(plan)}"
        )
    elif report.verdict == "mismatch":
        console.print("next: Do not use the copy. Look at the rows above, and move again.")
    elif report.rows_quarantined:
        console.print(
            f"next: Look at what is in quarantine: SELECT table_name, row_key, column_name, reason "
            f"FROM {_shown(report.schema)}.buttress_quarantine;"
        )
    if report.verdict not in ("planned", "mismatch"):
        console.print(f"again: {_shown(repeat_command(report))}")


def _print_title(words: str, count: int, console: Console) -> None:
    console.print(f"\n[bold]{words}[/bold]: {count:,}")


def _print_more(count: int, console: Console) -> None:
    if count > _LISTED:
        console.print(f"  and {count - _LISTED:,} more; the report has them")


def _print_columns(rows: Iterable[tuple[str, ...]], sides: str, console: Console) -> None:
    """Rows in aligned columns; the last one may be of any length."""
    cells = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        line = []
        for cell, width, side in zip(row, widths, sides, strict=True):
            space = " " * (width - cell_len(cell))
            line.append(cell + space if side == "<" else space + cell)
        console.print("  " + escape("  ".join(line).rstrip()))


def _shown(text: str) -> str:
    return escape(visible(text))

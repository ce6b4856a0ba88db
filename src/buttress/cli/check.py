"""`buttress check`: what is wrong with this deployment, and how to mend it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from buttress.cli.context import load_settings, out, plain

if TYPE_CHECKING:
    from buttress.check import Report

COLOURS = {"error": "bold red", "warning": "yellow", "not checked": "dim"}


def check(
    deploy: Annotated[
        bool, typer.Option("--deploy", help="Look at everything a deployment for others needs.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    fail_on: Annotated[
        Literal["warning", "error"],
        typer.Option(help="End with exit code 1 for findings as bad as that, or worse."),
    ] = "error",
) -> None:
    """Look for what is wrong with this deployment, and say how to mend it.

    Settings, web server, database, rights, cache, backups, jobs and packages are looked at. Each
    check has an id, which docs/reference/checks.md explains.

    Example: buttress check --deploy --fail-on warning
    """
    from buttress.check import all_checks, facts_of, run
    from buttress.settings import given

    with facts_of(load_settings(), given(), Path()) as facts:
        report = run(facts, all_checks(), deploy=deploy)
    if json:
        out.print_json(data=[finding.as_document() for finding in report.findings])
    else:
        show(report)
    if report.fails(fail_on):
        raise typer.Exit(1)


def show(report: Report) -> None:
    """The findings by group, the worst first, each with its cure; then one line about all."""
    group = ""
    unchecked: dict[str, list[str]] = {}
    for finding in report.findings:
        if finding.outcome == "not checked":
            unchecked.setdefault(finding.text, []).append(finding.check.id)
            continue
        if finding.check.group != group:
            group = finding.check.group
            out.print(f"[bold]{group}[/]")
        colour = COLOURS[finding.outcome]
        out.print(
            f"  [{colour}]{finding.outcome:<11}[/] {finding.check.id}  {finding.check.title}: "
            f"{plain(finding.text)}"
        )
        out.print(f"              [dim]{plain(finding.check.cure)}[/]")
    for reason, ids in unchecked.items():
        out.print(f"[dim]{plain(reason)}[/]\n  {', '.join(ids)}")
    errors, warnings = report.count("error"), report.count("warning")
    out.print(
        f"{report.checked} checks in {report.seconds:.1f} s: {errors} errors, {warnings} warnings, "
        f"{report.count('not checked')} not checked"
    )

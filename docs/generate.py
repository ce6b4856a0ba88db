"""Print what the code itself knows: commands, settings, errors, checks, metrics, alert rules.

`make docs` writes the files; a test fails when they are stale.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic_settings import BaseSettings
from typer import Context
from typer.cli import get_docs_for_click
from typer.main import get_command

from buttress import errors
from buttress.apps.catalog.settings import CatalogSettings
from buttress.check import all_checks
from buttress.cli import cli
from buttress.settings import Settings, known_name
from buttress.telemetry.metrics import declared
from buttress.telemetry.metrics.dashboard import dashboard
from buttress.telemetry.metrics.rules import alerts_of, rules

REFERENCE = Path(__file__).parent / "reference"
DEPLOY = Path(__file__).parents[1] / "deploy"
OUR_APPS = {"Catalog": CatalogSettings}
NOTE = "<!-- Printed from the code by `make docs`. -->\n\n"


def pages() -> dict[str, str]:
    """The text of every generated page, by file name."""
    return {
        "commands.md": commands(),
        "settings.md": settings(),
        "errors.md": error_page(),
        "checks.md": checks(),
        "metrics.md": metrics(),
    }


def deployed() -> dict[Path, str]:
    """The text of what is printed for other programs, by file."""
    return {
        DEPLOY / "prometheus" / "rules.yml": rules(declared()),
        DEPLOY / "grafana" / "buttress.json": dashboard(declared()),
    }


def metrics() -> str:
    """Every family of metrics with its labels, and every alert with what to do."""
    rows = [
        "# Metrics",
        "",
        "What `/metrics` serves, beside `process_*` and `python_*`.",
        "[How to observe](../howto/observe.md) tells how to collect it.",
        "",
        "| family | kind | what it tells | labels |",
        "| --- | --- | --- | --- |",
    ]
    for family in declared():
        labels = "; ".join(f"`{name}`: {values}" for name, values in family.labels.items())
        name = f"{family.name}_total" if family.kind == "counter" else family.name
        rows.append(f"| `{name}` | {family.kind} | {family.help} | {labels.replace('|', '/')} |")
    rows += ["", "## Alerts", "", "In `deploy/prometheus/rules.yml`, or `buttress metrics rules`."]
    for alert in alerts_of(declared()):
        held = f"for {alert.minutes} minutes" if alert.minutes else "at once"
        rows += ["", f'<a id="{alert.name.lower()}"></a>', "", f"### {alert.name}", ""]
        rows += [
            f"*{alert.severity}, {held}* {re.sub(r'{{.*?}}', 'that queue or part', alert.summary)}."
        ]
        rows += ["", f"What to do: {alert.action}", "", f"    {alert.expr}"]
    return NOTE + "\n".join(rows) + "\n"


def commands() -> str:
    """Every command with its options, as `--help` tells them."""
    command = get_command(cli)
    text = get_docs_for_click(obj=command, ctx=Context(command), name="buttress")
    return NOTE + text.strip() + "\n"


def settings() -> str:
    """Every setting, our apps' too: the variable to set, its default and what it means."""
    rows = ["# Settings", "", "Set as environment variables or in `.env`.", ""]
    rows += _table(Settings, "BUTTRESS_")
    for title, model in OUR_APPS.items():
        rows += ["", f"## {title}", "", *_table(model, str(model.model_config["env_prefix"]))]
    return NOTE + "\n".join(rows) + "\n"


def _table(model: type[BaseSettings], prefix: str) -> list[str]:
    return ["| variable | default | meaning |", "| --- | --- | --- |"] + [
        f"| `{name}` | `{default}` | {text} |" for name, default, text in _fields(model, prefix)
    ]


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, object, str]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, f"{prefix}{name.upper()}__")
            continue
        variable = known_name(field) or f"{prefix}{name.upper()}"
        default = field.get_default(call_default_factory=True)
        shown = default.get_secret_value() if hasattr(default, "get_secret_value") else default
        yield str(variable), shown, field.description or ""


def checks() -> str:
    """Every check of `buttress check`: what it looks at, why, and the cure."""
    rows = [
        "# Checks",
        "",
        "What `buttress check` looks at; those marked *deploy* with `--deploy`.",
    ]
    group = ""
    for check in all_checks():
        if check.group != group:
            group = check.group
            rows += ["", f"## {group.capitalize()}"]
        marks = f"{check.severity}, deploy" if check.deploy else check.severity
        rows += ["", f'<a id="{check.id.lower()}"></a>', "", f"### {check.id} {check.title}", ""]
        rows += [f"*{marks}* {' '.join(check.why.split())}", "", f"Cure: {check.cure}"]
    return NOTE + "\n".join(rows) + "\n"


def error_page() -> str:
    """Every error: its HTTP status, the command line's exit code and when it is raised."""
    rows = [
        "# Errors",
        "",
        "| error | HTTP | exit code | raised when |",
        "| --- | --- | --- | --- |",
    ]
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.ButtressError):
            meaning = inspect.getdoc(kind) or ""
            rows.append(
                f"| `{name}` | {kind.http_status} | {kind.exit_code} | {meaning.splitlines()[0]} |"
            )
    rows += [
        "",
        "`buttress move` and `buttress verify` also end with 3: proven, with rows in quarantine.",
    ]
    return NOTE + "\n".join(rows) + "\n"


def main() -> None:
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"docs/reference/{name}\n")
    for file, text in deployed().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{file.relative_to(DEPLOY.parent)}\n")


if __name__ == "__main__":
    main()

"""Print the reference that the code itself knows: commands, settings, errors and checks.

`make docs` writes the files; a test fails when they are stale.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from typer import Context
from typer.cli import get_docs_for_click
from typer.main import get_command

from buttress import errors
from buttress.check import all_checks
from buttress.cli import cli
from buttress.settings import Settings, known_name

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Printed from the code by `make docs`. -->\n\n"


def pages() -> dict[str, str]:
    """The text of every generated page, by file name."""
    return {
        "commands.md": commands(),
        "settings.md": settings(),
        "errors.md": error_page(),
        "checks.md": checks(),
    }


def commands() -> str:
    """Every command with its options, as `--help` tells them."""
    command = get_command(cli)
    text = get_docs_for_click(obj=command, ctx=Context(command), name="buttress")
    return NOTE + text.strip() + "\n"


def settings() -> str:
    """Every setting: the variable to set, its default and what it means."""
    rows = ["# Settings", "", "Set as environment variables or in `.env`.", ""]
    rows += ["| variable | default | meaning |", "| --- | --- | --- |"]
    rows += [
        f"| `{name}` | `{default}` | {text} |"
        for name, default, text in _fields(Settings, "BUTTRESS_")
    ]
    return NOTE + "\n".join(rows) + "\n"


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


if __name__ == "__main__":
    main()

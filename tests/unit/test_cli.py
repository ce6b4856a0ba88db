"""The command line: what it says, and with which exit code."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from buttress import cli as terminal
from buttress.cli.address import address
from buttress.cli.context import load_settings
from buttress.cli.up import listen
from buttress.errors import BadInput, ConfigurationError, Conflict
from buttress.scaffold import write_app
from buttress.settings import Settings

runner = CliRunner()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["buttress", *arguments])
    with pytest.raises(SystemExit) as caught:
        terminal.main()
    return int(caught.value.code or 0)


def commands(command: typer.Typer, path: str = "") -> list[list[str]]:
    """Every command line of the program, without options."""
    found = [[*path.split(), name_of(entry)] for entry in command.registered_commands]
    for group in command.registered_groups:
        assert group.typer_instance is not None
        found += commands(group.typer_instance, f"{path} {group.name}")
    return found


def name_of(entry: typer.models.CommandInfo) -> str:
    assert entry.callback is not None
    return entry.name or entry.callback.__name__.replace("_", "-")


@pytest.mark.parametrize("arguments", commands(terminal.cli), ids=" ".join)
def test_every_command_teaches_by_an_example(arguments: list[str]) -> None:
    answer = runner.invoke(terminal.cli, [*arguments, "--help"], env={"COLUMNS": "200"})

    assert answer.exit_code == 0
    assert re.search(rf"Examples?:\s*buttress {arguments[0]}", answer.output)


def test_the_version_is_the_installed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "--version") == 0


def test_help_imports_nothing_heavy() -> None:
    heavy = {"sqlalchemy", "pydantic", "streamlit", "fastapi", "pyarrow", "apsw", "psycopg"}
    script = f"import sys, buttress.cli; print(sorted({heavy!r} & set(sys.modules)))"

    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert answer.stdout.strip() == "[]", answer.stderr


def test_an_error_of_ours_is_two_lines_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise BadInput("a.db is no SQLite file [/bold]", hint="Name another one.")

    monkeypatch.setattr(terminal, "cli", fail)

    assert run(monkeypatch) == 65
    assert capsys.readouterr().err.splitlines() == [
        "error: a.db is no SQLite file [/bold]",
        "hint: Name another one.",
    ]


def test_ctrl_c_is_one_line_and_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    program = typer.Typer()
    program.command()(interrupted)
    monkeypatch.setattr(terminal, "cli", program)

    assert run(monkeypatch) == 130
    assert capsys.readouterr().err.splitlines() == ["interrupted"]


def test_a_wrong_setting_names_its_variable_and_not_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BUTTRESS_PORT", "s3cret")
    monkeypatch.setenv("BUTTRESS_POOL__SIZE", "0")

    with pytest.raises(ConfigurationError) as caught:
        load_settings()

    assert "BUTTRESS_PORT" in caught.value.message
    assert "BUTTRESS_POOL__SIZE" in caught.value.message
    assert "s3cret" not in caught.value.message


def test_an_option_overrides_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUTTRESS_PORT", "9000")

    assert load_settings(port=9001, host=None).port == 9001
    assert load_settings(port=None).port == 9000


def test_a_port_in_use_is_refused_with_the_cure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(
            ConfigurationError, match=f"port {port} on 127.0.0.1 is in use"
        ) as caught:
            listen(Settings(port=port))

    assert "BUTTRESS_PORT=" in (caught.value.hint or "")


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot listen on"):
        listen(Settings(host="203.0.113.7"))


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:8501"),
        ("::1", "http://[::1]:8501"),
        ("localhost", "http://localhost:8501"),
        ("0.0.0.0", "http://127.0.0.1:8501"),
        ("192.0.2.1", "http://192.0.2.1:8501"),
    ],
)
def test_the_address_shown_can_be_opened(host: str, shown: str) -> None:
    assert address(Settings(host=host)) == shown


def test_a_new_app_is_written_where_nothing_is(tmp_path: Path) -> None:
    folder = write_app("errands_unit", tmp_path / "errands")

    assert (folder / "src/errands_unit/versions/errands_unit_0001_items.py").is_file()
    assert 'errands_unit = "errands_unit:app"' in (folder / "pyproject.toml").read_text()
    with pytest.raises(Conflict, match="not empty"):
        write_app("errands_unit", folder)


@pytest.mark.parametrize("name", ["json", "buttress", "class", "import"])
def test_a_new_app_does_not_hide_a_module(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="exists already"):
        write_app(name, tmp_path / "new")


def test_the_code_of_a_new_app_is_formatted_and_complete(tmp_path: Path) -> None:
    folder = write_app("errands_unit", tmp_path / "errands")

    assert not [text for text in rendered_texts(folder) if re.search(r"\{[{%]", text)]
    for arguments in (["format", "--check"], ["check"]):
        answer = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--isolated", "--line-length=100", "."],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert answer.returncode == 0, answer.stdout


def rendered_texts(folder: Path) -> list[str]:
    return [path.read_text() for path in folder.rglob("*") if path.is_file()]

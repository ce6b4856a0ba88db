"""What an app is, and how the apps of a deployment are found."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from pydantic import SecretStr

import buttress
from buttress import runtime
from buttress.app import App
from buttress.errors import ConfigurationError
from buttress.runtime import InstalledApp, load_app, refuse_development_defaults, select_apps
from buttress.settings import Settings
from buttress.telemetry import HumanLines, JsonLines

EVERYTHING = [
    "LLM",
    "App",
    "Base",
    "ButtressError",
    "Cache",
    "Contract",
    "Database",
    "Files",
    "MoveReport",
    "Runtime",
    "Settings",
    "Violation",
    "move",
]


def offer(monkeypatch: pytest.MonkeyPatch, *values: tuple[str, str]) -> None:
    """Let these entry points be what the installed packages offer."""
    found = [EntryPoint(name, value, runtime.GROUP) for name, value in values]
    monkeypatch.setattr(runtime, "entry_points", lambda group: found)


def write_module(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize("name", ["tickets", "a", "ad_reports2", "a" * 30])
def test_a_lower_case_identifier_names_an_app(name: str) -> None:
    assert App(name, title="Title").name == name


@pytest.mark.parametrize("name", ["", "Tickets", "2nd", "my-app", "a" * 31, "café", "a.b", "_a"])
def test_anything_else_does_not(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name an app"):
        App(name, title="Title")


def test_an_app_knows_the_module_that_made_it() -> None:
    app = App("tickets", title="Tickets")

    assert app.package == __name__
    assert app.folder == Path(__file__).parent


def test_decorators_record_and_return_the_function() -> None:
    app = App("tickets", title="Tickets", package="json")

    @app.api.post("/items", summary="Add")
    def add() -> int:
        return 1

    @app.page("All of them", icon="inbox")
    def all_items() -> None: ...

    @app.check
    def table_is_there(_: object) -> None: ...

    assert add() == 1
    assert [(r.method, r.path, r.status, r.summary) for r in app.routes] == [
        ("POST", "/items", 201, "Add")
    ]
    assert [(p.title, p.path, p.icon) for p in app.pages] == [
        ("All of them", "tickets-all-items", "inbox")
    ]
    assert [check.name for check in app.checks] == ["table is there"]


def test_an_installed_app_is_found_by_its_entry_point(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = "from buttress import App\napp = App('unit_notes', title='Notes')\n"
    write_module(tmp_path, "unit_notes", text, monkeypatch)
    offer(monkeypatch, ("unit_notes", "unit_notes:app"))

    assert [app.title for app in select_apps("")] == ["Notes"]
    assert [app.title for app in select_apps(" unit_notes, unit_notes")] == ["Notes"]


def test_an_unknown_app_is_refused_with_the_names_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offer(monkeypatch, ("catalog", "catalog:app"))

    with pytest.raises(ConfigurationError, match="'catalogue'") as caught:
        select_apps("catalogue")

    assert caught.value.hint == "Installed apps: catalog."


def test_two_packages_with_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("notes", "a:app"), ("notes", "b:app"))

    with pytest.raises(ConfigurationError, match="2 packages offer an app 'notes'"):
        select_apps("")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named"),
        ("raise RuntimeError('not today')", "RuntimeError: not today"),
        ("app = 1", "is no buttress.App"),
        ("from buttress import App\napp = App('other', title='x')", "under the name 'broken'"),
        ("", "AttributeError"),
    ],
)
def test_an_app_that_cannot_be_loaded_is_named_with_the_cause(
    text: str, complaint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = f"broken_{abs(hash(text))}"
    write_module(tmp_path, module, text, monkeypatch)
    entry_point = EntryPoint("broken", f"{module}:app", runtime.GROUP)

    with pytest.raises(ConfigurationError, match=complaint) as caught:
        load_app(InstalledApp("broken", "broken 1.0", entry_point))

    assert "broken" in caught.value.message
    assert caught.value.hint


def test_production_refuses_every_development_default_at_once() -> None:
    settings = Settings(environment="production", database_url="sqlite:///app.db")

    with pytest.raises(ConfigurationError) as caught:
        refuse_development_defaults(settings)

    assert "SQLite" in caught.value.message
    assert "REDIS_URL is the embedded server" in caught.value.message


def test_production_accepts_real_servers() -> None:
    refuse_development_defaults(
        Settings(
            environment="production",
            database_url=SecretStr("postgresql://db/app"),
            redis_url=SecretStr("redis://cache"),
        )
    )


def test_every_public_name_can_be_imported() -> None:
    assert buttress.__all__ == EVERYTHING
    for name in EVERYTHING:
        assert getattr(buttress, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Ghost'"):
        buttress.__getattr__("Ghost")


def test_importing_buttress_imports_nothing_heavy() -> None:
    heavy = {"sqlalchemy", "pydantic", "streamlit", "fastapi", "pyarrow", "apsw", "psycopg"}
    script = f"import sys, buttress; print(sorted({heavy!r} & set(sys.modules)))"

    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert answer.stdout.strip() == "[]"


def record(**fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "buttress.x", "msg": "table copied", **fields})
    made.levelno, made.levelname = logging.INFO, "INFO"
    return made


def test_a_production_log_line_is_one_json_object_with_its_fields() -> None:
    line = JsonLines().format(record(table="users\nadmins", rows=20, path=Path("x")))

    entry = json.loads(line)
    assert "\n" not in line
    assert (entry["event"], entry["level"], entry["logger"]) == (
        "table copied",
        "info",
        "buttress.x",
    )
    assert (entry["table"], entry["rows"], entry["path"]) == ("users\nadmins", 20, "x")


def test_a_development_log_line_is_for_reading() -> None:
    line = HumanLines().format(record(rows=20))

    assert line.endswith("info    buttress.x  table copied rows=20")

"""`buttress backup` from a terminal, on a SQLite deployment."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from buttress.backup.manifest import FORMAT
from buttress.cli import cli
from buttress.errors import NotFound


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "live.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("create table t (a); insert into t values (1), (2)")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{path}")
    monkeypatch.setenv("REDIS_URL", "redis://localhost:1")
    monkeypatch.setenv("BUTTRESS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BUTTRESS_BACKUP__KEY", "a secret nobody should see")
    return path


def buttress(*arguments: str, expected: int = 0) -> str:
    result = CliRunner().invoke(cli, ["backup", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expected, result.output
    return result.stdout


def test_a_backup_is_made_listed_restored_and_pruned_from_a_terminal(file, tmp_path):
    made = buttress("--reason", "a test")
    assert "verified  a test" in made
    name = made.split()[0]

    assert name in buttress("list")
    assert json.loads(buttress("list", "--json"))[0]["content"] == {"tables": 1, "rows": 2}
    shown = buttress("show", "--json")
    assert json.loads(shown)["state"] == "verified"
    assert "2 rows  t" in buttress("show")
    assert "nobody should see" not in shown
    assert "1 tables, 2 rows" in buttress("verify", "latest")
    assert "can be restored" in buttress("restore", "--dry-run")

    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("delete from t")
    assert "t_back: 2 rows, equal" in buttress("restore", "--table", "t", "--to", "t_back")
    assert "kept as" in buttress("restore", "--yes")
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("select count(*) from t").fetchone() == (2,)

    assert "pinned" in buttress("pin", name[:10])
    assert "nothing to delete" in buttress("prune", "--dry-run")


def test_a_damaged_backup_is_told_by_list_and_does_not_hide_the_others(file, tmp_path):
    first, second = (buttress("--no-drill").split()[0] for _ in range(2))
    (tmp_path / "home" / "backups" / first / "manifest.json").write_text("{}")

    listed = buttress("list", expected=1)
    assert "times less than if nothing were shared" in listed

    assert second in listed
    with pytest.raises(NotFound):
        buttress("show", "1999")


def test_a_backup_of_a_newer_buttress_is_told_apart_and_prune_says_why_chunks_stay(file, tmp_path):
    first, second = (buttress("--no-drill").split()[0] for _ in range(2))
    manifest = tmp_path / "home" / "backups" / first / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}'))

    result = CliRunner().invoke(cli, ["backup", "list"])
    assert result.exit_code == 0
    assert second in result.stdout
    assert f"{first} was made by a newer Buttress" in " ".join(result.stderr.split())
    assert "no chunk was deleted" in CliRunner().invoke(cli, ["backup", "prune"]).stderr


def test_a_restore_says_how_many_jobs_are_begun_again(file):
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript("""
            create table buttress_job_lease (executor);
            create table workflow_status (status);
            insert into workflow_status values ('ENQUEUED'), ('SUCCESS');
        """)
    buttress("--no-drill")

    restored = CliRunner().invoke(cli, ["backup", "restore", "--dry-run"])

    assert "1 jobs of it had not ended" in restored.stderr

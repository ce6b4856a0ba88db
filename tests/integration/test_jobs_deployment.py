"""Jobs of an installed app, through the command line and the runtime."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from buttress.db.embedded import Servers
from buttress.runtime import Runtime
from buttress.settings import Settings

BUTTRESS = [sys.executable, "-c", "from buttress.cli import main; main()"]
CODE = """
from buttress.app import App
app = App("chores", title="Chores")
"""
JOBS = """
from chores import app

@app.step
def fetch(what: str) -> str:
    return f"fetched {what}"

@app.job
def chore(what: str) -> str:
    return fetch(what)
"""


@pytest.fixture
def deployed(
    database_url: str, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """An installed app with a job, and the environment of its processes."""
    package = tmp_path / "site" / "chores"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(CODE)
    (package / "jobs.py").write_text(JOBS)
    metadata = tmp_path / "site" / "chores-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.4\nName: chores\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[buttress.apps]\nchores = chores:app\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", servers.valkey_url)
    monkeypatch.setenv("BUTTRESS_HOME", str(tmp_path))
    return Settings(
        _env_file=None, database_url=database_url, redis_url=servers.valkey_url, home=tmp_path
    )


def buttress(*arguments: str) -> str:
    done = subprocess.run(
        [*BUTTRESS, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_deployment_migrates_works_and_shows_its_jobs(deployed: Settings) -> None:
    refused = buttress("jobs", "list")
    assert "Run `buttress migrate`" in refused
    assert "made the tables of jobs" in buttress("migrate")
    assert "made" not in buttress("migrate")
    assert "the schema is what the migrations make" in buttress("migrate", "drift")
    assert "no jobs" in buttress("jobs", "list")

    worker = subprocess.Popen(
        [*BUTTRESS, "worker"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    try:
        assert "chores.chore" in worker.stdout.readline()
        with Runtime(deployed) as runtime:
            (chores,) = (app for app in runtime.apps if app.name == "chores")
            (job,) = chores.jobs
            ticket = runtime.jobs.enqueue(job, "milk")
            assert ticket.result(timeout_seconds=20) == "fetched milk"
        assert "chores.chore" in buttress("jobs", "list", "--state", "done")
        shown = buttress("jobs", "show", ticket.id)
        assert ", once" in shown
        assert "chores.fetch" in shown
        assert "str" in shown
        assert "milk" not in shown
        assert "milk" in buttress("jobs", "show", ticket.id[:8], "--arguments")
        assert "is done" in buttress("jobs", "retry", ticket.id)
        assert "is no state of a job" in buttress("jobs", "list", "--state", "odd")
    finally:
        worker.send_signal(signal.SIGTERM)
        output = worker.communicate(timeout=40)
    assert "stopped" in output[1]
    assert worker.returncode == 0

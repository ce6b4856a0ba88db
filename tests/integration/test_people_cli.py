"""People and the audit log from a terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from buttress.access import links
from buttress.db.database import Database
from buttress.db.embedded import Servers


@pytest.fixture(autouse=True)
def deployment(
    foundation_url: str, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", foundation_url)
    monkeypatch.setenv("REDIS_URL", servers.valkey_url)
    monkeypatch.setenv("BUTTRESS_HOME", str(tmp_path))


def buttress(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "buttress", *arguments], capture_output=True, text=True
    )


@pytest.mark.slow
def test_a_deployment_gets_its_people_from_a_terminal(foundation_url: str) -> None:
    assert "buttress people first" in buttress("people", "list").stdout
    secret = buttress("people", "first").stdout.strip().rpartition("/")[2]
    database = Database(foundation_url)
    with database.session() as session:
        links.use(session, secret, name="root@example.com", password="four unusual garden words")
    database.close()

    assert buttress("people", "first").returncode == 1
    assert "/sign-in/link/" in buttress("people", "invite", "ann@example.com").stdout
    refused = buttress("people", "role", "root@example.com", "viewer")
    assert (refused.returncode, "only admin" in refused.stderr) == (1, True)
    assert "root@example.com" in buttress("people", "list").stdout
    told = buttress("audit", "list").stdout
    assert "person.invite" in told
    assert "terminal:" in told
    verified = buttress("audit", "verify")
    assert verified.returncode == 0
    head = verified.stdout.split()[-1]
    assert buttress("audit", "verify", "--head", head).returncode == 0
    assert buttress("audit", "verify", "--head", "00").returncode == 1

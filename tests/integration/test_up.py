"""`buttress up`: one process, one port, and nothing left behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.deployment import prepare
from buttress.runtime import select_apps

STOP_SECONDS = 10
UP = [sys.executable, "-c", "from buttress.cli import main; main()", "up"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def base(
    database_url: str, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The environment of the process, and the address it will answer at."""
    with closing(Database(database_url)) as database:
        prepare(database, select_apps(""))
    port = free_port()
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", servers.valkey_url)
    monkeypatch.setenv("BUTTRESS_HOME", str(tmp_path))
    monkeypatch.setenv("BUTTRESS_PORT", str(port))
    return f"http://127.0.0.1:{port}"


@contextmanager
def running(base: str) -> Iterator[subprocess.Popen[str]]:
    """The process, once it answers; killed at the end when it is still there."""
    process = subprocess.Popen(UP, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not answers(base):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "no answer within 60 seconds"
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def first_admin(process: subprocess.Popen[str], base: str) -> Iterator[httpx.Client]:
    """A browser whose person has signed up by the link the process has printed."""
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    assert base in next(lines)
    link = next(line.strip() for line in lines if "/sign-in/link/" in line)
    words = "four unusual garden words"
    with httpx.Client(base_url=base, headers={"origin": base}, follow_redirects=True) as browser:
        form = {"name": "root@example.com", "password": words, "again": words}
        assert browser.post(link, data=form).status_code == 200
        yield browser


def answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/health/live").status_code == 200
    except httpx.TransportError:
        return False


def when_all_is_well(base: str) -> httpx.Response:
    """A loaded machine may not answer a part of the first probes in time."""
    give_up = time.monotonic() + 10
    while True:
        ready = httpx.get(f"{base}/health/ready")
        if ready.json()["status"] == "pass" or time.monotonic() > give_up:
            return ready
        time.sleep(0.2)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_everything_on_one_port_and_stops_when_asked(
    base: str, signal_number: signal.Signals
) -> None:
    with running(base) as process:
        ready = when_all_is_well(base)
        nobody = httpx.get(f"{base}/")
        with first_admin(process, base) as browser:
            page, nested = browser.get("/"), browser.get("/moves")
            unknown = browser.get("/api/v1/nothing")
        stranger = httpx.get(f"{base}/", headers={"host": "evil.example"})
        begun = time.monotonic()
        process.send_signal(signal_number)
        _, err = process.communicate(timeout=STOP_SECONDS)

    assert (ready.status_code, ready.json()["status"]) == (200, "pass"), ready.text
    assert nobody.status_code == 401
    assert (page.status_code, nested.status_code, unknown.status_code) == (200, 200, 404)
    assert "text/html" in page.headers["content-type"]
    assert unknown.headers["content-type"] == "application/problem+json"
    assert stranger.status_code == 422
    assert process.returncode == 0
    assert time.monotonic() - begun < STOP_SECONDS
    assert err.strip().splitlines()[-1] == "stopped"
    assert "Traceback" not in err


def test_a_page_of_another_site_cannot_connect(base: str) -> None:
    handshake = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "MDEyMzQ1Njc4OWFiY2RlZg==",
        "origin": "https://evil.example",
    }
    with running(base):
        answer = httpx.get(f"{base}/_stcore/stream", headers=handshake)

    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_a_port_in_use_is_refused_before_anything_starts(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "embedded")
    with socket.create_server(("127.0.0.1", int(base.rpartition(":")[2]))):
        answer = subprocess.run(UP, capture_output=True, text=True)

    assert answer.returncode == 78
    assert "is in use" in answer.stderr
    assert "BUTTRESS_PORT=" in answer.stderr
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_the_embedded_servers_stop_with_the_last_process(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "embedded")
    monkeypatch.setenv("REDIS_URL", "embedded")
    with running(base) as process:
        assert servers_of(tmp_path)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=STOP_SECONDS)

    deadline = time.monotonic() + STOP_SECONDS
    while servers_of(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not servers_of(tmp_path)


def servers_of(home: Path) -> list[str]:
    """The command lines of running processes that name this data folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has just ended
            continue
        if str(home) in line:
            found.append(line)
    return found

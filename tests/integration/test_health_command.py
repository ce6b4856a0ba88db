"""`buttress health`, and how `buttress up` leaves."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from buttress.cli import cli
from buttress.cli.up import listen
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.deployment import prepare
from buttress.errors import BadInput
from buttress.runtime import select_apps
from buttress.settings import Settings

BUTTRESS = [sys.executable, "-m", "buttress"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def answering(answers: dict[str, tuple[int, object]]) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers; its address and the tokens it was sent."""
    tokens: list[str] = []

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers.get("authorization", ""))
            status, content = answers[self.path]
            body = json.dumps(content).encode()
            self.send_response(status)
            if status == 302 and isinstance(content, dict):
                self.send_header("location", content["location"])
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", tokens
        finally:
            server.shutdown()
            thread.join()


def test_the_exit_code_is_0_for_a_warning_and_1_for_a_failure():
    check = {"status": "warn", "detail": "a [b] c", "hint": "Do this."}
    warning = (200, {"status": "warn", "checks": {"cache": check}})
    failure = (503, {"status": "fail", "checks": {}})
    for answer, code in ((warning, 0), (failure, 1)):
        with answering({"/health/detailed": answer}) as (url, _):
            result = CliRunner().invoke(cli, ["health", "--url", url])
        assert result.exit_code == code
    with answering({"/health/detailed": warning}) as (url, _):
        shown = CliRunner().invoke(cli, ["health", "--url", url]).stdout
    assert "a [b] c" in shown
    assert "Do this." in shown


def test_without_permission_the_summary_is_asked_for(monkeypatch):
    monkeypatch.setenv("BUTTRESS_HEALTH__TOKEN", "open-sesame")
    refused = (401, {"title": "Unauthorized", "status": 401})
    answers = {"/health/detailed": refused, "/health": (200, {"status": "pass"})}
    with answering(answers) as (url, tokens):
        result = CliRunner().invoke(cli, ["health", "--json", "--url", url])

    assert json.loads(result.stdout) == {"status": "pass"}
    assert tokens == ["Bearer open-sesame"] * 2


def test_a_server_that_is_not_there_has_failed():
    result = CliRunner().invoke(
        cli, ["health", "--json", "--url", f"http://127.0.0.1:{free_port()}"]
    )

    assert result.exit_code == 1
    assert '"fail"' in result.stdout


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:8501"])
def test_what_is_no_address_is_refused(url):
    result = CliRunner().invoke(cli, ["health", "--url", url])

    assert isinstance(result.exception, BadInput)


def test_the_token_goes_nowhere_else_when_the_server_sends_us_there(monkeypatch):
    monkeypatch.setenv("BUTTRESS_HEALTH__TOKEN", "open-sesame")
    with answering({"/": (200, {"status": "pass"})}) as (elsewhere, leaked):
        sent_on = {"/health/detailed": (302, {"location": f"{elsewhere}/"})}
        with answering(sent_on) as (url, _):
            result = CliRunner().invoke(cli, ["health", "--url", url])

    assert leaked == []
    assert isinstance(result.exception, BadInput)


def test_what_is_not_buttress_is_told():
    with answering({"/health/detailed": (200, ["hello"])}) as (url, _):
        result = CliRunner().invoke(cli, ["health", "--url", url])

    assert isinstance(result.exception, BadInput)


def test_an_answer_is_not_held_back_until_the_client_acknowledges_half_of_it():
    with listen(Settings(_env_file=None, port=free_port())) as listening:
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.slow
def test_a_server_asked_to_stop_is_unready_for_a_while_and_serves_meanwhile(
    database_url: str, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Database(database_url)) as database:
        prepare(database, select_apps(""))
    base = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", servers.valkey_url)
    monkeypatch.setenv("BUTTRESS_HOME", str(tmp_path))
    monkeypatch.setenv("BUTTRESS_PORT", base.rpartition(":")[2])
    monkeypatch.setenv("BUTTRESS_HEALTH__DRAIN_SECONDS", "2")
    process = subprocess.Popen([*BUTTRESS, "up"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_for(base, process)
        before = httpx.get(f"{base}/health/ready").status_code
        told = subprocess.run([*BUTTRESS, "health", "--json"], capture_output=True, text=True)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        ready = httpx.get(f"{base}/health/ready").status_code
        live = httpx.get(f"{base}/health/live").status_code
        process.communicate(timeout=15)
    finally:
        process.kill()
        process.wait()

    assert (before, ready, live) == (200, 503, 200)
    assert json.loads(told.stdout)["checks"]["database"]["status"] == "pass"
    assert told.returncode == 0
    assert process.returncode == 0


def wait_for(base: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{base}/health/live").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("it does not start")

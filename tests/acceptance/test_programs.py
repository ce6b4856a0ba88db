"""A program uses a deployment from its first start on: link, token, files, a proven backup."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from buttress.client import Client
from buttress.errors import Conflict

PASSWORD = "four unusual garden words"
LINK = re.compile(r"/sign-in/link/\S+")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """`buttress up` on a new folder: its address, and the path of the first admin's link."""
    home: Path = tmp_path_factory.mktemp("home")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "buttress", "up", "--port", str(port)],
        cwd=home, env=os.environ | {"BUTTRESS_HOME": str(home)},  # noqa: TID251
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        link = next(found[0] for line in process.stdout if (found := LINK.search(line)))
        yield f"http://127.0.0.1:{port}", link
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def token(started: tuple[str, str]) -> str:
    """What the first admin makes for a program."""
    address, link = started
    ours = {"sec-fetch-site": "same-origin"}
    form = {"name": "root@example.com", "password": PASSWORD, "again": PASSWORD}
    with httpx2.Client(base_url=address, headers=ours, timeout=60) as browser:
        assert browser.post(link, data=form).status_code == 303
        me = browser.get("/api/v1/me").json()
        made = browser.post(
            "/api/v1/tokens", json={"name": "program", "permissions": me["permissions"]}
        )
    return str(made.json()["token"])


def begin_backup(api: Client) -> str:
    """The job that makes one, as soon as the worker has made the tables of jobs."""
    give_up = time.monotonic() + 120
    while True:
        try:
            return str(api.post("backups")["job"])
        except Conflict:
            assert time.monotonic() < give_up
            time.sleep(0.5)


def test_a_program_works_with_a_deployment(started, token, tmp_path):
    with Client(started[0], token, timeout_seconds=120) as api:
        source = tmp_path / "prices.csv"
        source.write_text("sku,price\na,1\n")
        kept = api.upload(source)
        api.download(kept.id, tmp_path / "back.csv")
        job = api.wait(begin_backup(api), timeout_seconds=300)
        backups = list(api.each("backups"))

        assert api.me().name == "root@example.com"
        assert (tmp_path / "back.csv").read_bytes() == source.read_bytes()
        assert job.state == "done", job.error
        assert [backup["verified"] for backup in backups] == [True]
        assert {entry.action for entry in api.audit()} >= {"token.create", "sign-in"}

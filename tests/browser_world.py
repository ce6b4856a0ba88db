"""A running deployment, and visitors with browsers of their own."""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    StorageState,
    expect,
)

import buttress
from buttress.db.embedded import Servers

CHROMIUM = Path("/usr/bin/chromium")
EXAMPLE = Path(__file__).parents[1] / "examples" / "tickets"
SCRIPT = (
    "import sys; from importlib import metadata; from buttress import runtime\n"
    f"sys.path.insert(0, {str(EXAMPLE / 'src')!r})\n"
    "point = metadata.EntryPoint('tickets', 'tickets:app', runtime.GROUP)\n"
    "runtime.entry_points = lambda group: [point]\n"
    "from buttress.cli import main; sys.argv = ['buttress', *sys.argv[1:]]; main()"
)
"""The command line, with the example as the one installed app."""
OWN_APPS = (
    "import sys; from buttress.cli import main; sys.argv = ['buttress', *sys.argv[1:]]; main()"
)
"""The command line with the apps that come with it."""
LINK = re.compile(r"http://\S+/sign-in/link/\S+")
WORDS = "four unusual garden words"
WAIT_MS = 60_000
NOTED = """
    window.refused = [];
    document.addEventListener("securitypolicyviolation",
        (event) => window.refused.push(`${event.violatedDirective} ${event.blockedURI}`));
"""

expect.set_options(timeout=WAIT_MS)


@dataclass(frozen=True)
class Deployment:
    """A running `buttress up`."""

    address: str
    database: str
    first_link: str
    pid: int
    home: Path
    report: buttress.MoveReport | None = None


@dataclass
class Visitor:
    """A browser's page, and what went wrong in it."""

    page: Page
    errors: list[str]

    def refused(self) -> list[str]:
        """What the content policy has refused on the page that is open."""
        found: list[str] = self.page.evaluate("window.refused || []")
        return found


@contextmanager
def deployed(
    database: str,
    home: Path,
    servers: Servers,
    report: buttress.MoveReport | None = None,
    *,
    script: str = SCRIPT,
    **settings: str,
) -> Iterator[Deployment]:
    """`buttress up` on that database, migrated first, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {  # noqa: TID251  # a child needs all of it
        "DATABASE_URL": database,
        "REDIS_URL": servers.valkey_url,
        "BUTTRESS_HOME": str(home),
        "BUTTRESS_PORT": str(port),
        **settings,
    }
    command = [sys.executable, "-c", script]
    subprocess.run([*command, "migrate"], check=True, capture_output=True, env=environment)
    out = home / "out"
    with out.open("wb") as writing:
        process = subprocess.Popen(
            [*command, "up"], stdout=writing, stderr=writing, env=environment, cwd=home
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, process, out)
        yield Deployment(address, database, first_link(out), process.pid, home, report)
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def with_catalog(servers: Servers, home: Path, **settings: str) -> Iterator[Deployment]:
    """The same with the catalog, on a database of its own."""
    name = f"acceptance_{os.getpid()}_{secrets.token_hex(3)}"
    administrator = servers.postgres_url("postgres", "postgres")
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER buttress_owner")
        database = servers.postgres_url("owner", name)
        apps = {"BUTTRESS_APPS": "catalog", **settings}
        with deployed(database, home, servers, script=OWN_APPS, **apps) as running:
            yield running
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def wait_for(address: str, process: subprocess.Popen[bytes], out: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/health/live").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the workspace did not start: {out.read_text()[-2000:]}")


def first_link(out: Path) -> str:
    found = LINK.search(out.read_text())
    assert found is not None
    return found[0]


@contextmanager
def visiting(browser: Browser, state: StorageState | None = None) -> Iterator[Visitor]:
    """A visitor with a window of their own; with `state` somebody who is signed in."""
    context: BrowserContext = browser.new_context(
        viewport={"width": 1280, "height": 900}, storage_state=state
    )
    context.set_default_timeout(WAIT_MS)
    context.add_init_script(NOTED)
    page = context.new_page()
    errors: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} {message.location.get('url', '')}")

    page.on("console", heard)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield Visitor(page, errors)
    context.close()


def come_in(page: Page, link: str, name: str | None = None) -> StorageState:
    """Sign up by a link that works once; what the browser knows afterwards."""
    page.goto(link)
    if name is not None:
        page.get_by_label("Name").fill(name)
    for field in page.locator("input[type=password]").all():
        field.fill(WORDS)
    page.get_by_role("button").click()
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible()
    return page.context.storage_state()


def signed_up(link: str, **name: str) -> StorageState:
    """The same without a browser, where it is only needed: what a browser would know."""
    ours = {"sec-fetch-site": "same-origin"}
    with httpx.Client(headers=ours, timeout=60) as browser:
        answer = browser.post(link, data={**name, "password": WORDS, "again": WORDS})
        assert answer.status_code == 303, answer.text
        cookies = [
            {
                "name": one.name, "value": one.value or "", "domain": "127.0.0.1", "path": "/",
                "expires": -1, "httpOnly": True, "secure": False, "sameSite": "Lax",
            }
            for one in browser.cookies.jar
        ]  # fmt: skip
    assert cookies
    return {"cookies": cookies, "origins": []}  # type: ignore[typeddict-item]


def opened(visitor: Visitor, deployment: Deployment, path: str) -> Page:
    """A page of the workspace, drawn."""
    page = visitor.page
    page.goto(f"{deployment.address}/{path}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settled(page)
    return page


def settled(page: Page) -> None:
    """Wait until nothing is being drawn: what is clicked earlier may be replaced under the hand."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()


browser_test = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
"""The marks of a file of browser tests."""

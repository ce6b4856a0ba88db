"""The operations pages in a real browser: both themes, a phone, no error, nothing too wide."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from buttress.access import Origin, people, signing_in
from buttress.db.database import Database
from buttress.db.embedded import Servers

CHROMIUM = Path("/usr/bin/chromium")
PAGES = (
    "Health",
    "Jobs",
    "Backups",
    "Logs",
    "Model usage",
    "Moves",
    "Apps",
    "Queries",
    "Cache",
    "People",
    "Audit log",
    "Settings",
)
SCREENS = (
    ("light", 1280, 900),
    ("dark", 1280, 900),
    ("light", 390, 844),
    ("dark", 390, 844),
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.fixture(scope="module")
def database(servers: Servers) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"operations_{os.getpid()}_{secrets.token_hex(3)}"
    administrator = servers.postgres_url("postgres", "postgres")
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER buttress_owner")
        yield servers.postgres_url("owner", name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def base(
    database: str, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of `buttress up` with one backup made."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("home")
    environment = os.environ | {  # noqa: TID251  # a child needs all of it
        "DATABASE_URL": database,
        "REDIS_URL": servers.valkey_url,
        "BUTTRESS_HOME": str(home),
        "BUTTRESS_PORT": str(port),
    }
    buttress = [sys.executable, "-m", "buttress"]
    for command in (["migrate"], ["backup"], ["backup"]):
        subprocess.run([*buttress, *command], check=True, capture_output=True, env=environment)
    with (home / "out").open("wb") as out:
        process = subprocess.Popen(
            [*buttress, "up"], stdout=out, stderr=out, env=environment, cwd=home
        )
        address = f"http://127.0.0.1:{port}"
        wait_for(address, process)
        yield address
        process.terminate()
        process.wait(timeout=20)


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/health/live").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError("the workspace did not start")


@pytest.fixture(scope="module")
def cookie(base: str, database: str) -> str:
    """That of an admin who has signed in."""
    with closing(Database(database)) as opened, opened.session() as session:
        person = people.create(session, "root@example.com", "admin")
        return signing_in.begin(session, person, Origin(), how="test")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize(("scheme", "width", "height"), SCREENS)
def test_every_page_is_shown_without_error_and_no_wider_than_the_screen(
    browser: Browser, base: str, cookie: str, tmp_path: Path, scheme: str, width: int, height: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    context.add_cookies([{"name": "buttress", "value": cookie, "url": base}])
    context.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    page = context.new_page()
    errors: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} {message.location.get('url', '')}")

    page.on("console", heard)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(base)
    take(page, "Home", tmp_path)
    for name in PAGES:
        if width < 640:
            page.get_by_test_id("stExpandSidebarButton").click()
        link = page.get_by_test_id("stSidebarNavLink").filter(has_text=name)
        link.click()
        if width < 640:
            page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
            expect(page.get_by_test_id("stExpandSidebarButton")).to_be_visible()
        take(page, name, tmp_path)
    context.close()

    assert errors == []


def take(page: Page, name: str, folder: Path) -> None:
    """A screenshot of a page that is there, without a box that tells of a failure."""
    expect(page.get_by_role("heading", name=name, exact=True, level=1)).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_timeout(700)  # charts and tables are drawn after the script has ended
    page.screenshot(path=folder / f"{name}.png", full_page=True)
    assert page.get_by_test_id("stAlertContentError").count() == 0, name
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name

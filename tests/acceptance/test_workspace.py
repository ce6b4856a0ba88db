"""The workspace in a real browser: a moved prototype, its proof, an app's page, and a phone."""

from __future__ import annotations

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
from playwright.sync_api import Browser, Page, expect, sync_playwright

import buttress
from buttress.access import Origin, people, signing_in
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.demo import build_prototype
from buttress.mover.page import headline
from buttress.settings import Settings

CHROMIUM = Path("/usr/bin/chromium")
EXAMPLE = Path(__file__).parents[2] / "examples" / "tickets"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.fixture(scope="module")
def database(servers: Servers) -> Iterator[str]:
    """The URL of a database into which a small prototype was moved."""
    name = "acceptance_workspace"
    administrator = servers.postgres_url("postgres", "postgres")
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")  # type: ignore[arg-type]
        connection.execute(f"CREATE DATABASE {name} OWNER buttress_owner")  # type: ignore[arg-type]
        yield servers.postgres_url("owner", name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def report(database: str, tmp_path_factory: pytest.TempPathFactory) -> buttress.MoveReport:
    home = tmp_path_factory.mktemp("home")
    source = build_prototype(home / "prototype.db", products=1_500)
    return buttress.move(
        source,
        database,
        schema="prototype",
        workers=1,
        settings=Settings(_env_file=None, home=home),
    )


@pytest.fixture(scope="module")
def base(database: str, report: buttress.MoveReport, servers: Servers) -> Iterator[str]:
    """The address of `buttress up` with the example app installed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = (
        "import sys; from importlib import metadata; from buttress import runtime\n"
        f"sys.path.insert(0, {str(EXAMPLE / 'src')!r})\n"
        "point = metadata.EntryPoint('tickets', 'tickets:app', runtime.GROUP)\n"
        "runtime.entry_points = lambda group: [point]\n"
        "from buttress.cli import main; sys.argv = ['buttress', *sys.argv[1:]]; main()"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", database)
        patch.setenv("REDIS_URL", servers.valkey_url)
        patch.setenv("BUTTRESS_HOME", report.folder)
        patch.setenv("BUTTRESS_PORT", str(port))
        subprocess.run([sys.executable, "-c", script, "migrate"], check=True, capture_output=True)
        process = subprocess.Popen([sys.executable, "-c", script, "up"], stdout=subprocess.PIPE)
    address = f"http://127.0.0.1:{port}"
    wait_for(address, process)
    yield address
    process.terminate()
    process.communicate(timeout=20)


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
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def cookie(base: str, database: str) -> str:
    """That of an admin who has signed in."""
    with closing(Database(database)) as opened, opened.session() as session:
        person = people.create(session, "root@example.com", "admin")
        return signing_in.begin(session, person, Origin(), how="test")


@pytest.fixture
def page(browser: Browser, base: str, cookie: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": "buttress", "value": cookie, "url": base}])
    context.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    yield context.new_page()
    context.close()


def settled(page: Page) -> None:
    """Wait until nothing is being drawn: what is clicked earlier may be replaced under the hand."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()


def test_home_shows_the_servers_and_the_latest_verdict(page: Page, base: str) -> None:
    page.goto(base)

    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    expect(page.get_by_test_id("stMetric").filter(has_text="PostgreSQL 18")).to_be_visible()
    expect(page.get_by_test_id("stMetric").filter(has_text="Valkey 9")).to_be_visible()
    expect(page.get_by_text("Proven, with rows in quarantine")).to_be_visible()


def test_the_report_of_a_move_is_one_click_away(
    page: Page, base: str, report: buttress.MoveReport
) -> None:
    page.goto(base)
    page.get_by_role("link", name="Open the report").click()

    expect(page.get_by_role("heading", name="prototype.db")).to_be_visible()
    expect(page.get_by_role("heading", name=headline(report))).to_be_visible()
    expect(page.get_by_text(f"{report.rows_proven:,}").first).to_be_visible()
    page.get_by_role("tab", name="Quarantine").click()
    expect(page.get_by_text("These rows are not in their tables")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="report.html").click()
    assert headline(report) in download.value.path().read_text(encoding="utf-8")


def test_every_section_of_a_report_can_be_opened(
    page: Page, base: str, report: buttress.MoveReport
) -> None:
    page.goto(f"{base}/moves?schema=prototype&id={report.id}")
    for name in ("Tables", "Quarantine", "Not carried", "Findings", "Types", "Timing"):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)


def test_a_move_that_is_gone_says_what_to_do(page: Page, base: str) -> None:
    page.goto(f"{base}/moves?schema=prototype&id=gone")

    expect(page.get_by_text("No move 'gone' into schema 'prototype'.")).to_be_visible()


def test_an_app_brings_its_page(page: Page, base: str) -> None:
    page.goto(base)
    page.get_by_role("link", name="Waiting").click()
    page.get_by_label("Subject").fill("Where is my order?")
    page.get_by_label("Who asks").fill("user1@example.com")
    page.get_by_role("button", name="Open", exact=True).click()

    expect(page.get_by_text("asked by user1@example.com")).to_be_visible()


def test_what_an_app_refuses_is_shown_as_one_box(page: Page, base: str) -> None:
    page.goto(f"{base}/tickets-waiting")
    settled(page)
    button = page.get_by_role("button", name="Open", exact=True)
    if not button.is_visible():  # the form is open as long as nobody waits
        page.get_by_text("Open a ticket").click()
    button.click()

    expect(page.get_by_text("A ticket needs a subject and who asks.")).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/moves", "/apps", "/tickets-waiting"])
def test_a_phone_shows_every_page_without_scrolling_sideways(
    browser: Browser, base: str, path: str, cookie: str
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    context.add_cookies([{"name": "buttress", "value": cookie, "url": base}])
    page = context.new_page()
    page.goto(f"{base}{path}")
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=30_000)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_no_request_leaves_this_machine(page: Page, base: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{base}/apps")
    expect(page.get_by_role("heading", name="Apps")).to_be_visible()

    assert [url for url in asked if not url.startswith((base, "data:", "blob:"))] == []

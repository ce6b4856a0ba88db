"""The workspace in a real browser: a moved prototype, its proof, an app's page, and errors."""

from __future__ import annotations

import json

import psycopg
import pytest
from playwright.sync_api import Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

import buttress
from browser_world import Deployment, browser_test, settled
from buttress.db.embedded import Servers
from buttress.mover.page import headline

pytestmark = browser_test


@pytest.fixture
def base(deployment: Deployment) -> str:
    return deployment.address


@pytest.fixture
def report(deployment: Deployment) -> buttress.MoveReport:
    assert deployment.report is not None
    return deployment.report


def test_home_shows_the_servers_and_the_latest_verdict(page: Page, base: str) -> None:
    page.goto(base)

    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    expect(page.get_by_test_id("stMetric").filter(has_text="PostgreSQL 18")).to_be_visible()
    expect(page.get_by_test_id("stMetric").filter(has_text="Valkey 9")).to_be_visible()
    expect(page.get_by_text("Proven, with rows in quarantine")).to_be_visible()


def test_a_browser_knows_its_page_before_any_part_of_it_asks_to_be_renewed(
    page: Page, base: str
) -> None:
    told: list[str | None] = []

    def heard(frame: bytes | str) -> None:
        if isinstance(frame, bytes):
            told.append(ForwardMsg.FromString(frame).WhichOneof("type"))

    page.on("websocket", lambda connection: connection.on("framereceived", heard))
    page.goto(base)
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    settled(page)
    assert told.index("navigation") < told.index("auto_rerun")


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
    expect(page.get_by_role("tab", name="Tables")).to_be_visible()
    settled(page)
    for name in ("Tables", "Quarantine", "Not carried", "Findings", "Types", "Timing"):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        settled(page)
        expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)


def test_a_move_that_is_gone_says_what_to_do(page: Page, base: str) -> None:
    page.goto(f"{base}/moves?schema=prototype&id=gone")

    expect(page.get_by_text("No move 'gone' into schema 'prototype'.")).to_be_visible()


def test_an_app_brings_its_page(page: Page, base: str) -> None:
    page.goto(base)
    page.get_by_test_id("stSidebarNavLink").get_by_text("Waiting", exact=True).click()
    open_form(page)
    page.get_by_label("Subject").fill("Where is my order?")
    page.get_by_label("Who asks").fill("user1@example.com")
    page.get_by_role("button", name="Open", exact=True).click()

    expect(page.get_by_text("asked by user1@example.com")).to_be_visible()


def test_what_an_app_refuses_is_shown_as_one_box(page: Page, base: str) -> None:
    page.goto(f"{base}/tickets-waiting")
    open_form(page)
    page.get_by_role("button", name="Open", exact=True).click()

    expect(page.get_by_text("A ticket needs a subject and who asks.")).to_be_visible()


def open_form(page: Page) -> None:
    """The form to open a ticket, which stands open as long as nobody waits."""
    expect(page.get_by_role("heading", name="Support tickets")).to_be_visible()
    settled(page)
    if not page.get_by_role("button", name="Open", exact=True).is_visible():
        page.get_by_text("Open a ticket").click()


def test_no_request_leaves_this_machine(page: Page, base: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{base}/apps")
    expect(page.get_by_role("heading", name="Apps")).to_be_visible()

    assert [url for url in asked if not url.startswith((base, "data:", "blob:"))] == []


def test_the_request_id_of_a_page_that_fails_stands_in_our_log_and_in_the_database_s(
    page: Page, deployment: Deployment, servers: Servers
) -> None:
    missing = 'relation "tickets_ticket" does not exist'
    with psycopg.connect(deployment.database, autocommit=True) as owner:
        owner.execute("ALTER TABLE tickets_ticket RENAME TO tickets_away")
        try:
            page.goto(f"{deployment.address}/tickets-waiting")
            expect(page.get_by_text("This page failed.")).to_be_visible()
            settled(page)
        finally:
            owner.execute("ALTER TABLE tickets_away RENAME TO tickets_ticket")
    told = page.get_by_text("Request id").locator("code").inner_text()

    page.get_by_role("link", name="Open the log").click()
    expect(page.get_by_role("heading", name="Logs", exact=True)).to_be_visible()
    expect(page.get_by_role("textbox", name="Request id")).to_have_value(told)
    page.get_by_text("page failed").last.click()
    expect(page.get_by_test_id("stCode")).to_contain_text(missing)

    with (deployment.home / "logs" / "buttress.log").open() as ours:
        lines = [json.loads(line) for line in ours if told in line]
    failed = [line for line in lines if line["event"] == "page failed"]
    assert [line["request_id"] for line in failed] == [told]
    with (servers.home / "logs" / "postgresql.log").open() as theirs:
        said = [line for line in theirs if f" buttress {told} " in line]
    assert any(missing in line for line in said)
    assert any("STATEMENT:" in line for line in said)

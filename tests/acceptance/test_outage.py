"""The database goes away under an open page and comes back: told, and no reload is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from browser_world import Deployment, browser_test, come_in, deployed, settled, visiting
from buttress.db.embedded import Servers
from own_server import OwnServer, own_server

pytestmark = browser_test
LOST = "PostgreSQL connection lost. Retrying…"


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server() as server:
        yield server


@pytest.fixture(scope="module")
def alone(
    server: OwnServer, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A deployment on a server that nobody else uses."""
    with deployed(server.url, tmp_path_factory.mktemp("alone"), servers) as running:
        yield running


def test_an_open_page_tells_that_the_database_is_away_and_goes_on_without_a_reload(
    browser: Browser, alone: Deployment, server: OwnServer, tmp_path: Path
) -> None:
    with visiting(browser) as visitor:
        page = visitor.page
        come_in(page, alone.first_link, "root@example.com")
        page.get_by_test_id("stSidebarNavLink").get_by_text("Jobs", exact=True).click()
        heading = page.get_by_role("heading", name="Jobs", exact=True, level=1)
        expect(heading).to_be_visible()
        settled(page)
        page.evaluate("window.notReloaded = true")

        server.stop("immediate")
        expect(page.get_by_text(LOST)).to_be_visible()
        page.screenshot(path=tmp_path / "lost.png")
        page.get_by_test_id("stSidebarNavLink").get_by_text("Health", exact=True).click()
        expect(page.get_by_text("Waiting for the database.").first).to_be_visible()
        page.get_by_test_id("stSidebarNavLink").get_by_text("Jobs", exact=True).click()
        server.start()

        expect(page.get_by_text(LOST)).to_be_hidden()
        expect(heading).to_be_visible()
        expect(page.get_by_text("Waiting for the database.")).to_have_count(0)
        assert page.evaluate("window.notReloaded")
        assert visitor.errors == []

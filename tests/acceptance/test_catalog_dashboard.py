"""The catalog's dashboard in the browser: six tabs with real figures, both themes, a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, StorageState, expect
from test_catalog import DONE_OTHERWISE
from test_every_page import OUT_OF_REACH, UNNAMED, pictures

from browser_world import (
    Deployment,
    Visitor,
    browser_test,
    come_in,
    opened,
    settled,
    visiting,
    with_catalog,
)
from buttress.db.database import Database
from buttress.db.embedded import Servers
from catalog_seed import seed

pytestmark = browser_test

TABS = {
    "executive": ("Trend", 2),
    "agreement": ("Machine and people", 3),
    "performance": ("Model and type", 6),
    "quality": ("Distribution", 4),
    "investigation": (None, 0),
    "export": ("Report", 0),
}
"""Each tab with a heading of its own and the number of its charts."""


@pytest.fixture(scope="module")
def catalog(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment in which people have worked with the catalog for three months."""
    with with_catalog(servers, tmp_path_factory.mktemp("dashboard")) as running:
        with closing(Database(running.database)) as database, database.session() as session:
            seed(session, 1200)
        yield running


@pytest.fixture(scope="module")
def owner(catalog: Deployment, browser: Browser) -> StorageState:
    """Who came in first."""
    with visiting(browser) as visitor:
        return come_in(visitor.page, catalog.first_link, "root@example.com")


@pytest.fixture
def visitor(browser: Browser, owner: StorageState) -> Iterator[Visitor]:
    with visiting(browser, owner) as visitor:
        yield visitor
        assert visitor.errors == []
        assert visitor.refused() == []


@pytest.mark.parametrize("tab", TABS)
def test_each_tab_is_whole_with_real_figures(
    visitor: Visitor, catalog: Deployment, tmp_path: Path, tab: str
) -> None:
    page = opened(visitor, catalog, f"catalog-dashboard?tab={tab}")
    expect(page.get_by_role("tab", selected=True)).to_have_text(tab.capitalize())
    heading, drawn = TABS[tab]
    if heading is not None:
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    expect(page.get_by_test_id("stEChartsChart")).to_have_count(drawn)
    settled(page)

    assert page.get_by_test_id("stAlertContentError").count() == 0
    assert page.evaluate(UNNAMED) == []
    reach = [
        one for one in page.evaluate(OUT_OF_REACH) if not any(k in one for k in DONE_OTHERWISE)
    ]
    assert reach == []
    pictures(page, tmp_path / tab)


def test_filters_stand_in_the_address(visitor: Visitor, catalog: Deployment) -> None:
    page = opened(visitor, catalog, "catalog-dashboard")
    page.get_by_role("radio", name="90").click()
    page.get_by_role("combobox", name="Type").click()
    page.get_by_role("option", name="Fragrance").click()
    expect(page).to_have_url(re.compile(r"days=90.*type=Fragrance|type=Fragrance.*days=90"))
    page.get_by_role("tab", name="Quality").click()
    expect(page).to_have_url(re.compile("tab=Quality"))
    page.reload()

    expect(page.get_by_role("tab", selected=True)).to_have_text("Quality")
    expect(page.get_by_role("radio", name="90")).to_be_checked()


def test_a_case_leads_to_its_record_and_back(visitor: Visitor, catalog: Deployment) -> None:
    page = opened(visitor, catalog, "catalog-dashboard?tab=agreement")
    page.get_by_role("button", name="Cream <b>").first.click()

    expect(page).to_have_url(re.compile(r"evaluation=\d+"))
    expect(page.get_by_text("What people said")).to_be_visible()
    expect(page.get_by_text("the scent is *invented*").first).to_be_visible()
    page.get_by_role("button", name="All evaluations").click()
    expect(page.get_by_text("Choose one to see")).to_be_visible()


def test_the_report_comes_as_a_file(visitor: Visitor, catalog: Deployment) -> None:
    page = opened(visitor, catalog, "catalog-dashboard?tab=export")
    with page.expect_download() as html:
        page.get_by_role("button", name="One HTML file").click()
    with page.expect_download() as pdf:
        page.get_by_role("button", name="PDF").click()

    assert Path(html.value.path()).read_text().count("<svg") == 2
    assert Path(pdf.value.path()).read_bytes().startswith(b"%PDF-")


def test_activity_is_whole(visitor: Visitor, catalog: Deployment, tmp_path: Path) -> None:
    page = opened(visitor, catalog, "catalog-activity")

    expect(page.get_by_role("heading", name="Products with feedback")).to_be_visible()
    expect(page.get_by_test_id("stEChartsChart")).to_have_count(2)
    assert page.evaluate(UNNAMED) == []
    pictures(page, tmp_path / "activity")

"""The catalog in the browser: from an uploaded PDF to a product that was corrected and rated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, StorageState, expect
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
from buttress.db.embedded import Servers
from catalog_documents import datasheet
from pressing import told

pytestmark = browser_test

PAGES = {
    "catalog-extract": "Extract",
    "catalog-batches": "Batches",
    "catalog-products": "Products",
    "catalog-review": "Review",
    "catalog-dashboard": "Dashboard",
    "catalog-activity": "Activity",
    "catalog-experiments": "Experiments",
    "catalog-prompts": "Prompts",
}
DONE_OTHERWISE = ("stFileUploaderDropzoneInput", 'aria-label="Remove ')
"""Controls of Streamlit's out of the keyboard's reach: the uploader's input, beside which a button
does the same, and the crosses of chosen words, which Backspace takes away."""
PDF: FilePayload = {
    "name": "oak.pdf",
    "mimeType": "application/pdf",
    "buffer": datasheet(pages=2),
}
"""Two pages, of which the first tells of a product, whose EAN has a wrong check digit."""


@pytest.fixture(scope="module")
def catalog(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """An empty deployment with the catalog."""
    with with_catalog(servers, tmp_path_factory.mktemp("catalog")) as running:
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


def test_a_pdf_becomes_a_product_that_is_corrected_and_rated(
    visitor: Visitor, catalog: Deployment, tmp_path: Path
) -> None:
    page = opened(visitor, catalog, "catalog-extract")
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(PDF)
    expect(page.get_by_text("2 of 2 pages are read")).to_be_visible()
    expect(page.get_by_alt_text("Page 2 of the PDF")).to_be_visible()
    settled(page)
    page.get_by_text("Page 2", exact=True).click()
    expect(page.get_by_text("1 of 2 pages are read")).to_be_visible()
    expect(page.get_by_text("No language model is set up here")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Extract now").click()

    page.wait_for_url("**/catalog-products?product=*", timeout=90_000)
    expect(page.get_by_role("heading", name="Hydra Calm Face Cream", level=1)).to_be_visible()
    expect(page.get_by_text("offline engine: rules")).to_be_visible()
    expect(page.get_by_text("machine translation, review").first).to_be_visible()
    settled(page)

    page.screenshot(path=tmp_path / "marketing.png")
    page.get_by_role("tab", name="Logistics").click()
    expect(page.get_by_text("the check digit of 5601234567893 is wrong").first).to_be_visible()
    logistics = page.get_by_role("tabpanel", name="Logistics")
    expect(logistics.get_by_test_id("stCode")).to_contain_text("EAN: 5601234567893")
    expect(logistics.get_by_alt_text("The page with the place marked")).to_be_visible()
    settled(page)
    page.get_by_role("textbox", name="EAN, corrected").fill("5601234567892")
    page.get_by_role("button", name="Save the correction").click()
    told(page, "EAN is corrected.")
    settled(page)
    expect(page.get_by_text("by root@example.com").first).to_be_visible()
    page.screenshot(path=tmp_path / "product.png")

    page.get_by_role("tab", name="History").click()
    expect(page.get_by_text("5601234567893 → 5601234567892")).to_be_visible()
    settled(page)

    page.get_by_role("link", name="Review it").click()
    expect(page.get_by_role("button", name="Save and next")).to_be_disabled()
    settled(page)
    for key, metric in (("4", "Structure"), ("5", "Content"), ("3", "Translation")):
        page.keyboard.press(key)
        chosen = page.get_by_role("radiogroup", name=metric).get_by_role("radio", checked=True)
        expect(chosen).to_have_text(key)
        settled(page)
    page.keyboard.press("s")
    expect(page.get_by_text("Nothing waits for a review.")).to_be_visible()

    page = opened(visitor, catalog, "catalog-products?product=1&catalog-part=Evaluation")
    expect(page.get_by_text("structure 4, content 5, translation 3")).to_be_visible()


def test_every_page_is_whole_in_both_themes_and_on_a_phone(
    visitor: Visitor, catalog: Deployment, tmp_path: Path
) -> None:
    for path, heading in PAGES.items():
        page = opened(visitor, catalog, path)
        expect(page.get_by_role("heading", name=heading, exact=True, level=1)).to_be_visible()
        assert page.get_by_test_id("stAlertContentError").count() == 0, path
        assert page.evaluate(UNNAMED) == [], path
        found = page.evaluate(OUT_OF_REACH)
        assert [one for one in found if not any(own in one for own in DONE_OTHERWISE)] == [], path
        pictures(page, tmp_path / path)


def test_a_prompt_is_written_and_compared_side_by_side(
    visitor: Visitor, catalog: Deployment
) -> None:
    page = opened(visitor, catalog, "catalog-prompts")
    text = page.get_by_label("Text, from version 1")
    text.fill(f"{text.input_value()}\nBe brief.")
    page.get_by_label("What has changed, and why").fill("shorter")
    page.get_by_role("button", name="Save as version 2 and use it").click()
    expect(page.get_by_label("Text, from version 2")).to_be_visible()
    settled(page)
    page.get_by_role("tab", name="Compare").click()

    expect(page.locator("td.come").filter(has_text="Be brief.")).to_be_visible()

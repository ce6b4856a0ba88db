"""People work with the catalog at the same time, with a language model: pages and the API."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, StorageState, expect
from sqlalchemy.orm import Session
from test_catalog import DONE_OTHERWISE, PAGES
from test_every_page import OUT_OF_REACH, UNNAMED, pictures

from browser_world import (
    Deployment,
    Visitor,
    browser_test,
    opened,
    settled,
    signed_up,
    visiting,
    with_catalog,
)
from buttress.access import links
from buttress.client import Client
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.testing.models import Failure, Malformed, ModelServer, ToolCall
from catalog_documents import DATASHEET, datasheet
from catalog_seed import seed
from pressing import told

pytestmark = browser_test

MODEL = "openai-compatible:acorn"
ANSWER: dict[str, Any] = {
    "catalogA": {
        "TitleEN": "Hydra Calm Face Cream",
        "TitlePT": "Creme de Rosto Hydra Calm",
        "brand": "Oakleaf",
        "Ingredients": "AQUA, GLYCERIN, NIACINAMIDE, PANTHENOL",
        "DescriptionEN": "<p><strong>Oakleaf</strong> calms dry skin.</p>",
        "DescriptionPT": "<p><strong>Oakleaf</strong> acalma a pele seca.</p>",
    },
    "catalogB": {
        "Subtypes": [
            {
                "EAN": "5601234567892",
                "ItemDescriptionEN": "Hydra Calm Face Cream",
                "ItemDescriptionPT": "Creme de Rosto",
                "Weight": 182,
                "priceSale": 24.9,
                "priceRecommended": 29.9,
                "supplierPrice": 11.2,
            }
        ]
    },
}
CODE = ToolCall({"code": "3304.99.00", "reason": "A cream for the care of the skin."})
PDF = datasheet(DATASHEET.replace("5601234567893", "5601234567892"))
VIEWERS = {"catalog-batches", "catalog-products", "catalog-dashboard", "catalog-activity"}
SEEDED = 40


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="module")
def catalog(
    servers: Servers, models: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A deployment with the catalog, a handful of products, and a model that can be asked."""
    settings = {
        "BUTTRESS_LLM__BASE_URL": models.url,
        "BUTTRESS_LLM__MODEL": MODEL,
        "BUTTRESS_LLM__PRICES": json.dumps({MODEL: (1000, 2000)}),
    }
    with with_catalog(servers, tmp_path_factory.mktemp("together"), **settings) as running:
        yield running


@pytest.fixture(scope="module")
def people(catalog: Deployment) -> dict[str, StorageState]:
    """An admin, an analyst and a viewer, who came in by their links."""
    known = {"admin": signed_up(catalog.first_link, name="root@example.com")}
    with closing(Database(catalog.database)) as database:
        for role in ("analyst", "viewer"):
            with database.session() as session:
                secret = links.invite(session, f"{role}@example.com", role)
            known[role] = signed_up(f"{catalog.address}/sign-in/link/{secret}")
    return known


@contextmanager
def working(browser: Browser, state: StorageState) -> Iterator[Visitor]:
    """Somebody at work, in whose browser nothing goes wrong."""
    with visiting(browser, state) as visitor:
        yield visitor
        assert visitor.errors == []
        assert visitor.refused() == []


def walk(
    browser: Browser, catalog: Deployment, state: StorageState, names: set[str], folder: Path
) -> None:
    """Open those pages one after the other by the navigation, which shows no others."""
    folder.mkdir(exist_ok=True)
    with working(browser, state) as visitor:
        page = opened(visitor, catalog, "")
        links = page.get_by_test_id("stSidebarNavLink")
        there = links.evaluate_all("all => all.map(one => new URL(one.href).pathname.slice(1))")
        assert {path for path in there if path.startswith("catalog-")} == names
        for path in sorted(names):
            page.locator(f'[data-testid="stSidebarNavLink"][href$="/{path}"]').click()
            heading = page.get_by_role("heading", name=PAGES[path], exact=True, level=1)
            expect(heading).to_be_visible()
            settled(page)
            assert page.get_by_test_id("stAlertContentError").count() == 0, path
            assert page.evaluate(UNNAMED) == [], path
            found = page.evaluate(OUT_OF_REACH)
            assert [one for one in found if not any(own in one for own in DONE_OTHERWISE)] == [], (
                path
            )
            pictures(page, folder / path)


def test_pages_without_a_product_are_whole(
    browser: Browser, catalog: Deployment, people: dict[str, StorageState], tmp_path: Path
) -> None:
    walk(browser, catalog, people["admin"], set(PAGES), tmp_path / "empty")


@pytest.fixture(scope="module")
def full(catalog: Deployment) -> None:
    """Some products of the last months, by other people; before any other is made."""
    engine = sa.create_engine(sa.make_url(catalog.database).set(drivername="postgresql+psycopg"))
    with Session(engine) as session, session.begin():
        seed(session, SEEDED)
        for table in ("product", "extraction", "evaluation"):
            sequence = f"pg_get_serial_sequence('catalog_{table}', 'id')"
            session.execute(sa.text(f"SELECT setval({sequence}, {SEEDED})"))
    engine.dispose()


def as_programs(catalog: Deployment, state: StorageState) -> Client:
    """The API with a token of that person."""
    cookies = {one["name"]: one["value"] for one in state["cookies"]}
    ours = {"sec-fetch-site": "same-origin"}
    with httpx.Client(base_url=catalog.address, cookies=cookies, headers=ours) as browser:
        me = browser.get("/api/v1/me").json()
        wanted = {"name": "program", "permissions": me["permissions"]}
        made = browser.post("/api/v1/tokens", json=wanted)
    return Client(catalog.address, str(made.json()["token"]), timeout_seconds=60)


def ended(api: Client, batch: int) -> dict[str, Any]:
    """A batch whose products are done, or failed."""
    give_up = time.monotonic() + 120
    while not (found := api.get(f"catalog/batches/{batch}"))["progress"]["ended"]:
        assert time.monotonic() < give_up
        time.sleep(0.1)
    return dict(found)


def test_a_model_reads_a_pdf_by_the_api_and_a_broken_answer_is_told(
    catalog: Deployment,
    full: None,
    people: dict[str, StorageState],
    models: ModelServer,
    tmp_path: Path,
) -> None:
    models.forget()
    sheet = tmp_path / "oak.pdf"
    sheet.write_bytes(PDF)
    with as_programs(catalog, people["analyst"]) as api:
        document = api.post("catalog/documents", {"file_id": str(api.upload(sheet).id)})["id"]
        wanted = {
            "product_type": "cosmetics", "model": MODEL, "sources": [{"source_id": document}],
        }  # fmt: skip

        def extracted() -> dict[str, Any]:
            batch = api.post("catalog/batches", {"name": "by a program"})["id"]
            api.post(f"catalog/batches/{batch}/requests", wanted)
            api.post(f"catalog/batches/{batch}/execution")
            ended(api, batch)
            (request,) = api.each(f"catalog/batches/{batch}/requests")
            return dict(request)

        models.script(ToolCall(ANSWER), CODE)
        made = extracted()
        assert made["state"] == "done", made
        product = api.get(f"catalog/products/{made['product_id']}")
        assert product["origins"]["catalogB.Subtypes.0.EAN"]["how"] == "read"
        assert product["origins"]["catalogB.Subtypes.0.EAN"]["place"]["page"] == 1
        assert product["extractions"][0]["model"] == MODEL

        models.script(*[Malformed()] * 12)
        broken = extracted()
        assert broken["state"] == "failed"
        assert "acorn" in broken["problem"]
        assert "BUTTRESS_LLM__FALLBACK" in broken["cure"]
    with as_programs(catalog, people["admin"]) as api:
        (usage,) = api.usage(by=["model"])
        assert usage.failed > 0


def prepared(visitor: Visitor, catalog: Deployment) -> Page:
    """The page Extract with the model chosen that extracts, and the PDF uploaded."""
    page = opened(visitor, catalog, "catalog-extract")
    page.get_by_role("combobox", name="Who extracts").click()
    page.get_by_role("option", name=MODEL).click()
    expect(page.get_by_label("Temperature")).to_be_visible()
    settled(page)
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {"name": "oak.pdf", "mimeType": "application/pdf", "buffer": PDF}
    )
    expect(page.get_by_text("1 of 1 page is read")).to_be_visible()
    settled(page)
    return page


def test_a_model_reads_a_pdf_by_the_pages(
    browser: Browser,
    catalog: Deployment,
    full: None,
    people: dict[str, StorageState],
    models: ModelServer,
    tmp_path: Path,
) -> None:
    models.forget()
    with working(browser, people["analyst"]) as visitor:
        page = prepared(visitor, catalog)
        models.script(ToolCall(ANSWER), CODE)
        page.get_by_role("button", name="Extract now").click()
        page.wait_for_url("**/catalog-products?product=*", timeout=90_000)
        expect(page.get_by_role("heading", name="Hydra Calm Face Cream", level=1)).to_be_visible()
        expect(page.get_by_text(MODEL).first).to_be_visible()
        expect(page.get_by_text("offline engine: rules")).to_have_count(0)
        settled(page)
        expect(page.get_by_role("button", name="page 1").first).to_be_visible()
        expect(page.get_by_text("Written").first).to_be_visible()
        page.screenshot(path=tmp_path / "product.png", full_page=True)
    assert [one["model"] for one in models.requests] == ["acorn", "acorn"]


def test_what_the_model_took_is_on_the_page_of_usage(
    browser: Browser, catalog: Deployment, people: dict[str, StorageState], tmp_path: Path
) -> None:
    with as_programs(catalog, people["admin"]) as api:
        (usage,) = api.usage(by=["model"])
    with working(browser, people["admin"]) as visitor:
        page = opened(visitor, catalog, "models")
        figures = page.get_by_test_id("stMetric")
        # Each answer took 11 tokens at 1,000 and 7 at 2,000 USD a million.
        assert usage.cost >= 4 * Decimal("0.025")
        expect(figures.filter(has_text="Cost")).to_contain_text(f"{usage.cost:.4f} USD")
        expect(figures.filter(has_text="Calls")).to_contain_text(str(usage.calls))
        page.screenshot(path=tmp_path / "usage.png", full_page=True)


def test_a_model_that_fails_is_told_with_a_cure_and_tried_again(
    browser: Browser,
    catalog: Deployment,
    full: None,
    people: dict[str, StorageState],
    models: ModelServer,
) -> None:
    models.forget()
    with working(browser, people["analyst"]) as visitor:
        page = prepared(visitor, catalog)
        models.script(*[Failure(500)] * 12)
        page.get_by_role("button", name="Extract now").click()
        again = page.get_by_role("button", name="Try again")
        again.wait_for(timeout=90_000)
        told = page.get_by_test_id("stAlertContentError")
        expect(told).to_contain_text("acorn (500) is not to be had now")
        expect(told).to_contain_text("BUTTRESS_LLM__FALLBACK")
        settled(page)
        models.forget()
        models.script(ToolCall(ANSWER), CODE)
        again.click()
        page.wait_for_url("**/catalog-products?product=*", timeout=90_000)


@contextmanager
def two_people(
    browser: Browser, people: dict[str, StorageState]
) -> Iterator[tuple[Visitor, Visitor]]:
    """The admin and the analyst, each at a browser of their own."""
    with working(browser, people["admin"]) as one, working(browser, people["analyst"]) as other:
        yield one, other


def test_the_queue_gives_each_of_two_another_product_and_tells_who_has_one(
    browser: Browser, catalog: Deployment, full: None, people: dict[str, StorageState]
) -> None:
    with two_people(browser, people) as both:
        pages = [opened(visitor, catalog, "catalog-review") for visitor in both]
        for page in pages:
            page.get_by_role("button", name="Take the next one").click(no_wait_after=True)
        for page in pages:
            page.wait_for_url("**/catalog-review?product=*")
            expect(page.get_by_role("button", name="Save and next")).to_be_visible()
            settled(page)
        taken = [page.url.rpartition("=")[2] for page in pages]
        assert taken[0] != taken[1]

        other = both[1].page
        other.goto(f"{catalog.address}/catalog-review?product={taken[0]}")
        told = other.get_by_test_id("stAlertContentError")
        expect(told).to_contain_text(re.compile(r"This product is in review by \S+@example\.com\."))
        expect(told).to_contain_text("Take another one; this is free again at")
        expect(other.get_by_role("button", name="Save and next")).to_have_count(0)
        pages[0].get_by_role("button", name="Give it back").click()
        expect(pages[0].get_by_role("button", name="Take the next one")).to_be_visible()
        opened(both[1], catalog, f"catalog-review?product={taken[0]}")
        expect(other.get_by_role("button", name="Save and next")).to_be_visible()


def test_a_correction_made_meanwhile_is_told_and_neither_is_lost(
    browser: Browser, catalog: Deployment, full: None, people: dict[str, StorageState]
) -> None:
    with two_people(browser, people) as both:
        address = f"catalog-products?product={SEEDED + 1}"
        pages = [opened(visitor, catalog, address) for visitor in both]
        for page in pages:
            page.locator(f".st-key-look-{SEEDED + 1}-catalogA-brand button").first.click()
            expect(page.get_by_role("textbox", name="Brand, corrected")).to_be_visible()
            settled(page)
        first, second = pages
        second.get_by_role("textbox", name="Brand, corrected").fill("Oakleaf Lisboa")
        first.get_by_role("textbox", name="Brand, corrected").fill("Oakleaf Porto")
        first.get_by_role("button", name="Save the correction").click()
        told(first, "Brand is corrected.")
        expect(first.get_by_text("by root@example.com").first).to_be_visible()

        second.get_by_role("button", name="Save the correction").click()
        refused = second.get_by_test_id("stAlertContentError")
        expect(refused).to_contain_text("This field was changed meanwhile by root@example.com.")
        expect(refused).to_contain_text("It is now Oakleaf Porto.")
        written = second.get_by_role("textbox", name="Brand, corrected")
        expect(written).to_have_value("Oakleaf Lisboa")
        settled(second)
        second.get_by_role("button", name="Save the correction").click()
        told(second, "Brand is corrected.")
        expect(second.get_by_text("by analyst@example.com").first).to_be_visible()

        second.get_by_role("tab", name="History").click()
        expect(second.get_by_text("Oakleaf → Oakleaf Porto")).to_be_visible()
        expect(second.get_by_text("Oakleaf Porto → Oakleaf Lisboa")).to_be_visible()


@pytest.mark.parametrize(
    ("who", "names"),
    [("admin", set(PAGES)), ("analyst", set(PAGES) - {"catalog-prompts"}), ("viewer", VIEWERS)],
)
def test_pages_with_products_are_whole_for_everybody(
    browser: Browser,
    catalog: Deployment,
    full: None,
    people: dict[str, StorageState],
    tmp_path: Path,
    who: str,
    names: set[str],
) -> None:
    walk(browser, catalog, people[who], names, tmp_path / who)

"""Every page as an admin and as an analyst: both themes, a phone, no error, everything labelled."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from browser_world import Deployment, Visitor, browser_test, settled, visiting

SCREENS = {"desktop": (1280, 900), "phone": (390, 844)}
ANALYSTS = {"Home", "Waiting", "Health", "Jobs", "Queries", "Cache", "Moves", "Apps",
            "Your account"}  # fmt: skip
ADMINS = ANALYSTS | {"Backups", "Logs", "Model usage", "Audit log", "People", "Settings"}
HEADINGS = {"Waiting": "Support tickets"}
UNNAMED = """
    () => {
      const named = (e) => e.labels?.length || e.getAttribute("aria-label")?.trim()
        || e.getAttribute("aria-labelledby") || e.title || e.innerText?.trim()
        || e.querySelector("img[alt], svg title, [aria-label]");
      return [...document.querySelectorAll(
          "input, textarea, select, button, a[href], [role=button], [role=combobox], [role=tab]")]
        .filter((e) => e.checkVisibility() && !e.closest("[aria-hidden=true]"))
        .filter((e) => !named(e)).map((e) => e.outerHTML.slice(0, 200));
    }
"""
OUT_OF_REACH = """
    () => [...document.querySelectorAll(
        "button:not([disabled]), a[href], input:not([disabled]), [role=button], [role=combobox]")]
      .filter((e) => e.checkVisibility() && !e.closest("[aria-hidden=true]"))
      .filter((e) => e.tabIndex < 0 && !e.closest("[role=tablist], [role=radiogroup]"))
      // The button of a choice opens what its field opens too.
      .filter((e) => e.getAttribute("aria-haspopup") !== "listbox")
      .filter((e) => !e.href?.startsWith("mailto:"))
      .map((e) => e.outerHTML.slice(0, 200))
"""
CONTRASTS = """
    () => {
      const light = (colour) => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => part / 255)
          .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
      };
      return [...document.querySelectorAll("button[kind^=primary]:not([disabled]), [data-tag]")]
        .filter((e) => e.checkVisibility()).map((e) => {
          const {color, backgroundColor} = getComputedStyle(e);
          const pair = [light(color), light(backgroundColor)];
          return [e.innerText, Math.max(...pair) / Math.min(...pair)];
        });
    }
"""
"""What stands on the primary colour, each with its contrast."""
LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3

pytestmark = browser_test


@pytest.mark.parametrize(("who", "pages"), [("admin", ADMINS), ("analyst", ANALYSTS)])
def test_every_page_is_whole_in_both_themes_and_on_a_phone(
    request: pytest.FixtureRequest,
    browser: Browser,
    deployment: Deployment,
    tmp_path: Path,
    who: str,
    pages: set[str],
) -> None:
    state: StorageState = request.getfixturevalue(who)
    with visiting(browser, state) as visitor:
        page = visitor.page
        page.goto(deployment.address)
        links = page.get_by_test_id("stSidebarNavLink")
        expect(links).to_have_count(len(pages))
        assert {text.split("\n")[-1].strip() for text in links.all_inner_texts()} == pages
        for name in sorted(pages):
            page.get_by_test_id("stSidebarNavLink").get_by_text(name, exact=True).click()
            whole(visitor, name)
            pictures(page, tmp_path / name)

        assert visitor.errors == []


def whole(visitor: Visitor, name: str) -> None:
    """The page is there and settled, nothing failed or was refused, everything has a name."""
    page = visitor.page
    heading = HEADINGS.get(name, name)
    expect(page.get_by_role("heading", name=heading, exact=True, level=1)).to_be_visible()
    settled(page)
    assert page.get_by_test_id("stAlertContentError").count() == 0, name
    assert visitor.refused() == [], name
    assert page.evaluate(UNNAMED) == [], name
    assert page.evaluate(OUT_OF_REACH) == [], name


def pictures(page: Page, folder: Path) -> None:
    """Screenshots in both themes on both screens; on none is the page wider than it."""
    folder.mkdir()
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        for screen, (width, height) in SCREENS.items():
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(150)  # charts and tables follow a little later
            page.screenshot(
                path=folder / f"{scheme}-{screen}.png", full_page=True, animations="disabled"
            )
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), folder.name
        contrasts = page.evaluate(CONTRASTS)
        assert contrasts or folder.name != "Your account", "a page with such a button"
        for text, contrast in contrasts:
            assert contrast >= LEAST_CONTRAST, (folder.name, scheme, text)
    page.set_viewport_size({"width": SCREENS["desktop"][0], "height": SCREENS["desktop"][1]})


@pytest.mark.parametrize("path", ["/jobs", "/people?section=Tokens", "/logs?request=abc"])
def test_a_page_opened_by_its_address_asks_for_nothing_that_is_not_there(
    browser: Browser, deployment: Deployment, admin: StorageState, path: str
) -> None:
    with visiting(browser, admin) as visitor:
        visitor.page.goto(f"{deployment.address}{path}")
        expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
        settled(visitor.page)

        assert visitor.errors == []
        assert visitor.page.url == f"{deployment.address}{path}"


def test_the_navigation_can_be_used_with_the_keyboard_alone(
    page: Page, deployment: Deployment
) -> None:
    page.goto(deployment.address)
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible()
    settled(page)
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText.trim()").endswith("Jobs"):
            break
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Jobs", exact=True, level=1)).to_be_visible()

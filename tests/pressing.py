"""What somebody does with the mouse on a page of the workspace, and how it answers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from browser_world import WAIT_MS, settled

HEAD_PX, LINE_PX = 35, 35
"""Of a table's canvas: how tall its head is, and each of its lines."""


def press(page: Page, name: str) -> None:
    """Press the button of that name."""
    settled(page)
    page.get_by_role("button", name=name, exact=True).click()


def pick(page: Page, choice: str, option: str) -> None:
    """Open a choice, and take one of its options."""
    settled(page)
    page.get_by_role("combobox", name=choice, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()
    settled(page)


def lines(page: Page, *words: str) -> Locator:
    """The lines of the last table with all of these words."""
    found = page.get_by_test_id("stDataFrame").last.locator("tbody tr")
    for one in words:
        found = found.filter(has_text=one)
    return found


def choose(page: Page, *words: str) -> None:
    """Tick the line of the last table that has these words."""
    expect(lines(page, *words)).to_have_count(1)
    settled(page)
    place = next(
        number
        for number, line in enumerate(lines(page).all_inner_texts())
        if all(one in line for one in words)
    )
    middle = HEAD_PX + LINE_PX * place + LINE_PX // 2
    page.get_by_test_id("stDataFrame").last.click(position={"x": 16, "y": middle})
    expect(lines(page, *words)).to_have_attribute("aria-selected", "true")
    settled(page)


def badge(page: Page, words: str) -> Locator:
    """A badge with these words, behind its icon."""
    return page.get_by_test_id("stMarkdown").get_by_text(re.compile(rf"\b{words}$"))


def told(page: Page, words: str) -> None:
    """Wait until the page says in passing that something is done."""
    expect(page.get_by_test_id("stToast").filter(has_text=words)).to_be_visible()


def until(holds: Callable[[], bool], what: str, within_ms: float = WAIT_MS) -> None:
    """Wait for what no page shows."""
    deadline = time.monotonic() + within_ms / 1000
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_ms} ms: {what}"
        time.sleep(0.1)

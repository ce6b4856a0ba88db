"""People in the browser: tokens, invitations and sign-ins are listed, and ended."""

from __future__ import annotations

import httpx
from playwright.sync_api import Browser, Page, StorageState, expect

from browser_world import Deployment, browser_test, settled, visiting

pytestmark = browser_test


def rows(page: Page) -> list[str]:
    """The lines of the table that is open, as the table tells them to screen readers."""
    table = page.get_by_test_id("stDataFrame").last.locator("table")
    table.wait_for(state="attached")
    return [text.replace("\t", " ") for text in table.locator("tbody tr").all_inner_texts()]


def choose_first(page: Page) -> None:
    """Choose the first line of the table that is open."""
    page.get_by_test_id("stDataFrame").last.click(position={"x": 16, "y": 52})
    settled(page)


def test_a_token_is_in_the_list_once_it_is_made_and_an_admin_ends_it(
    browser: Browser, deployment: Deployment, admin: StorageState, analyst: StorageState
) -> None:
    with visiting(browser, analyst) as visitor:
        page = visitor.page
        page.goto(f"{deployment.address}/account?section=Tokens")
        page.get_by_label("What is it for?").fill("nightly export")
        settled(page)
        page.get_by_role("button", name="Make the token").click()
        token = page.get_by_test_id("stCode").inner_text().strip()
        assert any("nightly export" in row for row in rows(page))
    signed = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{deployment.address}/api/v1/me", headers=signed).status_code == 200

    with visiting(browser, admin) as visitor:
        page = visitor.page
        page.goto(f"{deployment.address}/people?section=Tokens")
        assert any("ana@example.com" in row and "nightly export" in row for row in rows(page))
        choose_first(page)
        page.get_by_role("button", name="Revoke the chosen").click()
        expect(page.get_by_text("Nobody has a token.")).to_be_visible()
        page.wait_for_timeout(1_100)  # whose a token is holds for a second

    assert httpx.get(f"{deployment.address}/api/v1/me", headers=signed).status_code == 401


def test_an_invitation_is_listed_and_withdrawn(page: Page, deployment: Deployment) -> None:
    page.goto(f"{deployment.address}/people?section=Invitations")
    page.get_by_label("Name or e-mail address").fill("rui@example.com")
    settled(page)
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_test_id("stCode").inner_text().strip()
    assert any("rui@example.com" in row for row in rows(page))

    choose_first(page)
    page.get_by_role("button", name="Withdraw the chosen").click()

    expect(page.get_by_text("Nobody is invited who has not come yet.")).to_be_visible()
    assert "does not work any more" in httpx.get(link).text

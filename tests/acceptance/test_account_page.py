"""The page of one's own account: password, devices, tokens; each button, and what it does."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from browser_world import WORDS, Deployment, Visitor, browser_test, opened, settled, visiting
from people_world import audited, elsewhere, sign_in, somebody
from pressing import choose, lines, pick, press, told, until

pytestmark = browser_test
OTHER_WORDS = "five quite unusual garden words"


@pytest.fixture
def name(request: pytest.FixtureRequest, deployment: Deployment, admin: StorageState) -> str:
    """An analyst of the test's own; nobody signs in where there is no admin yet."""
    return somebody(deployment, f"{request.node.name[:40]}@example.com", "analyst")


@pytest.fixture
def visitor(name: str, browser: Browser, deployment: Deployment) -> Iterator[Visitor]:
    """They, who came in by name and password."""
    with visiting(browser) as visitor:
        sign_in(visitor.page, deployment, name)
        yield visitor
        assert visitor.errors == []


def change_password(page: Page, old: str, new: str, again: str) -> None:
    for label, words in (
        ("Present password", old),
        ("New password", new),
        ("The same again", again),
    ):
        page.get_by_label(label, exact=True).fill(words)
    press(page, "Change password")


def test_a_changed_password_signs_the_other_devices_out(
    visitor: Visitor, name: str, deployment: Deployment
) -> None:
    with elsewhere(deployment) as device:
        assert device.sign_in(name)
        page = opened(visitor, deployment, "account")
        change_password(page, WORDS, OTHER_WORDS, f"{OTHER_WORDS}!")
        expect(page.get_by_text("The passwords differ.")).to_be_visible()
        change_password(page, "what it never was", OTHER_WORDS, OTHER_WORDS)
        expect(page.get_by_text("The present password is another one.")).to_be_visible()
        change_password(page, WORDS, "short", "short")
        expect(page.get_by_test_id("stAlertContentError")).to_contain_text("password")
        assert device.role() == "analyst"

        change_password(page, WORDS, OTHER_WORDS, OTHER_WORDS)
        expect(page.get_by_text("Your password is changed.")).to_be_visible()
        until(lambda: device.role() is None, "signed out")
        assert not device.sign_in(name, WORDS)
        assert device.sign_in(name, OTHER_WORDS)
    assert page.request.get(f"{deployment.address}/api/v1/me").status == 200
    outcomes = [one.outcome for one in audited(deployment, "person.password", name)]
    assert outcomes == ["failed", "done"]


def test_another_device_is_signed_out_and_this_one_stays(
    visitor: Visitor, name: str, deployment: Deployment
) -> None:
    with elsewhere(deployment) as device:
        device.client.headers["user-agent"] = "Mozilla/5.0 (iPhone; like Mac OS X) Safari/604.1"
        assert device.sign_in(name)
        page = opened(visitor, deployment, "account")
        page.get_by_role("tab", name="Devices").click()
        expect(lines(page)).to_have_count(2)
        expect(lines(page, "here")).to_contain_text("Chrome on Linux")
        choose(page, "Safari on iPhone")
        press(page, "Sign out the chosen devices")

        told(page, "1 device signed out.")
        expect(lines(page)).to_have_count(1)
        until(lambda: device.role() is None, "signed out")
    assert page.request.get(f"{deployment.address}/api/v1/me").status == 200


def test_a_token_does_what_it_may_until_it_is_revoked(
    visitor: Visitor, name: str, deployment: Deployment
) -> None:
    page = opened(visitor, deployment, "account")
    page.get_by_role("tab", name="Tokens").click()
    expect(page.get_by_text("No token yet.")).to_be_visible()
    settled(page)
    press(page, "Make the token")
    expect(page.get_by_test_id("stAlertContentError")).to_be_visible()
    expect(page.get_by_text("No token yet.")).to_be_visible()

    page.get_by_label("What is it for?").fill("reports")
    pick(page, "What may it do?", "jobs.read")
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("stMultiSelect")).to_contain_text("jobs.read")
    pick(page, "How long is it good?", "Never")
    press(page, "Make the token")
    token = page.get_by_test_id("stCode").inner_text().strip()
    expect(lines(page, "reports", "apps.read, jobs.read", "never")).to_have_count(1)
    with httpx.Client(
        base_url=f"{deployment.address}/api/v1", headers={"Authorization": f"Bearer {token}"}
    ) as program:
        assert program.get("/me").json()["permissions"] == ["apps.read", "jobs.read"]
        assert program.get("/jobs").status_code == 200
        assert program.get("/moves").status_code == 403
        choose(page, "reports")
        press(page, "Revoke the chosen tokens")
        told(page, "1 token revoked.")
        expect(page.get_by_text("No token yet.")).to_be_visible()
        until(lambda: program.get("/me").status_code == 401, "the token ended")


def test_the_way_out_leads_out(visitor: Visitor, name: str, deployment: Deployment) -> None:
    page = opened(visitor, deployment, "account")
    expect(page.get_by_text(f"You are signed in as {name}, analyst.")).to_be_visible()
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_label("Password")).to_be_visible()
    assert page.request.get(f"{deployment.address}/api/v1/me").status == 401

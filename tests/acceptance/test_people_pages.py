"""The page of people: each of its buttons, and what becomes of whom it is about."""

from __future__ import annotations

import httpx
from playwright.sync_api import Browser, Page, StorageState, expect

from browser_world import WORDS, Deployment, Visitor, browser_test, opened, settled, visiting
from people_world import audited, elsewhere, somebody
from pressing import choose, lines, pick, press, told, until

pytestmark = browser_test
OTHER_WORDS = "five quite unusual garden words"


def chosen(visitor: Visitor, deployment: Deployment, name: str) -> Page:
    """The page of people, with one of them chosen."""
    page = opened(visitor, deployment, "people")
    choose(page, name)
    expect(page.get_by_role("button", name="Save role")).to_be_visible()
    return page


def test_another_role_holds_from_the_next_click(visitor: Visitor, deployment: Deployment) -> None:
    name = somebody(deployment, "role@example.com")
    with elsewhere(deployment) as theirs:
        assert theirs.sign_in(name)
        assert theirs.role() == "viewer"
        page = chosen(visitor, deployment, name)
        expect(page.get_by_role("button", name="Save role")).to_be_disabled()
        pick(page, "Role", "analyst")
        press(page, "Save role")

        told(page, f"{name} is analyst now.")
        expect(lines(page, name, "analyst")).to_have_count(1)
        expect(page.get_by_role("button", name="Save role")).to_be_disabled()
        until(lambda: theirs.role() == "analyst", "the new role")
    (entry,) = audited(deployment, "person.role", name)
    assert (entry.actor, entry.details) == (
        "root@example.com",
        {"before": "viewer", "after": "analyst"},
    )


def test_a_link_for_a_new_password_works_once_and_the_old_words_no_more(
    visitor: Visitor, deployment: Deployment
) -> None:
    name = somebody(deployment, "forgetful@example.com")
    page = chosen(visitor, deployment, name)
    press(page, "Link for a new password")
    link = page.get_by_test_id("stCode").inner_text().strip()

    with elsewhere(deployment) as theirs:
        theirs.choose_password(link, OTHER_WORDS)
        assert theirs.role() == "viewer"
        assert not theirs.sign_in(name, WORDS)
        assert "does not work any more" in theirs.client.get(link).text
    assert [one.actor for one in audited(deployment, "person.reset", name)] == ["root@example.com"]


def test_somebody_is_signed_out_in_every_browser(visitor: Visitor, deployment: Deployment) -> None:
    name = somebody(deployment, "wanderer@example.com")
    with elsewhere(deployment) as one, elsewhere(deployment) as another:
        assert one.sign_in(name)
        assert another.sign_in(name)
        page = chosen(visitor, deployment, name)
        press(page, "Sign out everywhere")

        told(page, f"{name} is signed out everywhere.")
        # Of no use now, but somebody may have signed in since the page was drawn.
        expect(page.get_by_role("button", name="Sign out everywhere")).to_be_enabled()
        until(lambda: one.role() is None and another.role() is None, "signed out")
        assert one.sign_in(name), "who is signed out may come again"


def test_who_is_disabled_is_out_until_they_are_enabled(
    visitor: Visitor, deployment: Deployment
) -> None:
    name = somebody(deployment, "guest@example.com")
    with elsewhere(deployment) as theirs:
        assert theirs.sign_in(name)
        page = chosen(visitor, deployment, name)
        press(page, "Disable")
        told(page, f"{name} is disabled.")
        expect(lines(page, name, "disabled")).to_have_count(1)
        expect(page.get_by_role("button", name="Link for a new password")).to_be_disabled()
        until(lambda: theirs.role() is None, "signed out")
        assert not theirs.sign_in(name)

        press(page, "Enable")
        told(page, f"{name} is enabled.")
        expect(lines(page, name, "active")).to_have_count(1)
        assert theirs.sign_in(name)
    assert len(audited(deployment, "person.disable", name)) == 1
    assert len(audited(deployment, "person.enable", name)) == 1


def test_the_only_admin_is_told_why_they_stay_one_and_every_button_stays(
    visitor: Visitor, deployment: Deployment
) -> None:
    page = chosen(visitor, deployment, "root@example.com")
    pick(page, "Role", "viewer")
    press(page, "Save role")

    expect(page.get_by_text("The only admin is root@example.com.", exact=True)).to_be_visible()
    expect(page.get_by_text("Make somebody else admin first.")).to_be_visible()
    settled(page)
    press(page, "Disable")
    expect(page.get_by_text("The only admin is root@example.com.", exact=True)).to_be_visible()
    expect(lines(page, "root@example.com", "admin", "active")).to_have_count(1)


def test_an_invitation_is_listed_and_withdrawn(visitor: Visitor, deployment: Deployment) -> None:
    page = opened(visitor, deployment, "people?section=Invitations")
    page.get_by_label("Name or e-mail address").fill("invited@example.com")
    pick(page, "Role", "analyst")
    press(page, "Make a link")
    link = page.get_by_test_id("stCode").inner_text().strip()
    assert httpx.get(link).status_code == 200
    choose(page, "invited@example.com", "analyst")
    press(page, "Withdraw the chosen")

    told(page, "1 link withdrawn.")
    expect(lines(page, "invited@example.com")).to_have_count(0)
    expect(page.get_by_text("Nobody is invited who has not come yet.")).to_be_visible()
    assert "does not work any more" in httpx.get(link).text


def test_what_cannot_be_a_name_is_refused_beside_the_form(
    visitor: Visitor, deployment: Deployment
) -> None:
    page = opened(visitor, deployment, "people?section=Invitations")
    page.get_by_label("Name or e-mail address").fill("two words")
    press(page, "Make a link")

    expect(page.get_by_text("That cannot be a name to sign in with.")).to_be_visible()
    expect(lines(page, "two words")).to_have_count(0)
    expect(page.get_by_text("Nobody is invited who has not come yet.")).to_be_visible()


def test_one_of_two_browsers_is_signed_out(visitor: Visitor, deployment: Deployment) -> None:
    name = somebody(deployment, "two@example.com")
    with elsewhere(deployment) as one, elsewhere(deployment) as another:
        one.client.headers["user-agent"] = "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"
        assert one.sign_in(name)
        assert another.sign_in(name)
        page = opened(visitor, deployment, "people?section=Sign-ins")
        expect(lines(page, name)).to_have_count(2)
        choose(page, name, "Firefox on Windows")
        press(page, "Sign out the chosen")

        told(page, "1 browser signed out.")
        expect(lines(page, name)).to_have_count(1)
        until(lambda: one.role() is None, "signed out")
        assert another.role() == "viewer"


def test_a_token_is_in_the_list_once_it_is_made_and_an_admin_ends_it(
    visitor: Visitor, browser: Browser, deployment: Deployment, analyst: StorageState
) -> None:
    with visiting(browser, analyst) as theirs:
        page = opened(theirs, deployment, "account?section=Tokens")
        page.get_by_label("What is it for?").fill("nightly export")
        press(page, "Make the token")
        token = page.get_by_test_id("stCode").inner_text().strip()
        expect(lines(page, "nightly export")).to_have_count(1)
    signed = {"Authorization": f"Bearer {token}"}

    def works() -> bool:
        return httpx.get(f"{deployment.address}/api/v1/me", headers=signed).status_code == 200

    assert works()
    page = opened(visitor, deployment, "people?section=Tokens")
    choose(page, "ana@example.com", "nightly export")
    press(page, "Revoke the chosen")

    told(page, "1 token revoked.")
    expect(lines(page, "nightly export")).to_have_count(0)
    expect(page.get_by_text("Nobody has a token.")).to_be_visible()
    until(lambda: not works(), "the token ended")

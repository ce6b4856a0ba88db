"""The pages of backups, queries and cache: each button and choice, and what became of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser_world import Deployment, Visitor, browser_test, opened, settled
from buttress.backup import Backup, open_backups
from buttress.settings import Settings
from pressing import badge, lines, until

pytestmark = browser_test
JOB_MS = 120_000


def shelf(deployment: Deployment) -> list[Backup]:
    """The backups in the deployment's store, the newest first."""
    settings = Settings(_env_file=None, database_url=deployment.database, home=deployment.home)
    with open_backups(settings) as shelf:
        return list(shelf.all())


def test_a_backup_is_made_and_proven_again_by_two_buttons(
    visitor: Visitor, deployment: Deployment, tmp_path: Path
) -> None:
    before = {one.id for one in shelf(deployment)}

    def later() -> list[Backup]:
        return [one for one in shelf(deployment) if one.id not in before and one.verified]

    page = opened(visitor, deployment, "backups")
    if not before:
        expect(page.get_by_text("There is no backup yet.")).to_be_visible()
    page.get_by_role("button", name="Back up now").click()
    expect(page.get_by_role("link", name="buttress.backup")).to_be_visible()
    until(lambda: bool(later()), "a verified backup", JOB_MS)
    expect(page.get_by_role("heading", name="Restore")).to_be_visible(timeout=JOB_MS)
    (made,) = later()
    assert made.manifest.reason == "asked for by root@example.com"
    expect(lines(page, made.id, "Verified")).to_have_count(1)
    expect(page.get_by_test_id("stCode")).to_contain_text(f"buttress backup restore {made.id}")

    page.get_by_role("button", name="Prove again").click()
    expect(page.get_by_role("link", name="buttress.drill")).to_be_visible()
    expect(badge(page, "Done")).to_be_visible(timeout=JOB_MS)
    page.screenshot(path=tmp_path / "backups.png", full_page=True)
    (proven,) = later()
    assert proven.drill is not None
    assert made.drill is not None
    assert proven.drill.at > made.drill.at
    assert proven.drill.differences == []


CHOICES = {
    "queries": ("15 minutes", "All processes", "Lines of code", "Kinds", "Routes, pages, jobs"),
    "cache": ("5 minutes", "Since the start"),
}


@pytest.mark.parametrize("path", CHOICES)
def test_each_choice_of_a_page_can_be_made(
    visitor: Visitor, deployment: Deployment, path: str
) -> None:
    page = opened(visitor, deployment, path)
    for choice in CHOICES[path]:
        page.get_by_role("radio", name=choice, exact=True).click()
        expect(page.get_by_role("radio", name=choice, exact=True)).to_be_checked()
        settled(page)
        assert page.get_by_test_id("stAlertContentError").count() == 0, choice

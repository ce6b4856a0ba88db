"""One deployment for all browser tests: a moved prototype, an app, and two people who came in."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Browser, Page, StorageState, sync_playwright

import buttress
from browser_world import CHROMIUM, Deployment, Visitor, come_in, deployed, visiting
from buttress.db.embedded import Servers
from buttress.demo import build_prototype
from buttress.settings import Settings


@pytest.fixture(scope="session")
def deployment(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment into whose database a small prototype was moved."""
    name = f"acceptance_{os.getpid()}_{secrets.token_hex(3)}"
    home = tmp_path_factory.mktemp("home")
    administrator = servers.postgres_url("postgres", "postgres")
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER buttress_owner")
        database = servers.postgres_url("owner", name)
        report = buttress.move(
            build_prototype(home / "prototype.db", products=1_500),
            database,
            schema="prototype",
            workers=1,
            settings=Settings(_env_file=None, home=home),
        )
        with deployed(database, home, servers, report) as running:
            yield running
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def admin(deployment: Deployment, browser: Browser) -> StorageState:
    """The first admin, who came in by the link that `buttress up` has printed."""
    with visiting(browser) as visitor:
        state = come_in(visitor.page, deployment.first_link, "root@example.com")
        assert visitor.errors == []
        return state


@pytest.fixture(scope="session")
def analyst(deployment: Deployment, browser: Browser, admin: StorageState) -> StorageState:
    """Somebody the admin has invited on the page of people, and who came in by that link."""
    with visiting(browser, admin) as visitor:
        page = visitor.page
        page.goto(f"{deployment.address}/people?section=Invitations")
        page.get_by_label("Name or e-mail address").fill("ana@example.com")
        page.get_by_role("combobox", name="Role").click()
        page.get_by_role("option", name="analyst").click()
        page.get_by_role("button", name="Make a link").click()
        link = page.get_by_test_id("stCode").inner_text().strip()
    with visiting(browser) as visitor:
        return come_in(visitor.page, link)


@pytest.fixture
def page(browser: Browser, admin: StorageState) -> Iterator[Page]:
    """A page of the admin's."""
    with visiting(browser, admin) as visitor:
        yield visitor.page


@pytest.fixture
def visitor(browser: Browser, admin: StorageState) -> Iterator[Visitor]:
    """The admin with a window in which nothing may go wrong unseen."""
    with visiting(browser, admin) as visitor:
        yield visitor
        assert visitor.errors == []

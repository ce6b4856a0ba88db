"""People of a running deployment, and browsers of theirs that nobody looks at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import httpx
from playwright.sync_api import Page, expect
from sqlalchemy import select

from browser_world import WORDS, Deployment
from buttress.access import people
from buttress.access.tables import AuditEntry
from buttress.db.database import Database


def somebody(deployment: Deployment, name: str, role: str = "viewer") -> str:
    """Have one more person there, who signs in with `WORDS`; the name."""
    with closing(Database(deployment.database)) as database, database.session() as session:
        people.create(session, name, role, password=WORDS, actor="a test")
    return name


def audited(deployment: Deployment, action: str, on: str) -> list[AuditEntry]:
    """What the audit log tells of these deeds, the latest last."""
    asked = select(AuditEntry).order_by(AuditEntry.number)
    asked = asked.where(AuditEntry.action == action, AuditEntry.object == on)
    with closing(Database(deployment.database)) as database, database.session() as session:
        return list(session.scalars(asked))


@dataclass(frozen=True)
class Elsewhere:
    """A browser without a window."""

    client: httpx.Client

    def sign_in(self, name: str, words: str = WORDS) -> bool:
        """Try to; whether that is let in."""
        answer = self.client.post("/sign-in", data={"name": name, "password": words})
        assert answer.status_code in (303, 401), answer.text
        return answer.status_code == 303

    def choose_password(self, link: str, words: str) -> None:
        """Use a link that works once, which signs in too."""
        answer = self.client.post(link, data={"password": words, "again": words})
        assert answer.status_code == 303, answer.text

    def role(self) -> str | None:
        """As what one is signed in, None when one is not."""
        answer = self.client.get("/api/v1/me")
        assert answer.status_code in (200, 401), answer.text
        return str(answer.json()["role"]) if answer.status_code == 200 else None


@contextmanager
def elsewhere(deployment: Deployment) -> Iterator[Elsewhere]:
    """One more browser, in which nobody is signed in yet."""
    ours = {"sec-fetch-site": "same-origin"}
    with httpx.Client(base_url=deployment.address, headers=ours, timeout=60) as client:
        yield Elsewhere(client)


def sign_in(page: Page, deployment: Deployment, name: str, words: str = WORDS) -> None:
    """Sign in by the form, in a browser with a window."""
    page.goto(f"{deployment.address}/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(words)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible()

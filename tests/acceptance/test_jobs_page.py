"""The page of jobs: a queue is held, and a job goes through each of its buttons until it is done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect

from browser_world import Deployment, Visitor, browser_test, opened, settled
from people_world import audited
from pressing import badge, pick, press, told, until

pytestmark = browser_test
QUEUE = "buttress.housekeeping"
JOB_MS = 120_000


def state(page: Page, deployment: Deployment, job: str) -> str:
    """How a job stands, by the API."""
    return str(page.request.get(f"{deployment.address}/api/v1/jobs/{job}").json()["state"])


def is_paused(page: Page, deployment: Deployment) -> bool:
    """Whether the queue is, by the API."""
    queues = page.request.get(f"{deployment.address}/api/v1/queues").json()
    return next(bool(queue["paused"]) for queue in queues if queue["name"] == QUEUE)


@contextmanager
def held(page: Page, deployment: Deployment) -> Iterator[None]:
    """The queue held meanwhile, by the page; let go on by the API where nobody has done it."""
    try:
        hold(page, deployment)
        yield
    finally:
        if is_paused(page, deployment):
            headers = {"sec-fetch-site": "same-origin"}
            page.request.post(f"{deployment.address}/api/v1/queues/{QUEUE}/resume", headers=headers)


def hold(page: Page, deployment: Deployment) -> None:
    pick(page, "Hold a queue, or let it go on", QUEUE)
    press(page, "Hold it")
    told(page, f"{QUEUE} is held.")
    expect(page.get_by_role("button", name="Let it go on")).to_be_visible()
    line = page.locator("tbody tr").filter(has_text=QUEUE).filter(has_text="Paused")
    expect(line).to_have_count(1)
    assert is_paused(page, deployment)


def let_go_on(page: Page, deployment: Deployment) -> None:
    pick(page, "Hold a queue, or let it go on", QUEUE)
    press(page, "Let it go on")
    told(page, f"{QUEUE} goes on.")
    expect(page.get_by_role("button", name="Hold it")).to_be_visible()
    assert not is_paused(page, deployment)


def test_a_job_of_a_held_queue_is_paused_resumed_cancelled_retried_and_done_at_last(
    visitor: Visitor, deployment: Deployment
) -> None:
    page = opened(visitor, deployment, "jobs")
    with held(page, deployment):
        the_job_is_controlled(visitor, deployment)


def the_job_is_controlled(visitor: Visitor, deployment: Deployment) -> None:
    page = opened(visitor, deployment, "backups")
    press(page, "Back up now")
    page.get_by_role("link", name="buttress.backup").click()
    expect(page).to_have_url(re.compile(r"/jobs\?id="))
    expect(badge(page, "Waiting")).to_be_visible()
    job = page.url.partition("id=")[2]
    for button, badged, told_by_api in (
        ("Pause", "Paused", "paused"),
        ("Resume", "Waiting", "waiting"),
        ("Cancel", "Cancelled", "cancelled"),
        ("Retry", "Waiting", "waiting"),
    ):
        press(page, button)
        expect(badge(page, badged)).to_be_visible()
        expect(page.get_by_role("button", name=button, exact=True)).to_have_count(0)
        assert state(page, deployment, job) == told_by_api
        (entry,) = audited(deployment, f"job.{button.lower()}", job)
        assert entry.actor == "root@example.com"

    press(page, "All jobs")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    expect(page).to_have_url(f"{deployment.address}/jobs")
    let_go_on(page, deployment)
    page.goto(f"{deployment.address}/jobs?id={job}")
    expect(badge(page, "Done")).to_be_visible(timeout=JOB_MS)
    assert state(page, deployment, job) == "done"
    expect(page.get_by_role("heading", name="Steps")).to_be_visible()
    for button in ("Pause", "Resume", "Cancel", "Retry"):
        expect(page.get_by_role("button", name=button, exact=True)).to_have_count(0)


def test_jobs_are_found_by_state_and_queue_and_opened_by_choosing_one(
    visitor: Visitor, deployment: Deployment
) -> None:
    job = made(visitor.page, deployment)
    until(lambda: state(visitor.page, deployment, job) == "done", "the job done")
    page = opened(visitor, deployment, "jobs")
    table = page.get_by_test_id("stDataFrame").first
    found = table.locator("tbody tr")
    expect(found.first).to_be_attached()
    pick(page, "State", "cancelled")
    expect(page.get_by_text("No job is like that.")).to_be_visible()
    pick(page, "State", "done")
    pick(page, "Queue", QUEUE)
    expect(found.first).to_contain_text("buttress.backup")
    expect(found.filter(has_not_text="Done")).to_have_count(0)
    settled(page)
    table.click(position={"x": 16, "y": 52})

    expect(badge(page, "Done")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"/jobs\?id={job}$"))


def made(page: Page, deployment: Deployment) -> str:
    """A job of the queue, asked for over the API; its id."""
    headers = {"sec-fetch-site": "same-origin"}
    answer = page.request.post(f"{deployment.address}/api/v1/backups", headers=headers)
    assert answer.ok, answer.text()
    return str(answer.json()["job"])

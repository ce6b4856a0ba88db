"""Ten browsers click through the workspace for minutes: does anything fail, does memory grow?

    python -m benchmarks.soak --minutes 30

Ten people, admins and analysts in turn, are signed in with windows of their own in one chromium,
against `buttress up` with the example app on the embedded servers. Each opens one page after the
other, at random. Counted are pages that show a failure or do not come, errors in the browsers'
consoles, and what the content policy refused. The memory is what the process of the workspace has
resident; it is taken as grown from the median of the first minute after the warm-up to that of the
last minute.

The last line says all of it; exit code 1 when there is an error, or more growth than 10 %.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page, StorageState, StorageStateCookie, sync_playwright

from buttress.access import Origin, people, signing_in
from buttress.db.database import Database
from buttress.db.embedded import start_servers

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from browser_world import CHROMIUM, Deployment, Visitor, deployed, visiting

PEOPLE = 10
WARM_UP = 0.2
"""This part of the time does not count: code is loaded, caches and pools are filled."""
LARGEST_GROWTH = 0.10
EVERY_SECONDS = 2.0
START_MS = 180_000
"""The first page reads all code, beside nine others."""


@dataclass
class Course:
    """What happened, and the memory over time."""

    pages: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, int]] = field(default_factory=list)
    """Seconds since the beginning, and bytes."""

    def growth(self, seconds: float) -> float:
        """From the minute after the warm-up to the last one."""
        warm = seconds * WARM_UP
        first = [bytes_ for at, bytes_ in self.memory if warm <= at <= warm + 60]
        last = [bytes_ for at, bytes_ in self.memory if at >= seconds - 60]
        return statistics.median(last) / statistics.median(first) - 1


def main() -> int:
    """Do it for the minutes that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    seconds = asked.minutes * 60
    with ExitStack() as exits:
        home = Path(exits.enter_context(tempfile.TemporaryDirectory()))
        home.chmod(0o755)
        servers = exits.enter_context(start_servers(home / "servers"))
        work = home / "work"
        work.mkdir()
        deployment = exits.enter_context(deployed(servers.postgres_url("owner"), work, servers))
        playwright = exits.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        exits.callback(browser.close)
        visitors = [
            exits.enter_context(visiting(browser, state)) for state in signed_in(deployment)
        ]
        course = soak(deployment, visitors, seconds, random.Random(asked.seed))
    return told(course, asked.minutes)


def signed_in(deployment: Deployment) -> list[StorageState]:
    """What the browsers of ten people know once they are signed in."""
    host = deployment.address.removeprefix("http://").partition(":")[0]
    states: list[StorageState] = []
    with closing(Database(deployment.database)) as database:
        for number in range(PEOPLE):
            with database.session() as session:
                role = "admin" if number % 2 else "analyst"
                person = people.create(session, f"soak{number}@example.com", role)
                secret = signing_in.begin(session, person, Origin(), how="soak")
            cookie: StorageStateCookie = {
                "name": "buttress", "value": secret, "domain": host, "path": "/", "expires": -1,
                "httpOnly": True, "secure": False, "sameSite": "Lax",
            }  # fmt: skip
            states.append({"cookies": [cookie], "origins": []})
    return states


def soak(
    deployment: Deployment, visitors: list[Visitor], seconds: float, dice: random.Random
) -> Course:
    """Click in turn until the time is over."""
    for visitor in visitors:
        visitor.page.goto(deployment.address, timeout=START_MS)
    course, began, sampled = Course(), time.monotonic(), 0.0
    while (at := time.monotonic() - began) < seconds:
        for visitor in visitors:
            click(visitor, course, dice)
            at = time.monotonic() - began
            if at - sampled >= EVERY_SECONDS:
                sampled = at
                course.memory.append((at, resident(deployment.pid)))
    for visitor in visitors:
        course.errors.update(f"console: {error}" for error in visitor.errors)
    return course


def click(visitor: Visitor, course: Course, dice: random.Random) -> None:
    """Open one page, and wait until it is there."""
    page = visitor.page
    name = "the first page"
    try:
        links = page.get_by_test_id("stSidebarNavLink")
        links.first.wait_for()
        link = links.nth(dice.randrange(links.count()))
        name = link.inner_text().split("\n")[-1]
        link.click()
        page.get_by_role("heading", level=1).first.wait_for()
        page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        course.pages += 1
        count_failures(page, visitor, name, course)
    except BrowserError as error:
        course.errors[f"{name}: {error.message.splitlines()[0]}"] += 1


def count_failures(page: Page, visitor: Visitor, name: str, course: Course) -> None:
    """What a page that has come tells of failures."""
    for box in page.get_by_test_id("stAlertContentError").all_inner_texts():
        course.errors[f"{name}: {box}"] += 1
    for refused in visitor.refused():
        course.errors[f"{name}: refused {refused}"] += 1


def resident(pid: int) -> int:
    """Bytes of memory the process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def told(course: Course, minutes: float) -> int:
    """Print what happened; the exit code."""
    for error, times in course.errors.most_common(20):
        print(f"{times} x {error}")
    step = max(len(course.memory) // 12, 1)
    for at, bytes_ in course.memory[::step]:
        print(f"{at / 60:5.1f} min  {bytes_ / 1e6:6.1f} MB")
    growth = course.growth(minutes * 60)
    failed = sum(course.errors.values())
    console = sum(n for error, n in course.errors.items() if error.startswith("console: "))
    print(
        f"soak minutes {minutes:g} pages {course.pages} errors {failed - console} "
        f"console errors {console} memory {growth:+.1%}"
    )
    return int(failed > 0 or growth > LARGEST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())

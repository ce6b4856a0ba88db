"""The pages of what was kept and set: the audit log, calls of models, logs, settings, checks."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect
from pyarrow import parquet
from python_calamine import CalamineWorkbook
from sqlalchemy import text

from browser_world import Deployment, Visitor, browser_test, opened, settled
from buttress.access import audit
from buttress.db.database import Database
from buttress.llm.tables import LLMCall
from pressing import lines, press, until

pytestmark = browser_test
ENTRIES = 60
"""Ten more than the page shows at once."""


@pytest.fixture
def database(deployment: Deployment) -> Iterator[Database]:
    with closing(Database(deployment.database)) as database:
        yield database


def enter(page: Page, field: str, words: str) -> None:
    """Write into a field, and send it off."""
    settled(page)
    page.get_by_label(field, exact=True).fill(words)
    page.keyboard.press("Enter")


def test_the_audit_log_is_leafed_through_in_both_directions(
    visitor: Visitor, deployment: Deployment, database: Database
) -> None:
    with database.session() as session:
        for number in range(ENTRIES):
            audit.record(session, "acceptance.leaf", f"entry {number}", actor="a test")
    page = opened(visitor, deployment, "audit")
    enter(page, "What", "acceptance.*")
    expect(lines(page).first).to_contain_text("entry 59")
    expect(page.get_by_role("button", name="Newest", exact=True)).to_be_disabled()
    press(page, "Older")
    expect(lines(page)).to_have_count(10)
    expect(lines(page).last).to_contain_text("entry 0")
    expect(page.get_by_role("button", name="Older", exact=True)).to_be_disabled()
    press(page, "Newest")
    expect(lines(page).first).to_contain_text("entry 59")
    enter(page, "Who", "nobody@example.com")
    expect(page.get_by_text("No entry is like that.")).to_be_visible()


def test_the_chain_is_verified_and_a_changed_entry_is_named(
    visitor: Visitor, deployment: Deployment, database: Database
) -> None:
    with database.session() as session:
        number = audit.record(session, "acceptance.chain", "as it was", actor="a test").number
    page = opened(visitor, deployment, "audit")
    press(page, "Verify the chain")
    expect(page.get_by_text("entries are as they were written.")).to_be_visible()
    with database.session() as session:
        assert page.get_by_test_id("stCode").inner_text().strip() == audit.verify(session).head

    change(database, number, "forged")
    try:
        press(page, "Verify the chain")
        expect(page.get_by_text(f"Entry {number} is not what was written.")).to_be_visible()
    finally:
        change(database, number, "as it was")


def change(database: Database, number: int, said: str) -> None:
    """Change an entry as only the owner can, who first puts away what keeps the log."""
    with database.session() as session:
        session.execute(text("ALTER TABLE buttress_audit DISABLE TRIGGER USER"))
        session.execute(
            text("UPDATE buttress_audit SET object = :said WHERE number = :number"),
            {"said": said, "number": number},
        )
        session.execute(text("ALTER TABLE buttress_audit ENABLE TRIGGER USER"))


def called(model: str, outcome: str = "ok", *, days: float = 0) -> LLMCall:
    """A call of a model, told as if it had been made so long ago."""
    return LLMCall(
        id=uuid4(), at=datetime.now(UTC) - timedelta(days=days), provider="openai", model=model,
        purpose="tickets.answer", app="tickets", person="ana@example.com", outcome=outcome,
        attempts=1, latency_ms=900, input_tokens=100, output_tokens=20, cached_tokens=0,
        tokens_estimated=False, cost=Decimal("0.0125"),
    )  # fmt: skip


def test_calls_of_models_are_told_by_what_is_chosen_and_downloaded_as_three_kinds_of_file(
    visitor: Visitor, deployment: Deployment, database: Database
) -> None:
    with database.session() as session:
        session.add_all([called("gpt-4o-mini"), called("gpt-4o-mini", "failed", days=1)])
        session.add(called("gpt-4.1", days=20))
    page = opened(visitor, deployment, "models")
    expect(lines(page, "gpt-4o-mini")).to_have_count(2)
    expect(lines(page, "gpt-4.1")).to_have_count(1)
    for choice, shown in (
        ("7 days", "gpt-4o-mini"),
        ("Person", "ana@example.com"),
        ("App", "tickets"),
        ("Purpose", "tickets.answer"),
        ("Outcome", "failed"),
        ("Tokens", "failed"),
        ("Calls", "failed"),
        ("Cost", "failed"),
    ):
        settled(page)
        page.get_by_role("radio", name=choice, exact=True).click()
        expect(page.get_by_role("radio", name=choice, exact=True)).to_be_checked()
        expect(lines(page, shown).first).to_be_attached()
        settled(page)
        assert page.get_by_test_id("stAlertContentError").count() == 0, choice
    expect(lines(page, "gpt-4.1")).to_have_count(0)
    expect(lines(page)).to_have_count(2)

    text_file = downloaded(page, "Download as CSV").decode("utf-8-sig").splitlines()
    sheet = CalamineWorkbook.from_filelike(BytesIO(downloaded(page, "As Excel")))
    columns = parquet.read_table(BytesIO(downloaded(page, "As Parquet")))
    head, *rest = sheet.get_sheet_by_index(0).to_python()
    for rows in (
        list(csv.DictReader(text_file)),
        [dict(zip(head, row, strict=True)) for row in rest],
        columns.to_pylist(),
    ):
        assert [row["Outcome"] for row in rows] == ["ok", "failed"]
        assert [float(row["Cost, USD"]) for row in rows] == [0.0125, 0.0125]


def downloaded(page: Page, name: str) -> bytes:
    """The file behind that button."""
    settled(page)
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).click()
    assert download.value.suggested_filename.startswith("model-usage.")
    return Path(download.value.path()).read_bytes()


def test_logs_are_followed_as_they_are_written_and_not_otherwise(
    visitor: Visitor, deployment: Deployment
) -> None:
    mark = uuid4().hex
    page = opened(visitor, deployment, "logs")
    enter(page, "Contains", mark)
    expect(page.get_by_text("No line is like that.")).to_be_visible()
    settled(page)
    page.get_by_text("Follow", exact=True).click()
    expect(page.get_by_role("switch", name="Follow")).to_be_checked()
    write(deployment, "info", f"looked at {mark}")
    write(deployment, "error", f"refused {mark}")

    expect(lines(page, mark)).to_have_count(2)
    settled(page)
    page.get_by_role("combobox", name="Level, at least").click()
    page.get_by_role("option", name="error", exact=True).click()
    expect(lines(page, mark)).to_have_count(1)
    expect(lines(page, "refused")).to_have_count(1)
    enter(page, "Logger begins with", "nothing.of.ours")
    expect(page.get_by_text("No line is like that.")).to_be_visible()


def write(deployment: Deployment, level: str, event: str) -> None:
    """Have a line in the deployment's log, as a process of it writes one."""
    line = {"at": datetime.now(UTC).isoformat(), "level": level, "logger": "shop", "event": event}
    with (deployment.home / "logs" / "buttress.log").open("a") as log:
        log.write(f"{json.dumps(line)}\n")


def test_settings_are_narrowed_to_what_is_set_and_found_by_a_word(
    visitor: Visitor, deployment: Deployment
) -> None:
    page = opened(visitor, deployment, "settings")
    expect(lines(page, "BUTTRESS_LOG_LEVEL")).to_have_count(1)
    page.get_by_text("Only what is set").click()
    expect(lines(page, "BUTTRESS_LOG_LEVEL")).to_have_count(0)
    expect(lines(page, "BUTTRESS_PORT", "environment")).to_have_count(1)
    expect(lines(page, "DATABASE_URL", "set, ")).to_have_count(1)
    enter(page, "Find", "redis")
    expect(lines(page, "BUTTRESS_PORT")).to_have_count(0)
    expect(lines(page, "REDIS_URL")).to_have_count(1)
    enter(page, "Find", "no such word")
    expect(page.get_by_text("No setting is like that.")).to_be_visible()


def test_the_configuration_is_checked_when_asked_for_and_each_finding_has_its_cure(
    visitor: Visitor, deployment: Deployment
) -> None:
    page = opened(visitor, deployment, "health-checks")
    counted = page.get_by_text(re.compile(r"\d+ checks: \d+ errors?, \d+ warnings?"))
    expect(counted).to_have_count(0)
    press(page, "Check the configuration")
    expect(counted).to_be_visible()
    asked_alone = counted.inner_text()
    settled(page)
    page.get_by_text("As a deployment for others").click()
    settled(page)
    press(page, "Check the configuration")
    until(lambda: counted.inner_text() != asked_alone, "the checks of a deployment too")
    told = re.search(r"(\d+) errors?, (\d+) warnings?", counted.inner_text())
    assert told is not None
    cures = int(told[1]) + int(told[2])
    assert cures > 0
    expect(page.get_by_text("Cure: ")).to_have_count(cures)

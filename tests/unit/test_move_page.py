"""What a move's report says to people, in a browser and in a terminal."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from buttress.cli import move_progress
from buttress.cli.move_progress import progress_on
from buttress.cli.move_summary import print_summary
from buttress.mover.page import duration, moment, render, size, visible
from buttress.mover.plan import Column, NotCarried, Plan, Table, Unreadable
from buttress.mover.report import (
    Difference,
    MoveReport,
    Orphans,
    Proof,
    Quarantined,
    TableProof,
)

HOSTILE = "<script>alert('x')</script>&\u202e\x00\ud800"


def report(verdict: str = "proven with rows in quarantine", **changes: object) -> MoveReport:
    column = Column(
        name="price", target="price", declared="REAL", type="double precision", rule="real",
        why="all 3 values are reals",
    )  # fmt: skip
    values: dict[str, object] = {
        "id": "20260101_000000_abcd",
        "verdict": verdict,
        "source": "my prototype.db",
        "source_bytes": 1_234_567,
        "target": "db.example.com/shop",
        "schema": "shop",
        "started_at": "2026-01-01T10:00:00+00:00",
        "seconds": {"copy": 1.5, "proof": 0.5},
        "plan": Plan(
            source="my prototype.db",
            tables=[
                Table(name="products", target="products", rows=1003, key=["id"], columns=[column]),
                Table(name="cache", target="cache", skip="asked to be left"),
            ],
        ),
        "proof": Proof(
            tables=[
                TableProof(
                    table="products",
                    target="products",
                    rows=1003,
                    proven=1000,
                    quarantined=3,
                    method="by key",
                )
            ]
        ),
        "quarantined": [
            Quarantined(table="products", row=f"[{i}]", column="name", reason="text with U+0000")
            for i in range(3)
        ],
    }
    return MoveReport(**{**values, **changes})  # type: ignore[arg-type]


def mismatch(**changes: object) -> MoveReport:
    proof = TableProof(
        table="products",
        target="products",
        rows=1003,
        proven=1000,
        quarantined=0,
        different=250,
        differences=[
            Difference(table="products", row="id=1", column="price", source="19.99", target="19.9")
        ],
    )
    return report("mismatch", proof=Proof(tables=[proof]), **changes)


def text_of(page: str) -> str:
    body = page[page.index("<body>") :]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def terminal(result: MoveReport) -> str:
    out = io.StringIO()
    print_summary(result, Console(file=out, soft_wrap=True, highlight=False))
    return out.getvalue()


def test_the_page_says_the_verdict_first_and_counts_every_row():
    text = text_of(render(report()))

    assert text.startswith("Move report Proven, with 3 rows in quarantine")
    assert "products 1,003 1,000" in text.replace(" of 1,003, by key", "")
    assert "cache (asked to be left)" in text
    assert "buttress verify 'my prototype.db' --schema shop" in text.replace("&#39;", "'")
    assert "all 3 values are reals" in text


@pytest.mark.parametrize(
    ("result", "headline"),
    [
        (report("proven", quarantined=[]), "Proven: every row is in place"),
        (report("planned", proof=Proof()), "Planned; nothing has been moved yet"),
        (mismatch(), "Not proven: source and target differ"),
        (
            report(
                proof=Proof(
                    tables=[TableProof(table="products", target="products", rows=1, proven=1)]
                ),
                quarantined=[],
                unreadable=[Unreadable(table="products", first_rowid=5, detail="malformed")],
            ),
            "Proven, but for what the damaged source cannot give",
        ),
    ],
)
def test_each_verdict_has_its_headline_in_both(result, headline):
    assert f"<h1>{headline}</h1>" in render(result)
    assert headline in terminal(result)


def test_the_page_needs_nothing_from_outside_and_runs_nothing():
    page = render(report())

    assert "<script" not in page
    assert not re.search(r"(src|href)=", page)
    assert "url(" not in page
    assert "default-src 'none'" in page


def test_nothing_from_the_data_can_become_markup_or_hide():
    hostile = report(
        source=HOSTILE,
        schema=HOSTILE,
        plan=Plan(
            source=HOSTILE,
            tables=[
                Table(
                    name=HOSTILE,
                    target=HOSTILE,
                    columns=[
                        Column(name=HOSTILE, target="x", type=HOSTILE, rule="text", why=HOSTILE)
                    ],
                ),
                Table(name=HOSTILE, target=HOSTILE, skip=HOSTILE),
            ],
            notes=[HOSTILE],
        ),
        quarantined=[Quarantined(table=HOSTILE, row=HOSTILE, column=HOSTILE, reason=HOSTILE)],
        orphans=[Orphans(table=HOSTILE, foreign_key=HOSTILE, rows=1, examples=[HOSTILE])],
        not_carried=[NotCarried(kind="view", name=HOSTILE, source=HOSTILE, reason=HOSTILE)],
        unreadable=[Unreadable(table=HOSTILE, detail=HOSTILE)],
    )

    page = render(hostile)
    words = terminal(hostile)

    assert "<script" not in page
    for shown in (page, words):
        shown.encode()
        assert "\0" not in shown
        assert "\u202e" not in shown
        assert r"\u202e\u0000\ud800" in shown


def test_a_mismatch_lists_what_differs_and_how_many_more_there_are():
    text = text_of(render(mismatch()))
    words = terminal(mismatch())

    assert "Differences 250 The first 1 are listed." in text
    assert "products id=1 price 19.99 19.9" in text
    assert "products id=1, price: 19.99 became 19.9" in words
    assert "differences: 250" in words
    assert "Do not use the copy" in words


def test_the_terminal_groups_quarantined_rows_by_reason_and_says_what_to_do():
    words = terminal(report())

    assert "3  products.name  text with U+0000" in words
    assert "SELECT table_name, row_key, column_name, reason FROM shop.buttress_quarantine;" in words
    assert "again: buttress verify 'my prototype.db' --schema shop" in words


def test_markup_in_names_is_printed_as_it_is():
    plan = Plan(source="x", tables=[Table(name="[bold]t[/bold]", target="t", rows=1)])

    assert "[bold]t[/bold]" in terminal(report("planned", proof=Proof(), plan=plan))


def test_a_dry_run_prints_types_with_their_reasons_and_the_plan_file():
    words = terminal(report("planned", proof=Proof(), quarantined=[], folder="var/moves/1"))

    assert "price  REAL  → double precision  all 3 values are reals" in words
    assert "left out: cache (asked to be left)" in words
    assert "plan: var/moves/1/plan.toml" in words


def test_progress_is_a_few_lines_when_not_on_a_terminal(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(move_progress.time, "monotonic", lambda: now[0])
    out = io.StringIO()

    with progress_on(Console(file=out)) as progress:
        progress("plan", 0, 2)
        for step in range(1, 51):
            now[0] += 0.1
            progress("copy", step * 1000, 50_000, "products")

    assert out.getvalue().splitlines() == [
        "plan: 0.1 s",
        "copy: 21,000 of 50,000 rows, 10,500/s, 3 s left",
        "copy: 41,000 of 50,000 rows, 10,250/s, 1 s left",
        "copy: 50,000 rows in 4.9 s",
    ]


def test_progress_is_one_bar_a_phase_on_a_terminal():
    out = io.StringIO()

    with progress_on(Console(file=out, force_terminal=True, width=100)) as progress:
        progress("snapshot", 0, 1)
        progress("snapshot", 1, 1)
        progress("copy", 0, 0)
        progress("copy", 500, 1000)
        progress("copy", 1000, 1000)

    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    assert "snapshot" in shown
    assert "1,000 rows in 0.0 s" in shown


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (duration(0.0042), "4 ms"),
        (duration(1.25), "1.2 s"),
        (duration(125), "2 min 5 s"),
        (duration(7300), "2 h 1 min"),
        (size(999), "999 bytes"),
        (size(48_300_032), "48.3 MB"),
        (moment("2026-01-01T10:00:00+02:00"), "01 January 2026, 08:00 UTC"),
        (moment("never"), "never"),
        (visible("a\x1b[31m"), "a\\u001b[31m"),
    ],
)
def test_figures_are_written_for_people(shown, expected):
    assert shown == expected

"""The dashboard's figures against the same figures computed here from the rows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import correlation, fmean
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

from buttress.access import Identity, acting
from buttress.apps.catalog.agreement import Estimate, Unsaid
from buttress.apps.catalog.dashboard import Window, agreeing
from buttress.apps.catalog.dashboard.executive import executive
from buttress.apps.catalog.dashboard.people import activities
from buttress.apps.catalog.dashboard.performance import performance
from buttress.apps.catalog.dashboard.quality import quality
from buttress.apps.catalog.models import Evaluation, Extraction, Feedback, Issue, Product
from buttress.errors import BadInput
from buttress.runtime import Runtime

TODAY = date(2026, 6, 30)
WINDOW = Window.last(30, TODAY)
MODELS = ("offline", "openai:gpt-4o-mini")
TYPES = ("cosmetics", "fragrance")
Row = dict[str, object]


def evaluations(count: int = 400) -> list[Row]:
    """Rows of 60 days, always the same."""
    chance = random.Random(5)
    rows: list[Row] = []
    for number in range(count):
        structure, content, translation = (Decimal(chance.randrange(4, 21)) / 4 for _ in range(3))
        translation = (content + translation) / 2
        rows.append({
            "product_id": 1, "extraction_id": 1,
            "product_type": chance.choice(TYPES), "brand": "Oakleaf", "name": f"Cream {number}",
            "model": chance.choice(MODELS), "temperature": Decimal("0.2"),
            "structure": structure, "content": content, "translation": round(translation, 2),
            "overall": round(structure * Decimal("0.2") + content * Decimal("0.5")
                             + round(translation, 2) * Decimal("0.3"), 2),
            "issue_count": number % 4, "rules_version": 1, "created_by_name": "ana@example.com",
            "created_at": datetime(2026, 6, 30, 12, tzinfo=UTC) - timedelta(days=number % 60),
        })  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def rows(runtime: Runtime, ana: Identity, bento: Identity) -> list[Row]:
    """What the tables hold; two people have rated some of it."""
    made = evaluations()
    with runtime.session() as session:
        session.add(
            Product(
                product_type="cosmetics", content={}, origins={}, created_by_name="ana@example.com"
            )
        )
        session.flush()
        session.add(
            Extraction(
                product_id=1, scope="full", model="offline", temperature=0, prompts={}, notes=[],
                content={}, origins={}, seconds=0.5,
            )
        )  # fmt: skip
        session.flush()
        session.execute(insert(Evaluation), made)
        found = session.scalars(select(Evaluation).order_by(Evaluation.id)).all()
        for row, evaluation in zip(made, found, strict=True):
            row["id"] = evaluation.id
        session.execute(insert(Issue), [
            {"evaluation_id": one.id, "position": 0, "metric": "content", "rule": "invented-number",
             "field": "catalogA.DescriptionEN", "message": "a number no source has",
             "points": Decimal("0.5"), "product_type": one.product_type,
             "created_at": one.created_at}
            for one in found if one.issue_count
        ])  # fmt: skip
        for place, one in enumerate(found[:120]):
            session.add_all(_ratings(one, place, (ana, bento)))
    return made


def _ratings(one: Evaluation, place: int, people: Sequence[Identity]) -> list[Feedback]:
    """Two people near the machine, every tenth time far from it."""
    given = []
    for number, person in enumerate(people):
        shift = -2 if place % 10 == 0 else number % 2
        marks = {
            metric: min(5, max(1, round(float(getattr(one, metric))) + shift))
            for metric in ("structure", "content", "translation")
        }
        given.append(Feedback.of(
            one, person=person.person, person_name=person.name, **marks,
            overall=Decimal(str(round(0.2 * marks["structure"] + 0.5 * marks["content"]
                                      + 0.3 * marks["translation"], 2))),
            notes={"content": "invented"} if place % 10 == 0 else {},
        ))  # fmt: skip
    return given


def within(rows: list[Row], window: Window) -> list[Row]:
    return [row for row in rows if window.since <= row["created_at"].date() <= window.until]  # type: ignore[union-attr]


def test_the_first_tab_has_means_and_what_changed(runtime: Runtime, rows: list[Row]) -> None:
    with runtime.session() as session:
        found = executive(session, WINDOW)

    now, before = within(rows, WINDOW), within(rows, WINDOW.before)
    assert (found.now.evaluations, found.before.evaluations) == (len(now), len(before))
    assert found.now.overall == pytest.approx(fmean(float(row["overall"]) for row in now))
    assert found.before.content == pytest.approx(fmean(float(row["content"]) for row in before))
    assert found.now.good == pytest.approx(sum(row["overall"] >= 4 for row in now) / len(now))
    assert [one.day for one in found.trend] == sorted({row["created_at"].date() for row in now})
    assert {one.product_type for one in found.types} == set(TYPES)


def test_what_is_poor_is_told(runtime: Runtime, rows: list[Row]) -> None:
    with runtime.session() as session:
        alerts = executive(session, WINDOW).alerts

    assert any("poor" in one.what for one in alerts)
    assert all(one.cure for one in alerts)


def test_an_empty_catalog_has_figures_too(runtime: Runtime) -> None:
    empty = Window.last(7, date(2001, 1, 7))
    with runtime.session() as session:
        assert executive(session, empty).now.overall is None
        assert performance(session, empty).models == []
        assert quality(session, empty).bars == []
        assert isinstance(agreeing.overall_agreement(session, empty).kappa, Unsaid)
        assert agreeing.by_group(session, empty, "model") == {}


def test_models_are_compared_by_means_and_boxes(runtime: Runtime, rows: list[Row]) -> None:
    with runtime.session() as session:
        found = performance(session, WINDOW)

    now = within(rows, WINDOW)
    for one in found.models:
        scores = sorted(float(row["overall"]) for row in now if row["model"] == one.model)
        assert one.means.overall == pytest.approx(fmean(scores))
        assert one.box is not None
        assert one.box == sorted(one.box)
        assert one.box[2] == pytest.approx(scores[len(scores) // 2], rel=0.05)
    assert sum(cell.evaluations for cell in found.by_type) == len(now)


def test_correlations_follow_from_sums(runtime: Runtime, rows: list[Row]) -> None:
    with runtime.session() as session:
        found = quality(session, WINDOW)

    now = within(rows, WINDOW)
    for one in found.together:
        expected = correlation(
            [float(row[one.one]) for row in now], [float(row[one.other]) for row in now]
        )
        assert one.correlation == pytest.approx(expected)
    assert sum(bar.evaluations for bar in found.bars) == 3 * len(now)
    (criticism,) = found.criticisms
    assert criticism.times == sum(bool(row["issue_count"]) for row in now)


def test_agreement_is_told_with_intervals_and_cases(runtime: Runtime, rows: list[Row]) -> None:
    with runtime.session() as session:
        whole = Window.last(60, TODAY)
        found = agreeing.overall_agreement(session, whole)
        cases = agreeing.discrepancies(session, whole)

    assert found.n == 240
    assert isinstance(found.kappa_quadratic, Estimate)
    assert isinstance(found.coverage, Estimate)
    assert found.coverage.value == pytest.approx(120 / 400)
    assert cases[0].note == "content: invented"
    apart = [round(abs(one.machine - one.human), 6) for one in cases]
    assert apart == sorted(apart, reverse=True)


def test_a_cell_of_the_matrix_leads_to_its_cases(runtime: Runtime, rows: list[Row]) -> None:
    whole = Window.last(60, TODAY)
    with runtime.session() as session:
        worst = agreeing.discrepancies(session, whole, "content")[0]
        cell = {"machine": round(worst.machine + 1e-9), "human": int(worst.human)}
        found = agreeing.discrepancies(session, whole, "content", **cell)

    assert worst.evaluation_id in [one.evaluation_id for one in found]
    assert {one.human for one in found} == {cell["human"]}
    assert all(abs(one.machine - cell["machine"]) <= 0.5 for one in found)


def test_two_people_are_compared_with_each_other(runtime: Runtime, rows: list[Row]) -> None:
    with runtime.session() as session:
        found = agreeing.between_people(session, Window.last(60, TODAY))

    assert isinstance(found, Estimate)
    assert 0 < found.value <= 1


def test_agreement_by_an_unknown_group_is_refused(runtime: Runtime) -> None:
    with runtime.session() as session, pytest.raises(BadInput, match="weather"):
        agreeing.by_group(session, WINDOW, "weather")  # type: ignore[arg-type]


def test_people_are_listed_by_what_they_did(runtime: Runtime, rows: list[Row]) -> None:
    with runtime.session() as session:
        found = activities(session, Window(date(2026, 1, 1), date(2036, 1, 1)))

    people = {one.person: one for one in found.people}
    assert people["ana@example.com"].evaluations == len(rows)
    assert people["ana@example.com"].ratings == 120
    assert people["bento@example.com"].ratings == 120
    assert sum(one.actions for one in found.hours) >= 240


def test_figures_are_kept_and_never_older_than_the_tables(
    runtime: Runtime, rows: list[Row], ana: Identity
) -> None:
    with runtime.session() as session:
        before = executive(session, WINDOW).now.evaluations
    with acting(ana), runtime.session() as session:
        one = session.scalars(select(Evaluation).limit(1)).one()
        copied = {c.key: getattr(one, c.key) for c in Evaluation.__table__.columns if c.key != "id"}
        copied |= {"created_at": datetime(2026, 6, 30, 13, tzinfo=UTC), "created_by": uuid4()}
        session.execute(insert(Evaluation), [copied])
    with runtime.session() as session:
        assert executive(session, WINDOW).now.evaluations == before + 1

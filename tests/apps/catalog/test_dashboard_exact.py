"""The dashboard's figures, out of roll-ups and copies, are those of the rows: on either backend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import fmean
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from buttress.app import App
from buttress.apps.catalog import app
from buttress.apps.catalog.dashboard import Window, agreeing
from buttress.apps.catalog.dashboard.executive import Means, executive
from buttress.apps.catalog.dashboard.people import activities
from buttress.apps.catalog.dashboard.performance import performance
from buttress.apps.catalog.dashboard.quality import STEP, quality
from buttress.apps.catalog.models import (
    Correction,
    Evaluation,
    Extraction,
    Feedback,
    Issue,
    Product,
)
from buttress.apps.catalog.models.evaluations import METRICS
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.deployment import prepare

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
PEOPLE = ("ana@example.com", "bento@example.com")
MODELS = ("offline", "openai:a")
TYPES = ("cosmetics", "fragrance")


@dataclass(frozen=True)
class Made:
    """One product with its extraction, its evaluation and what came of it."""

    id: int
    at: datetime
    product_type: str
    model: str
    temperature: Decimal
    structure: Decimal
    content: Decimal
    translation: Decimal
    overall: Decimal
    cost: Decimal | None
    person: str
    issues: Sequence[str]
    ratings: Sequence[tuple[str, int, int, int]]
    """Who, and the three marks."""
    waits: bool
    corrected: bool


SCORES = st.integers(100, 500).map(lambda hundredths: Decimal(hundredths) / 100)
MARKS = st.integers(1, 5)
MADE = st.lists(
    st.builds(
        Made,
        id=st.just(0),
        at=st.integers(0, 9 * 24 * 3600 - 1).map(lambda seconds: BEGIN + timedelta(seconds=seconds)),
        product_type=st.sampled_from(TYPES),
        model=st.sampled_from(MODELS),
        temperature=st.sampled_from([Decimal("0.2"), Decimal("0.7")]),
        structure=SCORES, content=SCORES, translation=SCORES, overall=SCORES,
        cost=st.none() | st.sampled_from([Decimal("0.004"), Decimal("0.01")]),
        person=st.sampled_from(PEOPLE),
        issues=st.lists(st.sampled_from(["barcode", "brazilian"]), max_size=2),
        ratings=st.lists(
            st.tuples(st.sampled_from(PEOPLE), MARKS, MARKS, MARKS), max_size=2, unique_by=lambda r: r[0]
        ),
        waits=st.booleans(), corrected=st.booleans(),
    ),
    max_size=14,
)  # fmt: skip
WINDOWS = st.builds(
    Window.last,
    st.integers(1, 8),
    st.integers(0, 9).map(lambda day: (BEGIN + timedelta(days=day)).date()),
    product_type=st.none() | st.sampled_from(TYPES),
    model=st.none() | st.sampled_from(MODELS),
)


@pytest.fixture(scope="module", params=["postgresql", "sqlite"])
def database(
    request: pytest.FixtureRequest, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A deployment's tables, without a cache."""
    if request.param == "sqlite":
        file: Path = tmp_path_factory.mktemp("exact") / "catalog.db"
        apps: list[App] = [app]
        with closing(Database(f"sqlite:///{file}")) as opened:
            prepare(opened, apps)
            yield opened
        return
    template = request.getfixturevalue("prepared")
    name = f"{template}_exact"
    with psycopg.connect(servers.postgres_url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name} owner buttress_owner template {template}")
        with closing(Database(servers.postgres_url("app", name))) as opened:
            yield opened
        admin.execute(f"drop database {name} with (force)")


@given(made=MADE, window=WINDOWS, gone=st.sets(st.integers(1, 14), max_size=3))
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # a database takes minutes to shrink a few rows
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_figure_is_that_of_the_rows(
    database: Database, made: list[Made], window: Window, gone: set[int]
) -> None:
    made = [Made(**{**vars(one), "id": place}) for place, one in enumerate(made, 1)]
    with database.session() as session:
        write(session, made)
        session.execute(delete(Product).where(Product.id.in_(gone)))
        left = [one for one in made if one.id not in gone]
        for check in (first_tab, second_tab, third_tab, fourth_tab, peoples_work):
            check(session, left, window)
        session.rollback()


def write(session: Session, made: Sequence[Made]) -> None:
    """The rows of all tables."""
    if not made:
        return
    session.execute(insert(Product), [
        {"id": one.id, "product_type": one.product_type, "content": {}, "origins": {},
         "doubt": 2 if one.waits else 0, "created_by_name": one.person, "created_at": one.at}
        for one in made
    ])  # fmt: skip
    session.execute(insert(Extraction), [
        {"id": one.id, "product_id": one.id, "scope": "full", "model": one.model, "prompts": {},
         "temperature": one.temperature, "content": {}, "origins": {}, "notes": [],
         "seconds": one.id / 8, "cost_usd": one.cost, "created_at": one.at}
        for one in made
    ])  # fmt: skip
    for one in made:
        evaluation = Evaluation(
            id=one.id, product_id=one.id, extraction_id=one.id, product_type=one.product_type,
            brand="Oakleaf", name=f"Cream {one.id}", model=one.model, temperature=one.temperature,
            structure=one.structure, content=one.content, translation=one.translation,
            overall=one.overall, issue_count=len(one.issues), rules_version=1,
            created_by_name=one.person, created_at=one.at,
        )  # fmt: skip
        session.add(evaluation)
        session.flush()
        session.add_all(
            Issue(evaluation_id=one.id, position=place, metric="content", rule=rule, field="x",
                  message="y", points=Decimal("0.5"), product_type=one.product_type,
                  created_at=one.at)
            for place, rule in enumerate(one.issues)
        )  # fmt: skip
        session.add_all(
            Feedback.of(
                evaluation, person=UUID(int=PEOPLE.index(person) + 1), person_name=person,
                structure=structure, content=content, translation=translation, notes={},
                overall=human((person, structure, content, translation), "overall"),
                created_at=one.at + timedelta(hours=place),
            )
            for place, (person, structure, content, translation) in enumerate(one.ratings)
        )  # fmt: skip
        if one.corrected:
            session.add(Correction(
                product_id=one.id, extraction_id=one.id, path="x", before={}, after={},
                person_name=PEOPLE[0], created_at=one.at,
            ))  # fmt: skip
    session.flush()


def first_tab(session: Session, made: Sequence[Made], window: Window) -> None:
    found = executive(session, window)
    now = within(made, window)
    same_means(found.now, now)
    same_means(found.before, within(made, window.before))
    days = groups(now, lambda one: one.at.date())
    assert [(one.day, one.evaluations) for one in found.trend] == sorted(
        (day, len(of)) for day, of in days.items()
    )
    assert {one.product_type for one in found.types} == {one.product_type for one in now}
    for one in found.types:
        same_means(one.means, [row for row in now if row.product_type == one.product_type])
    waiting = sum(one.waits for one in made)
    told = [one.what for one in found.alerts if "doubtful" in one.what]
    wait = "product waits" if waiting == 1 else "products wait"
    assert told == ([f"{waiting} doubtful {wait} for a review"] if waiting else [])


def second_tab(session: Session, made: Sequence[Made], window: Window) -> None:
    now = within(made, window)
    keys: dict[agreeing.Group | None, Callable[[Made, str], str]] = {
        None: lambda _, __: "",
        "product_type": lambda one, _: one.product_type,
        "model": lambda one, _: one.model,
        "person_name": lambda _, person: person,
    }
    metrics: tuple[agreeing.Metric, ...] = ("overall", "structure", "content", "translation")
    for metric in metrics:
        for group, key in keys.items():
            expected = Counter(
                (key(one, rating[0]), float(getattr(one, metric)), float(human(rating, metric)))
                for one in now
                for rating in one.ratings
            )
            counted = agreeing.counted(session, window, metric, group)
            assert {row[:3]: row[3] for row in counted} == expected
        twice = agreeing.rated_twice(session, window, metric)
        assert {row[:2]: row[2] for row in twice} == Counter(
            tuple(float(human(rating, metric)) for rating in one.ratings)
            for one in now
            if len(one.ratings) == 2
        )
    assert agreeing.rated(session, window) == (sum(bool(one.ratings) for one in now), len(now))
    apart = sorted(
        (-abs(one.overall - human(rating, "overall")), -one.id)
        for one in now
        for rating in one.ratings
    )
    cases = agreeing.discrepancies(session, window)
    assert [
        (round(Decimal(-abs(c.machine - c.human)), 2), -c.evaluation_id) for c in cases
    ] == apart


def third_tab(session: Session, made: Sequence[Made], window: Window) -> None:
    found = performance(session, window)
    now = within(made, window)
    assert {one.model for one in found.models} == {one.model for one in now}
    for one in found.models:
        rows = [row for row in now if row.model == one.model]
        same_means(one.means, rows)
        # Every extraction of these days counts, whatever its type.
        spent = [row for row in within(made, Window(window.since, window.until))
                 if row.model == one.model]  # fmt: skip
        costs = [float(row.cost) for row in spent if row.cost is not None]
        assert one.seconds == pytest.approx(fmean(row.id / 8 for row in spent))
        assert (one.box is None) == (session.get_bind().dialect.name == "sqlite")
        assert one.cost_usd == (pytest.approx(fmean(costs)) if costs else None)
    for cells, other in ((found.by_type, "product_type"), (found.by_temperature, "temperature")):
        expected = groups(now, lambda one: (one.model, getattr(one, other)))  # noqa: B023
        told = {(cell.model, cell.other): cell for cell in cells}
        assert len(told) == len(expected)
        for (model, value), rows in expected.items():
            cell = next(c for (m, o), c in told.items() if m == model and same_value(o, value))
            assert cell.evaluations == len(rows)
            assert cell.overall == pytest.approx(fmean(float(row.overall) for row in rows))


def fourth_tab(session: Session, made: Sequence[Made], window: Window) -> None:
    found = quality(session, window)
    now = within(made, window)
    assert {(bar.metric, bar.score): bar.evaluations for bar in found.bars} == Counter(
        (metric, round(float(getattr(one, metric)) / STEP) * STEP)
        for one in now
        for metric in METRICS
    )
    untold = Window(window.since, window.until, window.product_type)  # not by model
    times = Counter(rule for one in within(made, untold) for rule in one.issues)
    assert {one.rule: one.times for one in found.criticisms} == times
    assert all(one.points == one.times / 2 for one in found.criticisms)


def peoples_work(session: Session, made: Sequence[Made], window: Window) -> None:
    found = activities(session, window)
    days = Window(window.since, window.until)
    now = within(made, days)
    given = [
        (rating[0], at)
        for one in made
        for place, rating in enumerate(one.ratings)
        if days.first <= (at := one.at + timedelta(hours=place)) < days.end
    ]
    corrected = [(PEOPLE[0], one.at) for one in now if one.corrected]
    done = [(one.person, one.at) for one in now] + given + corrected
    assert {one.person for one in found.people} == {person for person, _ in done}
    for one in found.people:
        rows = [row for row in now if row.person == one.person]
        assert (one.products, one.evaluations) == (len(rows), len(rows))
        mean = fmean(float(row.overall) for row in rows) if rows else None
        assert one.overall == (None if mean is None else pytest.approx(mean))
        assert one.ratings == sum(person == one.person for person, _ in given)
        assert one.corrections == sum(person == one.person for person, _ in corrected)
    assert {(one.weekday, one.hour): one.actions for one in found.hours} == Counter(
        (at.isoweekday(), at.hour) for _, at in done
    )


def same_means(found: Means, rows: Sequence[Made]) -> None:
    assert found.evaluations == len(rows)
    if not rows:
        assert found.overall is found.good is found.issues is None
        return
    for metric in ("overall", *METRICS):
        assert getattr(found, metric) == pytest.approx(
            fmean(float(getattr(r, metric)) for r in rows)
        )
    assert found.good == pytest.approx(fmean(row.overall >= 4 for row in rows))
    assert found.poor == pytest.approx(fmean(row.overall < 3 for row in rows))
    assert found.issues == pytest.approx(fmean(len(row.issues) for row in rows))


def within(made: Sequence[Made], window: Window) -> list[Made]:
    return [
        one
        for one in made
        if window.first <= one.at < window.end
        and window.product_type in (None, one.product_type)
        and window.model in (None, one.model)
    ]


def groups(made: Sequence[Made], key: Callable[[Made], Any]) -> dict[Any, list[Made]]:
    found: dict[Any, list[Made]] = {}
    for one in made:
        found.setdefault(key(one), []).append(one)
    return found


def human(rating: tuple[str, int, int, int], metric: str) -> Decimal:
    marks = dict(zip(METRICS, rating[1:], strict=True))
    if metric == "overall":
        return (marks["structure"] * 2 + marks["content"] * 5 + marks["translation"] * 3) / Decimal(
            10
        )
    return Decimal(marks[metric])


def same_value(told: str, value: object) -> bool:
    return told == value or (isinstance(value, Decimal) and Decimal(told) == value)

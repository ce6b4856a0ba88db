"""The catalog's dashboard over a million evaluations, beside what its original did."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks.move import fresh
from buttress.app import App
from buttress.apps.catalog import app
from buttress.apps.catalog.dashboard import Window, agreeing
from buttress.apps.catalog.dashboard.executive import executive, means
from buttress.apps.catalog.dashboard.people import activities
from buttress.apps.catalog.dashboard.performance import performance
from buttress.apps.catalog.dashboard.quality import quality
from buttress.apps.catalog.models import (
    BY_PERSON,
    DAILY,
    EXTRACTIONS,
    ISSUES,
    PRODUCTS,
    PRODUCTS_BY_HOUR,
    SCORES,
)
from buttress.apps.catalog.service import evaluations, products
from buttress.cache import Cache
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.rollups import fold, verify
from buttress.deployment import prepare
from buttress.settings import TimeoutSettings

TODAY = date(2026, 11, 20)
DAYS = 365
TURNS = 5
ROLLUPS = (BY_PERSON, DAILY, EXTRACTIONS, ISSUES, PRODUCTS, PRODUCTS_BY_HOUR, SCORES)
FILL = [
    """COPY_OF catalog_product (id, product_type, brand, name, content, origins, extraction_id,
        evaluation_id, overall, doubt, created_by_name, created_at)
    SELECT n, type, 'Brand ' || n % 90, 'Product ' || n, '{}', '{}', n, n, overall, n % 3,
        'person ' || n % 12, at FROM made""",
    """COPY_OF catalog_extraction (id, product_id, scope, model, temperature, prompts, content,
        origins, notes, seconds, cost_usd, created_at)
    SELECT n, n, 'full', model, temperature, '{}', '{}', '{}', '[]', 1 + n % 40, n % 70 / 1e4, at
    FROM made""",
    """COPY_OF catalog_evaluation (id, product_id, extraction_id, product_type, brand, name, model,
        temperature, structure, content, translation, overall, issue_count, rules_version,
        created_by_name, created_at)
    SELECT n, n, n, type, 'Brand ' || n % 90, 'Product ' || n, model, temperature, structure,
        content, translation, overall, n % 4, 1, 'person ' || n % 12, at FROM made""",
    """COPY_OF catalog_issue (evaluation_id, position, metric, rule, field, message, points,
        product_type, created_at)
    SELECT n, 0, 'content', 'rule ' || n % 23, 'catalogA.TitleEN', 'made up', 0.5, type, at
    FROM made WHERE n % 2 = 0""",
    """COPY_OF catalog_feedback (id, evaluation_id, person, person_name, structure, content,
        translation, overall, notes, created_at, evaluated_at, product_type, model,
        machine_structure, machine_content, machine_translation, machine_overall)
    SELECT n * 2 + p, n, lpad(to_hex(n * 7 % 5 + p + 1), 32, '0')::uuid,
        'person ' || n * 7 % 5 + p, rated[1], rated[2], rated[3],
        0.2 * rated[1] + 0.5 * rated[2] + 0.3 * rated[3], '{}', at,
        at, type, model, made.structure, made.content, made.translation, overall
    FROM made, generate_series(0, 1) p, LATERAL (SELECT ARRAY[
        least(5, greatest(1, round(structure) + (n * 31 + p) % 7 / 6)),
        least(5, greatest(1, round(content) - (n * 17 + p) % 5 / 4)),
        least(5, greatest(1, round(translation)))]::int[] AS rated) given
    WHERE n % 10 = 0 AND (p = 0 OR n % 50 = 0)""",
]
MADE = """
    CREATE TABLE made AS
    SELECT n, at, type, model, temperature, structure, content, translation,
        round(0.2 * structure + 0.5 * content + 0.3 * translation, 2) AS overall
    FROM (
        SELECT n, timestamptz '{today} 20:00Z' - make_interval(secs => n * {step}) AS at,
            (ARRAY['cosmetics', 'fragrance', 'supplement', 'variants', 'electronics'])[1 + n % 5]
                AS type,
            (ARRAY['offline', 'openai:a', 'openai:b', 'google:c', 'anthropic:d', 'mistral:e',
                'groq:f', 'ollama:g'])[1 + n * 7919 % 8] AS model,
            (n * 31 % 4) / 5.0 AS temperature,
            5 - round((n * 7907 % 251)::numeric / 100, 2) AS structure,
            5 - round((n * 6101 % 331)::numeric / 100, 2) AS content,
            5 - round((n * 5003 % 281)::numeric / 100, 2) AS translation
        FROM generate_series(1::bigint, {rows}) n
    ) one
"""
Tab = tuple[str, Callable[[Session, Window], Any]]


def around(session: Session, window: Window) -> None:
    """What the page asks before any tab: the choices, and whether there is anything."""
    products.choices(session)
    means(session, window)


def agreement(session: Session, window: Window) -> None:
    """All of the second tab."""
    agreeing.overall_agreement(session, window)
    agreeing.by_group(session, window, "product_type")
    agreeing.moved(session, window)
    agreeing.between_people(session, window)
    agreeing.discrepancies(session, window)


def investigation(session: Session, window: Window) -> None:
    """The list of the fifth tab and one whole record."""
    found = evaluations.listed(session, evaluations.Wanted(window), order="worst")
    evaluations.record(session, found[0].id)


TABS: list[Tab] = [
    ("around the tabs", around),
    ("executive", executive),
    ("agreement", agreement),
    ("performance", performance),
    ("quality", quality),
    ("investigation", investigation),
    ("people's activity", activities),
]


def lines(servers: Servers, quick: bool) -> list[str]:
    """A table in Markdown: each tab cold and cached, of a month and of all, and the original's way."""
    rows = 50_000 if quick else 1_000_000
    timeouts = TimeoutSettings.model_validate({"statement_seconds": 0})
    with (
        fresh(servers, "bench_catalog") as url,
        closing(Database(url, timeouts=timeouts)) as database,
    ):
        apps: list[App] = [app]
        prepare(database, apps)
        filled = _fill(database, rows)
        data = next(Path(servers.home).glob("**/global/pg_control")).parent.parent
        spans = [
            ("7 days", Window.last(7, TODAY)),
            ("30 days", Window.last(30, TODAY)),
            ("365 days", Window.last(DAYS, TODAY)),
            ("365 of a type", Window.last(DAYS, TODAY, product_type="fragrance")),
            ("365 of a model", Window.last(DAYS, TODAY, model="offline")),
        ]
        table = []
        for name, show in TABS:
            cells = [name]
            for _, window in spans:
                cold = _cold(database, show, window)
                with Cache(database, url=servers.valkey_url, data_folder=data):
                    cells.append(f"{cold:.0f} / {_cached(database, show, window):.1f}")
            table.append(cells)
        original = _original(database)
        with database.connection() as connection:
            exact = not any(verify(connection, one) for one in ROLLUPS)
    return [
        "## The catalog's dashboard",
        "",
        f"{rows:,} evaluations of as many products over {DAYS} days, every tenth rated, half of them "
        f"with a criticism, read in by COPY in {filled:.0f} s with triggers that keep "
        f"{len(ROLLUPS)} roll-ups, {'exact' if exact else 'WRONG'} in the end. Milliseconds cold, "
        "all queries and statistics of a tab without cache and nothing kept in the process, the "
        f"median of {TURNS}; then out of the cache, the median of 20. Products have no "
        "content here. The original loaded the whole table and grouped it in pandas. "
        f"{os.getloadavg()[2]:.0f} processes wanted the {os.cpu_count()} cores meanwhile.",
        "",
        f"| ms, cold / cached | {' | '.join(name for name, _ in spans)} |",
        f"| --- |{' --- |' * len(spans)}",
        *(f"| {' | '.join(cells)} |" for cells in table),
        f"| first tab as the original did it | | | {original:.0f} | | |",
    ]


def _fill(database: Database, rows: int) -> float:
    """Seconds it took to COPY everything."""
    with database.connection() as connection:
        step = DAYS * 86_400 / rows
        connection.execute(text(MADE.format(rows=rows, today=TODAY, step=step)))
    began = time.perf_counter()
    for statement in FILL:
        into, select = statement.removeprefix("COPY_OF ").split("\n    SELECT", 1)
        _copy(database, into, f"SELECT {select}")
    seconds = time.perf_counter() - began
    with database.connection() as connection:
        connection.execute(text("DROP TABLE made"))
        # As after some days of work: writers do it themselves in time.
        for rollup in ROLLUPS:
            fold(connection, rollup)
    with database.connection() as connection:
        connection.execute(text("ANALYZE"))
    return seconds


def _copy(database: Database, into: str, select: str) -> None:
    with database.connection() as reading, database.connection() as writing:
        source = reading.connection.driver_connection.cursor()
        target = writing.connection.driver_connection.cursor()
        with (
            source.copy(f"COPY ({select}) TO STDOUT") as out,
            target.copy(f"COPY {into} FROM STDIN") as copied,
        ):
            for piece in out:
                copied.write(piece)


def _cold(database: Database, show: Callable[[Session, Window], Any], window: Window) -> float:
    return statistics.median(_timed(database, show, window, forget=True) for _ in range(TURNS))


def _cached(database: Database, show: Callable[[Session, Window], Any], window: Window) -> float:
    for _ in range(3):
        _timed(database, show, window)
        time.sleep(0.01)
    return statistics.median(_timed(database, show, window) for _ in range(20))


def _timed(
    database: Database,
    show: Callable[[Session, Window], Any],
    window: Window,
    *,
    forget: bool = False,
) -> float:
    if forget:
        agreeing.forget()
    began = time.perf_counter()
    with database.session(read_only=True) as session:
        show(session, window)
    return (time.perf_counter() - began) * 1000


def _original(database: Database) -> float:
    """Milliseconds to load every row and group it, as the original did on each visit."""
    began = time.perf_counter()
    with database.connection(read_only=True) as connection:
        found: Sequence[Any] = connection.execute(text("SELECT * FROM catalog_evaluation")).all()
    frame = pd.DataFrame(found)
    scores = ["structure", "content", "translation", "overall"]
    frame[scores] = frame[scores].astype(float)
    frame[scores].mean()
    frame.groupby(frame["created_at"].dt.date)["overall"].mean()
    frame.groupby("product_type")[scores].mean()
    return (time.perf_counter() - began) * 1000

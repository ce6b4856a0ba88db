"""An older tool's SQLite file is moved in, and its data is there."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select, text
from streamlit.testing.v1 import AppTest

from buttress.access import Identity
from buttress.apps.catalog.models import Evaluation, Feedback, Product
from buttress.apps.catalog.service import adopting, products
from buttress.db.embedded import Servers
from buttress.errors import NotFound
from buttress.mover import move
from buttress.runtime import Runtime
from buttress.ui.current import serve

SCHEMA = """
    CREATE TABLE users (id TEXT PRIMARY KEY, username TEXT, password_hash TEXT);
    CREATE TABLE production_models (id INTEGER PRIMARY KEY, provider TEXT, model_name TEXT,
        temperature REAL);
    CREATE TABLE evaluations (id INTEGER PRIMARY KEY, product_config_id TEXT, input_text TEXT,
        extracted_json TEXT, structure_score INTEGER, accuracy_score INTEGER,
        translation_score INTEGER, overall_score REAL, llm_reasoning TEXT, evaluation_model TEXT,
        product_type TEXT, brand TEXT, product_name TEXT, user_id TEXT, created_by_username TEXT,
        created_by_name TEXT, production_model_id INTEGER REFERENCES production_models(id),
        created_at TIMESTAMP);
    CREATE TABLE human_feedback (id INTEGER PRIMARY KEY, evaluation_id INTEGER
        REFERENCES evaluations(id) ON DELETE CASCADE, human_rating INTEGER, notes TEXT,
        username TEXT, created_at TIMESTAMP);
"""
CREAM = {
    "catalogA": {"TitleEN": "Hydra Calm", "brand": "Oakleaf"},
    "catalogB": {"Subtypes": [{"EAN": "5601234567893", "ItemCapacity": 50}]},
}


@pytest.fixture(scope="module")
def prototype(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("old") / "prototype.db"
    at = "2025-08-05 09:00:00"
    rows = [
        (1, "c1", "Hydra Calm 50 ml", json.dumps(CREAM), 4, 5, 3, 4.2, "content: fine", "judge",
         "cosmetics", "Oakleaf", "Hydra Calm", "u1", "ana", "Ana", 1, at),
        (2, "c1", "Hydra Calm 50 ml", json.dumps(CREAM), 5, 5, 5, 5.0, "", "judge",
         "cosmetics", "Oakleaf", "Hydra Calm", "u1", "ana", "Ana", 1, at),
        (3, "c2", "a phone", json.dumps({}), 2, 2, 2, 2.0, "", "judge",
         "tech", "Beech", "Phone", "u1", "ana", "Ana", None, at),
        (4, "c3", "?", "not JSON", 1, 1, 1, 1.0, "", "judge",
         "cosmetics", "", "", None, "ana", "Ana", None, at),
    ]  # fmt: skip
    with closing(sqlite3.connect(path)) as old:
        old.executescript(SCHEMA)
        old.execute("INSERT INTO production_models VALUES (1, 'groq', 'llama-3.3-70b', 0.1)")
        old.executemany(f"INSERT INTO evaluations VALUES ({', '.join('?' * 18)})", rows)
        old.execute("INSERT INTO human_feedback VALUES (1, 1, 3, 'too long', 'bento', ?)", (at,))
        old.commit()
    return path


def test_without_such_tables_it_is_said_what_to_do(runtime: Runtime) -> None:
    with runtime.session() as session, pytest.raises(NotFound) as refused:
        adopting.adopt(session)
    assert "buttress move" in (refused.value.hint or "")


def test_a_moved_prototype_becomes_products(
    runtime: Runtime, servers: Servers, prototype: Path
) -> None:
    with runtime.session() as session:
        name = session.connection().engine.url.database
    assert name is not None
    moved = move(prototype, servers.postgres_url("owner", name), schema="prototype")
    assert moved.verdict == "proven"
    with runtime.session() as session:
        assert adopting.waiting(session) == 4
        adopted = adopting.adopt(session)
        assert adopting.waiting(session) == 0

    assert (adopted.products, adopted.evaluations, adopted.feedback) == (2, 3, 1)
    (left,) = adopted.left
    assert left.startswith("evaluations 4")

    with runtime.session() as session:
        cream, phone = session.scalars(select(Product).order_by(Product.id)).all()
        assert (cream.name, cream.brand, phone.product_type) == (
            "Hydra Calm",
            "Oakleaf",
            "electronics",
        )
        whole = products.whole(session, cream.id)
        assert len(whole.extractions) == 2
        assert whole.extraction.model == "groq:llama-3.3-70b"
        assert whole.product.content["catalogB"]["Subtypes"][0]["EAN"] == "5601234567893"
        first = session.scalars(select(Evaluation).order_by(Evaluation.id)).first()
        assert first is not None
        assert (first.structure, first.content, first.overall) == (4, 5, Decimal("4.20"))
        rating = session.scalars(select(Feedback)).one()
        assert (rating.person_name, rating.content, rating.notes) == (
            "bento",
            3,
            {"content": "too long"},
        )


def test_taken_over_twice_it_is_there_once(runtime: Runtime) -> None:
    with runtime.session() as session:
        again = adopting.adopt(session)

    assert (again.evaluations, again.already) == (0, 3)


def test_the_page_offers_what_came_later(runtime: Runtime, ana: Identity) -> None:
    def page(who: object) -> None:
        from buttress.access import acting
        from buttress.apps.catalog.pages import older_tool

        with acting(who):  # type: ignore[arg-type]
            older_tool.offer()

    with runtime.owner_database.session() as session:
        session.execute(
            text(
                "UPDATE prototype.evaluations SET extracted_json = '{}', brand = 'Later' WHERE id = 4"
            )
        )
    serve(runtime)
    shown = AppTest.from_function(page, default_timeout=60, kwargs={"who": ana}).run()
    assert "1 evaluation of an older tool" in str(shown.markdown[0].value)
    shown.button[0].click().run()

    assert "1 product with 1 evaluation and 0 ratings." in str(shown.success[0].value)
    with runtime.session() as session:
        assert session.scalar(select(Product.id).where(Product.brand == "Later")) is not None

    fresh = AppTest.from_function(page, default_timeout=60, kwargs={"who": ana}).run()
    assert not fresh.markdown


def test_what_fits_no_product_is_told_once_and_offered_no_more(
    runtime: Runtime, ana: Identity
) -> None:
    def page(who: object) -> None:
        from buttress.access import acting
        from buttress.apps.catalog.pages import older_tool

        with acting(who):  # type: ignore[arg-type]
            older_tool.offer()

    with runtime.owner_database.session() as session:
        columns = "product_type, extracted_json, structure_score, accuracy_score, overall_score"
        session.execute(
            text(
                f"INSERT INTO prototype.evaluations (id, {columns}, translation_score) VALUES "
                "(5, 'cosmetics', '{}', 4, 4, 4, NULL), (6, 'furniture', '{}', 4, 4, 4, 4)"
            )
        )
    serve(runtime)
    shown = AppTest.from_function(page, default_timeout=60, kwargs={"who": ana}).run()
    assert "2 evaluations of an older tool" in str(shown.markdown[0].value)
    shown.button[0].click().run()

    assert shown.expander[0].label == "2 evaluations left out"
    assert [line.value for line in shown.text] == [
        "evaluations 5: it has no translation_score",
        "evaluations 6: 'furniture' is not a valid ProductType",
    ]
    fresh = AppTest.from_function(page, default_timeout=60, kwargs={"who": ana}).run()
    assert not fresh.markdown

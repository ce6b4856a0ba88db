"""What `buttress demo` moves in becomes products, though its prototype names things otherwise."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import undefer

from buttress.apps.catalog.dashboard import Window
from buttress.apps.catalog.dashboard.executive import means
from buttress.apps.catalog.models import Evaluation, Product
from buttress.apps.catalog.service import adopting
from buttress.db.embedded import Servers
from buttress.demo import build_prototype
from buttress.mover import move
from buttress.runtime import Runtime

EVER = Window(date(2000, 1, 1), date(2100, 1, 1))
PRODUCTS = 300
SPOILT = 5
"""Ratings at most that a move has to leave in quarantine."""


def test_the_demos_evaluations_are_taken_over_and_in_the_dashboard(
    runtime: Runtime, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with runtime.session() as session:
        name = session.connection().engine.url.database
    assert name is not None
    source = build_prototype(tmp_path / "prototype.db", products=PRODUCTS)
    move(source, servers.postgres_url("owner", name), schema="prototype")
    monkeypatch.setattr(adopting, "AT_ONCE", 200)  # evaluations of one product in two parts too

    told: list[int] = []
    with runtime.session() as session:
        waiting = adopting.waiting(session)
        adopted = adopting.adopt(session, tell=told.append)

    with closing(sqlite3.connect(source)) as there:
        (ratings,) = there.execute("SELECT count(*) FROM human_feedback").fetchone()
    assert adopted.left == []
    assert (adopted.evaluations, adopted.products) == (waiting, PRODUCTS)
    assert told == [200, waiting]
    assert ratings - SPOILT <= adopted.feedback <= ratings
    with runtime.session() as session:
        assert adopting.waiting(session) == 0
        assert means(session, EVER).evaluations == waiting
        product = session.scalars(select(Product).options(undefer(Product.content))).first()
        assert product is not None
        (variant,) = product.content["catalogB"]["Subtypes"]
        assert variant["ItemCapacity"] > 0
        assert product.created_by_name.startswith("user")
        models = session.scalars(select(Evaluation.model).distinct())
        assert {model.partition(":")[0] for model in models} == {
            "openai", "groq", "google", "anthropic",
        }  # fmt: skip

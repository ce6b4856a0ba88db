"""The demo's prototype: the same for everybody, and as flawed as it should be."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from buttress.demo import build_prototype


def test_the_same_seed_builds_the_same_file(tmp_path: Path) -> None:
    first = build_prototype(tmp_path / "a.db", products=50, seed=7)
    second = build_prototype(tmp_path / "b.db", products=50, seed=7)
    other = build_prototype(tmp_path / "c.db", products=50, seed=8)

    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_the_file_appears_only_when_complete(tmp_path: Path) -> None:
    build_prototype(tmp_path / "demo" / "a.db", products=50)

    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["a.db"]


def test_the_prototype_is_sound_but_for_its_planted_flaws(tmp_path: Path) -> None:
    path = build_prototype(tmp_path / "a.db", products=1_300)
    connection = sqlite3.connect(path)
    connection.text_factory = bytes

    def one(query: str) -> object:
        return connection.execute(query).fetchone()[0]

    assert one("PRAGMA integrity_check") == b"ok"
    assert one("SELECT count(*) FROM product_configurations") == 1_300
    assert len(connection.execute("PRAGMA foreign_key_check").fetchall()) == 1
    assert (
        one("SELECT notes FROM human_feedback WHERE id = 207") == b"S\xc3\xa9rum\x0030 ml: errado"
    )
    assert one("SELECT notes FROM human_feedback WHERE id = 101") == b"Tradu\xe7\xe3o literal."
    assert one("SELECT is_template FROM product_configurations WHERE rowid = 640") == 2
    assert one("SELECT typeof(duration_seconds) FROM user_activity WHERE id = 77") == b"text"
    assert one("SELECT latency_ms FROM evaluations WHERE id = 31") == float("inf")
    connection.close()

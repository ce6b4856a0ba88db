"""Following a source that is written to, and the cut-over."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from buttress.errors import Conflict, NotFound
from buttress.mover.live import changes
from buttress.mover.live.follow import begin, cutover, follow
from buttress.settings import Settings
from oracle import assert_every_row_is_accounted_for

SCHEMA = """
CREATE TABLE owner(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, flag BOOLEAN);
CREATE TABLE item(id INTEGER PRIMARY KEY, owner INTEGER REFERENCES owner(id) ON DELETE CASCADE, note TEXT, n REAL, any);
CREATE TABLE tag(item INTEGER, word TEXT COLLATE NOCASE, PRIMARY KEY(item, word)) WITHOUT ROWID;
CREATE TABLE log(what TEXT, at TEXT);
CREATE TRIGGER item_log AFTER INSERT ON item BEGIN INSERT INTO log VALUES ('item ' || new.id, '2024'); END;
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SCHEMA)
        connection.executemany(
            "INSERT INTO owner(name, flag) VALUES (?, ?)", ((f"o{i}", i % 2) for i in range(50))
        )
        connection.executemany(
            "INSERT INTO item(owner, note, n, any) VALUES (?, ?, ?, ?)",
            ((i % 50 + 1, f"note {i}", i / 3, i) for i in range(500)),
        )
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def write_at_random(path: Path, seed: int, statements: int) -> None:
    chance = random.Random(seed)
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        for number in range(statements):
            key = chance.randrange(1, 700)
            text = chance.choice(["x", "", "a\0b", "é", str(number)])
            connection.execute(
                chance.choice(
                    [
                        "INSERT OR REPLACE INTO item(id, owner, note, n, any) VALUES (:k, 1, :t, :k / 7.0, :t)",
                        "UPDATE item SET note = :t, any = :k WHERE id = :k",
                        "UPDATE OR REPLACE item SET id = id + 10000 WHERE id = :k",
                        "DELETE FROM item WHERE id = :k",
                        "INSERT OR REPLACE INTO owner(name, flag) VALUES ('o' || (:k % 60), :k % 3)",
                        "INSERT OR REPLACE INTO tag VALUES (:k % 20, :t)",
                        "UPDATE OR REPLACE tag SET word = upper(word) WHERE item = :k % 20",
                        "INSERT INTO log VALUES (:t, :k)",
                    ]
                ),
                {"k": key, "t": text},
            )


def test_changes_of_every_kind_arrive_and_the_cut_over_proves_them(
    source: Path, settings: Settings, database_url: str, conninfo: str
) -> None:
    begin(source, database_url, settings=settings, schema="app")
    write_at_random(source, 1, 2_000)

    result = cutover(source, database_url, schema="app", settings=settings)

    assert result.report.verdict == "proven with rows in quarantine"
    assert result.copied_again == ["log"]
    assert_every_row_is_accounted_for(source, conninfo, result.report.plan, "app")


def test_a_follower_catches_up_while_others_write(
    source: Path, settings: Settings, database_url: str, conninfo: str
) -> None:
    begin(source, database_url, settings=settings, schema="app")
    stop, told = threading.Event(), []
    follower = threading.Thread(
        target=follow,
        args=(source, database_url),
        kwargs={
            "schema": "app",
            "settings": settings,
            "stop": stop,
            "told": lambda rows, caught_up: told.append(rows),
        },
    )
    follower.start()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", f"import test_move_live as t, pathlib; t.write_at_random(pathlib.Path({str(source)!r}), {seed}, 300)"],
            cwd=Path(__file__).parent,
            env={"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[1]}"},
        )
        for seed in (2, 3)
    ]  # fmt: skip
    for writer in writers:
        assert writer.wait(timeout=120) == 0

    result = cutover(source, database_url, schema="app", settings=settings)

    follower.join(timeout=30)
    assert not follower.is_alive()
    assert sum(told) > 0
    assert result.report.exit_code in (0, 3)
    assert_every_row_is_accounted_for(source, conninfo, result.report.plan, "app")


def test_after_the_cut_over_the_source_refuses_writes_and_ids_continue(
    source: Path, settings: Settings, database_url: str, conninfo: str
) -> None:
    begin(source, database_url, settings=settings, schema="app")
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("INSERT INTO owner(name) VALUES ('last')")
    cutover(source, database_url, schema="app", settings=settings)

    with (
        closing(sqlite3.connect(source)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="moved to PostgreSQL"),
    ):
        connection.execute("INSERT INTO owner(name) VALUES ('too late')")
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(
            "insert into app.owner(name) values ('new') returning id"
        ).fetchone()
        connection.execute("insert into app.item(owner, note) values (51, 'n')")
        logged = connection.execute("select count(*) from app.log").fetchone()
    assert row == (52,)
    assert logged == (501,), "triggers work again"


def test_abandon_leaves_no_trace(source: Path, settings: Settings, database_url: str) -> None:
    def objects() -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(source)) as connection:
            return (
                connection.execute(
                    "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"
                ).fetchall()
                + connection.execute("SELECT * FROM sqlite_sequence").fetchall()
            )

    before = objects()
    begin(source, database_url, settings=settings, schema="app")
    assert objects() != before

    changes.remove(source)

    assert objects() == before


def test_altered_tables_stop_the_cut_over(
    source: Path, settings: Settings, database_url: str
) -> None:
    begin(source, database_url, settings=settings, schema="app")
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("ALTER TABLE item ADD COLUMN later TEXT")

    with pytest.raises(Conflict, match="altered"):
        cutover(source, database_url, schema="app", settings=settings)


def test_a_source_that_is_not_followed_cannot_be_cut_over(
    source: Path, settings: Settings, database_url: str
) -> None:
    with pytest.raises(NotFound, match="does not follow"):
        cutover(source, database_url, schema="app", settings=settings)


def test_a_failed_beginning_takes_its_triggers_out(
    source: Path, settings: Settings, database_url: str, conninfo: str
) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute("create schema app; create table app.taken(id int)")

    with pytest.raises(Conflict, match="already holds"):
        begin(source, database_url, settings=settings, schema="app")

    assert changes.remove(source) == 0

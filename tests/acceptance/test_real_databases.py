"""Databases nobody made for us move whole, with their keys, constraints and views."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from buttress import move
from oracle import assert_every_row_is_accounted_for
from real_databases import REAL_DATABASES, RealDatabase, fetch


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("database", REAL_DATABASES, ids=lambda d: d.name)
def test_a_real_database_moves_whole(
    database: RealDatabase, database_url: str, conninfo: str, tmp_path: Path
) -> None:
    source = fetch(database)

    report = move(source, database_url, report=tmp_path / "report")

    assert report.exit_code in (0, 3)
    counts = assert_every_row_is_accounted_for(source, conninfo, report.plan)
    assert sum(moved for moved, _ in counts.values()) > 0
    _assert_objects_are_carried_or_listed(source, conninfo, report)


def _assert_objects_are_carried_or_listed(source: Path, conninfo: str, report) -> None:
    listed = {item.name for item in report.not_carried}
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as lite:
        wanted = {
            (kind, name)
            for kind, name in lite.execute(
                "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND type <> 'table'"
            )
        }
    with psycopg.connect(conninfo) as connection:
        present = {
            name
            for (name,) in connection.execute(
                "select relname from pg_class where relnamespace = 'public'::regnamespace "
                "union select tgname from pg_trigger where not tgisinternal"
            )
        }
    # Names longer than 63 bytes are shortened.
    plan = report.plan
    targets = {thing.name: thing.target for thing in [*plan.views, *plan.triggers]}
    targets |= {index.name: index.target for table in plan.tables for index in table.indexes}
    missing = {
        (kind, name)
        for kind, name in wanted
        if targets.get(name, name) not in present and name not in listed
    }
    assert not missing

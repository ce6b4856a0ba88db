"""Every odd database moves whole: each value in place or in quarantine, and the proof says so."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from buttress import move
from oracle import assert_every_row_is_accounted_for
from torture import CASES


def build(path: Path, script: str) -> Path:
    connection = apsw.Connection(str(path))
    connection.execute(script)
    connection.close()
    return path


@pytest.mark.parametrize("name", CASES)
def test_every_value_is_in_place_or_in_quarantine(
    name: str, tmp_path: Path, database_url: str, conninfo: str
) -> None:
    source = build(tmp_path / "source.db", CASES[name])

    report = move(source, database_url, report=tmp_path / "report")

    assert report.verdict in ("proven", "proven with rows in quarantine")
    counts = assert_every_row_is_accounted_for(source, conninfo, report.plan)
    assert {p.table: (p.proven, p.quarantined) for p in report.proof.tables} == counts


def test_the_whole_corpus_moves_as_one_file(
    tmp_path: Path, database_url: str, conninfo: str
) -> None:
    source = tmp_path / "all.db"
    build(source, "CREATE TABLE first(id INTEGER PRIMARY KEY);")
    for number, script in enumerate(CASES.values()):
        if "PRAGMA" in script:
            continue
        part = build(tmp_path / f"part{number}.db", script)
        _merge(source, part, f"m{number}_")

    report = move(source, database_url, report=tmp_path / "report")

    assert report.verdict == "proven with rows in quarantine"
    assert_every_row_is_accounted_for(source, conninfo, report.plan)


def _merge(whole: Path, part: Path, prefix: str) -> None:
    connection = apsw.Connection(str(whole))
    connection.execute("ATTACH ? AS part", (str(part),))
    names = [
        name
        for (name,) in connection.execute(
            "SELECT name FROM part.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
            "AND sql NOT LIKE 'CREATE VIRTUAL%'"
        )
    ]
    for name in names:
        quoted = name.replace('"', '""')
        connection.execute(f'CREATE TABLE "{prefix}{quoted}" AS SELECT * FROM part."{quoted}"')
    connection.close()

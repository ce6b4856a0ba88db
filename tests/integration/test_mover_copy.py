"""Copying chunks: every value arrives as it is or is kept, whole, in quarantine."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from buttress.errors import Unavailable
from buttress.mover import stage
from buttress.mover.loading import copy_chunk, encode
from buttress.mover.loading.copy import Chunk, Copied, chunks, copy_all
from buttress.mover.plan import Column, Plan, Table
from buttress.mover.source.snapshot import open_snapshot
from buttress.mover.target import Target
from buttress.mover.values import Unholdable, rule, timestamp_rules

STAGING = "public__move_copy"


@pytest.fixture
def target(conninfo: str) -> Target:
    return Target(conninfo, "the test's server", "public", STAGING)


@pytest.fixture
def staging(target: Target) -> Iterator[psycopg.Connection]:
    with closing(target.connect(autocommit=True)) as connection:
        yield connection


def build(path: Path, *script: str) -> Path:
    with closing(apsw.Connection(str(path))) as connection:
        for statement in script:
            connection.execute(statement)
    return path


def series(first: int, last: int) -> str:
    """A table expression with the integers of a range as `value`."""
    return (
        f"(WITH RECURSIVE s(value) AS (SELECT {first} UNION ALL SELECT value + 1 FROM s"
        f" WHERE value < {last}) SELECT value FROM s)"
    )


def planned(source: Path, rules: dict[str, str], **more: Any) -> Plan:
    """A plan for the table `t` of a source, with these rules for its columns."""
    with closing(open_snapshot(source)) as snapshot:
        encoding = str(snapshot.pragma("encoding"))
        options: dict[str, Any] = {"rowid": "rowid", "key": [], "rows": 0, **more}
        if options["rowid"]:
            with contextlib.suppress(apsw.CorruptError):
                bounds = snapshot.execute("SELECT count(*), min(rowid), max(rowid) FROM t").get
                options["rows"], options["first_rowid"], options["last_rowid"] = bounds
    columns = [
        Column(name=name, target=name, type=rule(crossing).type, rule=crossing)
        for name, crossing in rules.items()
    ]
    table = Table(name="t", target="t", columns=columns, **options)
    return Plan(source=str(source), encoding=encoding, tables=[table])


def copied(
    plan: Plan, target: Target, *, workers: int = 1, rows_per_chunk: int = 50_000
) -> list[Copied]:
    """Stage the plan, copy all its chunks, and return what became of each."""
    with closing(target.connect()) as connection:
        assert stage.prepare(connection, plan, target) == []
        connection.commit()
    done: list[Copied] = []
    copy_all(
        plan,
        Path(plan.source),
        target,
        chunks(plan, rows_per_chunk),
        workers=workers,
        progress=lambda _, copied: done.append(copied),
    )
    return done


def found(connection: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode()).fetchall()


def quarantined(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return found(
        connection,
        "SELECT row_id, row_key, column_name, reason, raw, row_values"
        " FROM buttress_quarantine ORDER BY row_id, id",
    )


def test_numbers_arrive_with_every_bit(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    reals = [0.1, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308]
    reals += [math.inf, -math.inf, 0.30000000000000004, 9007199254740993.0, 1.0, -1e-7]
    integers = [2**63 - 1, -(2**63), 0, -1, 2**53 + 1, 1, 2, 3, 4, 5, 6, 7]
    source = build(tmp_path / "a.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, i, r)")
    with closing(apsw.Connection(str(source))) as lite:
        lite.executemany("INSERT INTO t(i, r) VALUES (?, ?)", zip(integers, reals, strict=True))
        lite.execute("INSERT INTO t(i, r) VALUES (NULL, NULL)")
    plan = planned(source, {"id": "integer", "i": "integer", "r": "real"}, key=["id"])

    assert copied(plan, target) == [Copied(rows=13, quarantined=0, unreadable=[])]

    rows = found(staging, "SELECT i, float8send(r) FROM t ORDER BY id")
    wanted = [(i, struct.pack(">d", r)) for i, r in zip(integers, reals, strict=True)]
    assert rows == [*wanted, (None, None)]


def test_text_and_blobs_arrive_byte_by_byte(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    texts = ["", "a\tb\\N\n\r", "é—ż 😀", "\ufeffx\uffff", "\x01\x1f\x7f", None, "x" * 300_000]
    blobs = [b"", bytes(range(256)), b"\0", None, b"\xff" * 70_000, b"PGCOPY\n", b"\\x00"]
    source = build(tmp_path / "a.db", "CREATE TABLE t(s TEXT, b BLOB)")
    with closing(apsw.Connection(str(source))) as lite:
        lite.executemany("INSERT INTO t VALUES (?, ?)", zip(texts, blobs, strict=True))

    copied(planned(source, {"s": "text", "b": "blob"}), target)

    assert found(staging, "SELECT s, b FROM t") == list(zip(texts, blobs, strict=True))
    assert quarantined(staging) == []


@pytest.mark.parametrize("rowid", ["", "WITHOUT ROWID"])
@pytest.mark.parametrize("large", [1, 100, 150, 200])
def test_large_cells_among_small_ones_leave_no_row_out(
    tmp_path: Path, target: Target, staging: psycopg.Connection, rowid: str, large: int
) -> None:
    source = build(
        tmp_path / "a.db",
        f"CREATE TABLE t(k INTEGER PRIMARY KEY, b BLOB) {rowid}",
        f"INSERT INTO t SELECT value, zeroblob(iif(value = {large}, 500000, 5))"
        f" FROM {series(1, 200)}",
    )
    plan = planned(source, {"k": "integer", "b": "blob"}, rowid="" if rowid else "rowid", key=["k"])

    copied(plan, target)

    rows = found(staging, "SELECT k, length(b) FROM t ORDER BY k")
    assert rows == [(k, 500_000 if k == large else 5) for k in range(1, 201)]


def test_a_table_named_like_one_of_postgresqls_own_is_filled(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(tmp_path / "a.db", "CREATE TABLE t(oid TEXT)", "INSERT INTO t VALUES ('x')")
    plan = planned(source, {"oid": "text"}, rowid="rowid")
    plan.tables[0].target = "pg_class"

    assert copied(plan, target)[0].rows == 1

    assert found(staging, f"SELECT oid FROM {STAGING}.pg_class") == [("x",)]


def test_rowids_at_both_ends_and_far_apart_are_copied_once(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    rowids = sorted([2**63 - 1, -(2**63), -1, 0, 1, 5_000_000_000, *range(100, 200)])
    source = build(tmp_path / "a.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT)")
    with closing(apsw.Connection(str(source))) as lite:
        lite.executemany("INSERT INTO t VALUES (?, ?)", ((i, str(i)) for i in rowids))
    plan = planned(source, {"id": "integer", "s": "text"}, key=["id"])

    done = copied(plan, target, rows_per_chunk=10)

    assert len(done) == 11
    assert [i for (i,) in found(staging, "SELECT id FROM t ORDER BY id")] == rowids


def test_a_bad_row_is_kept_whole_and_takes_no_other_along(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(
        tmp_path / "a.db",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, n INTEGER, r REAL, b BLOB)",
        "INSERT INTO t SELECT value, 'text ' || value, value, value / 7.0, x'00'"
        f" FROM {series(1, 3000)}",
        "UPDATE t SET s = 'a' || char(0) || 'b' WHERE id = 10",
        "UPDATE t SET s = CAST(x'61ff62' AS TEXT) WHERE id = 11",
        "UPDATE t SET s = CAST(x'eda080' AS TEXT), n = 'N/A' WHERE id = 2000",
        "UPDATE t SET n = 2.5 WHERE id = 2999",
        "UPDATE t SET n = NULL, r = 'x', b = 'blob?' WHERE id = 3000",
    )
    plan = planned(
        source, {"id": "integer", "s": "text", "n": "integer", "r": "real", "b": "blob"}, key=["id"]
    )
    [done] = copied(plan, target)

    assert (done.rows, done.quarantined) == (2995, 5)
    kept = quarantined(staging)
    assert [row[:3] for row in kept] == [
        (10, "[10]", "s"),
        (11, "[11]", "s"),
        (2000, "[2000]", "s"),
        (2999, "[2999]", "n"),
        (3000, "[3000]", "r"),
    ]
    assert [row[4] for row in kept] == [b"a\0b", b"a\xffb", b"\xed\xa0\x80", b"2.5", b"x"]
    assert "U+0000" in kept[0][3]
    assert kept[1][5] == {
        "id": ["integer", "11"],
        "s": ["text:hex", "61ff62"],
        "n": ["integer", "11"],
        "r": ["real", repr(11 / 7)],
        "b": ["blob", "00"],
    }
    assert kept[0][5]["s"] == ["text:hex", "610062"]
    assert kept[2][5]["n"] == ["text", "N/A"]
    assert kept[4][5]["n"] == ["null", ""]
    assert kept[4][5]["b"] == ["text", "blob?"]
    assert found(staging, "SELECT count(*), sum(id) FROM t") == [(2995, 3000 * 3001 // 2 - 8020)]


def test_an_integer_among_reals_is_never_made_a_real(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(tmp_path / "a.db", "CREATE TABLE t(r)", "INSERT INTO t VALUES (1.0), (1), (2.5)")
    plan = planned(source, {"r": "real"})
    plan.tables[0].columns[0].seen = {"real": 2, "integer": 1}

    [done] = copied(plan, target)

    assert (done.rows, done.quarantined) == (2, 1)
    assert quarantined(staging)[0][5] == {"r": ["integer", "1"]}


@pytest.mark.parametrize("encoding", ["UTF-16le", "UTF-16be"])
def test_lone_surrogates_of_a_utf16_source_are_quarantined_with_their_bytes(
    tmp_path: Path, target: Target, staging: psycopg.Connection, encoding: str
) -> None:
    codec = encoding.lower().replace("16", "-16-").replace("utf--", "utf-")
    lone = "a\ud800b".encode(codec, "surrogatepass")
    source = build(
        tmp_path / "a.db",
        f"PRAGMA encoding = '{encoding}'",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT)",
        "INSERT INTO t VALUES (1, 'naïve 😀'), (2, ''), (4, 'z'), (5, NULL)",
        f"INSERT INTO t VALUES (3, CAST(x'{lone.hex()}' AS TEXT))",
    )
    plan = planned(source, {"id": "integer", "s": "text"}, key=["id"])

    copied(plan, target)

    rows = found(staging, "SELECT id, s FROM t ORDER BY id")
    assert rows == [(1, "naïve 😀"), (2, ""), (4, "z"), (5, None)]
    [kept] = quarantined(staging)
    assert (kept[0], kept[4], kept[5]["s"]) == (3, lone, ["text:hex", lone.hex()])


def test_minority_cells_of_a_mixed_column_are_listed(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(
        tmp_path / "a.db",
        "CREATE TABLE t(k, v)",
        "INSERT INTO t VALUES (1, 'x'), ('1', 1), (1, x'31'), (2, 1.0), (2, NULL), (2, '')",
    )
    plan = planned(source, {"k": "mixed", "v": "mixed"})
    plan.tables[0].columns[0].usual = "integer"
    plan.tables[0].columns[1].usual = "text"

    copied(plan, target)

    assert found(staging, "SELECT k, v FROM t") == [
        ("1", "x"),
        ("1", "1"),
        ("1", "31"),
        ("2", "1.0"),
        ("2", None),
        ("2", ""),
    ]
    assert found(
        staging, "SELECT row_id, row_key, column_name, storage_class FROM buttress_cells"
    ) == [
        (2, '["1","1"]', "k", "text"),
        (2, '["1","1"]', "v", "integer"),
        (3, '["1","31"]', "v", "blob"),
        (4, '["2","1.0"]', "v", "real"),
    ]


def test_many_minority_cells_are_all_written(
    tmp_path: Path,
    target: Target,
    staging: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copy_chunk, "_MOST_MIXED_CELLS", 50)
    source = build(
        tmp_path / "a.db",
        "CREATE TABLE t(k PRIMARY KEY, v) WITHOUT ROWID",
        "INSERT INTO t SELECT value, CASE value % 3 WHEN 0 THEN value ELSE 'x' END"
        f" FROM {series(1, 2000)}",
    )
    plan = planned(source, {"k": "integer", "v": "mixed"}, rowid="", key=["k"])
    plan.tables[0].columns[1].usual = "text"

    [done] = copied(plan, target)

    assert done.rows == 2000
    assert found(staging, "SELECT count(*), sum(k) FROM t") == [(2000, 2001000)]
    assert found(
        staging, "SELECT count(*), count(DISTINCT row_key), count(row_id) FROM buttress_cells"
    ) == [(666, 666, 0)]


def test_duplicates_in_a_table_without_key_are_all_copied(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(
        tmp_path / "a.db",
        "CREATE TABLE t(a TEXT, b INTEGER)",
        "INSERT INTO t VALUES ('x', 1), ('x', 1), (NULL, 1), (NULL, 1), ('x', 1)",
        "CREATE INDEX covering ON t(b, a)",
    )
    copied(planned(source, {"a": "text", "b": "integer"}), target)

    rows = found(staging, "SELECT a, count(*) FROM t GROUP BY a, b ORDER BY a")
    assert rows == [("x", 3), (None, 2)]


def test_quarantined_rows_of_a_table_without_rowid_are_named_by_their_key(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(
        tmp_path / "a.db",
        "CREATE TABLE t(k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID",
        "INSERT INTO t VALUES ('a', 'x'), ('b', char(0)), (CAST(x'ff' AS TEXT), 'y')",
    )
    copied(planned(source, {"k": "text", "v": "text"}, rowid="", key=["k"]), target)

    kept = {row[1]: row for row in quarantined(staging)}
    assert set(kept) == {'["b"]', '[{"text:hex":"ff"}]'}
    assert kept['["b"]'][0] is None
    assert kept['["b"]'][4] == b"\0"
    assert found(staging, "SELECT k FROM t") == [("a",)]


def test_a_row_the_server_refuses_is_found_and_named(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    columns = [f"c{i}" for i in range(1200)]
    source = build(
        tmp_path / "a.db",
        f"CREATE TABLE t(id INTEGER PRIMARY KEY, j, {', '.join(columns)})",
        f"INSERT INTO t(id, j) SELECT value, '[1]' FROM {series(1, 300)}",
        # 1,200 cells of 8 bytes do not fit into one page, whatever is compressed.
        f"UPDATE t SET {', '.join(f'{c} = 1' for c in columns)} WHERE id = 77",
        # Python's json reads it, PostgreSQL's does not.
        """UPDATE t SET j = '"' || char(55296, 1) || '"' WHERE id = 78""",
        """UPDATE t SET j = '"' || char(9) || '"' WHERE id = 79""",
    )
    rules = {"id": "integer", "j": "json", **dict.fromkeys(columns, "integer")}

    [done] = copied(planned(source, rules, key=["id"]), target)

    kept = {row[0]: row for row in quarantined(staging)}
    assert set(kept) == {77, 78, 79}
    assert "too big" in kept[77][3]
    assert kept[79][2] == "j"
    assert (done.rows, done.quarantined) == (297, 3)
    assert found(staging, "SELECT count(*) FROM t") == [(297,)]


def test_a_json_that_only_the_server_refuses_is_quarantined_with_its_reason(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    deep = "[" * 900 + "]" * 900
    source = build(tmp_path / "a.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, j)")
    with closing(apsw.Connection(str(source))) as lite:
        lite.execute("INSERT INTO t VALUES (1, '{\"a\": 1}'), (2, ?), (3, '')", (deep,))
    copied(planned(source, {"id": "integer", "j": "json"}, key=["id"]), target)

    assert [(row[0], row[2]) for row in quarantined(staging)] == [(3, "j")]
    assert found(staging, "SELECT j::text FROM t ORDER BY id") == [('{"a": 1}',), (deep,)]


def test_null_in_a_column_that_must_have_a_value_is_quarantined(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(tmp_path / "a.db", "CREATE TABLE t(a, b)", "INSERT INTO t VALUES (1,1),(2,NULL)")
    plan = planned(source, {"a": "integer", "b": "integer"})
    plan.tables[0].columns[1].not_null = True

    copied(plan, target)

    [kept] = quarantined(staging)
    assert (kept[0], kept[1], kept[2], kept[4]) == (2, None, "b", None)
    assert found(staging, "SELECT a FROM t") == [(1,)]


def test_rows_of_a_table_that_postgresql_cannot_have_all_go_to_quarantine(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    columns = [f"c{i}" for i in range(1701)]
    source = build(
        tmp_path / "a.db",
        f"CREATE TABLE t({', '.join(columns)})",
        "INSERT INTO t(c0, c1700) VALUES (1, 'last'), (2, x'ff')",
    )
    plan = planned(source, dict.fromkeys(columns, "text"))
    plan.tables[0].impossible = "PostgreSQL tables have at most 1,600 columns"

    [done] = copied(plan, target)

    assert (done.rows, done.quarantined) == (0, 2)
    kept = quarantined(staging)
    assert {len(row[5]) for row in kept} == {1701}
    assert [row[5]["c1700"] for row in kept] == [["text", "last"], ["blob", "ff"]]
    assert kept[0][3] == "PostgreSQL tables have at most 1,600 columns"


def test_a_narrower_type_chosen_in_the_plan_keeps_what_fits(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(
        tmp_path / "a.db",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER, s TEXT, r REAL)",
        "INSERT INTO t VALUES (1, 5, 'short', 0.5), (2, 3000000000, 'x', 1.0),"
        " (3, 6, 'longer than ten', 2.0), (4, 7, NULL, 0.1), (5, NULL, 'ten chars!', -0.0)",
    )
    plan = planned(source, {"id": "integer", "n": "integer", "s": "text", "r": "real"}, key=["id"])
    for column, chosen in zip(
        plan.tables[0].columns,
        ("bigint", "integer", 'varchar(10) COLLATE "C"', "real"),
        strict=True,
    ):
        column.type = chosen

    [done] = copied(plan, target)

    assert done.rows == 2
    assert found(staging, "SELECT id, n, s FROM t ORDER BY id") == [
        (1, 5, "short"),
        (5, None, "ten chars!"),
    ]
    kept = quarantined(staging)
    assert [(row[0], row[2]) for row in kept if row[0] != 2] == [(3, "s"), (4, "r")]
    assert "out of range" in kept[0][3]
    assert found(staging, "SELECT relname FROM pg_class WHERE relname LIKE 'buttress_cast%'") == []


def damaged(path: Path, pages: list[int], page_size: int = 4096) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * page_size)
            file.write(b"\x55" * page_size)


def pages_of(path: Path, kind: str = "leaf") -> list[int]:
    """The pages of table t, in the order of its rows."""
    with closing(apsw.Connection(str(path))) as lite:
        rows = lite.execute(
            "SELECT pageno FROM dbstat WHERE name = 't' AND pagetype = ? ORDER BY path", (kind,)
        )
        return [int(str(page)) for (page,) in rows]


def test_all_but_the_rows_on_damaged_pages_are_copied(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(
        tmp_path / "a.db",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT)",
        f"INSERT INTO t SELECT value, printf('%.*c', 100, 'x') FROM {series(1, 9000)}",
    )
    plan = planned(source, {"id": "integer", "s": "text"}, key=["id"])
    leaves = pages_of(source)
    gone = [leaves[20], leaves[21], leaves[100], leaves[-1]]
    with closing(apsw.Connection(str(source))) as lite:
        before = [int(str(i)) for (i,) in lite.execute("SELECT id FROM t")]
    damaged(source, gone)

    done = copied(plan, target, rows_per_chunk=3000)

    ids = [i for (i,) in found(staging, "SELECT id FROM t ORDER BY id")]
    lost = [one for part in done for one in part.unreadable]
    missing = sorted(set(before) - set(ids))
    assert len(ids) == len(set(ids))
    assert 0 < len(missing) < 200
    told = {
        i
        for one in lost
        for i in range(one.first_rowid or 0, (one.last_rowid or before[-1]) + 1)
        if i <= before[-1]
    }
    assert told == set(missing)
    assert all("malformed" in one.detail and "age" in one.detail for one in lost)
    assert sum(part.rows for part in done) == len(ids)


def test_a_row_whose_long_cell_is_damaged_is_lost_alone(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(
        tmp_path / "a.db",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT)",
        "INSERT INTO t SELECT value * 1000, iif(value = 50, printf('%.*c', 50000, 'y'), 'x')"
        f" FROM {series(1, 100)}",
    )
    plan = planned(source, {"id": "integer", "s": "text"}, key=["id"])
    damaged(source, [pages_of(source, "overflow")[3]])

    [done] = copied(plan, target)

    # Pages of a chain name the next one: what is read after the bad one is nowhere in the file.
    assert [(one.first_rowid, one.last_rowid) for one in done.unreadable] == [(50000, 50000)]
    assert done.rows == 99


def test_a_damaged_table_without_rowid_is_read_from_both_ends(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(
        tmp_path / "a.db",
        "CREATE TABLE t(k INTEGER PRIMARY KEY, s TEXT) WITHOUT ROWID",
        f"INSERT INTO t SELECT value, printf('%.*c', 100, 'x') FROM {series(1, 3000)}",
    )
    plan = planned(source, {"k": "integer", "s": "text"}, rowid="", key=["k"])
    leaves = pages_of(source)
    damaged(source, [leaves[len(leaves) // 2]])

    [done] = copied(plan, target)

    keys = [k for (k,) in found(staging, "SELECT k FROM t ORDER BY k")]
    assert (keys[0], keys[-1]) == (1, 3000)
    assert len(keys) == len(set(keys)) == done.rows
    assert 2900 < done.rows < 3000
    assert [(one.first_rowid, one.last_rowid) for one in done.unreadable] == [(None, None)]


def test_a_chunk_is_there_once_or_not_at_all(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(
        tmp_path / "a.db",
        "CREATE TABLE t(id INTEGER PRIMARY KEY)",
        f"INSERT INTO t SELECT value FROM {series(1, 100)}",
    )
    plan = planned(source, {"id": "integer"}, key=["id"])
    done = copied(plan, target, rows_per_chunk=50)
    assert [one.rows for one in done] == [50, 50]

    # The note in buttress_progress is written last: when it fails, so must everything before it.
    with (
        closing(open_snapshot(source)) as snapshot,
        closing(target.connect()) as connection,
        pytest.raises(psycopg.errors.UniqueViolation),
    ):
        copy_chunk.copy_chunk(snapshot, connection, plan, chunks(plan, 50)[0])

    assert found(staging, "SELECT count(*) FROM t") == [(100,)]
    assert stage.done(staging, target) == {("t", 0): done[0], ("t", 1): done[1]}


def test_several_processes_copy_every_row_once(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(
        tmp_path / "a.db",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT)",
        "INSERT INTO t SELECT value, iif(value = 777, char(0), 'row ' || value)"
        f" FROM {series(1, 60000)}",
    )
    plan = planned(source, {"id": "integer", "s": "text"}, key=["id"])

    done = copied(plan, target, workers=2, rows_per_chunk=10_000)

    assert sum(one.rows for one in done) == 59_999
    assert sum(one.quarantined for one in done) == 1
    assert found(staging, "SELECT count(*), count(DISTINCT id) FROM t") == [(59_999, 59_999)]
    assert found(staging, "SELECT count(*) FROM buttress_progress") == [(6,)]


def test_a_killed_process_leaves_whole_chunks_and_is_reported(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(
        tmp_path / "a.db",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT)",
        f"INSERT INTO t SELECT value, 'row ' || value FROM {series(1, 200000)}",
    )
    plan = planned(source, {"id": "integer", "s": "text"}, key=["id"])
    with closing(target.connect()) as connection:
        stage.prepare(connection, plan, target)

    def kill_one(chunk: Chunk, copied: Copied) -> None:
        os.kill(min(children()), signal.SIGKILL)

    with pytest.raises(Unavailable, match="copied table t was killed by signal 9"):
        copy_all(plan, source, target, chunks(plan, 10_000), workers=2, progress=kill_one)

    assert children() == []
    done = stage.done(staging, target)
    rows = sum(one.rows for one in done.values())
    assert 0 < rows < 200_000
    assert found(staging, "SELECT count(*), count(DISTINCT id) FROM t") == [(rows, rows)]

    left = [chunk for chunk in chunks(plan, 10_000) if ("t", chunk.number) not in done]
    copy_all(plan, source, target, left, workers=2, progress=lambda *_: None)
    assert found(staging, "SELECT count(*), count(DISTINCT id) FROM t") == [(200_000, 200_000)]


def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    script = (
        "import time\n"
        "from buttress.mover.loading.copy import _Child\n"
        "child = _Child()\n"
        "print(child.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()


def test_a_server_that_goes_away_is_unavailable(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(tmp_path / "a.db", "CREATE TABLE t(a)", "INSERT INTO t VALUES (1)")
    plan = planned(source, {"a": "integer"})
    with closing(target.connect()) as connection:
        stage.prepare(connection, plan, target)
        pid = connection.info.backend_pid
        staging.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        with closing(open_snapshot(source)) as snapshot, pytest.raises(Unavailable):
            copy_chunk.copy_chunk(snapshot, connection, plan, chunks(plan)[0])
    assert found(staging, "SELECT count(*) FROM t") == [(0,)]


def children() -> list[int]:
    """Living child processes of this one that run a worker."""
    pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [
        int(pid)
        for pid in pids
        if b"buttress.mover.loading.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def test_memory_stays_flat_with_large_cells(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    source = build(
        tmp_path / "a.db",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB, s TEXT)",
        f"INSERT INTO t SELECT value, x'01', 'small' FROM {series(1, 500)}",
        f"INSERT INTO t SELECT value, randomblob(24000000), 'large' FROM {series(501, 508)}",
        "INSERT INTO t VALUES (509, randomblob(24000000), char(0))",
    )
    plan = planned(source, {"id": "integer", "b": "blob", "s": "text"}, key=["id"])
    with closing(target.connect()) as connection:
        stage.prepare(connection, plan, target)
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "import msgspec\n"
        "from buttress.mover.loading.copy import chunks, copy_all\n"
        "from buttress.mover.plan import Plan\n"
        "from buttress.mover.target import Target\n"
        "plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)\n"
        "target = Target(*msgspec.json.decode(sys.stdin.buffer.readline()))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "copy_all(plan, Path(plan.source), target, chunks(plan), workers=1,"
        " progress=lambda *_: None)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    import msgspec

    orders = [plan, [target.conninfo, target.label, target.schema, target.staging]]
    run = subprocess.run(
        [sys.executable, "-c", script],
        input=b"\n".join(map(msgspec.json.encode, orders)) + b"\n",
        stdout=subprocess.PIPE,
        check=True,
    )
    assert found(staging, "SELECT count(*), sum(length(b)) FROM t") == [(508, 500 + 8 * 24_000_000)]
    assert int(run.stdout) < 150_000


MOMENTS = st.datetimes() | st.datetimes().map(lambda m: m.replace(microsecond=0))


@given(
    st.sampled_from(timestamp_rules()),
    st.one_of(
        MOMENTS.map(str),
        MOMENTS.map(dt.datetime.isoformat),
        MOMENTS.map(lambda m: m.isoformat(" ", "milliseconds") + "Z"),
        MOMENTS.map(lambda m: m.isoformat("T", "microseconds") + "+00:00"),
        st.from_regex(
            r"\A\d{4}-?(\d\d|W\d)-?\d\d[ Tt]\d\d:?\d\d:?\d\d([.,]\d{1,6})?(Z|\+\d\d:?\d\d|)?\Z"
        ),
        st.sampled_from(
            [
                "20240229 120000.123",
                "2024-W09-4 12:00:00",
                "2024-02-29 24:00:00",
                "2024-02-29 12:00:00.12Z",
                "2024-02-29 12:00:00.1+01",
                "2024-02-29 12:00:00.000000",
                "0000-01-01 00:00:00",
            ]
        ),
    ),
)
def test_the_quick_way_for_moments_takes_only_what_the_rule_takes(crossing: Any, text: str) -> None:
    quick, _ = encode._quick(crossing)
    assert quick is not None
    try:
        found = quick([text, None, text])
    except ValueError:
        return
    wanted = crossing.encode(text)
    assert found == [wanted, None, wanted]


@given(st.sampled_from(["unix seconds", "unix milliseconds"]), st.integers(-(2**63), 2**63 - 1))
def test_the_quick_way_for_unix_moments_agrees_with_the_rule(name: str, number: int) -> None:
    quick, _ = encode._quick(rule(name))
    assert quick is not None
    try:
        wanted = rule(name).encode(number)
    except Unholdable:
        with pytest.raises(Unholdable):
            quick([0, number])
        return
    epoch = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    assert quick([None, number]) == [None, (wanted - epoch) // dt.timedelta(microseconds=1)]


def test_every_rule_arrives_as_its_encoding_says(
    tmp_path: Path, target: Target, staging: psycopg.Connection
) -> None:
    values: dict[str, Any] = {
        "boolean": 1,
        "json": '{"b":  1.0}',
        "numeric": 2.5,
        "decimal(10, 2)": 19.99,
        "mixed": "text",
        "date": "0001-01-01",
        "unix seconds": -62135596800,
        "unix milliseconds": 1700000000123,
        "julian day": 2451545.25,
        "uuid": "6f1c1d2e-3b4a-4c5d-8e9f-0a1b2c3d4e5f",
        "uuid(hex)": "6f1c1d2e3b4a4c5d8e9f0a1b2c3d4e5f",
        "uuid(blob)": random.Random(1).randbytes(16),
        "timestamp(space, 0)": "0001-01-01 00:00:00",
        "timestamp(T, 3, Z)": "2024-02-29T23:59:59.999Z",
        "timestamp(space, auto, +00:00)": "9999-12-31 23:59:59.999999+00:00",
    }
    names = [f"c{i}" for i in range(len(values))]
    source = build(tmp_path / "a.db", f"CREATE TABLE t({', '.join(names)})")
    with closing(apsw.Connection(str(source))) as lite:
        marks = ", ".join("?" * len(values))
        lite.execute(f"INSERT INTO t VALUES ({marks})", tuple(values.values()))
        lite.execute("INSERT INTO t DEFAULT VALUES")
    plan = planned(source, dict(zip(names, values, strict=True)))
    for column in plan.tables[0].columns:
        column.usual = "text"

    assert copied(plan, target)[0].rows == 2

    decoded = sql.SQL(", ").join(
        sql.SQL(rule(crossing).decode_sql.format(c=f"t.{name}"))
        for name, crossing in zip(names, values, strict=True)
    )
    first, second = staging.execute(sql.SQL("SELECT {} FROM t").format(decoded)).fetchall()
    assert list(first) == [
        str(v) if r in ("numeric", "decimal(10, 2)") else v for r, v in values.items()
    ]
    assert set(second) == {None}

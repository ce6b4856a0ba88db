"""The proof on sources that are not plain: other classes than planned, damage, UTF-16, huge cells."""

from __future__ import annotations

import contextlib
import importlib
import json
import sqlite3
from pathlib import Path

import apsw
import psycopg
import pytest

from buttress.errors import BadInput, Unavailable
from buttress.mover.plan import Column, Plan, Table, Unreadable
from buttress.mover.proof.crew import Progress
from buttress.mover.proof.prove import prove as prove_plan
from buttress.mover.proof.prove import silent
from buttress.mover.report import Proof, TableProof
from buttress.mover.target import Target


def column(name: str, rule: str, **facts: object) -> Column:
    return Column(name=name, target=name, type="", rule=rule, **facts)  # type: ignore[arg-type]


def table(name: str, columns: list[Column], **facts: object) -> Table:
    return Table(name=name, target=name, columns=columns, **facts)  # type: ignore[arg-type]


def prove(
    snapshot: Path,
    conninfo: str,
    tables: list[Table],
    *,
    encoding: str = "UTF-8",
    unreadable: list[Unreadable] | None = None,
    workers: int = 1,
    progress: Progress = silent,
) -> Proof:
    return prove_plan(
        Plan(source="prototype.db", encoding=encoding, tables=tables),
        snapshot,
        Target(conninfo, "the target", "public", "public__move_1"),
        schema="public",
        unreadable=unreadable or [],
        workers=workers,
        progress=progress,
    )


def facts(found: TableProof) -> tuple[int, int, int, int]:
    return found.rows, found.proven, found.quarantined, found.different


@pytest.fixture
def lite(tmp_path: Path):
    connection = apsw.Connection(str(tmp_path / "snapshot.db"))
    yield connection
    connection.close()


@pytest.fixture
def server(conninfo: str):
    with psycopg.connect(conninfo, autocommit=True) as connection:
        yield connection


def do(lite: apsw.Connection, statements: str) -> Path:
    for _ in lite.execute(statements):
        pass
    return Path(lite.filename)


KEYED = {"rowid": "rowid", "rowid_alias": "id", "key": ["id"]}


@pytest.mark.parametrize(
    ("value", "rule", "target", "shown"),
    [
        ("x'61'", "text", "'a'", ("x'61'", "'a'")),
        ("'a'", "blob", "'a'", ("'a'", "x'61'")),
        ("1", "text", "'1'", ("1", "'1'")),
        ("1", "real", "1.0", ("1", "1.0")),
        ("1.0", "integer", "1", ("1.0", "1")),
        ("'1'", "integer", "1", ("'1'", "1")),
        (
            "9007199254740993",
            "real",
            "9007199254740992",
            ("9007199254740993", "9007199254740992.0"),
        ),
    ],
)
@pytest.mark.parametrize("place", [1, 40_000])
def test_a_cell_of_another_class_is_never_taken_for_its_twin(
    lite, server, conninfo, value, rule, target, shown, place
):
    usual, type_ = {
        "text": ("'x'", 'text COLLATE "C"'),
        "blob": ("x'78'", "bytea"),
        "real": ("0.5", "float8"),
        "integer": ("7", "bigint"),
    }[rule]
    snapshot = do(
        lite,
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, v);"
        f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) "
        f"INSERT INTO t SELECT i, CASE i WHEN {place} THEN {value} ELSE {usual} END FROM n",
    )
    usual = "'x'" if rule == "blob" else usual
    server.execute(
        f"CREATE TABLE t (id bigint PRIMARY KEY, v {type_});"
        f"INSERT INTO t SELECT i, CASE i WHEN {place} THEN {target}::{type_.split()[0]} "
        f"ELSE {usual}::{type_.split()[0]} END FROM generate_series(1, 40000) i"
    )

    found = prove(
        snapshot, conninfo, [table("t", [column("id", "integer"), column("v", rule)], **KEYED)]
    ).tables[0]

    assert facts(found) == (40_000, 39_999, 0, 1)
    assert (found.differences[0].source, found.differences[0].target) == shown


def test_columns_that_begin_with_nulls_are_proven(lite, server, conninfo):
    snapshot = do(
        lite,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB, c REAL);"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) "
        "INSERT INTO t SELECT i, iif(i = 40000, 'a', NULL), iif(i = 40000, x'62', NULL), "
        "iif(i = 40000, 1.0, NULL) FROM n",
    )
    server.execute(
        'CREATE TABLE t (id bigint PRIMARY KEY, a text COLLATE "C", b bytea, c float8);'
        "INSERT INTO t (id) SELECT generate_series(1, 39999);"
        "INSERT INTO t VALUES (40000, 'a', 'b', 1)"
    )
    columns = [
        column("id", "integer"),
        column("a", "text"),
        column("b", "blob"),
        column("c", "real"),
    ]

    found = prove(snapshot, conninfo, [table("t", columns, **KEYED)]).tables[0]

    assert facts(found) == (40_000, 40_000, 0, 0)


def test_ranges_that_threads_share_miss_no_row_at_any_edge(lite, server, conninfo, monkeypatch):
    monkeypatch.setattr(importlib.import_module("buttress.mover.proof.prove"), "_RANGE_ROWS", 100)
    snapshot = do(
        lite,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
        "INSERT INTO t SELECT i * 3, 'v' || i FROM n;"
        "INSERT INTO t VALUES (-9223372036854775808, 'first'), (9223372036854775807, 'last')",
    )
    server.execute(
        'CREATE TABLE t (id bigint PRIMARY KEY, v text COLLATE "C");'
        "INSERT INTO t SELECT i * 3, 'v' || i FROM generate_series(1, 1000) i;"
        "INSERT INTO t VALUES (-9223372036854775808, 'first'), (9223372036854775807, 'last')"
    )
    plan = [
        table("t", [column("id", "integer"), column("v", "text")], rows=1002, **KEYED),
    ]
    seen: list[int] = []

    proof = prove(
        snapshot, conninfo, plan, workers=2, progress=lambda done, total, note="": seen.append(done)
    )
    assert facts(proof.tables[0]) == (1002, 1002, 0, 0)
    assert seen[-1] == 1002

    for damage, different in (
        ("DELETE FROM t WHERE id IN (-9223372036854775808, 9223372036854775807, 1500)", 3),
        ("INSERT INTO t VALUES (-9223372036854775807, ''), (9223372036854775806, ''), (0, '')", 6),
        ("UPDATE t SET v = v || ' ' WHERE id % 3 = 0 AND id BETWEEN 1 AND 1200", 406),
    ):
        server.execute(damage)
        found = prove(snapshot, conninfo, plan, workers=2).tables[0]
        assert found.different == different
        assert len(found.differences) == min(different, 100)


def test_a_null_in_the_targets_key_is_an_extra_row(lite, server, conninfo):
    snapshot = do(lite, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
    server.execute("CREATE TABLE t (id bigint); INSERT INTO t VALUES (2), (NULL), (1)")

    found = prove(snapshot, conninfo, [table("t", [column("id", "integer")], **KEYED)]).tables[0]

    assert facts(found) == (2, 2, 0, 1)
    assert found.differences[0].row == "id=NULL"


def test_text_in_utf_16_is_proven_and_its_invalid_text_stays_quarantined(lite, server, conninfo):
    snapshot = do(
        lite,
        "PRAGMA encoding = 'UTF-16le';"
        "CREATE TABLE t (name TEXT PRIMARY KEY, v TEXT);"
        "INSERT INTO t VALUES ('z', char(128512)), (char(65533), ''), (char(128512), 'b'), "
        "('bad', CAST(x'00d84100' AS TEXT))",
    )
    server.execute(
        'CREATE TABLE t (name text COLLATE "C" PRIMARY KEY, v text COLLATE "C");'
        "INSERT INTO t VALUES ('z', U&'\\+01F600'), (U&'\\FFFD', ''), (U&'\\+01F600', 'b');"
        "CREATE TABLE buttress_quarantine (id int, table_name text, row_id bigint, column_name text,"
        " raw bytea, row_values jsonb);"
        "INSERT INTO buttress_quarantine VALUES (1, 't', 4, 'v', '\\x00d84100', "
        '\'{"name": ["text", "bad"], "v": ["text:hex", "00d84100"]}\')'
    )
    plan = [
        table(
            "t",
            [column("name", "text"), column("v", "text")],
            rowid="rowid",
            key=["name"],
        )
    ]

    found = prove(snapshot, conninfo, plan, encoding="UTF-16le").tables[0]
    assert (found.method, facts(found)) == ("by digest", (4, 3, 1, 0))

    server.execute("UPDATE t SET v = 'c' WHERE v = 'b'")
    found = prove(snapshot, conninfo, plan, encoding="UTF-16le").tables[0]
    assert [(d.column, d.source, d.target) for d in found.differences] == [("v", "'b'", "'c'")]


def test_keys_under_other_collations_are_compared_byte_by_byte(lite, server, conninfo):
    lite.create_collation("backwards", lambda a, b: (a < b) - (a > b))
    snapshot = do(
        lite,
        "CREATE TABLE n (k TEXT COLLATE NOCASE PRIMARY KEY, v) WITHOUT ROWID;"
        "INSERT INTO n VALUES ('b', 1), ('A', 2), ('C', 3), ('a ', 4);"
        "CREATE TABLE f (k TEXT COLLATE backwards PRIMARY KEY, v);"
        "INSERT INTO f VALUES ('b', 1), ('A', 2), ('C', 3), ('a', 4)",
    )
    for name in ("n", "f"):
        server.execute(
            f'CREATE TABLE {name} (k text COLLATE "C", v bigint);'
            f"INSERT INTO {name} VALUES ('C', 3), ('b', 1), ('A', 2), "
            f"('a{' ' if name == 'n' else ''}', 4)"
        )
    plan = [
        table(
            name,
            [column("k", "text", collation=collation), column("v", "integer")],
            key=["k"],
            rowid=rowid,
        )
        for name, collation, rowid in (("n", "NOCASE", ""), ("f", "backwards", "rowid"))
    ]

    proof = prove(snapshot, conninfo, plan)

    assert [(found.method, facts(found)) for found in proof.tables] == [
        ("by key", (4, 4, 0, 0)),
        ("by key", (4, 4, 0, 0)),
    ]


def test_quarantined_rows_of_tables_without_rowid_are_found_by_key_or_as_a_whole(
    lite, server, conninfo
):
    snapshot = do(
        lite,
        "CREATE TABLE k (a TEXT, b, PRIMARY KEY (a, b)) WITHOUT ROWID;"
        "INSERT INTO k VALUES ('x', 1), ('a' || char(0), 2), (CAST(x'ff' AS TEXT), x'01');"
        "CREATE TABLE h (rowid, _rowid_, oid);"
        "INSERT INTO h VALUES (1, 2, 3), (char(0), 5, NULL), (char(0), 5, NULL)",
    )
    server.execute(
        "CREATE TABLE k (a text COLLATE \"C\", b bigint); INSERT INTO k VALUES ('x', 1);"
        "CREATE TABLE h (rowid text, _rowid_ bigint, oid_ bigint); INSERT INTO h VALUES (1, 2, 3);"
        "CREATE TABLE buttress_cells (table_name text, row_id bigint, row_key text, column_name text,"
        " storage_class text);"
        "CREATE TABLE buttress_quarantine (id int, table_name text, row_id bigint, column_name text,"
        " raw bytea, row_values jsonb)"
    )
    kept = [
        (1, "k", {"a": ["text:hex", "6100"], "b": ["integer", "2"]}),
        (2, "k", {"a": ["text:hex", "ff"], "b": ["blob", "01"]}),
        (3, "h", {"rowid": ["text:hex", "00"], "_rowid_": ["integer", "5"], "oid": ["null", ""]}),
        (4, "h", {"rowid": ["text:hex", "00"], "_rowid_": ["integer", "5"], "oid": ["null", ""]}),
    ]
    for number, name, values in kept:
        server.execute(
            "INSERT INTO buttress_quarantine VALUES (%s, %s, NULL, NULL, NULL, %s)",
            (number, name, json.dumps(values)),
        )
    plan = [
        table("k", [column("a", "text"), column("b", "integer")], key=["a", "b"]),
        table(
            "h",
            [
                column("rowid", "mixed", usual="integer"),
                column("_rowid_", "integer"),
                Column(name="oid", target="oid_", type="", rule="integer"),
            ],
        ),
    ]

    proof = prove(snapshot, conninfo, plan)
    assert [facts(found) for found in proof.tables] == [(3, 1, 2, 0), (3, 1, 2, 0)]

    server.execute("DELETE FROM buttress_quarantine WHERE id IN (2, 4)")
    proof = prove(snapshot, conninfo, plan)
    assert [found.different for found in proof.tables] == [1, 1]

    server.execute(
        "UPDATE buttress_quarantine SET row_values = jsonb_set(row_values, '{b,1}', '\"3\"')"
    )
    proof = prove(snapshot, conninfo, plan)
    assert proof.tables[0].differences[0].source == "no such row"


def test_a_table_postgresql_cannot_have_is_proven_in_quarantine(lite, server, conninfo):
    snapshot = do(lite, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)")
    server.execute(
        "CREATE TABLE buttress_quarantine (id int, table_name text, row_id bigint, column_name text,"
        " raw bytea, row_values jsonb);"
        "INSERT INTO buttress_quarantine VALUES "
        '(1, \'t\', 1, NULL, NULL, \'{"a": ["integer", "1"]}\'), '
        '(2, \'t\', 2, NULL, NULL, \'{"a": ["integer", "2"]}\')'
    )
    plan = [table("t", [column("a", "integer")], rowid="rowid", impossible="1,701 columns")]

    assert facts(prove(snapshot, conninfo, plan).tables[0]) == (2, 0, 2, 0)

    server.execute("DELETE FROM buttress_quarantine WHERE id = 2")
    found = prove(snapshot, conninfo, plan).tables[0]
    assert facts(found) == (2, 0, 1, 1)
    assert found.differences[0].row == "a=2"


def test_only_what_a_damaged_source_cannot_give_is_left_out(lite, server, conninfo):
    snapshot = do(
        lite,
        "PRAGMA page_size = 1024;"
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) "
        "INSERT INTO t SELECT i, printf('%0100d', i) FROM n",
    )
    lite.close()
    leaf = next(
        number
        for number in range(10, 50)
        if snapshot.read_bytes()[number * 1024] == 13
        and snapshot.read_bytes()[number * 1024 :][900:1000] >= b"%0100d" % 250
    )
    with snapshot.open("r+b") as file:
        file.seek(leaf * 1024)
        file.write(b"\xee" * 1024)
    readable = set()
    broken = apsw.Connection(str(snapshot))
    for i in range(1, 501):
        with contextlib.suppress(apsw.CorruptError):
            readable |= {row[0] for row in broken.execute("SELECT id FROM t WHERE id = ?", (i,))}
    broken.close()
    lost = sorted(set(range(1, 501)) - readable)
    assert lost
    assert lost == list(range(lost[0], lost[-1] + 1))
    server.execute('CREATE TABLE t (id bigint PRIMARY KEY, v text COLLATE "C")')
    for i in sorted(readable):
        server.execute("INSERT INTO t VALUES (%s, %s)", (i, f"{i:0100}"))
    unreadable = [Unreadable(table="t", first_rowid=lost[0], last_rowid=lost[-1])]
    keyed = [table("t", [column("id", "integer"), column("v", "text")], **KEYED)]
    keyless = [table("t", [column("id", "integer"), column("v", "text")], rowid="rowid")]

    for plan in (keyed, keyless):
        found = prove(snapshot, conninfo, plan, unreadable=unreadable).tables[0]
        assert facts(found) == (len(readable), len(readable), 0, 0)

    server.execute("DELETE FROM t WHERE id = 1")
    server.execute("INSERT INTO t VALUES (%s, 'invented')", (lost[0],))
    found = prove(snapshot, conninfo, keyed, unreadable=unreadable).tables[0]
    assert [d.row for d in found.differences] == ["id=1", f"id={lost[0]}"]

    with pytest.raises(BadInput, match="table t of the source cannot be read"):
        prove(snapshot, conninfo, keyed)


@pytest.mark.skipif(sqlite3.sqlite_version_info >= (3, 43), reason="its SQLite knows octet_length")
def test_a_file_too_new_for_pythons_sqlite_is_read_by_another_and_says_so(lite, server, conninfo):
    snapshot = do(
        lite,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v, n INTEGER AS (octet_length(v)));"
        "INSERT INTO t VALUES (1, 'é'), (2, x'00')",
    )
    server.execute(
        'CREATE TABLE t (id bigint PRIMARY KEY, v text COLLATE "C", n bigint);'
        "INSERT INTO t VALUES (1, 'é', 2), (2, '00', 1);"
        "CREATE TABLE buttress_cells (table_name text, row_id bigint, row_key text, column_name text,"
        " storage_class text);"
        "INSERT INTO buttress_cells VALUES ('t', 2, '[2]', 'v', 'blob')"
    )
    columns = [
        column("id", "integer"),
        column("v", "mixed", usual="text"),
        column("n", "integer", generated="octet_length(v)"),
    ]

    found = prove(snapshot, conninfo, [table("t", columns, **KEYED)]).tables[0]

    assert facts(found) == (2, 2, 0, 0)
    assert found.method.startswith("by key (read by SQLite ")


def test_cells_of_many_megabytes_are_compared_to_their_last_byte(lite, server, conninfo):
    snapshot = do(
        lite,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB);"
        "INSERT INTO t VALUES (1, x'00'), (2, zeroblob(24000000)), (3, zeroblob(10)), (4, NULL)",
    )
    server.execute("CREATE TABLE t (id bigint PRIMARY KEY, v bytea)")
    for i, value in enumerate((b"\0", bytes(24_000_000), bytes(10), None), 1):
        server.execute("INSERT INTO t VALUES (%s, %s)", (i, value))
    plan = [table("t", [column("id", "integer"), column("v", "blob")], **KEYED)]

    assert facts(prove(snapshot, conninfo, plan).tables[0]) == (4, 4, 0, 0)

    server.execute("UPDATE t SET v = set_byte(v, 23999999, 1) WHERE id = 2")
    found = prove(snapshot, conninfo, plan).tables[0]
    assert (found.differences[0].source[-4:], found.differences[0].target[-4:]) == ("000'", "001'")
    assert len(found.differences[0].source) <= 80


def test_a_table_full_of_differences_is_counted_and_the_first_hundred_named(lite, server, conninfo):
    snapshot = do(
        lite,
        "CREATE TABLE t (v TEXT); CREATE TABLE k (id INTEGER PRIMARY KEY, v TEXT);"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
        "INSERT INTO t SELECT 'a' || i FROM n;"
        "INSERT INTO k SELECT rowid, v FROM t",
    )
    server.execute(
        "CREATE TABLE t (v text); INSERT INTO t SELECT 'b' || i FROM generate_series(1, 2500) i;"
        "CREATE TABLE k (id bigint PRIMARY KEY, v text);"
        "INSERT INTO k SELECT i, 'b' FROM generate_series(1, 2500) i"
    )
    plan = [
        table("t", [column("v", "text")], rowid="rowid"),
        table("k", [column("id", "integer"), column("v", "text")], **KEYED),
    ]

    proof = prove(snapshot, conninfo, plan)

    assert [facts(found) for found in proof.tables] == [(2000, 0, 0, 4500), (2000, 0, 0, 2500)]
    assert [len(found.differences) for found in proof.tables] == [100, 100]


def test_a_server_that_refuses_to_be_read_is_no_proof(lite, server, conninfo):
    snapshot = do(lite, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
    server.execute("CREATE TABLE t (id text PRIMARY KEY); INSERT INTO t VALUES ('not a number')")

    with pytest.raises(Unavailable, match="invalid input syntax for type bigint"):
        prove(snapshot, conninfo, [table("t", [column("id", "integer")], **KEYED)])

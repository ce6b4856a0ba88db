"""Arbitrary schemas with arbitrary values: each value is found again or in quarantine."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from pathlib import Path
from typing import Any

import apsw
import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from buttress import move
from oracle import assert_every_row_is_accounted_for

names = st.one_of(
    st.sampled_from(["id", "name", "Order", "user", "ctid", "a b", 'q"uote', "rowid", "é", "😀"]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=70),
)
declared = st.sampled_from(
    ["", "INTEGER", "INT", "BIGINT", "TEXT", "VARCHAR(5)", "REAL", "NUMERIC", "DECIMAL(8,3)", "BLOB",
     "BOOLEAN", "DATE", "DATETIME", "TIMESTAMP", "JSON", "UUID", "CHAR(36)", "STRING", "ANY THING"]
)  # fmt: skip
integers = st.one_of(
    st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1, 1_700_000_000, 1_700_000_000_000]),
    st.integers(-(2**63), 2**63 - 1),
)
texts = st.one_of(
    st.sampled_from(
        ["", "0", "1", "1.0", "true", "null", "{}", "2024-02-29", "2023-02-29", "2024-02-29 12:00:00",
         "2024-02-29T12:00:00Z", "2024-02-29 12:00:00.5", "a\0b", "6f1c1d2e-3b4a-4c5d-8e9f-0a1b2c3d4e5f",
         "Infinity", "NaN", "-0.0", "\\N", "\\x41", "'", "1e400", "\ufeff"]
    ),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
)  # fmt: skip


class Raw(bytes):
    """Bytes that SQLite stores as text, whatever they are."""


values = st.one_of(
    st.none(),
    integers,
    st.floats(allow_nan=False),
    texts,
    st.binary(max_size=20),
    st.binary(max_size=6).map(Raw),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]], str, list[list[Any]]]:
    columns = draw(
        st.lists(st.tuples(names, declared), min_size=1, max_size=6, unique_by=lambda c: fold(c[0]))
    )
    ending = draw(st.sampled_from(["", "", "pk", "pk", "without rowid", "unique"]))
    # Values of one kind are as likely as a mixture, so that native types are chosen too.
    kinds = [
        draw(
            st.sampled_from(
                [values, integers, texts, st.sampled_from([0, 1]), st.floats(allow_nan=False)]
            )
        )
        for _ in columns
    ]
    rows = draw(st.lists(st.tuples(*kinds).map(list), max_size=12))
    return draw(names), columns, ending, rows


def fold(name: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in name)


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def build(path: Path, wanted: list[Any]) -> None:
    connection = apsw.Connection(str(path))
    for name, columns, ending, rows in wanted:
        body = ", ".join(f"{quote(c)} {kind}" for c, kind in columns)
        first = quote(columns[0][0])
        if ending in ("pk", "without rowid"):
            body += f", PRIMARY KEY({first})"
        if ending == "unique":
            body += f", UNIQUE({first})"
        tail = " WITHOUT ROWID" if ending == "without rowid" else ""
        connection.execute(f"CREATE TABLE {quote(name)}({body}){tail}")
        for row in rows:
            marks = ", ".join("CAST(? AS TEXT)" if isinstance(v, Raw) else "?" for v in row)
            # An INTEGER PRIMARY KEY takes nothing but integers.
            with contextlib.suppress(apsw.MismatchError):
                connection.execute(
                    f"INSERT OR IGNORE INTO {quote(name)} VALUES ({marks})",
                    [bytes(v) if isinstance(v, Raw) else v for v in row],
                )
    connection.close()


counter = itertools.count()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    wanted=st.lists(tables(), min_size=1, max_size=3, unique_by=lambda t: fold(t[0])).filter(
        lambda ts: not any(fold(t[0]).startswith("sqlite_") for t in ts)
    )
)
def test_arbitrary_databases_move_whole(
    wanted: list[Any], database_url: str, conninfo: str
) -> None:
    schema = f"s{next(counter)}"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.db"
        build(source, wanted)

        report = move(source, database_url, schema=schema, report=Path(folder) / "report")

        assert report.verdict in ("proven", "proven with rows in quarantine")
        assert_every_row_is_accounted_for(source, conninfo, report.plan, schema)
    with psycopg.connect(conninfo) as connection:
        connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(schema)))

"""P11, the import: a frame of campaign rows beside pandas, psycopg and SQL written by hand."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import closing

import numpy as np
import pandas as pd
import psycopg
import sqlalchemy as sa

from benchmarks.move import fresh
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.url import parse_database_url
from buttress.imports import import_rows
from buttress.settings import TimeoutSettings

COLUMNS = """
    day date, platform text, country text, campaign text, ad text, impressions bigint, clicks bigint,
    conversions bigint, spend float8, revenue float8
"""
KEY = "day, platform, country, campaign, ad"
VALUES = ["impressions", "clicks", "conversions", "spend", "revenue"]


def campaign_frame(rows: int) -> pd.DataFrame:
    """Ten columns, the first five of them the key."""
    draw = np.random.default_rng(1)
    days = pd.to_datetime("2026-01-01") + pd.to_timedelta(draw.integers(0, 365, rows), unit="D")
    return pd.DataFrame(
        {
            "day": days,
            "platform": np.array(["meta", "google", "tiktok", "bing"])[draw.integers(0, 4, rows)],
            "country": np.array(["PT", "ES", "FR", "DE", "BR"])[draw.integers(0, 5, rows)],
            "campaign": np.char.add("campaign-", draw.integers(0, 5000, rows).astype(str)),
            "ad": np.char.add("ad-", np.arange(rows).astype(str)),
            "impressions": draw.integers(0, 100_000, rows),
            "clicks": draw.integers(0, 1000, rows),
            "conversions": draw.integers(0, 50, rows),
            "spend": draw.random(rows) * 100,
            "revenue": draw.random(rows) * 300,
        }
    )


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def lines(servers: Servers, quick: bool) -> list[str]:
    """Two tables in Markdown: adding rows to a table without keys, and to one with a key."""
    rows = 100_000 if quick else 1_000_000
    frame = campaign_frame(rows)
    with fresh(servers, "bench_import") as url, closing(_open(url)) as database:
        return [
            "## Bulk import",
            "",
            f"{rows:,} rows of ten columns from a pandas frame. Peers marked * ran on a tenth, "
            "** on a hundredth of the rows, and their time is multiplied.",
            "",
            "| into a table without keys | time | peer ÷ Buttress |",
            "| --- | --- | --- |",
            *_appended(url, database, frame),
            "",
            "| into a table with a text key of five columns | new rows | the same again | dead rows then |",
            "| --- | --- | --- | --- |",
            *_merged(url, database, frame),
        ]


def _open(url: str) -> Database:
    return Database(url, timeouts=TimeoutSettings.model_validate({"statement_seconds": 0}))


def _appended(url: str, database: Database, frame: pd.DataFrame) -> list[str]:
    tenth, hundredth = frame.head(len(frame) // 10), frame.head(len(frame) // 100)
    engine = sa.create_engine(parse_database_url(url).sqlalchemy)

    def ours() -> None:
        import_rows(database, "campaign", frame, on_conflict="error")

    def to_sql() -> None:
        tenth.to_sql("campaign", engine, if_exists="append", index=False)

    def to_sql_multi() -> None:
        hundredth.to_sql(
            "campaign", engine, if_exists="append", index=False, method="multi", chunksize=1000
        )

    def executemany() -> None:
        marks = ", ".join(["%s"] * len(frame.columns))
        with psycopg.connect(url) as connection:
            connection.cursor().executemany(
                f"INSERT INTO campaign VALUES ({marks})", tenth.itertuples(index=False, name=None)
            )

    def copy_csv() -> None:
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            _copy(cursor, "campaign", frame)

    peers: list[tuple[str, Callable[[], None], int]] = [
        ("`to_sql(method=\"multi\", chunksize=1000)` **", to_sql_multi, 100),
        ("`to_sql` *", to_sql, 10),
        ("psycopg `executemany` *", executemany, 10),
        ("`to_csv` and COPY", copy_csv, 1),
    ]  # fmt: skip
    best = min(_into_empty(url, ours) for _ in range(3))
    found = [f'| Buttress, `on_conflict="error"` | {best:.1f} s | |']
    for name, work, factor in peers:
        seconds = _into_empty(url, work) * factor
        found.append(f"| {name} | {seconds:.1f} s | {seconds / best:.1f}× |")
    engine.dispose()
    return found


def _merged(url: str, database: Database, frame: pd.DataFrame) -> list[str]:
    sets = ", ".join(f"{name} = excluded.{name}" for name in VALUES)

    def ours() -> None:
        import_rows(database, "campaign", frame)

    def by_hand() -> None:
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE staged (LIKE campaign) ON COMMIT DROP")
            _copy(cursor, "staged", frame)
            cursor.execute(
                f"INSERT INTO campaign SELECT * FROM staged ON CONFLICT ({KEY}) DO UPDATE SET {sets}"
            )

    measured = []
    for name, work in (("Buttress", ours), ("`to_csv`, COPY, ON CONFLICT DO UPDATE", by_hand)):
        first = _into_empty(url, work, key=True)
        again = timed(work)
        measured.append((name, first, again, _dead_rows(url)))
    (_, first, again, _), (_, peer_first, peer_again, _) = measured
    return [
        *(
            f"| {name} | {one:.1f} s | {two:.1f} s | {dead:,} |"
            for name, one, two, dead in measured
        ),
        f"| by hand ÷ Buttress | {peer_first / first:.1f}× | {peer_again / again:.1f}× | |",
    ]


def _into_empty(url: str, work: Callable[[], None], *, key: bool = False) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS campaign")
        primary = f", PRIMARY KEY ({KEY})" if key else ""
        connection.execute(
            f"CREATE TABLE campaign ({COLUMNS}{primary}) WITH (autovacuum_enabled = off)"
        )
    return timed(work)


def _copy(cursor: psycopg.Cursor, table: str, frame: pd.DataFrame) -> None:
    text = io.StringIO()
    frame.to_csv(text, index=False, header=False)
    with cursor.copy(f"COPY {table} FROM STDIN (FORMAT CSV)") as copy:
        copy.write(text.getvalue())


def _dead_rows(url: str) -> int:
    """Versions of rows that nobody sees any more, counted by what the table holds."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE campaign")
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute(
            "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'campaign'"
        ).fetchone()
    return int(row[0]) if row else 0

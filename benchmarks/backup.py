"""P7: backups beside `pg_dump | gzip -6`, what 42 kept copies take, and a restore under readers."""

from __future__ import annotations

import io
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
from sqlalchemy import text

from benchmarks.move import fresh
from buttress.backup import Backups, postgresql, tools
from buttress.backup.chunks import read_index
from buttress.backup.manifest import Manifest
from buttress.backup.pruning import named_by
from buttress.backup.site import Site
from buttress.backup.store import FolderStore
from buttress.db.database import Database
from buttress.db.embedded import Servers
from buttress.db.url import parse_database_url
from buttress.errors import ButtressError
from buttress.settings import BackupSettings

NAME = "bench_backup"
MEGABYTE = 1e6
COPIES, DAILY, MONTHLY = 42, 30, 12
DAYS = 17
"""Enough for a chunk of each day to be kept against one of sixteen days before, the furthest so far."""
READERS = 4
SCHEMA = """
    CREATE TABLE campaigns (id bigint PRIMARY KEY, channel int NOT NULL, day date NOT NULL,
        impressions int, clicks int, spend numeric(12, 2), note text);
    CREATE TABLE conversations (id bigint PRIMARY KEY, campaign bigint REFERENCES campaigns);
    CREATE TABLE messages (id bigint PRIMARY KEY, conversation bigint NOT NULL
        REFERENCES conversations, sent timestamptz NOT NULL, role text NOT NULL, body text NOT NULL);
    CREATE TABLE products (id bigint PRIMARY KEY, campaign bigint REFERENCES campaigns,
        data jsonb NOT NULL);
    CREATE TABLE passages (id bigint PRIMARY KEY, embedding vector(384) NOT NULL);
    CREATE TABLE files (id bigint PRIMARY KEY, content bytea NOT NULL);
"""
INDEXES = """
    CREATE INDEX ON messages (conversation, sent);
    CREATE INDEX ON messages (sent);
    CREATE INDEX ON campaigns (day, channel);
    CREATE INDEX ON campaigns (spend);
    CREATE INDEX ON conversations (campaign);
    CREATE INDEX ON products USING gin (data);
    CREATE INDEX ON products USING gin (to_tsvector('simple', data ->> 'text'));
    CREATE INDEX ON passages USING hnsw (embedding vector_l2_ops);
"""
# A day: seven new rows and three changed ones in a thousand, the changed ones all over the table.
CHANGED = """
    UPDATE campaigns SET clicks = clicks + 1, spend = spend + 0.01 WHERE {chosen};
    UPDATE messages SET body = body || ' edited' WHERE {chosen};
    UPDATE products SET data = data || '{{"seen": {day}}}' WHERE {chosen};
"""


@dataclass(frozen=True)
class Rows:
    """How many of each."""

    messages: int
    campaigns: int
    products: int
    passages: int
    files: int

    def times(self, factor: float) -> Rows:
        """That part of them."""
        numbers = (self.messages, self.campaigns, self.products, self.passages, self.files)
        return Rows(*(max(1, round(number * factor)) for number in numbers))


FULL = Rows(1_100_000, 1_500_000, 30_000, 25_000, 4_000)


class Writer:
    """Puts rows with text of words whose frequency falls like that of a language."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._chance = np.random.default_rng(7)
        lengths = self._chance.integers(3, 11, 30_000)
        letters = self._chance.integers(97, 123, int(lengths.sum())).astype(np.uint8).tobytes()
        ends = np.cumsum(lengths)
        self._words = [
            letters[end - length : end].decode() for end, length in zip(ends, lengths, strict=True)
        ]
        self._next = Rows(0, 0, 0, 0, 0)

    def _texts(self, count: int, words: int) -> Iterator[str]:
        for start in range(0, count, 10_000):
            chosen = self._chance.zipf(1.2, (min(10_000, count - start), words)) % len(self._words)
            for row in chosen.tolist():
                yield " ".join([self._words[number] for number in row])

    def add(self, rows: Rows) -> None:
        """More rows of all tables, behind those that are there."""
        first, chance = self._next, self._chance
        with psycopg.connect(self._url) as connection:

            def copy(table: str, lines: Iterator[str]) -> None:
                with connection.cursor().copy(f"COPY {table} FROM STDIN") as copying:
                    block = io.StringIO()
                    for line in lines:
                        block.write(line)
                        if block.tell() > 1 << 20:
                            copying.write(block.getvalue())
                            block = io.StringIO()
                    copying.write(block.getvalue())

            numbers = chance.integers(0, 1_000_000, (rows.campaigns, 3)).tolist()
            notes = self._texts(rows.campaigns, 4)
            copy("campaigns", (
                f"{first.campaigns + n}\t{a % 12}\t2026-{n % 12 + 1:02}-{a % 28 + 1:02}\t{a}\t{b % 5000}"
                f"\t{c / 100}\t{next(notes)}\n" for n, (a, b, c) in enumerate(numbers)
            ))  # fmt: skip
            talks = max(1, rows.messages // 20)
            copy("conversations", (
                f"{first.messages + n}\t{first.campaigns + n % rows.campaigns}\n" for n in range(talks)
            ))  # fmt: skip
            copy("messages", (
                f"{first.messages + n}\t{first.messages + n % talks}\t2026-06-01 00:00:{n % 60:02}+00\t"
                f"{'user' if n % 2 else 'assistant'}\t{body}\n"
                for n, body in enumerate(self._texts(rows.messages, 60))
            ))  # fmt: skip
            copy("products", (
                f'{first.products + n}\t{first.campaigns + n % rows.campaigns}\t'
                f'{{"sku": "P{n:07}", "price": {n % 9973}, "text": "{body}"}}\n'
                for n, body in enumerate(self._texts(rows.products, 150))
            ))  # fmt: skip
            copy("passages", (
                f"{first.passages + n}\t{np.array2string(vector, separator=',', max_line_width=10**6, threshold=10**6)}\n"
                for n, vector in enumerate(chance.random((rows.passages, 384), np.float32).round(4))
            ))  # fmt: skip
            copy("files", (
                f"{first.files + n}\t\\\\x{chance.bytes(30_000).hex()}\n" for n in range(rows.files)
            ))  # fmt: skip
        self._next = Rows(*(
            getattr(first, name) + getattr(rows, name) for name in Rows.__dataclass_fields__
        ))  # fmt: skip


def lines(servers: Servers, quick: bool) -> list[str]:
    """Markdown: dump, proven backup, kept copies, restore."""
    days, rounds = (4, 1) if quick else (DAYS, 2)
    rows = FULL.times(0.02 if quick else 1)
    with fresh(servers, NAME) as url, tempfile.TemporaryDirectory() as folder:
        run(servers.postgres_url("postgres", NAME), "CREATE EXTENSION IF NOT EXISTS vector")
        run(url, SCHEMA)
        writer = Writer(url)
        writer.add(rows)
        run(url, INDEXES)
        run(url, "VACUUM ANALYZE")
        site = site_of(servers, Path(folder))
        size = ask(url, "SELECT pg_database_size(current_database())")
        return [
            f"## Backup of {size / MEGABYTE:,.0f} MB (P7)",
            "",
            *speeds(site, Path(folder), rounds),
            "",
            *copies(site, Path(folder), writer, rows, days),
            "",
            *restores(site, Path(folder)),
        ]


def speeds(site: Site, folder: Path, rounds: int) -> list[str]:
    """Seconds and bytes of each way, in alternating rounds."""
    taken: dict[str, list[float]] = {}
    stored: dict[str, int] = {}

    def ours(drill: bool) -> int:
        shutil.rmtree(folder / "store", ignore_errors=True)
        backups = opened(site, folder)
        made = backups.create(drill=drill)
        assert made.verified is drill
        return backups.stored_bytes()

    ways: dict[str, Callable[[], int]] = {
        "`pg_dump \\| gzip -6`": lambda: gzip_dump(site, folder),
        "ours, not proven": lambda: ours(drill=False),
        "ours, proven by a restore": lambda: ours(drill=True),
    }
    for _ in range(rounds):
        for way, run_it in ways.items():
            began = time.monotonic()
            stored[way] = run_it()
            taken.setdefault(way, []).append(time.monotonic() - began)
    peer = statistics.median(taken["`pg_dump \\| gzip -6`"])
    found = ["| backup | seconds | MB | times faster |", "| --- | ---: | ---: | ---: |"]
    for way, seconds in taken.items():
        middle = statistics.median(seconds)
        found.append(
            f"| {way} | {middle:.1f} | {stored[way] / MEGABYTE:,.1f} | {peer / middle:.1f} |"
        )
    return found


def copies(site: Site, folder: Path, writer: Writer, rows: Rows, days: int) -> list[str]:
    """What is kept of so many days, and what a month-old copy adds."""
    shutil.rmtree(folder / "store", ignore_errors=True)
    backups = opened(site, folder)
    gzipped = [gzip_dump(site, folder)]
    manifests = [backups.create(drill=False).manifest]
    same = backups.create(drill=False).manifest
    for day in range(1, days):
        run(site.owner.conninfo, CHANGED.format(chosen=f"hashint8(id) % 1000 IN ({day}, {day + 300}, {day + 600})", day=day))  # fmt: skip
        writer.add(rows.times(0.007))
        manifests.append(backups.create(drill=False).manifest)
    gzipped.append(gzip_dump(site, folder))

    def takes(kept: list[Manifest]) -> int:
        present = backups.store.chunks()
        named = named_by(backups.store, kept)
        return sum(present[name].bytes for name in named) + sum(one.files_bytes for one in kept)

    daily = takes(manifests)
    alone = Backups(site, FolderStore(folder / "alone"), BackupSettings()).create(drill=False)
    both = takes([manifests[0], manifests[-1]])
    month = (both - alone.manifest.stored_bytes) * DAILY / days
    new = [one.new_bytes for one in manifests[1:]]
    per_day = statistics.fmean(new)
    ours = daily + (DAILY - days) * per_day + (MONTHLY - 1) * month
    theirs = COPIES * gzipped[0]
    depth = max(len(chunk.lineage) for chunk in read_index(backups.store, manifests[-1].files[0]))
    measured = "measured" if days >= DAILY else f"{days} measured, the others their mean"
    return [
        f"Each day 0.7 % new rows and 0.3 % changed ones, scattered over the tables; {days} days.",
        "",
        "| kept | MB |",
        "| --- | ---: |",
        f"| the first backup | {manifests[0].stored_bytes / MEGABYTE:,.1f} |",
        f"| one more of an unchanged database | {same.new_bytes / MEGABYTE:,.3f} |",
        f"| one more a day, mean | {per_day / MEGABYTE:,.1f} |",
        f"| {DAILY} daily ({measured}) | {(daily + (DAILY - days) * per_day) / MEGABYTE:,.1f} |",
        f"| each older month (what the first day takes beside the last, times {DAILY / days:.1f}) | {month / MEGABYTE:,.1f} |",
        f"| {COPIES} copies (extrapolated) | {ours / MEGABYTE:,.1f} |",
        f"| {COPIES} times `pg_dump \\| gzip -6` of the first day | {theirs / MEGABYTE:,.1f} |",
        "",
        f"{theirs / ours:.1f} times less. A chunk was read through at most {depth} others.",
    ]


def restores(site: Site, folder: Path) -> list[str]:
    """The newest backup restored in the place of the live database, which others read."""
    backups = opened(site, folder)
    url = site.owner.sqlalchemy.render_as_string(hide_password=False)
    ended = threading.Event()
    reads, failures, longest = [0] * READERS, [0] * READERS, [0.0] * READERS

    def read(number: int) -> None:
        with closing(Database(url)) as database:
            while not ended.is_set():
                began = time.monotonic()
                try:
                    with database.session(read_only=True) as session:
                        session.scalar(text("SELECT count(*) FROM messages WHERE id < 100"))
                except ButtressError:
                    failures[number] += 1
                reads[number] += 1
                longest[number] = max(longest[number], time.monotonic() - began)
                time.sleep(0.001)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    try:
        done = backups.restore()
        seconds = time.monotonic() - began
        time.sleep(1)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert done.kept is not None
    postgresql.drop(site.owner, done.kept)
    return [
        f"Restored in the place of the live database in {seconds:.1f} s under {READERS} readers: "
        f"{sum(reads):,} reads, at most {max(failures)} failed for a reader, the longest took "
        f"{max(longest) * 1000:.0f} ms.",
    ]


def gzip_dump(site: Site, folder: Path) -> int:
    """Bytes that `pg_dump | gzip -6` leaves in a file."""
    target = folder / "dump.sql.gz"
    with psycopg.connect(site.reader.conninfo) as connection, target.open("wb") as file:
        program = tools.pg_tool("pg_dump", connection)
        conninfo, environment = tools.target(connection, site.reader)
        with subprocess.Popen(
            [program, "--no-password", f"--dbname={conninfo}"],
            stdout=subprocess.PIPE, env=environment,
        ) as dump:  # fmt: skip
            subprocess.run(["gzip", "-6"], stdin=dump.stdout, stdout=file, check=True)
    assert dump.returncode == 0
    return target.stat().st_size


def opened(site: Site, folder: Path) -> Backups:
    """The backups in that folder, without a key."""
    return Backups(site, FolderStore(folder / "store"), BackupSettings())


def site_of(servers: Servers, folder: Path) -> Site:
    """The database under the roles of a deployment."""
    reader, owner, admin = (
        parse_database_url(servers.postgres_url(role, NAME))
        for role in ("backup", "owner", "postgres")
    )
    return Site(reader, owner, admin, folder / "home")


def run(url: str, statements: str) -> None:
    """Statements, each in a transaction of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in filter(str.strip, statements.split(";\n")):
            connection.execute(statement)


def ask(url: str, query: str) -> int:
    """One number."""
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])

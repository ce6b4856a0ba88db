"""What a move does when the world breaks: the target is as it was, and no success is claimed."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import psycopg
import pytest

from buttress import move
from buttress.db.embedded import Servers, start_servers
from buttress.errors import (
    BadInput,
    ButtressError,
    ConfigurationError,
    Conflict,
    NotFound,
    Unavailable,
)
from buttress.mover import check_again as verify
from buttress.settings import Settings
from oracle import assert_every_row_is_accounted_for

MOVE = [sys.executable, "-m", "buttress", "move"]


def make_source(path: Path, rows: int) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript("""
            CREATE TABLE owner(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
            CREATE TABLE item(id INTEGER PRIMARY KEY AUTOINCREMENT, owner INTEGER REFERENCES owner(id), note TEXT, n REAL);
            CREATE INDEX item_owner ON item(owner);
            CREATE VIEW busy AS SELECT owner, count(*) AS items FROM item GROUP BY owner;
        """)
        connection.executemany(
            "INSERT INTO owner VALUES (?, ?)", ((i, f"owner {i}") for i in range(1000))
        )
        connection.executemany(
            "INSERT INTO item(owner, note, n) VALUES (?, ?, ?)",
            ((i % 1000, "x" * (i % 50) if i % 997 else "a\0b", i / 3) for i in range(rows)),
        )
    return path


def relations(conninfo: str, schema: str = "public") -> set[str]:
    with psycopg.connect(conninfo) as connection:
        return {
            name
            for (name,) in connection.execute(
                "select relname from pg_class c join pg_namespace n on n.oid = relnamespace "
                "where nspname = %s and relname not like 'pg_stat%%'",
                (schema,),
            )
        }


@pytest.fixture
def own_servers(tmp_path: Path) -> Iterator[tuple[Servers, Settings]]:
    """Servers of this test alone, which it may kill."""
    home = tmp_path / "home"
    with start_servers(home) as servers:
        yield servers, Settings(home=home)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_fifty_random_kills_leave_all_or_nothing(
    own_servers: tuple[Servers, Settings], tmp_path: Path
) -> None:
    servers, deployment = own_servers
    source = make_source(tmp_path / "source.db", 60_000)
    url = servers.postgres_url("owner")
    chance = random.Random(20261122)
    finished = 0
    for number in range(50):
        schema = f"kill{number % 5}"
        folder = tmp_path / f"report{number % 5}"
        again = ["--resume"] if (folder / "unfinished.json").exists() and number % 2 else []
        process = subprocess.Popen(
            [*MOVE, str(source), "--to", url, "--schema", schema, "--report", str(folder), "--workers", "2", *again],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": os.defpath, "BUTTRESS_HOME": str(deployment.home)},
        )  # fmt: skip
        time.sleep(chance.uniform(0.3, 3.0))
        if number % 4 == 3:
            _kill_postgres(deployment.home)
        else:
            process.kill()
        output, _ = process.communicate(timeout=120)
        start_servers(deployment.home)  # a killed server is replaced
        _wait_for(url)
        names = relations(url, schema)
        if "buttress_moves" in names:
            # Switched: it must be whole, whatever the process had time to say.
            assert verify(source, url, schema=schema, settings=deployment).verdict == (
                "proven with rows in quarantine"
            )
            with psycopg.connect(url) as connection:
                connection.execute(f"drop schema {schema} cascade")
            finished += 1
        else:
            assert names == set(), f"half-moved: {names}"
            assert "proven" not in output, output
    report = move(source, url, schema="final", report=tmp_path / "final", settings=deployment)
    counts = assert_every_row_is_accounted_for(source, url, report.plan, "final")
    assert counts["item"] == (60_000 - 61, 61)
    assert finished < 50


def _kill_postgres(home: Path) -> None:
    pid = int((home / "postgresql" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)


def _wait_for(url: str) -> None:
    for _ in range(100):
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not come back")


@pytest.mark.slow
def test_a_killed_move_resumes_where_it_stopped(
    database_url: str, conninfo: str, tmp_path: Path
) -> None:
    source = make_source(tmp_path / "source.db", 400_000)
    folder = tmp_path / "report"
    process = subprocess.Popen(
        [*MOVE, str(source), "--to", database_url, "--report", str(folder), "--workers", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with psycopg.connect(conninfo, autocommit=True) as watcher:
        before = _wait_for_chunks(watcher, 1)
    process.kill()
    process.wait()
    assert relations(conninfo) == set()

    report = move(source, database_url, report=folder, resume=True)

    assert before >= 1
    assert report.verdict == "proven with rows in quarantine"
    assert_every_row_is_accounted_for(source, conninfo, report.plan)


def _wait_for_chunks(watcher: psycopg.Connection, wanted: int) -> int:
    for _ in range(600):
        row = watcher.execute(
            "select quote_ident(nspname) from pg_class c join pg_namespace n on n.oid = relnamespace "
            "where relname = 'buttress_progress'"
        ).fetchone()
        if row:
            done = watcher.execute(f"select count(*) from {row[0]}.buttress_progress").fetchone()
            if done and done[0] >= wanted:
                return int(done[0])
        time.sleep(0.02)
    raise AssertionError("the move copied nothing")


def test_the_source_is_untouched_byte_for_byte(database_url: str, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.db", 1000)
    before, listing = source.read_bytes(), sorted(tmp_path.iterdir())

    move(source, database_url, report=tmp_path / "report")

    assert source.read_bytes() == before
    assert sorted(p for p in tmp_path.iterdir() if p.name != "report") == listing


def test_a_write_ahead_log_belongs_to_the_source(
    database_url: str, conninfo: str, tmp_path: Path
) -> None:
    source = make_source(tmp_path / "source.db", 100)
    with closing(sqlite3.connect(source)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO owner VALUES (5000, 'only in the log')")
        writer.commit()

        move(source, database_url, report=tmp_path / "report")

    with psycopg.connect(conninfo) as connection:
        assert connection.execute("select name from owner where id = 5000").fetchone()


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_others_may_write_meanwhile(
    mode: str, database_url: str, conninfo: str, tmp_path: Path
) -> None:
    source = make_source(tmp_path / "source.db", 30_000)
    with closing(sqlite3.connect(source)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
    script = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)\n"
        "c.execute('CREATE TABLE pair(a INTEGER PRIMARY KEY, b INTEGER)')\n"
        "print('ready', flush=True)\n"
        "for i in range(1, 1000000):\n"
        "    c.execute('BEGIN IMMEDIATE')\n"
        "    c.execute('INSERT INTO pair VALUES (?, ?)', (2 * i, i))\n"
        "    c.execute('INSERT INTO pair VALUES (?, ?)', (2 * i + 1, i))\n"
        "    c.execute('COMMIT')\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(source)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        report = move(source, database_url, report=tmp_path / "report")
    finally:
        writer.kill()
        writer.communicate()

    assert report.verdict == "proven with rows in quarantine"
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("select count(*), count(distinct b) from pair").fetchone()
    assert row is not None
    assert row[0] == 2 * row[1], "a transaction of the writer was torn"


def test_a_target_that_is_not_empty_is_refused(database_url: str, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.db", 10)
    move(source, database_url, report=tmp_path / "one")

    with pytest.raises(Conflict, match="already holds"):
        move(source, database_url, report=tmp_path / "two")


def test_replace_keeps_what_was_there(database_url: str, conninfo: str, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.db", 10)
    move(source, database_url, report=tmp_path / "one")
    asked = []

    report = move(source, database_url, report=tmp_path / "two", replace=True, backup=asked.append)

    assert report.verdict == "proven with rows in quarantine"
    assert len(asked) == 1
    with psycopg.connect(conninfo) as connection:
        kept = connection.execute(
            "select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace "
            "where relname = 'item' and nspname like 'public__before_%'"
        ).fetchone()
    assert kept == (1,)


def test_two_moves_into_one_schema_do_not_mix(database_url: str, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.db", 10)
    with psycopg.connect(database_url) as other:
        other.execute("select pg_advisory_lock(hashtext('buttress move'), hashtext('public'))")

        with pytest.raises(Conflict, match="another move"):
            move(source, database_url, report=tmp_path / "report")


def test_a_corrupt_page_costs_only_its_rows(
    database_url: str, conninfo: str, tmp_path: Path
) -> None:
    source = make_source(tmp_path / "source.db", 20_000)
    with closing(apsw.Connection(str(source))) as connection:
        pages = connection.execute(
            "SELECT pageno FROM dbstat WHERE name = 'item' AND pagetype = 'leaf' ORDER BY path"
        ).fetchall()
    with source.open("r+b") as file:
        file.seek((int(pages[len(pages) // 2][0]) - 1) * 4096)
        file.write(random.Random(1).randbytes(4096))

    report = move(source, database_url, report=tmp_path / "report")

    assert report.verdict == "proven with rows in quarantine"
    assert report.unreadable
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("select count(*) from item").fetchone()
    assert row is not None
    assert 19_000 < row[0] < 20_000


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda p: None, NotFound),
        (lambda p: p.mkdir(), BadInput),
        (lambda p: p.write_bytes(b""), BadInput),
        (lambda p: p.write_text("hello, this is not a database " * 50), BadInput),
        (lambda p: p.write_bytes(random.Random(2).randbytes(8192)), BadInput),
        (lambda p: p.write_bytes(b"SQLite format 3\0" + b"\0" * 20), BadInput),
    ],
    ids=["missing", "folder", "zero bytes", "text", "encrypted", "cut short"],
)
def test_a_bad_source_is_refused_clearly(make, error, database_url: str, tmp_path: Path) -> None:
    source = tmp_path / "source.db"
    make(source)

    with pytest.raises(error) as caught:
        move(source, database_url, report=tmp_path / "report")

    assert caught.value.hint
    assert "source.db" in caught.value.message


def test_a_truncated_file_gives_what_is_left(
    database_url: str, conninfo: str, tmp_path: Path
) -> None:
    source = make_source(tmp_path / "source.db", 20_000)
    os.truncate(source, source.stat().st_size * 2 // 3)

    report = move(source, database_url, report=tmp_path / "report")

    assert report.unreadable
    assert report.exit_code == 3
    assert sum(table.proven for table in report.proof.tables) > 1000


def test_a_locked_source_says_so(database_url: str, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.db", 10)
    script = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('BEGIN EXCLUSIVE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    locker = subprocess.Popen(
        [sys.executable, "-c", script, str(source)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert locker.stdout is not None
    locker.stdout.readline()

    with pytest.raises(Unavailable, match="lock"):
        move(source, database_url, report=tmp_path / "report")

    locker.kill()
    locker.communicate()


def test_a_target_without_rights_says_what_to_grant(database_url: str, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.db", 10)
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("revoke create on schema public from public")
        database = owner.info.dbname
    app = database_url.replace("buttress_owner", "buttress_app")

    with pytest.raises(ButtressError) as caught:
        move(source, app, report=tmp_path / "report")

    assert "grant" in (caught.value.hint or "").lower()
    assert database


def test_an_unreachable_target_says_so_without_the_password(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.db", 10)

    with pytest.raises(Unavailable) as caught:
        move(source, "postgresql://u:s3cret-word@127.0.0.1:1/x", report=tmp_path / "report")

    assert "s3cret-word" not in f"{caught.value.message} {caught.value.hint} {caught.value!r}"
    assert not (tmp_path / "report" / "snapshot.db").exists()


def test_a_schema_in_the_url_is_not_passed_over(database_url: str, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.db", 10)

    with pytest.raises(ConfigurationError, match="names schema sales"):
        move(source, f"{database_url}&schema=sales", report=tmp_path / "report")

    assert (
        move(
            source, f"{database_url}&schema=sales", schema="sales", report=tmp_path / "again"
        ).exit_code
        == 3
    )


def test_dry_run_touches_no_target(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.db", 10)

    report = move(source, "postgresql://127.0.0.1:1/nowhere", dry_run=True, report=tmp_path / "r")

    assert report.verdict == "planned"
    assert (tmp_path / "r" / "plan.toml").exists()

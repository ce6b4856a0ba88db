"""Point-in-time recovery of a real embedded server: rows back, damage refused, gaps told."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from buttress.db.embedded import start_servers
from buttress.errors import BadInput, Conflict, NotFound, Unavailable, Unsupported
from buttress.pitr import Archive, Base, PointInTime, open_pitr, recovery
from buttress.pitr.archiving import hand_over, switch_on
from buttress.pitr.bases import to_continue
from buttress.pitr.segments import following, is_sound, name_of
from buttress.runtime import Runtime
from buttress.settings import Settings

pytestmark = pytest.mark.slow


class World:
    """An embedded server with point-in-time recovery and a table of numbers."""

    def __init__(self, pitr: PointInTime) -> None:
        self.pitr = pitr

    def run(self, statement: str) -> None:
        with self.connect() as connection:
            connection.execute(statement)

    def numbers(self, database: str = "buttress") -> list[int]:
        with self.connect(database) as connection:
            return [n for (n,) in connection.execute("SELECT n FROM number ORDER BY n")]

    def now(self) -> datetime:
        with self.connect() as connection:
            return connection.execute("SELECT clock_timestamp()").fetchone()[0]

    def connect(self, database: str = "buttress") -> psycopg.Connection:
        url = self.pitr.servers.postgres_url("owner", database)
        return psycopg.connect(url, autocommit=True)

    def connect_as_superuser(self) -> psycopg.Connection:
        url = self.pitr.servers.postgres_url("postgres", "buttress")
        return psycopg.connect(url, autocommit=True)

    def wal(self, name: str) -> Path:
        return self.pitr.archive.wal / f"{name}.gz"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("pitr")


@pytest.fixture(scope="module")
def opened(home) -> Iterator[World]:
    with start_servers(home), open_pitr(Settings(home=home)) as pitr:
        world = World(pitr)
        world.run("CREATE TABLE number (n int PRIMARY KEY)")
        assert pitr.enable()
        pitr.base()
        yield world


@pytest.fixture
def world(opened) -> World:
    """The numbers 0 to 999, committed a moment ago."""
    opened.run("DROP TABLE IF EXISTS number; CREATE TABLE number (n int PRIMARY KEY)")
    opened.run("INSERT INTO number SELECT generate_series(0, 999)")
    return opened


@pytest.fixture
def base(world) -> Base:
    """The base backup a recovery would start from."""
    return world.pitr.archive.bases()[-1]


@pytest.fixture
def flip() -> Iterator[Callable[[Path, int], None]]:
    """Changes one bit of a file; afterwards it is as it was."""
    before: dict[Path, bytes] = {}

    def change(path: Path, place: int) -> None:
        before[path] = path.read_bytes()
        data = bytearray(before[path])
        data[place] ^= 1
        path.write_bytes(data)

    yield change
    for path, data in before.items():
        path.write_bytes(data)


def test_deleted_rows_are_back_as_of_the_moment_before(world):
    before = world.now()
    world.run("DELETE FROM number WHERE n >= 500; INSERT INTO number VALUES (5000)")

    done = world.pitr.restore(before)

    assert world.numbers() == list(range(1000))
    assert world.numbers(done.kept) == [*range(500), 5000]


def test_an_incremental_base_backup_is_combined_with_what_it_rests_on(world):
    full = world.pitr.base(full=True)
    world.run("DELETE FROM number WHERE n < 10")
    taken = world.pitr.base()
    before = world.now()
    world.run("DROP TABLE number")

    done = world.pitr.restore(before, to="combined")

    assert (taken.kind, taken.after, done.base) == ("incremental", full.id, taken.id)
    assert taken.bytes < full.bytes / 2
    assert done.kept is None
    assert world.numbers("combined") == list(range(10, 1000))


def test_a_dry_run_leaves_nothing(world):
    with world.connect() as connection:
        before = connection.execute("SELECT datname FROM pg_database").fetchall()

        done = world.pitr.restore(None, dry_run=True)

        assert connection.execute("SELECT datname FROM pg_database").fetchall() == before
    assert done.rows >= 1000
    assert _left(world) == {"wal", "base", "lock"}


def _left(world: World) -> set[str]:
    return {path.name for path in world.pitr.archive.folder.iterdir()}


def test_what_a_killed_restore_leaves_goes_with_the_next_work_on_the_archive(world, home):
    command = [sys.executable, "-m", "buttress", "pitr", "restore", "--at", "latest", "--dry-run"]
    environment = {"PATH": os.defpath, "BUTTRESS_HOME": str(home), "DATABASE_URL": "embedded"}
    with subprocess.Popen(command, env=environment) as process:
        give_up = time.monotonic() + 20
        while not any(name.startswith("recovery-") for name in _left(world)):
            assert process.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.01)
        process.kill()
    assert _left(world) > {"wal", "base"}
    (world.pitr.archive.folder / "dump-killed").mkdir()

    world.pitr.prune()

    assert _left(world) == {"wal", "base", "lock"}


def test_who_works_on_the_archive_is_left_alone(world, base):
    archive = Archive(world.pitr.archive.folder)
    with archive.alone("base"):
        archive.unfinished("20200101T000000-0000").mkdir()
        for work in (world.pitr.base, world.pitr.prune, lambda: world.pitr.restore(None)):
            with pytest.raises(Conflict, match="pitr base of process"):
                work()
        assert archive.unfinished("20200101T000000-0000").exists()
    world.pitr.prune()

    assert not archive.unfinished("20200101T000000-0000").exists()
    assert base in archive.bases()


def test_a_flipped_bit_in_a_base_backup_is_refused(world, base, flip):
    largest = max(
        (path for path in (world.pitr.archive.path(base) / "base").rglob("*") if path.is_file()),
        key=lambda path: path.stat().st_size,
    )
    flip(largest, largest.stat().st_size // 2)

    with pytest.raises(BadInput, match="damaged"):
        world.pitr.restore(None, dry_run=True, base=base.id)

    assert world.numbers() == list(range(1000))


def _three_segments(world: World) -> list[tuple[str, datetime]]:
    """Names of segments that were just archived, each with a commit in it and when that was."""
    found = []
    with world.connect_as_superuser() as connection:
        for n in (2001, 2002, 2003):
            connection.execute("INSERT INTO number VALUES (%s)", [n])
            name = connection.execute("SELECT pg_walfile_name(pg_current_wal_lsn())").fetchone()[0]
            found.append((name, world.now()))
            hand_over(connection, world.pitr.archive)
    return found


@pytest.fixture
def full_archive(world) -> Iterator[Callable[[], None]]:
    """Has the server fail to hand its log over, as it does where the disk is full."""

    def block() -> None:
        with world.connect_as_superuser() as connection:
            connection.execute("ALTER SYSTEM SET archive_command = 'exit 1'")
            connection.execute("SELECT pg_reload_conf()")

    yield block
    with world.connect_as_superuser() as connection:
        switch_on(connection, world.pitr.archive)


def test_an_archived_moment_is_recovered_while_the_archive_takes_no_more(
    world, full_archive, monkeypatch
):
    monkeypatch.setattr("buttress.pitr.archiving.WAIT_SECONDS", 1.0)
    before = world.now()
    _three_segments(world)
    full_archive()
    world.run("INSERT INTO number VALUES (3000)")

    done = world.pitr.restore(before, to="archived")
    with pytest.raises(Unavailable, match="was not archived"):
        world.pitr.restore(world.now(), dry_run=True)

    assert done.until == before
    assert world.numbers("archived") == list(range(1000))


def test_what_is_handed_over_during_a_recovery_is_not_part_of_it(world, monkeypatch):
    with world.connect_as_superuser() as connection:
        hand_over(connection, world.pitr.archive)
    planned = recovery.plan

    def plan_and_go_on(*arguments):
        made = planned(*arguments)
        _three_segments(world)
        return made

    monkeypatch.setattr(recovery, "plan", plan_and_go_on)

    world.pitr.restore(None, to="as_planned")

    assert world.numbers("as_planned") == list(range(1000))


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_a_hole_in_the_log_tells_up_to_when_recovery_is_possible(world, base, harm, flip, tmp_path):
    segments = _three_segments(world)
    (_, first_at), (second, _), (_, third_at) = segments
    saved = tmp_path / "segment"
    if harm == "missing":
        shutil.move(world.wal(second), saved)
    else:
        # In the checksum: where zeros repeat, not every changed bit changes what comes out.
        flip(world.wal(second), -6)

    with pytest.raises(Conflict, match=rf"{second} of the log is {harm}.*possible up to") as told:
        world.pitr.restore(third_at, base=base.id, dry_run=True)
    possible = datetime.fromisoformat(told.value.message.partition("up to ")[2])
    done = world.pitr.restore(possible, base=base.id, to=f"up_to_{harm}")

    assert first_at <= possible < third_at
    assert world.numbers(done.database) == [*range(1000), 2001]
    if harm == "missing":
        shutil.move(saved, world.wal(second))


def test_a_segment_is_never_replaced_by_another_one(world):
    (name, _), (another, _), _ = _three_segments(world)
    kept = world.wal(name).read_bytes()
    other = world.wal(another)

    with world.connect() as connection:
        command = connection.execute("SHOW archive_command").fetchone()[0]
    said = _run_archive_command(command, name, other)

    assert said != 0
    assert world.wal(name).read_bytes() == kept


def _run_archive_command(command: str, name: str, path: Path) -> int:
    command = command.replace("%f", name).replace("%p", str(path)).replace("%%", "%")
    return subprocess.run(["/bin/sh", "-c", command], check=False).returncode


def test_moments_that_cannot_be_reached_are_refused(world):
    with pytest.raises(BadInput, match="future"):
        world.pitr.restore(world.now() + timedelta(hours=1))
    with pytest.raises(NotFound, match="oldest base backup"):
        world.pitr.restore(datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(NotFound, match="no base backup"):
        world.pitr.restore(None, base="20200101T000000-0000")


def test_status_tells_what_can_be_recovered(world):
    found = world.pitr.status()

    assert found.on
    assert found.failed == found.problem == ""
    assert found.since == found.bases[0].finished_at
    assert found.archived_at >= found.bases[-1].started_at


def test_pruning_keeps_what_the_last_weeks_need_and_the_newest(world):
    pitr = world.pitr
    full = pitr.base(full=True)
    newest = pitr.base()

    kept = pitr.prune(weeks=4)
    would_go = pitr.prune(weeks=0, dry_run=True)
    gone = pitr.prune(weeks=0)

    assert kept.bases == []
    assert gone == would_go
    assert [base.id for base in pitr.archive.bases()] == [full.id, newest.id]
    assert gone.segments
    assert pitr.restore(None, dry_run=True).base == newest.id


def test_base_backups_and_pruning_are_jobs_where_the_embedded_server_archives(
    world, home, monkeypatch
):
    with Runtime(Settings(home=home)) as runtime:
        jobs = {job.name: job for job in runtime.jobs.declared()}
        base, prune = jobs["buttress.base"], jobs["buttress.prune_archive"]

        taken = base()

        assert taken == world.pitr.archive.bases()[-1].id
        assert prune() == []
        assert (base.schedule, prune.schedule) == ("30 3 * * *", "30 5 * * 0")
        monkeypatch.setattr("buttress.pitr.pitr.is_on", lambda connection: False)
        assert (base(), prune()) == (None, [])
    own = world.pitr.servers.postgres_url("owner")
    with Runtime(Settings(home=home, database_url=own)) as runtime:
        assert "buttress.base" not in {job.name for job in runtime.jobs.declared()}


def test_a_server_whose_data_is_lost_comes_back_from_its_archive(world, tmp_path_factory):
    before = world.pitr.restore(None, dry_run=True).until

    settings = Settings(home=tmp_path_factory.mktemp("new"))
    with start_servers(settings.home), open_pitr(settings) as pitr:
        pitr.restore(None, archive=world.pitr.archive.folder)
        found = World(pitr).numbers()

        with pytest.raises(Conflict, match="the log ends with a commit at"):
            pitr.restore(world.now(), archive=world.pitr.archive.folder)

    assert found == list(range(1000))
    assert before < world.now()


def test_a_server_of_yours_is_left_to_what_runs_it(tmp_path):
    settings = Settings(home=tmp_path, database_url="postgresql://db.example.com/shop")

    with pytest.raises(Unsupported, match="not the embedded"), open_pitr(settings):
        pass


SEGMENT_BYTES = 16 << 20


@pytest.fixture
def old(tmp_path) -> Archive:
    """Forty daily base backups, a full one each week, and two segments of the log a day."""
    archive = Archive(tmp_path)
    archive.wal.mkdir()
    archive.base.mkdir()
    for day in range(40):
        taken = datetime.now(UTC) - timedelta(days=40 - day)
        after = f"b{day - 1:02}" if day % 7 else None
        start = (day * 2 + 1) * SEGMENT_BYTES
        archive.publish(Base(f"b{day:02}", after, 1, start, SEGMENT_BYTES, taken, taken, 1, "18.0"))
    for number in range(1, 82):
        (archive.wal / f"{name_of(1, number * SEGMENT_BYTES, SEGMENT_BYTES)}.gz").touch()
    return archive


def test_status_claims_no_moment_that_pruning_gave_up(world, old, monkeypatch):
    monkeypatch.setattr(world.pitr, "archive", old)
    taken = {base.id: base.finished_at for base in old.bases()}
    assert world.pitr.status().since == taken["b00"]

    world.pitr.prune(weeks=4)

    # It stays because b12 rests on it; its own log is gone.
    assert old.bases()[0].id == "b07"
    assert world.pitr.status().since == taken["b12"]
    old.delete(old.bases()[0])
    assert world.pitr.status().since == taken["b14"]


def test_of_daily_base_backups_each_eighth_is_a_full_one_again(old):
    full, *daily = old.bases()[:7]
    for base in old.bases()[7:]:
        old.delete(base)
    week = timedelta(days=7)

    # A full one takes longer: what is started at the same hour is not quite a week after its end.
    assert to_continue(old, full.finished_at + week - timedelta(hours=3)) is None
    assert to_continue(old, daily[-1].finished_at) == daily[-1]


def test_status_claims_no_moment_before_a_gap(world, old, monkeypatch):
    monkeypatch.setattr(world.pitr, "archive", old)
    taken = {base.id: base.finished_at for base in old.bases()}
    old.wal.joinpath(f"{name_of(1, 30 * SEGMENT_BYTES, SEGMENT_BYTES)}.gz").unlink()

    assert world.pitr.status().since == taken["b15"]
    old.wal.joinpath(f"{name_of(1, 80 * SEGMENT_BYTES, SEGMENT_BYTES)}.gz").unlink()
    assert world.pitr.status().since is None


def test_segments_follow_one_another_across_the_files_of_the_log():
    assert following("0000000100000000000000FE", 16 << 20) == "0000000100000000000000FF"
    assert following("0000000100000000000000FF", 16 << 20) == "000000010000000100000000"


def test_a_cut_segment_is_not_sound(world, tmp_path):
    name, _ = _three_segments(world)[0]
    whole = world.wal(name)
    cut = tmp_path / "cut.gz"
    cut.write_bytes(whole.read_bytes()[:-1])

    assert is_sound(whole, 16 << 20)
    assert not is_sound(cut, 16 << 20)

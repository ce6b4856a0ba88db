"""Point-in-time recovery of a real embedded server: rows back, damage refused, gaps told."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from buttress.db.embedded import start_servers
from buttress.errors import BadInput, Conflict, NotFound, Unsupported
from buttress.pitr import Base, PointInTime, open_pitr
from buttress.pitr.archiving import hand_over
from buttress.pitr.segments import following, is_sound
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
    left = {path.name for path in world.pitr.archive.folder.iterdir()}
    assert left == {"wal", "base"}


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
    with psycopg.connect(
        world.pitr.servers.postgres_url("postgres", "buttress"), autocommit=True
    ) as connection:
        for n in (2001, 2002, 2003):
            connection.execute("INSERT INTO number VALUES (%s)", [n])
            name = connection.execute("SELECT pg_walfile_name(pg_current_wal_lsn())").fetchone()[0]
            found.append((name, world.now()))
            hand_over(connection, world.pitr.archive)
    return found


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
    name, _ = _three_segments(world)[0]
    kept = world.wal(name).read_bytes()
    other = world.wal("000000010000000000000001")

    assert other.exists()
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

"""The embedded servers, with real processes that come, go and are killed."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import psycopg
import pytest
import valkey

from buttress.db import server_files
from buttress.db.embedded import Servers, start_servers
from buttress.db.keeper import servers_in
from buttress.errors import ConfigurationError, Unavailable

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

USER = """
import sys
from pathlib import Path
from buttress.db.embedded import start_servers
sys.stdin.readline()
servers = start_servers(Path(sys.argv[1]))
print(servers.postgres_url("owner"), flush=True)
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder shared by these tests; each leaves it with nothing running."""
    return tmp_path_factory.mktemp("embedded") / "var"


@pytest.fixture(autouse=True)
def nothing_is_left_running(home: Path) -> Iterator[None]:
    yield
    while Process.running:
        Process.running[-1].kill()
    wait_until(lambda: not processes(home))


class Process:
    """Another process that uses the servers of `home` once told to."""

    running: ClassVar[list[Process]] = []

    def __init__(
        self,
        home: Path,
        program: Sequence[str] = (sys.executable,),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.popen = subprocess.Popen(
            [*program, "-c", USER, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.running.append(self)

    def tell(self) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()

    def url(self) -> str:
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().strip()

    def start(self) -> str:
        self.tell()
        return self.url()

    def leave(self) -> None:
        self.tell()
        self.wait()

    def kill(self) -> None:
        self.popen.kill()
        self.wait()

    def wait(self) -> None:
        with suppress(BrokenPipeError):
            self.popen.communicate(timeout=60)
        self.running.remove(self)


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def processes(home: Path) -> list[int]:
    """The servers of `home` and their keeper."""
    return servers_in([home / "postgresql", home / "valkey"]) + keepers(home)


def keepers(home: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[-2:-1] == [os.fsencode(home)] and words[-3].endswith(b"keeper.py"):
                found.append(int(entry.name))
    return found


def postmaster(home: Path) -> int:
    return int((home / "postgresql" / "postmaster.pid").read_text().split()[0])


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            return connection.execute("select 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def write_note(servers: Servers) -> str:
    note = secrets.token_hex(8)
    with psycopg.connect(servers.postgres_url("owner")) as connection:
        connection.execute("create table if not exists notes (note text)")
        connection.execute("insert into notes values (%s)", [note])
    return note


def notes(servers: Servers) -> set[str]:
    with psycopg.connect(servers.postgres_url()) as connection:
        return {note for (note,) in connection.execute("select note from notes")}


def test_both_servers_answer_and_only_their_user_reaches_them(home):
    with start_servers(home) as servers:
        with psycopg.connect(servers.postgres_url()) as connection:
            assert connection.execute("show server_version_num").fetchone() > ("180000",)
            assert connection.execute("show data_checksums").fetchone() == ("on",)
            assert connection.execute("show listen_addresses").fetchone() == ("",)
            assert connection.execute("show timezone").fetchone() == ("UTC",)
        with valkey.from_url(servers.valkey_url) as client:
            assert client.ping()
            assert client.config_get("port") == {"port": "0"}
        with (
            valkey.Valkey(unix_socket_path=str(servers.socket_folder / "valkey.sock")) as stranger,
            pytest.raises(valkey.AuthenticationError),
        ):
            stranger.ping()
        for folder in (servers.socket_folder, home / "postgresql", home / "valkey"):
            assert folder.stat().st_mode & 0o777 == 0o700
        password = servers.valkey_url.split("@")[0].rpartition(":")[2]
        assert len(password) > 30
        assert password not in repr(servers)
        assert (home / "run" / "servers.json").stat().st_mode & 0o777 == 0o600


def test_the_app_owns_nothing_and_reads_what_migrations_create(home):
    with start_servers(home) as servers:
        with psycopg.connect(servers.postgres_url("owner"), autocommit=True) as owner:
            owner.execute("create schema if not exists room")
            owner.execute("create table if not exists room.things (id serial, size vector(3))")
            owner.execute(
                "alter table room.things enable row level security, force row level security"
            )
        with psycopg.connect(servers.postgres_url(), autocommit=True) as app:
            rights = app.execute(
                "select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole from pg_roles"
                " where rolname = current_user"
            ).fetchone()
            assert rights == (False, False, False, False)
            assert app.execute("select count(*) from room.things").fetchone() == (0,)
            for forbidden in (
                "create table public.mine ()",
                "create schema mine",
                "drop table room.things",
                "truncate room.things",
                "alter table room.things disable row level security",
                "set role buttress_owner",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    app.execute(forbidden)
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                app.execute("insert into room.things default values")
        with psycopg.connect(servers.postgres_url("backup"), autocommit=True) as backup:
            assert backup.execute("select count(*) from room.things").fetchone() == (0,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                backup.execute("insert into room.things default values")


def test_the_next_process_joins_and_the_last_one_stops_the_servers(home):
    first, second = Process(home), Process(home)
    first.start()
    number = postmaster(home)
    second.start()
    first.leave()
    with start_servers(home) as servers:
        second.leave()
        assert postmaster(home) == number
        note = write_note(servers)

    wait_until(lambda: not processes(home))

    with start_servers(home) as servers:
        assert postmaster(home) != number
        assert note in notes(servers)


def test_processes_that_start_together_share_one_server(home):
    users = [Process(home) for _ in range(3)]
    for user in users:
        user.tell()

    urls = {user.url() for user in users}

    assert len(urls) == 1
    assert answers(urls.pop())
    assert len(keepers(home)) == 1
    for user in users:
        user.leave()


def test_threads_of_a_process_share_one_hold(home):
    found: list[Servers] = []
    threads = [threading.Thread(target=lambda: found.append(start_servers(home))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 1
    for servers in found[:-1]:
        servers.close()
        servers.close()
    assert answers(found[-1].postgres_url())
    found[-1].close()


def test_no_server_survives_the_kill_of_all_its_users(home):
    users = [Process(home), Process(home)]
    for user in users:
        user.start()
    assert processes(home)

    for user in users:
        user.kill()

    wait_until(lambda: not processes(home))


def test_no_server_survives_the_kill_of_its_users_and_its_keeper(home):
    user = Process(home)
    user.start()
    for keeper in keepers(home):
        os.kill(keeper, signal.SIGKILL)
    user.kill()

    wait_until(lambda: not processes(home))


def test_a_killed_keeper_is_replaced_by_the_next_call(home):
    with start_servers(home) as servers:
        note = write_note(servers)
        for keeper in keepers(home):
            os.kill(keeper, signal.SIGKILL)

        with start_servers(home) as again:
            assert again == servers
            assert len(keepers(home)) == 1
            assert note in notes(servers)


@pytest.mark.parametrize("victim", ["postgres", "valkey-server"])
def test_a_killed_server_comes_back_on_its_own(home, victim):
    with start_servers(home) as servers, valkey.from_url(servers.valkey_url) as client:
        note = write_note(servers)
        time.sleep(5.1)  # dying sooner after its start counts as not being able to run
        if victim == "postgres":
            os.kill(postmaster(home), signal.SIGKILL)
        else:
            os.kill(client.info()["process_id"], signal.SIGKILL)

        with start_servers(home):
            assert note in notes(servers)
            assert valkey.from_url(servers.valkey_url).ping()


def test_a_server_killed_at_once_is_replaced_by_the_next_call(home):
    with start_servers(home) as servers:
        note = write_note(servers)
        os.kill(postmaster(home), signal.SIGKILL)

        with start_servers(home):
            assert note in notes(servers)


def test_everything_killed_in_the_middle_of_a_query_starts_again(home):
    user = Process(home)
    url = user.start()
    with start_servers(home) as servers:
        note = write_note(servers)
    # A loop that never looks whether its server is still there.
    busy = psycopg.connect(url)
    query = threading.Thread(
        target=lambda: suppress_lost(busy, "select count(*) from generate_series(1, 1e9)")
    )
    query.start()
    time.sleep(0.3)

    victims = [*keepers(home), postmaster(home), user.popen.pid]
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    user.wait()
    with start_servers(home) as servers:
        assert note in notes(servers)
    query.join()
    busy.close()


def suppress_lost(connection: psycopg.Connection, statement: str) -> None:
    with suppress(psycopg.OperationalError):
        connection.execute(statement)


def test_leaving_and_coming_at_any_moment_never_meets_a_server_that_stops(home):
    seed = random.randrange(2**32)
    print("seed", seed)
    moment = random.Random(seed)
    for _ in range(15):
        with start_servers(home) as servers:
            assert answers(servers.postgres_url())
        time.sleep(moment.uniform(0, 0.4))


def test_a_process_file_that_names_a_stranger_is_no_obstacle(home):
    start_servers(home).close()
    wait_until(lambda: not processes(home))
    (home / "postgresql" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{home}\n1\n5432\n\n\n1 1\n"
    )

    with start_servers(home) as servers:
        assert answers(servers.postgres_url())


def test_two_data_folders_never_meet(home, tmp_path):
    with start_servers(home) as one, start_servers(tmp_path / "other") as other:
        assert one.socket_folder != other.socket_folder
        assert postmaster(one.home) != postmaster(other.home)
        note = write_note(one)
        write_note(other)
        assert note not in notes(other)
    wait_until(lambda: not processes(tmp_path / "other"))


def test_a_long_path_gets_its_sockets_in_a_short_folder_of_ours(tmp_path):
    deep = tmp_path / ("deep" * 20) / "ação 'quoted' folder"
    with start_servers(deep) as servers:
        assert len(str(servers.socket_folder)) < 60
        assert servers.socket_folder.stat().st_mode & 0o777 == 0o700
        assert answers(servers.postgres_url())
        assert valkey.from_url(servers.valkey_url).ping()
    wait_until(lambda: not processes(deep))
    servers.socket_folder.rmdir()


def test_a_folder_where_the_sockets_should_be_that_is_not_ours_is_refused(tmp_path):
    deep = tmp_path / ("deep" * 20)
    with start_servers(deep) as servers:
        pass
    wait_until(lambda: not processes(deep))
    servers.socket_folder.rmdir()
    servers.socket_folder.symlink_to(tmp_path)

    with pytest.raises(ConfigurationError, match="belongs to another user"):
        start_servers(deep)
    servers.socket_folder.unlink()


@as_root
def test_root_runs_the_servers_as_the_system_user_where_others_may_enter():
    folder = Path(tempfile.mkdtemp(prefix="buttress-test-"))
    folder.chmod(0o755)
    try:
        home = folder / "var"
        with start_servers(home) as servers:
            assert (home / "postgresql").owner() == "buttress"
            assert (home / "run").owner() == "root"
            assert answers(servers.postgres_url())
            assert valkey.from_url(servers.valkey_url).ping()
        wait_until(lambda: not processes(home))
        # The same folder, closed: root takes over inside a user namespace.
        folder.chmod(0o700)
        with start_servers(home) as servers:
            assert (home / "postgresql").owner() == "root"
            assert answers(servers.postgres_url())
        wait_until(lambda: not processes(home))
        assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(folder)


def python_for_anyone(switch: list[str]) -> tuple[list[str], dict[str, str]]:
    """A Python another user may run, with our packages: ours may lie in a closed folder."""
    packages = [path for path in sys.path if path.endswith(("site-packages", "src"))]
    environment = {"PYTHONPATH": os.pathsep.join(packages), "PATH": os.environ["PATH"]}  # noqa: TID251
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        program = [*switch, python]
        test = subprocess.run(
            [*program, "-c", "import buttress.db.embedded"],
            env=environment,
            check=False,
            capture_output=True,
        )
        if test.returncode == 0:
            return program, environment
    pytest.skip("no other user may run a Python with our packages")


@as_root
@pytest.mark.parametrize("user", ["65534", "54321"], ids=["with a name", "without one"])
def test_an_ordinary_user_runs_the_servers(user):
    # setpriv keeps root's capabilities until it runs a program: the shell has lost them.
    switch = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    switch += ["sh", "-c", 'exec "$0" "$@"']
    program, environment = python_for_anyone(switch)
    folder = Path(tempfile.mkdtemp(prefix="buttress-test-"))
    os.chown(folder, int(user), int(user))
    try:
        process = Process(folder / "var", program, environment)
        assert answers(process.start())
        assert (folder / "var" / "postgresql").stat().st_uid == int(user)
        process.kill()
        wait_until(lambda: not processes(folder / "var"))
        with pytest.raises(ConfigurationError, match="belongs to another user"):
            start_servers(folder / "var")
    finally:
        shutil.rmtree(folder)


def test_what_the_server_said_is_told_when_it_does_not_start(home):
    with pytest.raises(Unavailable, match='invalid value for parameter "shared_buffers"') as caught:
        start_servers(home, settings={"shared_buffers": "nonsense"})

    assert caught.value.hint == f"Read the logs in {home / 'logs'}."
    with start_servers(home) as servers:
        assert answers(servers.postgres_url())


def test_the_data_of_another_major_version_is_refused(tmp_path):
    (tmp_path / "postgresql").mkdir()
    (tmp_path / "postgresql" / "PG_VERSION").write_text("16\n")

    with pytest.raises(ConfigurationError, match="made by PostgreSQL 16"):
        start_servers(tmp_path)


def test_a_folder_that_is_no_data_folder_is_refused(tmp_path):
    (tmp_path / "postgresql").mkdir()

    with pytest.raises(ConfigurationError, match="is not a PostgreSQL data folder"):
        start_servers(tmp_path)


def test_a_file_in_place_of_the_data_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="cannot be used"):
        start_servers(tmp_path / "file" / "var")


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(server_files, "FREE_BYTES", 2**62)

    with pytest.raises(Unavailable, match="space left"):
        start_servers(tmp_path)


def test_a_platform_without_wheels_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(server_files.platform, "machine", lambda: "riscv64")

    with pytest.raises(ConfigurationError, match="riscv64") as caught:
        start_servers(tmp_path)
    assert "DATABASE_URL" in str(caught.value.hint)

"""PostgreSQL servers of a test's own, to be restarted, killed, copied and paused."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from buttress.db import keeper
from buttress.db.server_files import PORT, find_programs
from buttress.db.server_user import server_user

STOP = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}
PROGRAMS = find_programs().postgresql
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "max_connections": "120",
    "wal_keep_size": "256MB",
    "hot_standby": "on",
    # A standby that reports late would only make tests slow.
    "wal_receiver_status_interval": "1s",
}


class OwnServer:
    """One data folder and the server on it, listening on a socket in that folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._user = server_user([PROGRAMS, folder.parent]).as_specification()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL of its database `postgres` for the superuser."""
        return (
            f"postgresql://postgres@/postgres?host={quote(str(self.folder), safe='')}&port={PORT}"
        )

    def create(self) -> None:
        """An empty data folder."""
        self._give_folder()
        self._run(
            "initdb", "-D", str(self.data), "--username=postgres", "--auth=trust", "--no-sync",
            "--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=builtin", "--no-instructions",
        )  # fmt: skip

    def copy_to(self, folder: Path) -> OwnServer:
        """A standby of this server, not started."""
        standby = OwnServer(folder)
        standby._give_folder()
        standby._run(
            "pg_basebackup", "-D", str(standby.data), "-h", str(self.folder), "-p", str(PORT),
            "-U", "postgres", "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
        )  # fmt: skip
        return standby

    def start(self, **settings: str) -> None:
        """Returns when it answers."""
        command = [str(PROGRAMS / "postgres"), "-D", str(self.data)]
        for name, value in (
            SETTINGS | {"unix_socket_directories": str(self.folder)} | settings
        ).items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self._process = keeper.spawn(
                command, self._user, stdin=subprocess.DEVNULL, stdout=log, death_signal=signal.SIGQUIT
            )  # fmt: skip
        answers = keeper.postgresql_answers(self.data)
        give_up = time.monotonic() + 30
        while not answers(self._process.pid):
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < give_up
            time.sleep(0.005)

    def stop(self, mode: str = "fast") -> None:
        """Stop it as `pg_ctl stop -m` does; `kill` is kill -9 of all its processes."""
        assert self._process is not None
        self._process.send_signal(STOP[mode])
        self._process.wait(30)
        keeper.end_leftovers([self.data], [self.data / "postmaster.pid"])

    def restart(self, mode: str = "fast") -> float:
        """Stop and start; returns the seconds it was away."""
        began = time.monotonic()
        self.stop(mode)
        self.start()
        return time.monotonic() - began

    def promote(self) -> None:
        """Make a standby a primary of its own."""
        self._run("pg_ctl", "promote", "-D", str(self.data), "--wait")

    def _give_folder(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if "uid" in self._user:
            os.chown(self.folder, self._user["uid"], self._user["gid"])

    def _run(self, program: str, *arguments: str) -> None:
        process = keeper.spawn(
            [str(PROGRAMS / program), *arguments], self._user, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, death_signal=signal.SIGKILL,
        )  # fmt: skip
        said, _ = process.communicate()
        assert process.returncode == 0, said.decode()


@contextmanager
def own_servers() -> Iterator[Path]:
    """A folder any user may enter, short enough for sockets; gone afterwards with its servers."""
    folder = Path(tempfile.mkdtemp(prefix="own-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        keeper.end_leftovers(list(folder.glob("*/data")), [])
        with suppress(OSError):
            shutil.rmtree(folder)


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A running server of one's own."""
    with own_servers() as folder:
        server = OwnServer(folder / "primary")
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")

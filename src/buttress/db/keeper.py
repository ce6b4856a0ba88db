"""Keeps PostgreSQL and Valkey running for as long as any process uses them, then stops them.

Run by path as a session of its own, with nothing but the standard library: `python -I keeper.py`,
the specification as JSON on standard input. One JSON line on standard output says when both servers
answer, or why they do not.

Who uses the servers holds a shared lock on `users.lock`, which the kernel releases however a
process ends. The keeper waits for the exclusive lock on it: when granted, nobody is left. It keeps
that lock until both servers have stopped: whoever comes meanwhile waits, then starts anew. The
servers carry a parent-death signal: a keeper killed outright leaves none behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NoReturn

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
LEFTOVER_SECONDS = 3.0
POLL_SECONDS = 0.005
# A server that dies again this soon after it was restarted is not restarted once more.
STABLE_SECONDS = 5.0
LOG_BYTES = 10_000_000

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NOBODY = 65534

UNFINISHED = "postgresql.unfinished"
NO_NAMESPACE = "no user namespace"

Specification = dict[str, Any]


class StartError(Exception):
    """A server did not start; `log` is what it said, `killed` that a signal ended it."""

    def __init__(self, message: str, log: str = "", *, killed: bool = False) -> None:
        super().__init__(message)
        self.log = log
        self.killed = killed


class Server:
    """One server process: how to start it, to see that it answers, and to stop it."""

    def __init__(
        self,
        name: str,
        specification: Specification,
        *,
        answers: Callable[[int], bool],
        stop_signals: tuple[signal.Signals, ...],
    ) -> None:
        self.name = name
        self.command: list[str] = specification[name]["command"]
        self.standard_input: str = specification[name].get("input", "")
        self.folder = Path(specification[name]["folder"])
        self.process_files = [Path(file) for file in specification[name].get("process_files", [])]
        self.log = Path(specification["logs"]) / f"{name}.log"
        self.user: dict[str, Any] = specification["user"]
        self.answers = answers
        self.stop_signals = stop_signals
        self.process: subprocess.Popen[bytes] | None = None
        self.launched_at = 0.0
        self.log_start = 0

    def launch(self) -> None:
        with open_log(self.log) as log:
            self.log_start = log.tell()
            self.process = spawn(
                self.command,
                self.user,
                stdin=subprocess.PIPE,
                stdout=log,
                death_signal=self.stop_signals[0],
            )
        self.launched_at = time.monotonic()
        assert self.process.stdin is not None
        # A server that has died already is found out by whoever waits for its answer.
        with contextlib.suppress(BrokenPipeError), self.process.stdin as standard_input:
            standard_input.write(self.standard_input.encode())

    def wait_until_it_answers(self) -> None:
        assert self.process is not None
        while not self.answers(self.process.pid):
            if self.died():
                killed = self.process.returncode < 0
                raise StartError(f"{self.name} did not start", self.said(), killed=killed)
            if time.monotonic() - self.launched_at > READY_SECONDS:
                raise StartError(
                    f"{self.name} did not answer within {READY_SECONDS:g} seconds", self.said()
                )
            time.sleep(POLL_SECONDS)

    def restart(self) -> None:
        if time.monotonic() - self.launched_at < STABLE_SECONDS:
            raise StartError(
                f"{self.name} died twice within {STABLE_SECONDS:g} seconds", self.said()
            )
        end_leftovers([self.folder], self.process_files)
        self.launch()
        self.wait_until_it_answers()

    def died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> None:
        if self.process is None:
            return
        for number in (*self.stop_signals, signal.SIGKILL):
            if not self.died():
                self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
                return

    def said(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")


def open_log(path: Path) -> IO[bytes]:
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    log = path.open("ab")
    path.chmod(0o600)
    return log


def spawn(
    command: list[str],
    user: dict[str, Any],
    *,
    stdin: int,
    stdout: IO[bytes] | int,
    death_signal: signal.Signals,
) -> subprocess.Popen[bytes]:
    """Start a process as the servers' user; it gets `death_signal` when the keeper dies."""
    keeper = os.getpid()

    def prepare() -> None:
        # Runs in the child after it became `user`: a change of user clears the death signal.
        if user.get("namespace"):
            enter_user_namespace()
        if sys.platform == "linux":
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(death_signal))
            if os.getppid() != keeper:
                os._exit(1)

    identity: dict[str, Any] = {}
    if "uid" in user:
        identity = {"user": user["uid"], "group": user["gid"], "extra_groups": []}
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
            preexec_fn=prepare,
            **identity,
        )
    except subprocess.SubprocessError:
        raise StartError(NO_NAMESPACE) from None


def enter_user_namespace() -> None:
    """Become user 65534 of a namespace of our own: PostgreSQL refuses to run as user 0.

    Outside of the namespace the process is still who it was, so files need no other owner.
    """
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")


def postgresql_answers(data: Path) -> Callable[[int], bool]:
    def answers(pid: int) -> bool:
        # Line 1 is the server's process, line 8 its state; an older file may still be in place.
        try:
            lines = (data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    return answers


def valkey_answers(path: str, password: str) -> Callable[[int], bool]:
    def answers(_: int) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(path)
                connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
                reply = b""
                while reply.count(b"\r\n") < 2:
                    received = connection.recv(1000)
                    if not received:
                        return False
                    reply += received
            except OSError:
                return False
        return reply == b"+OK\r\n+PONG\r\n"

    return answers


def end_leftovers(folders: list[Path], process_files: list[Path]) -> None:
    """End servers that an earlier keeper left in `folders`, and forget their process files.

    PostgreSQL must not start while any process of the server before it is alive, be it that of a
    single connection. Afterwards these files can only name a dead process that nobody has waited
    for, or a stranger who got the same number; PostgreSQL would take either for a server.
    """
    begin = time.monotonic()
    while leftovers := servers_in(folders):
        step = int((time.monotonic() - begin) / LEFTOVER_SECONDS)
        number = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)[min(step, 2)]
        for pid in leftovers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        time.sleep(0.05)
    if sys.platform == "linux":
        for file in process_files:
            file.unlink(missing_ok=True)


def servers_in(folders: list[Path]) -> list[int]:
    """Processes of the two servers whose working folder, which is their data's, is in `folders`."""
    wanted = {str(folder) for folder in folders}
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        # Processes end while we look, and another user's cannot be read.
        with contextlib.suppress(OSError):
            name = (entry / "comm").read_text().strip()
            if name in ("postgres", "valkey-server") and str((entry / "cwd").readlink()) in wanted:
                found.append(int(entry.name))
    return found


def initialise(specification: Specification) -> None:
    """Create PostgreSQL's data folder beside its place: one cut short is never taken for whole."""
    data = Path(specification["postgresql"]["folder"])
    if (data / "PG_VERSION").exists():
        return
    unfinished = data.with_name(UNFINISHED)
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    user = specification["user"]
    if "uid" in user:
        os.chown(unfinished, user["uid"], user["gid"])
    process = spawn(
        [*specification["initdb"], "-D", str(unfinished)],
        user,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        death_signal=signal.SIGKILL,
    )
    said, _ = process.communicate()
    if process.returncode != 0:
        raise StartError(
            "postgresql could not create its data folder", said.decode(errors="replace")
        )
    unfinished.rename(data)


def keep(servers: list[Server], users: IO[bytes]) -> None:
    """Return when no process uses the servers any more; until then restart one that dies.

    Raises StartError when one cannot be kept alive.
    """

    def revive(*_: object) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for server in servers:
            if server.died():
                server.restart()
        signal.signal(signal.SIGCHLD, revive)
        if any(server.died() for server in servers):  # while no handler was in place
            revive()

    revive()
    # Restarts happen in the signal's handler; when it returns, flock goes on waiting.
    fcntl.flock(users, fcntl.LOCK_EX)


def stop(servers: list[Server]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for server in servers:
        server.stop()


def leave(*_: object) -> NoReturn:
    sys.exit(0)


def report(**facts: str | bool) -> None:
    """Tell the process that started us, once; it may be gone, which is no reason to fail."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(facts).encode())
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 1)


def main() -> int:
    specification: Specification = json.load(sys.stdin)
    if os.fork():
        return 0  # whoever started us has no child to wait for
    run = Path(specification["run"])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    postgresql = Server(
        "postgresql",
        specification,
        answers=postgresql_answers(Path(specification["postgresql"]["folder"])),
        stop_signals=(signal.SIGINT, signal.SIGQUIT),
    )
    valkey = Server(
        "valkey",
        specification,
        answers=valkey_answers(
            specification["valkey"]["socket"], specification["valkey"]["password"]
        ),
        stop_signals=(signal.SIGTERM,),
    )
    servers = [valkey, postgresql]
    with (run / "keeper.lock").open("ab") as alone, (run / "users.lock").open("ab") as users:
        try:
            fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(state="another keeper is at work")
            return 0
        try:
            unfinished = postgresql.folder.with_name(UNFINISHED)
            folders = [unfinished, *(server.folder for server in servers)]
            end_leftovers(folders, postgresql.process_files)
            initialise(specification)
            for server in servers:
                server.launch()
            for server in servers:
                server.wait_until_it_answers()
            report(state="ready")
            keep(servers, users)
        except StartError as error:
            report(error=str(error), log=error.log, killed=error.killed)
            print(time.strftime("%Y-%m-%d %H:%M:%S"), error, file=sys.stderr)  # noqa: T201
            return 1
        finally:
            stop(servers)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""PostgreSQL and Valkey from their wheels, shared by every process that uses one data folder.

    with start_servers(Path("var")) as servers:
        psycopg.connect(servers.postgres_url())

The first process starts the servers, others join, the last one to leave has them stopped: see
`keeper`. They listen on sockets in a folder only their user may enter, so that two data folders
never meet.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

import psycopg

from buttress.db import keeper, roles
from buttress.db.server_files import (
    PORT,
    POSTGRESQL_SOCKET_NAME,
    VALKEY_SOCKET_NAME,
    Programs,
    create_folders,
    create_socket_folder,
    explained,
    find_programs,
    prepare_data,
)
from buttress.db.server_locks import START_SECONDS, keeper_is_at_work, starting, used
from buttress.db.server_user import ServerUser, server_user
from buttress.errors import ButtressError, ConfigurationError, Unavailable

Role = Literal["app", "owner", "backup", "postgres"]

ANSWER_SECONDS = 5
ATTEMPTS = 5
POLL_SECONDS = 0.02
LOG_LINES = 8

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_preload_libraries": "pg_stat_statements",
    "wal_level": "logical",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Ends with who asked: for a page or a route that is its request id.
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
}


@dataclass(frozen=True)
class Servers:
    """A hold on the running servers; until `close` they are not stopped."""

    home: Path
    socket_folder: Path
    _valkey_password: str = field(repr=False)
    _hold: ExitStack = field(repr=False, compare=False)

    def postgres_url(self, role: Role = "app", database: str = roles.DATABASE) -> str:
        """URL of a database for one of the roles in `roles`; it holds no password."""
        user = role if role == "postgres" else f"buttress_{role}"
        folder = quote(str(self.socket_folder), safe="")
        # The port only names the socket; left out, PGPORT of the environment would choose another.
        return f"postgresql://{user}@/{quote(database, safe='')}?host={folder}&port={PORT}"

    @property
    def valkey_url(self) -> str:
        """URL of Valkey's unix socket, with its password."""
        return f"unix://:{self._valkey_password}@{self.socket_folder / VALKEY_SOCKET_NAME}"

    def close(self) -> None:
        """Let go of the servers; the last process to do so has them stopped. Works once."""
        self._hold.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def start_servers(home: Path, *, settings: Mapping[str, str] | None = None) -> Servers:
    """Join the servers of the data folder `home`, or start them; they answer on return.

    May be called any number of times, from any thread and process; a call also replaces servers
    that died. `settings` are PostgreSQL's and count when this call starts it.

    Raises ConfigurationError when folder, platform or user cannot run the servers, and Unavailable,
    with the end of the log, when they do not start.
    """
    home = home.expanduser().resolve()
    with explained(home):
        create_folders(home)
    with ExitStack() as stack:
        stack.enter_context(used(home))
        with starting(home):
            place = _bring_up(home, settings or {})
        return Servers(home, place.sockets, place.valkey_password, stack.pop_all())


@dataclass(frozen=True)
class _Place:
    """Where the servers of a data folder answer; the same for as long as the folder stays."""

    sockets: Path
    valkey_password: str = field(repr=False)


def _bring_up(home: Path, settings: Mapping[str, str]) -> _Place:
    """Start what does not run and wait for both servers; the caller holds both locks."""
    deadline = time.monotonic() + START_SECONDS
    attempts = 0
    while True:
        place = _read_place(home) if keeper_is_at_work(home) else None
        if place is None:
            attempts += 1
            try:
                place = _launch(home, settings)
            except _Killed:
                if attempts == ATTEMPTS:
                    raise
                continue
        if place is not None and _answer(place):
            return place
        if time.monotonic() > deadline:
            raise Unavailable(
                f"the servers of {home} run but do not answer",
                hint=f"Read {home / 'logs' / 'postgresql.log'}.",
            )
        time.sleep(POLL_SECONDS)


def _answer(place: _Place) -> bool:
    """Whether both servers answer; sets PostgreSQL up when nobody has finished that yet."""
    valkey = str(place.sockets / VALKEY_SOCKET_NAME)
    if not keeper.valkey_answers(valkey, place.valkey_password)(0):
        return False

    def connect(database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=str(place.sockets),
            port=PORT,
            user="postgres",
            dbname=database,
            autocommit=True,
            connect_timeout=ANSWER_SECONDS,
        )

    try:
        with connect("postgres") as connection:
            prepared = roles.is_prepared(connection)
    except psycopg.OperationalError:
        return False  # starting, stopping or gone: asked again until the deadline
    if not prepared:
        try:
            roles.prepare(connect)
        except psycopg.Error as error:
            raise Unavailable(
                f"the embedded postgresql could not be set up: {error}",
                hint="Start again; what is missing is then created.",
            ) from error
    return True


def _launch(home: Path, settings: Mapping[str, str]) -> _Place | None:
    """Have a keeper start the servers; `None` when an old one has not finished stopping.

    Raises _Killed when somebody killed the keeper or a server meanwhile.
    """
    programs = find_programs()
    with explained(home):
        user = server_user([programs.postgresql, home / "run"])
        prepare_data(home, user, programs)
        place = _write_place(home, create_socket_folder(home, user))
        log = (home / "logs" / "keeper.log").open("ab")
    with log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    specification = _specification(home, place, user, programs, settings)
    said = _converse(process, json.dumps(specification).encode())
    if not said:
        raise _Killed(
            "the keeper of the servers ended at once", hint=f"Read {home / 'logs' / 'keeper.log'}."
        )
    answer = json.loads(said)
    if "error" in answer:
        raise _failure(home, answer["error"], answer["log"], killed=answer["killed"])
    return place if answer["state"] == "ready" else None


def _converse(process: subprocess.Popen[bytes], told: bytes) -> bytes:
    """Tell the keeper what to do and read its answer; the process we started has ended by then."""
    assert process.stdin is not None
    assert process.stdout is not None
    said = b""
    with process.stdout, process.stdin:
        process.stdin.write(told)
        process.stdin.close()
        deadline = time.monotonic() + START_SECONDS
        while select.select([process.stdout], [], [], max(deadline - time.monotonic(), 0))[0]:
            received = os.read(process.stdout.fileno(), 65536)
            if not received:
                break
            said += received
        else:
            said = json.dumps(
                {"error": "the servers take too long", "log": "", "killed": False}
            ).encode()
    process.wait()  # it has handed over to its child
    return said


def _specification(
    home: Path, place: _Place, user: ServerUser, programs: Programs, settings: Mapping[str, str]
) -> keeper.Specification:
    data, valkey_folder = home / "postgresql", home / "valkey"
    valkey_socket = place.sockets / VALKEY_SOCKET_NAME
    options = SETTINGS | {"unix_socket_directories": f'"{place.sockets}"'} | dict(settings)
    postgres = [str(programs.postgresql / "postgres"), "-D", str(data)]
    for name, value in options.items():
        postgres += ["-c", f"{name}={value}"]
    valkey_settings = {
        "port": "0",
        "unixsocket": f'"{valkey_socket}"',
        "unixsocketperm": "700",
        "requirepass": place.valkey_password,
        "dir": f'"{valkey_folder}"',
        "daemonize": "no",
    }
    return {
        "run": str(home / "run"),
        "logs": str(home / "logs"),
        "user": user.as_specification(),
        "initdb": [
            str(programs.postgresql / "initdb"),
            "--username=postgres",
            "--auth-local=trust",  # whoever can enter the folder of the socket is its owner
            "--auth-host=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            "--data-checksums",
            "--no-instructions",
        ],
        "postgresql": {
            "folder": str(data),
            "command": postgres,
            "process_files": [
                str(data / "postmaster.pid"),
                str(place.sockets / f"{POSTGRESQL_SOCKET_NAME}.lock"),
            ],
        },
        "valkey": {
            "folder": str(valkey_folder),
            "command": [str(programs.valkey), "-"],
            # On standard input: a command line can be read by anyone, a file not by another user.
            "input": "".join(f"{name} {value}\n" for name, value in valkey_settings.items()),
            "socket": str(valkey_socket),
            "password": place.valkey_password,
        },
    }


class _Killed(Unavailable):
    """Not a failure of the servers: worth another attempt."""


def _failure(home: Path, message: str, log: str, *, killed: bool) -> ButtressError:
    if message == keeper.NO_NAMESPACE:
        return ConfigurationError(
            "PostgreSQL refuses to run as root or as a user without a name, and this machine "
            "allows no user namespace",
            hint=f"Run as an ordinary user, or let others enter {home} and the Python environment "
            "(chmod o+x on each folder on the way), or set DATABASE_URL and REDIS_URL.",
        )
    if "No space left on device" in log:
        return Unavailable(f"no space left for the data folder {home}", hint="Free some there.")
    end = "\n".join(log.strip().splitlines()[-LOG_LINES:])
    kind = _Killed if killed else Unavailable
    return kind(f"{message}:\n{end}" if end else message, hint=f"Read the logs in {home / 'logs'}.")


def _read_place(home: Path) -> _Place | None:
    try:
        stored = json.loads((home / "run" / "servers.json").read_text())
    except FileNotFoundError:
        return None
    return _Place(Path(stored["sockets"]), stored["valkey_password"])


def _write_place(home: Path, sockets: Path) -> _Place:
    """Note where the servers answer, with the password they had: other processes may know it."""
    earlier = _read_place(home)
    place = _Place(sockets, earlier.valkey_password if earlier else secrets.token_urlsafe(32))
    stored = json.dumps({"sockets": str(place.sockets), "valkey_password": place.valkey_password})
    unfinished = home / "run" / "servers.json.unfinished"
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(stored)
    unfinished.replace(home / "run" / "servers.json")
    return place

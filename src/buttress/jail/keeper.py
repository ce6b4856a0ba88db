"""The parent's side of the keeper: started when first needed, replaced when it is gone."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress

from buttress.errors import Unavailable
from buttress.jail.wire import Request, send

BOOT = "import sys; sys.path[:] = sys.argv[1:-1]; from buttress.jail.serve import main; main()"
"""As `python -m buttress.jail`, with our way of finding modules instead of an environment."""

STOP_SECONDS = 2.0


class Keeper:
    """One keeper process of this process, shared by its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def ask(self, request: Request, descriptors: list[int]) -> None:
        """Have a child forked, with these descriptors; raises `Unavailable`."""
        with self._lock:
            for last in (False, True):
                self._ensure_running()
                assert self._socket is not None
                try:
                    send(self._socket, request, descriptors)
                except OSError as error:
                    self._stop()
                    if last:
                        raise Unavailable(
                            "the process that runs parsers in a jail does not take calls",
                            hint="Look in its log lines for why it ended.",
                        ) from error
                else:
                    return

    def stop(self) -> None:
        """End it and its children; the next call starts another."""
        with self._lock:
            self._stop()

    def forget(self) -> None:
        """In a forked process: the keeper is the other process's."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.returncode = 0  # not our child: nothing to wait for
        self.__init__()  # type: ignore[misc]

    def _ensure_running(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._stop()
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-X", "utf8", "-c", BOOT, *sys.path, str(number)],
                env={},
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._socket = ours

    def _stop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(STOP_SECONDS)
        self._socket = self._process = None


keeper = Keeper()
atexit.register(keeper.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=keeper.forget)

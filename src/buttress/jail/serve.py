"""The keeper: a small clean process that forks a child for each call and tells how it ended.

It has one thread, an empty environment and no data, so its children have none either. The parent
talks to it over one socket; each call brings two more, one for the child and one on which the
keeper tells the end. Closing that one is how the parent has a child killed.
"""

from __future__ import annotations

import gc
import importlib
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress

import msgspec

from buttress.jail import landlock
from buttress.jail.child import live
from buttress.jail.wire import Answer, Ended, Request, receive_with_descriptors, send

REQUEST_BYTES = 1 << 20


def main() -> None:
    """Serve the socket whose number is the last argument, until its other side closes."""
    os.chdir("/")
    Keeper(socket.socket(fileno=int(sys.argv[-1]))).run()


class Keeper:
    """The loop: requests, children that ended, parents that gave up."""

    def __init__(self, parent: socket.socket) -> None:
        self.parent = parent
        self.children: dict[int, socket.socket] = {}
        self._rules: dict[tuple[str, ...], int | None] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(parent, selectors.EVENT_READ, None)
        self._woken, wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wake, False)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def run(self) -> None:
        """Until the parent closes its socket, or dies."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self.parent:
                    if not self._take():
                        self._kill_all()
                        return
                elif key.fileobj == self._woken:
                    with suppress(BlockingIOError):
                        os.read(self._woken, 4096)
                elif key.data in self.children:
                    self._selector.unregister(key.fileobj)
                    kill(key.data)
            self._reap()

    def _take(self) -> bool:
        """Take one request; False when there will be no more."""
        body, descriptors = receive_with_descriptors(self.parent, REQUEST_BYTES)
        if body is None:
            return False
        request = msgspec.msgpack.decode(body, type=Request)
        talk, status = (socket.socket(fileno=one) for one in descriptors[:2])
        file = descriptors[2] if request.with_file else None
        sys.path[:] = request.path
        try:
            failure = _imported(request) or self._fork(request, talk, status, file)
            if failure is not None:
                with suppress(OSError):
                    send(talk, failure)
                status.close()
        finally:
            talk.close()
            if file is not None:
                os.close(file)
        return True

    def _fork(
        self, request: Request, talk: socket.socket, status: socket.socket, file: int | None
    ) -> Answer | None:
        """Why there is no child, or None."""
        rules = self._rules_for(request)
        keeper = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            return Answer("no room", text=str(error.strerror))
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for one in (signal.SIGCHLD, signal.SIGINT):
                signal.signal(one, signal.SIG_DFL)
            os.setsid()
            live(request, talk, file, rules, keeper)
        self.children[pid] = status
        self._selector.register(status, selectors.EVENT_READ, pid)
        return None

    def _rules_for(self, request: Request) -> int | None:
        readable = tuple(request.readable)
        if readable not in self._rules:
            self._rules[readable] = landlock.ruleset(readable)
        return self._rules[readable]

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while self.children:
                if hasattr(os, "waitid"):
                    ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                    if ended is None:
                        return
                    kill(ended.si_pid)  # what it left running; its number is not free yet
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if not pid:
                    return
                self._tell(pid, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)

    def _tell(self, pid: int, status: int, seconds: float, peak: int) -> None:
        to = self.children.pop(pid)
        with suppress(KeyError):
            self._selector.unregister(to)
        with suppress(OSError), to:
            send(to, Ended(status, seconds, peak * (1 if sys.platform == "darwin" else 1024)))

    def _kill_all(self) -> None:
        for pid in self.children:
            kill(pid)


def kill(pid: int) -> None:
    """End a child and its process group; it may not have got as far as making one."""
    for end in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def _imported(request: Request) -> Answer | None:
    """Import the function's module once for all children; what is wrong with it otherwise."""
    if request.module in sys.modules:
        return None
    try:
        importlib.import_module(request.module)
    except Exception as error:  # noqa: BLE001 — told to the parent, where it is a bug
        return Answer("missing", text=f"{type(error).__name__}: {error}")
    gc.collect()
    gc.freeze()  # children share its pages as long as the collector does not touch them
    return None

"""What becomes of a forked child: everything taken away, then one function, then its answer."""

from __future__ import annotations

import functools
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from buttress.errors import BadInput, Refused
from buttress.jail import landlock
from buttress.jail.seccomp import refuse_system_calls
from buttress.jail.system import (
    NEW_IPC,
    NEW_NETWORK,
    NEW_USER,
    NO_NEW_PRIVILEGES,
    PARENT_DEATH_SIGNAL,
    prctl,
    unshare,
)
from buttress.jail.wire import Answer, Arguments, Request, TooLong, receive, send

OPEN_FILES = 64
TEXT = 500
"""Characters of an error that are told."""

held: list[str] = []
"""What this child was held by: `namespaces`, `files`, `system calls`, `memory`."""


def live(
    request: Request, talk: socket.socket, file: int | None, rules: int | None, keeper: int
) -> None:
    """The whole life of a child; ends the process."""
    code = 1
    try:
        talk.setblocking(True)
        file = _only_these_descriptors(talk.fileno(), file, rules)
        function = _function(request)
        arguments = receive(talk, sys.maxsize)
        if arguments is None:
            return
        values = msgspec.msgpack.decode(arguments, type=Arguments).values
        confine(request, rules, keeper)
        _answer(talk, functools.partial(_call, function, file, values), request.result_bytes)
        code = 0
    finally:
        # No clean-up: it would run code of the libraries that read the file.
        os._exit(code)


def confine(request: Request, rules: int | None, keeper: int) -> None:
    """Give up network, files, privileges, memory and time beyond the request, for good."""
    prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)  # it died before the line above
    if unshare(NEW_USER | NEW_NETWORK | NEW_IPC) or unshare(NEW_NETWORK | NEW_IPC):
        held.append("namespaces")
    if _limit_memory(request.memory_bytes):
        held.append("memory")
    _limit(resource.RLIMIT_CPU, request.cpu_seconds, request.cpu_seconds + 1)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    prctl(NO_NEW_PRIVILEGES, 1)
    if rules is not None and landlock.restrict(rules):
        held.append("files")
    if refuse_system_calls():
        held.append("system calls")


def _call(function: Callable[..., Any], file: int | None, values: list[Any]) -> Any:
    if file is None:
        return function(*values)
    with open(file, "rb") as opened:
        return function(opened, *values)


def _answer(talk: socket.socket, call: Callable[[], Any], limit: int) -> None:
    try:
        value = call()
        answer = Answer("value", msgspec.to_builtins(value, builtin_types=(bytes,)))
        length = len(msgspec.msgpack.encode(answer))
        if length > limit:
            raise TooLong  # noqa: TRY301 — told as every other failure
    except MemoryError:
        answer = Answer("memory")
    except TooLong:
        answer = Answer("output")
    except BadInput as error:
        cause = error.cause if isinstance(error, Refused) else None
        answer = Answer("bad input", text=error.message[:TEXT], hint=error.hint, cause=cause)
    except BaseException as error:  # noqa: BLE001 — whatever a parser raises is told, not hidden
        answer = Answer("error", text=_told(error))
    send(talk, answer)


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split()).encode("utf-8", "replace").decode()
    name = type(error).__name__
    return f"{name}: {text}"[:TEXT] if text else name


def _function(request: Request) -> Callable[..., Any]:
    """The keeper imported its module already."""
    found: Any = sys.modules[request.module]
    for name in request.function.split("."):
        found = getattr(found, name)
    function: Callable[..., Any] = found
    return function


def _only_these_descriptors(talk: int, file: int | None, rules: int | None) -> int | None:
    """Close every other one; the standard streams lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    kept = sorted(one for one in (talk, file, rules) if one is not None)
    start = 3
    for descriptor in kept:
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, max(resource.getrlimit(resource.RLIMIT_NOFILE)[0], start + 1024))
    return file


def _limit_memory(allowed: int) -> bool:
    """Address space beyond what the child has when it begins."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            pages = int(statm.read().split()[0])
    except OSError:
        return _limit(resource.RLIMIT_DATA, allowed)
    return _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + allowed)


def _limit(what: int, soft: int, hard: int | None = None) -> bool:
    _, most = resource.getrlimit(what)
    hard = soft if hard is None else hard
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    try:
        resource.setrlimit(what, (soft, hard))
    except (OSError, ValueError):
        return False  # macOS takes no limit of memory
    return True

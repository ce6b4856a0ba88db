"""Parsers of files from outside run in a jail: a child process with little to lose and to take.

    rows = jailed(read_rows, "Sheet1", file=opened, memory_bytes=256_000_000, seconds=20)

`read_rows(file, "Sheet1")` is called in a forked child that has that one file, read-only, and
neither network nor environment, may write nothing, start nothing, and is killed when it takes
longer. Arguments and results travel as msgpack.
"""

from __future__ import annotations

import fcntl
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any, TypeVar, overload

import msgspec

from buttress.errors import BadInput, ConfigurationError, Refused, Unavailable
from buttress.jail.code import code_folders
from buttress.jail.keeper import keeper
from buttress.jail.wire import Answer, Arguments, Ended, Request, TooLong, receive, send

__all__ = ["isolation", "jailed"]

MEMORY_BYTES = 512_000_000
RESULT_BYTES = 64_000_000
END_SECONDS = 2.0
"""How long a killed child may take to be gone."""

_turns = threading.BoundedSemaphore(max(os.cpu_count() or 1, 2))

T = TypeVar("T")


@overload
def jailed(
    function: Callable[..., Any],
    *args: Any,
    into: type[T],
    file: IO[bytes] | None = ...,
    memory_bytes: int = ...,
    cpu_seconds: float = ...,
    seconds: float = ...,
    result_bytes: int = ...,
) -> T: ...


@overload
def jailed(
    function: Callable[..., Any],
    *args: Any,
    into: None = ...,
    file: IO[bytes] | None = ...,
    memory_bytes: int = ...,
    cpu_seconds: float = ...,
    seconds: float = ...,
    result_bytes: int = ...,
) -> Any: ...


def jailed(
    function: Callable[..., Any],
    *args: Any,
    into: Any = None,
    file: IO[bytes] | None = None,
    memory_bytes: int = MEMORY_BYTES,
    cpu_seconds: float = 20.0,
    seconds: float = 30.0,
    result_bytes: int = RESULT_BYTES,
) -> Any:
    """Call a function in a jail and give what it returns.

    Parameters
    ----------
    function
        Of a module, not a lambda or a method of an object; imported in the jail by its name.
    args
        What msgpack has: texts, numbers, bytes, lists, mappings, structs.
    into
        The type to make of the result, checked by msgspec; plain lists and mappings without.
    file
        An open file; the function gets one of its own as first argument, read-only, at its start.
    memory_bytes
        What the child may take beyond what it has when it begins.
    seconds
        How long it may take, waiting included; `cpu_seconds` is what it may compute.
    result_bytes
        The size of the result.

    Raises
    ------
    Refused
        It crashed (`crash`), needed more memory (`memory`), computing (`cpu`), time (`time`) or
        room for its result (`output`), raised an error (`error`), or its result is no `into`
        (`result`): `error.cause` is that word.
    BadInput
        As the function raised it, `Refused` with its cause.
    Unavailable
        Too many others ran all that time, or the machine has no room for another process.
    ConfigurationError
        The function cannot be imported in the jail.
    """
    deadline = time.monotonic() + seconds
    with ExitStack() as exits:
        exits.enter_context(_turn(seconds))
        talk, theirs = _pair(exits)
        status, told = _pair(exits)
        descriptors = [theirs.fileno(), told.fileno()]
        if file is not None:
            descriptors.append(_read_only(file, exits))
        request = _request(function, memory_bytes, cpu_seconds, result_bytes, file is not None)
        keeper.ask(request, descriptors)
        theirs.close()
        told.close()
        limits = _Limits(_name(function), memory_bytes, cpu_seconds, seconds, result_bytes)
        answer = _converse(talk, args, deadline, limits)
        if answer is None:
            ended = _how_it_ended(status, deadline)
            raise _explained(ended, limits)
    return _unpacked(answer, into, limits)


def isolation() -> frozenset[str]:
    """What holds a child on this machine, out of `namespaces`, `files`, `system calls`, `memory`.

    On Linux all four, unless a container forbids `namespaces`; elsewhere time limits alone.
    """
    return frozenset(jailed(_held))


def _held() -> list[str]:
    from buttress.jail import child

    return list(child.held)


class _Limits(msgspec.Struct, frozen=True):
    """What a call was granted, for saying what it exceeded."""

    name: str
    memory_bytes: int
    cpu_seconds: float
    seconds: float
    result_bytes: int


def _converse(
    talk: socket.socket, args: Sequence[Any], deadline: float, limits: _Limits
) -> Answer | None:
    """Send the arguments, wait for the answer; None when the child ended without one."""
    try:
        talk.settimeout(max(deadline - time.monotonic(), 0.001))
        send(talk, Arguments(list(args)))
        body = receive(talk, limits.result_bytes + 4096, deadline)
    except TimeoutError:
        raise Refused(
            f"{limits.name} was stopped after {limits.seconds:g} seconds",
            cause="time",
            hint="The file may be damaged or made to be slow; split it if it is neither.",
        ) from None
    except TooLong:
        raise _too_much_output(limits) from None
    except ConnectionError:
        return None
    if body is None:
        return None
    try:
        return msgspec.msgpack.decode(body, type=Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(
            f"{limits.name} answered something that cannot be read", cause="result"
        ) from error


def _how_it_ended(status: socket.socket, deadline: float) -> Ended:
    try:
        body = receive(status, 4096, max(deadline, time.monotonic()) + END_SECONDS)
    except TimeoutError:
        body = None
    if body is None:
        raise Unavailable(
            "the process that runs parsers in a jail ended during a call",
            hint="Do it again; the next call starts another one.",
        )
    return msgspec.msgpack.decode(body, type=Ended)


def _explained(ended: Ended, limits: _Limits) -> Refused:
    """A child that ended without an answer, in words."""
    code = os.waitstatus_to_exitcode(ended.status)
    if code == -signal.SIGXCPU or ended.cpu_seconds >= limits.cpu_seconds:
        return Refused(
            f"{limits.name} was stopped after computing for {limits.cpu_seconds:g} seconds",
            cause="cpu",
            hint="The file may be damaged or made to be slow; split it if it is neither.",
        )
    if code == -signal.SIGKILL:
        return Refused(
            f"{limits.name} was killed, as happens when the machine has no memory left",
            cause="memory",
        )
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return Refused(
        f"{limits.name} crashed ({how})",
        cause="crash",
        hint="The file is damaged or made to do this; nothing else was touched.",
    )


def _unpacked(answer: Answer, into: Any, limits: _Limits) -> Any:
    match answer.kind:
        case "value" if into is None:
            return answer.value
        case "value":
            try:
                return msgspec.convert(answer.value, into)
            except msgspec.ValidationError as error:
                raise Refused(
                    f"{limits.name} gave something else than agreed: {error}", cause="result"
                ) from error
        case "bad input" if answer.cause is not None:
            raise Refused(answer.text, cause=answer.cause, hint=answer.hint)
        case "bad input":
            raise BadInput(answer.text, hint=answer.hint)
        case "memory":
            raise Refused(
                f"{limits.name} needed more than {limits.memory_bytes:,} bytes of memory",
                cause="memory",
                hint="The file may be made to unpack to more than it seems.",
            )
        case "output":
            raise _too_much_output(limits)
        case "no room":
            raise Unavailable(
                f"{limits.name} cannot be started: {answer.text}", hint="Try again later."
            )
        case "missing":
            raise ConfigurationError(f"{limits.name} cannot be imported in the jail: {answer.text}")
        case "error":
            raise Refused(f"{limits.name} failed: {answer.text}", cause="error")


def _too_much_output(limits: _Limits) -> Refused:
    return Refused(
        f"{limits.name} gave more than {limits.result_bytes:,} bytes",
        cause="output",
        hint="Ask for fewer pages or rows at a time.",
    )


def _request(
    function: Callable[..., Any],
    memory_bytes: int,
    cpu_seconds: float,
    result_bytes: int,
    with_file: bool,
) -> Request:
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or module == "__main__" or "<" in name or not name:
        raise ConfigurationError(
            f"{function!r} cannot be called in a jail",
            hint="Give a function that a module defines, and that others can import.",
        )
    return Request(
        module=module,
        function=name,
        path=[path for path in sys.path if path],
        readable=list(code_folders(tuple(sys.path))),
        memory_bytes=memory_bytes,
        cpu_seconds=max(math.ceil(cpu_seconds), 1),
        result_bytes=result_bytes,
        with_file=with_file,
    )


@contextmanager
def _turn(seconds: float) -> Iterator[None]:
    """Children run as many at a time as there are processors: each may take all its memory."""
    if not _turns.acquire(timeout=seconds):
        raise Unavailable(
            f"no parser came to its turn within {seconds:g} seconds", hint="Try again later."
        )
    try:
        yield
    finally:
        _turns.release()


def _pair(exits: ExitStack) -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    return exits.enter_context(ours), exits.enter_context(theirs)


def _read_only(file: IO[bytes], exits: ExitStack) -> int:
    """A descriptor of the same file, at its start, that cannot be written to."""
    file.flush()
    number = file.fileno()
    try:
        descriptor = os.open(f"/proc/self/fd/{number}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
            raise ConfigurationError(
                "a file that can be written is not given to a jail",
                hint="Open it for reading.",
            ) from None
        file.seek(0)
        return number
    exits.callback(os.close, descriptor)
    return descriptor


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", "the function")

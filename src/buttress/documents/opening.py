"""A document's content as an open file, and its way into the jail and back."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from buttress.documents.refusals import (
    Damaged,
    DocumentError,
    DocumentTooLarge,
    Empty,
    Harmful,
    NoSuchTable,
    NotThatKind,
    Protected,
)
from buttress.errors import BadInput, NotFound, Refused
from buttress.jail import jailed

CONTENT_BYTES = 100_000_000
MEMORY_BYTES = 768_000_000
RESULT_BYTES = 128_000_000
SECONDS = 19.0
"""For one reading, waiting for its turn included."""

KINDS: dict[str, type[DocumentError]] = {
    "kind": NotThatKind,
    "password": Protected,
    "encrypted": Protected,
    "damaged": Damaged,
    "name": Damaged,
    "empty": Empty,
    "bomb": Harmful,
    "size": DocumentTooLarge,
    "table": NoSuchTable,
}

T = TypeVar("T")


@contextmanager
def opened(content: bytes | Path) -> Iterator[IO[bytes]]:
    """The content as a file that has a descriptor.

    Raises
    ------
    NotFound
        There is no such file.
    Empty, DocumentTooLarge
        It has no bytes, or more than are read.
    """
    with _file(content) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if not size:
            raise Empty("the file is empty", cause="empty", hint="Upload the file again.")
        if size > CONTENT_BYTES:
            raise DocumentTooLarge(
                f"the file has {size:,} bytes; at most {CONTENT_BYTES:,} are read",
                cause="size",
                hint="Split it, or save it without its images.",
            )
        yield file


def _file(content: bytes | Path) -> IO[bytes]:
    if isinstance(content, bytes):
        file = _in_memory(len(content))
        file.write(content)
        file.flush()
        return file
    try:
        return content.open("rb")
    except FileNotFoundError:
        raise NotFound(f"there is no file {content.name}") from None
    except OSError as error:
        raise BadInput(f"{content.name} cannot be opened: {error.strerror}") from error


def _in_memory(size: int) -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("document", os.MFD_CLOEXEC), "w+b")
    return tempfile.TemporaryFile()


class Inside:
    """A function whose module is imported in the jail only: its library may be big, or crash."""

    def __init__(self, name: str) -> None:
        module, _, function = name.rpartition(".")
        self.__module__ = f"buttress.documents.{module}"
        self.__name__ = self.__qualname__ = function

    def __call__(self, *args: Any) -> Any:
        """Call it here, without a jail."""
        return getattr(import_module(self.__module__), self.__name__)(*args)


def read_in_jail(
    function: str,
    *args: Any,
    file: IO[bytes],
    into: type[T],
    what: str,
    seconds: float = SECONDS,
    ext_hook: Callable[[int, memoryview], Any] | None = None,
) -> T:
    """What a function of this package, such as `pdfium.draw`, makes of a file; it gives msgpack.

    Raises `DocumentError`: as the function refused it, or because its library crashed or took too
    much. `what` names the document in messages, such as "the PDF file".
    """
    try:
        answer = jailed(
            Inside(function),
            *args,
            into=bytes,
            file=file,
            memory_bytes=MEMORY_BYTES,
            cpu_seconds=seconds - 1,
            seconds=seconds,
            result_bytes=RESULT_BYTES,
        )
    except Refused as error:
        raise as_document_error(error, what) from error
    try:
        return msgspec.msgpack.decode(answer, type=into, ext_hook=ext_hook)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise DocumentError(
            f"{what} was read as something that cannot be shown", cause="error"
        ) from error


def as_document_error(error: Refused, what: str) -> DocumentError:
    """The same refusal as one of this family."""
    stopped = {
        "crash": f"{what} made its reader crash",
        "memory": f"{what} needs more memory to be read than the {MEMORY_BYTES:,} bytes allowed",
        "cpu": f"{what} takes too long to be read",
        "time": f"{what} takes too long to be read",
        "output": f"{what} holds more than is read at once",
    }
    hint = error.hint
    if error.cause in stopped:
        hint = "It is damaged, or made to do this; save it anew with the program that made it."
    return KINDS.get(error.cause, DocumentError)(
        stopped.get(error.cause, error.message), cause=error.cause, hint=hint
    )

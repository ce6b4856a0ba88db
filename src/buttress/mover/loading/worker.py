"""A child process that copies chunks: `python -m buttress.mover.loading.worker`, started by `copy`.

It reads one JSON message a line from its standard input, first `Start`, then chunks, and answers
each chunk with one line on its standard output. It ends when its input does or its parent dies.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from contextlib import closing
from pathlib import Path

import msgspec

from buttress.errors import ButtressError
from buttress.mover.loading.copy_chunk import Copied, copy_chunk
from buttress.mover.plan import Plan
from buttress.mover.source.read import Chunk
from buttress.mover.source.snapshot import open_snapshot
from buttress.mover.target import Target

_PR_SET_PDEATHSIG = 1


class Start(msgspec.Struct, kw_only=True):
    """What a worker needs to know; through the pipe, because it holds a password."""

    parent: int
    """Process id of whoever started the worker."""
    snapshot: str
    conninfo: str
    label: str
    schema: str
    staging: str
    plan: Plan


class Answer(msgspec.Struct, kw_only=True):
    """What became of one chunk: `copied`, or an error."""

    copied: Copied | None = None
    error: str = ""
    """Name of the class in `buttress.errors`; empty for an error nobody expected."""
    message: str = ""
    hint: str | None = None


def main() -> None:
    """Copy until there is nothing more to do."""
    start = msgspec.json.decode(sys.stdin.buffer.readline(), type=Start)
    if not _dies_with(start.parent):
        return
    target = Target(start.conninfo, start.label, start.schema, start.staging)
    try:
        with (
            closing(open_snapshot(Path(start.snapshot))) as snapshot,
            closing(target.connect()) as connection,
        ):
            while line := sys.stdin.buffer.readline():
                chunk = msgspec.json.decode(line, type=Chunk)
                copied = copy_chunk(snapshot, connection, start.plan, chunk, label=target.label)
                _say(Answer(copied=copied))
    except ButtressError as error:
        _say(Answer(error=type(error).__name__, message=error.message, hint=error.hint))
    except Exception:  # noqa: BLE001  the edge of this process: the parent raises it
        _say(Answer(message=traceback.format_exc()))


def _say(answer: Answer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


def _dies_with(parent: int) -> bool:
    """Have Linux end this process with its parent; False when the parent is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


if __name__ == "__main__":
    main()

"""Copies a plan's rows: in this process, or with several when that pays."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from buttress import errors
from buttress.mover.loading.copy_chunk import Copied, copy_chunk
from buttress.mover.loading.worker import Answer, Start
from buttress.mover.plan import Plan
from buttress.mover.source.read import Chunk, chunks
from buttress.mover.source.snapshot import open_snapshot
from buttress.mover.target import Target

__all__ = ["Chunk", "Copied", "chunks", "copy_all", "copy_chunk"]

FEW_ROWS = 50_000
"""So many rows are copied before another process has started."""

Progress = Callable[[Chunk, Copied], None]


def copy_all(
    plan: Plan,
    snapshot: Path,
    target: Target,
    todo: list[Chunk],
    *,
    workers: int,
    progress: Progress,
) -> None:
    """Copy the chunks into the target's staging schema, those of the largest tables first.

    `progress` is called from here, after each chunk is committed.

    Raises
    ------
    Unavailable
        The server is gone or full, or a process was killed. What was committed, `stage.done` tells.
    """
    sizes = {table.name: table.rows for table in plan.moving}
    ordered = sorted(todo, key=lambda chunk: sizes[chunk.table], reverse=True)
    rows = sum(sizes[name] for name in {chunk.table for chunk in todo})
    if min(workers, len(todo)) > 1 and rows > FEW_ROWS:
        _copy_in_children(plan, snapshot, target, ordered, min(workers, len(todo)), progress)
    elif todo:
        with (
            closing(open_snapshot(snapshot)) as source,
            closing(target.connect()) as connection,
        ):
            for chunk in ordered:
                progress(chunk, copy_chunk(source, connection, plan, chunk, label=target.label))


def _copy_in_children(
    plan: Plan,
    snapshot: Path,
    target: Target,
    ordered: list[Chunk],
    workers: int,
    progress: Progress,
) -> None:
    waiting = deque(ordered)
    start = Start(
        parent=os.getpid(),
        snapshot=str(snapshot),
        conninfo=target.conninfo,
        label=target.label,
        schema=target.schema,
        staging=target.staging,
        plan=plan,
    )
    with _children(workers) as children, selectors.DefaultSelector() as answers:
        for child in children:
            child.tell(start)
            child.give(waiting.popleft())
            answers.register(child.answers, selectors.EVENT_READ, child)
        while answers.get_map():
            for key, _ in answers.select():
                child = key.data
                progress(child.chunk, child.result())
                if waiting:
                    child.give(waiting.popleft())
                else:
                    answers.unregister(child.answers)


class _Child:
    """A worker process and the chunk it is copying."""

    def __init__(self) -> None:
        # -P: nothing in the folder somebody works in may stand in for a module.
        command = [sys.executable, "-P", "-m", "buttress.mover.loading.worker"]
        # In a group of its own Ctrl-C does not reach it: this process decides what becomes of it.
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._orders, self.answers = self.process.stdin, self.process.stdout
        self.chunk: Chunk | None = None

    def give(self, chunk: Chunk) -> None:
        """Have it copy the next chunk."""
        self.chunk = chunk
        self.tell(chunk)

    def tell(self, message: Start | Chunk) -> None:
        """Send one message; a child that is dead is noticed when its answer is read."""
        try:
            self._orders.write(msgspec.json.encode(message) + b"\n")
            self._orders.flush()
        except BrokenPipeError:
            return

    def result(self) -> Copied:
        """What became of its chunk; waits for it, and raises the error it ended with."""
        assert self.chunk is not None
        line = self.answers.readline()
        if not line.endswith(b"\n"):
            code = self.process.wait()
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            raise errors.Unavailable(
                f"the process that copied table {self.chunk.table} {how}",
                hint="See that the machine has memory left, then continue with --resume.",
            )
        answer = msgspec.json.decode(line, type=Answer)
        if answer.copied is not None:
            return answer.copied
        if answer.error:
            raise getattr(errors, answer.error)(answer.message, hint=answer.hint)
        raise RuntimeError(f"copying table {self.chunk.table} failed\n{answer.message}")

    def close(self) -> None:
        """Close the pipes, which ends a child that waits for orders, and wait for its end."""
        for pipe in (self._orders, self.answers):
            try:
                pipe.close()
            except BrokenPipeError:
                continue
        self.process.wait()


@contextmanager
def _children(count: int) -> Iterator[list[_Child]]:
    """Workers that end with the block, at once when it is left by an exception."""
    children: list[_Child] = []
    try:
        for _ in range(count):
            children.append(_Child())
        yield children
    except BaseException:
        # Ctrl-C too: what they have not committed is not there.
        for child in children:
            child.process.kill()
        raise
    finally:
        for child in children:
            child.close()

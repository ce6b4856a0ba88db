"""Work for the server, done over several connections at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

import psycopg

from buttress.mover.target import Target

Result = TypeVar("Result")
Progress = Callable[[str, int, int], None]
"""Told what was done, how many things are done and how many there are."""


@dataclass(frozen=True)
class Task(Generic[Result]):
    """One piece of work; heavier ones start first."""

    what: str
    weight: int
    work: Callable[[psycopg.Connection], Result]


class Crew:
    """Connections in autocommit mode, each used by one task at a time."""

    def __init__(self, connections: Sequence[psycopg.Connection], pool: ThreadPoolExecutor) -> None:
        self._free: SimpleQueue[psycopg.Connection] = SimpleQueue()
        for connection in connections:
            self._free.put(connection)
        self._pool = pool

    def run(self, tasks: Sequence[Task[Result]], progress: Progress | None) -> list[Result]:
        """Do all tasks; the first that raises ends the run. Results in no particular order."""
        ordered = sorted(tasks, key=lambda task: task.weight, reverse=True)
        futures = {self._pool.submit(self._one, task): task for task in ordered}
        results = []
        for number, future in enumerate(as_completed(futures), 1):
            results.append(future.result())
            if progress is not None:
                progress(futures[future].what, number, len(tasks))
        return results

    def _one(self, task: Task[Result]) -> Result:
        connection = self._free.get()
        try:
            return task.work(connection)
        finally:
            self._free.put(connection)


@contextlib.contextmanager
def crew(target: Target, workers: int) -> Iterator[Crew]:
    """A crew of `workers` connections to the staging schema.

    When the block is left by an exception (Ctrl-C too), running statements are cancelled.
    """
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(
            ThreadPoolExecutor(workers, thread_name_prefix="buttress-finish")
        )
        connections = []
        for _ in range(workers):
            connections.append(stack.enter_context(target.connect(autocommit=True)))
        try:
            yield Crew(connections, pool)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for connection in connections:
                with contextlib.suppress(psycopg.Error):
                    connection.cancel_safe(timeout=5)
            # The pool is awaited before the connections close: a worker may still be using one.
            pool.shutdown(wait=True)
            raise

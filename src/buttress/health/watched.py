"""One check that any number of probes ask, and one question at a time answers.

A driver may take minutes to notice that its server is frozen, and waits for that even when its
caller has gone. So the question runs in a thread of its own, and whoever asks waits for the answer
no longer than until the deadline, which all that ask meanwhile share.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait

from buttress.health.finding import Check, Finding, ask
from buttress.health.history import History

GIVE_UP_SECONDS = 5.0
"""After so long a question is put again although the last one is still without an answer."""
MOST_GIVEN_UP = 5
"""Questions without an answer that may hang at once; then nobody asks until one ends."""


class Run:
    """One question under way or answered."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.began = time.monotonic()
        self.ended: float | None = None
        self.given_up = False
        self.told_late = False
        self.future: Future[Finding] = Future()
        # Nobody can cancel it: others wait for it too.
        self.future.set_running_or_notify_cancel()

    @property
    def seconds_left(self) -> float:
        """Until the deadline; 0 when it has passed."""
        return max(self.began + self.check.limit_seconds - time.monotonic(), 0.0)

    @property
    def in_time(self) -> bool:
        """Whether it ended before its deadline."""
        return self.ended is not None and self.ended - self.began <= self.check.limit_seconds


class Watched:
    """A check with its last answer and its history.

    `give_up` is called when a question hangs and another is to be put beside it, to free what the
    first one holds.
    """

    def __init__(self, check: Check, give_up: Callable[[], None] = lambda: None) -> None:
        self.check = check
        self._give_up = give_up
        self.start_anew()

    def start_anew(self) -> None:
        """Forget everything; in a forked child the thread that would answer does not exist."""
        self.history = History()
        self._lock = threading.Lock()
        self._run: Run | None = None
        self._hanging = 0

    def begin(self) -> Run:
        """The question whose answer counts now: still fresh, under way, or put by this call."""
        with self._lock:
            run = self._run
            if run is not None and self._counts(run):
                return run
            run = self._run = Run(self.check)
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._do, run), name="buttress-health", daemon=True
        ).start()
        return run

    @property
    def under_way(self) -> Future[Finding] | None:
        """The question that has no answer yet."""
        run = self._run
        return run.future if run is not None and not run.future.done() else None

    def settle(self, run: Run) -> Finding:
        """What it answered, or that it did not in time."""
        if run.future.done():
            return run.future.result()
        seconds = self.check.limit_seconds
        finding = Finding(
            self.check.name,
            self.check.otherwise,
            f"no answer within {seconds:g} seconds",
            (time.monotonic() - run.began) * 1000,
        )
        with self._lock:
            late, run.told_late = not run.told_late, True
        if late:
            self.history.add(finding)
        return finding

    def _counts(self, run: Run) -> bool:
        now = time.monotonic()
        if run.ended is not None:
            # An answer that came late says how things were, not how they are.
            return run.in_time and now - run.ended < self.check.keep_seconds
        if now - run.began < max(GIVE_UP_SECONDS, 2 * self.check.limit_seconds):
            return True
        if self._hanging >= MOST_GIVEN_UP:
            return True
        run.given_up = True
        self._hanging += 1
        self._give_up()
        return False

    def _do(self, run: Run) -> None:
        finding = ask(self.check)
        with self._lock:
            run.ended = time.monotonic()
            self._hanging -= run.given_up
        if run.in_time:
            self.history.add(finding)
        run.future.set_result(finding)


def ask_all(checks: Sequence[Watched]) -> list[Finding]:
    """The answers to all of them, asked at once; blocks until the last deadline at most."""
    runs = [check.begin() for check in checks]
    for run in runs:
        wait([run.future], run.seconds_left)
    return [check.settle(run) for check, run in zip(checks, runs, strict=True)]


async def async_ask_all(checks: Sequence[Watched]) -> list[Finding]:
    """The same without blocking the event loop, and without one of the threads of its routes."""
    runs = [check.begin() for check in checks]
    for run in runs:
        if not run.future.done():
            await asyncio.wait([asyncio.wrap_future(run.future)], timeout=run.seconds_left)
    return [check.settle(run) for check, run in zip(checks, runs, strict=True)]

"""An event loop on a thread of its own, for the requests of all threads of a process."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from buttress.errors import ModelUnavailable

log = logging.getLogger(__name__)
T = TypeVar("T")

LATE_SECONDS = 5.0
"""How much longer than its limit a coroutine is waited for that does not let itself be ended."""
CLOSE_SECONDS = 5.0


class Stopped(ModelUnavailable):
    """Nobody waits for the answer any more: the reader went away, or the process ends."""


class Loop:
    """Runs coroutines for threads. It starts with the first, and anew in a forked child."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._running: tuple[int, asyncio.AbstractEventLoop, threading.Thread] | None = None
        self._closed = False

    def start(self, coroutine: Coroutine[Any, Any, T], *, seconds: float) -> Future[T]:
        """Begin one; it is cancelled when the seconds are over, and ends with TimeoutError."""
        try:
            loop = self._loop()
        except Stopped:
            coroutine.close()
            raise
        return asyncio.run_coroutine_threadsafe(_limited(coroutine, seconds), loop)

    def run(self, coroutine: Coroutine[Any, Any, T], *, seconds: float) -> T:
        """What one returns; raises what it raises, `TimeoutError`, or `Stopped`."""
        future = self.start(coroutine, seconds=seconds)
        try:
            return future.result(timeout=seconds + LATE_SECONDS)
        except CancelledError:
            raise Stopped("the call was ended from outside") from None
        finally:
            future.cancel()

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Cancel what runs, do the last thing, and stop; a closed loop runs nothing more."""
        with self._starting:
            self._closed = True
            running, self._running = self._running, None
        if running is None or running[0] != os.getpid():
            return
        _, loop, thread = running
        try:
            asyncio.run_coroutine_threadsafe(_end_everything(last), loop).result(CLOSE_SECONDS * 2)
        except Exception as error:  # noqa: BLE001  # the rest has to be closed all the same
            log.warning("connections are not closed", extra={"reason": type(error).__name__})
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_SECONDS)
        if not thread.is_alive():
            loop.close()

    def _loop(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._closed:
                raise Stopped("the model gateway is closed")
            if self._running is None or self._running[0] != os.getpid():
                loop = asyncio.new_event_loop()
                thread = threading.Thread(
                    target=loop.run_forever, name="buttress models", daemon=True
                )
                thread.start()
                self._running = (os.getpid(), loop, thread)
            return self._running[1]


async def _limited(coroutine: Coroutine[Any, Any, T], seconds: float) -> T:
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            return await coroutine
    finally:
        coroutine.close()


async def _end_everything(last: Callable[[], Coroutine[Any, Any, None]]) -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
    await last()
    await asyncio.get_running_loop().shutdown_asyncgens()

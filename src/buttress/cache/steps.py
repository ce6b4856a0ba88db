"""What reading through the cache waits for, each for threads and for event loops.

The reading itself (`reading`) is written once, as a generator of these steps.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncSession

from buttress.cache.barrier import Barrier
from buttress.cache.flights import Flight
from buttress.cache.sessions import STATE, STATE_PARAMETERS
from buttress.db.transactions import Transaction


class Step(Protocol):
    """Something that takes time."""

    def run(self) -> Any:
        """Do it in this thread."""

    async def arun(self) -> Any:
        """Do it without blocking the event loop."""


Reading = Generator[Step, Any, Any]


def drive(reading: Reading) -> Any:
    """Run a reading to its end in this thread."""
    try:
        step = next(reading)
        while True:
            try:
                answer = step.run()
            except BaseException as error:  # noqa: BLE001 — the reading decides what it means
                step = reading.throw(error)
            else:
                step = reading.send(answer)
    except StopIteration as end:
        return end.value


async def drive_async(reading: Reading) -> Any:
    """Run a reading to its end in this task."""
    try:
        step = next(reading)
        while True:
            try:
                answer = await step.arun()
            except BaseException as error:  # noqa: BLE001 — the reading decides what it means
                step = reading.throw(error)
            else:
                step = reading.send(answer)
    except StopIteration as end:
        return end.value


class Ask:
    """A barrier."""

    def __init__(self, barrier: Barrier) -> None:
        self.barrier = barrier

    def run(self) -> Any:
        return self.barrier.ask()

    async def arun(self) -> Any:
        return await self.barrier.ask_async()


class AskTransaction:
    """What a transaction has done, asked on its own connection."""

    def __init__(self, transaction: Transaction, connection: Connection) -> None:
        self.transaction = transaction
        self.connection = connection

    def run(self) -> Any:
        return self.connection.execute(STATE, STATE_PARAMETERS).one()

    async def arun(self) -> Any:
        if isinstance(self.transaction, AsyncSession):
            return await self.transaction.run_sync(lambda _: self.run())
        return self.run()


class Compute:
    """The cached function itself."""

    def __init__(self, function: Callable[..., Any], arguments: Any, keywords: Any) -> None:
        self.function, self.arguments, self.keywords = function, arguments, keywords

    def run(self) -> Any:
        return self.function(*self.arguments, **self.keywords)

    async def arun(self) -> Any:
        result: Awaitable[Any] = self.function(*self.arguments, **self.keywords)
        return await result


class Blocking:
    """A short call that blocks, in a thread where a loop must not wait."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def run(self) -> Any:
        return self.function(*self.arguments)

    async def arun(self) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_threads(), self.function, *self.arguments)


class Wait:
    """Until somebody else's computation is over."""

    def __init__(self, flight: Flight, seconds: float) -> None:
        self.flight, self.seconds = flight, seconds

    def run(self) -> None:
        self.flight.wait(self.seconds)

    async def arun(self) -> None:
        await self.flight.wait_async(self.seconds)


class Sleep:
    """A moment."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def run(self) -> None:
        time.sleep(self.seconds)

    async def arun(self) -> None:
        await asyncio.sleep(self.seconds)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(8, thread_name_prefix="buttress-cache")


def start_anew() -> None:
    """In a forked child: the parent's threads do not exist here."""
    _threads.cache_clear()

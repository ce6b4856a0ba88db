"""An answer while it is written: for threads an iterator, for coroutines an async one."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Self

from buttress.errors import Conflict
from buttress.llm.completion import Completion
from buttress.llm.loop import LATE_SECONDS, Loop, Stopped
from buttress.llm.wire import Reply

Put = Callable[[str], None]
WAIT_SECONDS = 5.0


class Pump:
    """One request whose pieces come from the event loop to the thread that reads them."""

    def __init__(
        self, loop: Loop, request: Callable[[Put], Coroutine[Any, Any, Reply]], *, seconds: float
    ) -> None:
        self._pieces: SimpleQueue[str | None] = SimpleQueue()
        self._seconds = seconds
        self._future: Future[Reply] = loop.start(request(self._pieces.put), seconds=seconds)
        self._future.add_done_callback(lambda _: self._pieces.put(None))

    def next(self) -> str | None:
        """The next piece, None at the end; raises what the request raised, or `Stopped`."""
        try:
            piece = self._pieces.get(timeout=self._seconds + LATE_SECONDS)
        except Empty:
            raise TimeoutError from None
        if piece is None:
            self.reply()
        return piece

    def reply(self) -> Reply:
        """What the whole request brought."""
        try:
            return self._future.result(timeout=WAIT_SECONDS)
        except CancelledError:
            raise Stopped("the stream was closed") from None

    def close(self) -> None:
        """Give up the request, if it still runs."""
        self._future.cancel()


class Reader:
    """Whoever reads a stream, so that another thread can tell it to stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pump: Pump | None = None
        self.stopped = False

    def reads(self, pump: Pump) -> None:
        """From here on it is this one that stopping ends."""
        with self._lock:
            self._pump = pump
            if self.stopped:
                pump.close()

    def stop(self) -> None:
        """End what is read, now or when it begins."""
        with self._lock:
            self.stopped = True
            if self._pump is not None:
                self._pump.close()


class Stream(Iterator[str]):
    """Pieces of an answer.

        with llm.stream("Tell me about oaks", purpose="assistant.chat") as stream:
            for piece in stream:
                ...
        stream.completion.cost

    Leaving the block, closing it, or dropping it before the end gives up the request; the call is
    then recorded as cancelled. Another thread may close it while this one waits for a piece, which
    then gets `ModelUnavailable`.
    """

    def __init__(self, pieces: Generator[str, None, Completion[None]], reader: Reader) -> None:
        self._pieces = pieces
        self._reader = reader
        self._given: list[str] = []
        self._completion: Completion[None] | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        try:
            piece = next(self._pieces)
        except StopIteration as end:
            if end.value is not None:
                self._completion = end.value
            raise
        self._given.append(piece)
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def text(self) -> str:
        """What has been given so far."""
        return "".join(self._given)

    @property
    def completion(self) -> Completion[None]:
        """The whole answer and what it cost; raises `Conflict` before its end was reached."""
        if self._completion is None:
            raise Conflict("the stream has not come to its end", hint="Read it until it ends.")
        return self._completion

    def close(self) -> None:
        """Give up what has not come yet; closing twice, or after the end, is fine."""
        self._reader.stop()
        try:
            self._pieces.close()
        except ValueError:
            return  # another thread waits in it, and ends it now


class AsyncStream(AsyncIterator[str]):
    """The same for a coroutine, on whichever event loop reads it.

    A thread of its own reads the stream; nothing blocks the loop.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._pieces: asyncio.Queue[str | BaseException | None] | None = None
        self._thread: threading.Thread | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        pieces = self._pieces or self._start()
        try:
            piece = await pieces.get()
        except asyncio.CancelledError:
            self._give_up()
            raise
        if isinstance(piece, str):
            return piece
        pieces.put_nowait(None)  # asking again ends again
        if piece is None:
            raise StopAsyncIteration
        raise piece

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        self._give_up()

    @property
    def text(self) -> str:
        """What has come so far."""
        return self._stream.text

    @property
    def completion(self) -> Completion[None]:
        """The whole answer and what it cost; raises `Conflict` before its end was reached."""
        return self._stream.completion

    async def aclose(self) -> None:
        """Give up what has not come yet, and wait until the call is written down."""
        self._give_up()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _give_up(self) -> None:
        self._stream.close()

    def _start(self) -> asyncio.Queue[str | BaseException | None]:
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[str | BaseException | None] = asyncio.Queue()
        self._pieces = pieces

        def give(piece: str | BaseException | None) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits for it
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        self._thread = threading.Thread(
            target=contextvars.copy_context().run,
            args=(_read, self._stream, give),
            name="buttress model stream",
            daemon=True,
        )
        self._thread.start()
        return pieces


def _read(stream: Stream, give: Callable[[str | BaseException | None], None]) -> None:
    try:
        for piece in stream:
            give(piece)
    except BaseException as error:  # noqa: BLE001  # raised again where the pieces are read
        give(error)
    else:
        give(None)

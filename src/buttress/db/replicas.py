"""Sessions on standbys: which server may take a read, and who sees what he has written there.

Each session asks its own connection how far the server has replayed before anything else is read.
Threads look after the servers meanwhile, so that no caller is the first to find one gone.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from buttress.db.outage import pause_task
from buttress.db.positions import PRIMARY, Bookmark, PositionHistory, bookmark_from
from buttress.db.standby import ReplicaStatus, Standby
from buttress.errors import ButtressError

if TYPE_CHECKING:
    from buttress.db.database import Database

LOOK_SECONDS = 0.5
CATCH_UP_SECONDS = 0.03
"""How long a session waits for a standby to replay what its caller wrote."""
POLL_SECONDS = 0.002

FAILED = (ButtressError, SQLAlchemyError)


class Replicas:
    """The standbys of one database.

    `lag_seconds` is the age the data of a usable standby may have at most.
    """

    def __init__(
        self, primary: Database, standbys: Sequence[Database], *, lag_seconds: float
    ) -> None:
        self._primary = primary
        self._history = PositionHistory(lag_seconds)
        self.standbys = [Standby(database, self._history) for database in standbys]
        self._first = itertools.count()
        self._bookmark: ContextVar[Bookmark | None] = ContextVar("bookmark", default=None)
        self._starting = threading.Lock()
        self._stop: threading.Event | None = None
        self._threads: list[threading.Thread] = []

    @property
    def bookmark(self) -> Bookmark:
        """What the running thread, task or request has written."""
        bookmark = self._bookmark.get()
        if bookmark is None:
            bookmark = Bookmark()
            self._bookmark.set(bookmark)
        return bookmark

    def note_commit(self) -> None:
        """Remember that the running thread, task or request has written."""
        self.bookmark.note_commit()

    @contextmanager
    def following(self, token: str | None) -> Iterator[None]:
        """Start with what `token` stands for; threads and tasks begun inside share it."""
        before = self._bookmark.set(bookmark_from(token))
        try:
            yield
        finally:
            self._bookmark.reset(before)

    def token(self) -> str:
        """What `following` takes, in any process; asks the primary once after a write."""
        if self.bookmark.wrote:
            with self._primary.session(read_only=True) as session:
                _look_up(session, self.bookmark)
        return self.bookmark.token

    def status(self) -> list[ReplicaStatus]:
        """Every standby as it was last seen."""
        self._watch()
        return [standby.status() for standby in self.standbys]

    def session(self) -> Session | None:
        """A read-only session on a standby that shows all its caller wrote; None when none does."""
        usable = self._usable()
        if usable and self.bookmark.wrote:
            try:
                self.token()
            except FAILED:
                return None  # an error of the primary, which is the place to report it
        for standby in usable:
            session = Session(
                standby.database.read_only_engine, expire_on_commit=False, info=standby.info
            )
            try:
                if _shows(session, standby, self.bookmark.position, time.sleep):
                    return session
            except FAILED:
                standby.leave_out("does not answer")
            session.close()
        return None

    async def async_session(self) -> AsyncSession | None:
        """The same for the running event loop."""
        usable = self._usable()
        if usable and self.bookmark.wrote:
            try:
                async with self._primary.async_session(read_only=True) as primary:
                    await primary.run_sync(_look_up, self.bookmark)
            except FAILED:
                return None  # as above
        for standby in usable:
            engine = await standby.database.async_read_only_engine()
            session = AsyncSession(engine, expire_on_commit=False, info=standby.info)
            try:
                position = self.bookmark.position
                if await session.run_sync(_shows, standby, position, pause_task):
                    return session
            except FAILED:
                standby.leave_out("does not answer")
            await session.close()
        return None

    def close(self) -> None:
        """Stop looking after the standbys and close their connections."""
        with self._starting:
            if self._stop is not None:
                self._stop.set()
                self._stop = None
        for thread in self._threads:
            thread.join(LOOK_SECONDS)
        for standby in self.standbys:
            standby.database.close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        for standby in self.standbys:
            await standby.database.aclose()

    def forget(self) -> None:
        """Start anew in a forked child, which has none of the threads."""
        self._starting, self._stop, self._threads = threading.Lock(), None, []

    def _usable(self) -> list[Standby]:
        """Those not left out, another one first each time."""
        self._watch()
        usable = [standby for standby in self.standbys if not standby.why]
        start = next(self._first) % max(len(usable), 1)
        return usable[start:] + usable[:start]

    def _watch(self) -> None:
        with self._starting:
            if self._stop is not None:
                return
            self._stop = threading.Event()
            # One thread each: a server that does not answer must not hide the others.
            looks: list[Callable[[], None]] = [self._look_at_primary]
            looks += [standby.look for standby in self.standbys]
            self._threads = [
                threading.Thread(target=_repeat, args=[look, self._stop], daemon=True)
                for look in looks
            ]
            for thread in self._threads:
                thread.start()

    def _look_at_primary(self) -> None:
        asked_at = time.monotonic()
        try:
            with self._primary.session(read_only=True) as session:
                self._history.add(asked_at, int(session.scalar(PRIMARY) or 0))
        except FAILED:
            return  # without a position the standbys' lag is unknown, which they say themselves


def _repeat(look: Callable[[], None], stop: threading.Event) -> None:
    look()
    while not stop.wait(LOOK_SECONDS):
        look()


def _look_up(session: Session, bookmark: Bookmark) -> None:
    bookmark.wrote = False  # before asking: a commit meanwhile sets it again
    try:
        bookmark.advance(int(session.scalar(PRIMARY) or 0))
    except BaseException:
        bookmark.wrote = True
        raise


def _shows(
    session: Session, standby: Standby, position: int, pause: Callable[[float], None]
) -> bool:
    """Whether the server of this session has replayed so far, or does in a moment."""
    give_up = time.monotonic() + CATCH_UP_SECONDS
    while (replayed := standby.replayed(session)) is not None:
        if replayed >= position:
            return True
        if time.monotonic() > give_up:
            break
        pause(POLL_SECONDS)
    return False

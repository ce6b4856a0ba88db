"""What every statement of this process took.

Right after a statement little is in the processor's caches, and every step costs several times what
it costs in a loop. So `record` only notes what cannot be known later, and some hundred notes are
counted at once.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable
from sys import _getframe
from threading import RLock
from time import perf_counter_ns
from types import CodeType
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine.interfaces import ExecuteStyle

from buttress.db.monitor import caller
from buttress.db.monitor.histogram import bucket_of
from buttress.db.monitor.ring import MINUTE_SECONDS, Ring
from buttress.db.monitor.slot import (
    Pool,
    Repeated,
    Series,
    Slot,
    Slow,
    Tally,
    by_kind,
    merged,
    other,
)
from buttress.db.monitor.statement import READ_CHARACTERS, Statement, shapes, statement_of
from buttress.telemetry import Place, place, track

if TYPE_CHECKING:
    from buttress.db.database import Database
    from buttress.db.execution import Record

REPEATS = 10
"""How often one line may send the same statement within one request or session."""
SLOW_SECONDS = 1.0

MOST_SERIES = 1_000
"""Counted apart within a minute; whatever comes after is counted as `other`."""
MOST_KNOWN = 10_000
MOST_STATEMENTS = 4_000
MOST_SLOW = 200
MOST_REPEATED = 200
MOST_SEEN = 1_000

NOTES = 256
"""Counted at once; that takes a few tenths of a millisecond."""

Note = tuple[
    int, int, str, CodeType, int, Place | None, dict[Tally, int], Any, int, tuple[str, str] | None
]

APP = caller.APP
ONE_ROW = ExecuteStyle.EXECUTE


class Monitor:
    """The statements and the timed work of one process.

        monitor = Monitor()
        monitor.watch(database)
        with monitor.track("fetch users"):
            ...
        monitor.window(3600)

    A forked child starts empty. Safe in threads and tasks.
    """

    def __init__(self, *, slow_seconds: float = SLOW_SECONDS) -> None:
        self.slow_seconds = slow_seconds
        self._slow_ns = round(slow_seconds * 1e9)
        self.files = caller.Files()
        self.databases: list[Database] = []
        self._start_empty()
        _monitors.add(self)

    def watch(self, database: Database) -> None:
        """Record the statements of this database from now on."""
        self.databases.append(database)
        database.executions.record = self.record

    def track(self, name: str) -> track:
        """`with monitor.track("fetch users"):` counts and times what is inside."""
        return track(name, (self.record_work,))

    def record_work(self, name: str, began: int, ended: int, error: BaseException | None) -> None:
        """Count one piece of named work; `track` and `timed` call it."""
        here = place.get()
        statement = Statement(f"work:{name}", name, "work")
        series = Series(statement, "", "" if here is None else here.name)
        with self._lock:
            self._open_minute_of(ended)
            tally = self._entry(series)[1]
            elapsed = ended - began
            tally.buckets[bucket_of(elapsed)] += 1
            tally.nanoseconds += elapsed
            if error is not None:
                tally.fail(type(error).__name__)

    def window(self, seconds: float, *, before: float = 0.0) -> Slot:
        """All that happened in the last seconds, or in those that ended `before` seconds ago.

        Minutes of the last hour are told apart, then five minutes; older than six hours is what
        `buttress.db.monitor.rollups` keeps.
        """
        now = time.time()
        since, until = now - before - seconds, now - before
        return merged(self.slots(since, until), start=since, seconds=seconds)

    def since_start(self) -> Slot:
        """Everything since this process began, by kind and place only, and timed work by name."""
        with self._lock:
            self.count()
            self._open_minute_of(perf_counter_ns())
            return merged([self._forever, by_kind(self._live)], start=0.0, seconds=MINUTE_SECONDS)

    def report(self, seconds: float = 3600.0) -> str:
        """The last seconds of this process as text for operators."""
        from buttress.db.monitor.facts import of_process
        from buttress.db.monitor.report import report

        return report(of_process(self, seconds))

    def slots(self, since: float, until: float) -> list[Slot]:
        """The slots that lie, in part at least, between two moments in seconds of Unix time."""
        with self._lock:
            self.count()
            self._open_minute_of(perf_counter_ns())
            live = merged([self._live], start=self._live.start, seconds=MINUTE_SECONDS)
        found = self._ring.slots(since, until)
        if live.start < until and live.start + MINUTE_SECONDS > since:
            found.append(live)
        return found

    def count(self) -> None:
        """Count what was noted and not yet counted."""
        with self._lock:
            number = len(self._notes)
            notes = self._notes[:number]
            del self._notes[:number]
            for note in notes:
                self._count(*note)

    def pool(self) -> Pool:
        """The connections of all databases it watches."""
        stats = [database.pool_stats() for database in self.databases]
        return Pool(
            checked_out=sum(one.checked_out for one in stats),
            idle=sum(one.idle for one in stats),
            waiting=sum(one.waiting for one in stats),
            limit=sum(one.limit for one in stats),
        )

    def _start_empty(self) -> None:
        self._lock = RLock()  # a statement sent while garbage is collected may come in between
        self._notes: list[Note] = []
        self.record = recorder(self._notes, self.files, self._slow_ns, self.count)
        for database in self.databases:
            database.executions.record = self.record
        self._ring = Ring()
        self._forever = Slot(0.0, MINUTE_SECONDS)
        self._statements: dict[int, Statement] = {}
        self._live = Slot(0.0, MINUTE_SECONDS)
        self._until = 0
        self._open_minute_of(perf_counter_ns())

    def _open_minute_of(self, moment: int) -> None:
        """Close the minute when a moment of `perf_counter_ns` lies beyond it."""
        if moment < self._until:
            return
        if self._live.tallies:
            self._forever.add(by_kind(self._live))
            self._forever.shorten(series=MOST_SERIES, slow=0, repeated=0)
            self._ring.add(self._live)
        self._offset = time.time_ns() - perf_counter_ns()
        at = (moment + self._offset) / 1e9
        start = at - at % MINUTE_SECONDS
        self._until = moment + round((start + MINUTE_SECONDS - at) * 1e9)
        self._live = Slot(start, MINUTE_SECONDS)
        # By what is at hand: hash of the SQL, identity of the code, place in it. The code objects
        # are kept as long, so that no other gets the same identity.
        self._known: dict[tuple[int, int, int, str], tuple[Series, Tally]] = {}
        self._callers: dict[tuple[int, int], tuple[str, CodeType]] = {}

    def _count(
        self,
        ended: int,
        elapsed: int,
        sql: str,
        code: CodeType,
        offset: int,
        here: Place | None,
        seen: dict[Tally, int],
        style: ExecuteStyle,
        rows: int,
        trouble: tuple[str, str] | None,
    ) -> None:
        if ended >= self._until:
            self._open_minute_of(ended)
        key = (hash(sql), id(code), offset, "" if here is None else here.name)
        entry = self._known.get(key)
        if entry is None:
            entry = self._introduce(key, sql, code)
        tally = entry[1]
        shift = elapsed.bit_length() - 6  # written out: `bucket_of` would cost a call
        tally.buckets[elapsed if shift <= 0 else (shift << 5) + (elapsed >> shift)] += 1
        tally.nanoseconds += elapsed
        if rows > 0:
            tally.rows += rows
        if trouble is not None:
            self._note_trouble(entry, ended, elapsed, *trouble)
        if style is ONE_ROW:
            times = seen[tally] = seen.get(tally, 0) + 1
            if times > REPEATS:
                self._note_repeated(entry[0], times, ended)
            elif times == 1 and len(seen) > MOST_SEEN:
                seen.clear()

    def _introduce(
        self, key: tuple[int, int, int, str], sql: str, code: CodeType
    ) -> tuple[Series, Tally]:
        """The entry of what comes for the first time in this minute."""
        statement = self._statements.get(key[0])
        if statement is None:
            if len(self._statements) >= MOST_STATEMENTS:
                self._statements.clear()
            statement = self._statements[key[0]] = statement_of(sql)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
            self._callers.clear()
        line = self._callers.get(key[1:3])
        if line is None:
            line = self._callers[key[1:3]] = (caller.describe(code, key[2]), code)
        entry = self._entry(Series(statement, line[0], key[3]))
        self._known[key] = entry
        return entry

    def _entry(self, series: Series) -> tuple[Series, Tally]:
        tallies = self._live.tallies
        if len(tallies) >= MOST_SERIES and series.key not in tallies:
            series = other(series.statement)
        self._live.tally(series.key, series)
        return tallies[series.key]

    def _note_trouble(
        self, entry: tuple[Series, Tally], ended: int, elapsed: int, error: str, parameters: str
    ) -> None:
        if error:
            entry[1].fail(error)
        if elapsed >= self._slow_ns:
            self._live.slow_count += 1
            if len(self._live.slow) < MOST_SLOW:
                at = (ended + self._offset) / 1e9
                self._live.slow.append(Slow(entry[0], at, elapsed, parameters, error))

    def _note_repeated(self, series: Series, times: int, ended: int) -> None:
        if series.statement.kind == "other":  # what begins a transaction
            return
        repeated = self._live.repeated
        found = repeated.get(series.key)
        if found is None:
            if len(repeated) >= MOST_REPEATED:
                return
            found = repeated[series.key] = Repeated(series, 0, 0, 0.0)
        found.times += times == REPEATS + 1
        found.most = max(found.most, times)
        found.at = (ended + self._offset) / 1e9


def recorder(
    notes: list[Note], files: caller.Files, slow_ns: int, count: Callable[[], None]
) -> Record:
    """The function every statement ends in: it notes what was sent, by which line, and where.

    Its variables are in a closure because those are the fastest to reach.
    """
    note, where, most = notes.append, place.get, READ_CHARACTERS

    def record(
        began: int,
        ended: int,
        cursor: Any,
        sql: str,
        parameters: Any,
        context: Any,
        error: BaseException | None,
    ) -> None:
        frame: Any = _getframe(4)  # those below are ours and SQLAlchemy's, whatever the door
        while files[frame.f_code.co_filename] != APP:
            frame = frame.f_back
            if frame is None:
                frame = caller.second_choice(_getframe(4), files)
                break
        here = where()
        if here is None:
            attributes = context.root_connection.__dict__
            seen = attributes.get("_buttress_seen")
            if seen is None:
                seen = attributes["_buttress_seen"] = {}
        else:
            seen = here.seen
        trouble = None
        if error is not None or ended - began >= slow_ns:
            trouble = ("" if error is None else type(error).__name__, shapes(parameters))
        compiled = context.compiled
        if compiled is not None:
            sql = compiled.string  # one text for all executions
        if len(sql) > most:
            sql = sql[:most]  # a note must not keep what is never read
        note(
            (
                ended,
                ended - began,
                sql,
                frame.f_code,
                frame.f_lasti,
                here,
                seen,
                context.execute_style,
                cursor.rowcount if error is None else 0,
                trouble,
            )
        )
        if len(notes) >= NOTES:
            count()

    return record


_monitors: weakref.WeakSet[Monitor] = weakref.WeakSet()


def _start_empty_in_child() -> None:
    for monitor in list(_monitors):
        monitor._start_empty()


os.register_at_fork(after_in_child=_start_empty_in_child)

"""The WAL watch: whether anything was committed since a barrier, without asking the server.

Every commit that changes rows of a watched table has its write-ahead log in the segment's file
before it is acknowledged. So as long as the bytes at the end of the log are those of a barrier,
that barrier is as good as one asked now. Mapped into this process, they are compared in a
microsecond. Decision 8 has the argument and its limits.
"""

from __future__ import annotations

import mmap
import os
import select
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from buttress.cache.barrier import Reading
from buttress.cache.wire import Wire

PAGE = 8192
HEADER_BYTES = 24
"""Of a page of the log: what it is, its timeline, its position. Positions in a file only grow, also
when it is used again for a later part of the log: the bytes of a place never come back."""
WATCHED_BYTES = 64
"""From the end of the log: a record's header with the position of the one before it, or the header
of a page with its own position; either way bytes that occur once."""

_SERVER = """
select pg_walfile_name(pg_current_wal_insert_lsn()),
    pg_size_bytes(current_setting('wal_segment_size')), current_setting('wal_block_size')::int,
    current_setting('wal_sync_method'), current_setting('debug_io_direct', true),
    extract(epoch from pg_postmaster_start_time())::float8,
    (select setting from pg_settings where name = 'data_directory')
"""

# A transaction holds the lock on its own number from before its first record until after it is
# seen. A snapshot alone does not tell: its xmax is one more than the last transaction that ended,
# and those beyond it that are under way are not listed.
_WRITERS = b"""
select count(*) from pg_locks
where locktype = 'transactionid' and mode = 'ExclusiveLock' and granted
"""

ATTEMPTS = 20


class Refused(Exception):
    """The log cannot be watched here; the message says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """The end of the log at some barrier, and what the file held there."""

    position: int
    segment: mmap.mmap
    header: slice
    header_bytes: bytes
    end: slice
    end_bytes: bytes

    def unchanged(self) -> bool:
        """Whether the file holds the same bytes there still."""
        segment = self.segment
        return segment[self.end] == self.end_bytes and segment[self.header] == self.header_bytes


class WalWatch:
    """Watches the log of the server a barrier is connected to.

    `data` is the server's data folder, None to ask the server for it. `refused` says why the log is
    not watched, empty when it is.
    """

    def __init__(self, data: Path | None) -> None:
        self._given = data
        self.refused = "not connected yet"
        self.proven = False
        """Whether a commit has been seen in the file since the connection was opened."""
        self._armed: tuple[Place, Reading, Callable[[int, int], object]] | None = None
        self._candidate: Place | None = None
        self._trial: Place | None = None
        self._calm, self._asked = False, 0
        self._wire: Wire | None = None
        self._folder = Path()
        self._timeline = ""
        self._segment_bytes = 0
        self._started = 0.0
        self._mapped: tuple[int, mmap.mmap] | None = None
        self._socket: select.epoll | None = None

    def armed(self) -> Reading | None:
        """A barrier that is as good as one asked now, None when there is none."""
        armed = self._armed
        if armed is None:
            return None
        place, reading, lost = armed
        try:
            if place.unchanged() and not lost(0, 1):
                return reading
        except (ValueError, OSError):
            pass  # another thread has just noticed that the connection is gone
        self._armed = None
        return None

    def connected(self, wire: Wire) -> None:
        """Find the log of the server this connection leads to."""
        self.disconnected()
        try:
            self._find(wire)
            self._wire, self.refused = wire, ""
        except Refused as refusal:
            self.refused = str(refusal)
        except OSError as error:
            self.refused = f"the server's log cannot be read here: {error.strerror}"
        except psycopg.Error as error:
            self.refused = f"the server does not tell of its log: {error.diag.message_primary}"

    def disconnected(self) -> None:
        """Trust nothing: the connection is gone, and with it the knowledge of a crash."""
        self._armed = self._trial = self._candidate = self._mapped = self._wire = None
        self.proven = False
        self.refused = self.refused or "not connected"
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()

    def observe(self, position: int, reading: Reading) -> None:
        """Told of each barrier in order: its position in the log and what it found."""
        if self.refused or self._socket is None or reading.snapshot is None:
            return
        candidate = self._candidate
        if candidate is None or candidate.position != position:
            self._armed = self._trial = None
            self._candidate, self._calm, self._asked = self._look(position), False, 0
        elif not self._calm:
            self._calm = self._is_calm()
        elif candidate.unchanged():
            if self.proven:
                self._armed = (candidate, reading, self._socket.poll)
            else:
                self._trial = candidate

    def _is_calm(self) -> bool:
        """Whether no transaction is between its commit record and being seen.

        Asked after the log had the candidate's end, and before the barrier that will be relied on.
        While a transaction stays open it is asked ever more seldom.
        """
        self._asked += 1
        if self._wire is None or (self._asked & (self._asked - 1) and self._asked % 64):
            return False
        return self._wire.ask(_WRITERS, ()) == [b"0"]

    def prove(self, barrier: Callable[[], object], commit: Callable[[], object]) -> bool:
        """See a commit in the file, or refuse the watch; False when the server was too busy to try.

        `barrier` asks one, `commit` returns after a commit was acknowledged.
        """
        for _ in range(ATTEMPTS):
            barrier()
            place = self._trial
            if place is None or not place.unchanged():
                continue
            commit()
            if place.unchanged():
                self.refused = "the log's file does not show what is committed"
            self.proven = not self.refused
            return True
        return False

    def _look(self, position: int) -> Place | None:
        offset = position % self._segment_bytes
        page = offset - offset % PAGE
        if offset + WATCHED_BYTES >= self._segment_bytes:
            return None  # the next record would begin in another file
        try:
            segment = self._map(position // self._segment_bytes)
        except OSError:
            return None
        if segment is None:
            return None
        header, end = slice(page, page + HEADER_BYTES), slice(offset, offset + WATCHED_BYTES)
        return Place(position, segment, header, segment[header], end, segment[end])

    def _map(self, number: int) -> mmap.mmap | None:
        if self._mapped is not None and self._mapped[0] == number:
            return self._mapped[1]
        per_file = 2**32 // self._segment_bytes
        name = f"{self._timeline}{number // per_file:08X}{number % per_file:08X}"
        descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            # Not written since the server started: on a layered file system it might be a lower
            # layer's file, which the server is going to copy.
            if status.st_size != self._segment_bytes or status.st_mtime < self._started:
                return None
            segment = mmap.mmap(descriptor, self._segment_bytes, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        self._mapped = (number, segment)
        return segment

    def _find(self, wire: Wire) -> None:
        if not hasattr(select, "epoll"):
            raise Refused("only Linux tells a closed connection cheaply enough")
        if not wire.prepares:
            raise Refused("behind a pooler the connection outlives the server's")
        row = wire.connection.execute(_SERVER).fetchone()
        assert row is not None
        name, self._segment_bytes, block, method, direct, self._started, told = row
        data = self._given or (Path(told) if told else None)
        if data is None:
            raise Refused("the server does not say where its data folder is")
        if block != PAGE:
            raise Refused(f"the server's log has blocks of {block} bytes")
        if str(method).startswith("open_") or "wal" in str(direct or ""):
            raise Refused("the server writes its log past the page cache")
        control = wire.connection.execute("select system_identifier from pg_control_system()")
        identifier = (control.fetchone() or (None,))[0]
        found = int.from_bytes((data / "global" / "pg_control").read_bytes()[:8], "little")
        if identifier is None or found != int(identifier) % 2**64:
            raise Refused("the data folder belongs to another server")
        self._folder, self._timeline = data / "pg_wal", str(name)[:8]
        self._socket = select.epoll()
        self._socket.register(wire.socket, select.EPOLLRDHUP)

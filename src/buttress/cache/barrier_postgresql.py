"""Barriers on PostgreSQL: the change log read against the snapshot of the barrier before."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec
import psycopg
from psycopg import sql

from buttress.cache.barrier import Barrier, Reading
from buttress.cache.snapshot import Snapshot
from buttress.cache.watch import EVERYTHING
from buttress.cache.wire import Wire
from buttress.db.database import Database
from buttress.errors import ButtressError, Unavailable

MOST_CHANGES = 10_000
"""An answer with more changes than this is taken for "everything changed"."""
MOST_REMEMBERED = 200_000
RETRY_SECONDS = 0.5
NEVER = 2**62

# The snapshot is taken before any of this is evaluated, the position in the log after it. What the
# earlier snapshot does not show is what was under way in it and what came later; asked for this
# way, a transaction left open for hours costs nothing.
_BARRIER = """
select pg_current_snapshot()::text, pg_current_wal_insert_lsn()::text,
    (select horizon::text from {schema}.buttress_cache_state),
    {sign},
    (select json_agg(json_build_array(xid::text::bigint, tag)) from (
        select xid, tag from {schema}.buttress_cache_change where xid >= $1::xid8
        union all
        select xid, tag from {schema}.buttress_cache_change where xid = any($2::xid8[])
        limit {most}) changes)
"""
_SIGN = """
    (select identity::text || extract(epoch from pg_postmaster_start_time())::text || '/' || d.oid
        from {schema}.buttress_cache_state, pg_database d where d.datname = current_database())
"""
_ABOUT = """, exists (
        select from {schema}.buttress_cache_change where xid >= $3::xid8 and tag = any($5::text[])
    ) or exists (
        select from {schema}.buttress_cache_change where xid = any($4::xid8[])
            and tag = any($5::text[]))
"""
_SERVER = """
select n.nspname,
    s.identity::text || extract(epoch from pg_postmaster_start_time())::text || '/' || d.oid,
    pg_is_in_recovery()
from buttress_cache_state s, pg_class c join pg_namespace n on n.oid = c.relnamespace,
    pg_database d
where c.oid = 'buttress_cache_state'::regclass and d.datname = current_database()
"""
_CONTROL = """
select system_identifier::text, timeline_id::text from pg_control_system(), pg_control_checkpoint()
"""


@dataclass(frozen=True)
class Server:
    """Who answers the barrier's connection."""

    schema: str
    epoch: str
    """Changes with the server, its timeline, its start and the database: nothing outlives it."""
    sign: bytes
    """By which each answer tells whether it comes from the same server and database."""


@dataclass
class Known:
    """Every change this process has seen, and since when; replaced as a whole."""

    epoch: str
    since: Snapshot
    """Changes it shows were before our time."""
    xids: dict[str, list[int]] = field(default_factory=dict)
    count: int = 0


class PostgreSQLBarrier(Barrier):
    """Barriers of one process on one PostgreSQL.

    `on_connect` is told of each new connection, `on_reading` of each answer and its position in the
    write-ahead log, `on_disconnect` when the connection is gone.
    """

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.server: Server | None = None
        self.on_connect: Callable[[Wire, Server], None] | None = None
        self.on_reading: Callable[[int, Reading], None] | None = None
        self.on_disconnect: Callable[[], None] | None = None
        self._connected: Wire | None = None
        self._plain = self._about = b""
        self._retry_at = 0.0
        self._snapshot: Snapshot | None = None
        self._known: Known | None = None

    def judge(self, epoch: str, seen: Snapshot, tags: Iterable[str]) -> bool | None:
        """Whether a value computed under the snapshot `seen` is right at the last barrier.

        None when this process has not watched for long enough to know: `ask_about` does.
        """
        known = self._known
        if known is None or known.epoch != epoch or not seen.covers(known.since):
            return None
        xids = known.xids
        return all(seen.shows(xid) for tag in (EVERYTHING, *tags) for xid in xids.get(tag, ()))

    def ask_about(self, epoch: str, seen: Snapshot, tags: Iterable[str]) -> tuple[Reading, bool]:
        """A barrier, and whether a value of that snapshot is right at it; raises Unavailable."""
        with self._wire:
            about = (
                b"%d" % seen.xmax,
                _array(seen.running),
                _text_array([EVERYTHING, *tags]),
            )
            reading, changed = self._answered(about)
            right = not changed and seen.xmin >= reading.horizon and reading.epoch == epoch
            return reading, right

    def disconnect(self) -> None:
        """Close the connection; the next barrier opens another and trusts nothing older."""
        wire, self._connected = self._connected, None
        if self.on_disconnect is not None:
            self.on_disconnect()
        if wire is not None:
            wire.close()

    def start_anew(self) -> None:
        """In a forked child: the socket is the parent's, and closing it politely would end it."""
        super().start_anew()
        self._connected = None
        self._snapshot = self._known = None
        if self.on_disconnect is not None:
            self.on_disconnect()

    def _ask(self) -> Reading:
        return self._answered(())[0]

    def _answered(self, about: tuple[bytes, ...]) -> tuple[Reading, bool]:
        fresh = self._connected is None
        wire = self._connected or self._connect()
        try:
            return self._ask_over(wire, about)
        except ButtressError:
            self.disconnect()
            if fresh:
                raise
        wire = self._connect()
        try:
            return self._ask_over(wire, about)
        except ButtressError:
            self.disconnect()
            raise

    def _ask_over(self, wire: Wire, about: tuple[bytes, ...]) -> tuple[Reading, bool]:
        before = self._snapshot
        since = (
            (b"%d" % NEVER, b"{}")
            if before is None
            else (b"%d" % before.xmax, _array(before.running))
        )
        answer = wire.ask(self._about if about else self._plain, (*since, *about))
        snapshot_text, position, horizon, sign, changes = answer[:5]
        if sign is not None and self.server is not None and sign != self.server.sign:
            # Behind a pooler this connection outlives the server it led to; others end with it.
            raise Unavailable("another server answers than before")
        if snapshot_text is None or position is None or horizon is None:
            raise Unavailable("the change log is empty", hint="Run `buttress migrate upgrade`.")
        snapshot = Snapshot.parse(snapshot_text.decode())
        epoch = self.server.epoch if self.server is not None else ""
        reading = Reading(self.number + 1, snapshot, int(horizon), epoch)
        self._note_changes(reading, changes, before)
        self._snapshot = snapshot
        self.number = reading.number
        if self.on_reading is not None:
            self.on_reading(_position(position), reading)
        return reading, bool(about) and answer[5] != b"f"

    def _note_changes(
        self, reading: Reading, changes: bytes | None, before: Snapshot | None
    ) -> None:
        known = self._known
        if before is None or known is None or before.xmin < reading.horizon:
            self._forget_changes(reading)
            return
        if changes is None:
            return
        found = msgspec.json.decode(changes, type=list[tuple[int, str]])
        known.count += len(found)
        if len(found) >= MOST_CHANGES or known.count > MOST_REMEMBERED:
            self._forget_changes(reading)
            return
        for xid, tag in found:
            known.xids.setdefault(tag, []).append(xid)
        self.note({tag for _, tag in found}, reading.number)

    def _forget_changes(self, reading: Reading) -> None:
        """Start over: changes may have passed unseen, or there are too many to remember."""
        assert reading.snapshot is not None
        self._known = Known(reading.epoch, reading.snapshot)
        self.note((EVERYTHING,), reading.number)

    def _connect(self) -> Wire:
        if time.monotonic() < self._retry_at:
            raise Unavailable("the database did not answer a moment ago")
        try:
            wire = Wire(self.database)
        except psycopg.Error as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            raise Unavailable("the database does not answer the cache") from error
        try:
            self.server = _server(wire)
        except (psycopg.Error, ButtressError) as error:
            wire.close()
            self._retry_at = time.monotonic() + RETRY_SECONDS
            if isinstance(error, ButtressError):
                raise
            raise Unavailable(
                "the cache cannot read the change log", hint="Run `buttress migrate upgrade`."
            ) from error
        schema = sql.Identifier(self.server.schema).as_string()
        sign = "null::text" if wire.prepares else _SIGN.format(schema=schema).strip()
        self._plain = _BARRIER.format(schema=schema, most=MOST_CHANGES, sign=sign).encode()
        self._about = self._plain.rstrip() + _ABOUT.format(schema=schema).encode()
        # What this connection shows need not follow what the one before showed.
        self._snapshot = None
        self._connected = wire
        if self.on_connect is not None:
            self.on_connect(wire, self.server)
        return wire


def _server(wire: Wire) -> Server:
    connection = wire.connection
    if wire.prepares:
        # Statistics of the log are always behind, and its plan is always the same.
        connection.execute("set enable_seqscan = off; set plan_cache_mode = force_generic_plan")
    found = connection.execute(_SERVER).fetchone()
    if found is None:
        raise Unavailable("the change log has no state", hint="Run `buttress migrate upgrade`.")
    schema, sign, standby = found
    if standby:
        raise Unavailable("the cache was connected to a standby, not to the primary")
    try:
        control = connection.execute(_CONTROL).fetchone() or ()
    except psycopg.errors.InsufficientPrivilege:
        control = ()  # the start time and the log's own identity tell servers apart as well
    told = "|".join(map(str, (sign, *control)))
    return Server(schema, blake2b(told.encode(), digest_size=8).hexdigest(), sign.encode())


def _position(text: bytes) -> int:
    high, _, low = text.partition(b"/")
    return int(high, 16) << 32 | int(low, 16)


def _array(numbers: Collection[int]) -> bytes:
    return b"{%s}" % ",".join(map(str, numbers)).encode()


def _text_array(values: Collection[str]) -> bytes:
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return f"{{{','.join(quoted)}}}".encode()

"""Roll-ups in the database: what every process did, for other processes and for later.

Each process writes its own row for every five minutes, again and again while they last, so that
nothing is added twice. After two days five minutes become hours; after five weeks they are gone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, LargeBinary, Row, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from buttress.db.base import Base
from buttress.db.database import Database
from buttress.db.monitor.slot import VERSION, Pool, Slot, merged, pack, unpack

STEP_SECONDS = 300
HOUR_SECONDS = 3600
FINE_DAYS = 2
KEPT_DAYS = 35
KEPT_SERIES = 300
KEPT_SLOW = 50
KEPT_REPEATED = 50
LIVE_SECONDS = 60
"""A process that has not written for so long is not counted as running."""
COMPACTED = "all"
"""Stands in the place of a process in a row that holds the sum of several."""


class QueryRollup(Base):
    """What one process did in a stretch of time, packed."""

    __tablename__ = "buttress_query_rollup"

    start: Mapped[datetime] = mapped_column(primary_key=True)
    seconds: Mapped[int] = mapped_column(primary_key=True)
    process: Mapped[str] = mapped_column(primary_key=True)
    written_at: Mapped[datetime]
    version: Mapped[int]
    payload: Mapped[bytes] = mapped_column(LargeBinary)


@dataclass(frozen=True)
class Recorded:
    """What the roll-ups say of a stretch of time."""

    slot: Slot
    processes: tuple[str, ...]
    """Those that wrote within the last minute."""
    pool: Pool
    """The connections of those."""
    age_seconds: float | None
    """Since the newest was written; None when there is none."""
    steps: list[Slot]
    """The same in steps, as they were written, the oldest first."""


def write(connection: Connection, process: str, slot: Slot) -> None:
    """Write, or write again, what this process did in the five minutes of this slot."""
    start = datetime.fromtimestamp(slot.start, UTC)
    slot.shorten(series=KEPT_SERIES, slow=KEPT_SLOW, repeated=KEPT_REPEATED)
    values = {"written_at": datetime.now(UTC), "version": VERSION, "payload": pack(slot)}
    key = {"start": start, "seconds": STEP_SECONDS, "process": process}
    known = update(QueryRollup).filter_by(**key).values(**values)
    # Nobody else writes the rows of this process, so the two statements need no lock.
    if connection.execute(known).rowcount == 0:
        connection.execute(insert(QueryRollup).values(**key, **values))


def read(database: Database, since: float, until: float) -> Recorded:
    """What all processes did between two moments in seconds of Unix time.

    The five minutes in which it begins count as a whole; what is older than two days is known by
    the hour. Empty where `buttress migrate` has not run yet.
    """
    chosen = select(QueryRollup).where(
        QueryRollup.start >= datetime.fromtimestamp(since - STEP_SECONDS + 1, UTC),
        QueryRollup.start < datetime.fromtimestamp(until, UTC),
        QueryRollup.version == VERSION,
    )
    try:
        with database.session(read_only=True) as session:
            rows = list(session.scalars(chosen))
    except SQLAlchemyError:  # no such table
        rows = []
    now = datetime.now(UTC)
    newest: dict[str, QueryRollup] = {}
    for row in rows:
        if row.process not in newest or newest[row.process].start < row.start:
            newest[row.process] = row
    live = [
        row for row in newest.values() if now - row.written_at < timedelta(seconds=LIVE_SECONDS)
    ]
    slots = unpacked(row.payload for row in rows)
    return Recorded(
        slot=merged(slots, start=since, seconds=until - since),
        processes=tuple(sorted(row.process for row in live)),
        pool=_sum(pool for slot in unpacked(row.payload for row in live) for pool in slot.pools),
        age_seconds=min(((now - row.written_at).total_seconds() for row in rows), default=None),
        steps=slots,
    )


def compact(connection: Connection) -> None:
    """Make hours of the five minutes that are two days old, and drop what is five weeks old."""
    now = datetime.now(UTC)
    before = (now - timedelta(days=FINE_DAYS)).replace(minute=0, second=0, microsecond=0)
    old = select(QueryRollup).where(QueryRollup.seconds == STEP_SECONDS, QueryRollup.start < before)
    hours: dict[datetime, list[Row[Any]]] = {}
    for row in connection.execute(old.limit(2_000)):
        hour = row.start.replace(minute=0, second=0, microsecond=0)
        hours.setdefault(hour, []).append(row)
    for hour, rows in hours.items():
        _make_an_hour(connection, hour, rows)
    connection.execute(
        delete(QueryRollup).where(QueryRollup.start < now - timedelta(days=KEPT_DAYS))
    )


def _make_an_hour(connection: Connection, hour: datetime, rows: list[Row[Any]]) -> None:
    key = {"start": hour, "seconds": HOUR_SECONDS, "process": COMPACTED}
    known = connection.execute(select(QueryRollup).filter_by(**key)).all()
    whole = merged(
        unpacked(row.payload for row in [*known, *rows]),
        start=hour.timestamp(),
        seconds=HOUR_SECONDS,
    )
    whole.pools = []
    whole.shorten(series=KEPT_SERIES, slow=KEPT_SLOW, repeated=KEPT_REPEATED)
    connection.execute(delete(QueryRollup).filter_by(**key))
    for row in rows:
        connection.execute(
            delete(QueryRollup).filter_by(start=row.start, seconds=row.seconds, process=row.process)
        )
    values = {"written_at": datetime.now(UTC), "version": VERSION, "payload": pack(whole)}
    connection.execute(insert(QueryRollup).values(**key, **values))


def unpacked(payloads: Iterable[bytes]) -> list[Slot]:
    """The slots that were packed; one that is damaged is left out."""
    slots = []
    for payload in payloads:
        try:
            slots.append(unpack(payload))
        except (zlib.error, msgspec.DecodeError):
            continue
    return slots


def _sum(pools: Iterable[Pool]) -> Pool:
    whole = Pool(0, 0, 0, 0)
    for pool in pools:
        whole = Pool(
            whole.checked_out + pool.checked_out,
            whole.idle + pool.idle,
            whole.waiting + pool.waiting,
            whole.limit + pool.limit,
        )
    return whole

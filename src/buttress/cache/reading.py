"""Reading through the cache: one call of a cached function, from question to answer.

Written as a generator of `steps`, so that threads and event loops run the same lines.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, cast

import msgspec

from buttress.cache.barrier import Reading
from buttress.cache.barrier_postgresql import PostgreSQLBarrier
from buttress.cache.bound import Bound, Scoped
from buttress.cache.coverage import computing, watched
from buttress.cache.memory import OVERHEAD_BYTES, Entry
from buttress.cache.sessions import (
    PENDING,
    Use,
    connections,
    must_be_asked,
    objection,
    verdict,
)
from buttress.cache.shared import FORMAT, Kept
from buttress.cache.snapshot import Snapshot
from buttress.cache.steps import Ask, AskTransaction, Blocking, Compute, Sleep, Wait
from buttress.cache.steps import Reading as Steps
from buttress.db.transactions import Transaction, open_transactions
from buttress.errors import Unavailable

log = logging.getLogger(__name__)

ROUNDS = 4
"""How often a reader looks again after somebody else computed, before it computes itself."""
WAIT_SECONDS = 30.0
"""How long it waits for somebody else: two functions may wait for each other."""
AMBIENT = "it was read in a transaction that goes on"
NO_ANSWER = "the database does not answer the cache"


_flying: ContextVar[tuple[Hashable, ...]] = ContextVar("cached_calls_computed_here", default=())


@dataclass(slots=True)
class Call:
    """One call of a cached function."""

    bound: Bound
    key: Hashable
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    strictly: bool = False
    """Whatever the function's declaration allows, as its refreshing asks for."""

    @property
    def scoped(self) -> bool:
        """Whether the key has who acts."""
        return isinstance(self.key, Scoped)

    @property
    def transactions(self) -> list[Transaction]:
        """The transactions the call could read from."""
        session = self.bound.declaration.session_of(self.arguments, self.keywords)
        return [session] if session is not None else list(open_transactions())

    @property
    def compute(self) -> Compute:
        """Running the function itself."""
        return Compute(self.bound.declaration.function, self.arguments, self.keywords)

    @property
    def tags(self) -> tuple[str, ...]:
        """What must not have changed."""
        return self.bound.declaration.tags_of(self.arguments, self.keywords)


def read(call: Call) -> Steps:
    """Answer a call, from the cache where the law allows it."""
    bound = call.bound
    unusable = bound.cache.unusable(bound.declaration)
    if bound.by_scope and not call.scoped:  # known since the cache has looked at the tables
        call = replace(call, key=bound.key(call.arguments, call.keywords))
    why = unusable or (yield from _judge(call, "read"))
    if why:
        bound.counters.bypass(why)
        return (yield call.compute)
    if not (bound.strict or call.strictly or computing.get()):
        entry = _lenient(call)
        if entry is not None:
            return bound.take(entry)
    for remaining in reversed(range(ROUNDS)):
        try:
            reading = bound.armed() or (yield Ask(bound.barrier))
        except Unavailable:
            bound.counters.bypass(NO_ANSWER)
            return (yield call.compute)
        entry = yield from _kept(call, reading)
        if entry is not None:
            return bound.take(entry)
        if call.key in _flying.get():  # the function calls itself with the same arguments
            return (yield call.compute)
        flight, ours = bound.cache.flights.join(call.key)
        if ours:
            token = _flying.set((*_flying.get(), call.key))
            try:
                return (yield from _compute(call, reading))
            finally:
                _flying.reset(token)
                bound.cache.flights.land(call.key, flight)
        if remaining:
            yield Wait(flight, WAIT_SECONDS)
    return (yield from _fill(call, reading))


def _judge(call: Call, use: Use) -> Steps:
    """What the caller's transaction has against it, None when nothing."""
    transactions = call.transactions
    why = objection(transactions, use)
    if why or not transactions:
        return why
    if call.bound.cache.backend == "sqlite":
        return "its transaction has begun" if connections(transactions) else None
    for transaction in transactions:
        for connection in connections([transaction]):
            if must_be_asked(connection, use):
                why = verdict((yield AskTransaction(transaction, connection)))
                if why:
                    return why
    return None


def _lenient(call: Call) -> Entry | None:
    """An entry the function's declaration allows without asking, None when it must be asked."""
    bound = call.bound
    entry = bound.entries.get(call.key)
    if entry is None:
        return None
    age = time.monotonic() - entry.validated
    if age < bound.max_staleness:
        return entry
    if age < bound.serve_stale:
        bound.cache.refresh(call)
        return entry
    return None


def _kept(call: Call, reading: Reading) -> Steps:
    """The entry of a call that is right at this barrier, from memory or from Valkey."""
    bound = call.bound
    entry = bound.entries.get(call.key)
    if entry is not None:
        if bound.usable(entry, reading):
            return entry
        if not bound.serve_stale:
            bound.memory.drop(call.key, entry)
    if reading.snapshot is None or not bound.shared.usable:
        return None
    kept = yield Blocking(bound.shared.get, bound.declaration.shared_name(call.key))
    if kept is None:
        return None
    return (yield from _adopt(call, kept, reading))


def _adopt(call: Call, kept: Kept, reading: Reading) -> Steps:
    """An entry another process computed, if nothing has changed since."""
    bound = call.bound
    barrier = cast("PostgreSQLBarrier", bound.barrier)
    tags = call.tags
    if kept.epoch != reading.epoch or not set(tags) <= set(kept.tags):
        return None
    try:
        seen = Snapshot.parse(kept.snapshot)
        value = bound.declaration.codec.decode(kept.value)
    except (ValueError, msgspec.MsgspecError):
        bound.shared.garbage += 1
        return None
    right = barrier.judge(kept.epoch, seen, tags)
    if right is None:
        try:
            reading, right = yield Blocking(barrier.ask_about, kept.epoch, seen, tags)
        except Unavailable:
            return None
    if not right:
        return None
    bound.counters.shared_hits.add()
    left = min(kept.expires - time.time(), bound.ttl_seconds)
    return _remember(call, kept.value, value, reading, tags, left)


def _compute(call: Call, reading: Reading) -> Steps:
    """Compute while other processes wait; or wait for the one that computes, a bounded time."""
    bound = call.bound
    if reading.snapshot is None or not bound.shared.usable:
        return (yield from _fill(call, reading))
    name = bound.declaration.shared_name(call.key)
    pause, give_up = 0.002, time.monotonic() + WAIT_SECONDS
    while (token := (yield Blocking(bound.shared.lock, name))) is None:
        if time.monotonic() >= give_up:
            token = ""
            break
        yield Sleep(pause)
        pause = min(pause * 2, 0.05)
        reading = yield from _again(call, reading)
        entry = yield from _kept(call, reading)
        if entry is not None:
            return bound.take(entry)
    try:
        # It may have been computed between our look and our lock.
        kept = yield Blocking(bound.shared.get, name) if token else Sleep(0)
        entry = (yield from _adopt(call, kept, reading)) if kept is not None else None
        if entry is not None:
            return bound.take(entry)
        return (yield from _fill(call, reading))
    finally:
        if token:
            yield Blocking(bound.shared.unlock, name, token)


def _again(call: Call, reading: Reading) -> Steps:
    try:
        return call.bound.armed() or (yield Ask(call.bound.barrier))
    except Unavailable:
        return reading  # older, and so the more careful one


def _fill(call: Call, reading: Reading) -> Steps:
    """Compute the value and keep it, stamped with a barrier that had ended before."""
    bound = call.bound
    bound.counters.misses.add()
    why = yield from _judge(call, "fill")
    if why:
        bound.counters.reject(why)
        return (yield call.compute)
    tags = call.tags
    reads = bound.cache.reads(bound.declaration, tags)
    with watched(reads):
        value = yield call.compute
    why = bound.cache.objection(call, reads)
    if not why and reads.ambient(connections(call.transactions)):
        why = AMBIENT
    if not why and objection(call.transactions, "read") == PENDING:
        why = PENDING
    if why:
        bound.counters.reject(why)
        return value
    encoded, back = bound.declaration.codec.kept(value)
    entry = _remember(call, encoded, back, reading, tags, bound.ttl_seconds)
    bound.counters.fills.add()
    if reading.snapshot is not None and bound.shared.usable:
        yield Blocking(
            bound.shared.put,
            bound.declaration.shared_name(call.key),
            _letter(entry, encoded, reading),
        )
    return entry.copy(entry.value)


def _remember(
    call: Call, encoded: bytes, value: Any, reading: Reading, tags: tuple[str, ...], seconds: float
) -> Entry:
    """An entry in memory; too large a one is only handed out."""
    bound = call.bound
    now = time.monotonic()
    copy = bound.declaration.codec.copy
    entry = Entry(
        value if copy is not None else encoded,
        stamp=reading.number,
        tags=tags,
        namespace=bound.declaration.namespace,
        created=now,
        expires=now + seconds,
        # A value in memory takes some four times its encoded form.
        size=OVERHEAD_BYTES + len(encoded) * (4 if copy is not None else 1),
        copy=copy if copy is not None else bound.declaration.codec.decode,
    )
    bound.memory.put(call.key, entry)
    return entry


def _letter(entry: Entry, encoded: bytes, reading: Reading) -> Kept:
    """The entry as it is laid into Valkey."""
    now = time.time()
    return Kept(
        FORMAT,
        reading.epoch,
        str(reading.snapshot),
        list(entry.tags),
        now,
        now + entry.expires - time.monotonic(),
        encoded,
    )

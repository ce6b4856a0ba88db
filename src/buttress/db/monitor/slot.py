"""What happened in a stretch of time, and how two stretches or two processes add up."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from buttress.db.monitor import histogram
from buttress.db.monitor.statement import Statement

VERSION = 1
"""Of the packed form; what another version wrote is left unread."""

Key = tuple[str, str, str]


class Series(msgspec.Struct, frozen=True):
    """What is counted apart: a statement, or work with a name, of one line of code in one place."""

    statement: Statement
    caller: str
    """`shop/orders.py:41 in open_orders`; empty when no line of an app took part."""
    place: str
    """`route GET /api/tickets/open`, `page tickets`, `job import`; empty outside of any."""

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.statement.fingerprint, self.caller, self.place


class Tally(msgspec.Struct, eq=False):
    """How often, how long, how many rows, which errors."""

    buckets: dict[int, int] = msgspec.field(default_factory=lambda: defaultdict(int))
    nanoseconds: int = 0
    rows: int = 0
    errors: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def count(self) -> int:
        """Executions, failed ones included."""
        return sum(self.buckets.values())

    def fail(self, error: str) -> None:
        """Count an error by the name of its type."""
        self.errors[error] = self.errors.get(error, 0) + 1

    def add(self, other: Tally) -> None:
        """Count what the other counted as well."""
        histogram.add(self.buckets, other.buckets)
        self.nanoseconds += other.nanoseconds
        self.rows += other.rows
        for name, count in other.errors.items():
            self.errors[name] = self.errors.get(name, 0) + count


class Slow(msgspec.Struct, frozen=True):
    """One statement that took longer than the threshold."""

    series: Series
    at: float
    """When it ended, in seconds of Unix time."""
    nanoseconds: int
    parameters: str
    """Types and sizes, never values."""
    error: str = ""


class Repeated(msgspec.Struct):
    """A statement that one line sent again and again within one request or session: N+1."""

    series: Series
    most: int
    """The most in one request or session."""
    times: int
    """Requests and sessions in which it happened."""
    at: float

    def add(self, other: Repeated) -> None:
        """Count what the other counted as well."""
        self.most = max(self.most, other.most)
        self.times += other.times
        self.at = max(self.at, other.at)


class Pool(msgspec.Struct, frozen=True):
    """Connections of one process when it last told."""

    checked_out: int
    idle: int
    waiting: int
    limit: int


class Slot(msgspec.Struct):
    """All that happened from `start`, in seconds of Unix time, for `seconds`."""

    start: float
    seconds: float
    tallies: dict[Key, tuple[Series, Tally]] = msgspec.field(default_factory=dict)
    slow: list[Slow] = msgspec.field(default_factory=list)
    slow_count: int = 0
    repeated: dict[Key, Repeated] = msgspec.field(default_factory=dict)
    pools: list[Pool] = msgspec.field(default_factory=list)
    repeated_times: int = 0
    """Kept where the list is not."""

    def add(self, other: Slot) -> None:
        """Take in what happened there; the stretch of time stays as it is."""
        for key, (series, tally) in other.tallies.items():
            self.tally(key, series).add(tally)
        self.slow += other.slow
        self.slow_count += other.slow_count
        for key, found in other.repeated.items():
            if key in self.repeated:
                self.repeated[key].add(found)
            else:
                self.repeated[key] = msgspec.structs.replace(found)
        self.pools += other.pools
        self.repeated_times += other.repeated_times

    def tally(self, key: Key, series: Series) -> Tally:
        """The tally of a series, a new one when it is the first."""
        entry = self.tallies.get(key)
        if entry is None:
            entry = self.tallies[key] = (series, Tally())
        return entry[1]

    def shorten(self, *, series: int, slow: int, repeated: int) -> None:
        """Keep what took most time, the slowest and the most repeated; the rest becomes `other`."""
        by_time = sorted(self.tallies, key=lambda key: -self.tallies[key][1].nanoseconds)
        for key in by_time[series:]:
            kept, tally = self.tallies.pop(key)
            rest = other(kept.statement)
            self.tally(rest.key, rest).add(tally)
        self.slow = sorted(self.slow, key=lambda one: -one.nanoseconds)[:slow]
        most = sorted(self.repeated.items(), key=lambda item: -item[1].most)[:repeated]
        self.repeated = dict(most)


def other(statement: Statement) -> Series:
    """The series of all that is too many to be counted apart, one for each kind."""
    if statement.fingerprint.startswith("other:"):
        return Series(statement, "", "")
    text = f"other {statement.kind} statements"
    if statement.kind == "work":
        text = "other work"
    return Series(Statement(f"other:{statement.kind}", text, statement.kind), "", "")


def merged(slots: Iterable[Slot], *, start: float, seconds: float) -> Slot:
    """All of them as one."""
    whole = Slot(start, seconds)
    for slot in slots:
        whole.add(slot)
    return whole


def by_kind(slot: Slot) -> Slot:
    """The same, with statements of one kind in one place as one, and no lists."""
    whole = Slot(slot.start, slot.seconds, slow_count=slot.slow_count)
    for series, tally in slot.tallies.values():
        statement, place = series.statement, series.place
        if statement.kind == "work":
            kind = Series(statement, "", "")
        else:
            kind = Series(Statement(statement.kind, statement.kind, statement.kind), "", place)
        whole.tally(kind.key, kind).add(tally)
    whole.repeated_times = sum(found.times for found in slot.repeated.values())
    return whole


class _Packed(msgspec.Struct, array_like=True):
    statements: list[Statement]
    series: list[tuple[int, str, str]]
    tallies: list[tuple[dict[int, int], int, int, dict[str, int]]]
    slow: list[tuple[int, float, int, str, str]]
    slow_count: int
    repeated: list[tuple[int, int, int, float]]
    pools: list[Pool]
    start: float
    seconds: float


_decode = msgspec.msgpack.Decoder(_Packed).decode


def pack(slot: Slot) -> bytes:
    """A slot as bytes, every text once."""
    statements: dict[str, tuple[int, Statement]] = {}
    series: dict[Key, tuple[int, tuple[int, str, str]]] = {}

    def number(one: Series) -> int:
        found = statements.setdefault(one.statement.fingerprint, (len(statements), one.statement))
        return series.setdefault(one.key, (len(series), (found[0], one.caller, one.place)))[0]

    tallies = []
    for one, tally in slot.tallies.values():
        number(one)
        tallies.append((dict(tally.buckets), tally.nanoseconds, tally.rows, tally.errors))
    slow = [(number(s.series), s.at, s.nanoseconds, s.parameters, s.error) for s in slot.slow]
    repeated = [(number(r.series), r.most, r.times, r.at) for r in slot.repeated.values()]
    packed = _Packed(
        [statement for _, statement in statements.values()],
        [entry for _, entry in series.values()],
        tallies,
        slow,
        slot.slow_count,
        repeated,
        slot.pools,
        slot.start,
        slot.seconds,
    )
    return zlib.compress(msgspec.msgpack.encode(packed), 1)


def unpack(payload: bytes) -> Slot:
    """A slot from its bytes; raises `ValueError` or `zlib.error` when they are damaged."""
    packed = _decode(zlib.decompress(payload))
    series = [
        Series(packed.statements[statement], caller, place)
        for statement, caller, place in packed.series
    ]
    tallies = [Tally(*fields) for fields in packed.tallies]
    repeated = [Repeated(series[n], most, times, at) for n, most, times, at in packed.repeated]
    return Slot(
        packed.start,
        packed.seconds,
        {one.key: (one, tally) for one, tally in zip(series, tallies, strict=False)},
        [Slow(series[n], at, took, shown, error) for n, at, took, shown, error in packed.slow],
        packed.slow_count,
        {one.series.key: one for one in repeated},
        packed.pools,
    )

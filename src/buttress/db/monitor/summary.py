"""What a stretch of time comes to: lines by statement, kind, caller or place, and warnings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from buttress.db.monitor import histogram
from buttress.db.monitor.slot import Pool, Series, Slot, Tally, merged

POOL_USAGE = 0.80
SLOW_PER_MINUTE = 10.0
ERROR_SHARE = 0.01


@dataclass(frozen=True)
class Line:
    """One name and its figures; times in milliseconds."""

    name: str
    kind: str
    count: int
    errors: int
    rows: int
    total: float
    p50: float
    p95: float
    p99: float
    callers: tuple[str, ...]
    """The lines of code that spent most time on it, the first most."""
    places: tuple[str, ...]

    @property
    def average(self) -> float:
        """Of one execution."""
        return self.total / max(self.count, 1)

    @property
    def success(self) -> float:
        """Share that did not fail, from 0 to 1."""
        return 1 - self.errors / max(self.count, 1)


@dataclass(frozen=True)
class Compared:
    """One statement now and in the same stretch of time before; None when it was not sent."""

    name: str
    now: Line | None
    before: Line | None

    @property
    def more(self) -> float:
        """Milliseconds spent on it beyond what was spent then."""
        return (self.now.total if self.now else 0.0) - (self.before.total if self.before else 0.0)


def statements(slot: Slot) -> list[Line]:
    """By statement, what took most time first; timed work is not among them."""
    return lines(slot, lambda series: series.statement.text, work=False)


def kinds(slot: Slot) -> list[Line]:
    """By kind: select, insert, update, delete, ddl, other."""
    return lines(slot, lambda series: series.statement.kind, work=False)


def callers(slot: Slot) -> list[Line]:
    """By the line of code that asked."""
    return lines(slot, lambda series: series.caller or "unknown", work=False)


def places(slot: Slot) -> list[Line]:
    """By route, page and job."""
    return lines(slot, lambda series: series.place or "elsewhere", work=False)


def work(slot: Slot) -> list[Line]:
    """By the names given to `track` and `timed`."""
    return lines(slot, lambda series: series.statement.text, work=True)


def whole(slot: Slot) -> Line:
    """All statements as one line."""
    found = lines(slot, lambda _: "all", work=False)
    return found[0] if found else line("all", [])


@dataclass(frozen=True)
class Step:
    """The statements of one stretch of time, for a picture."""

    start: float
    """Seconds of Unix time."""
    count: int
    p50: float
    """Milliseconds."""
    p95: float


def course(slots: Sequence[Slot], *, most: int = 60) -> list[Step]:
    """What happened when: at most so many steps of equal length, without those that are empty."""
    if not slots:
        return []
    first = min(slot.start for slot in slots)
    length = max(max(slot.start + slot.seconds for slot in slots) - first, 1.0)
    seconds = max(length / most, *(slot.seconds for slot in slots))
    groups: dict[int, list[Slot]] = {}
    for slot in slots:
        groups.setdefault(int((slot.start - first) / seconds), []).append(slot)
    found = []
    for number, group in sorted(groups.items()):
        start = first + number * seconds
        every = whole(merged(group, start=start, seconds=seconds))
        if every.count:
            found.append(Step(start, every.count, every.p50, every.p95))
    return found


def lines(slot: Slot, name: Callable[[Series], str], *, work: bool) -> list[Line]:
    """The tallies of one name added up, what took most time first."""
    groups: dict[str, list[tuple[Series, Tally]]] = {}
    for series, tally in slot.tallies.values():
        if (series.statement.kind == "work") == work:
            groups.setdefault(name(series), []).append((series, tally))
    made = [line(label, group) for label, group in groups.items()]
    return sorted(made, key=lambda one: -one.total)


def line(name: str, group: Iterable[tuple[Series, Tally]]) -> Line:
    """One line from the tallies that bear its name."""
    by_time = sorted(group, key=lambda entry: -entry[1].nanoseconds)
    sum_of = Tally()
    for _, tally in by_time:
        sum_of.add(tally)
    p50, p95, p99 = histogram.quantiles(sum_of.buckets, (0.50, 0.95, 0.99))
    return Line(
        name=name,
        kind=by_time[0][0].statement.kind if by_time else "other",
        count=sum_of.count,
        errors=sum(sum_of.errors.values()),
        rows=sum_of.rows,
        total=sum_of.nanoseconds / 1e6,
        p50=p50 / 1e6,
        p95=p95 / 1e6,
        p99=p99 / 1e6,
        callers=distinct(series.caller for series, _ in by_time),
        places=distinct(series.place for series, _ in by_time),
    )


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """The names that are not empty, each once, in their order; five at most."""
    return tuple(dict.fromkeys(filter(None, names)))[:5]


def errors(slot: Slot) -> dict[str, int]:
    """How often each type of error ended a statement, the most frequent first."""
    found: dict[str, int] = {}
    for series, tally in slot.tallies.values():
        if series.statement.kind != "work":
            for name, count in tally.errors.items():
                found[name] = found.get(name, 0) + count
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def compare(now: Slot, before: Slot) -> list[Compared]:
    """Each statement beside itself in another stretch of time, what grew most first."""
    today = {one.name: one for one in statements(now)}
    then = {one.name: one for one in statements(before)}
    pairs = [Compared(name, today.get(name), then.get(name)) for name in {**today, **then}]
    return sorted(pairs, key=lambda pair: -pair.more)


def warnings(slot: Slot, pool: Pool) -> list[str]:
    """What an operator should look at; empty when all is as it should be."""
    found = []
    all_of_them = whole(slot)
    if pool.limit and pool.checked_out / pool.limit > POOL_USAGE:
        found.append(f"{pool.checked_out} of {pool.limit} connections are in use")
    per_minute = slot.slow_count / max(slot.seconds / 60, 1)
    if per_minute > SLOW_PER_MINUTE:
        found.append(f"{per_minute:.0f} slow statements a minute")
    if all_of_them.count and all_of_them.errors / all_of_them.count > ERROR_SHARE:
        found.append(f"{all_of_them.errors / all_of_them.count:.1%} of the statements failed")
    return found

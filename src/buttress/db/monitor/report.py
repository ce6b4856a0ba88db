"""The report operators read: status, pool, statements, warnings, N+1, recent slow statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from buttress.db.monitor import summary
from buttress.db.monitor.facts import Facts
from buttress.db.monitor.server import Server
from buttress.db.monitor.slot import Slot
from buttress.db.monitor.summary import Line

TOP = 10
MOST = 100
WIDTH = 100


def report(facts: Facts) -> str:
    """The whole report as plain text."""
    return "\n".join(_parts(facts)) + "\n"


def as_document(facts: Facts) -> dict[str, Any]:
    """The same figures for programs; times in milliseconds."""
    slot = facts.slot
    return {
        "seconds": slot.seconds,
        "source": facts.source,
        "warnings": summary.warnings(slot, facts.pool),
        "pool": msgspec.to_builtins(facts.pool),
        "all": asdict(summary.whole(slot)),
        "errors": summary.errors(slot),
        "slow_count": slot.slow_count,
        "kinds": [asdict(line) for line in summary.kinds(slot)],
        "statements": [asdict(line) for line in summary.statements(slot)[:MOST]],
        "callers": [asdict(line) for line in summary.callers(slot)[:MOST]],
        "places": [asdict(line) for line in summary.places(slot)[:MOST]],
        "work": [asdict(line) for line in summary.work(slot)[:MOST]],
        "repeated": [msgspec.to_builtins(found) for found in slot.repeated.values()],
        "slow": [msgspec.to_builtins(slow) for slow in slot.slow],
        "before": asdict(summary.whole(facts.before)) if facts.before else None,
        "server": asdict(facts.server) if facts.server else None,
    }


def _parts(facts: Facts) -> Iterator[str]:
    slot, pool = facts.slot, facts.pool
    warnings = summary.warnings(slot, pool)
    yield f"Queries of the last {duration(slot.seconds)}, {facts.source}"
    yield f"Status: {'warning' if warnings else 'healthy'}"
    yield from section("Connection pool", _pool(facts))
    yield from section("Query statistics", _figures(slot))
    yield from section("Top statements by total time", _statements(facts))
    yield from section("Timed work", table(summary.work(slot)[:TOP]))
    yield from section("Compared with a day before", _compared(facts))
    yield from section("Warnings", warnings or ["none"])
    yield from section("Repeated within one request or session (N+1)", _repeated(facts))
    yield from section("Recent slow statements", _slow(facts))
    yield from section("Running on the server for more than a second", _running(facts.server))


def section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """A heading and its lines; nothing when there are none."""
    body = list(lines)
    if body:
        yield from ("", title, *(f"  {line}" for line in body))


def _pool(facts: Facts) -> Iterator[str]:
    pool = facts.pool
    yield (
        f"in use {pool.checked_out} of {pool.limit}, idle {pool.idle}, "
        f"callers waiting {pool.waiting}"
    )
    if facts.server:
        states = ", ".join(f"{state} {n}" for state, n in facts.server.connections.items())
        yield f"server: {states or 'no other sessions'}; at most {facts.server.limit}"


def _figures(slot: Slot) -> Iterator[str]:
    every = summary.whole(slot)
    yield f"statements {every.count:,}, success rate {every.success:.2%}, slow {slot.slow_count:,}"
    yield (
        f"average {milliseconds(every.average)}, p50 {milliseconds(every.p50)}, "
        f"p95 {milliseconds(every.p95)}, p99 {milliseconds(every.p99)}"
    )
    errors = summary.errors(slot)
    if errors:
        yield "errors: " + ", ".join(f"{name} {count:,}" for name, count in errors.items())
    yield from table(summary.kinds(slot))


def table(lines: Sequence[Line]) -> Iterator[str]:
    """Figures in columns under their names."""
    if lines:
        titles = " ".join(f"{title:>9}" for title in ("total", "avg", "p50", "p95", "p99"))
        yield f"{'count':>10} {'errors':>7} {titles}"
    for line in lines:
        times = (line.total, line.average, line.p50, line.p95, line.p99)
        figures = " ".join(f"{milliseconds(time):>9}" for time in times)
        yield f"{line.count:>10,} {line.errors:>7,} {figures}  {shortened(line.name)}"


def _statements(facts: Facts) -> Iterator[str]:
    measured = (facts.server and facts.server.measured) or {}
    prints = {
        series.statement.text: series.statement.fingerprint
        for series, _ in facts.slot.tallies.values()
    }
    for line in summary.statements(facts.slot)[:TOP]:
        yield from list(table([line]))[1:]
        at = [*line.callers[:2], *line.places[:1]]
        if at:
            yield f"{'':>10} {'; '.join(at)}"
        known = measured.get(prints[line.name])
        if known and known.calls:
            mean = milliseconds(known.total / known.calls)
            yield f"{'':>10} server: {known.calls:,} calls, {mean} each in the database"


def _compared(facts: Facts) -> Iterator[str]:
    if facts.before is None or not facts.before.tallies:
        return
    now, before = summary.whole(facts.slot), summary.whole(facts.before)
    yield (
        f"statements {now.count:,} (then {before.count:,}), p95 {milliseconds(now.p95)} "
        f"(then {milliseconds(before.p95)})"
    )
    for pair in summary.compare(facts.slot, facts.before)[:5]:
        if pair.more > 0:
            then = milliseconds(pair.before.total) if pair.before else "none"
            yield f"{milliseconds(pair.more):>9} more (then {then})  {shortened(pair.name)}"


def _repeated(facts: Facts) -> Iterator[str]:
    for found in sorted(facts.slot.repeated.values(), key=lambda one: -one.most)[:TOP]:
        series = found.series
        place = f" in {series.place}" if series.place else ""
        yield f"{found.most:,} times, {found.times:,}×{place}: {series.caller or 'unknown'}"
        yield f"    {shortened(series.statement.text)}"


def _slow(facts: Facts) -> Iterator[str]:
    for slow in sorted(facts.slot.slow, key=lambda one: -one.at)[:TOP]:
        series = slow.series
        where = " in ".join(filter(None, (series.caller or "unknown", series.place)))
        error = f", {slow.error}" if slow.error else ""
        took = milliseconds(slow.nanoseconds / 1e6)
        yield f"{took:>9}  {duration(facts.at - slow.at)} ago  {where}{error}"
        shown = f"  [{slow.parameters}]" if slow.parameters else ""
        yield f"    {shortened(series.statement.text)}{shown}"


def _running(server: Server | None) -> Iterator[str]:
    for one in server.running if server else []:
        blocked = f", blocked by {one.blocked_by}" if one.blocked_by else ""
        waits = f", waits for {one.waits_for}" if one.waits_for else ""
        yield f"{duration(one.seconds):>9}{waits}{blocked}  {shortened(one.text)}"


def milliseconds(value: float) -> str:
    """`0.31 ms`, `25 ms`, `1.8 s`."""
    if value >= 1_000:
        return f"{value / 1000:,.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.2f} ms"


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h`."""
    if seconds < 120:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3600:.0f} h"


def shortened(text: str) -> str:
    """What fits on a line."""
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"

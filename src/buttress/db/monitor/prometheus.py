"""The monitor's figures for Prometheus; prometheus-client is imported when it asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from buttress.db.monitor import histogram
from buttress.db.monitor.slot import Tally
from buttress.telemetry.metrics import of_process

if TYPE_CHECKING:
    from prometheus_client.core import HistogramMetricFamily
    from prometheus_client.metrics_core import Metric

    from buttress.db.monitor.monitor import Monitor

BOUNDS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class MonitorCollector:
    """Statements by kind and place, timed work by name, errors, N+1 and connections.

    Statements and callers have too many values for labels; `buttress stats` and the page tell them.
    """

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor

    def collect(self) -> Iterator[Metric]:
        """The families of metrics, of all since the process began."""
        slot = self.monitor.since_start()
        statements = of_process.STATEMENTS.empty()
        work = of_process.WORK_SECONDS.empty()
        failed: dict[str, int] = {}
        for series, tally in slot.tallies.values():
            if series.statement.kind == "work":
                add_histogram(work, [series.statement.text], tally)
                continue
            add_histogram(statements, [series.statement.kind, series.place], tally)
            for name, count in tally.errors.items():
                failed[name] = failed.get(name, 0) + count
        yield from (statements, work)
        yield of_process.STATEMENT_ERRORS.of(((name,), count) for name, count in failed.items())
        yield of_process.SLOW.value(slot.slow_count)
        yield of_process.REPEATED.value(slot.repeated_times)
        pool = self.monitor.pool()
        yield of_process.POOL.of([(("checked_out",), pool.checked_out), (("idle",), pool.idle)])
        yield of_process.POOL_LIMIT.value(pool.limit)
        yield of_process.POOL_WAITING.value(pool.waiting)


def add_histogram(family: HistogramMetricFamily, labels: list[str], tally: Tally) -> None:
    """One tally with the bounds Prometheus is used to."""
    count = tally.count
    buckets = [
        (str(float(bound)), float(count - histogram.above(tally.buckets, round(bound * 1e9) + 1)))
        for bound in BOUNDS_SECONDS
    ]
    family.add_metric(labels, [*buckets, ("+Inf", float(count))], tally.nanoseconds / 1e9)

"""The monitor's figures for Prometheus; prometheus-client is imported when it asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from buttress.db.monitor import histogram
from buttress.db.monitor.slot import Tally

if TYPE_CHECKING:
    from prometheus_client.core import HistogramMetricFamily
    from prometheus_client.metrics_core import Metric

    from buttress.db.monitor.monitor import Monitor
    from buttress.telemetry import Collector

BOUNDS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class MonitorCollector:
    """Statements by kind and place, timed work by name, errors, N+1 and connections.

    Statements and callers have too many values for labels; `buttress stats` and the page tell them.
    """

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor

    def collect(self) -> Iterator[Metric]:
        """The families of metrics, of all since the process began."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        slot = self.monitor.since_start()
        statements = HistogramMetricFamily(
            "buttress_statement_seconds", "Time of statements", labels=["kind", "place"]
        )
        work = HistogramMetricFamily("buttress_work_seconds", "Time of work", labels=["name"])
        errors = CounterMetricFamily(
            "buttress_statement_errors", "Statements that failed", labels=["type"]
        )
        failed: dict[str, int] = {}
        for series, tally in slot.tallies.values():
            if series.statement.kind == "work":
                add_histogram(work, [series.statement.text], tally)
                continue
            add_histogram(statements, [series.statement.kind, series.place], tally)
            for name, count in tally.errors.items():
                failed[name] = failed.get(name, 0) + count
        for name, count in failed.items():
            errors.add_metric([name], count)
        yield from (statements, work, errors)
        yield CounterMetricFamily(
            "buttress_slow_statements", "Statements above the threshold", value=slot.slow_count
        )
        yield CounterMetricFamily(
            "buttress_repeated_statements",
            "Requests and sessions in which one line repeated a statement (N+1)",
            value=slot.repeated_times,
        )
        connections = GaugeMetricFamily(
            "buttress_pool_connections", "Connections of this process", labels=["state"]
        )
        pool = self.monitor.pool()
        for state in ("checked_out", "idle", "waiting", "limit"):
            connections.add_metric([state], getattr(pool, state))
        yield connections


def add_histogram(family: HistogramMetricFamily, labels: list[str], tally: Tally) -> None:
    """One tally with the bounds Prometheus is used to."""
    count = tally.count
    buckets = [
        (str(float(bound)), float(count - histogram.above(tally.buckets, round(bound * 1e9) + 1)))
        for bound in BOUNDS_SECONDS
    ]
    family.add_metric(labels, [*buckets, ("+Inf", float(count))], tally.nanoseconds / 1e9)


def page(collectors: Iterable[Collector]) -> str:
    """What Prometheus reads: all metrics of these collectors as text."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return generate_latest(registry).decode()

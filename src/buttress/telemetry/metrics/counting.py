"""Counters and histograms of a process, for work that nothing else counts."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING

from buttress.telemetry.metrics.family import Family

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MOST_SERIES = 1_000
OTHER = "other"
"""What labels read once a family has as many series as it may have."""

Labels = tuple[str, ...]


class Counts:
    """Numbers by labels, from any thread: a counter, or a gauge that is moved up and down."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self._lock = threading.Lock()
        self._values: dict[Labels, float] = {}

    def add(self, *labels: str, by: float = 1.0) -> None:
        """Count once, or so often."""
        with self._lock:
            if labels not in self._values and len(self._values) >= MOST_SERIES:
                labels = (OTHER,) * len(labels)
            self._values[labels] = self._values.get(labels, 0.0) + by

    def collect(self) -> Iterator[Metric]:
        """The family as it is now."""
        with self._lock:
            values = list(self._values.items())
        yield self.family.of(values)


class Times:
    """Durations by labels, in seconds, from any thread."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self._lock = threading.Lock()
        self._series: dict[Labels, tuple[list[int], list[float]]] = {}

    def add(self, seconds: float, *labels: str) -> None:
        """Count one."""
        with self._lock:
            found = self._series.get(labels)
            if found is None:
                if len(self._series) >= MOST_SERIES:
                    labels = (OTHER,) * len(labels)
                found = self._series.setdefault(labels, ([0] * (len(BOUNDS_SECONDS) + 1), [0.0]))
            buckets, total = found
            buckets[bisect_left(BOUNDS_SECONDS, seconds)] += 1
            total[0] += seconds

    def collect(self) -> Iterator[Metric]:
        """The family as it is now."""
        metric = self.family.empty()
        with self._lock:
            series = [(labels, list(b), total[0]) for labels, (b, total) in self._series.items()]
        for labels, buckets, total in series:
            below, shown = 0, []
            for bound, count in zip((*BOUNDS_SECONDS, "+Inf"), buckets, strict=True):
                below += count
                shown.append((str(bound), float(below)))
            metric.add_metric(list(labels), shown, total)
        yield metric

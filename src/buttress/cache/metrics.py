"""The cache's figures for Prometheus; prometheus-client is imported when it asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from buttress.cache.cache import Cache


class CacheCollector:
    """Reads, fills and room by namespace, and which mode is in force."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache

    def collect(self) -> Iterator[Metric]:
        """The families of metrics, of all since the cache was opened."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        stats = self.cache.stats()
        reads = CounterMetricFamily(
            "buttress_cache_reads", "Reads through the cache", labels=["namespace", "answered"]
        )
        rejected = CounterMetricFamily(
            "buttress_cache_rejected_fills", "Values that were not kept", labels=["namespace"]
        )
        size = GaugeMetricFamily(
            "buttress_cache_bytes", "Room taken in this process", labels=["namespace"]
        )
        for name, one in stats.namespaces.items():
            reads.add_metric([name, "memory"], one.hits - one.shared_hits)
            reads.add_metric([name, "valkey"], one.shared_hits)
            reads.add_metric([name, "computed"], one.misses)
            reads.add_metric([name, "past the cache"], sum(one.bypasses.values()))
            rejected.add_metric([name], sum(one.rejected.values()))
            size.add_metric([name], one.bytes)
        yield from (reads, rejected, size)
        mode = GaugeMetricFamily("buttress_cache_mode", "1 for the mode in force", labels=["mode"])
        mode.add_metric([stats.mode], 1)
        yield mode
        yield CounterMetricFamily(
            "buttress_cache_barriers", "Questions to the database", value=stats.barriers
        )

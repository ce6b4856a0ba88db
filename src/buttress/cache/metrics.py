"""The cache's figures for Prometheus; prometheus-client is imported when it asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from buttress.telemetry.metrics import of_process

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from buttress.cache.cache import Cache


class CacheCollector:
    """Reads, fills and room by namespace, and which mode is in force."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache

    def collect(self) -> Iterator[Metric]:
        """The families of metrics, of all since the cache was opened."""
        stats = self.cache.stats()
        reads, rejected, size = [], [], []
        for name, one in stats.namespaces.items():
            reads += [
                ((name, "memory"), one.hits - one.shared_hits),
                ((name, "valkey"), one.shared_hits),
                ((name, "computed"), one.misses),
                ((name, "past the cache"), sum(one.bypasses.values())),
            ]
            rejected += [((name, reason), times) for reason, times in one.rejected.items()]
            size.append(((name,), one.bytes))
        yield of_process.CACHE_READS.of(reads)
        yield of_process.CACHE_REJECTED.of(rejected)
        yield of_process.CACHE_BYTES.of(size)
        yield of_process.CACHE_MODE.of([((stats.mode,), 1)])
        yield of_process.CACHE_BARRIERS.value(stats.barriers)

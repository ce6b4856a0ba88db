"""What Prometheus reads: the families of every collector as text."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

from buttress.telemetry.metrics.of_process import BUILD

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


class Collector(Protocol):
    """What prometheus-client calls a custom collector."""

    def collect(self) -> Iterable[Any]:
        """Metric families of prometheus-client, made when they are asked for."""


collectors: list[Collector] = []
"""Rooms with something to measure add theirs when they open, and take it away when they close."""


class Build:
    """Which version runs."""

    def collect(self) -> Iterator[Metric]:
        """The family."""
        yield BUILD.of([((version("buttress"), platform.python_version()), 1.0)])


def page(collectors: Iterable[Collector]) -> str:
    """All metrics of these collectors, of the build and of the process as text."""
    from prometheus_client import (
        CollectorRegistry,
        GCCollector,
        ProcessCollector,
        generate_latest,
    )

    registry = CollectorRegistry()
    registry.register(Build())
    for collector in collectors:
        registry.register(collector)
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return generate_latest(registry).decode()

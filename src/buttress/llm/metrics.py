"""Calls, tokens and cost for Prometheus, of this process since it began."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from buttress.llm.entry import Entry

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


class LLMCollector:
    """Counts calls as they end; a model is a label, an app or a person is not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[tuple[str, str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._cost: dict[str, float] = {}
        self._seconds: dict[str, float] = {}

    def count(self, entry: Entry) -> None:
        """Add one call that ended."""
        model = f"{entry.provider}:{entry.model}"
        with self._lock:
            self._calls[model, entry.outcome] += 1
            self._tokens[model, "in"] += entry.tokens.input
            self._tokens[model, "out"] += entry.tokens.output
            self._cost[model] = self._cost.get(model, 0.0) + float(entry.cost or 0)
            self._seconds[model] = self._seconds.get(model, 0.0) + entry.latency_seconds

    def collect(self) -> Iterator[Metric]:
        """The families of metrics."""
        from prometheus_client.core import CounterMetricFamily

        calls = CounterMetricFamily(
            "buttress_llm_calls", "Calls of language models", labels=["model", "outcome"]
        )
        tokens = CounterMetricFamily(
            "buttress_llm_tokens", "Tokens read and written", labels=["model", "direction"]
        )
        cost = CounterMetricFamily(
            "buttress_llm_cost_usd", "What calls cost, where the price is known", labels=["model"]
        )
        seconds = CounterMetricFamily("buttress_llm_seconds", "Time of calls", labels=["model"])
        with self._lock:
            for call, count in self._calls.items():
                calls.add_metric(list(call), count)
            for direction, count in self._tokens.items():
                tokens.add_metric(list(direction), count)
            for model, usd in self._cost.items():
                cost.add_metric([model], usd)
            for model, spent in self._seconds.items():
                seconds.add_metric([model], spent)
        yield from (calls, tokens, cost, seconds)

"""Calls, tokens and cost for Prometheus, of this process since it began."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from buttress.llm.entry import Entry
from buttress.telemetry import add_span
from buttress.telemetry.metrics import of_process

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
        """Add one call that ended, and tell of it as a span."""
        model = f"{entry.provider}:{entry.model}"
        add_span(
            f"model {model}",
            "client",
            {
                "gen_ai.provider.name": entry.provider,
                "gen_ai.request.model": entry.model,
                "gen_ai.usage.input_tokens": entry.tokens.input,
                "gen_ai.usage.output_tokens": entry.tokens.output,
                "buttress.purpose": entry.purpose,
                "buttress.outcome": entry.outcome,
            },
            seconds=entry.latency_seconds,
            error=entry.error or "",
        )
        with self._lock:
            self._calls[model, entry.outcome] += 1
            self._tokens[model, "in"] += entry.tokens.input
            self._tokens[model, "out"] += entry.tokens.output
            self._cost[model] = self._cost.get(model, 0.0) + float(entry.cost or 0)
            self._seconds[model] = self._seconds.get(model, 0.0) + entry.latency_seconds

    def collect(self) -> Iterator[Metric]:
        """The families of metrics."""
        with self._lock:
            yield of_process.MODEL_CALLS.of(self._calls.items())
            yield of_process.MODEL_TOKENS.of(self._tokens.items())
            yield of_process.MODEL_COST.of(((model,), usd) for model, usd in self._cost.items())
            yield of_process.MODEL_SECONDS.of(
                ((model,), spent) for model, spent in self._seconds.items()
            )

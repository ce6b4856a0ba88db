"""What a family of metrics is: declared once, with the alerts and the panels that belong to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

Kind = Literal["counter", "gauge", "histogram"]
Severity = Literal["critical", "warning"]
PREFIX = "buttress_"


@dataclass(frozen=True)
class Alert:
    """When somebody is to be told, and what they are to do."""

    name: str
    """As Alertmanager shows it: `ButtressNoWorker`."""
    expr: str
    """PromQL; true while something is wrong."""
    summary: str
    action: str
    minutes: int = 5
    """How long it must be true."""
    severity: Severity = "warning"


@dataclass(frozen=True)
class Panel:
    """One picture of the dashboard."""

    row: str
    title: str
    exprs: Mapping[str, str]
    """What is drawn, by the name it bears: `{{route}}` is the value of a label."""
    unit: str
    """As Grafana calls it: `s`, `bytes`, `reqps`, `percentunit`, `short`, `currencyUSD`."""


@dataclass(frozen=True)
class Family:
    """One family of metrics.

    Attributes
    ----------
    name
        As it is scraped, the unit in it; of a counter without `_total`.
    help
        One line for people.
    labels
        Each label with the values it may have: never as many as anybody cares to send.
    """

    name: str
    kind: Kind
    help: str
    labels: Mapping[str, str] = field(default_factory=dict)
    alerts: tuple[Alert, ...] = ()
    panels: tuple[Panel, ...] = ()

    @property
    def exported(self) -> tuple[str, ...]:
        """The names its samples have."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (f"{self.name}_total",) if self.kind == "counter" else (self.name,)

    def empty(self) -> Any:
        """A new family of prometheus-client, to be filled by `add_metric`."""
        from prometheus_client import core

        kinds = {
            "counter": core.CounterMetricFamily,
            "gauge": core.GaugeMetricFamily,
            "histogram": core.HistogramMetricFamily,
        }
        return kinds[self.kind](self.name, self.help, labels=list(self.labels))

    def of(self, samples: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
        """The family with these samples: the values of the labels in their order, and the number.

        Not for histograms.
        """
        metric: Metric = self.empty()
        for labels, value in samples:
            metric.add_metric(list(labels), value)  # type: ignore[attr-defined]
        return metric

    def value(self, value: float) -> Metric:
        """The family with its one sample."""
        return self.of([((), value)])


_declared: dict[str, Family] = {}


def declare(
    name: str,
    kind: Kind,
    help: str,
    labels: Mapping[str, str] | None = None,
    *,
    alerts: Iterable[Alert] = (),
    panels: Iterable[Panel] = (),
) -> Family:
    """Declare a family once; raises ValueError when it breaks Prometheus' conventions or is twice.

    Example: DEPTH = declare("shop_queue_depth", "gauge", "Orders that wait", {"shop": "its name"})
    """
    if name in _declared:
        raise ValueError(f"{name} is declared twice")
    if name.endswith(("_total", "_count", "_sum", "_bucket")) or not name.islower():
        raise ValueError(f"{name}: lower case, and no ending that Prometheus adds itself")
    if kind == "histogram" and not name.endswith(("_seconds", "_bytes")):
        raise ValueError(f"{name}: a histogram is named by its base unit")
    family = Family(name, kind, help, labels or {}, tuple(alerts), tuple(panels))
    _declared[name] = family
    return family


def declared() -> list[Family]:
    """Every family that has been declared, in that order."""
    return list(_declared.values())

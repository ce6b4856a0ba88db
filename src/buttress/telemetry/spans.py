"""Where the time of one request goes, for whoever asked to be told: spans, as they begin and end.

Without a tracer (`OTEL_EXPORTER_OTLP_ENDPOINT` unset) a span costs a look at a list.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol

Kind = Literal["server", "client", "producer", "consumer", "internal"]
Attributes = Mapping[str, str | int | float | bool]


class Tracer(Protocol):
    """Who is told; `buttress.telemetry.opentelemetry` has one."""

    def span(
        self, name: str, kind: Kind, attributes: Attributes, parent: str
    ) -> AbstractContextManager[None]:
        """What is inside happens in a span, below the one around it or below `parent`."""

    def add(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        seconds: float,
        error: str,
        ended: float,
    ) -> None:
        """A span that has ended, below the one around; none of its own where there is none."""

    def annotate(self, name: str | None, attributes: Attributes) -> None:
        """Add to the span around, and name it anew where a name is given."""

    def traceparent(self) -> str:
        """The span around, as W3C's header; empty where there is none."""


tracers: list[Tracer] = []
"""None or one."""


@contextmanager
def span(
    name: str, kind: Kind = "internal", attributes: Attributes | None = None, *, parent: str = ""
) -> Iterator[None]:
    """What is inside happens in a span; an exception that leaves it marks it as failed."""
    if not tracers:
        yield
        return
    with tracers[0].span(name, kind, attributes or {}, parent):
        yield


def add_span(
    name: str,
    kind: Kind = "internal",
    attributes: Attributes | None = None,
    *,
    seconds: float,
    error: str = "",
) -> None:
    """Tell of what has just ended and took so long; `error` is the type of what ended it."""
    for tracer in tracers:
        tracer.add(name, kind, attributes or {}, seconds=seconds, error=error, ended=time.time())


def annotate(attributes: Attributes, *, name: str | None = None) -> None:
    """Add to the span around what was not known when it began."""
    for tracer in tracers:
        tracer.annotate(name, attributes)


def traceparent() -> str:
    """The span around, to be handed on; empty without one."""
    return tracers[0].traceparent() if tracers else ""

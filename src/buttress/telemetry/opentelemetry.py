"""Spans to an OpenTelemetry receiver, by OTLP over HTTP; needs the extra `opentelemetry`.

Of a statement its text without values is told, of a model its name, of an error its type: nothing
that a person typed, and no body.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from urllib.parse import unquote

from opentelemetry import trace
from opentelemetry.context import Context as Around
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from buttress.telemetry.redaction import redacted
from buttress.telemetry.spans import Attributes, Kind
from buttress.telemetry.whom import context

EXPORT_SECONDS = 5.0
CLOSE_MILLISECONDS = 3_000
KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
W3C = TraceContextTextMapPropagator()


class OpenTelemetryTracer:
    """The spans of this process, sent in batches by a thread; a receiver that is away is no loss
    to anybody but itself.

    Parameters
    ----------
    endpoint
        Where the receiver listens, without `/v1/traces`.
    headers
        `name=value` pairs, comma separated, as OTEL_EXPORTER_OTLP_HEADERS has them.
    """

    def __init__(self, endpoint: str, headers: str = "") -> None:
        # What it says of a receiver that is away is said once a batch: enough at WARNING.
        logging.getLogger("opentelemetry").setLevel(logging.WARNING)
        exporter = OTLPSpanExporter(
            endpoint=f"{endpoint.rstrip('/')}/v1/traces",
            headers=pairs(headers),
            timeout=EXPORT_SECONDS,
        )
        resource = Resource({"service.name": "buttress", "service.version": version("buttress")})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("buttress", version("buttress"))

    def close(self) -> None:
        """Send what has not been sent, for three seconds at most."""
        self._provider.force_flush(CLOSE_MILLISECONDS)
        self._provider.shutdown()

    @contextmanager
    def span(self, name: str, kind: Kind, attributes: Attributes, parent: str) -> Iterator[None]:
        """As `buttress.telemetry.spans.Tracer` says."""
        with self._tracer.start_as_current_span(
            redacted(name),
            context=_below(parent),
            kind=KINDS[kind],
            attributes=told(attributes),
            record_exception=False,  # its message and locals may hold data
            set_status_on_exception=False,
        ) as begun:
            try:
                yield
            except BaseException as error:
                _fail(begun, type(error).__name__)
                raise
            finally:
                # For whom is often known only inside: the gate looks that up.
                _add(begun, told({}))

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
        """As `buttress.telemetry.spans.Tracer` says."""
        # Heartbeats and roll-ups would each be a trace of their own.
        if not trace.get_current_span().get_span_context().is_valid:
            return
        end = int(ended * 1e9)
        span = self._tracer.start_span(
            redacted(name),
            kind=KINDS[kind],
            attributes=told(attributes),
            start_time=end - int(seconds * 1e9),
        )
        if error:
            _fail(span, error)
        span.end(end)

    def annotate(self, name: str | None, attributes: Attributes) -> None:
        """As `buttress.telemetry.spans.Tracer` says."""
        around = trace.get_current_span()
        if name is not None:
            around.update_name(redacted(name))
        _add(around, told(attributes))

    def traceparent(self) -> str:
        """As `buttress.telemetry.spans.Tracer` says."""
        carrier: dict[str, str] = {}
        W3C.inject(carrier)
        return carrier.get("traceparent", "")


def told(attributes: Attributes) -> dict[str, str | int | float | bool]:
    """Attributes without secrets, and which request and job it is; never which person."""
    found: dict[str, str | int | float | bool] = {
        name: redacted(value) if isinstance(value, str) else value
        for name, value in attributes.items()
    }
    here = context()
    if here.request_id:
        found["buttress.request_id"] = here.request_id
    if here.job_id:
        found["buttress.job_id"] = here.job_id
    return found


def pairs(headers: str) -> dict[str, str]:
    """`name=value,name=value`, percent-encoded, as headers."""
    parts = (part.partition("=") for part in headers.split(",") if "=" in part)
    return {unquote(name.strip()): unquote(value.strip()) for name, _, value in parts}


def _below(parent: str) -> Around | None:
    return W3C.extract({"traceparent": parent}) if parent else None


def _fail(span: Span, error: str) -> None:
    span.set_status(Status(StatusCode.ERROR))
    span.set_attribute("error.type", error)


def _add(span: Span, attributes: Attributes) -> None:
    for name, value in attributes.items():
        span.set_attribute(name, value)

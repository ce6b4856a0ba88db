"""What leaves the process because the settings say so: spans and errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from buttress.errors import ConfigurationError
from buttress.settings import Settings
from buttress.telemetry.redaction import remember, secrets_of
from buttress.telemetry.spans import tracers


@contextmanager
def exporting(settings: Settings) -> Iterator[None]:
    """Send spans and errors meanwhile to where the settings say; nothing where they say nothing.

    Raises
    ------
    ConfigurationError
        The extra is not installed, or the address is none.
    """
    remember(secrets_of(settings))
    with ExitStack() as exits:
        if settings.otlp_endpoint:
            _trace(settings, exits)
        if settings.sentry_dsn.get_secret_value():
            _report(settings, exits)
        yield


def _trace(settings: Settings, exits: ExitStack) -> None:
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    if not settings.otlp_endpoint.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"{name} is no address of HTTP", hint="Write it like http://localhost:4318."
        )
    try:
        from buttress.telemetry.opentelemetry import OpenTelemetryTracer
    except ImportError as error:
        raise _missing(name, "opentelemetry") from error
    tracer = OpenTelemetryTracer(settings.otlp_endpoint, settings.otlp_headers.get_secret_value())
    exits.callback(tracer.close)
    tracers[:] = [tracer]
    exits.callback(tracers.clear)


def _report(settings: Settings, exits: ExitStack) -> None:
    try:
        from sentry_sdk.utils import BadDsn

        from buttress.telemetry import sentry
    except ImportError as error:
        raise _missing("SENTRY_DSN", "sentry") from error
    try:
        sentry.start(settings.sentry_dsn.get_secret_value(), settings.environment)
    except BadDsn:
        # Not from it: its message holds the address with the key.
        raise ConfigurationError(
            "SENTRY_DSN is no address of a Sentry project",
            hint="Copy it from the project's settings, under Client Keys.",
        ) from None
    exits.callback(sentry.stop)


def _missing(setting: str, extra: str) -> ConfigurationError:
    return ConfigurationError(
        f"{setting} is set, and the extra {extra!r} is not installed",
        hint=f'Run `pip install "buttress[{extra}]"`, or unset {setting}.',
    )

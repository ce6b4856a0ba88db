"""`/metrics`: what Prometheus collects from this process."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from buttress import telemetry
from buttress.errors import NotFound
from buttress.settings import Settings

TEXT = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter()


@router.get("/metrics")
def metrics(request: Request) -> PlainTextResponse:
    """The metrics of every room that registered a collector."""
    from buttress.db.monitor.prometheus import page

    settings: Settings = request.app.state.runtime.settings
    if settings.environment == "production" and not settings.monitor.metrics:
        raise NotFound(
            "metrics are not served in production unless asked for",
            hint="Set BUTTRESS_MONITOR__METRICS=true when only Prometheus can reach this port.",
        )
    return PlainTextResponse(page(telemetry.collectors), media_type=TEXT)

"""`/metrics`: what Prometheus collects from this process."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from buttress import telemetry
from buttress.access import require
from buttress.settings import Settings
from buttress.telemetry.metrics import page

TEXT = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter()


@router.get("/metrics")
def metrics(request: Request) -> PlainTextResponse:
    """The metrics of every room that registered a collector."""
    settings: Settings = request.app.state.runtime.settings
    if not settings.monitor.metrics:
        require("health.read")
    return PlainTextResponse(page(telemetry.collectors), media_type=TEXT)

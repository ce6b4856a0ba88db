"""`/health/live`: the process runs. `/health/ready`: it can serve."""

from __future__ import annotations

import anyio
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from buttress import health
from buttress.errors import NotFound

LIMIT_SECONDS = 5.0

router = APIRouter(prefix="/health")


@router.get("/live")
async def live() -> dict[str, str]:
    """Answers whenever the process runs; asks nothing of anybody."""
    return {"status": "pass"}


@router.get("/ready")
async def ready(request: Request) -> JSONResponse:
    """200 when the database answers (`warn` when something else is amiss), 503 when it does not."""
    status: health.Status = "fail"
    findings: list[health.Finding] = []
    with anyio.move_on_after(LIMIT_SECONDS):
        status, findings = await anyio.to_thread.run_sync(
            health.readiness, request.app.state.runtime, abandon_on_cancel=True
        )
    return JSONResponse(
        {
            "status": status,
            "checks": {
                finding.name: {
                    "status": finding.status,
                    "detail": finding.detail,
                    "milliseconds": round(finding.milliseconds, 1),
                }
                for finding in findings
            },
        },
        status_code=503 if status == "fail" else 200,
        media_type="application/health+json",
        headers={"cache-control": "no-store"},
    )


@router.get("/{path:path}")
def unknown(path: str) -> None:
    """Everything else under `/health` does not exist."""
    raise NotFound(f"there is no /health/{path}", hint="Ask /health/live or /health/ready.")

"""The documents probes get: `application/health+json`, one shape for every web framework."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from buttress.health.finding import Finding, worst

if TYPE_CHECKING:
    from buttress.health.health import Health
    from buttress.health.watched import Watched

PATHS = (
    "/health",
    "/health/live",
    "/health/ready",
    "/health/database",
    "/health/cache",
    "/health/detailed",
)
MEASUREMENTS = 20


class Reply(NamedTuple):
    """What is sent."""

    status: int
    body: bytes
    headers: dict[str, str]


def document(health: Health, path: str, findings: Sequence[Finding], *, permitted: bool) -> Reply:
    """The findings as a document: 503 when one fails, else 200.

    Strangers are told `pass`, `warn` or `fail` and nothing more.
    """
    status = worst(findings)
    content: dict[str, object] = {"status": status}
    if permitted and findings:
        content["checks"] = {finding.name: told(finding) for finding in findings}
    if permitted and path == "/health/detailed":
        content["version"] = version("buttress")
        content["uptime_seconds"] = round(time.monotonic() - health.began, 1)
        content["history"] = {one.check.name: course(one) for one in health.watched()}
    return _reply(503 if status == "fail" else 200, content, "application/health+json", {})


def told(finding: Finding) -> dict[str, object]:
    """One finding; what it has nothing to say of is left out, but for `detail`."""
    content: dict[str, object] = {
        "status": finding.status,
        "detail": finding.detail,
        "milliseconds": round(finding.milliseconds, 1),
    }
    if finding.figures:
        content["figures"] = dict(finding.figures)
    if finding.hint and finding.status != "pass":
        content["hint"] = finding.hint
    return content


def course(watched: Watched) -> dict[str, object]:
    """When a check changed its mind, and its last answers."""
    history = watched.history
    return {
        "changes": [
            {"at": _moment(one.at.timestamp()), "status": one.status, "detail": one.detail}
            for one in history.changes
        ],
        "measurements": [
            {
                "at": _moment(one.at.timestamp()),
                "status": one.status,
                "milliseconds": round(one.milliseconds, 1),
            }
            for one in history.measurements[-MEASUREMENTS:]
        ],
    }


def problem(status: int, detail: str, hint: str, headers: Mapping[str, str] | None = None) -> Reply:
    """A problem document (RFC 9457)."""
    content: dict[str, object] = {
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "hint": hint,
    }
    return _reply(status, content, "application/problem+json", dict(headers or {}))


def _reply(status: int, content: dict[str, object], kind: str, more: dict[str, str]) -> Reply:
    headers = {"content-type": kind, "cache-control": "no-store", **more}
    return Reply(status, json.dumps(content, default=str).encode(), headers)


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))

"""Prometheus' alert rules, printed from the families."""

from __future__ import annotations

import json
from collections.abc import Iterable

from buttress.telemetry.metrics.family import Alert, Family

PAGE = "docs/reference/metrics.md"


def alerts_of(families: Iterable[Family]) -> list[Alert]:
    """All alerts, in the order of the families."""
    return [alert for family in families for alert in family.alerts]


def rules(families: Iterable[Family]) -> str:
    """A file of rules for `rule_files` of Prometheus."""
    lines = [
        "# Printed from the code by `buttress metrics rules`; change it there.",
        "groups:",
        "  - name: buttress",
        "    rules:",
    ]
    for alert in alerts_of(families):
        lines += [
            f"      - alert: {alert.name}",
            f"        expr: {text(alert.expr)}",
            f"        for: {alert.minutes}m",
            "        labels:",
            f"          severity: {alert.severity}",
            "        annotations:",
            f"          summary: {text(alert.summary)}",
            f"          action: {text(alert.action)}",
            f"          runbook: {text(f'{PAGE}#{alert.name.lower()}')}",
        ]
    return "\n".join(lines) + "\n"


def text(value: str) -> str:
    """A string as YAML and JSON both read it."""
    return json.dumps(value, ensure_ascii=False)

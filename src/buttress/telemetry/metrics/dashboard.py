"""Grafana's dashboard, printed from the families."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from buttress.telemetry.metrics.family import Family, Panel

WIDE, WIDTH, HEIGHT = 24, 8, 8
SOURCE = {"type": "prometheus", "uid": "${source}"}


def panels_of(families: Iterable[Family]) -> dict[str, list[Panel]]:
    """The panels by row, both in the order of the families."""
    rows: dict[str, list[Panel]] = {}
    for family in families:
        for panel in family.panels:
            rows.setdefault(panel.row, []).append(panel)
    # What a process is made of comes last: people look for their own words first.
    if "Process" in rows:
        rows["Process"] = rows.pop("Process")
    return rows


def dashboard(families: Iterable[Family]) -> str:
    """A dashboard to import; it asks for the data source it is to read."""
    drawn: list[dict[str, Any]] = []
    top = 0
    for title, panels in panels_of(families).items():
        drawn.append(
            {
                "type": "row", "id": len(drawn) + 1, "title": title, "collapsed": False,
                "panels": [], "gridPos": {"x": 0, "y": top, "w": WIDE, "h": 1},
            }
        )  # fmt: skip
        top += 1
        for number, panel in enumerate(panels):
            across, down = number % (WIDE // WIDTH), number // (WIDE // WIDTH)
            place = {"x": across * WIDTH, "y": top + down * HEIGHT, "w": WIDTH, "h": HEIGHT}
            drawn.append({"id": len(drawn) + 1, "gridPos": place, **picture(panel)})
        top += HEIGHT * -(-len(panels) // (WIDE // WIDTH))
    document = {
        "uid": "buttress",
        "title": "Buttress",
        "tags": ["buttress"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "source", "type": "datasource", "query": "prometheus", "label": "Source"}
            ]
        },
        "panels": drawn,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def picture(panel: Panel) -> dict[str, Any]:
    """One panel: lines over time, the last value in the legend."""
    return {
        "type": "timeseries",
        "title": panel.title,
        "datasource": SOURCE,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "custom": {"fillOpacity": 8}},
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + number), "expr": expr, "legendFormat": legend,
             "datasource": SOURCE}
            for number, (legend, expr) in enumerate(panel.exprs.items())
        ],
    }  # fmt: skip

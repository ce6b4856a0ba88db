"""Pictures of moves and of queries, as ECharts options; colours come from the theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from buttress.db.monitor.summary import Step
from buttress.mover.page import duration
from buttress.mover.report import TableProof
from buttress.ui.text import count

ROW_PIXELS = 30
FRAME_PIXELS = 70
MOST_BARS = 20
PHASES = ("snapshot", "plan", "copy", "index", "objects", "proof", "switch")
"""In the order they run, which a stored report does not keep."""

Chart = dict[str, Any]


def rows_per_table(tables: Sequence[TableProof]) -> tuple[Chart, int]:
    """Bars of rows proven and quarantined, the largest tables on top; the chart and its height."""
    shown = sorted(tables, key=lambda table: table.rows)[-MOST_BARS:]
    series = [bars("Proven", [table.proven for table in shown])]
    if any(table.quarantined for table in shown):
        series.append(bars("In quarantine", [table.quarantined for table in shown]))
    chart = frame([table.table for table in shown])
    chart["legend"] = {"top": 0, "left": 0, "itemWidth": 12, "itemHeight": 12}
    chart["series"] = series
    chart["grid"]["top"] = 36
    # The total at the end of the bar: a few quarantined rows are too thin a slice to see.
    series[-1]["label"] = {"show": True, "position": "right"}
    series[-1]["data"] = [
        {"value": value, "label": {"formatter": count(table.rows)}}
        for value, table in zip(series[-1]["data"], shown, strict=True)
    ]
    return chart, FRAME_PIXELS + ROW_PIXELS * len(shown)


def time_per_phase(seconds: Mapping[str, float]) -> tuple[Chart, int]:
    """Bars of the time each phase took, in the order they ran; the chart and its height."""
    ran = sorted(seconds, key=lambda phase: PHASES.index(phase) if phase in PHASES else len(PHASES))
    phases = [(phase, seconds[phase]) for phase in reversed(ran)]
    chart = frame([phase for phase, _ in phases])
    series = bars("Seconds", [round(value, 3) for _, value in phases])
    series["data"] = [
        {
            "value": round(value, 3),
            "label": {"show": True, "position": "right", "formatter": duration(value)},
        }
        for _, value in phases
    ]
    chart["series"] = [series]
    return chart, FRAME_PIXELS + ROW_PIXELS * len(phases)


def course_of_time(steps: Sequence[Step], zone: tzinfo) -> Chart:
    """Statements as bars, their p50 and p95 as lines, over the time of day."""
    moments = [datetime.fromtimestamp(step.start, zone) for step in steps]
    days = len({moment.date() for moment in moments}) > 1
    series: list[Chart] = [
        {
            "name": "Statements",
            "type": "bar",
            "yAxisIndex": 1,
            "barMaxWidth": 18,
            "itemStyle": {"opacity": 0.35},
            "data": [step.count for step in steps],
        }
    ]
    for name, values in (
        ("p50 ms", [step.p50 for step in steps]),
        ("p95 ms", [step.p95 for step in steps]),
    ):
        series.append(
            {
                "name": name,
                "type": "line",
                "symbol": "circle",
                "symbolSize": 5,
                "data": [round(value, 2) for value in values],
            }
        )
    return {
        "animation": False,
        "grid": {"left": 0, "right": 0, "top": 56, "bottom": 4, "containLabel": True},
        "legend": {"top": 0, "left": 0, "itemWidth": 12, "itemHeight": 12},
        "tooltip": {"trigger": "axis"},
        "xAxis": {
            "type": "category",
            "data": [f"{moment:%d %b %H:%M}" if days else f"{moment:%H:%M}" for moment in moments],
            "axisTick": {"show": False},
        },
        "yAxis": [
            {"type": "value", "name": "ms", "splitNumber": 3, "nameTextStyle": {"align": "left"}},
            {
                "type": "value",
                "name": "statements",
                "splitNumber": 3,
                "splitLine": {"show": False},
                "minInterval": 1,
                "nameTextStyle": {"align": "right"},
            },
        ],
        "series": series,
    }


def frame(names: Sequence[str]) -> Chart:
    """Horizontal bars without decoration."""
    return {
        "animation": False,
        "grid": {"left": 0, "right": 64, "top": 8, "bottom": 4, "containLabel": True},
        "xAxis": {"type": "value", "axisLabel": {"hideOverlap": True}, "splitNumber": 4},
        "yAxis": {
            "type": "category",
            "data": list(names),
            "axisTick": {"show": False},
            "axisLabel": {"width": 150, "overflow": "truncate"},
        },
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}},
    }


def bars(name: str, values: Sequence[float]) -> Chart:
    """One series of stacked bars."""
    return {
        "name": name,
        "type": "bar",
        "stack": "rows",
        "barMaxWidth": 18,
        "data": list(values),
    }

"""Pictures of a move, as ECharts options; colours come from the theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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

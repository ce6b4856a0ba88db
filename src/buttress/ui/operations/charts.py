"""Pictures of the operations pages, as ECharts options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from buttress.backup import Backup
from buttress.health.history import Measurement

Chart = dict[str, Any]

COLOURS = {"pass": "#2b9a67", "warn": "#d58a1f", "fail": "#d4473c"}
WORDS = {"pass": "Well", "warn": "Warning", "fail": "Failing"}
LEGEND = {"top": 0, "left": 0, "itemWidth": 12, "itemHeight": 12}
GRID = {"left": 0, "right": 12, "top": 56, "bottom": 4, "containLabel": True}
ROW_PIXELS = 24
FRAME_PIXELS = 70
SHOWN = 60


def course_of_checks(histories: Mapping[str, Sequence[Measurement]]) -> tuple[Chart, int]:
    """A line of marks for each check, coloured by what it said; the chart and its height."""
    names = list(histories)[::-1]
    series = [
        {
            "name": WORDS[status],
            "type": "scatter",
            "symbol": "roundRect",
            "symbolSize": [5, 12],
            "color": colour,
            "data": [
                [round(one.at.timestamp() * 1000), name.capitalize()]
                for name, measurements in histories.items()
                for one in measurements[-SHOWN:]
                if one.status == status
            ],
        }
        for status, colour in COLOURS.items()
    ]
    chart: Chart = {
        "animation": False,
        "legend": LEGEND,
        "grid": {**GRID, "top": 34},
        "tooltip": {"trigger": "item"},
        "xAxis": {"type": "time", "splitNumber": 3, "axisLabel": {"hideOverlap": True}},
        "yAxis": {
            "type": "category",
            "data": [name.capitalize() for name in names],
            "axisTick": {"show": False},
            "axisLabel": {"width": 110, "overflow": "truncate"},
        },
        "series": series,
    }
    return chart, FRAME_PIXELS + ROW_PIXELS * len(names)


def sizes_of_backups(backups: Sequence[Backup], labels: Sequence[str]) -> Chart:
    """What each backup added to the store, and what the database took, oldest first."""
    unit, scale = unit_of(max((one.manifest.stored_bytes for one in backups), default=0))
    return {
        "animation": False,
        "legend": LEGEND,
        "grid": GRID,
        "tooltip": {"trigger": "axis"},
        "xAxis": {
            "type": "category",
            "data": list(labels),
            "axisTick": {"show": False},
            "axisLabel": {"hideOverlap": True},
        },
        "yAxis": axis(unit),
        "series": [
            {
                "name": "New in the store",
                "type": "bar",
                "barMaxWidth": 18,
                "data": [round(one.manifest.new_bytes / scale, 2) for one in backups],
            },
            {
                "name": "If it were alone there",
                "type": "line",
                "symbolSize": 5,
                "data": [round(one.manifest.stored_bytes / scale, 2) for one in backups],
            },
        ],
    }


def per_day(days: Sequence[date], of: Mapping[str, Mapping[date, float]], unit: str) -> Chart:
    """Stacked bars, one for each day, a colour for each name."""
    return {
        "animation": False,
        "legend": {**LEGEND, "type": "scroll"},
        "grid": GRID,
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}},
        "xAxis": {
            "type": "category",
            "data": [f"{day.day} {day:%b}" for day in days],
            "axisTick": {"show": False},
            "axisLabel": {"hideOverlap": True},
        },
        "yAxis": axis(unit),
        "series": [
            {
                "name": name,
                "type": "bar",
                "stack": "all",
                "barMaxWidth": 28,
                "data": [values.get(day, 0) for day in days],
            }
            for name, values in of.items()
        ],
    }


def axis(unit: str) -> Chart:
    """A value axis with its unit on top."""
    return {
        "type": "value",
        "name": unit,
        "splitNumber": 3,
        "nameTextStyle": {"align": "left"},
    }


def unit_of(most: int) -> tuple[str, int]:
    """The unit in which that many bytes are read best, and how many bytes it has."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if most >= scale:
            return unit, scale
    return "B", 1

"""Charts of the dashboard as ECharts options; colours of series come from the theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Chart = dict[str, Any]
Rows = Sequence[Sequence[Any]]

LEGEND = {"top": 0, "left": 0, "itemWidth": 12, "itemHeight": 12, "type": "scroll"}
GRID = {"left": 8, "right": 16, "top": 64, "bottom": 28, "containLabel": True}
SCORES = {"type": "value", "name": "score", "min": 1, "max": 5, "interval": 1}
POOR_TO_GOOD = ["#d4473c", "#eba94a", "#2b9a67"]
INK, MIDDLE, BLUE = "#14161c", "#7c8496", "#4a64dc"
NOT_AT_ALL_TO_MUCH = ["rgba(95,120,230,0.07)", BLUE]
AGAINST_TO_WITH = ["#d4473c", "rgba(128,128,128,0.12)", BLUE]
ROW_PIXELS, FRAME_PIXELS = 30, 90


def trend(days: Sequence[str], means: Sequence[float], counts: Sequence[int]) -> Chart:
    """The mean score of each day as a line, how many there were as bars."""
    return {
        "animation": False,
        "legend": LEGEND,
        "grid": GRID,
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "category", "data": list(days), "axisTick": {"show": False}},
        "yAxis": [
            SCORES,
            {
                "type": "value", "name": "evaluations", "minInterval": 1, "splitNumber": 4,
                "splitLine": {"show": False}, "nameTextStyle": {"align": "right"},
            },
        ],
        "series": [
            {
                "name": "Mean score", "type": "line", "symbolSize": 5, "z": 3,
                "data": [round(mean, 2) for mean in means],
            },
            {
                "name": "Evaluations", "type": "bar", "yAxisIndex": 1, "barMaxWidth": 18,
                "itemStyle": {"opacity": 0.3}, "data": list(counts),
            },
        ],
    }  # fmt: skip


def shares(parts: Mapping[str, int], unit: str) -> Chart:
    """A ring of shares, told in the legend: beside a narrow ring there is no room."""
    whole = max(sum(parts.values()), 1)
    told = {f"{name} {value / whole:.0%}": value for name, value in parts.items()}
    return {
        "animation": False,
        "tooltip": {"trigger": "item", "formatter": f"{{b}}: {{c}} {unit} ({{d}} %)"},
        "legend": {**LEGEND, "top": "bottom", "left": "center", "type": "plain"},
        "series": [
            {
                "type": "pie", "radius": ["45%", "74%"], "center": ["50%", "44%"],
                "label": {"show": False},
                "data": [{"name": name, "value": value} for name, value in told.items()],
            }
        ],
    }  # fmt: skip


def bars(
    names: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    axis: Mapping[str, Any],
    *,
    margin: int = 130,
) -> tuple[Chart, int]:
    """Horizontal bars, the first name on top; the chart and its height in pixels."""
    chart: Chart = {
        "animation": False,
        "grid": {**GRID, "top": 32 if len(series) > 1 else 8, "right": 40},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}},
        "xAxis": {"nameLocation": "middle", "nameGap": 26, **axis},
        "yAxis": {
            "type": "category", "data": list(names), "inverse": True,
            "axisTick": {"show": False}, "axisLabel": {"width": margin, "overflow": "truncate"},
        },
        "series": [
            {
                "name": name, "type": "bar", "barMaxWidth": 18, "data": list(values),
                **({"label": {"show": True, "position": "right"}} if len(series) == 1 else {}),
            }
            for name, values in series.items()
        ],
    }  # fmt: skip
    if len(series) > 1:
        chart["legend"] = LEGEND
    return chart, FRAME_PIXELS + len(names) * max(ROW_PIXELS, 14 * len(series))


def heat(
    across: Sequence[str],
    down: Sequence[str],
    cells: Rows,
    *,
    span: tuple[float, float],
    colours: Sequence[str],
    x: str = "",
    y: str = "",
    key: bool = True,
    shape: str = "",
) -> tuple[Chart, int]:
    """A heat map of `[column, row, value]`, the first row on top; the chart and its height.

    `shape` is how a value is written into its cell; without one nothing is.
    """
    chart: Chart = {
        "animation": False,
        "tooltip": {"position": "top"},
        "grid": {**GRID, "top": 28 if y else 8, "bottom": 76 if key else 34},
        "xAxis": {
            "type": "category", "data": list(across), "name": x, "nameLocation": "middle",
            "nameGap": 26, "axisTick": {"show": False}, "axisLabel": {"hideOverlap": True},
        },
        "yAxis": {
            "type": "category", "data": list(down), "inverse": True, "name": y,
            "nameLocation": "start", "nameTextStyle": {"align": "left"},
            "axisTick": {"show": False}, "axisLabel": {"width": 110, "overflow": "truncate"},
        },
        "visualMap": {
            "min": span[0], "max": span[1], "show": key, "calculable": False,
            "orient": "horizontal", "left": "center", "bottom": 0, "itemHeight": 120,
            "itemWidth": 12, "precision": 1, "text": [f"{span[1]:g}", f"{span[0]:g}"],
            "inRange": {"color": list(colours)},
        },
        "series": [
            {
                "type": "heatmap", "data": [_cell(cell, span, colours, shape) for cell in cells],
                "label": {"show": bool(shape)}, "itemStyle": {"borderWidth": 1,
                "borderColor": "rgba(128,128,128,0.25)"}, "selectedMode": "single",
                "select": {"itemStyle": {"borderColor": "#d58a1f", "borderWidth": 3}},
            }
        ],
    }  # fmt: skip
    return chart, (140 if key else 80) + 38 * len(down)


def _cell(
    cell: Sequence[Any], span: tuple[float, float], colours: Sequence[str], shape: str
) -> Chart:
    """A cell whose text can be read on its colour in both themes."""
    strong = abs(cell[2]) > 0.6 * span[1]
    written = (
        INK if colours is POOR_TO_GOOD else "#ffffff" if strong and colours[-1] == BLUE else MIDDLE
    )
    label = {"formatter": format(cell[2], shape), "color": written, "textBorderWidth": 0}
    return {"value": list(cell), "label": label}


def boxes(names: Sequence[str], fives: Sequence[Sequence[float]]) -> tuple[Chart, int]:
    """Box plots of five numbers each: 5 %, quarter, half, three quarters, 95 %."""
    return {
        "animation": False,
        "grid": {**GRID, "top": 8, "bottom": 36},
        "tooltip": {"trigger": "item"},
        "xAxis": {**SCORES, "nameLocation": "middle", "nameGap": 26},
        "yAxis": {
            "type": "category", "data": list(names), "inverse": True,
            "axisTick": {"show": False}, "axisLabel": {"width": 130, "overflow": "truncate"},
        },
        "series": [
            {
                "name": "Overall score", "type": "boxplot", "boxWidth": [8, 20],
                "itemStyle": {"color": "rgba(95,120,230,0.25)", "borderColor": "#5f78e6"},
                "data": [[round(one, 2) for one in five] for five in fives],
            }
        ],
    }, FRAME_PIXELS + ROW_PIXELS * len(names)  # fmt: skip


def radar(
    corners: Sequence[str],
    values: Mapping[str, Sequence[float]],
    least: float = 1,
    most: float = 5,
) -> Chart:
    """Each series around the same corners, from `least` in the middle to `most`."""
    return {
        "animation": False,
        "legend": LEGEND,
        "tooltip": {"trigger": "item"},
        "radar": {
            "indicator": [{"name": name, "min": least, "max": most} for name in corners],
            "radius": "62%", "center": ["50%", "56%"], "splitArea": {"show": False},
        },
        "series": [
            {
                "type": "radar", "symbolSize": 5, "areaStyle": {"opacity": 0.06},
                "data": [
                    {"name": name, "value": [round(one, 2) for one in found]}
                    for name, found in values.items()
                ],
            }
        ],
    }  # fmt: skip


def lines(x: str, series: Mapping[str, Rows], *, least: float, most: float) -> Chart:
    """Lines through `[x, score]` points."""
    return {
        "animation": False,
        "legend": LEGEND,
        "grid": {**GRID, "bottom": 40},
        "tooltip": {"trigger": "axis"},
        "xAxis": {
            "type": "value", "name": x, "nameLocation": "middle", "nameGap": 26,
            "min": least, "max": most,
        },
        "yAxis": SCORES,
        "series": [
            {"name": name, "type": "line", "symbolSize": 7, "data": [list(one) for one in points]}
            for name, points in series.items()
        ],
    }  # fmt: skip


def histogram(names: Sequence[str], counts: Mapping[str, Sequence[int]]) -> Chart:
    """Bars side by side over steps of the score."""
    return {
        "animation": False,
        "legend": LEGEND,
        "grid": {**GRID, "bottom": 40},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}},
        "xAxis": {
            "type": "category", "data": list(names), "name": "score", "nameLocation": "middle",
            "nameGap": 26, "axisTick": {"show": False},
        },
        "yAxis": {"type": "value", "name": "evaluations", "minInterval": 1, "splitNumber": 4,
                  "nameTextStyle": {"align": "left"}},
        "series": [
            {"name": name, "type": "bar", "data": list(values)} for name, values in counts.items()
        ],
    }  # fmt: skip


def bubbles(
    points: Rows,
    *,
    x: Mapping[str, Any],
    y: Mapping[str, Any],
    unit: str,
    levels: Mapping[str, float] | None = None,
    diagonal: bool = False,
) -> Chart:
    """`[x, y, times]` as dots whose area follows the times; `levels` are lines across."""
    most = max((point[2] for point in points), default=1)
    marks: list[Any] = [
        {"yAxis": level, "name": name, "label": {"formatter": f"{name} {level:+.2f}",
         "position": "end", "color": MIDDLE}}
        for name, level in (levels or {}).items()
    ]  # fmt: skip
    if diagonal:
        marks.append([{"coord": [1, 1], "symbol": "none"}, {"coord": [5, 5], "symbol": "none"}])
    return {
        "animation": False,
        "grid": {**GRID, "bottom": 40, "top": 34, "right": 84 if levels else 16},
        "tooltip": {"trigger": "item", "formatter": f"{{@[0]}} / {{@[1]}}: {{@[2]}} {unit}"},
        "xAxis": {"type": "value", "nameLocation": "middle", "nameGap": 26, **x},
        "yAxis": {"type": "value", "nameTextStyle": {"align": "left"}, **y},
        "series": [
            {
                "type": "scatter", "itemStyle": {"opacity": 0.45},
                "data": [
                    {"value": list(point), "symbolSize": round(5 + 27 * (point[2] / most) ** 0.5)}
                    for point in points
                ],
                "markLine": {"silent": True, "symbol": "none", "data": marks,
                             "lineStyle": {"type": "dashed"}},
            }
        ],
    }  # fmt: skip

"""Two drawings of the report, made once for SVG and for PDF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reportlab.graphics import renderSVG  # type: ignore[import-untyped]
from reportlab.graphics.shapes import Circle, Drawing, Line, PolyLine, Rect, String  # type: ignore[import-untyped]
from reportlab.lib.colors import HexColor  # type: ignore[import-untyped]

INK, GREY, RULE, BLUE = (HexColor(one) for one in ("#1b1f2a", "#5a6172", "#e1e4ea", "#3d5bd0"))
WIDTH, LEFT, RIGHT, FONT = 500, 150, 40, 9
ROW, HEIGHT = 20, 170
LOWEST, HIGHEST = 1, 5
LABELS = 6
NAME = 26


def bars(values: Sequence[tuple[str, float]]) -> Any:
    """A score from 1 to 5 for each name, as horizontal bars."""
    drawing = Drawing(WIDTH, ROW * len(values) + 24)
    scale = (WIDTH - LEFT - RIGHT) / (HIGHEST - LOWEST)
    top = ROW * len(values) + 18
    for grade in range(LOWEST, HIGHEST + 1):
        x = LEFT + (grade - LOWEST) * scale
        drawing.add(Line(x, 16, x, top, strokeColor=RULE, strokeWidth=0.7))
        drawing.add(_text(x, 4, str(grade), "middle", GREY))
    for place, (name, value) in enumerate(values):
        y = top - (place + 1) * ROW + 4
        length = (value - LOWEST) * scale
        drawing.add(Rect(LEFT, y, length, 11, fillColor=BLUE, strokeColor=None))
        # From the left: browsers have other widths of letters than the drawing reckons with.
        drawing.add(_text(0, y + 2, _short(name), "start", INK))
        drawing.add(_text(LEFT + length + 5, y + 2, f"{value:.2f}", "start", INK))
    return drawing


def line(names: Sequence[str], values: Sequence[float]) -> Any:
    """Scores from 1 to 5 in order, as a line."""
    left, bottom = 24, 22
    drawing = Drawing(WIDTH, HEIGHT)
    across = (WIDTH - left - RIGHT) / max(len(values) - 1, 1)
    scale = (HEIGHT - bottom - 8) / (HIGHEST - LOWEST)

    def at(place: int, value: float) -> tuple[float, float]:
        return left + place * across, bottom + (value - LOWEST) * scale

    for grade in range(LOWEST, HIGHEST + 1):
        y = at(0, grade)[1]
        drawing.add(Line(left, y, WIDTH - RIGHT, y, strokeColor=RULE, strokeWidth=0.7))
        drawing.add(_text(left - 8, y - 3, str(grade), "end", GREY))
    points = [at(place, value) for place, value in enumerate(values)]
    flat = [one for point in points for one in point]
    drawing.add(PolyLine(flat, strokeColor=BLUE, strokeWidth=1.6))
    if len(points) <= 40:
        for x, y in points:
            drawing.add(Circle(x, y, 2, fillColor=BLUE, strokeColor=None))
    step = max(1, -(-len(names) // LABELS))
    for place in range(0, len(names), step):
        drawing.add(_text(points[place][0], 6, names[place], "middle", GREY))
    x, y = points[-1]
    drawing.add(_text(x + 5, y - 3, f"{values[-1]:.2f}", "start", INK))
    return drawing


def svg(drawing: Any) -> str:
    """The drawing as an element to put into HTML, without the prologue of a file."""
    told: str = renderSVG.drawToString(drawing)
    return told[told.index("<svg") :]


def _text(x: float, y: float, text: str, anchor: str, colour: Any) -> Any:
    return String(
        x, y, text, textAnchor=anchor, fontSize=FONT, fontName="Helvetica", fillColor=colour
    )


def _short(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"

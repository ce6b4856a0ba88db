"""Sections of a report as pages of A4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.lib.styles import ParagraphStyle  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle  # type: ignore[import-untyped]

from buttress.apps.catalog.dashboard.executive import Alert

if TYPE_CHECKING:
    from buttress.apps.catalog.service.report import Section

INK, GREY, RULE = HexColor("#1b1f2a"), HexColor("#5a6172"), HexColor("#e1e4ea")
TEXT = ParagraphStyle("text", fontName="Helvetica", fontSize=9, leading=12, textColor=INK)
PALE = ParagraphStyle("pale", parent=TEXT, textColor=GREY)
TITLE = ParagraphStyle("title", parent=TEXT, fontName="Helvetica-Bold", fontSize=17, leading=22)
HEADING = ParagraphStyle("heading", parent=TEXT, fontName="Helvetica-Bold", fontSize=12,
                         leading=16, spaceBefore=12, spaceAfter=4)  # fmt: skip
LINES = TableStyle([
    ("LINEBELOW", (0, 0), (-1, -1), 0.5, RULE),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("TOPPADDING", (0, 0), (-1, -1), 2),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
])  # fmt: skip
MARGIN = 18 * mm
LONGEST = 300


def pages(
    out: BinaryIO, title: str, about: str, alerts: Sequence[Alert], sections: Sequence[Section]
) -> None:
    """Write the PDF."""
    document = SimpleDocTemplate(
        out, pagesize=A4, title=title, author="Buttress", leftMargin=MARGIN, rightMargin=MARGIN,
        topMargin=MARGIN, bottomMargin=MARGIN,
    )  # fmt: skip
    story: list[Any] = [_told(title, TITLE), _told(about, PALE), Spacer(1, 6)]
    for one in alerts:
        story.append(Paragraph(f"<b>{_safe(one.what)}.</b> {_safe(one.cure)}", TEXT))
    for section in sections:
        story += _section(section, document.width)
    document.build(story, onFirstPage=_number, onLaterPages=_number)


def _section(section: Section, width: float) -> list[Any]:
    head: list[Any] = [_told(section.title, HEADING)]
    if section.remark:
        head.append(_told(section.remark, PALE))
    if section.drawing is not None:
        head.append(section.drawing)
    if len(section.table) < 2:
        return [KeepTogether(head)]
    columns = len(section.table[0])
    first = 0.34 if columns > 3 else 0.4
    widths = [width * first, *[width * (1 - first) / (columns - 1)] * (columns - 1)]
    rows = [
        [_told(cell, TEXT if number else PALE) for cell in row]
        for number, row in enumerate(section.table)
    ]
    table = Table(rows, colWidths=widths, repeatRows=1, style=LINES, hAlign="LEFT")
    return [KeepTogether(head), table] if len(rows) > 25 else [KeepTogether([*head, table])]


def _told(text: str, style: ParagraphStyle) -> Any:
    return Paragraph(_safe(text), style)


def _safe(text: str) -> str:
    """Text from elsewhere as text: the fonts of every PDF hold Latin-1 alone."""
    return escape(text[:LONGEST]).encode("cp1252", "replace").decode("cp1252")


def _number(canvas: Any, _: Any) -> None:
    canvas.setFont("Helvetica", 8)
    canvas.setFillColor(GREY)
    canvas.drawRightString(A4[0] - MARGIN, 10 * mm, str(canvas.getPageNumber()))

"""Reports with tables, made here so that every value in them is known."""

import io
import random
from dataclasses import dataclass
from decimal import Decimal

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from buttress.documents import Column

COLUMNS = [
    Column("code", ("Item code", "Código")),
    Column("description", ("Product",)),
    Column("quantity", ("Qty", "Units sold"), "integer"),
    Column("price", ("Unit price",), "number"),
    Column("cost", ("Unit cost",), "number"),
    Column("margin", ("Margin EUR",), "number"),
    Column("share", ("Margin %", "Margin in %"), "number"),
]
HEAD = ["Code", "Description", "Qty", "Unit price", "Cost", "Margin EUR", "Margin %"]
TWO_LINES = ["Item\ncode", "Product", "Units\nsold", "Unit\nprice", "Unit\ncost", "Margin\nEUR",
             "Margin\nin %"]  # fmt: skip
WORDS = [
    "hydrating",
    "serum",
    "with",
    "hyaluronic",
    "acid",
    "gentle",
    "cleansing",
    "foam",
    "for",
    "sensitive",
    "skin",
    "night",
    "repair",
    "cream",
    "SPF",
    "50",
    "mineral",
    "body",
    "lotion",
    "almond",
    "oil",
    "refill",
    "pack",
    "limited",
    "edition",
    "30",
    "ml",
]


@dataclass(frozen=True)
class Layout:
    """How a report is printed."""

    ruled: bool = False
    european: bool = False
    head: tuple[str, ...] = tuple(HEAD)
    repeated: bool = True
    wide: bool = False


RULED = Layout(ruled=True)
PLAIN = Layout(european=True)


def report(rows: int, layout: Layout, seed: int = 1) -> tuple[bytes, list[tuple[object, ...]]]:
    """A PDF file and the rows that are printed in it, in the order of `COLUMNS`."""
    chance = random.Random(seed)
    style = getSampleStyleSheet()["BodyText"]
    style.fontSize, style.leading = 8, 9.5
    truth, printed = [], []
    for number in range(rows):
        row = _row(chance, number)
        truth.append(row)
        code, description, *numbers = row
        printed.append(
            [code, Paragraph(description, style), *(_shown(one, layout) for one in numbers)]
        )
    totals = [sum(row[at] for row in truth) for at in (2, 5)]
    printed.append(["Total", "", _shown(totals[0], layout), "", "", _shown(totals[1], layout), ""])
    buffer = io.BytesIO()
    _document(buffer, [list(layout.head), *printed], layout)
    return buffer.getvalue(), truth


def _row(chance: random.Random, number: int) -> tuple[object, ...]:
    description = " ".join(chance.choice(WORDS) for _ in range(chance.randint(2, 15)))
    quantity = chance.randint(1, 5000)
    price = Decimal(chance.randint(100, 30_000)) / 100
    cost = Decimal(chance.randint(100, 30_000)) / 100
    margin = (price - cost) * quantity
    share = round((price - cost) / price * 100, 1)
    return f"SKU-{10_000 + number}", description, quantity, price, cost, margin, share


def _shown(value: object, layout: Layout) -> str:
    assert isinstance(value, int | Decimal)
    text = f"{abs(value):,}"
    if layout.european:
        text = text.translate(str.maketrans(",.", ".,"))
    return f"({text})" if value < 0 else text


def _document(buffer: io.BytesIO, rows: list[list[object]], layout: Layout) -> None:
    size = landscape(A4) if layout.wide else A4
    width = [55, 185, 45, 50, 50, 80, 55]
    table = Table(rows, colWidths=width, repeatRows=1 if layout.repeated else 0)
    commands: list[tuple[object, ...]] = [
        ("FONTSIZE", (0, 0), (-1, -1), 8),
        ("ALIGN", (2, 0), (-1, -1), "RIGHT"),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE" if layout.ruled else "TOP"),
    ]
    if layout.ruled:
        commands.append(("GRID", (0, 0), (-1, -1), 0.5, colors.black))
    table.setStyle(TableStyle(commands))

    def around(canvas: Canvas, document: SimpleDocTemplate) -> None:
        canvas.setFont("Helvetica", 7)
        canvas.drawString(40, size[1] - 20, "Margin report 2026")
        canvas.drawString(40, 18, f"Page {document.page}")

    title = Paragraph("Margins by product", getSampleStyleSheet()["Heading1"])
    document = SimpleDocTemplate(
        buffer, pagesize=size, title="Margin report", topMargin=40, bottomMargin=40
    )
    document.build([title, Spacer(1, 8), table], onFirstPage=around, onLaterPages=around)


def page_of(*texts: tuple[float, float, str], turned: bool = False, size: float = 9) -> bytes:
    """One page, 600 by 800 points, with texts at left and top; `turned` is printed sideways."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(800, 600) if turned else (600, 800))
    if turned:
        # Held upright the sheet lies on its side, and says so.
        canvas.setPageRotation(90)
        canvas.translate(800, 0)
        canvas.rotate(90)
    canvas.setFont("Helvetica", size)
    for left, top, text in texts:
        canvas.drawString(left, 800 - top, text)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()

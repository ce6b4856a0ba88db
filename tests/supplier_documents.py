"""Documents of suppliers, generated: what tests of the catalog read."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import xlsxwriter
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import ListFlowable, ListItem, Paragraph, SimpleDocTemplate, Spacer, Table

EAN = "5601234567892"
OTHER_EAN = "5601234567908"
WRONG_EAN = "5601234567890"

FACTS = (
    ("Brand", "Oakleaf"),
    ("Product line", "Hydra Calm"),
    ("EAN", EAN),
    ("CNP", "7123456"),
    ("Net content", "50 ml"),
    ("Dimensions (W x H x D)", "65 x 50 x 65 mm"),
    ("Gross weight", "0,182 kg"),
    ("PVP", "€ 24,90"),
    ("RRP", "29,90 €"),
    ("Supplier price", "EUR 11.20"),
)
INCI = (
    "Aqua, Glycerin, Niacinamide, Caprylic/Capric Triglyceride, Panthenol, 1,2-Hexanediol, "
    "Cetearyl Alcohol, Glyceryl Stearate, Xanthan Gum, Sodium Hyaluronate, Tocopherol, Parfum, "
    "Citric Acid."
)
SECTIONS: tuple[tuple[str, str | Sequence[str]], ...] = (
    (
        "Description",
        "Hydra Calm Face Cream is a light cream that soothes dry and sensitive skin. It absorbs in "
        "seconds and leaves no trace. The formula was made with dermatologists for skin that "
        "reacts to the weather. It keeps the skin moisturised for 24 hours.",
    ),
    ("Key benefits", ("Soothes dry and sensitive skin", "Moisturises for 24 hours")),
    ("Active ingredients", ("Niacinamide: strengthens the skin barrier", "Panthenol: soothes")),
    (
        "How to use",
        "Apply a small amount to the face in the morning and in the evening. Massage gently "
        "until absorbed.",
    ),
    ("Ingredients (INCI)", INCI),
)
PORTUGUESE: tuple[tuple[str, str | Sequence[str]], ...] = (
    ("Descrição", "Um creme leve que acalma a pele seca. Não deixa vestígios na pele."),
    ("Principais benefícios", ("Acalma a pele seca", "Hidrata durante 24 horas")),
    ("Modo de utilização", "Aplicar de manhã e à noite no rosto limpo."),
)


def datasheet(
    title: str = "Oakleaf Hydra Calm Face Cream 50 ml",
    facts: Iterable[tuple[str, str]] = FACTS,
    sections: Iterable[tuple[str, str | Sequence[str]]] = SECTIONS,
    table: Sequence[Sequence[str]] = (),
) -> bytes:
    """A PDF: a title, a table of labels and values, sections, a table with a header."""
    styles = getSampleStyleSheet()

    def text(content: str, style: str = "BodyText") -> Paragraph:
        return Paragraph(content, styles[style])

    parts: list[Any] = [text(title, "Title")]
    pairs = [list(pair) for pair in facts]
    if pairs:
        parts += [Table(pairs, colWidths=[150, 250], hAlign="LEFT"), Spacer(1, 12)]
    if table:
        parts += [Table([list(row) for row in table], colWidths=[90] * len(table[0])), Spacer(1, 9)]
    for heading, content in sections:
        parts.append(text(heading, "Heading2"))
        if isinstance(content, str):
            parts.append(text(content))
        else:
            items = [ListItem(text(item)) for item in content]
            parts.append(ListFlowable(items, bulletType="bullet"))
    out = io.BytesIO()
    SimpleDocTemplate(out, pagesize=A4).build(parts)
    return out.getvalue()


def workbook(rows: Iterable[Sequence[object]], *, sheet: str = "Prices") -> bytes:
    """A sheet as Excel keeps it."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    page = book.add_worksheet(sheet)
    for number, row in enumerate(rows):
        page.write_row(number, 0, row)
    book.close()
    return out.getvalue()


def shop_page(product: dict[str, Any], text: str = "") -> bytes:
    """A page of a shop with JSON-LD."""
    data = json.dumps({"@context": "https://schema.org", "@type": "Product"} | product)
    return (
        f'<html lang="en"><head><title>{product.get("name", "")} | Shop</title>'
        f'<script type="application/ld+json">{data}</script></head>'
        f"<body><main><h1>{product.get('name', '')}</h1>{text}</main></body></html>"
    ).encode()

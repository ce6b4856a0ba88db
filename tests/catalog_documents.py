"""Documents whose content is known."""

from __future__ import annotations

import io

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

DATASHEET = """\
Product name: Hydra Calm Face Cream
Brand: Oakleaf
EAN: 5601234567893
Net content: 50 ml
Weight: 182 g
Dimensions: 6.5 x 5 x 6.5 cm
Supplier price: 11,20 EUR
Sale price: 24,90 EUR
Recommended price: 29,90 EUR
Ingredients: Aqua, Glycerin, Niacinamide, Panthenol
Description: A light face cream that calms dry skin.
Benefits: Calms dry skin; Keeps moisture for 24 hours
How to use: Apply to the clean face in the morning and in the evening.
"""


def datasheet(text: str = DATASHEET, pages: int = 1) -> bytes:
    """A PDF with these lines on its first page."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, invariant=True)
    for page in range(pages):
        canvas.setFont("Helvetica", 11)
        lines = text.splitlines() if page == 0 else [f"Page {page + 1} is about delivery."]
        for place, line in enumerate(lines):
            canvas.drawString(60, 780 - 18 * place, line)
        canvas.showPage()
    canvas.save()
    return file.getvalue()

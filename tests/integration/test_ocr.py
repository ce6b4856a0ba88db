"""A scanned page read by tesseract, through the whole room of documents: jail, library, places."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from buttress.documents import read_pdf

SIDE, DOTS = 400, 4
WORDS = "Hydra Calm Cream 50 ml"


@pytest.fixture(scope="module")
def scan() -> bytes:
    """A PDF of one page that is nothing but a picture of a line of text."""
    picture = Image.new("L", (SIDE * DOTS, SIDE * DOTS), 255)
    ImageDraw.Draw(picture).text(
        (50 * DOTS, 100 * DOTS), WORDS, fill=0, font=ImageFont.load_default(size=20 * DOTS)
    )
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=(SIDE, SIDE))
    canvas.drawImage(ImageReader(picture), 0, 0, SIDE, SIDE)
    canvas.save()
    return written.getvalue()


def test_a_scan_is_read_with_the_places_of_its_words(scan: bytes) -> None:
    document = read_pdf(scan)
    if any("no OCR is installed" in note for note in document.notes):
        pytest.skip("needs libtesseract and its data: apt-get install tesseract-ocr")

    (page,) = document.pages
    assert page.scanned
    assert page.text.split() == WORDS.split()
    first = page.lines[0].words[0]
    assert (first.box.left, first.box.top) == pytest.approx((50, 105), abs=8)
    (note,) = document.notes
    assert note.startswith("Page 1 is read by OCR")

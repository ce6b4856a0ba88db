"""What runs in the jail for a PDF file: pdfium, which may crash there.

Nothing outside this module and the jail touches the file's bytes.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from typing import IO

import msgspec
import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as raw  # type: ignore[import-untyped]

from buttress.documents.characters import to_page, words_of
from buttress.documents.lines import lines_of
from buttress.documents.parts import PageText, PdfDocument, Word
from buttress.documents.png import png
from buttress.errors import Refused

PAGES = 2_000
PAGE_CHARACTERS = 400_000
CHARACTERS = 6_000_000
PIXELS = 12_000_000
OBJECTS = 500
"""Objects of a page that are looked at for whether it is a scan."""

NO_PAGES = re.compile(rb"/Type\s*/Pages\b[^>]{0,200}/Count\s+0\b")

UNKNOWN = re.compile("[\ufffd\ue000-\uf8ff]")
"""Letters of fonts that do not say which they are."""


def read_pages(file: IO[bytes], numbers: Sequence[int] | None) -> bytes:
    """The pages with these numbers, or all: a `PdfDocument` in msgpack."""
    with open_pdf(file) as document:
        count = len(document)
        notes: list[str] = []
        pages: list[PageText] = []
        left = CHARACTERS
        for number in _asked(numbers, count):
            try:
                page = document[number - 1]
            except pdfium.PdfiumError:
                notes.append(f"Page {number} is damaged and was not read.")
                continue
            text, told = _page(page, number, min(left, PAGE_CHARACTERS))
            left -= sum(len(line.text) for line in text.lines)
            pages.append(text)
            notes += told
            page.close()
        if not pages:
            raise Refused(
                "no page of the PDF file can be read",
                cause="damaged",
                hint="Open it and print it into a new PDF file.",
            )
        title = " ".join(_clean(document.get_metadata_value("Title")).split()) or None
    return msgspec.msgpack.encode(PdfDocument(tuple(pages), count, title, tuple(notes)))


def draw(file: IO[bytes], number: int, scale: float) -> bytes:
    """A page as PNG: `scale` pixels a point, fewer when it would have too many."""
    with open_pdf(file) as document:
        (number,) = _asked([number], len(document))
        with_forms = _with_forms(document)
        page = loaded(document, number)
        bitmap = page.render(
            scale=_bounded(page, scale), rev_byteorder=True, may_draw_forms=with_forms,
            force_bitmap_format=raw.FPDFBitmap_BGR,
        )  # fmt: skip
        image = png(bitmap.width, bitmap.height, bitmap.stride, bytes(bitmap.buffer), 3)
    return msgspec.msgpack.encode(image)


def drawn_in_gray(page: pdfium.PdfPage, scale: float) -> tuple[int, int, int, bytes, float]:
    """Width, height, bytes a row, pixels, and the scale that was taken."""
    taken = _bounded(page, scale)
    bitmap = page.render(scale=taken, grayscale=True, force_bitmap_format=raw.FPDFBitmap_Gray)
    return bitmap.width, bitmap.height, bitmap.stride, bytes(bitmap.buffer), taken


def open_pdf(file: IO[bytes]) -> pdfium.PdfDocument:
    """The document, with at least one page; raises `Refused`."""
    content = file.read()
    if b"%PDF-" not in content[:1024]:
        raise Refused(
            "that is not a PDF file",
            cause="kind",
            hint="Save the document as PDF; renaming a file does not change what it is.",
        )
    if b"startxref" not in content[-4096:] and b"%%EOF" not in content[-4096:]:
        # pdfium would make do with what is there, and pages would be missing silently.
        raise Refused(
            "the PDF file is cut short: its end is missing",
            cause="damaged",
            hint="Download or copy it again.",
        )
    try:
        document = pdfium.PdfDocument(content)
        count = len(document)
    except pdfium.PdfiumError as error:
        code = raw.FPDF_GetLastError()
        if not NO_PAGES.search(content):
            raise _refused(code) from error
        count = 0
    if not count:
        raise Refused("the PDF file has no pages", cause="empty", hint="Make it anew.")
    return document


def _refused(code: int) -> Refused:
    if code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
        return Refused(
            "the PDF file is protected by a password",
            cause="password",
            hint="Open it with the password, print it into a new PDF file and take that.",
        )
    return Refused(
        "the PDF file is damaged",
        cause="damaged",
        hint="Download it again, or open it and print it into a new PDF file.",
    )


def _asked(numbers: Sequence[int] | None, count: int) -> Sequence[int]:
    """The page numbers to read; raises `Refused` for pages that are not there, and too many."""
    asked = range(1, count + 1) if numbers is None else sorted(set(numbers))
    wrong = [number for number in asked if not 1 <= number <= count]
    if wrong:
        raise Refused(
            f"there is no page {wrong[0]}: the PDF file has {count}",
            cause="pages",
            hint=f"Ask for pages from 1 to {count}.",
        )
    if len(asked) > PAGES:
        raise Refused(
            f"{len(asked):,} pages are more than the {PAGES:,} that are read at once",
            cause="size",
            hint="Ask for fewer pages at a time.",
        )
    return asked


def loaded(document: pdfium.PdfDocument, number: int) -> pdfium.PdfPage:
    """A page by its number; raises `Refused`."""
    try:
        return document[number - 1]
    except pdfium.PdfiumError as error:
        raise Refused(
            f"page {number} of the PDF file is damaged", cause="damaged", hint="Leave it out."
        ) from error


def _with_forms(document: pdfium.PdfDocument) -> bool:
    if document.get_formtype() == raw.FORMTYPE_NONE:
        return False
    document.init_forms()
    return True


def _bounded(page: pdfium.PdfPage, scale: float) -> float:
    """A scale at which the page has no more than `PIXELS`."""
    width, height = page.get_size()
    area = max(width * height, 1.0)
    longest = max(width, height, 1.0)
    # A little less, as sides are rounded up to whole pixels.
    return float(max(min(scale, 0.998 * (PIXELS / area) ** 0.5, 20_000 / longest), 1 / longest))


def _page(page: pdfium.PdfPage, number: int, most: int) -> tuple[PageText, list[str]]:
    notes: list[str] = []
    width, height = page.get_size()
    if raw.FPDFPage_GetAnnotCount(page) > 0:
        # What was filled into a form becomes text of the page.
        raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
        page = page.pdf[number - 1]
    textpage = page.get_textpage()
    count = textpage.count_chars()
    if count > most:
        notes.append(f"Page {number} has {count:,} characters; the first {most:,} were read.")
    words = words_of(textpage, min(count, most), to_page(page))
    lines = lines_of(words)
    if _has_unknown_letters(words):
        notes.append(f"Page {number} has letters whose font does not say which they are.")
    scanned = not lines and _has_picture(page, width * height)
    textpage.close()
    return PageText(number, round(width, 2), round(height, 2), lines, scanned), notes


def _has_picture(page: pdfium.PdfPage, area: float) -> bool:
    """Whether images cover a quarter of a page."""
    covered = 0.0
    for index in range(min(raw.FPDFPage_CountObjects(page), OBJECTS)):
        thing = raw.FPDFPage_GetObject(page, index)
        if raw.FPDFPageObj_GetType(thing) in (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_FORM):
            ends = [ctypes.c_float() for _ in range(4)]
            if raw.FPDFPageObj_GetBounds(thing, *ends):
                left, low, right, high = (end.value for end in ends)
                covered += max(right - left, 0) * max(high - low, 0)
    return covered * 4 > area


def _has_unknown_letters(words: list[Word]) -> bool:
    text = "".join(word.text for word in words)
    unknown = len(UNKNOWN.findall(text))
    return unknown > 20 and unknown * 5 > len(text)


def _clean(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()

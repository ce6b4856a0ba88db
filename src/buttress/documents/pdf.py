"""PDF files: their text with its boxes, and their pages as images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from buttress.documents.opening import opened, read_in_jail
from buttress.documents.parts import PageText, PdfDocument
from buttress.documents.refusals import DocumentError

WHAT = "the PDF file"
MOST_SCANS = 20
"""Scanned pages that are read in one call; each takes seconds."""


def read_pdf(content: bytes | Path, *, pages: Sequence[int] | None = None) -> PdfDocument:
    """The text of a PDF file, each word with its box.

    Parameters
    ----------
    content
        The file's bytes, or where it lies.
    pages
        Numbers from 1; all when None.

    Raises
    ------
    DocumentError
        `NotThatKind`, `Protected` by a password, `Damaged` or cut short, `Empty`,
        `DocumentTooLarge`; itself where reading was stopped, with the `cause`.
    """
    numbers = None if pages is None else [int(number) for number in pages]
    with opened(content) as file:
        document = read_in_jail(
            "pdfium.read_pages", numbers, file=file, into=PdfDocument, what=WHAT
        )
        scans = [page.number for page in document.pages if page.scanned]
        return _with_scans_read(document, scans, file) if scans else document


def preview(content: bytes | Path, page: int, *, scale: float = 0.7) -> bytes:
    """A page as a PNG image of `scale` pixels a point (1 is 72 dpi); huge pages get fewer.

    Raises `DocumentError` as `read_pdf` does.
    """
    with opened(content) as file:
        return read_in_jail(
            "pdfium.draw", int(page), float(scale), file=file, into=bytes, what=WHAT
        )


def _with_scans_read(document: PdfDocument, scans: list[int], file: IO[bytes]) -> PdfDocument:
    """The document with what OCR reads on scanned pages, and notes about them."""
    notes = list(document.notes)
    read: dict[int, PageText] = {}
    for number in scans[:MOST_SCANS]:
        try:
            page = read_in_jail("ocr.read_scan", number, file=file, into=PageText, what=WHAT)
        except DocumentError as error:
            if error.cause == "no ocr":
                notes.append(_unread(scans, "no OCR is installed (tesseract 5)"))
                return replace(document, notes=tuple(notes))
            notes.append(f"Page {number} is a scan and OCR failed on it: {error.message}.")
        else:
            read[number] = page
    if read:
        notes.append(
            f"{_numbered(list(read))} read by OCR, which takes letters for others: look at them."
        )
    if scans[MOST_SCANS:]:
        notes.append(_unread(scans[MOST_SCANS:], "OCR reads 20 pages at a time: ask for them"))
    pages = tuple(read.get(page.number, page) for page in document.pages)
    return replace(document, pages=pages, notes=tuple(notes))


def _unread(scans: list[int], why: str) -> str:
    return f"{_numbered(scans)} scanned, without text; {why}."


def _numbered(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10])) + (" and others" if len(numbers) > 10 else "")
    return f"Page {shown} is" if len(numbers) == 1 else f"Pages {shown} are"

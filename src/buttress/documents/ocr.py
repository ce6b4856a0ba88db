"""Scanned pages, read by tesseract where it is installed; runs in the jail.

The library is called, not the program: a jail starts no programs.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from buttress.documents.lines import lines_of
from buttress.documents.parts import Box, PageText, Word
from buttress.documents.pdfium import drawn_in_gray, loaded, open_pdf
from buttress.errors import Refused

LIBRARIES = ("libtesseract.so.5", "libtesseract.so.4", "libtesseract.5.dylib")
DATA = (
    "/usr/share/tesseract-ocr/5/tessdata", "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata", "/usr/local/share/tessdata",
)  # fmt: skip
LANGUAGES = ("por", "eng")
DPI = 250
SURE = 30.0
"""Of 100: words tesseract is less sure of are specks."""

WORD_LEVEL = "5"


def read_scan(file: IO[bytes], number: int) -> bytes:
    """What OCR reads on a page: a `PageText` in msgpack; raises `Refused`, cause `no ocr`."""
    library, data, languages = _tesseract()
    document = open_pdf(file)
    page = loaded(document, number)
    width, height = page.get_size()
    columns, rows, stride, pixels, scale = drawn_in_gray(page, DPI / 72)
    table = _recognised(library, data, languages, (columns, rows, stride, pixels), scale)
    lines = lines_of(_words(table, scale))
    return msgspec.msgpack.encode(
        PageText(number, round(width, 2), round(height, 2), lines, scanned=True)
    )


def _tesseract() -> tuple[ctypes.CDLL, str, str]:
    """The library, the folder of its data, and the languages that are there."""
    # Its threads share the processor with others' work.
    os.environ["OMP_THREAD_LIMIT"] = "1"  # noqa: TID251 — read by the library, in the jail
    for data in DATA:
        languages = [one for one in LANGUAGES if Path(data, f"{one}.traineddata").is_file()]
        for name in LIBRARIES if languages else ():
            try:
                return ctypes.CDLL(name), data, "+".join(languages)
            except OSError:
                continue
    raise Refused("tesseract is not installed", cause="no ocr", hint="Install tesseract-ocr.")


def _recognised(
    library: ctypes.CDLL,
    data: str,
    languages: str,
    image: tuple[int, int, int, bytes],
    scale: float,
) -> str:
    """Tesseract's table of what it read, tab-separated."""
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    library.TessBaseAPICreate.restype = pointer
    library.TessBaseAPIInit3.argtypes = [pointer, text, text]
    library.TessBaseAPISetImage.argtypes = [pointer, text, number, number, number, number]
    library.TessBaseAPISetSourceResolution.argtypes = [pointer, number]
    library.TessBaseAPIGetTsvText.argtypes = [pointer, number]
    library.TessBaseAPIGetTsvText.restype = text
    reader: Any = library.TessBaseAPICreate()
    if library.TessBaseAPIInit3(reader, data.encode(), languages.encode()):
        raise Refused("tesseract does not start with its data", cause="no ocr")
    width, height, stride, pixels = image
    library.TessBaseAPISetImage(reader, pixels, width, height, 1, stride)
    library.TessBaseAPISetSourceResolution(reader, round(scale * 72))
    table: bytes | None = library.TessBaseAPIGetTsvText(reader, 0)
    return (table or b"").decode("utf-8", "replace")


def _words(table: str, scale: float) -> Iterator[Word]:
    for line in table.splitlines():
        cells = line.split("\t")
        if len(cells) < 12 or cells[0] != WORD_LEVEL or float(cells[10]) < SURE:
            continue
        text = cells[11].strip()
        if text:
            left, top, width, height = (int(cell) / scale for cell in cells[6:10])
            yield Word(
                text,
                Box(
                    round(left, 2),
                    round(top, 2),
                    round(left + width, 2),
                    round(top + height, 2),
                ),
            )

"""Words out of pdfium's characters; runs in the jail.

Every character of a file passes here, which is why the loop calls little.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as raw  # type: ignore[import-untyped]

from buttress.documents.parts import Box, Word

GAP = 0.35
"""Of a character's height: farther apart, characters are of two words."""

HYPHENS = (0x02, 0xAD, 0xFFFE)
"""How pdfium tells a hyphen at the end of a line."""

Corner = Callable[[float, float], tuple[float, float]]


def to_page(page: pdfium.PdfPage) -> Corner:
    """From the coordinates of a file to points from the upper left corner of a page as shown."""
    left, bottom, right, top = page.get_bbox()
    match page.get_rotation():
        case 90:
            return lambda x, y: (y - bottom, x - left)
        case 180:
            return lambda x, y: (right - x, y - bottom)
        case 270:
            return lambda x, y: (top - y, right - x)
        case _:
            return lambda x, y: (x - left, top - y)


def words_of(textpage: pdfium.PdfTextPage, count: int, place: Corner) -> list[Word]:
    """Words of the first `count` characters, in the order of the file."""
    handle = textpage.raw
    unicode_of, box_of = raw.FPDFText_GetUnicode, raw.FPDFText_GetLooseCharBox
    box = raw.FS_RECTF()
    reference = ctypes.byref(box)
    words: list[Word] = []
    text: list[str] = []
    left = right = low = high = before = 0.0
    for index in range(count):
        code = unicode_of(handle, index)
        if code in HYPHENS:
            code = 0x2D
        character = chr(code) if code <= 0x10FFFF else "\ufffd"
        if code <= 0x20 or 0x7F <= code <= 0xA0 or (code > 0xA0 and character.isspace()):
            if text:
                words.append(_word(text, place(left, high), place(right, low)))
                text = []
            continue
        box_of(handle, index, reference)
        x0, x1, y0, y1 = box.left, box.right, box.bottom, box.top
        if y1 - y0 < 0.1 or x1 < x0:
            x0, x1, y0, y1 = _turned_box(handle, index)
        if text:
            away = x0 - right
            if (away > 1 or away < -1 or y0 != low or y1 != high) and _apart(
                (x0, x1, y0, y1), (left, right, low, high), before
            ):
                words.append(_word(text, place(left, high), place(right, low)))
                text = []
        before = x0
        if not text:
            left, right, low, high = x0, x1, y0, y1
        else:
            left = x0 if x0 < left else left
            right = x1 if x1 > right else right
            low = y0 if y0 < low else low
            high = y1 if y1 > high else high
        text.append(character)
    if text:
        words.append(_word(text, place(left, high), place(right, low)))
    return words


Ends = tuple[float, float, float, float]
"""Left, right, low, high."""


def _apart(character: Ends, word: Ends, before: float) -> bool:
    """Whether a character does not continue a word whose last one began at `before`."""
    x0, x1, y0, y1 = character
    left, right, low, high = word
    height = min(y1 - y0, high - low)
    aside = max(x0 - right, left - x1)
    above = max(y0 - high, low - y1)
    return max(aside, above) > GAP * height or (before - x0 > height and above < 0)


def _word(text: list[str], one: tuple[float, float], other: tuple[float, float]) -> Word:
    joined = "".join(text)
    if not joined.isprintable():
        # Letters beyond U+FFFF may come as two halves.
        joined = joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    # A hundredth of a point is finer than any printer, and shorter to send.
    (x0, y0), (x1, y1) = one, other
    if x0 > x1:
        x0, x1 = x1, x0
    if y0 > y1:
        y0, y1 = y1, y0
    return Word(joined, Box(round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)))


def _turned_box(handle: Any, index: int) -> Ends:
    """The box of a character of text that does not run from left to right."""
    left, right, low, high = (ctypes.c_double() for _ in range(4))
    raw.FPDFText_GetCharBox(handle, index, left, right, low, high)
    x, y = ctypes.c_double(), ctypes.c_double()
    matrix = raw.FS_MATRIX()
    raw.FPDFText_GetCharOrigin(handle, index, x, y)
    raw.FPDFText_GetMatrix(handle, index, matrix)
    size = raw.FPDFText_GetFontSize(handle, index)
    if abs(matrix.c) < abs(matrix.d):
        ends = sorted(y.value + share * matrix.d * size for share in (-0.22, 0.78))
        return left.value, right.value, ends[0], ends[1]
    ends = sorted(x.value + share * matrix.c * size for share in (-0.22, 0.78))
    return ends[0], ends[1], low.value, high.value

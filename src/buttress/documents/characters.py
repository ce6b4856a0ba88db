"""Words out of pdfium's characters; runs in the jail.

Every character of a file passes here: boxes are asked of a word's ends where these tell enough.
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

_rectangle = raw.FS_RECTF()
_reference = ctypes.byref(_rectangle)

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
    unicode_of = raw.FPDFText_GetUnicode
    codes = [unicode_of(handle, index) for index in range(count)]
    words: list[Word] = []
    start: int | None = None
    for index, code in enumerate(codes):
        if code <= 0x20 or 0x7F <= code <= 0xA0 or (code > 0xA0 and _is_space(code)):
            if start is not None and code not in HYPHENS:
                words += _run(handle, codes, start, index, place)
                start = None
            continue
        if start is None:
            start = index
    if start is not None:
        words += _run(handle, codes, start, count, place)
    return words


def _is_space(code: int) -> bool:
    return code <= 0x10FFFF and chr(code).isspace()


def _run(handle: Any, codes: list[int], start: int, end: int, place: Corner) -> list[Word]:
    """The words of characters without a space between them, mostly one."""
    text = [_character(code) for code in codes[start:end]]
    first = _box(handle, start)
    last = first if end - start == 1 else _box(handle, end - 1)
    left, _, low, high = first
    height = high - low
    as_wide = last[1] - left
    level = abs(last[2] - low) < 0.1 and abs(last[3] - high) < 0.1
    if level and 0 <= as_wide <= 1.3 * height * len(text):
        return [_word(text, place(left, high), place(last[1], low))]
    return _parts(handle, text, start, place)


def _parts(handle: Any, text: list[str], start: int, place: Corner) -> list[Word]:
    """The same, each character looked at: they stand apart, or above each other."""
    words: list[Word] = []
    part: list[str] = []
    left = right = low = high = before = 0.0
    for index, character in enumerate(text, start):
        box = x0, x1, y0, y1 = _box(handle, index)
        if part and _apart(box, (left, right, low, high), before):
            words.append(_word(part, place(left, high), place(right, low)))
            part = []
        before = x0
        if part:
            left, right = min(left, x0), max(right, x1)
            low, high = min(low, y0), max(high, y1)
        else:
            left, right, low, high = box
        part.append(character)
    words.append(_word(part, place(left, high), place(right, low)))
    return words


def _character(code: int) -> str:
    if code in HYPHENS:
        return "-"
    return chr(code) if code <= 0x10FFFF else "\ufffd"


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


def _box(handle: Any, index: int) -> Ends:
    raw.FPDFText_GetLooseCharBox(handle, index, _reference)
    if _rectangle.top - _rectangle.bottom < 0.1 or _rectangle.right < _rectangle.left:
        return _turned_box(handle, index)
    return _rectangle.left, _rectangle.right, _rectangle.bottom, _rectangle.top


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

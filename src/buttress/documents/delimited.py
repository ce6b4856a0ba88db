"""What runs in the jail for CSV: which encoding, which delimiter, then the rows as texts."""

from __future__ import annotations

import codecs
import csv
import math
from collections import Counter
from itertools import islice
from typing import IO

import msgspec

from buttress.errors import Refused

CELLS = 2_000_000
FIELD_CHARACTERS = 1_000_000
SAMPLE_BYTES = 200_000
SAMPLE_ROWS = 60
DELIMITERS = (";", "\t", ",", "|")
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ONE_BYTE = ("cp1252", "iso-8859-15", "cp850", "mac_roman", "cp1250")
"""Tried where a file is no UTF-8; on a tie the first is taken."""

USUAL = frozenset(
    "áàâãäåæçéèêëíìîïñóòôõöøœúùûüßÁÀÂÃÄÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÕÖØÚÙÛÜ€£§°ºª®™©–—‘’“”…·«»½¼²³µ×"
)


def read_rows(file: IO[bytes], name: str) -> bytes:
    """One sheet as `calamine.read_sheets` gives it."""
    content = file.read()
    _refuse_other_kinds(content)
    text, notes = _decoded(content)
    if not text.strip():
        raise Refused("the file has no text", cause="empty", hint="Upload the file again.")
    delimiter, text = _delimiter(text, name)
    rows = _rows(text, delimiter)
    stem = name.rpartition("/")[2].rpartition(".")[0] or name or "sheet"
    return msgspec.msgpack.encode([(stem[:100], rows, notes, [])])


def _refuse_other_kinds(content: bytes) -> None:
    start = content[:2048].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if start.startswith((b"%pdf-", b"\x89png", b"\xff\xd8\xff", b"gif8", b"rar!", b"\x1f\x8b")):
        raise _not_that_kind("something else than a sheet")
    if start.startswith((b"<!doctype", b"<html", b"<table", b"<?xml")):
        raise _not_that_kind("a web page or XML, though named like a sheet")


def _not_that_kind(what: str) -> Refused:
    return Refused(
        f"the file is {what}",
        cause="kind",
        hint="Open it in a spreadsheet program and save it as .xlsx or .csv.",
    )


def _decoded(content: bytes) -> tuple[str, list[str]]:
    """The text, and what a reader should know about how it was decoded."""
    for mark, encoding in BOMS:
        if content.startswith(mark):
            return _without_nul(content.decode(encoding, "replace")), []
    nul = content[:SAMPLE_BYTES].count(0)
    if nul:
        return _without_nul(_wide(content, nul)), ["Read as UTF-16; the file does not say so."]
    try:
        return content.decode(), []
    except UnicodeDecodeError:
        pass
    text = content.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    # An ASCII file has no such bytes, one of another encoding hardly a right one.
    right = sum(one > "\x7f" for one in text[:SAMPLE_BYTES]) - wrong
    if right > 10 * wrong:
        return text, [f"{wrong:,} bytes are no UTF-8 and show as \ufffd."]
    sample = content[:SAMPLE_BYTES]
    encoding = max(ONE_BYTE, key=lambda one: _usual(sample.decode(one, "replace")))
    return content.decode(encoding, "replace"), [f"Read as {encoding}; the file does not say so."]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise _not_that_kind("no text: it has NUL characters in it")
    return text


def _wide(content: bytes, nul: int) -> str:
    """UTF-16 without a mark, told by where its zero bytes are; raises `Refused`."""
    sample = content[:SAMPLE_BYTES]
    odd = sample[1::2].count(0)
    if nul * 3 > len(sample) and max(odd, nul - odd) > 0.9 * nul:
        return content.decode("utf-16-le" if odd * 2 > nul else "utf-16-be", "replace")
    raise _not_that_kind("no text: it has NUL bytes in it")


def _usual(text: str) -> int:
    return sum(1 if one in USUAL else -1 for one in text if one > "\x7f")


def _delimiter(text: str, name: str) -> tuple[str, str]:
    """What separates fields, and the text without a line that only says so."""
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first.strip()) == 5:
        return first[4], rest
    sample = text[:SAMPLE_BYTES].splitlines(keepends=True)[: SAMPLE_ROWS * 4]
    scores = {one: _regular(sample, one) for one in DELIMITERS}
    if name.lower().endswith((".tsv", ".tab")) and scores["\t"]:
        return "\t", text
    return max(DELIMITERS, key=lambda one: scores[one]), text


def _regular(sample: list[str], delimiter: str) -> float:
    """How well a delimiter cuts rows into the same number of fields; 0 when it cuts nothing."""
    try:
        rows = list(islice(csv.reader(sample, delimiter=delimiter), SAMPLE_ROWS))
    except csv.Error:
        return 0.0
    widths = Counter(len(row) for row in rows if row)
    # Titles and remarks above a table have one field.
    wide = {width: count for width, count in widths.items() if width > 1}
    if not wide:
        return 0.0
    width, count = max(wide.items(), key=lambda one: (one[1], one[0]))
    return count / sum(widths.values()) * math.log2(width + 1)


def _rows(text: str, delimiter: str) -> list[list[str | None]]:
    csv.field_size_limit(FIELD_CHARACTERS)
    rows: list[list[str | None]] = []
    widest = 0
    try:
        for row in csv.reader(text.splitlines(keepends=True), delimiter=delimiter):
            widest = max(widest, len(row))
            rows.append([cell or None for cell in row])
            if widest * len(rows) > CELLS:
                raise Refused(
                    f"the file has more than the {CELLS:,} cells that are read",
                    cause="size",
                    hint="Split it into files of fewer rows.",
                )
    except csv.Error as error:
        raise Refused(
            f"line {len(rows) + 1} of the file cannot be read: {error}",
            cause="damaged",
            hint="A quotation mark may be missing there.",
        ) from error
    for padded in rows:
        padded += [None] * (widest - len(padded))
    return rows

"""Reading tables of PDF files and workbooks in the jail, beside the libraries bare of it.

The peers run in this process: what they lose against ours is the jail and the pipe.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pypdfium2 as pdfium
import xlsxwriter

from buttress.db.embedded import Servers
from buttress.documents import read_page, read_pdf, read_table, read_workbook
from buttress.jail.keeper import keeper

sys.path.append(str(Path(__file__).parents[1] / "tests"))

import document_samples as samples
import hostile_documents as hostile

ROWS, COLUMNS = 20_000, 20
PAGE = b"<html><body><article><h1>Serum</h1><p>%s</p></article></body></html>" % (
    b"It calms. " * 99
)


def lines(servers: Servers, quick: bool) -> list[str]:
    """The section as Markdown; needs no server."""
    made = _made(3 if quick else 7, 4_000 if quick else ROWS)
    load = os.getloadavg()[0]
    return [*made, "", f"Load average when it ended: {load:.1f} on {os.cpu_count()} cores."]


def _made(rounds: int, rows: int) -> list[str]:
    return [
        "## Documents",
        "",
        f"Seconds of wall clock, median of {rounds} rounds and the best; ours from bytes to values, jail and pipe "
        "included. pdfplumber and openpyxl are not among our dependencies and were not measured; the peer "
        "of a table is pdfium giving the plain text alone, which is the least any reader on it takes.",
        "",
        "| table of 400 rows, wrapped cells | rows exact | pages | ours | pdfium, text only |",
        "| --- | --- | --- | --- | --- |",
        _table("ruled, American numbers", samples.RULED, rounds),
        _table("no rules, European numbers", samples.PLAIN, rounds),
        "",
        f"| workbook of {rows:,} × {COLUMNS} | cells | seconds |",
        "| --- | --- | --- |",
        *_workbook(rows, rounds),
        "",
        "| one small document | first call, jail started | later calls |",
        "| --- | --- | --- |",
        _start("PDF page", lambda: read_pdf(hostile.good_pdf()), rounds),
        _start("CSV file", lambda: read_workbook(b"a;b\n1;2\n", name="a.csv"), rounds),
        _start("web page", lambda: read_page(PAGE, url="https://a.example/"), rounds),
    ]


def _table(name: str, layout: samples.Layout, rounds: int) -> str:
    content, truth = samples.report(400, layout)
    exact = pages = 0

    def ours() -> None:
        nonlocal exact, pages
        document = read_pdf(content)
        table = read_table(document, samples.COLUMNS, key="code")
        pages = document.page_count
        found = [tuple(row.values.values()) for row in table.rows]
        exact = sum(one == other for one, other in zip(found, truth, strict=False))

    def peer() -> None:
        with pdfium.PdfDocument(content) as document:
            for page in document:
                page.get_textpage().get_text_range()

    mine, theirs = _alternating(ours, peer, rounds)
    return f"| {name} | {exact} of 400 | {pages} | {_shown(mine)} | {_shown(theirs)} |"


def _workbook(rows: int, rounds: int) -> list[str]:
    content = _filled(rows)
    cells = 0

    def ours() -> None:
        nonlocal cells
        (sheet,) = read_workbook(content, name="a.xlsx").sheets
        cells = sum(map(len, sheet.rows))

    def peer() -> None:
        pd.read_excel(io.BytesIO(content), engine="calamine")

    mine, theirs = _alternating(ours, peer, rounds)
    return [
        f"| ours, in the jail | {cells:,} | {_shown(mine)} |",
        f"| pandas with calamine, in this process | {cells:,} | {_shown(theirs)} |",
    ]


def _filled(rows: int) -> bytes:
    """An article number, eight texts, eleven numbers a row."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet("Prices")
    sheet.write_row(0, 0, [f"column {number}" for number in range(COLUMNS)])
    for row in range(1, rows):
        sheet.write_number(row, 0, 5_600_000_000_000 + row)
        for column in range(1, 9):
            sheet.write_string(row, column, f"text {row * column % 9973}")
        for column in range(9, COLUMNS):
            sheet.write_number(row, column, row * column % 9973 / 100)
    book.close()
    return buffer.getvalue()


def _start(name: str, call: Callable[[], object], rounds: int) -> str:
    first, later = [], []
    for _ in range(min(rounds, 3)):
        keeper.stop()
        first.append(_timed(call))
        later += [_timed(call) for _ in range(5)]
    return f"| {name} | {_shown(first)} | {_shown(later)} |"


def _alternating(
    ours: Callable[[], object], peer: Callable[[], object], rounds: int
) -> tuple[list[float], list[float]]:
    ours(), peer()
    both = [(_timed(ours), _timed(peer)) for _ in range(rounds)]
    return [one for one, _ in both], [other for _, other in both]


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _shown(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.3f} s ({min(seconds):.3f})"

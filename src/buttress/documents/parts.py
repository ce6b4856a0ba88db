"""What reading a document gives: words in their boxes, cells, the parts of a web page.

Lengths are points (1/72 inch) from the upper left corner of a page as it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

CellValue = str | int | float | bool | datetime | date | time | timedelta | None
"""What a cell of a sheet holds: a whole number is an `int`, an empty cell None."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of a page."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Points from left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Points from top to bottom."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """The height at which it is halved, from the top of the page."""
        return (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class Word:
    """Characters without a space between them."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class Line:
    """Words beside each other, from left to right."""

    text: str
    box: Box
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class PageText:
    """A page: its number from 1, its size, its lines from top to bottom.

    `scanned` says that the page is an image without text: its lines are what OCR read, if anything.
    """

    number: int
    width: float
    height: float
    lines: tuple[Line, ...]
    scanned: bool = False

    @property
    def text(self) -> str:
        """The lines below each other."""
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True)
class PdfDocument:
    """The pages that were asked for, of `page_count` in the file.

    `notes` are sentences for a reader, such as that page 3 is a scan and no OCR is installed.
    """

    pages: tuple[PageText, ...]
    page_count: int
    title: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All pages, an empty line between them."""
        return "\n\n".join(page.text for page in self.pages)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text stands: page from 1, box around it, and the text as it stands there."""

    page: int
    box: Box
    text: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """The used rows of a sheet, each as wide as the widest; row and column 0 are A1.

    `merged` are the cells that were merged: first row, first column, last row, last column. Their
    value stands in the first of them; in a column merged over several rows it stands in each.
    """

    name: str
    rows: list[list[CellValue]]
    notes: list[str] = field(default_factory=list)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Workbook:
    """The sheets of a file in their order; a CSV file has one."""

    sheets: list[Sheet]


@dataclass(frozen=True, slots=True)
class HeaderProposal:
    """Which row of a sheet names its columns: `row` counts from 0, None when none seems to.

    `names` are one a column, made unique; the data begin in the row below. `confidence` is from 0
    to 1, `why` are the reasons for a reader.
    """

    row: int | None
    names: tuple[str, ...]
    confidence: float
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WebPage:
    """What a page of the web says.

    `products` are schema.org Products as JSON-LD writes them, each with `@source`: `json-ld`,
    `microdata` or `opengraph`. `tables` are rows of texts, `images` are addresses.
    """

    url: str
    title: str | None
    language: str | None
    products: list[dict[str, Any]]
    tables: list[list[list[str]]]
    text: str
    images: list[str]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a table is expected to have, and how documents may call it.

    `kind` is what its cells are read as; `required` columns must be in the header.
    """

    name: str
    aliases: tuple[str, ...] = ()
    kind: Literal["text", "number", "integer", "date"] = "text"
    required: bool = True


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell: its text, what it was read as, and where it stands; None and no place when empty.

    `problem` says why the text could not be read as what its column is; its value is None then.
    """

    text: str
    value: Any
    place: Place | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class TableRow:
    """Cells by the name of their column, and the page they stand on."""

    page: int
    cells: Mapping[str, TableCell]

    @property
    def values(self) -> dict[str, Any]:
        """Just the values."""
        return {name: cell.value for name, cell in self.cells.items()}


@dataclass(frozen=True, slots=True)
class PageCoverage:
    """What became of the lines of a page; `lines` is the sum of the others."""

    page: int
    lines: int
    header: int
    rows: int
    totals: int
    unread: int


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that were read by the columns they were expected to have.

    `totals` are rows that sum others, `unread` the lines that are part of neither (page titles,
    page numbers, remarks): every line of every page is in one of them, or in a header.
    """

    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    totals: tuple[TableRow, ...]
    unread: tuple[Place, ...]
    coverage: tuple[PageCoverage, ...]
    notes: tuple[str, ...] = ()

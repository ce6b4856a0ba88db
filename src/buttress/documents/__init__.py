"""Documents from outside, read in a jail: PDF files, sheets, pages of the web.

    document = read_pdf(content)
    place = find_text(document, "50 ml")[0]

Every value comes with its place, so that a person can look it up.
"""

from buttress.documents.parts import (
    Box,
    CellValue,
    Column,
    HeaderProposal,
    Line,
    PageCoverage,
    PageText,
    PdfDocument,
    Place,
    Sheet,
    Table,
    TableCell,
    TableRow,
    WebPage,
    Word,
    Workbook,
)
from buttress.documents.refusals import (
    Damaged,
    DocumentError,
    DocumentTooLarge,
    Empty,
    Harmful,
    NoSuchTable,
    NotThatKind,
    Protected,
)

__all__ = [
    "Box",
    "CellValue",
    "Column",
    "Damaged",
    "DocumentError",
    "DocumentTooLarge",
    "Empty",
    "Harmful",
    "HeaderProposal",
    "Line",
    "NoSuchTable",
    "NotThatKind",
    "PageCoverage",
    "PageText",
    "PdfDocument",
    "Place",
    "Protected",
    "Sheet",
    "Table",
    "TableCell",
    "TableRow",
    "WebPage",
    "Word",
    "Workbook",
]

"""Documents from outside, read in a jail: PDF files, sheets, pages of the web.

    document = read_pdf(content)
    place = find_text(document, "50 ml")[0]

Every value comes with its place, so that a person can look it up.
"""

from buttress.documents.finding import TextIndex, find_text
from buttress.documents.headers import propose_header
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
from buttress.documents.pdf import preview, read_pdf
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
from buttress.documents.sheets import read_workbook
from buttress.documents.tables import columns_of, read_table
from buttress.documents.web import fetch_page, read_page

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
    "TextIndex",
    "WebPage",
    "Word",
    "Workbook",
    "columns_of",
    "fetch_page",
    "find_text",
    "preview",
    "propose_header",
    "read_page",
    "read_pdf",
    "read_table",
    "read_workbook",
]

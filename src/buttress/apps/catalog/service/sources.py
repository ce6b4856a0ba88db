"""Documents come in: kept as they are, looked into once, so that people can choose from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from buttress.access import current
from buttress.apps.catalog.models import Source
from buttress.apps.catalog.models.sources import KINDS
from buttress.documents import Workbook, preview, propose_header, read_pdf, read_workbook
from buttress.errors import BadInput, NotFound
from buttress.files import Content, File, Files
from buttress.files.contents import Readable

PDF = "application/pdf"
SHEETS = (
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.ms-excel",
    "application/vnd.oasis.opendocument.spreadsheet",
    "text/csv",
    "text/tab-separated-values",
    "text/plain",
)
HTML = "text/html"
LONGEST_URL = 2000


def take(session: Session, files: Files, stream: Readable | Iterable[bytes], name: str) -> Source:
    """Keep an uploaded document and look into it.

    Raises
    ------
    BadInput
        It is neither a PDF nor a sheet, or cannot be read; nothing is kept.
    Refused
        It is hostile.
    TooLarge
        Beyond the limits of files.
    """
    file = files.put(
        session, stream, name=name, app="catalog", owner=person(), allowed=(PDF, *SHEETS)
    )
    content = files.read(file)
    if file.media_type == PDF:
        document = read_pdf(content)
        outline: dict[str, Any] = {
            "pages": document.page_count,
            "scanned": [page.number for page in document.pages if page.scanned],
        }
        notes = list(document.notes)
        kind = "pdf"
    else:
        workbook = read_workbook(content, name=file.name)
        outline = {"sheets": sheets_of(workbook)}
        notes = [note for sheet in workbook.sheets for note in sheet.notes]
        kind = "sheet"
    return _added(session, kind, file, outline, notes)


def expect_page(session: Session, url: str) -> Source:
    """A page of the web, fetched by the job that reads it; raises `BadInput` for no address."""
    url = url.strip()
    if not url.startswith(("http://", "https://")) or len(url) > LONGEST_URL:
        raise BadInput(
            f"{url[:80]!r} is no address of a page", hint="It starts with https:// or http://."
        )
    source = Source(kind="web", name=url, url=url, outline={}, notes=[], created_by=person())
    session.add(source)
    session.flush()
    return source


def source_of(session: Session, id: int) -> Source:
    """The document of that number; raises `NotFound`."""
    source = session.get(Source, id)
    if source is None:
        raise NotFound(f"there is no document {id}", hint="It may have been deleted.")
    return source


def newest(session: Session, *, kind: str | None = None, limit: int = 50) -> Sequence[Source]:
    """Documents, the newest first."""
    if kind is not None and kind not in KINDS:
        raise BadInput(
            f"there is no kind {kind!r} of documents", hint=f"One of {', '.join(KINDS)}."
        )
    chosen = select(Source).order_by(Source.id.desc()).limit(limit)
    if kind is not None:
        chosen = chosen.where(Source.kind == kind)
    return session.scalars(chosen).all()


def content_of(files: Files, source: Source) -> bytes:
    """What a document holds, whoever uploaded it: documents are the team's.

    Raises `NotFound` while a page of the web has not been fetched.
    """
    if source.sha256 is None:
        raise NotFound(f"document {source.id} has no content", hint="Fetch it first.")
    return files.read(Content(source.sha256))


def page_image(session: Session, files: Files, source_id: int, page: int, scale: float) -> bytes:
    """A page of a PDF as PNG; raises `NotFound` for a page that is not there."""
    source = source_of(session, source_id)
    if source.kind != "pdf" or not 1 <= page <= int(source.outline["pages"]):
        raise NotFound(f"document {source_id} has no page {page}")
    return preview(content_of(files, source), page, scale=scale)


def sheet_rows(session: Session, files: Files, source_id: int, sheet: str) -> list[list[Any]]:
    """The rows of a sheet, to choose from; raises `NotFound`."""
    source = source_of(session, source_id)
    if source.kind != "sheet":
        raise NotFound(f"document {source_id} has no sheets")
    workbook = read_workbook(content_of(files, source), name=source.name)
    for found in workbook.sheets:
        if found.name == sheet:
            return [list(row) for row in found.rows]
    raise NotFound(f"document {source_id} has no sheet {sheet!r}")


def sheets_of(workbook: Workbook) -> list[dict[str, Any]]:
    """Name, size and proposed header of each sheet; rows count from 1, as spreadsheets do."""
    found = []
    for sheet in workbook.sheets:
        proposal = propose_header(sheet)
        found.append(
            {
                "name": sheet.name,
                "rows": len(sheet.rows),
                "columns": max((len(row) for row in sheet.rows), default=0),
                "header": None if proposal.row is None else proposal.row + 1,
                "names": list(proposal.names),
                "confidence": proposal.confidence,
                "why": list(proposal.why),
            }
        )
    return found


def person() -> UUID | None:
    """Who is acting, None for the deployment itself."""
    identity = current()
    return None if identity is None else identity.person


def _added(
    session: Session, kind: str, file: File, outline: dict[str, Any], notes: list[str]
) -> Source:
    source = Source(
        kind=kind,
        name=file.name,
        file_id=file.id,
        sha256=file.sha256,
        outline=outline,
        notes=notes,
        created_by=person(),
    )
    session.add(source)
    session.flush()
    return source

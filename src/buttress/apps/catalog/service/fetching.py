"""Pages of the web, fetched when they are read: politely, and each once."""

from __future__ import annotations

import io
from urllib.parse import urlsplit

from sqlalchemy import select

from buttress.apps.catalog.models import RequestSource, Source
from buttress.apps.catalog.service.sources import HTML, person
from buttress.apps.catalog.settings import CatalogSettings
from buttress.fetch import fetch
from buttress.runtime import Runtime

LIMIT_BYTES = 5_000_000
SECONDS = 30.0


def fetch_pages(runtime: Runtime, request_id: int) -> None:
    """Fetch what a request is to be read from and was not fetched yet.

    Raises
    ------
    Refused
        It leads inside, or is no page.
    NotFound, Unavailable
        It is not there, or nobody answers.
    """
    missing = (
        select(Source.id, Source.url)
        .join(RequestSource, RequestSource.source_id == Source.id)
        .where(RequestSource.request_id == request_id, Source.file_id.is_(None))
    )
    with runtime.session() as session:
        wanted = [(id, url) for id, url in session.execute(missing) if url]
    for id, url in wanted:
        _fetch(runtime, id, url)


def _fetch(runtime: Runtime, source_id: int, url: str) -> None:
    settings = CatalogSettings()
    page = fetch(
        url,
        limit_bytes=LIMIT_BYTES,
        seconds=SECONDS + settings.polite_seconds,
        types=(HTML, "application/xhtml+xml"),
        polite_seconds=settings.polite_seconds,
        allow=settings.allowed_hosts,
    )
    with runtime.session() as session:
        source = session.get(Source, source_id, with_for_update=True)
        if source is None or source.file_id is not None:
            return
        file = runtime.files.put(
            session,
            io.BytesIO(page.content),
            name=f"{urlsplit(page.final_url).hostname}.html",
            app="catalog",
            owner=person(),
        )
        source.file_id, source.sha256, source.url = file.id, file.sha256, page.final_url

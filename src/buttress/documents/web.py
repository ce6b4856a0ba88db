"""Pages of the web: what they tell machines, their tables, their text."""

from __future__ import annotations

from collections.abc import Collection

from buttress.documents.opening import opened, read_in_jail
from buttress.documents.parts import WebPage
from buttress.documents.refusals import DocumentError

WHAT = "the page"
PAGE_BYTES = 20_000_000
TYPES = ("text/html", "application/xhtml+xml", "text/plain")


def read_page(html: bytes, *, url: str, encoding: str | None = None) -> WebPage:
    """What a page says.

    Its products come from JSON-LD; from microdata where there is none; from OpenGraph where there
    is neither. The text is the main one, without menus; scripts are not run.

    Parameters
    ----------
    url
        Where the page is from: relative addresses in it are completed by that.
    encoding
        As the server told; else what the page says, else UTF-8.

    Raises
    ------
    DocumentError
        `Empty`, `NotThatKind`; itself where reading was stopped, with the `cause`.
    """
    with opened(html) as file:
        try:
            return read_in_jail(
                "html.read_html",
                url,
                encoding,
                True,
                file=file,
                into=WebPage,
                what=WHAT,
                seconds=10,
            )
        except DocumentError as error:
            if error.cause not in ("crash", "memory", "cpu", "time", "error"):
                raise
        # The library that looks for the main text is the one that gives up on odd pages.
        page = read_in_jail(
            "html.read_html", url, encoding, False, file=file, into=WebPage, what=WHAT, seconds=9
        )
    page.notes.append("The main text could not be told from the rest; all text is given.")
    return page


def fetch_page(url: str, *, polite_seconds: float = 2.0, allow: Collection[str] = ()) -> WebPage:
    """Fetch a page and read it; `polite_seconds` and `allow` are those of `fetch`.

    Raises what `fetch` and `read_page` do.
    """
    # Imported where it is needed: the keeper of the jail imports this room too.
    from buttress.fetch import fetch

    fetched = fetch(
        url, limit_bytes=PAGE_BYTES, types=TYPES, polite_seconds=polite_seconds, allow=allow
    )
    return read_page(fetched.content, url=fetched.final_url, encoding=fetched.charset)

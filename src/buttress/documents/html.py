"""What runs in the jail for a page of the web: the parser, and what is taken out of its tree."""

from __future__ import annotations

import codecs
import re
from typing import IO
from urllib.parse import urljoin, urlsplit

import msgspec
import trafilatura
from selectolax.lexbor import LexborHTMLParser, LexborNode

from buttress.documents.products import products_of
from buttress.errors import Refused

TABLES, ROWS, COLUMNS = 50, 5_000, 200
IMAGES = 200
TEXT_CHARACTERS = 500_000
CELL_CHARACTERS = 10_000
SKIPPED = ("script", "style", "noscript", "template", "svg", "iframe", "head")

DEPTH = 3_000
LONG_TAG, ATTRIBUTES = 20_000, 2_000
UNCLOSED = frozenset(
    b"area base br col dd dt embed hr img input li link meta option p param source td th tr track "
    b"tbody thead tfoot wbr !doctype".split()
)
"""Elements that pages leave open, so that counting them tells no depth."""

_TAG = re.compile(rb"<(/?)([a-zA-Z][^\s/>]{0,30})")
_LONG = re.compile(rb"<[a-zA-Z][^<>]{%d,}" % LONG_TAG)
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]{2,40})", re.IGNORECASE)


def read_html(file: IO[bytes], url: str, encoding: str | None, article: bool) -> bytes:
    """A `WebPage` in msgpack; `article` has trafilatura look for the main text."""
    content = file.read()
    if content.startswith(b"%PDF-") or (content[:4096].count(0) > 8 and not _wide(content)):
        raise Refused("that is not a web page", cause="kind", hint="Give the address of a page.")
    _refuse_endless(content)
    notes: list[str] = []
    text = _decoded(content, encoding, notes)
    tree = LexborHTMLParser(text)
    if tree.root is None or not text.strip():
        raise Refused("the page is empty", cause="empty", hint="Open it in a browser.")
    base = _base(tree, url)
    products = products_of(tree, base, notes)
    title = _meta(tree, "og:title") or _text_of(tree.css_first("title")) or None
    root = tree.css_first("html")
    language = (root.attributes.get("lang") if root else None) or _meta(tree, "og:locale")
    tables = _tables(tree)
    images = _images(tree, base)
    body = (article and _main_text(text, url, notes)) or _all_text(tree)
    if not body and not products:
        notes.append("The page has no text: it may be drawn by scripts, which are not run.")
    return msgspec.msgpack.encode(
        {
            "url": url,
            "title": title[:1000] if title else None,
            "language": language.strip().replace("_", "-")[:20] if language else None,
            "products": products,
            "tables": tables,
            "text": body[:TEXT_CHARACTERS],
            "images": images,
            "notes": notes,
        }
    )


def _refuse_endless(content: bytes) -> None:
    """Refuse what takes parsers time that grows with the square of its size."""
    depth = 0
    for match in _TAG.finditer(content):
        if match[2].lower() in UNCLOSED:
            continue
        depth = max(depth - 1, 0) if match[1] else depth + 1
        if depth > DEPTH:
            raise _bomb(f"its elements are nested more than {DEPTH:,} deep")
    if any(
        len(match[0].split(maxsplit=ATTRIBUTES)) > ATTRIBUTES for match in _LONG.finditer(content)
    ):
        raise _bomb(f"an element has more than {ATTRIBUTES:,} attributes")


def _bomb(what: str) -> Refused:
    return Refused(f"the page is refused: {what}", cause="bomb", hint="Leave this page out.")


def _wide(content: bytes) -> bool:
    return content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


def _decoded(content: bytes, encoding: str | None, notes: list[str]) -> str:
    """The page as text: what was told, what the page says, UTF-8, then Windows."""
    if _wide(content):
        encoding = "utf-16"
    elif content.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    found = _CHARSET.search(content[:4096])
    for name in (encoding, found[1].decode() if found else None, "utf-8"):
        try:
            text = content.decode(name) if name else None
        except (UnicodeDecodeError, LookupError, ValueError):
            continue
        if text is not None:
            return _clean(text)
    notes.append("The page is not written in the encoding it tells; read as Windows-1252.")
    return _clean(content.decode("cp1252", "replace"))


def _clean(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _base(tree: LexborHTMLParser, url: str) -> str:
    node = tree.css_first("base[href]")
    return _joined(url, node.attributes.get("href") if node else None) or url


def _joined(base: str, address: str | None) -> str | None:
    """An address of the web; None for any other, such as `data:`."""
    try:
        joined = urljoin(base, (address or "").strip())
        return joined if urlsplit(joined).scheme in ("http", "https") else None
    except ValueError:
        return None


def _meta(tree: LexborHTMLParser, name: str) -> str | None:
    node = tree.css_first(f'meta[property="{name}"], meta[name="{name}"]')
    content = node.attributes.get("content") if node else None
    return " ".join(content.split()) or None if content else None


def _text_of(node: LexborNode | None) -> str:
    return "" if node is None else " ".join(node.text(separator=" ").split())[:CELL_CHARACTERS]


def _tables(tree: LexborHTMLParser) -> list[list[list[str]]]:
    """Tables with more than one row; of nested ones the inner."""
    found = []
    for table in tree.css("table")[:TABLES]:
        if table.css_first("table table"):
            continue
        rows = [
            [_text_of(cell) for cell in row.css("th, td")[:COLUMNS]]
            for row in table.css("tr")[:ROWS]
        ]
        rows = [row for row in rows if any(row)]
        if len(rows) > 1:
            found.append(rows)
    return found


def _images(tree: LexborHTMLParser, base: str) -> list[str]:
    first = [_meta(tree, "og:image")]
    others = [
        node.attributes.get("src") or node.attributes.get("data-src")
        for node in tree.css("img")[: IMAGES * 2]
    ]
    addresses = [_joined(base, one) for one in (*first, *others) if one]
    return list(dict.fromkeys(one for one in addresses if one))[:IMAGES]


def _main_text(text: str, url: str, notes: list[str]) -> str | None:
    """What an article says, without what surrounds it; None where there is none to be found."""
    found: str | None = None
    try:
        found = trafilatura.extract(
            text, url=url, include_comments=False, include_tables=True, favor_recall=True
        )
    except Exception as error:  # noqa: BLE001 — a page that this library stumbles over has text too
        notes.append(f"The main text was not found ({type(error).__name__}); all text is given.")
    return found


def _all_text(tree: LexborHTMLParser) -> str:
    tree.strip_tags(list(SKIPPED), recursive=True)
    if tree.body is None:
        return ""
    lines = (" ".join(line.split()) for line in tree.body.text(separator="\n").splitlines())
    return "\n".join(line for line in lines if line)

"""Products a page describes for machines: JSON-LD, then microdata, then OpenGraph."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

from selectolax.lexbor import LexborHTMLParser, LexborNode

PRODUCTS = 200
BLOCK_CHARACTERS = 2_000_000
NODES = 50_000
DEPTH = 40
TYPES = frozenset({"Product", "ProductGroup", "ProductModel", "IndividualProduct", "Vehicle"})
ADDRESSES = frozenset({"a", "link", "area"})
MEDIA = frozenset({"img", "audio", "video", "embed", "iframe", "source", "track"})

_CONTROL = re.compile(r"[\x00-\x1f]")
_COMMA = re.compile(r",(\s*[}\]])")


def products_of(tree: LexborHTMLParser, base: str, notes: list[str]) -> list[dict[str, Any]]:
    """What is found by the first of the three ways that finds any, each with `@source`."""
    for source, found in (
        ("json-ld", _json_ld(tree, notes)),
        ("microdata", _microdata(tree, base)),
        ("opengraph", _open_graph(tree)),
    ):
        products = [{**one, "@source": source} for one in _first(found)]
        if products:
            return products
    return []


def _first(found: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for _ in range(PRODUCTS):
        product = next(found, None)
        if product is None:
            return
        yield product


def _json_ld(tree: LexborHTMLParser, notes: list[str]) -> Iterator[dict[str, Any]]:
    for node in tree.css('script[type="application/ld+json"]'):
        text = node.text(deep=True)
        if len(text) > BLOCK_CHARACTERS:
            notes.append("A block of JSON-LD is too long and was left out.")
            continue
        try:
            value = _loaded(text)
        except (ValueError, RecursionError):
            notes.append("A block of JSON-LD is broken and was left out.")
            continue
        yield from _typed(value)


def _loaded(text: str) -> Any:
    """JSON as shops write it: in comments, with line ends in texts, with a comma too many."""
    text = text.strip().removeprefix("<!--").removesuffix("-->").strip().rstrip(";")
    text = text.removeprefix("//<![CDATA[").removesuffix("//]]>")
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError:
        mended = _COMMA.sub(r"\1", _CONTROL.sub(" ", text))
        return json.loads(mended, parse_constant=_no_number)


def _no_number(name: str) -> None:
    """NaN and Infinity are no values."""


def _typed(value: Any) -> Iterator[dict[str, Any]]:
    """Products anywhere in a value, outer ones first, not those that are part of a product."""
    queue: list[tuple[Any, int]] = [(value, 0)]
    for _ in range(NODES):
        if not queue:
            return
        one, depth = queue.pop(0)
        if isinstance(one, dict) and _is_product(one.get("@type")):
            yield _tidied(one, 0)
        elif depth < DEPTH and isinstance(one, dict):
            queue += [(part, depth + 1) for part in one.values()]
        elif depth < DEPTH and isinstance(one, list):
            queue += [(part, depth + 1) for part in one]


def _is_product(kind: Any) -> bool:
    kinds = kind if isinstance(kind, list) else [kind]
    return any(
        isinstance(one, str) and one.rpartition("/")[2].rpartition(":")[2] in TYPES for one in kinds
    )


def _tidied(value: Any, depth: int) -> Any:
    """The same with plain texts, cut where it is nested without end."""
    if depth > DEPTH:
        return None
    if isinstance(value, dict):
        return {_text(key): _tidied(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_tidied(one, depth + 1) for one in value]
    if isinstance(value, str):
        return _text(html.unescape(value))
    if isinstance(value, int) and abs(value) >= 2**63:
        return str(value)
    return value


def _text(text: str) -> str:
    clean = text.replace("\0", "").strip()
    return clean.encode("utf-8", "replace").decode()


def _microdata(tree: LexborHTMLParser, base: str) -> Iterator[dict[str, Any]]:
    budget = [NODES]
    for node in tree.css("[itemscope][itemtype]"):
        if not _is_product(node.attributes.get("itemtype")) or "itemprop" in node.attributes:
            continue
        yield _tidied(_item(node, base, 0, budget), 0)


def _item(node: LexborNode, base: str, depth: int, budget: list[int]) -> dict[str, Any]:
    kind = (node.attributes.get("itemtype") or "").split("/")[-1]
    found: dict[str, Any] = {"@type": kind} if kind else {}
    stack = [(child, depth) for child in node.iter(include_text=False)][::-1]
    while stack and budget[0] > 0:
        child, level = stack.pop()
        budget[0] -= 1
        names = (child.attributes.get("itemprop") or "").split()
        inner = "itemscope" in child.attributes
        if names:
            nested = inner and depth < DEPTH
            value = _item(child, base, depth + 1, budget) if nested else _value(child, base)
            for name in names[:5]:
                _add(found, name, value)
        if not inner:
            stack += [(one, level) for one in child.iter(include_text=False)][::-1]
    return found


def _value(node: LexborNode, base: str) -> str:
    attributes = node.attributes
    tag = node.tag or ""
    address = attributes.get("href" if tag in ADDRESSES else "src")
    if tag in ADDRESSES | MEDIA and address:
        try:
            return urljoin(base, address)
        except ValueError:
            return address
    told = attributes.get("content") or attributes.get("datetime") or attributes.get("value")
    return told or " ".join(node.text(separator=" ").split())[:20_000]


def _add(found: dict[str, Any], name: str, value: Any) -> None:
    """A property that comes twice is a list."""
    if name not in found:
        found[name] = value
    elif isinstance(found[name], list):
        found[name].append(value)
    else:
        found[name] = [found[name], value]


def _open_graph(tree: LexborHTMLParser) -> Iterator[dict[str, Any]]:
    told: dict[str, str] = {}
    for node in tree.css("meta[property][content]"):
        name = (node.attributes.get("property") or "").lower()
        told.setdefault(name, (node.attributes.get("content") or "").strip())
    price = told.get("product:price:amount") or told.get("og:price:amount")
    if not (price or told.get("og:type", "").split(".")[-1] == "product"):
        return
    currency = told.get("product:price:currency") or told.get("og:price:currency")
    offer = {"@type": "Offer", "price": price, "priceCurrency": currency}
    product = {
        "@type": "Product",
        "name": told.get("og:title"),
        "description": told.get("og:description"),
        "image": told.get("og:image"),
        "url": told.get("og:url"),
        "brand": told.get("product:brand") or told.get("og:brand"),
        "sku": told.get("product:retailer_item_id"),
        "offers": {name: value for name, value in offer.items() if value} if price else None,
    }
    yield _tidied({name: value for name, value in product.items() if value}, 0)

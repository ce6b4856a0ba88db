"""What a web page marks up as a product: schema.org data as labelled passages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from buttress.apps.catalog.material import Passage, Place

DEEPEST = 8
MOST_VALUES = 5_000
SKIPPED = frozenset({"image", "url", "logo", "sameas", "thumbnail", "review", "aggregaterating"})
"""Properties that say nothing about the product itself."""
NAMED = ("additionalproperty",)
"""Lists of {"name": …, "value": …}: the name is the label."""
VARIANTS = ("hasvariant", "model", "isvariantof")


def passages_of(product: Mapping[str, Any], place: str) -> list[Passage]:
    """The values of a product, labelled by the path of their property without numbers.

    `place` begins the selector of each: "json-ld/0".
    """
    found: list[Passage] = []
    for passage in _values(product, place, "", 0):
        found.append(passage)
        if len(found) == MOST_VALUES:
            break
    return found


def variants_of(product: Mapping[str, Any], place: str) -> list[tuple[Passage, ...]]:
    """The variants of a product group, and of a product with several offers: a row for each."""
    for name, value in product.items():
        if name.casefold() == "hasvariant" and isinstance(value, Sequence):
            return [
                tuple(passages_of(one, f"{place}/{name}/{number}"))
                for number, one in enumerate(value)
                if isinstance(one, Mapping)
            ]
    offers = product.get("offers")
    if isinstance(offers, Mapping):
        offers = offers.get("offers")
    if isinstance(offers, list) and len(offers) > 1:
        rows = [
            tuple(passages_of({"offers": one} | _itself(one), f"{place}/offers/{number}"))
            for number, one in enumerate(offers)
            if isinstance(one, Mapping) and _itself(one)
        ]
        return rows if len(rows) > 1 else []
    return []


def _itself(offer: Mapping[str, Any]) -> dict[str, Any]:
    """What an offer says about the thing offered."""
    names = ("gtin13", "gtin", "gtin8", "gtin12", "gtin14", "sku", "color", "size", "name")
    return {name: offer[name] for name in names if offer.get(name)}


def _values(value: Any, place: str, label: str, depth: int) -> Iterator[Passage]:
    if depth > DEEPEST or value is None or isinstance(value, bool):
        return
    if isinstance(value, Mapping):
        whole = _quantity(value)
        if whole:
            yield Passage(whole, Place(selector=place), label)
            return
        for name, inner in value.items():
            if name.startswith("@") or name.casefold() in SKIPPED or name.casefold() in VARIANTS:
                continue
            path = f"{label}.{name}" if label else name
            yield from _property(name, inner, f"{place}/{name}", path, depth)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _values(inner, f"{place}/{number}", label, depth + 1)
    elif text := " ".join(str(value).split()):
        yield Passage(text, Place(selector=place), label)


def _property(name: str, value: Any, place: str, label: str, depth: int) -> Iterator[Passage]:
    if name.casefold() not in NAMED:
        yield from _values(value, place, label, depth + 1)
        return
    for number, one in enumerate(value if isinstance(value, list) else [value]):
        if isinstance(one, Mapping) and one.get("name"):
            text = _quantity(one) or one.get("value")
            yield from _values(text, f"{place}/{number}", str(one["name"]), depth + 2)


def _quantity(value: Mapping[str, Any]) -> str:
    """A value with its unit, or a price with its currency, as one text."""
    amount = value.get("value")
    unit = value.get("unitText") or value.get("unitCode")
    if amount is not None and unit and not isinstance(amount, Mapping | list):
        return f"{amount} {unit}"
    return ""

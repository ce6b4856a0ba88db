"""What a model says, held against the sources it was given.

A fact that is found gets its place; one that is not is emptied, and told. Texts are the model's
own, or found word for word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from buttress.apps.catalog.extraction.draft import Draft
from buttress.apps.catalog.extraction.labels import BRACKETED
from buttress.apps.catalog.extraction.language import language_of
from buttress.apps.catalog.extraction.measures import (
    CAPACITY,
    DIMENSIONS,
    LENGTH,
    MASS,
    UNIT,
)
from buttress.apps.catalog.extraction.result import Origin
from buttress.apps.catalog.extraction.wording import inci
from buttress.apps.catalog.material import Found, Material
from buttress.apps.catalog.numbers import NUMBER, readings
from buttress.apps.catalog.products import PACK_TYPES, UNITS, Product, code_of, leaves
from buttress.apps.catalog.products.values import spelled

FOUND = 0.95
CLASSED = 0.7
WRITTEN = 0.6
TRANSLATED = 0.6
PARTLY = 0.5

COMPUTED = ("UrlEN", "UrlPT", "ModelName", "HowtoType", "CategoryId", "HSCode")
"""What a model's answer does not decide."""
CLASSES = ("VariantType", "SecondVariantType")
WORDS = (
    "brand", "brand_category", "Concentration", "ScentFamily", "Gender", "VariantValue",
    "SecondVariant", "HexColor",
)  # fmt: skip
LISTS = ("TopNotes", "HeartNotes", "BaseNotes")
DIGITS = ("EAN", "CNP")
PRICES = ("priceSale", "priceRecommended", "supplierPrice")
LENGTHS = ("Width", "Height", "Depth")
OTHER_UNITS = frozenset({*MASS, *LENGTH, *CAPACITY, "ml", "l"} - {'"'})
OTHERWISE = {"EN": "PT", "PT": "EN"}


@dataclass(frozen=True)
class Seen:
    """Where a value stands, None when it says that nothing is told; and how sure that is."""

    found: Found | None
    value: Any
    confidence: float = FOUND
    remark: str = ""


def verified(answer: Product, material: Material, draft: Draft) -> None:
    """Put what the model answered into a draft, each value with its origin or a note."""
    given = dict(leaves(answer))
    language = (language_of(material.text) or "en").upper()
    for path, value in given.items():
        name = path.rpartition(".")[2]
        if value in (None, "", [], ()) or name in COMPUTED:
            continue
        if (find := FACTS.get(name)) is not None:
            _fact(draft, path, value, find(value, material, _neighbours(given, path)))
        elif name in CLASSES:
            draft.put(path, value, Origin(how="computed", confidence=CLASSED))
        else:
            _text(draft, path, value, material, given, language)


def _fact(draft: Draft, path: str, value: Any, seen: Seen | None) -> None:
    if seen is None:
        shown = str(value)[:60]
        draft.note(f"the model answered {shown!r}, which no source says: left empty", path)
        return
    if seen.found is None:
        draft.put(path, value, Origin(how="computed", confidence=seen.confidence))
        return
    if seen.remark:
        draft.note(seen.remark, path)
    origin = Origin(
        how="read",
        source=seen.found.source,
        place=seen.found.place,
        text=seen.found.text,
        confidence=seen.confidence,
        remark=seen.remark,
    )
    draft.put(path, seen.value, origin)


def _text(
    draft: Draft,
    path: str,
    value: Any,
    material: Material,
    given: Mapping[str, Any],
    language: str,
) -> None:
    """A text is read where it stands in a source, else translated or written."""
    plain = " ".join(value) if isinstance(value, list) else re.sub(r"<[^<>]*>", " ", value)
    if (found := material.find(plain)) is not None:
        origin = Origin(
            how="read", source=found.source, place=found.place, text=found.text, confidence=FOUND
        )
    elif path[-2:] in OTHERWISE and path[-2:] != language and given.get(_twin(path)):
        origin = Origin(how="translated", confidence=TRANSLATED, remark="translated by the model")
    else:
        origin = Origin(how="written", confidence=WRITTEN, remark="written by the model")
    draft.put(path, value, origin)


def _twin(path: str) -> str:
    return path[:-2] + OTHERWISE[path[-2:]]


def _neighbours(given: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The other fields of the same part, by name."""
    begin = path.rpartition(".")[0] + "."
    return {key.removeprefix(begin): one for key, one in given.items() if key.startswith(begin)}


def _words(value: Any, material: Material, _: Mapping[str, Any]) -> Seen | None:
    found = material.find(str(value))
    return None if found is None else Seen(found, value)


def _digits(value: Any, material: Material, _: Mapping[str, Any]) -> Seen | None:
    found = material.find_digits(str(value))
    return None if found is None else Seen(found, re.sub(r"\D", "", str(value)))


def _list(value: Any, material: Material, _: Mapping[str, Any]) -> Seen | None:
    places = [(one, material.find(one)) for one in value]
    kept = [(one, found) for one, found in places if found is not None]
    if not kept:
        return None
    lost = [one for one, found in places if found is None]
    return _partly(kept[0][1], [one for one, _ in kept], lost)


def _ingredients(value: Any, material: Material, _: Mapping[str, Any]) -> Seen | None:
    whole = inci(str(value))
    found = material.find(whole)
    if found is not None:
        return Seen(found, whole)
    parts = re.split(r",\s+", whole)
    places = [(part, material.find(part)) for part in parts]
    kept = [(part, place) for part, place in places if place is not None]
    if not kept:
        return None
    lost = [part for part, place in places if place is None]
    return _partly(kept[0][1], ", ".join(part for part, _ in kept), lost)


def _partly(found: Found, value: Any, lost: list[str]) -> Seen:
    if not lost:
        return Seen(found, value)
    return Seen(found, value, PARTLY, f"left out, for no source says it: {', '.join(lost[:5])}")


def _price(value: Any, material: Material, _: Mapping[str, Any]) -> Seen | None:
    number = Decimal(str(value))
    for found in material.find_numbers(number):
        if any(unit not in OTHER_UNITS for unit in units_of(found.text, number)):
            return Seen(found, number)
    return None


def _measure(
    factors: Mapping[str, Decimal],
) -> Callable[[Any, Material, Mapping[str, Any]], Seen | None]:
    def find(value: Any, material: Material, _: Mapping[str, Any]) -> Seen | None:
        wanted = Decimal(str(value))
        for factor in dict.fromkeys(factors.values()):
            written = spelled(round(wanted / factor, 6)) if factor else wanted
            for found in material.find_numbers(written):
                units = units_of(found.text, written)
                own = [unit for unit in units if factors.get(unit) == factor]
                bare = factor == 1 and any(unit not in OTHER_UNITS for unit in units)
                if own or bare:
                    remark = "" if factor == 1 else f"converted from {own[0]}"
                    return Seen(found, wanted, FOUND if own else CLASSED, remark)
        return None

    return find


def _capacity(value: Any, material: Material, around: Mapping[str, Any]) -> Seen | None:
    wanted, code = Decimal(str(value)), around.get("ItemCapacityUnits")
    best: Seen | None = None
    factors = {Decimal(1): code}
    factors |= {factor: unit for factor, unit in CAPACITY.values() if unit == code and factor > 1}
    for factor, unit in factors.items():
        written = spelled(wanted / factor)
        for found in material.find_numbers(written):
            for word in units_of(found.text, written):
                known = CAPACITY.get(word, (Decimal(1), code_of(word, UNITS) if word else None))
                if known == (factor, unit) and unit is not None:
                    return Seen(found, wanted)
                if not word and best is None:
                    best = Seen(found, wanted, CLASSED)
    return best


def _unit(value: Any, material: Material, around: Mapping[str, Any]) -> Seen | None:
    capacity = around.get("ItemCapacity")
    if value not in UNITS or capacity is None:
        return None
    seen = _capacity(capacity, material, around)
    if seen is not None and seen.confidence == FOUND:
        return Seen(seen.found, value)
    words = (material.find(word) for word in UNITS[value].words)
    found = next((one for one in words if one is not None), None)
    return None if found is None else Seen(found, value, CLASSED)


def _pack(value: Any, material: Material, _: Mapping[str, Any]) -> Seen | None:
    if value == 0:
        return Seen(None, value, CLASSED)
    words = (material.find(word) for word in PACK_TYPES[value].words) if value in PACK_TYPES else ()
    found = next((one for one in words if one is not None), None)
    return None if found is None else Seen(found, value, CLASSED)


def units_of(text: str, number: Decimal) -> list[str]:
    """What follows each appearance of a number in a text, or what its label says in brackets.

    "" stands for no unit.
    """
    label = BRACKETED.search(text)
    told = label[1].strip().casefold() if label else ""
    chains = [(one.span(), _unit_of_chain(one, told)) for one in DIMENSIONS.finditer(text)]
    found = []
    for match in NUMBER.finditer(text):
        if number not in readings(match[0]):
            continue
        chained = [unit for (start, end), unit in chains if start <= match.start() < end]
        unit = UNIT.match(text, match.end())
        found.append(chained[0] if chained else unit[1].casefold() if unit else told)
    return found or [""]


def _unit_of_chain(chain: re.Match[str], told: str) -> str:
    """What the numbers of "65 x 50 x 65 mm" are: what any of them tells, or else centimetres."""
    units = [chain[group] for group in (6, 4, 2) if chain[group]]
    return units[0] if units else told if told in LENGTH else "cm"


FACTS: dict[str, Callable[[Any, Material, Mapping[str, Any]], Seen | None]] = {
    **dict.fromkeys(WORDS, _words),
    **dict.fromkeys(LISTS, _list),
    **dict.fromkeys(DIGITS, _digits),
    **dict.fromkeys(PRICES, _price),
    **dict.fromkeys(LENGTHS, _measure(LENGTH)),
    "Weight": _measure(MASS),
    "Ingredients": _ingredients,
    "ItemCapacity": _capacity,
    "ItemCapacityUnits": _unit,
    "PackType": _pack,
}
"""How each field that states a fact is looked for."""

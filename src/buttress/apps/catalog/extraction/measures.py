"""Measures in the units the catalog keeps: centimetres, grams, and capacities with their code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from buttress.apps.catalog.numbers import NUMBER, readings
from buttress.apps.catalog.products import UNITS, code_of
from buttress.apps.catalog.products.values import LARGEST, spelled

GRAMS = {"g": 1, "gr": 1, "grm": 1, "gram": 1, "grams": 1, "grama": 1, "gramas": 1}
MASS = {name: Decimal(factor) for name, factor in GRAMS.items()} | {
    "kg": Decimal(1000), "kgm": Decimal(1000), "kilo": Decimal(1000), "kilogram": Decimal(1000),
    "kilograms": Decimal(1000), "quilo": Decimal(1000), "quilos": Decimal(1000),
    "mg": Decimal("0.001"), "oz": Decimal("28.349523125"), "lb": Decimal("453.59237"),
    "lbs": Decimal("453.59237"),
}  # fmt: skip
"""Grams in each unit."""
LENGTH = {
    "cm": Decimal(1), "cmt": Decimal(1), "mm": Decimal("0.1"), "mmt": Decimal("0.1"),
    "m": Decimal(100), "in": Decimal("2.54"), "inch": Decimal("2.54"), "inches": Decimal("2.54"),
    '"': Decimal("2.54"),
}  # fmt: skip
"""Centimetres in each unit."""
CAPACITY = {
    "l": (Decimal(1000), 2), "ltr": (Decimal(1000), 2), "litre": (Decimal(1000), 2),
    "litres": (Decimal(1000), 2), "liter": (Decimal(1000), 2), "litro": (Decimal(1000), 2),
    "litros": (Decimal(1000), 2), "cl": (Decimal(10), 2), "mlt": (Decimal(1), 2),
    "mg": (Decimal("0.001"), 4), "grm": (Decimal(1), 4), "kgm": (Decimal(1), 5),
}  # fmt: skip
"""Units that are kept as another one: the factor, and the code of that one."""
UNIT = re.compile(r"\s*([^\W\d_]+|\")")
AXES = {
    "w": "width", "l": "width", "h": "height", "a": "height", "d": "depth", "p": "depth",
    "width": "width", "height": "height", "depth": "depth", "largura": "width",
    "altura": "height", "profundidade": "depth",
}  # fmt: skip
"""Letters of a dimension; "L x A x P" is Portuguese, "L x W x H" is told apart below."""
AMOUNT = r"(\d[\d.,]{0,9})\s{0,3}(cm|mm|m|in)?"
DIMENSIONS = re.compile(
    rf"(?<![\d.,]){AMOUNT}\s{{0,3}}[x×X*]\s{{0,3}}{AMOUNT}"
    rf"(?:\s{{0,3}}[x×X*]\s{{0,3}}{AMOUNT})?"
)
AXIS = r"\b([A-Za-z]{1,12})\b"
NAMED_AXES = re.compile(rf"{AXIS}\s{{0,3}}[x×X*]\s{{0,3}}{AXIS}(?:\s{{0,3}}[x×X*]\s{{0,3}}{AXIS})?")
LONGEST = 300
"""Characters of a text in which a measure is looked for."""


@dataclass(frozen=True)
class Capacity:
    """How much is in a package; `unit` is a code of the list, None when none was told."""

    amount: Decimal
    unit: int | None


@dataclass(frozen=True)
class Converted:
    """A measure, and whether it had another unit where it was read."""

    value: Decimal
    converted: bool = False
    assumed: bool = False
    """No unit was told, and the catalog's own was taken for it."""


def read_mass(text: str, unit: str = "") -> Converted | None:
    """Grams: "0,182 kg" is 182."""
    return _read(text, unit, MASS, "g")


def read_length(text: str, unit: str = "") -> Converted | None:
    """Centimetres: "65 mm" is 6.5."""
    return _read(text, unit, LENGTH, "cm")


def read_capacity(text: str, unit: str = "") -> Capacity | None:
    """What a package holds: "50 ml", "60 cápsulas", "1 L"; packs as "3 x 50 ml" count together."""
    text = text[:LONGEST]
    pack = Decimal(1)
    if several := re.match(r"\s*(\d{1,3})\s*[x×]\s*(?=\d)", text):
        pack = Decimal(several[1])
        text = text[several.end() :]
    found = None
    for match in NUMBER.finditer(text):
        amounts = readings(match[0])
        if not amounts:
            continue
        named = UNIT.match(text, match.end())
        word = named[1].casefold() if named else unit
        factor, code = CAPACITY.get(word, (Decimal(1), code_of(word, UNITS) if word else None))
        amount = _sensible((amounts[-1] if _whole(word) else amounts[0]) * factor * pack)
        if amount is None:
            continue
        if code is not None:
            return Capacity(amount, code)
        found = found or Capacity(amount, None)
    return found


def read_dimensions(text: str, label: str = "") -> dict[str, Converted]:
    """Width, height and depth of "6.5 x 5 x 6.5 cm", in the order that text or label name.

    The order is width, height, depth unless told; nothing but width and height of two numbers.
    """
    text, label = text[:LONGEST], label[:LONGEST]
    match = DIMENSIONS.search(text)
    if match is None:
        return {}
    numbers = [match[1], match[3], match[5]]
    units = [match[2], match[4], match[6]]
    unit = next((one for one in reversed(units) if one), "") or _unit_in(label)
    found = {}
    axes = _axes(text) or _axes(label) or ["width", "height", "depth"]
    for axis, number, own in zip(axes, numbers, units, strict=False):
        value = read_length(f"{number} {own or unit}") if number else None
        if value is not None:
            found[axis] = value
    return found


def _axes(text: str) -> list[str]:
    for match in NAMED_AXES.finditer(text):
        letters = [letter.casefold() for letter in match.groups() if letter]
        if "l" in letters and "w" in letters:  # length, width, height: length is our depth
            known = {"l": "depth", "w": "width", "h": "height"}
        else:
            known = AXES
        found = [known[letter] for letter in letters if letter in known]
        if len(found) == len(letters) == len(set(found)):
            return found
    return []


def _unit_in(label: str) -> str:
    return next((word for word in re.findall(r"[a-z]+", label.casefold()) if word in LENGTH), "")


def _read(text: str, unit: str, factors: dict[str, Decimal], own: str) -> Converted | None:
    text = text[:LONGEST]
    for match in NUMBER.finditer(text):
        found = readings(match[0])
        if not found:
            continue
        named = UNIT.match(text, match.end())
        word = named[1].casefold() if named else unit
        if word and word not in factors:
            word = unit if unit in factors else ""
        value = _sensible((found[-1] if _whole(word) else found[0]) * factors.get(word or own, 1))
        if value is not None:
            return Converted(value, converted=factors.get(word or own) != 1, assumed=not word)
    return None


def _whole(unit: str) -> bool:
    """Whether thousands of a unit are common, so that "1,250" of it is 1250."""
    return unit.casefold() in ("g", "gr", "grams", "gramas", "ml", "mm", "mg", "mcg")


def _sensible(value: Decimal) -> Decimal | None:
    if not 0 < value <= LARGEST:
        return None
    rounded = round(value, 4)
    return spelled(rounded) if rounded else None

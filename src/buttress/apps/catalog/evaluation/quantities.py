"""Numbers of texts with their units, comparable across languages and ways to write them.

"1,5 kg", "1.5 kilograms" and "1500 g" are the same quantity. A number that can be read in two ways
("1,250") is equal to another one where they share a reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from buttress.apps.catalog.evaluation.words import folded
from buttress.apps.catalog.numbers import NUMBER, readings

# unit: what it is counted in, and how many of that; the names are folded.
_NAMES = {
    ("g", "1"): "g gr gram grams gramme grammes grama gramas",
    ("g", "1000"): "kg kilo kilos kilogram kilograms quilo quilos quilograma quilogramas",
    ("g", "0.001"): "mg milligram milligrams miligrama miligramas",
    ("g", "0.000001"): "mcg ug µg μg microgram micrograms micrograma microgramas",
    ("g", "28.349523125"): "oz",
    ("g", "453.59237"): "lb lbs",
    ("ml", "1"): "ml millilitre millilitres milliliter milliliters mililitro mililitros",
    ("ml", "10"): "cl centilitro centilitros",
    ("ml", "1000"): "l litre litres liter liters litro litros",
    ("cm", "1"): "cm centimetre centimetres centimeter centimeters centimetro centimetros",
    ("cm", "0.1"): "mm millimetre millimetres millimeter millimeters milimetro milimetros",
    ("cm", "100"): "m metre metres meter meters metro metros",
    ("cm", "2.54"): "inch inches polegada polegadas",
    ("%", "1"): "% percent",
    ("eur", "1"): "€ eur euro euros",
    ("minute", "1"): "min mins minute minutes minuto minutos",
    ("second", "1"): "s sec second seconds segundo segundos",
    ("minute", "60"): "h hr hrs hour hours hora horas",
    ("day", "1"): "day days dia dias",
    ("day", "7"): "week weeks semana semanas",
    ("month", "1"): "month months mes meses",
    ("month", "12"): "year years ano anos",
    ("capsule", "1"): "capsule capsules capsula capsulas",
    ("tablet", "1"): "tablet tablets pill pills comprimido comprimidos",
    ("gummy", "1"): "gummy gummies goma gomas",
    ("pair", "1"): "pair pairs par pares",
    ("piece", "1"): "unit units unidade unidades piece pieces peca pecas pcs",
    ("time", "1"): "time times vez vezes x",
    ("mah", "1"): "mah",
    ("wh", "1"): "wh",
    ("w", "1"): "w watt watts",
    ("v", "1"): "v volt volts",
    ("hz", "1"): "hz hertz",
    ("hz", "1000"): "khz",
    ("db", "1"): "db decibel decibels decibeis",
    ("gb", "1"): "gb gigabyte gigabytes",
    ("gb", "1000"): "tb terabyte terabytes",
    ("kcal", "1"): "kcal",
    ("kj", "1"): "kj",
    ("iu", "1"): "iu ui",
    ("c", "1"): "°c ºc celsius",
    ("bar", "1"): "bar",
}
UNITS: dict[str, tuple[str, Decimal]] = {
    name: (base, Decimal(factor))
    for (base, factor), names in _NAMES.items()
    for name in names.split()
}
AHEAD = {"spf": "spf", "fps": "spf", "ph": "ph", "eur": "eur", "€": "eur"}
"""What stands before its number."""
SMALL = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "twice": 2, "dois": 2, "duas": 2, "tres": 3, "quatro": 4, "cinco": 5,
    "seis": 6, "sete": 7, "oito": 8, "nove": 9, "dez": 10, "doze": 12,
}  # fmt: skip
"""Numbers spelled out; one is left out, as it is an article in Portuguese."""

UNIT = re.compile(r"[\s\u00a0]*-?[\s\u00a0]*([°º]\s?c\b|%|€|[^\W\d_]+)", re.IGNORECASE)
BEFORE = re.compile(r"(spf|fps|ph|eur|€)\s*$", re.IGNORECASE)
BY = re.compile(r"[\s\u00a0]*[x×][\s\u00a0]*(?=\d)", re.IGNORECASE)
SPELLED = re.compile(rf"\b({'|'.join(SMALL)})\b")


@dataclass(frozen=True)
class Quantity:
    """A number as it is written, what it can mean, and what it counts: "" when that is unknown."""

    written: str
    values: tuple[Decimal, ...]
    unit: str = ""

    def same(self, other: Quantity) -> bool:
        """Whether both can mean the same; a unit that is unknown may be any."""
        fits = self.unit == other.unit or not self.unit or not other.unit
        return fits and bool(set(self.values) & set(other.values))


@dataclass
class Quantities:
    """What a material says in numbers."""

    by_unit: dict[str, set[Decimal]] = field(default_factory=dict)

    def has(self, quantity: Quantity) -> bool:
        """Whether it is said, with its unit or without any."""
        units = (quantity.unit, "") if quantity.unit else tuple(self.by_unit)
        return any(
            value in self.by_unit.get(unit, ()) for unit in units for value in quantity.values
        )

    def add(self, quantity: Quantity) -> None:
        self.by_unit.setdefault(quantity.unit, set()).update(quantity.values)


def quantities_in(passages: Iterable[tuple[str, str]]) -> Quantities:
    """All quantities of passages; a bare number has the unit of its label, if that names one."""
    found = Quantities()
    for text, label in passages:
        unit = unit_of(label)
        for one in quantities(text, spelled=True):
            found.add(one)
            if unit is not None and not one.unit:
                base, factor = unit
                found.add(Quantity(one.written, tuple(v * factor for v in one.values), base))
    return found


def quantities(text: str, *, spelled: bool = False) -> Iterator[Quantity]:
    """The quantities of a text in order; numbers within words ("B12") are names and left out.

    `spelled` takes small numbers in words, too.
    """
    waiting: list[tuple[str, tuple[Decimal, ...]]] = []
    for match in NUMBER.finditer(text):
        values = readings(match[0])
        if not values or _within_word(text, match.start()):
            continue
        if BY.match(text, match.end()):
            waiting.append((match[0], values))
            continue
        base, factor = _unit(text, match)
        if base is None:
            waiting = []
            continue
        for written, those in (*waiting, (match[0], values)):
            yield Quantity(written, tuple(value * factor for value in those), base)
        waiting = []
    if spelled:
        for match in SPELLED.finditer(folded(text)):
            yield Quantity(match[0], (Decimal(SMALL[match[0]]),))


def unit_of(label: str) -> tuple[str, Decimal] | None:
    """The unit that a label names, as "Weight (g)"."""
    named = re.search(r"[(\[]\s*([^\W\d_]+|%|€)\s*[)\]]", folded(label))
    return UNITS.get(named[1]) if named else None


def _unit(text: str, match: re.Match[str]) -> tuple[str | None, Decimal]:
    """What a number counts; None when it is a part of a word, as the 5 of "5G"."""
    one = Decimal(1)
    if ahead := BEFORE.search(text, max(0, match.start() - 6), match.start()):
        return AHEAD[ahead[1].casefold()], one
    after = UNIT.match(text, match.end())
    if after is None:
        return "", one
    glued = after.start(1) == match.end()
    if glued and after[1] == "G":  # a generation of networks, not grams
        return None, one
    word = folded(after[1]).replace(" ", "")
    if word in UNITS:
        return UNITS[word]
    return (None if glued else ""), one


def _within_word(text: str, start: int) -> bool:
    before = text[start - 1] if start else " "
    hyphened = before == "-" and start > 1 and text[start - 2].isalpha()
    return before.isalpha() or before == "_" or hyphened

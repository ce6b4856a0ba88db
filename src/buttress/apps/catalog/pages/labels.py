"""What the fields of a product are called on pages, and in which order they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from buttress.apps.catalog.products import HOW_TO_TYPES, HS_CODES, PACK_TYPES, UNITS


@dataclass(frozen=True)
class Row:
    """A field, or the English and the Portuguese one that belong together."""

    title: str
    names: tuple[str, ...]
    unit: str = ""

    @property
    def sides(self) -> tuple[tuple[str, str], ...]:
        """What each side is called, and the name of its field."""
        titles = ("English", "Portuguese") if len(self.names) == 2 else (self.title,)
        return tuple(zip(titles, self.names, strict=True))


def both(title: str, name: str) -> Row:
    """A text in two languages."""
    return Row(title, (f"{name}EN", f"{name}PT"))


MARKETING = (
    both("Title", "Title"),
    Row("Brand", ("brand",)),
    Row("Line of the brand", ("brand_category",)),
    both("Description", "Description"),
    both("How it is used", "HowTo"),
    Row("Kind of instructions", ("HowtoType",)),
    Row("Ingredients", ("Ingredients",)),
    both("Address", "Url"),
    Row("Category", ("CategoryId",)),
    Row("Model name", ("ModelName",)),
)
FRAGRANCE = (
    Row("Concentration", ("Concentration",)),
    Row("Scent family", ("ScentFamily",)),
    Row("For whom", ("Gender",)),
    Row("Top notes", ("TopNotes",)),
    Row("Heart notes", ("HeartNotes",)),
    Row("Base notes", ("BaseNotes",)),
    both("Story", "Story"),
    both("Features", "Features"),
    both("Composition", "Composition"),
)
LOGISTICS = (
    both("Short name", "ItemDescription"),
    Row("EAN", ("EAN",)),
    Row("CNP", ("CNP",)),
    Row("Capacity", ("ItemCapacity",)),
    Row("Unit of the capacity", ("ItemCapacityUnits",)),
    Row("Pack", ("PackType",)),
    Row("Kind of variant", ("VariantType",)),
    Row("Variant", ("VariantValue",)),
    Row("Second kind of variant", ("SecondVariantType",)),
    Row("Second variant", ("SecondVariant",)),
    Row("Colour", ("HexColor",)),
    Row("Width", ("Width",), "cm"),
    Row("Height", ("Height",), "cm"),
    Row("Depth", ("Depth",), "cm"),
    Row("Weight", ("Weight",), "g"),
    Row("Sale price", ("priceSale",)),
    Row("Recommended price", ("priceRecommended",)),
    Row("Supplier price", ("supplierPrice",)),
    Row("Customs code", ("HSCode",)),
)
LISTS = {"TopNotes", "HeartNotes", "BaseNotes", "FeaturesEN", "FeaturesPT"}
NUMBERS = {
    "ItemCapacity", "Width", "Height", "Depth", "Weight",
    "priceSale", "priceRecommended", "supplierPrice",
}  # fmt: skip
HTML = {"DescriptionEN", "DescriptionPT", "HowToEN", "HowToPT"}
CODES: Mapping[str, Mapping[int, str]] = {
    "ItemCapacityUnits": {code: one.name for code, one in UNITS.items()},
    "PackType": {code: one.name for code, one in PACK_TYPES.items()},
    "HowtoType": {code: one.name for code, one in HOW_TO_TYPES.items()},
}
CUSTOMS = {code: f"{one.group}: {one.description}" for code, one in HS_CODES.items()}

TITLES = {
    name: row.title if len(row.names) == 1 else f"{row.title}, {side}"
    for row in (*MARKETING, *FRAGRANCE, *LOGISTICS)
    for side, name in row.sides
}


def name_in(path: str) -> str:
    """`EAN` of `catalogB.Subtypes.0.EAN`."""
    return path.rpartition(".")[2]


def title_of(path: str) -> str:
    """`EAN of variant 2` of `catalogB.Subtypes.1.EAN`; what has no title is called by its path."""
    name = name_in(path)
    if name not in TITLES:
        return path or "the whole product"
    parts = path.split(".")
    variant = next((int(part) for part in parts if part.isdigit()), 0)
    return f"{TITLES[name]} of variant {variant + 1}" if variant else TITLES[name]


def value_text(path: str, value: object) -> str:
    """A value as people read it: codes with their meaning, lists with commas, "" for none."""
    name = name_in(path)
    if value is None or value == "":
        return ""
    if name in CODES and isinstance(value, int):
        return f"{CODES[name].get(value, 'not in the list')} ({value})"
    if name == "HSCode":
        return f"{value}, {CUSTOMS[str(value)]}" if str(value) in CUSTOMS else str(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)

"""The types of products and what distinguishes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

OLDER = {"subtype": "variants", "tech": "electronics"}
"""How older tools call some of them."""


class ProductType(StrEnum):
    """What is sold; decides the prompt, the customs codes and what must be told."""

    COSMETICS = "cosmetics"
    FRAGRANCE = "fragrance"
    SUPPLEMENT = "supplement"
    VARIANTS = "variants"
    ELECTRONICS = "electronics"

    @classmethod
    def _missing_(cls, value: object) -> ProductType | None:
        return cls(OLDER[value]) if isinstance(value, str) and value in OLDER else None


@dataclass(frozen=True)
class Kind:
    """The rules of a type of product.

    Attributes
    ----------
    how_to
        Code of the usual kind of instructions.
    unit
        Code of the unit a capacity has when a document does not tell.
    marketing
        Whether the marketing half is written; a variant set has logistics alone.
    required
        Fields, by their JSON names, that a complete product has.
    """

    title: str
    how_to: int
    unit: int
    marketing: bool
    required: tuple[str, ...]


NAMED = (
    "catalogA.TitleEN",
    "catalogA.TitlePT",
    "catalogA.UrlEN",
    "catalogA.UrlPT",
    "catalogA.brand",
    "catalogA.DescriptionEN",
    "catalogA.DescriptionPT",
)
USED = ("catalogA.HowToEN", "catalogA.HowToPT")
EACH = ("EAN", "ItemDescriptionEN", "ItemDescriptionPT", "HSCode")
"""Fields of every variant."""


KINDS: Mapping[ProductType, Kind] = MappingProxyType(
    {
        ProductType.COSMETICS: Kind(
            "Cosmetics", 0, 2, True, (*NAMED, *USED, "catalogA.Ingredients", *EACH)
        ),
        ProductType.FRAGRANCE: Kind("Fragrance", 1, 2, True, (*NAMED, *USED, *EACH)),
        ProductType.SUPPLEMENT: Kind("Supplement", 5, 1, True, (*NAMED, *USED, *EACH)),
        ProductType.VARIANTS: Kind("Variant set", 0, 1, False, (*EACH, "VariantValue")),
        ProductType.ELECTRONICS: Kind("Electronics", 3, 1, True, (*NAMED, *EACH)),
    }
)

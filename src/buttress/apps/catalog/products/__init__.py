"""What a product of the catalog is: its type, its two halves, and the codes they use.

product = Product.model_validate_json(text)
product.catalog_b.variants[0].ean
product.model_dump_json(by_alias=True)    # TitleEN, UrlPT, Subtypes, …
"""

from buttress.apps.catalog.products.code_lists import (
    HOW_TO_TYPES,
    HS_CODES,
    PACK_TYPES,
    UNITS,
    Code,
    HSCode,
    code_of,
)
from buttress.apps.catalog.products.contract import CatalogA, CatalogB, Fragrance, Product, Variant
from buttress.apps.catalog.products.kinds import KINDS, Kind, ProductType
from buttress.apps.catalog.products.paths import leaves, read_field, with_field

__all__ = [
    "HOW_TO_TYPES",
    "HS_CODES",
    "KINDS",
    "PACK_TYPES",
    "UNITS",
    "CatalogA",
    "CatalogB",
    "Code",
    "Fragrance",
    "HSCode",
    "Kind",
    "Product",
    "ProductType",
    "Variant",
    "code_of",
    "leaves",
    "read_field",
    "with_field",
]

"""The contract of a product: names, codes, and what empty means."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from pydantic import ValidationError

from buttress.apps.catalog.products import (
    HOW_TO_TYPES,
    HS_CODES,
    KINDS,
    PACK_TYPES,
    UNITS,
    CatalogA,
    Product,
    ProductType,
    Variant,
    code_of,
    leaves,
    read_field,
    with_field,
)
from buttress.errors import NotFound

SHOP = {
    "catalogA": {"TitleEN": "Calm Cream", "UrlPT": "creme-calmo", "HowtoType": "0"},
    "catalogB": {"Subtypes": [{"EAN": "5601234567892", "ItemCapacity": 50, "priceSale": "24,90"}]},
}


def test_json_keeps_the_names_that_shops_import():
    product = Product.model_validate(SHOP)

    out = json.loads(product.model_dump_json())

    assert out["catalogA"]["TitleEN"] == "Calm Cream"
    assert out["catalogA"]["ModelName"] == "deo"
    assert out["catalogB"]["Subtypes"][0]["priceSale"] == 24.9
    assert set(out["catalogB"]["Subtypes"][0]) == {
        *("EAN", "CNP", "ItemDescriptionEN", "ItemDescriptionPT", "ItemCapacity"),
        *("ItemCapacityUnits", "PackType", "VariantType", "VariantValue", "SecondVariantType"),
        *("SecondVariant", "HexColor", "Width", "Height", "Depth", "Weight", "priceSale"),
        *("priceRecommended", "supplierPrice", "HSCode"),
    }
    assert Product.model_validate(out) == product


def test_zero_and_empty_text_of_older_tools_are_unknown_quantities():
    variant = Variant.model_validate({"Weight": 0, "Width": "", "PackType": "", "priceSale": "0"})

    assert variant.weight is variant.width is variant.pack_type is variant.price_sale is None


@pytest.mark.parametrize("value", [-1, "-3", "NaN", float("inf"), 10**12, "about 5", [1]])
def test_a_quantity_is_a_sensible_number_above_zero(value: object):
    with pytest.raises(ValidationError):
        Variant.model_validate({"Weight": value})


def test_what_databases_cannot_store_is_left_out_of_texts():
    assert CatalogA.model_validate({"TitleEN": " a\x00b\ud800 "}).title_en == "ab"


def test_numbers_given_for_texts_are_spelled():
    assert Variant.model_validate({"EAN": 5601234567892.0}).ean == "5601234567892"


def test_the_closed_list_has_62_codes_of_eight_digits():
    assert len(HS_CODES) == 62
    assert next(iter(HS_CODES)) == "21012020"
    assert [*HS_CODES][-1] == "96190089"
    assert all(len(code) == 8 and code.isdigit() for code in HS_CODES)
    assert all(one.description and one.words and one.group for one in HS_CODES.values())
    types = {kind.value for kind in ProductType}
    assert all(one.types <= types for one in HS_CODES.values())


def test_the_code_lists_are_those_of_the_shop():
    assert {code: unit.name for code, unit in UNITS.items()} == {
        1: "unit", 2: "ml", 4: "g", 5: "kg", 6: "capsules", 8: "tablets", 11: "gummies", 14: "pairs",
    }  # fmt: skip
    assert sorted(PACK_TYPES) == [0, 1, 3, 6, 13, 14]
    assert sorted(HOW_TO_TYPES) == [0, 1, 2, 3, 4, 5]
    assert code_of("Cápsulas", UNITS) == 6
    assert code_of("furlongs", UNITS) is None


def test_types_have_the_names_of_older_tools_too():
    assert ProductType("tech") is ProductType.ELECTRONICS
    assert ProductType("subtype") is ProductType.VARIANTS
    assert set(KINDS) == set(ProductType)
    with pytest.raises(ValueError, match="furniture"):
        ProductType("furniture")


def test_fields_are_read_and_set_by_their_path():
    product = Product.model_validate(SHOP)

    changed = with_field(product, "catalogB.Subtypes.0.Weight", 182)

    assert changed.catalog_b.variants[0].weight == Decimal(182)
    assert read_field(changed, "catalogB.Subtypes.0.EAN") == "5601234567892"
    assert dict(leaves(changed))["catalogA.TitleEN"] == "Calm Cream"
    for path in ("catalogA.Nothing", "catalogB.Subtypes.7.EAN", "catalogB.Subtypes.x", ""):
        with pytest.raises(NotFound):
            with_field(product, path, "x")


def test_every_field_is_described():
    schema = json.dumps(Product.model_json_schema())
    assert "Customs code of the closed list" in schema
    for model in (CatalogA, Variant):
        for name, field in model.model_fields.items():
            assert field.alias or name in ("brand", "brand_category"), name

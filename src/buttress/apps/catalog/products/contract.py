"""The contract of a product: marketing content and logistics, under the names shops import.

Types are enforced here. Whether a value is right (a check digit, a price below another, a
translation) is judged by evaluation, which must be able to see wrong ones.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from buttress.apps.catalog.products.values import Html, ListCode, Measure, Text

MODEL_NAME = "deo"
"""What the shop wants in `ModelName`, always."""

EXAMPLE_A: JsonDict = {
    "TitleEN": "Hydra Calm Face Cream",
    "TitlePT": "Creme de Rosto Hydra Calm",
    "UrlEN": "oakleaf-hydra-calm-face-cream",
    "UrlPT": "oakleaf-creme-de-rosto-hydra-calm",
    "brand": "Oakleaf",
    "Ingredients": "AQUA, GLYCERIN, NIACINAMIDE",
    "HowtoType": 0,
}
EXAMPLE_B: JsonDict = {
    "EAN": "5601234567897",
    "ItemDescriptionEN": "Face Cream",
    "ItemDescriptionPT": "Creme de Rosto",
    "ItemCapacity": 50,
    "ItemCapacityUnits": 2,
    "PackType": 0,
    "Width": 6.5,
    "Height": 5,
    "Depth": 6.5,
    "Weight": 182,
    "priceSale": 24.9,
    "priceRecommended": 29.9,
    "supplierPrice": 11.2,
    "HSCode": "33049900",
}


class Part(BaseModel):
    """A part of a product: made with either name of a field, written with the shop's."""

    model_config = ConfigDict(
        populate_by_name=True, serialize_by_alias=True, extra="ignore", frozen=True
    )


class Fragrance(Part):
    """What a perfume tells besides."""

    concentration: Text = Field("", alias="Concentration", examples=["Eau de Parfum"])
    scent_family: Text = Field("", alias="ScentFamily", examples=["Woody oriental"])
    gender: Text = Field("", alias="Gender", examples=["Women", "Men", "Unisex"])
    top_notes: tuple[Text, ...] = Field((), alias="TopNotes", examples=[["Bergamot", "Lemon"]])
    heart_notes: tuple[Text, ...] = Field((), alias="HeartNotes", examples=[["Jasmine", "Rose"]])
    base_notes: tuple[Text, ...] = Field((), alias="BaseNotes", examples=[["Vanilla", "Musk"]])
    story_en: Text = Field("", alias="StoryEN", description="100 to 120 words.")
    story_pt: Text = Field("", alias="StoryPT", description="The same in European Portuguese.")
    features_en: tuple[Text, ...] = Field((), alias="FeaturesEN")
    features_pt: tuple[Text, ...] = Field((), alias="FeaturesPT")
    composition_en: Text = Field("", alias="CompositionEN", description="100 to 120 words.")
    composition_pt: Text = Field("", alias="CompositionPT")


class CatalogA(Part):
    """Marketing content, in English and European Portuguese."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_A]})

    title_en: Text = Field(
        "", alias="TitleEN", description="The name, without brand and size, capitalised."
    )
    title_pt: Text = Field("", alias="TitlePT", description="The name in European Portuguese.")
    url_en: Text = Field("", alias="UrlEN", description="Slug of brand and name.")
    url_pt: Text = Field("", alias="UrlPT", description="Slug of brand and Portuguese name.")
    brand: Text = Field("", description="Who sells it, as it is written.")
    brand_category: Text = Field("", description="The line within the brand.")
    model_name: Text = Field(MODEL_NAME, alias="ModelName", description="Always 'deo'.")
    ingredients: Text = Field(
        "", alias="Ingredients", description="INCI names in capitals, separated by ', '."
    )
    category_id: ListCode = Field(None, alias="CategoryId", description="The shop's category.")
    description_en: Html = Field(
        "",
        alias="DescriptionEN",
        description="HTML: opening paragraph, quotation, key benefits, active ingredients, "
        "closing paragraph of 100 to 120 words.",
    )
    description_pt: Html = Field(
        "", alias="DescriptionPT", description="The same HTML in European Portuguese."
    )
    how_to_en: Html = Field("", alias="HowToEN", description="How it is used or taken.")
    how_to_pt: Html = Field("", alias="HowToPT", description="The same in European Portuguese.")
    how_to_type: ListCode = Field(
        None,
        alias="HowtoType",
        description="0 usage, 1 olfactory, 2 dosage, 3 details, 4 size grid, 5 posology.",
    )
    fragrance: Fragrance | None = Field(None, alias="Fragrance", description="Perfumes only.")


class Variant(Part):
    """Logistics of one thing that can be ordered: a size, a colour, a strength."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_B]})

    ean: Text = Field("", alias="EAN", description="Barcode of 8, 12, 13 or 14 digits.")
    cnp: Text = Field("", alias="CNP", description="Portuguese national product code, 7 digits.")
    item_description_en: Text = Field(
        "", alias="ItemDescriptionEN", description="Short name, without brand and size."
    )
    item_description_pt: Text = Field("", alias="ItemDescriptionPT")
    item_capacity: Measure = Field(None, alias="ItemCapacity", examples=[50])
    item_capacity_units: ListCode = Field(
        None,
        alias="ItemCapacityUnits",
        description="1 unit, 2 ml, 4 g, 5 kg, 6 capsules, 8 tablets, 11 gummies, 14 pairs.",
    )
    pack_type: ListCode = Field(
        None,
        alias="PackType",
        description="0 normal, 1 coffret, 3 promo, 6 limited edition, 13 offer, 14 recharge.",
    )
    variant_type: Text = Field("", alias="VariantType", examples=["colour", "size"])
    variant_value: Text = Field("", alias="VariantValue", examples=["Red", "Large"])
    second_variant_type: Text = Field("", alias="SecondVariantType")
    second_variant: Text = Field("", alias="SecondVariant")
    hex_color: Text = Field("", alias="HexColor", examples=["#c0392b"])
    width: Measure = Field(None, alias="Width", description="Centimetres.")
    height: Measure = Field(None, alias="Height", description="Centimetres.")
    depth: Measure = Field(None, alias="Depth", description="Centimetres.")
    weight: Measure = Field(None, alias="Weight", description="Grams.")
    price_sale: Measure = Field(None, alias="priceSale", description="What it is sold for.")
    price_recommended: Measure = Field(None, alias="priceRecommended")
    supplier_price: Measure = Field(
        None, alias="supplierPrice", description="What it is bought for: below the sale price."
    )
    hs_code: Text = Field("", alias="HSCode", description="Customs code of the closed list.")


class CatalogB(Part):
    """Logistics, a row for each variant."""

    variants: tuple[Variant, ...] = Field((), alias="Subtypes")


class Product(Part):
    """A product as it leaves the catalog."""

    catalog_a: CatalogA = Field(default_factory=CatalogA, alias="catalogA")
    catalog_b: CatalogB = Field(default_factory=CatalogB, alias="catalogB")

"""The offline engine on real documents: what it reads, writes, translates and leaves empty."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buttress.apps.catalog.extraction import MACHINE_TRANSLATION, Extraction
from buttress.apps.catalog.extraction.offline import extract
from buttress.apps.catalog.extraction.offline.translation import Translator
from buttress.apps.catalog.extraction.wording import word_count
from buttress.apps.catalog.material import Material, Passage, Place, Source
from buttress.apps.catalog.products import HS_CODES, ProductType, Variant, leaves
from buttress.apps.catalog.reading import hint_source, page_source, pdf_source, sheet_source
from buttress.documents import read_page, read_pdf, read_workbook
from buttress.errors import Unsupported
from supplier_documents import (
    EAN,
    FACTS,
    OTHER_EAN,
    PORTUGUESE,
    SECTIONS,
    WRONG_EAN,
    datasheet,
    shop_page,
    workbook,
)


def of_pdf(
    content: bytes, *more: Source, kind: ProductType = ProductType.COSMETICS, **options: Any
):
    document = pdf_source("1", "sheet.pdf", read_pdf(content))
    return extract(Material((document, *more)), kind, **options)


def no_translator() -> Translator:
    raise Unsupported("there is no translator here", hint="pip install 'buttress[offline]'")


def only(extraction: Extraction) -> Variant:
    (variant,) = extraction.product.catalog_b.variants
    return variant


def notes_of(extraction: Extraction) -> str:
    return "\n".join(f"{note.field} {note.text}" for note in extraction.notes)


@pytest.fixture(scope="module")
def cream() -> Extraction:
    return of_pdf(datasheet())


def test_every_labelled_fact_of_a_datasheet_is_read(cream: Extraction):
    a, b = cream.product.catalog_a, only(cream)

    assert (a.brand, a.brand_category) == ("Oakleaf", "Hydra Calm")
    assert a.ingredients.startswith("AQUA, GLYCERIN, NIACINAMIDE, CAPRYLIC/CAPRIC TRIGLYCERIDE")
    assert a.ingredients.endswith(
        "1,2-HEXANEDIOL, CETEARYL ALCOHOL, GLYCERYL STEARATE, "
        "XANTHAN GUM, SODIUM HYALURONATE, TOCOPHEROL, PARFUM, CITRIC ACID"
    )
    assert a.how_to_type == 0
    assert (b.ean, b.cnp) == (EAN, "7123456")
    assert (b.item_capacity, b.item_capacity_units, b.pack_type) == (50, 2, 0)
    assert (b.width, b.height, b.depth) == (Decimal("6.5"), 5, Decimal("6.5"))
    assert b.weight == 182
    assert (b.price_sale, b.price_recommended, b.supplier_price) == (
        Decimal("24.9"), Decimal("29.9"), Decimal("11.2"),
    )  # fmt: skip
    assert b.hs_code == "33049900"


def test_every_value_that_is_not_empty_says_where_it_came_from(cream: Extraction):
    told = {path for path, value in leaves(cream.product) if value not in (None, "", [])}

    assert told == set(cream.origins)
    read = [origin for origin in cream.origins.values() if origin.how == "read"]
    assert len(read) > 15
    assert all(one.source == "1" and one.place and one.place.page == 1 for one in read)
    assert all(one.place and one.place.box and one.text for one in read)
    weight = cream.origins["catalogB.Subtypes.0.Weight"]
    assert weight.text == "Gross weight\t0,182 kg"
    assert weight.remark == "converted to g"


def test_titles_have_neither_brand_nor_size_and_addresses_have_the_brand(cream: Extraction):
    a = cream.product.catalog_a

    assert a.title_en == "Hydra Calm Face Cream"
    assert a.url_en == "oakleaf-hydra-calm-face-cream"
    assert "Hydra Calm" in a.title_pt
    assert "Creme" in a.title_pt
    assert a.url_pt.startswith("oakleaf-creme")


def test_the_description_has_the_structure_of_the_house_and_nothing_the_source_does_not_say(
    cream: Extraction,
):
    html = cream.product.catalog_a.description_en
    parts = html.split("\n")

    assert parts[0].startswith("<p><strong>Oakleaf Hydra Calm Face Cream</strong> is a light cream")
    assert parts[1] == "<blockquote>Soothes dry and sensitive skin</blockquote>"
    assert parts[2] == "<p><strong>Key Benefits:</strong></p>"
    assert parts[3].startswith("<ul><li>Soothes dry and sensitive skin</li>")
    assert parts[4] == "<p><strong>Active Ingredients:</strong></p>"
    assert "<li><strong>Niacinamide</strong>: strengthens the skin barrier</li>" in parts[5]
    assert parts[6].startswith("<p><strong>Oakleaf Hydra Calm Face Cream</strong>")
    assert word_count(parts[6]) <= 120
    assert "50 ml" not in html
    said = {
        w.casefold()
        for _, text in SECTIONS
        for w in " ".join([*text] if isinstance(text, tuple) else [text])
        .replace(":", " ")
        .replace(".", " ")
        .split()
    }
    said |= {"oakleaf", "hydra", "calm", "face", "cream", "its", "key", "ingredients", "are", "and"}
    closing = parts[6].replace("<p><strong>", "").replace("</strong>", "").replace("</p>", "")
    words = {word.strip(".:,").casefold() for word in closing.split()}
    assert words <= said | {""}
    assert "words: the source says no more" in notes_of(cream)


def test_the_portuguese_is_a_draft_with_the_same_tags_and_marked_as_one(cream: Extraction):
    import re

    a = cream.product.catalog_a

    assert re.findall(r"<[^<>]+>", a.description_pt) == re.findall(r"<[^<>]+>", a.description_en)
    assert "<strong>Principais Benefícios:</strong>" in a.description_pt
    assert "Oakleaf" in a.description_pt
    assert "24 horas" in a.description_pt
    assert "Niacinamide" in a.description_pt, "INCI names are the same everywhere"
    for path in ("catalogA.DescriptionPT", "catalogA.HowToPT", "catalogA.TitlePT"):
        assert cream.origins[path].how == "translated"
        assert cream.origins[path].remark == MACHINE_TRANSLATION
    assert "rosto" in a.how_to_pt


def test_without_the_extra_the_other_language_stays_empty_and_a_note_names_the_extra():
    found = of_pdf(datasheet(), translator=no_translator)

    a = found.product.catalog_a
    assert a.title_en
    assert a.description_en
    assert a.title_pt == a.description_pt == a.how_to_pt == a.url_pt == ""
    assert "buttress[offline]" in notes_of(found)


def test_a_portuguese_datasheet_is_read_as_it_is_and_translated_into_english():
    content = datasheet(
        "Creme de Rosto Oakleaf",
        [("Marca", "Oakleaf"), ("Nome", "Creme de Rosto Oakleaf 50 ml"), ("Peso", "182 g"),
         ("Código de barras", EAN), ("Altura", "5 cm"), ("PVP", "24,90 €")],
        PORTUGUESE,
    )  # fmt: skip

    found = of_pdf(content)

    a = found.product.catalog_a
    assert a.title_pt == "Creme de Rosto"
    assert found.origins["catalogA.TitlePT"].how == "read"
    assert a.description_pt.startswith("<p><strong>Oakleaf Creme de Rosto</strong>: Um creme leve")
    assert "<strong>Principais Benefícios:</strong>" in a.description_pt
    assert found.origins["catalogA.DescriptionEN"].how == "translated"
    assert "<strong>Key Benefits:</strong>" in a.description_en
    assert "skin" in a.description_en
    assert a.how_to_pt == "Aplicar de manhã e à noite no rosto limpo."
    assert only(found).height == 5


def test_a_wrong_check_digit_is_kept_as_written_and_told():
    facts = [("EAN", WRONG_EAN) if name == "EAN" else (name, text) for name, text in FACTS]

    found = of_pdf(datasheet(facts=facts))

    assert only(found).ean == WRONG_EAN
    assert found.origins["catalogB.Subtypes.0.EAN"].confidence < 0.5
    assert f"the check digit of {WRONG_EAN} is wrong" in notes_of(found)


def test_a_supplier_price_that_is_not_below_the_sale_price_is_told():
    facts = [*FACTS[:7], ("PVP", "10,00 €"), ("Supplier price", "12,00 €")]

    assert "supplier's price of 12 is not below" in notes_of(of_pdf(datasheet(facts=facts)))


def test_what_is_not_told_stays_empty():
    found = of_pdf(datasheet("Thing", [("Brand", "Oakleaf")], []))

    empty = {path for path, value in leaves(found.product) if value in (None, "", [])}
    assert {
        *("catalogA.Ingredients", "catalogA.DescriptionEN", "catalogA.HowToEN"),
        *("catalogB.Subtypes.0.EAN", "catalogB.Subtypes.0.Weight", "catalogB.Subtypes.0.priceSale"),
        *("catalogB.Subtypes.0.ItemCapacity", "catalogB.Subtypes.0.HSCode"),
    } <= empty
    assert "describe nothing" in notes_of(found)


def test_nothing_at_all_gives_an_empty_product_and_says_so():
    found = extract(Material(()), ProductType.COSMETICS, translator=no_translator)

    assert found.product.catalog_a.title_en == ""
    assert "the sources hold no text" in notes_of(found)


def test_a_row_of_a_sheet_is_a_product_whatever_its_columns_are_called():
    rows = [
        ["Marca", "Nome", "EAN", "Conteúdo", "Peso (kg)", "PVP", "Preço de custo", "Cor", "SKU"],
        ["Oakleaf", "Batom Veludo", int(EAN), "5 ml", 0.02, 12.9, 4.1, "Coral (#e2725b)", "A1"],
    ]
    sheet = read_workbook(workbook(rows), name="p.xlsx").sheets[0]
    source = sheet_source("1", "p.xlsx", sheet, header=0, rows=[1])

    found = extract(Material((source,)), ProductType.COSMETICS)

    variant = only(found)
    assert (variant.ean, variant.weight, variant.item_capacity) == (EAN, 20, 5)
    assert (variant.price_sale, variant.supplier_price) == (Decimal("12.9"), Decimal("4.1"))
    assert (variant.variant_type, variant.variant_value) == ("colour", "Coral")
    assert variant.hex_color == "#e2725b"
    assert found.product.catalog_a.brand == "Oakleaf"
    place = found.origins["catalogB.Subtypes.0.EAN"].place
    assert place is not None
    assert place.cell == "Prices!C2"
    assert variant.hs_code == "33041000"


def test_rows_of_a_table_in_a_pdf_are_variants_that_share_what_stands_outside():
    table = [
        ["Shade", "EAN", "Net content", "PVP"],
        ["Red", EAN, "5 ml", "12,90 €"],
        ["Coral", OTHER_EAN, "10 ml", "13,90 €"],
    ]
    content = datasheet("Velvet Lipstick", [("Brand", "Oakleaf"), ("Weight", "20 g")], [], table)

    found = of_pdf(content, kind=ProductType.VARIANTS)

    red, coral = found.product.catalog_b.variants
    assert (red.ean, coral.ean) == (EAN, OTHER_EAN)
    assert (red.variant_value, coral.variant_value) == ("Red", "Coral")
    assert (red.price_sale, coral.price_sale) == (Decimal("12.9"), Decimal("13.9"))
    assert red.weight == coral.weight == 20
    assert found.product.catalog_a.description_en == "", "a variant set has logistics alone"


def test_rows_that_differ_in_size_alone_are_variants_by_size():
    rows = [["EAN", "Name", "Size"], [EAN, "Calm Cream", "50 ml"], [OTHER_EAN, "Calm Cream", "1 L"]]
    sheet = read_workbook(workbook(rows), name="p.xlsx").sheets[0]

    found = extract(Material((sheet_source("1", "p", sheet, header=0),)), ProductType.VARIANTS)

    told = [(one.variant_type, one.variant_value) for one in found.product.catalog_b.variants]
    assert told == [("size", "50 ml"), ("size", "1000 ml")]
    assert found.origins["catalogB.Subtypes.1.VariantValue"].how == "computed"


def test_a_web_page_is_read_by_its_markup_first():
    product = {
        "name": "Calm Cream 50 ml",
        "description": "<p>A light cream for dry skin. It leaves no trace on the skin.</p>",
        "brand": {"@type": "Brand", "name": "Oakleaf"},
        "gtin13": EAN,
        "weight": {"@type": "QuantitativeValue", "value": 182, "unitCode": "GRM"},
        "offers": {"@type": "Offer", "price": "24.90", "priceCurrency": "EUR"},
    }
    page = read_page(shop_page(product, "<p>EAN: 4006381333931</p>"), url="https://shop.test/a")

    found = extract(Material((page_source("7", "shop", page),)), ProductType.COSMETICS)

    variant = only(found)
    assert (variant.ean, variant.weight, variant.price_sale) == (EAN, 182, Decimal("24.9"))
    assert found.product.catalog_a.title_en == "Calm Cream"
    assert variant.item_capacity == 50
    origin = found.origins["catalogB.Subtypes.0.EAN"]
    assert origin.place is not None
    assert str(origin.place.selector).startswith("json-ld/0/gtin13")
    assert "the sources do not agree" in notes_of(found)


def test_sources_complete_each_other_and_a_hint_counts():
    hint = hint_source("2", "Supplier price: 9,50 €\nPack type: limited edition")

    found = of_pdf(datasheet(facts=FACTS[:9]), hint)

    assert only(found).supplier_price == Decimal("9.5")
    assert found.origins["catalogB.Subtypes.0.supplierPrice"].source == "2"
    assert only(found).pack_type == 6


def test_a_perfume_tells_its_notes():
    content = datasheet(
        "Nuit Bleue Eau de Parfum 50 ml",
        [("Brand", "Oakleaf"), ("Concentration", "Eau de Parfum"), ("Gender", "Women"),
         ("Top notes", "Bergamot, Pink Pepper"), ("Heart notes", "Jasmine and Rose"),
         ("Base notes", "Vanilla, Musk"), ("EAN", EAN)],
        [("Description", "A warm scent for the evening. It begins with bergamot."),
         ("How to use", "Spray on the neck and the wrists.")],
    )  # fmt: skip

    found = of_pdf(content, kind=ProductType.FRAGRANCE)

    a = found.product.catalog_a
    assert a.fragrance is not None
    assert a.fragrance.top_notes == ("Bergamot", "Pink Pepper")
    assert a.fragrance.heart_notes == ("Jasmine", "Rose")
    assert a.fragrance.concentration == "Eau de Parfum"
    assert a.how_to_type == 1
    assert a.how_to_en.startswith("<p><strong>Top Notes:</strong> Bergamot, Pink Pepper</p>")
    assert "<p><strong>Application:</strong> Spray on the neck" in a.how_to_en
    assert a.how_to_pt.startswith(
        "<p><strong>Notas de Topo:</strong> Bergamota, Pimenta-rosa</p>\n"
        "<p><strong>Notas de Coração:</strong> Jasmim, Rosa</p>"
    )
    assert "<strong>Aplicação:</strong>" in a.how_to_pt
    assert only(found).hs_code == "33030010"


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        (ProductType.COSMETICS, "Repairing Shampoo", "33051000"),
        (ProductType.COSMETICS, "Champô Reparador", "33051000"),
        (ProductType.COSMETICS, "Roll-on Deodorant", "33072000"),
        (ProductType.COSMETICS, "Shaving Foam", "33071000"),
        (ProductType.COSMETICS, "Shower Gel", "34013000"),
        (ProductType.COSMETICS, "Toothpaste", "33061000"),
        (ProductType.COSMETICS, "Volume Mascara", "33042000"),
        (ProductType.COSMETICS, "Loose Powder", "33049100"),
        (ProductType.SUPPLEMENT, "Magnesium Capsules", "21061020"),
        (ProductType.FRAGRANCE, "Scented Candle", "34060000"),
        (ProductType.ELECTRONICS, "Ionic Hair Dryer", "85163100"),
        (ProductType.ELECTRONICS, "Hair Straightener", "85163200"),
        (ProductType.VARIANTS, "Baby Diapers", "96190081"),
    ],
)
def test_customs_codes_follow_what_the_product_is(kind: ProductType, name: str, code: str):
    source = hint_source("1", f"Name: {name}")

    found = extract(Material((source,)), kind, translator=no_translator)

    assert only(found).hs_code == code
    origin = found.origins["catalogB.Subtypes.0.HSCode"]
    assert origin.how == "computed"
    assert HS_CODES[code].description in origin.remark


def test_a_customs_code_outside_the_list_is_refused():
    source = hint_source("1", "Name: Shampoo\nHS code: 1234.56.78")

    found = extract(Material((source,)), ProductType.COSMETICS, translator=no_translator)

    assert only(found).hs_code == "33051000"
    assert "is not on the list" in notes_of(found)


def test_technical_data_of_a_device_stand_where_instructions_would():
    facts = [("Brand", "Oakleaf"), ("Power", "2200 W"), ("Weight", "0.62 kg"), ("Cable", "2.5 m")]

    found = of_pdf(datasheet("AirPro Hair Dryer", facts, []), kind=ProductType.ELECTRONICS)

    a = found.product.catalog_a
    assert a.how_to_en == (
        "<ul><li><strong>Power</strong>: 2200 W</li><li><strong>Cable</strong>: 2.5 m</li></ul>"
    )
    assert a.how_to_type == 3
    assert "2200 W" in a.how_to_pt


def test_a_net_weight_is_a_capacity_or_else_a_weight():
    jar = hint_source("1", "Name: Clay\nNet weight: 45 g")
    box = hint_source("1", "Name: Magnesium\nNet weight: 45 g\nNet quantity: 60 capsules")

    clay = only(extract(Material((jar,)), ProductType.COSMETICS, translator=no_translator))
    pills = only(extract(Material((box,)), ProductType.SUPPLEMENT, translator=no_translator))

    assert (clay.item_capacity, clay.item_capacity_units, clay.weight) == (45, 4, None)
    assert (pills.item_capacity, pills.item_capacity_units, pills.weight) == (60, 6, 45)


labels = st.sampled_from(
    ["EAN", "Weight", "Price", "Dimensions", "Name", "Brand", "Ingredients", "Size", "HS code",
     "Description", "Key benefits", "Cor", "CNP", "Pack type", "Top notes", "CategoryId", "Unit"]
)  # fmt: skip
passages = st.builds(
    Passage, st.one_of(st.text(max_size=60), st.builds("{}: {}".format, labels, st.text(max_size=40))),
    st.just(Place(page=1)), st.one_of(st.just(""), labels),
)  # fmt: skip


@given(st.lists(passages, max_size=12), st.sampled_from(ProductType))
@settings(max_examples=80, deadline=None)
def test_no_text_makes_the_engine_fail_and_every_value_has_an_origin(
    texts: list[Passage], kind: ProductType
):
    source = Source("1", "pdf", "x", tuple(texts), (tuple(texts),) if len(texts) > 6 else ())

    found = extract(Material((source,)), kind, translator=no_translator)

    told = {path for path, value in leaves(found.product) if value not in (None, "", [])}
    assert told == set(found.origins)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", [" ", "1", "1.", "<", "(", "a ", "5 x ", "a:", ";", "\t", "- "])
def test_endless_repetitions_take_no_endless_time(piece: str):
    """A pattern that backtracks over any of these would take hours."""
    long = piece * (40_000 // len(piece))
    texts = [
        Passage(f"{label}: {long}", Place()) for label in ("Name", "Size", "Dimensions", "EAN")
    ]
    texts += [Passage(long, Place(), label) for label in ("Weight", "Price", "Ingredients", "Cor")]
    source = Source("1", "sheet", "x", (*texts, Passage(long, Place())))

    found = extract(Material((source,)), ProductType.COSMETICS, translator=no_translator)

    assert found.product
    assert Material((source,)).find("no such words") is None


def test_a_size_that_is_no_capacity_is_a_variant():
    rows = [["EAN", "Name", "Tamanho"], [EAN, "Collants", "M"], [OTHER_EAN, "Collants", "L"]]
    sheet = read_workbook(workbook(rows), name="p.xlsx").sheets[0]

    found = extract(Material((sheet_source("1", "p", sheet, header=0),)), ProductType.VARIANTS)

    told = [(one.variant_type, one.variant_value) for one in found.product.catalog_b.variants]
    assert told == [("size", "M"), ("size", "L")]


def test_what_one_row_leaves_out_is_not_taken_from_another():
    rows = [["EAN", "Name", "Peso (g)"], [EAN, "Calm Cream", 182], [OTHER_EAN, "Calm Cream", None]]
    sheet = read_workbook(workbook(rows), name="p.xlsx").sheets[0]
    source = sheet_source("1", "p", sheet, header=0)

    found = extract(Material((source,)), ProductType.VARIANTS, translator=no_translator)

    assert [one.weight for one in found.product.catalog_b.variants] == [182, None]

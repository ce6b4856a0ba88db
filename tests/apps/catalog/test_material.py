"""Material: the sources of a product, and finding values in them."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from buttress.apps.catalog.material import Material, Passage, Place, Source, words_of
from buttress.apps.catalog.reading import (
    cell_name,
    hint_source,
    page_source,
    pdf_source,
    sheet_source,
)
from buttress.documents import read_page, read_pdf, read_workbook
from buttress.documents.parts import Box
from supplier_documents import EAN, INCI, datasheet, shop_page, workbook


def lines(*texts: str, id: str = "1") -> Source:
    """A page with these lines, ten points each."""
    return Source(
        id,
        "pdf",
        "x.pdf",
        tuple(
            Passage(text, Place(page=1, box=Box(10, 10 * n, 10 + len(text), 10 * n + 9)))
            for n, text in enumerate(texts)
        ),
    )


def test_words_are_found_whatever_their_case_punctuation_and_line():
    material = Material((lines("Eau de", "PARFUM, for women"), lines("elsewhere", id="2")))

    found = material.find("eau-de-parfum")

    assert found is not None
    assert found.source == "1"
    assert found.text == "Eau de PARFUM, for women"
    assert found.place.box == Box(10, 0, 27, 19)
    assert material.find("parf") is None, "part of a word"
    assert material.find("women elsewhere") is None, "across two documents"
    assert material.find("…") is None


def test_numbers_are_found_however_they_are_written():
    material = Material(
        (lines("price 1.234,50 €", "weight 1 250 g, size 1,250.75", "on 12.05.2026"),)
    )

    assert all(material.find_number(Decimal(number)) for number in ("1234.5", "1250", "1250.75"))
    assert material.find_number(Decimal("12.05")) is None, "part of a date"
    assert material.find_number(Decimal(34)) is None, "part of a number"


def test_barcodes_are_found_with_blanks_in_them():
    material = Material((lines("EAN 5 601234 567892"),))

    assert material.find_digits(EAN) is not None
    assert material.find_digits(EAN[:-1]) is None


@given(st.lists(st.text(max_size=30), max_size=12), st.data())
@settings(max_examples=60, deadline=None)
def test_any_run_of_words_of_a_source_is_found_in_it(texts: list[str], data: st.DataObject):
    material = Material((lines(*texts),))
    words = [word for text in texts for word in words_of(text)]
    start = data.draw(st.integers(0, max(len(words) - 1, 0)))
    end = data.draw(st.integers(start, len(words)))

    found = material.find(" ".join(words[start:end]))

    assert (found is not None) == (end > start)
    if found is not None:
        assert words[start] in words_of(found.text)


def test_material_is_the_same_after_it_was_kept_as_json():
    document = read_pdf(datasheet())
    material = Material((pdf_source("1", "oak.pdf", document), hint_source("2", "for men\n\nnew")))

    assert Material.load(material.dump()) == material


def test_a_page_of_a_pdf_gives_lines_with_their_boxes():
    document = read_pdf(datasheet())
    material = Material((pdf_source("1", "oak.pdf", document, pages=[1]),))

    found = material.find(INCI)

    assert found is not None
    assert found.place.page == 1
    assert found.place.box is not None
    assert found.place.box.height > 15, "the list is on several lines"
    assert material.find("EAN " + EAN) is not None
    assert not pdf_source("1", "oak.pdf", document, pages=[2]).passages


def test_a_row_of_a_sheet_gives_cells_with_their_columns():
    sheet = read_workbook(
        workbook([["Prices 2026"], ["EAN", "Nome", "Peso (kg)"], [int(EAN), "Creme", 0.182]]),
        name="prices.xlsx",
    ).sheets[0]

    source = sheet_source("1", "prices.xlsx", sheet, header=1, rows=[2])

    assert [(one.label, one.text, one.place.cell) for one in source.passages] == [
        ("EAN", EAN, "Prices!A3"),
        ("Nome", "Creme", "Prices!B3"),
        ("Peso (kg)", "0.182", "Prices!C3"),
    ]
    assert cell_name("S", 0, 701) == "S!ZZ1"
    assert cell_name("S", 9, 702) == "S!AAA10"


def test_a_web_page_gives_what_it_marks_up_and_its_text():
    product = {
        "name": "Calm Cream",
        "brand": {"@type": "Brand", "name": "Oakleaf"},
        "gtin13": EAN,
        "weight": {"@type": "QuantitativeValue", "value": 0.2, "unitCode": "KGM"},
        "additionalProperty": [{"name": "Net content", "value": "50 ml"}],
        "offers": {"price": "24.90", "priceCurrency": "EUR"},
    }
    page = read_page(shop_page(product, "<p>It soothes dry skin.</p>"), url="https://shop.test/a")

    source = page_source("1", "shop", page)

    labelled = {one.label: one for one in source.passages if one.label}
    assert labelled["brand.name"].text == "Oakleaf"
    assert labelled["weight"].text == "0.2 KGM"
    assert labelled["Net content"].text == "50 ml"
    assert str(labelled["offers.price"].place.selector).startswith("json-ld/0/offers")
    assert Material((source,)).find("soothes dry skin") is not None
